#include "kernels/pool.h"

#include "allocator.h"
#include "kernels/simd.h"
#include "parallel.h"

namespace rush::RUSH_ISA {
namespace {

constexpr int64_t kGrainReads = 16384;

int64_t area(Size2 size) { return size.h * size.w; }
int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }
int64_t larger(int64_t x, int64_t y) { return x > y ? x : y; }

// One direction of a pooling.
struct Axis {
  int64_t input, kernel, output, stride, padding, dilation;

  // Where the window's first tap on the input is.
  int64_t first(int64_t window) const {
    const int64_t start = window * stride - padding;
    return start < 0 ? start + (-start + dilation - 1) / dilation * dilation : start;
  }
};

Axis rows_of(const PoolShape& s) {
  return {s.input.h, s.kernel.h, s.output.h, s.stride.h, s.padding.h, s.dilation.h};
}
Axis columns_of(const PoolShape& s) {
  return {s.input.w, s.kernel.w, s.output.w, s.stride.w, s.padding.w, s.dilation.w};
}

template <class F>
void for_planes(int64_t planes, int64_t reads, F&& body) {
  parallel_for(planes, kGrainReads / (reads + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t plane = begin; plane < end; ++plane) body(plane);
  });
}

// --- maximum ---------------------------------------------------------------------------------

// Takes the maxima of one plane after the other. Its lines are first split into `stride` lines of
// every stride-th element, with -inf for the padding: what a tap reads for neighbouring windows is
// then contiguous, and whole vectors need no bounds.
template <class T>
class MaxPlane {
 public:
  explicit MaxPlane(const PoolShape& s)
      : s_(s),
        rows_(rows_of(s)),
        width_(round_up(s.output.w)),
        pitch_(width_ + (s.kernel.w - 1) * s.dilation.w / s.stride.w),
        phases_(s.stride.w),
        taps_(s.kernel.w),
        lines_(s.input.h * s.stride.w * pitch_),
        firsts_(width_) {
    const int64_t stride = s.stride.w, padding = s.padding.w;
    for (int64_t i = 0; i < s.input.h * stride * pitch_; ++i) lines_[i] = kLowest;
    for (int64_t phase = 0; phase < stride; ++phase) {
      const int64_t begin = larger(padding - phase + stride - 1, 0) / stride;
      const int64_t end = (s.input.w + padding - phase + stride - 1) / stride;
      phases_[phase] = {begin, smaller(end, pitch_), phase - padding};
    }
    for (int64_t kx = 0; kx < s.kernel.w; ++kx) {
      const int64_t shift = kx * s.dilation.w;
      taps_[kx] = {shift % stride * pitch_ + shift / stride, shift - padding};
    }
    const Axis columns = columns_of(s);
    for (int64_t i = 0; i < width_; ++i) firsts_[i] = static_cast<Position>(columns.first(i));
  }

  void read(const T* plane) {
    const int64_t stride = s_.stride.w, lines = s_.input.h * stride;
    T* target = lines_.data();
    for (int64_t line = 0; line < lines; line += stride, plane += s_.input.w) {
      for (int64_t phase = 0; phase < stride; ++phase, target += pitch_) {
        const Phase part = phases_[phase];
        const T* source = plane + part.column;
        for (int64_t i = part.begin; i < part.end; ++i) target[i] = source[i * stride];
      }
    }
  }

  void run_row(int64_t row, T* out, int64_t* indices) const {
    const auto first_row = static_cast<Position>(rows_.first(row) * s_.input.w);
    const int64_t top = row * s_.stride.h - s_.padding.h;
    for (int64_t start = 0; start < s_.output.w; start += kLanes<T>) {
      Best best = {Vector<T>{} + kLowest, first_row + load_positions(firsts_.data() + start)};
      for (int64_t ky = 0; ky < s_.kernel.h; ++ky) {
        const int64_t y = top + ky * s_.dilation.h;
        if (y >= 0 && y < s_.input.h) take_line(y, start, best);
      }
      const int64_t count = smaller(kLanes<T>, s_.output.w - start);
      store_partial(out + start, best.value, count);
      for (int64_t i = 0; i < count; ++i) indices[start + i] = best.where[i];
    }
  }

 private:
  // Positions are as wide as the elements, so that one mask chooses both.
  using Positions = Mask<T>;
  using Position = std::remove_reference_t<decltype(Positions{}[0])>;
  static constexpr T kLowest = -static_cast<T>(__builtin_inf());

  // Elements [begin, end) of a phase are on the input; the first window's is at `column`.
  struct Phase {
    int64_t begin, end, column;
  };
  // Where a tap of the first window is, among a line's phases and in the line.
  struct Tap {
    int64_t place, column;
  };
  struct Best {
    Vector<T> value;
    Positions where;
  };

  static int64_t round_up(int64_t n) { return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T>; }
  static Positions load_positions(const Position* p) {
    Positions v;
    __builtin_memcpy(&v, p, sizeof v);
    return v;
  }

  void take_line(int64_t y, int64_t start, Best& best) const {
    const T* line = lines_.data() + y * s_.stride.w * pitch_ + start;
    Positions steps;
    for (int i = 0; i < kLanes<T>; ++i) steps[i] = static_cast<Position>(i * s_.stride.w);
    for (int64_t kx = 0; kx < s_.kernel.w; ++kx) {
      const Tap tap = taps_[kx];
      const Vector<T> value = load(line + tap.place);
      const Mask<T> better = (value > best.value) | (value != value);
      const int64_t first = y * s_.input.w + tap.column + start * s_.stride.w;
      best.value = better ? value : best.value;
      best.where = better ? steps + static_cast<Position>(first) : best.where;
    }
  }

  const PoolShape& s_;
  const Axis rows_;
  const int64_t width_, pitch_;
  Buffer<Phase> phases_;
  Buffer<Tap> taps_;
  Buffer<T> lines_;
  Buffer<Position> firsts_;
};

template <class T>
void max(const PoolShape& s, const T* x, T* out, int64_t* indices) {
  const int64_t grain = kGrainReads / (area(s.output) * area(s.kernel) + 1) + 1;
  parallel_for(s.planes, grain, [&](int64_t begin, int64_t end) {
    MaxPlane<T> plane(s);
    for (int64_t i = begin; i < end; ++i) {
      plane.read(x + i * area(s.input));
      for (int64_t row = 0; row < s.output.h; ++row) {
        const int64_t start = (i * s.output.h + row) * s.output.w;
        plane.run_row(row, out + start, indices + start);
      }
    }
  });
}

template <class T>
void max_backward(int64_t planes, int64_t input, int64_t output, const T* grad,
                  const int64_t* indices, T* x_grad) {
  for_planes(planes, input + output, [&](int64_t plane) {
    T* target = x_grad + plane * input;
    for (int64_t i = 0; i < input; ++i) target[i] = 0;
    for (int64_t i = plane * output; i < (plane + 1) * output; ++i) {
      // A window that meets nothing but padding has an index outside its plane.
      const auto index = static_cast<uint64_t>(indices[i]);
      if (index < static_cast<uint64_t>(input)) target[index] += grad[i];
    }
  });
}

// --- average ---------------------------------------------------------------------------------

// A window's extent along one axis, on the input (begin to end) and with the padding (whole).
struct Extent {
  int64_t begin, end, whole;

  Extent(const Axis& a, int64_t window) {
    const int64_t start = window * a.stride - a.padding;
    const int64_t stop = smaller(start + a.kernel, a.input + a.padding);
    whole = stop - start;
    begin = larger(start, 0);
    end = smaller(stop, a.input);
  }
  int64_t size() const { return larger(end - begin, 0); }
};

template <class T>
T divisor_of(AverageRule rule, const Extent& y, const Extent& x) {
  if (rule.divisor != 0) return static_cast<T>(rule.divisor);
  return static_cast<T>(rule.include_padding ? y.whole * x.whole : y.size() * x.size());
}

template <class T>
void average(const PoolShape& s, AverageRule rule, const T* x, T* out) {
  const Axis rows = rows_of(s), columns = columns_of(s);
  for_planes(s.planes, area(s.output) * area(s.kernel), [&](int64_t plane) {
    const T* source = x + plane * area(s.input);
    T* target = out + plane * area(s.output);
    for (int64_t oy = 0; oy < s.output.h; ++oy) {
      const Extent high(rows, oy);
      for (int64_t ox = 0; ox < s.output.w; ++ox) {
        const Extent wide(columns, ox);
        T sum = 0;
        for (int64_t iy = high.begin; iy < high.end; ++iy) {
          for (int64_t ix = wide.begin; ix < wide.end; ++ix) sum += source[iy * s.input.w + ix];
        }
        const bool empty = high.size() * wide.size() == 0;
        *target++ = empty ? T(0) : sum / divisor_of<T>(rule, high, wide);
      }
    }
  });
}

template <class T>
void average_backward(const PoolShape& s, AverageRule rule, const T* grad, T* x_grad) {
  const Axis rows = rows_of(s), columns = columns_of(s);
  for_planes(s.planes, area(s.input) + area(s.output) * area(s.kernel), [&](int64_t plane) {
    const T* source = grad + plane * area(s.output);
    T* target = x_grad + plane * area(s.input);
    for (int64_t i = 0; i < area(s.input); ++i) target[i] = 0;
    for (int64_t oy = 0; oy < s.output.h; ++oy) {
      const Extent high(rows, oy);
      for (int64_t ox = 0; ox < s.output.w; ++ox) {
        const Extent wide(columns, ox);
        const T share = *source++ / divisor_of<T>(rule, high, wide);
        for (int64_t iy = high.begin; iy < high.end; ++iy) {
          for (int64_t ix = wide.begin; ix < wide.end; ++ix) target[iy * s.input.w + ix] += share;
        }
      }
    }
  });
}

template <class T>
constexpr PoolFunctions<T> functions() {
  return {max<T>, max_backward<T>, average<T>, average_backward<T>};
}

}  // namespace

PoolKernels pool_kernels() { return {functions<float>(), functions<double>()}; }

}  // namespace rush::RUSH_ISA
