#include "kernels/softmax.h"

#include "rush/math.h"

namespace rush::RUSH_ISA {
namespace {

constexpr int kLanes = 16;

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

// A NaN among the elements is found by the sum of exponentials, so it need not survive here.
template <class T>
T greatest(int64_t n, const T* x) {
  T lanes[kLanes];
  for (T& lane : lanes) lane = x[0];
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) lanes[l] = x[i + l] > lanes[l] ? x[i + l] : lanes[l];
  }
  T best = lanes[0];
  for (const T lane : lanes) best = lane > best ? lane : best;
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

template <class T>
void softmax(int64_t rows, int64_t n, const T* x, T* out) {
  for (int64_t r = 0; r < rows; ++r, x += n, out += n) {
    const T shift = greatest(n, x);
    for (int64_t i = 0; i < n; ++i) out[i] = math::exp(x[i] - shift);
    const T scale = T(1) / sum_of<T>(n, [&](int64_t i) { return out[i]; });
    for (int64_t i = 0; i < n; ++i) out[i] *= scale;
  }
}

template <class T>
void log_softmax(int64_t rows, int64_t n, const T* x, T* out) {
  for (int64_t r = 0; r < rows; ++r, x += n, out += n) {
    const T shift = greatest(n, x);
    const T total = sum_of<T>(n, [&](int64_t i) { return math::exp(x[i] - shift); });
    const T log_total = math::log(total);
    for (int64_t i = 0; i < n; ++i) out[i] = (x[i] - shift) - log_total;
  }
}

template <class T>
void softmax_backward(int64_t rows, int64_t n, const T* g, const T* out, T* gx) {
  for (int64_t r = 0; r < rows; ++r, g += n, out += n, gx += n) {
    const T dot = sum_of<T>(n, [&](int64_t i) { return g[i] * out[i]; });
    for (int64_t i = 0; i < n; ++i) gx[i] = out[i] * (g[i] - dot);
  }
}

template <class T>
void log_softmax_backward(int64_t rows, int64_t n, const T* g, const T* out, T* gx) {
  for (int64_t r = 0; r < rows; ++r, g += n, out += n, gx += n) {
    const T total = sum_of<T>(n, [&](int64_t i) { return g[i]; });
    for (int64_t i = 0; i < n; ++i) gx[i] = g[i] - math::exp(out[i]) * total;
  }
}

template <class T>
SoftmaxLoops<T> loops() {
  return {softmax<T>, log_softmax<T>, softmax_backward<T>, log_softmax_backward<T>};
}

}  // namespace

SoftmaxKernels softmax_kernels() { return {loops<float>(), loops<double>()}; }

}  // namespace rush::RUSH_ISA
