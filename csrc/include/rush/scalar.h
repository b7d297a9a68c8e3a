// Every pointwise formula, once: forward and backward, for the host's loops and for NVRTC.
//
// A functor takes and returns one C++ type T. An entry of the X-lists at the end gives it its
// kernel: X(name, kind), one list for each number of operands. Kinds:
//   arithmetic  any type, the result has the operands' promoted type
//   numeric     the same, but not bool
//   floating    integers are computed in float32
//   real        floating types only
//   compare     any type, the result is bool
//   bitwise     integers and bool
//   integral    integers only
// Gradients at kinks are PyTorch's: sign(0) = 0, relu'(0) = 0.
#pragma once

#include "math.h"

namespace rush {
namespace RUSH_ISA {
namespace op {

template <class T>
struct is_floating {
  static constexpr bool value = false;
};
template <>
struct is_floating<float> {
  static constexpr bool value = true;
};
template <>
struct is_floating<double> {
  static constexpr bool value = true;
};

#define RUSH_OP_1(name, formula)      \
  struct name {                       \
    template <class T>                \
    RUSH_HD T operator()(T x) const { \
      formula                         \
    }                                 \
  };
#define RUSH_OP_2(name, x, y, formula)     \
  struct name {                            \
    template <class T>                     \
    RUSH_HD T operator()(T x, T y) const { \
      formula                              \
    }                                      \
  };
#define RUSH_OP_3(name, x, y, z, formula)       \
  struct name {                                 \
    template <class T>                          \
    RUSH_HD T operator()(T x, T y, T z) const { \
      formula                                   \
    }                                           \
  };
#define RUSH_TEST_1(name, formula)       \
  struct name {                          \
    template <class T>                   \
    RUSH_HD bool operator()(T x) const { \
      formula                            \
    }                                    \
  };
#define RUSH_TEST_2(name, formula)            \
  struct name {                               \
    template <class T>                        \
    RUSH_HD bool operator()(T x, T y) const { \
      formula                                 \
    }                                         \
  };

// ---- Arithmetic ----

RUSH_OP_1(neg, return T(-x);)
RUSH_OP_1(abs, return x < T(0) ? T(-x) : T(x + T(0));)  // + 0 turns -0 into 0
RUSH_OP_1(sign, return T(T(x > T(0)) - T(x < T(0)));)   // NaN gives 0, as in PyTorch
RUSH_OP_1(square, return T(x * x);)
RUSH_OP_2(add, x, y, return T(x + y);)
RUSH_OP_2(sub, x, y, return T(x - y);)
RUSH_OP_2(mul, x, y, return T(x * y);)
RUSH_OP_2(div, x, y, return x / y;)
RUSH_OP_1(reciprocal, return T(1) / x;)
RUSH_OP_2(maximum, x, y, return x > y || x != x ? x : y;)
RUSH_OP_2(minimum, x, y, return x < y || x != x ? x : y;)
RUSH_OP_2(fmax, x, y, return x > y || y != y ? x : y;)  // a number wins over NaN
RUSH_OP_2(fmin, x, y, return x < y || y != y ? x : y;)
RUSH_OP_2(heaviside, x, y, return x == T(0) ? y : T(x > T(0));)
RUSH_OP_2(copysign, x, y, return math::copysign(x, y);)
RUSH_OP_2(nextafter, x, y, return math::nextafter(x, y);)
RUSH_OP_2(hypot, x, y, return math::hypot(x, y);)

// Rounds towards minus infinity; the caller refuses integer zero divisors beforehand.
struct floor_divide {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    if constexpr (is_floating<T>::value) {
      if (y == T(0)) return x / y;
      const T remainder = math::fmod(x, y);
      T quotient = (x - remainder) / y;
      if (remainder != T(0) && (y < T(0)) != (remainder < T(0))) quotient -= T(1);
      const T whole = math::floor(quotient);
      return quotient - whole > T(0.5) ? whole + T(1) : whole;
    } else {
      if (y == T(0)) return T(0);
      if (y == T(-1)) return T(T(0) - x);  // the smallest integer has no opposite: it wraps
      const T quotient = x / y;
      return T(quotient - T(x % y != 0 && (x < T(0)) != (y < T(0))));
    }
  }
};

// The sign of the divisor, as Python's %.
struct remainder {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    if constexpr (is_floating<T>::value) {
      const T r = math::fmod(x, y);
      return r != T(0) && (r < T(0)) != (y < T(0)) ? r + y : r;
    } else {
      if (y == T(0) || y == T(-1)) return T(0);
      const T r = x % y;
      return T(r != 0 && (r < T(0)) != (y < T(0)) ? r + y : r);
    }
  }
};

// Rounds towards zero.
struct trunc_divide {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    if constexpr (is_floating<T>::value) {
      return math::trunc(x / y);
    } else {
      if (y == T(0)) return T(0);
      return y == T(-1) ? T(T(0) - x) : T(x / y);
    }
  }
};

// The sign of the dividend, as C's %.
struct fmod {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    if constexpr (is_floating<T>::value)
      return math::fmod(x, y);
    else
      return y == T(0) || y == T(-1) ? T(0) : T(x % y);
  }
};

// Euclid's algorithm. Opposites are taken first: the smallest integer must not be divided by -1.
struct gcd {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    T a = x < T(0) ? T(T(0) - x) : x;
    T b = y < T(0) ? T(T(0) - y) : y;
    while (b != T(0)) {
      const T rest = T(a % b);
      a = b;
      b = rest;
    }
    return a;
  }
};
struct lcm {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    const T divisor = gcd{}(x, y);
    if (divisor == T(0)) return T(0);
    const T product = T(x / divisor * y);
    return product < T(0) ? T(T(0) - product) : product;
  }
};

// Integers: by squaring; a negative exponent gives 0 except for bases 1 and -1. Of one exponent for
// all elements the compiler tests the common ones before the loop, which then vectorises.
struct pow {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    if constexpr (is_floating<T>::value) {
      if (y == T(2)) return x * x;
      if (y == T(3)) return x * x * x;
      if (y == T(-1)) return T(1) / x;
      return math::pow(x, y);
    } else {
      if (y < T(0)) return x == T(1) ? T(1) : (x == T(-1) ? (y % 2 == 0 ? T(1) : T(-1)) : T(0));
      T result = 1;
      for (T base = x; y > T(0); y = T(y / 2), base = T(base * base)) {
        if (y % 2 != 0) result = T(result * base);
      }
      return result;
    }
  }
};

// ---- Rounding ----

#define RUSH_ROUNDING(name, function)       \
  struct name {                             \
    template <class T>                      \
    RUSH_HD T operator()(T x) const {       \
      if constexpr (is_floating<T>::value)  \
        return math::function(x);           \
      else                                  \
        return x;                           \
    }                                       \
  };
RUSH_ROUNDING(floor, floor)
RUSH_ROUNDING(ceil, ceil)
RUSH_ROUNDING(trunc, trunc)
RUSH_ROUNDING(round, rint)  // ties to even
#undef RUSH_ROUNDING
RUSH_OP_1(frac, return x - math::trunc(x);)

// ---- Exponentials, trigonometry ----

RUSH_OP_1(exp, return math::exp(x);)
RUSH_OP_1(expm1, return math::expm1(x);)
RUSH_OP_1(exp2, return math::exp2(x);)
RUSH_OP_1(log, return math::log(x);)
RUSH_OP_1(log2, return math::log2(x);)
RUSH_OP_1(log10, return math::log10(x);)
RUSH_OP_1(log1p, return math::log1p(x);)
// From the larger exponent, so that neither power overflows; equal infinities have no difference.
RUSH_OP_2(logaddexp, x, y, const T high = x > y || x != x ? x : y; const T gap = math::abs(x - y);
          return x == y ? x + T(0.69314718055994530942) : high + math::log1p(math::exp(-gap));)
RUSH_OP_2(logaddexp2, x, y, const T high = x > y || x != x ? x : y; const T gap = math::abs(x - y);
          return x == y ? x + T(1)
                        : high + T(1.44269504088896340736) * math::log1p(math::exp2(-gap));)
RUSH_OP_2(xlogy, x, y, return x == T(0) && y == y ? T(0) : x * math::log(y);)
RUSH_OP_2(special_xlog1py, x, y, return x == T(0) && y == y ? T(0) : x * math::log1p(y);)
RUSH_OP_2(ldexp, x, y, return x * math::exp2(y);)
RUSH_OP_1(logit, return math::log(x / (T(1) - x));)
RUSH_OP_1(sqrt, return math::sqrt(x);)
RUSH_OP_1(rsqrt, return T(1) / math::sqrt(x);)
RUSH_OP_1(sin, return math::sin(x);)
RUSH_OP_1(cos, return math::cos(x);)
RUSH_OP_1(tan, return math::tan(x);)
RUSH_OP_1(asin, return math::asin(x);)
RUSH_OP_1(acos, return math::acos(x);)
RUSH_OP_1(atan, return math::atan(x);)
RUSH_OP_1(sinc, const T angle = T(3.14159265358979323846) * x;
          return x == T(0) ? T(1) : math::sin(angle) / angle;)
RUSH_OP_1(sinh, return math::sinh(x);)
RUSH_OP_1(cosh, return math::cosh(x);)
RUSH_OP_1(tanh, return math::tanh(x);)
RUSH_OP_1(asinh, return math::asinh(x);)
RUSH_OP_1(acosh, return math::acosh(x);)
RUSH_OP_1(atanh, return math::atanh(x);)
RUSH_OP_2(tanh_backward, g, out, return g * (T(1) - out * out);)
RUSH_OP_1(erf, return math::erf(x);)
RUSH_OP_1(erfc, return math::erfc(x);)
RUSH_OP_1(erfinv, return math::erfinv(x);)
RUSH_OP_2(atan2, y, x, return math::atan2(y, x);)

// ---- The gamma function's logarithm and its derivatives ----

RUSH_OP_1(lgamma, return math::lgamma(x);)

// Recurrence up to 10, from there the asymptotic series (Abramowitz and Stegun, 6.3.18); negative
// numbers by reflection (6.3.7), whose tangent sees the distance to an integer only: it is exact.
struct digamma {
  template <class T>
  RUSH_HD T operator()(T x) const {
    const T pi = T(3.14159265358979323846);
    if (x == T(0)) return math::copysign(T(1) / T(0), -x);
    T sum = T(0);
    if (x < T(0)) {
      const T fraction = x - math::rint(x);
      if (fraction == T(0)) return T(0) / T(0);
      sum = -pi / math::tan(pi * fraction);
      x = T(1) - x;
    }
    for (; x < T(10); x += T(1)) sum -= T(1) / x;
    const T z = T(1) / (x * x);
    T series = T(1.0 / 12);
    series = series * -z + T(691.0 / 32760);
    series = series * -z + T(1.0 / 132);
    series = series * -z + T(1.0 / 240);
    series = series * -z + T(1.0 / 252);
    series = series * -z + T(1.0 / 120);
    series = series * -z + T(1.0 / 12);
    return sum + math::log(x) - T(0.5) / x - series * z;
  }
};

// The same for its derivative (6.4.12, 6.4.7).
struct trigamma {
  template <class T>
  RUSH_HD T operator()(T x) const {
    const T pi = T(3.14159265358979323846);
    T sum = T(0), sign = T(1);
    if (x < T(0.5)) {
      const T sine = math::sin(pi * x);
      sum = -(pi / sine) * (pi / sine);
      sign = T(-1);
      x = T(1) - x;
    }
    for (; x < T(10); x += T(1)) sum += T(1) / (x * x);
    const T z = T(1) / (x * x);
    T series = T(7.0 / 6);
    series = series * -z + T(691.0 / 2730);
    series = series * -z + T(5.0 / 66);
    series = series * -z + T(1.0 / 30);
    series = series * -z + T(1.0 / 42);
    series = series * -z + T(1.0 / 30);
    series = series * -z + T(1.0 / 6);
    return sign * (sum + (T(1) + T(0.5) / x + series * z) / x);
  }
};

// ---- Activations ----

RUSH_OP_1(relu, return x > T(0) || x != x ? x : T(0);)
RUSH_OP_2(relu_backward, g, out, return out <= T(0) ? T(0) : g;)
RUSH_OP_1(sigmoid, return T(1) / (T(1) + math::exp(-x));)
RUSH_OP_2(sigmoid_backward, g, out, return g * (out * (T(1) - out));)
RUSH_OP_1(silu, return x / (T(1) + math::exp(-x));)
RUSH_OP_2(silu_backward, g, x, const T s = T(1) / (T(1) + math::exp(-x));
          return g * (s * (T(1) + x * (T(1) - s)));)
RUSH_OP_2(leaky_relu, x, slope, return x > T(0) ? x : x * slope;)
RUSH_OP_3(leaky_relu_backward, g, x, slope, return x > T(0) ? g : g * slope;)
RUSH_OP_2(elu, x, alpha, return x > T(0) ? x : alpha * math::expm1(x);)
// x tanh(log(1 + e)) = x n / (n + 2), with e = exp(x) and n = e (e + 2).
struct mish {
  template <class T>
  RUSH_HD T operator()(T x) const {
    const T e = math::exp(x > T(20) ? T(20) : x), n = e * (e + T(2));
    return x * (n / (n + T(2)));
  }
};
struct mish_backward {
  template <class T>
  RUSH_HD T operator()(T g, T x) const {
    if (x > T(20)) return g;
    const T e = math::exp(x), n = e * (e + T(2)), m = n + T(2);
    return g * (n / m + x * (T(4) * e * (e + T(1)) / (m * m)));
  }
};
struct hardswish {
  template <class T>
  RUSH_HD T operator()(T x) const {
    return x < T(-3) ? x * T(0) : x <= T(3) ? x * (x + T(3)) / T(6) : x;
  }
};
struct hardswish_backward {
  template <class T>
  RUSH_HD T operator()(T g, T x) const {
    return x < T(-3) ? T(0) : x <= T(3) ? g * (x / T(3) + T(0.5)) : g;
  }
};
RUSH_OP_3(elu_backward, g, x, alpha, return x <= T(0) ? g * alpha * math::exp(x) : g;)
RUSH_OP_3(softplus, x, beta, threshold,
          return x * beta > threshold ? x : math::log1p(math::exp(x * beta)) / beta;)
struct softplus_backward {
  template <class T>
  RUSH_HD T operator()(T g, T x, T beta, T threshold) const {
    return x * beta > threshold ? g : g / (T(1) + math::exp(-x * beta));
  }
};
// GELU (Hendrycks and Gimpel 2016), x * Phi(x), and its tanh approximation.
RUSH_OP_1(gelu, return x * T(0.5) * (T(1) + math::erf(x * T(0.70710678118654752440)));)
RUSH_OP_2(gelu_backward, g, x,
          const T cdf = T(0.5) * (T(1) + math::erf(x * T(0.70710678118654752440)));
          const T pdf = T(0.39894228040143267794) * math::exp(T(-0.5) * x * x);
          return g * (cdf + x * pdf);)
RUSH_OP_1(gelu_tanh, const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
          return T(0.5) * x * (T(1) + math::tanh(inner));)
RUSH_OP_2(gelu_tanh_backward, g, x, const T c = T(0.79788456080286535588);
          const T t = math::tanh(c * (x + T(0.044715) * x * x * x));
          const T slope = c * (T(1) + T(3 * 0.044715) * x * x);
          return g * T(0.5) * ((T(1) + t) + x * (T(1) - t * t) * slope);)

// ---- Losses, element by element ----

RUSH_OP_2(squared_error, x, y, const T d = x - y; return d * d;)
RUSH_OP_2(absolute_error, x, y, const T d = x - y; return d < T(0) ? -d : d;)
RUSH_OP_3(huber, x, y, delta, const T d = x - y; const T size = d < T(0) ? -d : d;
          return size <= delta ? T(0.5) * d * d : delta * (size - T(0.5) * delta);)
// Logarithms are clamped at -100, as PyTorch's, so that a saturated input has a finite loss.
RUSH_OP_2(cross_entropy_of_probability, x, y, const T p = math::log(x); const T q = math::log1p(-x);
          const T lower = T(-100);
          return (y - T(1)) * (q < lower ? lower : q) - y * (p < lower ? lower : p);)
RUSH_OP_2(cross_entropy_of_logit, x, y, const T size = x < T(0) ? -x : x;
          return (x > T(0) ? x : T(0)) - x * y + math::log1p(math::exp(-size));)

// ---- Fused arithmetic ----

RUSH_OP_3(multiply_add, x, y, z, return T(x + y * z);)
RUSH_OP_3(lerp, x, y, w, return w < T(0.5) ? x + w * (y - x) : y - (y - x) * (T(1) - w);)
// A bound that is NaN gives NaN.
RUSH_OP_3(clamp, x, low, high, const T raised = x < low || low != low ? low : x;
          return raised > high || high != high ? high : raised;)
struct nan_to_num {
  template <class T>
  RUSH_HD T operator()(T x, T nan, T highest, T lowest) const {
    if (x != x) return nan;
    return x - x == T(0) ? x : (x > T(0) ? highest : lowest);
  }
};

// ---- Comparison, logic, bits ----

RUSH_TEST_2(eq, return x == y;)
RUSH_TEST_2(ne, return x != y;)
RUSH_TEST_2(lt, return x < y;)
RUSH_TEST_2(le, return x <= y;)
RUSH_TEST_2(gt, return x > y;)
RUSH_TEST_2(ge, return x >= y;)
RUSH_TEST_2(logical_and, return x != T(0) && y != T(0);)
RUSH_TEST_2(logical_or, return x != T(0) || y != T(0);)
RUSH_TEST_2(logical_xor, return (x != T(0)) != (y != T(0));)
RUSH_TEST_1(logical_not, return x == T(0);)
RUSH_TEST_1(isnan, return x != x;)
RUSH_TEST_1(isfinite, return T(x - x) == T(0);)
RUSH_TEST_1(isinf, return x == x && T(x - x) != T(0);)
struct signbit {
  template <class T>
  RUSH_HD bool operator()(T x) const {
    if constexpr (is_floating<T>::value)
      return math::copysign(T(1), x) < T(0);
    else
      return x < T(0);
  }
};
RUSH_OP_2(bitwise_and, x, y, return T(x & y);)
RUSH_OP_2(bitwise_or, x, y, return T(x | y);)
RUSH_OP_2(bitwise_xor, x, y, return T(x ^ y);)
struct bitwise_not {
  template <class T>
  RUSH_HD T operator()(T x) const {
    return T(~x);
  }
  RUSH_HD bool operator()(bool x) const { return !x; }
};

// Shifts by more than the width, or by a negative count, leave no bit of the number but its sign.
struct bitwise_left_shift {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    return y < T(0) || y >= T(8 * sizeof(T)) ? T(0) : T(x << y);
  }
};
struct bitwise_right_shift {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    return y < T(0) || y >= T(8 * sizeof(T)) ? T(x < T(0) ? -1 : 0) : T(x >> y);
  }
};

#undef RUSH_OP_1
#undef RUSH_OP_2
#undef RUSH_OP_3
#undef RUSH_TEST_1
#undef RUSH_TEST_2

}  // namespace op
}  // namespace RUSH_ISA
}  // namespace rush

#define RUSH_POINTWISE_1(X)                                                              \
  X(neg, numeric) X(abs, numeric) X(sign, arithmetic) X(square, numeric)                 \
  X(floor, numeric) X(ceil, numeric) X(trunc, numeric) X(round, numeric) X(frac, real)   \
  X(reciprocal, floating) X(exp, floating) X(expm1, floating) X(exp2, floating)          \
  X(log, floating) X(log2, floating) X(log10, floating) X(log1p, floating)               \
  X(logit, floating) X(sqrt, floating) X(rsqrt, floating) X(sin, floating)               \
  X(cos, floating) X(tan, floating) X(sinc, floating) X(asin, floating)                  \
  X(acos, floating) X(atan, floating) X(sinh, floating) X(cosh, floating)                \
  X(tanh, floating) X(asinh, floating) X(acosh, floating) X(atanh, floating)             \
  X(erf, floating) X(erfc, floating) X(erfinv, floating) X(lgamma, floating)             \
  X(digamma, floating) X(trigamma, floating) X(relu, numeric) X(sigmoid, floating)       \
  X(mish, floating) X(hardswish, floating)                                               \
  X(silu, floating) X(gelu, floating) X(gelu_tanh, floating) X(logical_not, compare)     \
  X(isnan, compare) X(isfinite, compare) X(isinf, compare) X(signbit, compare)           \
  X(bitwise_not, bitwise)

#define RUSH_POINTWISE_2(X)                                                              \
  X(add, arithmetic) X(sub, numeric) X(mul, arithmetic) X(div, floating)                 \
  X(pow, numeric) X(maximum, arithmetic) X(minimum, arithmetic) X(fmax, arithmetic)      \
  X(fmin, arithmetic) X(heaviside, arithmetic) X(copysign, floating) X(nextafter, real)  \
  X(floor_divide, numeric) X(trunc_divide, numeric) X(remainder, numeric)                \
  X(fmod, numeric) X(gcd, integral) X(lcm, integral) X(atan2, floating) X(hypot, real)   \
  X(logaddexp, real) X(logaddexp2, real) X(xlogy, floating) X(special_xlog1py, floating) \
  X(ldexp, floating)                                                                     \
  X(tanh_backward, floating) X(relu_backward, floating) X(sigmoid_backward, floating)    \
  X(mish_backward, floating) X(hardswish_backward, floating)                             \
  X(silu_backward, floating) X(leaky_relu, floating) X(elu, floating)                    \
  X(gelu_backward, floating) X(gelu_tanh_backward, floating)                             \
  X(squared_error, floating) X(absolute_error, floating)                                 \
  X(cross_entropy_of_probability, floating) X(cross_entropy_of_logit, floating)          \
  X(eq, compare) X(ne, compare) X(lt, compare) X(le, compare) X(gt, compare)             \
  X(ge, compare) X(logical_and, compare) X(logical_or, compare) X(logical_xor, compare)  \
  X(bitwise_and, bitwise) X(bitwise_or, bitwise) X(bitwise_xor, bitwise)                 \
  X(bitwise_left_shift, integral) X(bitwise_right_shift, integral)

#define RUSH_POINTWISE_3(X)                                                              \
  X(multiply_add, numeric) X(lerp, real) X(clamp, numeric) X(huber, floating)            \
  X(leaky_relu_backward, floating) X(elu_backward, floating) X(softplus, floating)

#define RUSH_POINTWISE_4(X) X(softplus_backward, floating) X(nan_to_num, real)
