// Optimizer steps over dense memory, in place.
#pragma once

#include <cstdint>

#include "isa.h"

namespace rush {

// Coefficients of one parameter's step, as the formulas of rush/optim.h want them.
struct GradientStep {
  double sign, decay;
};
struct SgdStep {
  GradientStep gradient;
  double rate, momentum, intake;
  bool nesterov, first;
};
struct AdamStep {
  GradientStep gradient;
  double keep, weight1, beta2, step_size, correction, eps;
};
struct RmspropStep {
  GradientStep gradient;
  double rate, momentum, eps, alpha;
};
struct AdagradStep {
  GradientStep gradient;
  double rate, eps;
};

// n elements each. A null pointer stands for state that the variant does not have.
template <class T>
struct OptimLoops {
  void (*sgd)(int64_t n, const SgdStep&, T* param, const T* grad, T* buffer);
  void (*adam)(int64_t n, const AdamStep&, T* param, const T* grad, T* mean, T* square, T* largest);
  void (*rmsprop)(int64_t n, const RmspropStep&, T* param, const T* grad, T* square, T* mean,
                  T* buffer);
  void (*adagrad)(int64_t n, const AdagradStep&, T* param, const T* grad, T* sum);
};

struct OptimKernels {
  OptimLoops<float> of_float;
  OptimLoops<double> of_double;
};
RUSH_DECLARE_KERNELS(OptimKernels, optim)

}  // namespace rush
