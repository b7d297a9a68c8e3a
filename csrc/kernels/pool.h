// Two-dimensional pooling over planes (every channel of every image), and its gradients.
#pragma once

#include <cstdint>

#include "isa.h"
#include "kernels/conv.h"

namespace rush {

// Arrays are contiguous: x (planes, input), out and indices (planes, output). Windows may hang over
// the padding's far edge (ceil_mode): the caller says how many there are. A plane has fewer than
// 2^31 elements.
struct PoolShape {
  int64_t planes;
  Size2 input, kernel, output;
  Size2 stride, padding, dilation;
};

// What an average is divided by: `divisor` if not 0, else the window's elements, with those in the
// padding if `include_padding`.
struct AverageRule {
  bool include_padding;
  int64_t divisor;
};

template <class T>
struct PoolFunctions {
  // indices: where in its plane each maximum stands. The first of equals wins, and any NaN.
  void (*max)(const PoolShape&, const T* x, T* out, int64_t* indices);
  // Planes of `input` and `output` elements.
  void (*max_backward)(int64_t planes, int64_t input, int64_t output, const T* grad,
                       const int64_t* indices, T* x_grad);
  // Dilation is 1.
  void (*average)(const PoolShape&, AverageRule, const T* x, T* out);
  void (*average_backward)(const PoolShape&, AverageRule, const T* grad, T* x_grad);
};

struct PoolKernels {
  PoolFunctions<float> of_float;
  PoolFunctions<double> of_double;
};

RUSH_DECLARE_KERNELS(PoolKernels, pool)

}  // namespace rush
