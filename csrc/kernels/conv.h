// Two-dimensional convolution (cross-correlation, as PyTorch defines it) and its two gradients.
#pragma once

#include <cstdint>

#include "isa.h"

namespace rush {

struct Size2 {
  int64_t h, w;
};

// Arrays are contiguous: x (batch, in_channels, input), weight (out_channels, in_channels / groups,
// kernel), out and its gradient (batch, out_channels, output). The caller has checked that
// output = (input + 2 padding - dilation (kernel - 1) - 1) / stride + 1 and is at least 1.
struct ConvShape {
  int64_t batch, in_channels, out_channels, groups;
  Size2 input, kernel, output;
  Size2 stride, padding, dilation;
};

template <class T>
struct ConvFunctions {
  void (*forward)(const ConvShape&, const T* x, const T* weight, const T* bias, T* out);
  void (*input_grad)(const ConvShape&, const T* grad, const T* weight, T* x_grad);
  void (*weight_grad)(const ConvShape&, const T* grad, const T* x, T* weight_grad);
};

struct ConvKernels {
  ConvFunctions<float> of_float;
  ConvFunctions<double> of_double;
};

RUSH_DECLARE_KERNELS(ConvKernels, conv)

}  // namespace rush
