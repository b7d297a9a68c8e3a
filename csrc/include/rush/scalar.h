// Every pointwise formula, once: forward and backward, for the host's loops and for NVRTC.
//
// A functor takes and returns one C++ type T. An entry of the X-lists at the end gives it its
// kernel: X(name, kind), one list for each number of operands. Kinds:
//   arithmetic  any type, the result has the operands' promoted type
//   numeric     the same, but not bool
//   floating    integers are computed in float32
//   compare     any type, the result is bool
//   bitwise     integers and bool
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

// Integers: by squaring; a negative exponent gives 0 except for bases 1 and -1.
struct pow {
  template <class T>
  RUSH_HD T operator()(T x, T y) const {
    if constexpr (is_floating<T>::value) {
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

// ---- Exponentials, trigonometry ----

RUSH_OP_1(exp, return math::exp(x);)
RUSH_OP_1(expm1, return math::expm1(x);)
RUSH_OP_1(log, return math::log(x);)
RUSH_OP_1(log2, return math::log2(x);)
RUSH_OP_1(log10, return math::log10(x);)
RUSH_OP_1(log1p, return math::log1p(x);)
RUSH_OP_1(sqrt, return math::sqrt(x);)
RUSH_OP_1(rsqrt, return T(1) / math::sqrt(x);)
RUSH_OP_1(sin, return math::sin(x);)
RUSH_OP_1(cos, return math::cos(x);)
RUSH_OP_1(tan, return math::tan(x);)
RUSH_OP_1(asin, return math::asin(x);)
RUSH_OP_1(acos, return math::acos(x);)
RUSH_OP_1(atan, return math::atan(x);)
RUSH_OP_1(sinh, return math::sinh(x);)
RUSH_OP_1(cosh, return math::cosh(x);)
RUSH_OP_1(tanh, return math::tanh(x);)
RUSH_OP_2(tanh_backward, g, out, return g * (T(1) - out * out);)
RUSH_OP_1(erf, return math::erf(x);)
RUSH_OP_1(erfc, return math::erfc(x);)
RUSH_OP_2(atan2, y, x, return math::atan2(y, x);)

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
RUSH_OP_3(clamp, x, low, high, const T raised = x < low ? low : x;
          return raised > high ? high : raised;)

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
  X(floor, numeric) X(ceil, numeric) X(trunc, numeric) X(round, numeric)                 \
  X(reciprocal, floating) X(exp, floating) X(expm1, floating) X(log, floating)           \
  X(log2, floating) X(log10, floating) X(log1p, floating) X(sqrt, floating)              \
  X(rsqrt, floating) X(sin, floating) X(cos, floating) X(tan, floating)                  \
  X(asin, floating) X(acos, floating) X(atan, floating) X(sinh, floating)                \
  X(cosh, floating) X(tanh, floating) X(erf, floating) X(erfc, floating)                 \
  X(relu, numeric) X(sigmoid, floating) X(silu, floating) X(gelu, floating)              \
  X(gelu_tanh, floating) X(logical_not, compare) X(isnan, compare) X(isfinite, compare)  \
  X(bitwise_not, bitwise)

#define RUSH_POINTWISE_2(X)                                                              \
  X(add, arithmetic) X(sub, numeric) X(mul, arithmetic) X(div, floating)                 \
  X(pow, numeric) X(maximum, arithmetic) X(minimum, arithmetic)                          \
  X(floor_divide, numeric) X(remainder, numeric) X(atan2, floating)                      \
  X(tanh_backward, floating) X(relu_backward, floating) X(sigmoid_backward, floating)    \
  X(silu_backward, floating) X(leaky_relu, floating) X(elu, floating)                    \
  X(gelu_backward, floating) X(gelu_tanh_backward, floating)                             \
  X(squared_error, floating) X(absolute_error, floating)                                 \
  X(cross_entropy_of_probability, floating) X(cross_entropy_of_logit, floating)          \
  X(eq, compare) X(ne, compare) X(lt, compare) X(le, compare) X(gt, compare)             \
  X(ge, compare) X(logical_and, compare) X(logical_or, compare) X(logical_xor, compare)  \
  X(bitwise_and, bitwise) X(bitwise_or, bitwise) X(bitwise_xor, bitwise)

#define RUSH_POINTWISE_3(X)                                                              \
  X(multiply_add, numeric) X(lerp, floating) X(clamp, numeric) X(huber, floating)        \
  X(leaky_relu_backward, floating) X(elu_backward, floating) X(softplus, floating)

#define RUSH_POINTWISE_4(X) X(softplus_backward, floating)
