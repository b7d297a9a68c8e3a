// Element types: the one list that every dtype switch expands.
#pragma once

#include <cstdint>

#include "error.h"

namespace rush {

// X(enumerator, C++ type, name, NumPy kind, itemsize), in promotion order within a category.
#define RUSH_DTYPES(X)                     \
  X(kBool, bool, "bool", 'b', 1)           \
  X(kUint8, uint8_t, "uint8", 'u', 1)      \
  X(kInt32, int32_t, "int32", 'i', 4)      \
  X(kInt64, int64_t, "int64", 'i', 8)      \
  X(kFloat32, float, "float32", 'f', 4)    \
  X(kFloat64, double, "float64", 'f', 8)

enum class DType : int8_t {
#define RUSH_ENUMERATOR(id, type, name, kind, size) id,
  RUSH_DTYPES(RUSH_ENUMERATOR)
#undef RUSH_ENUMERATOR
};

#define RUSH_COUNT(id, type, name, kind, size) +1
constexpr int kDTypes = 0 RUSH_DTYPES(RUSH_COUNT);
#undef RUSH_COUNT

template <class T>
struct DTypeOf;
#define RUSH_TRAIT(id, type, name, kind, size) \
  template <>                                  \
  struct DTypeOf<type> {                       \
    static constexpr DType value = DType::id;  \
  };
RUSH_DTYPES(RUSH_TRAIT)
#undef RUSH_TRAIT

enum class Category : int8_t { kBool, kIntegral, kFloating };

constexpr Category category(DType d) {
  return d == DType::kBool     ? Category::kBool
         : d < DType::kFloat32 ? Category::kIntegral
                               : Category::kFloating;
}

constexpr int64_t itemsize(DType d) {
  switch (d) {
#define RUSH_SIZE(id, type, name, kind, size) \
  case DType::id:                             \
    return size;
    RUSH_DTYPES(RUSH_SIZE)
#undef RUSH_SIZE
  }
  return 0;
}

constexpr const char* dtype_name(DType d) {
  switch (d) {
#define RUSH_NAME(id, type, name, kind, size) \
  case DType::id:                             \
    return name;
    RUSH_DTYPES(RUSH_NAME)
#undef RUSH_NAME
  }
  return "?";
}

template <class T>
struct Tag {
  using type = T;
};

// Calls body(Tag<T>{}) for the C++ type of `d`.
template <class F>
decltype(auto) dispatch(DType d, F&& body) {
  switch (d) {
#define RUSH_CASE(id, type, name, kind, size) \
  case DType::id:                             \
    return body(Tag<type>{});
    RUSH_DTYPES(RUSH_CASE)
#undef RUSH_CASE
  }
  throw TypeError("unknown dtype");
}

// The same for the floating types only; `op` names the caller in the error.
template <class F>
decltype(auto) dispatch_floating(DType d, const char* op, F&& body) {
  if (d == DType::kFloat32) return body(Tag<float>{});
  if (d == DType::kFloat64) return body(Tag<double>{});
  throw NotImplemented(std::string("\"") + op + "\" not implemented for '" + dtype_name(d) + "'");
}

// The type that holds both, PyTorch's rules: the higher category wins, then the wider type.
constexpr DType promote(DType a, DType b) { return a > b ? a : b; }

}  // namespace rush
