#include "kernels/conv.h"

#include "kernels/gemm/patches.h"

namespace rush::RUSH_ISA {
namespace {

int64_t area(Size2 size) { return size.h * size.w; }

// One group of one image, as sizes of matrices.
struct GroupShape {
  int64_t in, out, taps, pixels;

  explicit GroupShape(const ConvShape& s)
      : in(s.in_channels / s.groups),
        out(s.out_channels / s.groups),
        taps(in * area(s.kernel)),
        pixels(area(s.output)) {}
};

// Calls body(begin, end, whole) over the jobs: many are dealt out to the threads; few are done one
// after the other, each with the threads inside (`whole`).
template <class F>
void for_each_job(int64_t jobs, int64_t work, F&& body) {
  if (jobs < num_threads()) return body(0, jobs, true);
  parallel_for(jobs, kThreadWork / (work + 1) + 1,
               [&](int64_t begin, int64_t end) { body(begin, end, false); });
}

template <class T, class Rows, class Columns>
void product(bool whole, const Rows& a, const Columns& b, int64_t m, int64_t n, int64_t k,
             const Output<T>& out) {
  if (whole) {
    multiply<T>(a, b, m, n, k, out);
  } else {
    multiply_serial<T>(a, b, m, n, k, out);
  }
}

// The frame that a window slides over, and where in it each tap starts.
template <class T>
struct Windows {
  Frame<T> frame;
  Buffer<int64_t> offsets;
  Size2 stride, output;

  explicit Windows(const ConvShape& s)
      : frame(s.in_channels / s.groups, s.input, s.padding,
              {(s.output.h - 1) * s.stride.h + (s.kernel.h - 1) * s.dilation.h + 1,
               (s.output.w - 1) * s.stride.w + (s.kernel.w - 1) * s.dilation.w + 1},
              s.stride.w),
        offsets(GroupShape(s).taps),
        stride(s.stride),
        output(s.output) {
    int64_t* next = offsets.data();
    for (int64_t c = 0; c < s.in_channels / s.groups; ++c) {
      for (int64_t y = 0; y < s.kernel.h; ++y) {
        for (int64_t x = 0; x < s.kernel.w; ++x) {
          *next++ = frame.offset(c, y * s.dilation.h, x * s.dilation.w);
        }
      }
    }
  }

  Patches<T> patches() const {
    return {frame.data(), offsets.data(), output.w, stride.h * frame.row()};
  }
};

template <class T>
void forward(const ConvShape& s, const T* x, const T* weight, const T* bias, T* out) {
  const GroupShape group(s);
  const int64_t jobs = s.batch * s.groups;
  for_each_job(
      jobs, group.out * group.taps * group.pixels, [&](int64_t begin, int64_t end, bool whole) {
        Windows<T> windows(s);
        for (int64_t job = begin; job < end; ++job) {
          const int64_t channel = job % s.groups * group.out;
          windows.frame.fill(x + job * group.in * area(s.input));
          product<T>(whole, StridedRows<T>{weight + channel * group.taps, group.taps, 1, false},
                     windows.patches(), group.out, group.pixels, group.taps,
                     {out + job * group.out * group.pixels, group.pixels, false,
                      bias ? bias + channel : nullptr, nullptr});
        }
      });
}

// --- input gradient --------------------------------------------------------------------------

// x[Y] with Y = position + padding has met out[o] through tap t where o * stride + t * dilation =
// Y. All Y of one residue r modulo the stride meet the taps of that residue: with T = (Y - r) /
// stride and q = (t * dilation - r) / stride, o = T - q. So each residue is a convolution of
// stride 1.
struct Residue {
  int64_t residue, stride, dilation;
  int64_t first, count;  // T: `count` of them from `first` on
  int64_t position;      // of the first T in x; the others follow at multiples of the stride

  Residue(int64_t r, int64_t input, int64_t step, int64_t padding, int64_t gap)
      : residue(r), stride(step), dilation(gap) {
    first = padding > r ? ceil_div(padding - r, step) : 0;
    const int64_t last = padding + input - 1 - r;
    count = last < first * step ? 0 : last / step - first + 1;
    position = first * step + r - padding;
  }

  bool meets(int64_t tap) const { return tap * dilation % stride == residue; }
  int64_t shift(int64_t tap) const { return (tap * dilation - residue) / stride; }
};

// One residue in each direction: its taps' places in the frame and its weights, (groups, in, taps).
template <class T>
struct InputPhase {
  Residue y, x;
  int64_t taps;
  Buffer<int64_t> offsets;
  Buffer<T> weights;

  InputPhase(const ConvShape& s, const T* weight, const Frame<T>& frame, Size2 before,
             int64_t phase)
      : y(phase / s.stride.w, s.input.h, s.stride.h, s.padding.h, s.dilation.h),
        x(phase % s.stride.w, s.input.w, s.stride.w, s.padding.w, s.dilation.w),
        taps(count_taps(s)),
        offsets(taps),
        weights(taps * s.in_channels) {
    const GroupShape group(s);
    int64_t tap = 0;
    for (int64_t o = 0; o < group.out; ++o) {
      for (int64_t ky = 0; ky < s.kernel.h; ++ky) {
        for (int64_t kx = 0; kx < s.kernel.w; ++kx) {
          if (!y.meets(ky) || !x.meets(kx)) continue;
          offsets[tap] =
              frame.offset(o, y.first + before.h - y.shift(ky), x.first + before.w - x.shift(kx));
          copy_weights(s, group, weight, tap++, o * group.taps + ky * s.kernel.w + kx);
        }
      }
    }
  }

  int64_t pixels() const { return y.count * x.count; }

 private:
  int64_t count_taps(const ConvShape& s) const {
    int64_t high = 0, wide = 0;
    for (int64_t ky = 0; ky < s.kernel.h; ++ky) high += y.meets(ky);
    for (int64_t kx = 0; kx < s.kernel.w; ++kx) wide += x.meets(kx);
    return s.out_channels / s.groups * high * wide;
  }

  void copy_weights(const ConvShape& s, const GroupShape& group, const T* weight, int64_t tap,
                    int64_t place) {
    for (int64_t g = 0; g < s.groups; ++g) {
      for (int64_t i = 0; i < group.in; ++i) {
        weights[(g * group.in + i) * taps + tap] =
            weight[g * group.out * group.taps + place + i * area(s.kernel)];
      }
    }
  }
};

template <class T>
void run_phase(const ConvShape& s, const InputPhase<T>& phase, const Frame<T>& frame, int64_t job,
               bool whole, T* x_grad) {
  const int64_t in = s.in_channels / s.groups, pixels = phase.pixels();
  if (pixels == 0) return;
  const bool dense = s.stride.h == 1 && s.stride.w == 1;
  Buffer<T> sparse(dense ? 0 : in * pixels);
  T* target = x_grad + job * in * area(s.input);
  product<T>(
      whole,
      StridedRows<T>{phase.weights.data() + job % s.groups * in * phase.taps, phase.taps, 1, false},
      Patches<T>{frame.data(), phase.offsets.data(), phase.x.count, frame.row()}, in, pixels,
      phase.taps, {dense ? target : sparse.data(), pixels, false, nullptr, nullptr});
  if (dense) return;
  for (int64_t i = 0; i < in; ++i) {
    for (int64_t y = 0; y < phase.y.count; ++y) {
      const T* from = sparse.data() + (i * phase.y.count + y) * phase.x.count;
      T* to = target + (i * s.input.h + phase.y.position + y * s.stride.h) * s.input.w;
      for (int64_t x = 0; x < phase.x.count; ++x) to[phase.x.position + x * s.stride.w] = from[x];
    }
  }
}

template <class T>
void input_grad(const ConvShape& s, const T* grad, const T* weight, T* x_grad) {
  const GroupShape group(s);
  const Size2 before = {(s.kernel.h - 1) * s.dilation.h / s.stride.h,
                        (s.kernel.w - 1) * s.dilation.w / s.stride.w};
  const auto larger = [](int64_t x, int64_t y) { return x > y ? x : y; };
  const Size2 whole_frame = {
      before.h + larger(s.output.h, (s.padding.h + s.input.h - 1) / s.stride.h + 1),
      before.w + larger(s.output.w, (s.padding.w + s.input.w - 1) / s.stride.w + 1)};
  const auto make_frame = [&] { return Frame<T>(group.out, s.output, before, whole_frame, 1); };
  const Frame<T> model = make_frame();
  for (int64_t i = 0; i < area(s.stride); ++i) {
    const InputPhase<T> phase(s, weight, model, before, i);
    for_each_job(s.batch * s.groups, group.in * phase.taps * phase.pixels(),
                 [&](int64_t begin, int64_t end, bool whole) {
                   Frame<T> frame = make_frame();
                   for (int64_t job = begin; job < end; ++job) {
                     frame.fill(grad + job * group.out * group.pixels);
                     run_phase(s, phase, frame, job, whole, x_grad);
                   }
                 });
  }
}

// --- weight gradient -------------------------------------------------------------------------

// Sums of the threads, each (groups, taps, out), into (groups, out, taps).
template <class T>
void gather_sums(const ConvShape& s, const T* sums, int64_t parts, T* weight_grad) {
  const GroupShape group(s);
  const int64_t size = s.groups * group.taps * group.out;
  constexpr int64_t block = 16;  // rows of taps whose lines stay in the cache
  const int64_t blocks = ceil_div(group.taps, block);
  parallel_for(
      s.groups * blocks, (1 << 15) / (block * group.out) + 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t start = i / blocks * group.taps * group.out, first = i % blocks * block;
          const int64_t last = smaller(first + block, group.taps);
          for (int64_t o = 0; o < group.out; ++o) {
            for (int64_t tap = first; tap < last; ++tap) {
              T sum = 0;
              for (int64_t p = 0; p < parts; ++p)
                sum += sums[p * size + start + tap * group.out + o];
              weight_grad[start + o * group.taps + tap] = sum;
            }
          }
        }
      });
}

// Into how many sums the images are divided: one for each thread, where the work is worth it.
int64_t weight_parts(const ConvShape& s) {
  const GroupShape group(s);
  const int64_t images = kThreadWork / (group.out * group.taps * group.pixels * s.groups + 1) + 1;
  return s.batch < num_threads() || s.batch / images < num_threads() ? 1 : num_threads();
}

// The gradient is computed transposed: the patches, the larger operand, are then A and need no
// transposing.
template <class T>
void weight_grad(const ConvShape& s, const T* grad, const T* x, T* weight_grad) {
  const GroupShape group(s);
  const int64_t size = s.groups * group.taps * group.out;
  const int64_t parts = weight_parts(s);
  Buffer<T> sums(parts * size);
  if (s.batch == 0) zero(sums.data(), size);
  const auto add_images = [&](Range images, bool whole, T* target) {
    Windows<T> windows(s);
    for (int64_t job = images.begin * s.groups; job < images.end * s.groups; ++job) {
      windows.frame.fill(x + job * group.in * area(s.input));
      product<T>(whole, windows.patches(),
                 StridedColumns<T>{grad + job * group.out * group.pixels, 1, group.pixels, false},
                 group.taps, group.out, group.pixels,
                 {target + job % s.groups * group.taps * group.out, group.out,
                  job >= (images.begin + 1) * s.groups, nullptr, nullptr});
    }
  };
  if (parts == 1) {
    add_images({0, s.batch}, true, sums.data());
  } else {
    const Cuts cuts({0, s.batch}, 1, parts);
    parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) add_images(cuts[i], false, sums.data() + i * size);
    });
  }
  gather_sums(s, sums.data(), parts, weight_grad);
}

template <class T>
constexpr ConvFunctions<T> functions() {
  return {forward<T>, input_grad<T>, weight_grad<T>};
}

}  // namespace

ConvKernels conv_kernels() { return {functions<float>(), functions<double>()}; }

}  // namespace rush::RUSH_ISA
