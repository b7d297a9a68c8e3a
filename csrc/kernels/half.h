// Conversions between the half types and float32, branch-free, so that loops over them vectorise.
#pragma once

#include "dtype.h"
#include "rush/math.h"

#if defined(__F16C__)
#include <immintrin.h>
#endif

namespace rush::RUSH_ISA {

inline uint32_t float_bits(float x) {
  uint32_t bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits;
}

inline float float_of_bits(uint32_t bits) {
  float x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// The upper half of a float32.
inline float widen(Bfloat16 x) { return float_of_bits(static_cast<uint32_t>(x.bits) << 16); }

// To the nearest, ties to even; a NaN stays one.
inline void narrow(float x, Bfloat16& out) {
  const uint32_t bits = float_bits(x);
  const uint32_t rounded = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
  out.bits = static_cast<uint16_t>(x != x ? 0x7fc0u : rounded);
}

// The bits lie 13 places lower than in a float32, whose exponent is 112 larger: a product sets it
// right, for subnormal numbers as well.
inline float widen(Float16 x) {
  const uint32_t size = (x.bits & 0x7fffu) << 13;
  const uint32_t finite = float_bits(float_of_bits(size) * 0x1p112f);
  const uint32_t bits = size >= 0x0f800000u ? size | 0x7f800000u : finite;
  return float_of_bits(bits | ((x.bits & 0x8000u) << 16));
}

// To the nearest, ties to even. What is below 2^-14 is rounded by an addition: 0.5 has 2^-24, the
// smallest step of float16, as its last place.
inline void narrow(float x, Float16& out) {
  const uint32_t bits = float_bits(x), size = bits & 0x7fffffffu;
  const uint32_t normal = (size - (112u << 23) + 0xfffu + ((size >> 13) & 1u)) >> 13;
  const uint32_t small = float_bits(float_of_bits(size) + 0.5f) - 0x3f000000u;
  const uint32_t large = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
  const uint32_t finite = size < 0x38800000u ? small : normal;
  const uint32_t sign = (bits >> 16) & 0x8000u;
  out.bits = static_cast<uint16_t>(sign | (size >= 0x47800000u ? large : finite));
}

// Dense runs.
template <class Half>
inline void widen_run(int64_t n, const Half* x, float* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) out[i] = widen(x[i]);
}
template <class Half>
inline void narrow_run(int64_t n, const float* x, Half* out) {
#pragma GCC ivdep
  for (int64_t i = 0; i < n; ++i) narrow(x[i], out[i]);
}

#if defined(__F16C__)
inline void widen_run(int64_t n, const Float16* x, float* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i halves = _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i));
    _mm256_storeu_ps(out + i, _mm256_cvtph_ps(halves));
  }
  for (; i < n; ++i) out[i] = widen(x[i]);
}
inline void narrow_run(int64_t n, const float* x, Float16* out) {
  int64_t i = 0;
  for (; i + 8 <= n; i += 8) {
    const __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out + i), halves);
  }
  for (; i < n; ++i) narrow(x[i], out[i]);
}
#endif

}  // namespace rush::RUSH_ISA
