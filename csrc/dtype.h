// Element types: the one list that every dtype switch expands, and what kernels compute in.
#pragma once

#include <cstdint>

#include "error.h"

namespace rush {

// The half types, stored only: see kernels/half.h for their conversions.
struct Float16 {
  uint16_t bits;
};
struct Bfloat16 {
  uint16_t bits;
};

// X(enumerator, C++ type, what kernels compute in, name, PyTorch's name in messages, and its name
// of the C++ type), in promotion order within a category, but for the wide unsigned integers, which
// PyTorch promotes with nothing but floating types.
#define RUSH_DTYPES(X)                                                            \
  X(kBool, bool, kBool, "bool", "Bool", "bool")                                   \
  X(kUint8, uint8_t, kUint8, "uint8", "Byte", "unsigned char")                    \
  X(kInt8, int8_t, kInt32, "int8", "Char", "signed char")                         \
  X(kInt16, int16_t, kInt32, "int16", "Short", "short int")                       \
  X(kInt32, int32_t, kInt32, "int32", "Int", "int")                               \
  X(kInt64, int64_t, kInt64, "int64", "Long", "long int")                         \
  X(kUint16, uint16_t, kInt32, "uint16", "UInt16", "short unsigned int")          \
  X(kUint32, uint32_t, kInt64, "uint32", "UInt32", "unsigned int")                \
  X(kUint64, uint64_t, kInt64, "uint64", "UInt64", "long unsigned int")           \
  X(kFloat16, Float16, kFloat32, "float16", "Half", "c10::Half")                  \
  X(kBfloat16, Bfloat16, kFloat32, "bfloat16", "BFloat16", "c10::BFloat16")       \
  X(kFloat32, float, kFloat32, "float32", "Float", "float")                       \
  X(kFloat64, double, kFloat64, "float64", "Double", "double")

// NOTE [Stored and computed types] Kernels exist for these types only. Elements of another type are
// converted to the one that they are computed in on the way into a kernel, and back on the way out:
// by blocks on the stack where memory bounds the work (pointwise.cpp, reduce.cpp), as whole arrays
// before the kernels that do much with each element (bind/widen.h). So float16 and bfloat16 round
// once for each operation, as PyTorch's do; and since integers wrap, the low bits of a wider
// integer are those of the narrow one. What is left are the ops that ask a uint64 for its order.
#define RUSH_COMPUTED(X) \
  X(kBool, bool)         \
  X(kUint8, uint8_t)     \
  X(kInt32, int32_t)     \
  X(kInt64, int64_t)     \
  X(kFloat32, float)     \
  X(kFloat64, double)

enum class DType : int8_t {
#define RUSH_ENUMERATOR(id, type, computed, name, scalar, element) id,
  RUSH_DTYPES(RUSH_ENUMERATOR)
#undef RUSH_ENUMERATOR
};

#define RUSH_COUNT(id, type, computed, name, scalar, element) +1
constexpr int kDTypes = 0 RUSH_DTYPES(RUSH_COUNT);
#undef RUSH_COUNT

template <class T>
struct DTypeOf;
#define RUSH_TRAIT(id, type, computed, name, scalar, element) \
  template <>                                                 \
  struct DTypeOf<type> {                                      \
    static constexpr DType value = DType::id;                 \
  };
RUSH_DTYPES(RUSH_TRAIT)
#undef RUSH_TRAIT

// What is known of a type.
struct DTypeInfo {
  DType computed;
  int64_t itemsize;
  const char *name, *scalar_name, *element_name;
};
constexpr DTypeInfo kDTypeInfo[kDTypes] = {
#define RUSH_INFO(id, type, computed, name, scalar, element) \
  {DType::computed, sizeof(type), name, scalar, element},
    RUSH_DTYPES(RUSH_INFO)
#undef RUSH_INFO
};
constexpr const DTypeInfo& info(DType d) { return kDTypeInfo[static_cast<int>(d)]; }

constexpr int64_t itemsize(DType d) { return info(d).itemsize; }
constexpr const char* dtype_name(DType d) { return info(d).name; }
// PyTorch's name of a type in messages: "Float", "Long".
constexpr const char* scalar_name(DType d) { return info(d).scalar_name; }
// The name of its element type in C++: "float", "long int".
constexpr const char* element_name(DType d) { return info(d).element_name; }

// The type that kernels compute in for elements of type `d`: itself if it has kernels of its own.
constexpr DType computed_in(DType d) { return info(d).computed; }

enum class Category : int8_t { kBool, kIntegral, kFloating };

constexpr Category category(DType d) {
  return d == DType::kBool     ? Category::kBool
         : d < DType::kFloat16 ? Category::kIntegral
                               : Category::kFloating;
}

// The unsigned integers wider than a byte.
constexpr bool wide_unsigned(DType d) { return d >= DType::kUint16 && d <= DType::kUint64; }
constexpr bool is_signed(DType d) { return d >= DType::kInt8 && d <= DType::kInt64; }
// The bits of an integer type's largest number.
constexpr int integer_digits(DType d) { return static_cast<int>(8 * itemsize(d)) - is_signed(d); }

template <class T>
struct Tag {
  using type = T;
};

// Calls body(Tag<T>{}) for the C++ type of `d`, one that kernels compute in.
template <class F>
decltype(auto) dispatch(DType d, F&& body) {
  switch (d) {
#define RUSH_CASE(id, type) \
  case DType::id:           \
    return body(Tag<type>{});
    RUSH_COMPUTED(RUSH_CASE)
#undef RUSH_CASE
    default:
      throw TypeError(std::string("no kernels compute in ") + dtype_name(d));
  }
}

// "name" not implemented for 'Half'
[[noreturn]] inline void refuse_type(const char* name, DType d) {
  throw NotImplemented(std::string("\"") + name + "\" not implemented for '" + scalar_name(d) +
                       "'");
}

// The same for the floating types only; `op` names the caller in the error.
template <class F>
decltype(auto) dispatch_floating(DType d, const char* op, F&& body) {
  if (d == DType::kFloat32) return body(Tag<float>{});
  if (d == DType::kFloat64) return body(Tag<double>{});
  refuse_type(op, d);
}

// The type that holds both, PyTorch's rules: the higher category wins, then the wider type.
constexpr DType promote(DType a, DType b) {
  if (a == b) return a;
  const DType low = a < b ? a : b, high = a < b ? b : a;
  if (low == DType::kFloat16 && high == DType::kBfloat16) return DType::kFloat32;
  if (category(high) == Category::kFloating) return high;
  if (low == DType::kUint8 && high == DType::kInt8) return DType::kInt16;
  if (wide_unsigned(high)) {
    throw Error(std::string("Promotion for uint16, uint32, uint64 types is not supported, ") +
                "attempted to promote " + scalar_name(a) + " and " + scalar_name(b));
  }
  return high;
}

}  // namespace rush
