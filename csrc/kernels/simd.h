// The widest vector of each instruction set, in the compiler's vector extensions: one text for all.
#pragma once

#include <cstdint>
#include <utility>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace rush::RUSH_ISA {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX2__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif

template <class T>
struct VectorOf {
  typedef T type __attribute__((vector_size(kVectorBytes)));
  typedef T unaligned __attribute__((vector_size(kVectorBytes), aligned(alignof(T)), may_alias));
};
template <class T>
using Vector = typename VectorOf<T>::type;

template <class T>
constexpr int kLanes = kVectorBytes / static_cast<int>(sizeof(T));

// Signed integers of the lanes' width: what comparing two vectors gives.
template <class T>
using Mask = decltype(Vector<T>{} < Vector<T>{});

template <class T>
inline Vector<T> load(const T* p) {
  return *reinterpret_cast<const typename VectorOf<T>::unaligned*>(p);
}

template <class T>
inline void store(T* p, Vector<T> v) {
  *reinterpret_cast<typename VectorOf<T>::unaligned*>(p) = v;
}

// The first `lanes` elements (0 to all); nothing behind them is read or written, the rest is zero.
#if defined(__AVX512F__)
inline Vector<float> load_partial(const float* p, int64_t lanes) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << lanes) - 1), p);
}
inline Vector<double> load_partial(const double* p, int64_t lanes) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << lanes) - 1), p);
}
inline void store_partial(float* p, Vector<float> v, int64_t lanes) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << lanes) - 1), v);
}
inline void store_partial(double* p, Vector<double> v, int64_t lanes) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << lanes) - 1), v);
}
#elif defined(__AVX2__)
inline __m256i first_lanes(const float*, int64_t lanes) {
  const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(lanes)), index);
}
inline __m256i first_lanes(const double*, int64_t lanes) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(lanes), _mm256_setr_epi64x(0, 1, 2, 3));
}
inline Vector<float> load_partial(const float* p, int64_t lanes) {
  return _mm256_maskload_ps(p, first_lanes(p, lanes));
}
inline Vector<double> load_partial(const double* p, int64_t lanes) {
  return _mm256_maskload_pd(p, first_lanes(p, lanes));
}
inline void store_partial(float* p, Vector<float> v, int64_t lanes) {
  _mm256_maskstore_ps(p, first_lanes(p, lanes), v);
}
inline void store_partial(double* p, Vector<double> v, int64_t lanes) {
  _mm256_maskstore_pd(p, first_lanes(p, lanes), v);
}
#else
template <class T>
inline Vector<T> load_partial(const T* p, int64_t lanes) {
  Vector<T> v = {};
  for (int i = 0; i < kLanes<T>; ++i) {
    if (i < lanes) v[i] = p[i];
  }
  return v;
}
template <class T>
inline void store_partial(T* p, Vector<T> v, int64_t lanes) {
  for (int i = 0; i < kLanes<T>; ++i) {
    if (i < lanes) p[i] = v[i];
  }
}
#endif

template <class T>
inline T sum_lanes(Vector<T> v) {
  T total = 0;
  for (int i = 0; i < kLanes<T>; ++i) total += v[i];
  return total;
}

// Lanes `Start`, `Start + 1`, ... of the two vectors in turn: a0 b0 a1 b1 ...
template <int Start, class V, int... I>
inline V interleave(V a, V b, std::integer_sequence<int, I...>) {
  constexpr int n = sizeof...(I);
  return __builtin_shufflevector(a, b, ((I % 2) * n + Start + I / 2)...);
}

// In place: lane j of row i goes to lane i of row j. Interleaving row i with row i + n/2 moves one
// bit of the row's number into the lane's; doing so log2(n) times swaps the two numbers.
template <class T>
inline void transpose(Vector<T> (&rows)[kLanes<T>]) {
  constexpr int n = kLanes<T>;
  constexpr auto lanes = std::make_integer_sequence<int, n>{};
#pragma GCC unroll 4
  for (int round = 1; round < n; round *= 2) {
    Vector<T> next[n];
#pragma GCC unroll 8
    for (int i = 0; i < n / 2; ++i) {
      next[2 * i] = interleave<0>(rows[i], rows[i + n / 2], lanes);
      next[2 * i + 1] = interleave<n / 2>(rows[i], rows[i + n / 2], lanes);
    }
#pragma GCC unroll 16
    for (int i = 0; i < n; ++i) rows[i] = next[i];
  }
}

}  // namespace rush::RUSH_ISA
