// Normalisation of rows (layer norm) and of channels (batch norm), and their gradients.
#pragma once

#include <cstdint>

#include "isa.h"

namespace rush {

// (batch, channels, size): what is normalised together is a channel of all images.
struct ChannelShape {
  int64_t batch, channels, size;
};

// Weights, biases and the gradients of them may be null. `rstd` is 1 / sqrt(variance + eps); not
// centred, the mean counts as 0.
template <class T>
struct NormFunctions {
  void (*rows)(int64_t rows, int64_t n, const T* x, const T* weight, const T* bias, T eps,
               bool center, T* out, T* mean, T* rstd);
  void (*rows_backward)(int64_t rows, int64_t n, const T* g, const T* x, const T* weight,
                        const T* mean, const T* rstd, bool center, T* gx, T* gw, T* gb);
  void (*channels)(ChannelShape s, const T* x, const T* weight, const T* bias, T eps, T* out,
                   T* mean, T* var);
  void (*channels_backward)(ChannelShape s, const T* g, const T* x, const T* weight, const T* mean,
                            const T* var, T eps, T* gx, T* gw, T* gb);
};

struct NormKernels {
  NormFunctions<float> of_float;
  NormFunctions<double> of_double;
};
RUSH_DECLARE_KERNELS(NormKernels, norm)

}  // namespace rush
