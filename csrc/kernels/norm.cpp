#include "kernels/norm.h"

#include <cmath>

#include "allocator.h"
#include "parallel.h"

namespace rush::RUSH_ISA {
namespace {

constexpr int kLanes = 16;
constexpr int64_t kGrainElements = 16384;

int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }

// f(i) summed over [0, n) in kLanes partial sums, which the compiler keeps in vectors.
template <class T, class F>
T sum_of(int64_t n, F f) {
  T lanes[kLanes] = {};
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) lanes[l] += f(i + l);
  }
  T total = 0;
  for (const T lane : lanes) total += lane;
  for (; i < n; ++i) total += f(i);
  return total;
}

template <class F>
void for_rows(int64_t rows, int64_t n, F&& body) {
  parallel_for(rows, kGrainElements / (n + 1) + 1, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) body(row);
  });
}

// --- rows --------------------------------------------------------------------------------------

template <class T>
void rows(int64_t rows, int64_t n, const T* x_, const T* weight, const T* bias, T eps, bool center,
          T* out_, T* mean, T* rstd) {
  for_rows(rows, n, [&](int64_t row) {
    const T* x = x_ + row * n;
    T* out = out_ + row * n;
    const T shift = center ? sum_of<T>(n, [&](int64_t i) { return x[i]; }) / n : T(0);
    const T square = sum_of<T>(n, [&](int64_t i) { return (x[i] - shift) * (x[i] - shift); });
    const T scale = T(1) / std::sqrt(square / n + eps);
    mean[row] = shift;
    rstd[row] = scale;
    if (weight == nullptr && bias == nullptr) {
      for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - shift) * scale;
    } else if (bias == nullptr) {
      for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - shift) * scale * weight[i];
    } else if (weight == nullptr) {
      for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - shift) * scale + bias[i];
    } else {
      for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - shift) * scale * weight[i] + bias[i];
    }
  });
}

// With y the normalised row and d = g * weight: rstd * (d - mean(d) - y * mean(d * y)).
template <class T>
void row_gradient(int64_t n, const T* g, const T* x, const T* weight, T shift, T scale, bool center,
                  T* gx) {
  const auto slope = [&](int64_t i) { return weight == nullptr ? g[i] : g[i] * weight[i]; };
  const T total = center ? sum_of<T>(n, slope) / n : T(0);
  const T dot = sum_of<T>(n, [&](int64_t i) { return slope(i) * (x[i] - shift); }) * scale / n;
  for (int64_t i = 0; i < n; ++i) {
    gx[i] = scale * (slope(i) - total - (x[i] - shift) * scale * dot);
  }
}

template <class T>
void rows_backward(int64_t rows, int64_t n, const T* g, const T* x, const T* weight, const T* mean,
                   const T* rstd, bool center, T* gx, T* gw, T* gb) {
  // The rows are dealt out to `parts` threads, each with its own sums for the parameters.
  const int64_t parts = smaller(num_threads(), rows * n / kGrainElements + 1);
  Buffer<T> sums(2 * parts * n);
  parallel_for(parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) {
      T *w_sum = sums.data() + 2 * part * n, *b_sum = w_sum + n;
      for (int64_t i = 0; i < 2 * n; ++i) w_sum[i] = 0;
      for (int64_t row = part * rows / parts; row < (part + 1) * rows / parts; ++row) {
        const T *gr = g + row * n, *xr = x + row * n;
        const T shift = mean[row], scale = rstd[row];
        if (gx != nullptr) row_gradient(n, gr, xr, weight, shift, scale, center, gx + row * n);
        if (gw == nullptr && gb == nullptr) continue;
        for (int64_t i = 0; i < n; ++i) {
          w_sum[i] += gr[i] * ((xr[i] - shift) * scale);
          b_sum[i] += gr[i];
        }
      }
    }
  });
  for (int64_t i = 0; i < n; ++i) {
    T w_total = 0, b_total = 0;
    for (int64_t part = 0; part < parts; ++part) {
      w_total += sums[2 * part * n + i];
      b_total += sums[(2 * part + 1) * n + i];
    }
    if (gw != nullptr) gw[i] = w_total;
    if (gb != nullptr) gb[i] = b_total;
  }
}

// --- channels ----------------------------------------------------------------------------------

// f(place) summed over the elements of one channel.
template <class T, class F>
T channel_sum(const ChannelShape& s, int64_t channel, F f) {
  T total = 0;
  for (int64_t image = 0; image < s.batch; ++image) {
    const int64_t start = (image * s.channels + channel) * s.size;
    total += sum_of<T>(s.size, [&](int64_t i) { return f(start + i); });
  }
  return total;
}

// out[place] = f(place) over the elements of one channel.
template <class T, class F>
void channel_write(const ChannelShape& s, int64_t channel, T* out, F f) {
  for (int64_t image = 0; image < s.batch; ++image) {
    const int64_t start = (image * s.channels + channel) * s.size;
    for (int64_t i = start; i < start + s.size; ++i) out[i] = f(i);
  }
}

// The same where each channel has one element in an image: kBlock channels next to each other are
// walked at once, since the elements of one are far apart.
constexpr int kBlock = 64;

template <class F>
void for_blocks(const ChannelShape& s, F&& body) {
  const int64_t blocks = (s.channels + kBlock - 1) / kBlock;
  parallel_for(blocks, kGrainElements / (kBlock * s.batch + 1) + 1,
               [&](int64_t begin, int64_t end) {
                 for (int64_t i = begin; i < end; ++i) {
                   body(i * kBlock, smaller(kBlock, s.channels - i * kBlock));
                 }
               });
}

// sums[j] = f(place, j) summed over the images, for the channels `first + j`.
template <class T, class F>
void column_sums(const ChannelShape& s, int64_t first, int64_t count, T* sums, F f) {
  for (int64_t j = 0; j < count; ++j) sums[j] = 0;
  for (int64_t image = 0; image < s.batch; ++image) {
    const int64_t start = image * s.channels + first;
    for (int64_t j = 0; j < count; ++j) sums[j] += f(start + j, j);
  }
}

template <class T, class F>
void column_write(const ChannelShape& s, int64_t first, int64_t count, T* out, F f) {
  for (int64_t image = 0; image < s.batch; ++image) {
    const int64_t start = image * s.channels + first;
    for (int64_t j = 0; j < count; ++j) out[start + j] = f(start + j, j);
  }
}

template <class T>
void columns(const ChannelShape& s, const T* x, const T* weight, const T* bias, T eps, T* out,
             T* mean_, T* var_) {
  const T n = static_cast<T>(s.batch);
  for_blocks(s, [&](int64_t first, int64_t count) {
    T *mean = mean_ + first, *var = var_ + first;
    column_sums(s, first, count, mean, [&](int64_t i, int64_t) { return x[i]; });
    for (int64_t j = 0; j < count; ++j) mean[j] /= n;
    column_sums(s, first, count, var,
                [&](int64_t i, int64_t j) { return (x[i] - mean[j]) * (x[i] - mean[j]); });
    T scale[kBlock], shift[kBlock];
    for (int64_t j = 0; j < count; ++j) {
      var[j] /= n;
      scale[j] = (weight == nullptr ? T(1) : weight[first + j]) / std::sqrt(var[j] + eps);
      shift[j] = bias == nullptr ? T(0) : bias[first + j];
    }
    column_write(s, first, count, out,
                 [&](int64_t i, int64_t j) { return (x[i] - mean[j]) * scale[j] + shift[j]; });
  });
}

template <class T>
void columns_backward(const ChannelShape& s, const T* g, const T* x, const T* weight,
                      const T* mean_, const T* var, T eps, T* gx, T* gw, T* gb) {
  const T n = static_cast<T>(s.batch);
  for_blocks(s, [&](int64_t first, int64_t count) {
    const T* mean = mean_ + first;
    T total[kBlock], dot[kBlock], scale[kBlock], slope[kBlock];
    column_sums(s, first, count, total, [&](int64_t i, int64_t) { return g[i]; });
    column_sums(s, first, count, dot,
                [&](int64_t i, int64_t j) { return g[i] * (x[i] - mean[j]); });
    for (int64_t j = 0; j < count; ++j) {
      const T rstd = T(1) / std::sqrt(var[first + j] + eps);
      if (gw != nullptr) gw[first + j] = dot[j] * rstd;
      if (gb != nullptr) gb[first + j] = total[j];
      scale[j] = (weight == nullptr ? T(1) : weight[first + j]) * rstd;
      slope[j] = dot[j] * rstd * rstd / n;
      total[j] /= n;
    }
    if (gx == nullptr) return;
    column_write(s, first, count, gx, [&](int64_t i, int64_t j) {
      return scale[j] * (g[i] - total[j] - (x[i] - mean[j]) * slope[j]);
    });
  });
}

template <class T>
void channels(ChannelShape s, const T* x, const T* weight, const T* bias, T eps, T* out, T* mean,
              T* var) {
  if (s.size == 1) return columns(s, x, weight, bias, eps, out, mean, var);
  const T n = static_cast<T>(s.batch * s.size);
  for_rows(s.channels, s.batch * s.size, [&](int64_t c) {
    const T center = channel_sum<T>(s, c, [&](int64_t i) { return x[i]; }) / n;
    const auto square = [&](int64_t i) { return (x[i] - center) * (x[i] - center); };
    const T spread = channel_sum<T>(s, c, square) / n;
    mean[c] = center;
    var[c] = spread;
    const T scale = (weight == nullptr ? T(1) : weight[c]) / std::sqrt(spread + eps);
    const T shift = bias == nullptr ? T(0) : bias[c];
    channel_write(s, c, out, [&](int64_t i) { return (x[i] - center) * scale + shift; });
  });
}

template <class T>
void channels_backward(ChannelShape s, const T* g, const T* x, const T* weight, const T* mean,
                       const T* var, T eps, T* gx, T* gw, T* gb) {
  if (s.size == 1) return columns_backward(s, g, x, weight, mean, var, eps, gx, gw, gb);
  const T n = static_cast<T>(s.batch * s.size);
  for_rows(s.channels, s.batch * s.size, [&](int64_t c) {
    const T center = mean[c], rstd = T(1) / std::sqrt(var[c] + eps);
    const T total = channel_sum<T>(s, c, [&](int64_t i) { return g[i]; });
    const auto term = [&](int64_t i) { return g[i] * (x[i] - center); };
    const T dot = channel_sum<T>(s, c, term) * rstd;
    if (gw != nullptr) gw[c] = dot;
    if (gb != nullptr) gb[c] = total;
    if (gx == nullptr) return;
    const T scale = (weight == nullptr ? T(1) : weight[c]) * rstd;
    const T slope = dot * rstd / n, level = total / n;
    channel_write(s, c, gx,
                  [&](int64_t i) { return scale * (g[i] - level - (x[i] - center) * slope); });
  });
}

template <class T>
constexpr NormFunctions<T> functions() {
  return {rows<T>, rows_backward<T>, channels<T>, channels_backward<T>};
}

}  // namespace

NormKernels norm_kernels() { return {functions<float>(), functions<double>()}; }

}  // namespace rush::RUSH_ISA
