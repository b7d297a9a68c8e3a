// Gamma and binomial variates by rejection, from callables that draw uniform variates on [0, 1) and
// normal ones.
#pragma once

#include <cmath>
#include <limits>

#include "rush/macros.h"

namespace rush::RUSH_ISA {
namespace {

// Of shape alpha and rate 1. T is the type of alpha, in which its constants are computed: the
// same seed gives PyTorch's numbers only so. Source: G. Marsaglia, W. Tsang, "A simple method for
// generating gamma variables", ACM TOMS 26 (2000).
template <class T, class Uniform, class Normal>
T draw_gamma(T alpha, Uniform uniform, Normal normal) {
  if (alpha == T(0)) return T(0);
  double scale = 1.0;
  if (alpha < T(1)) {  // a variate of alpha + 1 times a power of a uniform one
    scale = std::pow(1.0 - uniform(), static_cast<double>(T(1) / alpha));
    alpha += T(1);
  }
  const double d = alpha - 1.0f / 3.0f;
  const double c = 1.0 / std::sqrt(9.0 * d);
  for (;;) {
    double x, y;
    do {
      x = normal();
      y = 1.0 + c * x;
    } while (y <= 0.0);
    const double v = y * y * y;
    const double u = 1.0 - uniform();
    const double square = x * x;
    if (u < 1.0 - 0.0331f * square * square ||
        std::log(u) < 0.5 * square + d * (1.0 - v + std::log(v))) {
      return static_cast<T>(scale * d * v);
    }
  }
}

// log(k!) beyond Stirling's formula: exact for small k, a series beyond.
template <class T>
T stirling_rest(T k) {
  constexpr double kExact[] = {0.0810614667953272,  0.0413406959554092, 0.0276779256849983,
                               0.02079067210376509, 0.0166446911898211, 0.0138761288230707,
                               0.0118967099458917,  0.0104112652619720, 0.00925546218271273,
                               0.00833056343336287};
  if (k <= T(9)) return static_cast<T>(kExact[static_cast<int>(k)]);
  const T square = (k + 1) * (k + 1);
  return static_cast<T>((1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1));
}

// For count * p of 10 and more, p <= 1/2. Source: W. Hoermann, "The generation of binomial random
// variates", Journal of Statistical Computation and Simulation 46 (1993), algorithm BTRS.
template <class T, class Uniform>
T binomial_large(T count, T p, Uniform uniform) {
  const double deviation = std::sqrt(count * p * (1 - p));
  const double b = 1.15 + 2.53 * deviation;
  const double a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double center = count * p + 0.5;
  const double accept = 0.92 - 4.2 / b;
  const double odds = p / (1 - p);
  const double alpha = (2.83 + 5.1 / b) * deviation;
  const double mode = std::floor((count + 1) * p);
  for (;;) {
    const double u = uniform() - 0.5;
    const double v = uniform();
    const double us = 0.5 - std::fabs(u);
    const T k = static_cast<T>(std::floor((2 * a / us + b) * u + center));
    if (k < 0 || k > count) continue;
    if (us >= 0.07 && v <= accept) return k;
    const double hat = std::log(v * alpha / (a / (us * us) + b));
    const double bound = (mode + 0.5) * std::log((mode + 1) / (odds * (count - mode + 1))) +
                         (count + 1) * std::log((count - mode + 1) / (count - k + 1)) +
                         (k + 0.5) * std::log(odds * (count - k + 1) / (k + 1)) +
                         stirling_rest<double>(mode) + stirling_rest<double>(count - mode) -
                         stirling_rest<double>(k) - stirling_rest<double>(count - k);
    if (hat <= bound) return k;
  }
}

// The sum of geometric variates until it exceeds count. Source: L. Devroye, "Non-Uniform Random
// Variate Generation" (1986), X.4.3, first waiting time algorithm.
template <class T, class Uniform>
T binomial_small(T count, T p, Uniform uniform) {
  const double log_failure = std::log1p(-p);
  double waited = 0.0;
  for (T k = 0;; k += 1) {
    waited += std::ceil(std::log(uniform()) / log_failure);
    if (waited > count) return k;
  }
}

template <class T, class Uniform>
T draw_binomial(T count, T p, Uniform uniform) {
  if (!(p == p)) return std::numeric_limits<T>::quiet_NaN();
  if (count <= 0 || p <= 0) return T(0);
  if (p >= 1) return count;
  const T rarer = p <= T(0.5) ? p : T(1) - p;
  const T k = count * rarer >= T(10) ? binomial_large(count, rarer, uniform)
                                     : binomial_small(count, rarer, uniform);
  return p <= T(0.5) ? k : count - k;
}

}  // namespace
}  // namespace rush::RUSH_ISA
