#include "kernels/pointwise.h"

#include <type_traits>
#include <utility>

namespace rush::RUSH_ISA {
namespace {

template <Kind kind, class T>
constexpr bool defined() {
  constexpr bool floating = std::is_floating_point_v<T>;
  switch (kind) {
    case Kind::numeric:
      return !std::is_same_v<T, bool>;
    case Kind::floating:
    case Kind::real:
      return floating;
    case Kind::bitwise:
      return !floating;
    case Kind::integral:
      return !floating && !std::is_same_v<T, bool>;
    default:
      return true;
  }
}

// A broadcast operand is read once and kept in a register.
template <bool kBroadcast, class T>
struct Operand {
  const char* data;
  T value;
  explicit Operand(const char* p) : data(p), value(*reinterpret_cast<const T*>(p)) {}
  T operator[](int64_t i) const { return kBroadcast ? value : reinterpret_cast<const T*>(data)[i]; }
};

template <class F, class T, class R, bool... kBroadcast, size_t... I>
void dense_loop(int64_t n, char* const* data, std::index_sequence<I...>) {
  R* out = reinterpret_cast<R*>(data[0]);
  const auto run = [&](auto... operands) {
    const F f;
#pragma GCC ivdep
    for (int64_t i = 0; i < n; ++i) out[i] = f(operands[i]...);
  };
  run(Operand<kBroadcast, T>(data[I + 1])...);
}

template <class F, class T, class R, size_t... I>
void strided_loop(int64_t n, char* const* data, const int64_t* s, std::index_sequence<I...>) {
  const F f;
  for (int64_t i = 0; i < n; ++i) {
    *reinterpret_cast<R*>(data[0] + i * s[0]) =
        f(*reinterpret_cast<const T*>(data[I + 1] + i * s[I + 1])...);
  }
}

template <class F, class T, int kArity>
void loop(int64_t n, char* const* data, const int64_t* s) {
  using Index = std::make_index_sequence<kArity>;
  constexpr int64_t size = sizeof(T);
  if constexpr (kArity == 1) {
    using R = std::invoke_result_t<F, T>;
    if (s[0] == sizeof(R) && s[1] == size) return dense_loop<F, T, R, false>(n, data, Index{});
    strided_loop<F, T, R>(n, data, s, Index{});
  } else if constexpr (kArity == 2) {
    using R = std::invoke_result_t<F, T, T>;
    if (s[0] == sizeof(R)) {
      if (s[1] == size && s[2] == size) {
        return dense_loop<F, T, R, false, false>(n, data, Index{});
      }
      if (s[1] == size && s[2] == 0) return dense_loop<F, T, R, false, true>(n, data, Index{});
      if (s[1] == 0 && s[2] == size) return dense_loop<F, T, R, true, false>(n, data, Index{});
    }
    strided_loop<F, T, R>(n, data, s, Index{});
  } else if constexpr (kArity == 3) {
    using R = std::invoke_result_t<F, T, T, T>;
    if (s[0] == sizeof(R) && s[1] == size) {
      if (s[2] == size && s[3] == size) {
        return dense_loop<F, T, R, false, false, false>(n, data, Index{});
      }
      if (s[2] == size && s[3] == 0) {
        return dense_loop<F, T, R, false, false, true>(n, data, Index{});
      }
      if (s[2] == 0 && s[3] == 0) return dense_loop<F, T, R, false, true, true>(n, data, Index{});
    }
    strided_loop<F, T, R>(n, data, s, Index{});
  } else {
    using R = std::invoke_result_t<F, T, T, T, T>;
    strided_loop<F, T, R>(n, data, s, Index{});
  }
}

template <class F, Kind kind, int kArity>
void fill_row(ElementLoop* row) {
#define RUSH_ENTRY(id, type)                                  \
  if constexpr (defined<kind, type>()) {                      \
    row[static_cast<int>(DType::id)] = loop<F, type, kArity>; \
  }
  RUSH_COMPUTED(RUSH_ENTRY)
#undef RUSH_ENTRY
}

}  // namespace

PointwiseKernels pointwise_kernels() {
  PointwiseKernels table{};
#define RUSH_ROW(name, kind, arity) \
  fill_row<op::name, Kind::kind, arity>(table.loops[static_cast<int>(Pointwise::name)]);
#define RUSH_ROW_1(name, kind) RUSH_ROW(name, kind, 1)
#define RUSH_ROW_2(name, kind) RUSH_ROW(name, kind, 2)
#define RUSH_ROW_3(name, kind) RUSH_ROW(name, kind, 3)
#define RUSH_ROW_4(name, kind) RUSH_ROW(name, kind, 4)
  RUSH_POINTWISE_1(RUSH_ROW_1)
  RUSH_POINTWISE_2(RUSH_ROW_2)
  RUSH_POINTWISE_3(RUSH_ROW_3)
  RUSH_POINTWISE_4(RUSH_ROW_4)
  return table;
}

}  // namespace rush::RUSH_ISA
