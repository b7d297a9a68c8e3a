#include "kernels/cast.h"

#include <type_traits>

#include "kernels/half.h"

namespace rush::RUSH_ISA {
namespace {

// Integers keep their low bits. Floating values are cut off towards zero; what no integer of the
// type equals becomes what x86 makes of it: by way of int32 for types of up to 16 bits, but int64
// for uint8 and uint32, as in PyTorch.
template <class To, class From>
To convert(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (!std::is_floating_point_v<From> || std::is_floating_point_v<To>) {
    return static_cast<To>(x);
  } else if constexpr (std::is_same_v<To, uint64_t>) {
    constexpr From kHalf = From(0x1p63);
    const bool large = x >= kHalf;
    const auto bits = static_cast<uint64_t>(static_cast<int64_t>(large ? x - kHalf : x));
    return large ? bits ^ (uint64_t{1} << 63) : bits;
  } else if constexpr (std::is_same_v<To, uint8_t> || std::is_same_v<To, uint32_t>) {
    return static_cast<To>(static_cast<int64_t>(x));
  } else if constexpr (sizeof(To) < 4) {
    return static_cast<To>(static_cast<int32_t>(x));
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
void cast_loop(int64_t n, char* const* data, const int64_t* s) {
  if (s[0] == sizeof(To) && s[1] == sizeof(From)) {
    To* out = reinterpret_cast<To*>(data[0]);
    const From* x = reinterpret_cast<const From*>(data[1]);
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) out[i] = convert<To>(x[i]);
    return;
  }
  for (int64_t i = 0; i < n; ++i) {
    *reinterpret_cast<To*>(data[0] + i * s[0]) =
        convert<To>(*reinterpret_cast<const From*>(data[1] + i * s[1]));
  }
}

template <class Half>
void widen_loop(int64_t n, char* const* data, const int64_t* s) {
  if (s[0] == sizeof(float) && s[1] == sizeof(Half)) {
    return widen_run(n, reinterpret_cast<const Half*>(data[1]), reinterpret_cast<float*>(data[0]));
  }
  for (int64_t i = 0; i < n; ++i) {
    *reinterpret_cast<float*>(data[0] + i * s[0]) =
        widen(*reinterpret_cast<const Half*>(data[1] + i * s[1]));
  }
}

template <class Half>
void narrow_loop(int64_t n, char* const* data, const int64_t* s) {
  if (s[0] == sizeof(Half) && s[1] == sizeof(float)) {
    return narrow_run(n, reinterpret_cast<const float*>(data[1]), reinterpret_cast<Half*>(data[0]));
  }
  for (int64_t i = 0; i < n; ++i) {
    narrow(*reinterpret_cast<const float*>(data[1] + i * s[1]),
           *reinterpret_cast<Half*>(data[0] + i * s[0]));
  }
}

template <class T>
constexpr bool kHalf = std::is_same_v<T, Float16> || std::is_same_v<T, Bfloat16>;
template <class T>
constexpr bool kInteger = std::is_integral_v<T> && !std::is_same_v<T, bool>;

template <int kSize>
using Bits = std::conditional_t<
    kSize == 1, uint8_t,
    std::conditional_t<kSize == 2, uint16_t, std::conditional_t<kSize == 4, uint32_t, uint64_t>>>;

// Types that one loop serves: equal types copy their bits, and the low bits of an integer depend on
// the sign of no other.
template <class To, class From>
ElementLoop choose_cast() {
  constexpr bool integers = kInteger<To> && std::is_integral_v<From>;
  if constexpr (std::is_same_v<To, From> || (integers && sizeof(To) == sizeof(From))) {
    using T = Bits<sizeof(To)>;
    return cast_loop<T, T>;
  } else if constexpr (kHalf<From>) {
    return std::is_same_v<To, float> ? widen_loop<From> : nullptr;
  } else if constexpr (kHalf<To>) {
    return std::is_same_v<From, float> ? narrow_loop<To> : nullptr;
  } else if constexpr (integers && sizeof(To) < sizeof(From)) {
    return cast_loop<Bits<sizeof(To)>, Bits<sizeof(From)>>;
  } else if constexpr (integers) {
    return cast_loop<Bits<sizeof(To)>, From>;
  } else {
    return cast_loop<To, From>;
  }
}

template <class To>
void fill_casts(ElementLoop* row) {
#define RUSH_ENTRY(id, type, computed, name, scalar, element) \
  row[static_cast<int>(DType::id)] = choose_cast<To, type>();
  RUSH_DTYPES(RUSH_ENTRY)
#undef RUSH_ENTRY
}

template <class T>
void select_loop(int64_t n, char* const* data, const int64_t* s) {
  for (int64_t i = 0; i < n; ++i) {
    const bool first = *reinterpret_cast<const bool*>(data[1] + i * s[1]);
    const char* chosen = first ? data[2] + i * s[2] : data[3] + i * s[3];
    *reinterpret_cast<T*>(data[0] + i * s[0]) = *reinterpret_cast<const T*>(chosen);
  }
}

}  // namespace

CastKernels cast_kernels() {
  CastKernels table{};
#define RUSH_ROW(id, type, computed, name, scalar, element) \
  fill_casts<type>(table.casts[static_cast<int>(DType::id)]);
  RUSH_DTYPES(RUSH_ROW)
#undef RUSH_ROW
  table.selects[1] = select_loop<uint8_t>;
  table.selects[2] = select_loop<uint16_t>;
  table.selects[4] = select_loop<uint32_t>;
  table.selects[8] = select_loop<uint64_t>;
  return table;
}

}  // namespace rush::RUSH_ISA
