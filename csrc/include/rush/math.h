// Elementary functions. On the host the float32 versions are branch-free, so that plain loops over
// them vectorise; on the device, and for float64, they are the compiler's own.
#pragma once

#include "macros.h"

#if !RUSH_DEVICE
#include <cmath>
#include <cstdint>
#endif

namespace rush {
namespace RUSH_ISA {
namespace math {

#if RUSH_DEVICE

#define RUSH_MATH_1(name)                                         \
  RUSH_HD float name(float x) { return ::name##f(x); }            \
  RUSH_HD double name(double x) { return ::name(x); }
#define RUSH_MATH_2(name)                                         \
  RUSH_HD float name(float x, float y) { return ::name##f(x, y); } \
  RUSH_HD double name(double x, double y) { return ::name(x, y); }
RUSH_MATH_1(exp)
RUSH_MATH_1(log)
RUSH_MATH_1(tanh)
RUSH_MATH_1(erfinv)
RUSH_HD float abs(float x) { return ::fabsf(x); }
RUSH_HD double abs(double x) { return ::fabs(x); }

#else

#define RUSH_MATH_1(name)                                    \
  RUSH_HD float name(float x) { return std::name(x); }       \
  RUSH_HD double name(double x) { return std::name(x); }
#define RUSH_MATH_2(name)                                    \
  RUSH_HD float name(float x, float y) { return std::name(x, y); } \
  RUSH_HD double name(double x, double y) { return std::name(x, y); }

RUSH_HD float from_bits(int32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

RUSH_HD int32_t to_bits(float x) {
  int32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}

// 2^n for n in [-126, 127].
RUSH_HD float power_of_two(int32_t n) { return from_bits((n + 127) << 23); }

// e^x = 2^n e^r with n = round(x / ln 2), |r| <= ln(2) / 2; polynomial of Cephes' expf, 1 ulp.
RUSH_HD float exp(float x) {
  const float kRound = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  float bounded = x < -104.0f ? -104.0f : x;
  bounded = bounded > 89.0f ? 89.0f : bounded;
  const float n = (bounded * 1.44269504088896341f + kRound) - kRound;
  float r = bounded - n * 0.693359375f;
  r = r + n * 2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * (r * r) + r + 1.0f;
  // Two factors reach below the smallest normal number and above the largest power.
  const int32_t whole = static_cast<int32_t>(n);
  const int32_t half = whole >> 1;
  return p * power_of_two(half) * power_of_two(whole - half);
}
RUSH_HD double exp(double x) { return std::exp(x); }

// log x = e ln 2 + log m with m in [sqrt(1/2), sqrt(2)); polynomial of Cephes' logf, 1 ulp.
RUSH_HD float log(float x) {
  const bool subnormal = x < 1.17549435e-38f;
  const float scaled = subnormal ? x * 8388608.0f : x;
  const int32_t bits = to_bits(scaled);
  const int32_t shifted = bits - 0x3f3504f3;  // sqrt(1/2)
  const float e = static_cast<float>((shifted >> 23) - (subnormal ? 23 : 0));
  const float f = from_bits((shifted & 0x007fffff) + 0x3f3504f3) - 1.0f;
  const float z = f * f;
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  float y = p * f * z;
  y = y + e * -2.12194440e-4f;
  y = y - 0.5f * z;
  y = f + y;
  y = y + e * 0.693359375f;
  y = x == 0.0f ? -__builtin_inff() : y;
  y = x < 0.0f ? __builtin_nanf("") : y;
  y = x == __builtin_inff() ? x : y;
  return x != x ? x : y;
}
RUSH_HD double log(double x) { return std::log(x); }

// tanh: an odd polynomial (Cephes' tanhf) near zero, 1 - 2 / (e^2|x| + 1) beyond; 2 ulp.
RUSH_HD float tanh(float x) {
  const float size = __builtin_fabsf(x);
  const float z = x * x;
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  const float near = p * z * x + x;
  const float far = __builtin_copysignf(1.0f - 2.0f / (exp(2.0f * size) + 1.0f), x);
  return size < 0.625f ? near : far;
}
RUSH_HD double tanh(double x) { return std::tanh(x); }

RUSH_HD float abs(float x) { return __builtin_fabsf(x); }
RUSH_HD double abs(double x) { return __builtin_fabs(x); }

// A first guess good to 1e-6 (Giles, Approximating the erfinv function, 2010, single precision),
// and beyond the range of float32 to 1e-2 (from erfc's asymptote); then Halley's method, each of
// whose steps cubes the error. Near 1 the rest comes from erfc, which does not cancel there.
template <class T>
RUSH_HD T erfinv_refined(T x) {
  const T size = abs(x);
  if (!(size < T(1))) return size == T(1) ? x / T(0) : T(0) / T(0);
  const T kNear[] = {T(2.81022636e-08),  T(3.43273939e-07), T(-3.5233877e-06),
                     T(-4.39150654e-06), T(0.00021858087),  T(-0.00125372503),
                     T(-0.00417768164),  T(0.246640727),    T(1.50140941)};
  const T kFar[] = {T(-0.000200214257), T(0.000100950558), T(0.00134934322),
                    T(-0.00367342844),  T(0.00573950773),  T(-0.0076224613),
                    T(0.00943887047),   T(1.00167406),     T(2.83297682)};
  const T w = -std::log((T(1) - size) * (T(1) + size));
  const T z = w < T(5) ? w - T(2.5) : std::sqrt(w) - T(3);
  T y = T(0);
  for (int i = 0; i < 9; ++i) y = y * z + (w < T(5) ? kNear[i] : kFar[i]);
  y *= size;
  if (w > T(16)) y = std::sqrt(w - T(0.5) * std::log(w) + T(0.12078223763524522235));
  for (int steps = sizeof(T) == 8 ? 2 : 1; steps > 0; --steps) {
    const T rest = size < T(0.5) ? std::erf(y) - size : (T(1) - size) - std::erfc(y);
    const T step = rest * T(0.88622692545275801365) * std::exp(y * y);  // sqrt(pi) / 2
    y -= step / (T(1) + y * step);
  }
  return x < T(0) ? -y : x == T(0) ? x : y;
}
RUSH_HD float erfinv(float x) { return erfinv_refined(x); }
RUSH_HD double erfinv(double x) { return erfinv_refined(x); }

#endif

RUSH_MATH_1(exp2)
RUSH_MATH_1(log2)
RUSH_MATH_1(log10)
RUSH_MATH_1(log1p)
RUSH_MATH_1(expm1)
RUSH_MATH_1(sqrt)
RUSH_MATH_1(sin)
RUSH_MATH_1(cos)
RUSH_MATH_1(tan)
RUSH_MATH_1(asin)
RUSH_MATH_1(acos)
RUSH_MATH_1(atan)
RUSH_MATH_1(sinh)
RUSH_MATH_1(cosh)
RUSH_MATH_1(asinh)
RUSH_MATH_1(acosh)
RUSH_MATH_1(atanh)
RUSH_MATH_1(lgamma)
RUSH_MATH_1(erf)
RUSH_MATH_1(erfc)
RUSH_MATH_1(floor)
RUSH_MATH_1(ceil)
RUSH_MATH_1(trunc)
RUSH_MATH_1(rint)
RUSH_MATH_2(pow)
RUSH_MATH_2(fmod)
RUSH_MATH_2(atan2)
RUSH_MATH_2(hypot)
RUSH_MATH_2(copysign)
RUSH_MATH_2(nextafter)

#undef RUSH_MATH_1
#undef RUSH_MATH_2

}  // namespace math
}  // namespace RUSH_ISA
}  // namespace rush
