// One element's step of each optimizer, once, for the host's loops and for NVRTC.
//
// A functor holds the coefficients of one step in the parameters' type and changes its references
// in place. Sums are formed in the order of PyTorch's single-tensor implementations.
#pragma once

#include "math.h"

namespace rush {
namespace RUSH_ISA {
namespace optim {

// What every optimizer does to a gradient first: turn it round, decay the weight.
template <class T>
struct Gradient {
  T sign;   // -1 maximizes
  T decay;  // weight decay added to the gradient, 0 for none

  RUSH_HD T operator()(T param, T grad) const {
    const T g = sign * grad;
    return decay != T(0) ? g + decay * param : g;
  }
};

// x + weight (end - x), formed from the nearer end.
template <class T>
RUSH_HD T lerp(T x, T end, T weight) {
  return weight < T(0.5) ? x + weight * (end - x) : end - (end - x) * (T(1) - weight);
}

template <class T>
struct Sgd {
  Gradient<T> gradient;
  T rate, momentum;
  T intake;  // 1 - dampening
  bool nesterov;

  RUSH_HD void plain(T& param, T grad) const { param += -rate * gradient(param, grad); }

  // The first step fills the buffer; later ones decay it.
  template <bool kFirst>
  RUSH_HD void with_momentum(T& param, T grad, T& buffer) const {
    const T g = gradient(param, grad);
    buffer = kFirst ? g : buffer * momentum + intake * g;
    param += -rate * (nesterov ? g + momentum * buffer : buffer);
  }
};

template <class T>
struct Adam {
  Gradient<T> gradient;
  T keep;            // 1 - rate * decoupled weight decay
  T weight1;         // 1 - beta1
  T beta2, weight2;  // weight2 = 1 - beta2
  T step_size;       // rate / (1 - beta1^t)
  T correction;      // sqrt(1 - beta2^t)
  T eps;

  template <bool kAmsgrad>
  RUSH_HD void operator()(T& param, T grad, T& mean, T& square, T& largest) const {
    param *= keep;
    const T g = gradient(param, grad);
    mean = lerp(mean, g, weight1);
    square = square * beta2 + weight2 * g * g;
    if (kAmsgrad) largest = square > largest ? square : largest;
    const T root = math::sqrt(kAmsgrad ? largest : square);
    param += -step_size * mean / (root / correction + eps);
  }
};

template <class T>
struct Rmsprop {
  Gradient<T> gradient;
  T rate, momentum, eps;
  T alpha, weight;  // weight = 1 - alpha

  template <bool kCentered, bool kMomentum>
  RUSH_HD void operator()(T& param, T grad, T& square, T& mean, T& buffer) const {
    const T g = gradient(param, grad);
    square = square * alpha + weight * g * g;
    if (kCentered) mean = lerp(mean, g, weight);
    const T root = math::sqrt(kCentered ? square - mean * mean : square) + eps;
    if (kMomentum) buffer = buffer * momentum + g / root;
    param += kMomentum ? -rate * buffer : -rate * g / root;
  }
};

template <class T>
struct Adagrad {
  Gradient<T> gradient;
  T rate;  // rate / (1 + (t - 1) rate decay)
  T eps;

  RUSH_HD void operator()(T& param, T grad, T& sum) const {
    const T g = gradient(param, grad);
    sum += g * g;
    param += -rate * g / (math::sqrt(sum) + eps);
  }
};

}  // namespace optim
}  // namespace RUSH_ISA
}  // namespace rush
