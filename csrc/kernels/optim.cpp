#include "kernels/optim.h"

#include "rush/optim.h"

namespace rush::RUSH_ISA {
namespace {

template <class T>
optim::Gradient<T> gradient(const GradientStep& s) {
  return {T(s.sign), T(s.decay)};
}

// The arrays of one parameter never overlap, so no check is wanted before a vector loop.
template <class F>
void each(int64_t n, F f) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) f(i);
}

template <class T>
void sgd(int64_t n, const SgdStep& s, T* param, const T* grad, T* buffer) {
  const optim::Sgd<T> step{gradient<T>(s.gradient), T(s.rate), T(s.momentum), T(s.intake),
                           s.nesterov};
  if (buffer == nullptr) {
    each(n, [=](int64_t i) { step.plain(param[i], grad[i]); });
  } else if (s.first) {
    each(n, [=](int64_t i) { step.template with_momentum<true>(param[i], grad[i], buffer[i]); });
  } else {
    each(n, [=](int64_t i) { step.template with_momentum<false>(param[i], grad[i], buffer[i]); });
  }
}

template <class T>
void adam(int64_t n, const AdamStep& s, T* param, const T* grad, T* mean, T* square, T* largest) {
  const optim::Adam<T> step{gradient<T>(s.gradient), T(s.keep),      T(s.weight1),    T(s.beta2),
                            T(1 - s.beta2),          T(s.step_size), T(s.correction), T(s.eps)};
  if (largest == nullptr) {
    each(n, [=](int64_t i) {
      T none;
      step.template operator()<false>(param[i], grad[i], mean[i], square[i], none);
    });
  } else {
    each(n, [=](int64_t i) {
      step.template operator()<true>(param[i], grad[i], mean[i], square[i], largest[i]);
    });
  }
}

template <class T, bool kCentered, bool kMomentum>
void rmsprop_variant(int64_t n, const optim::Rmsprop<T>& step, T* param, const T* grad, T* square,
                     T* mean, T* buffer) {
  each(n, [=](int64_t i) {
    T none;
    step.template operator()<kCentered, kMomentum>(
        param[i], grad[i], square[i], kCentered ? mean[i] : none, kMomentum ? buffer[i] : none);
  });
}

template <class T>
void rmsprop(int64_t n, const RmspropStep& s, T* param, const T* grad, T* square, T* mean,
             T* buffer) {
  const optim::Rmsprop<T> step{
      gradient<T>(s.gradient), T(s.rate), T(s.momentum), T(s.eps), T(s.alpha), T(1 - s.alpha)};
  const auto variant =
      mean != nullptr
          ? (buffer != nullptr ? rmsprop_variant<T, true, true> : rmsprop_variant<T, true, false>)
          : (buffer != nullptr ? rmsprop_variant<T, false, true>
                               : rmsprop_variant<T, false, false>);
  variant(n, step, param, grad, square, mean, buffer);
}

template <class T>
void adagrad(int64_t n, const AdagradStep& s, T* param, const T* grad, T* sum) {
  const optim::Adagrad<T> step{gradient<T>(s.gradient), T(s.rate), T(s.eps)};
  each(n, [=](int64_t i) { step(param[i], grad[i], sum[i]); });
}

template <class T>
OptimLoops<T> loops() {
  return {sgd<T>, adam<T>, rmsprop<T>, adagrad<T>};
}

}  // namespace

OptimKernels optim_kernels() { return {loops<float>(), loops<double>()}; }

}  // namespace rush::RUSH_ISA
