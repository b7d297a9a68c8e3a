// Softmax and log-softmax over dense rows, and their gradients.
#pragma once

#include <cstdint>

#include "isa.h"

namespace rush {

// `rows` rows of n elements. Backward: `out` is the forward's result, `g` the gradient of it.
template <class T>
struct SoftmaxLoops {
  void (*softmax)(int64_t rows, int64_t n, const T* x, T* out);
  void (*log_softmax)(int64_t rows, int64_t n, const T* x, T* out);
  void (*softmax_backward)(int64_t rows, int64_t n, const T* g, const T* out, T* gx);
  void (*log_softmax_backward)(int64_t rows, int64_t n, const T* g, const T* out, T* gx);
};

struct SoftmaxKernels {
  SoftmaxLoops<float> of_float;
  SoftmaxLoops<double> of_double;
};
RUSH_DECLARE_KERNELS(SoftmaxKernels, softmax)

}  // namespace rush
