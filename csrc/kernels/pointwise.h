// Pointwise kernels: one inner loop per op of scalar.h and element type, and typed copies.
#pragma once

#include <cstdint>

#include "dtype.h"
#include "isa.h"
#include "rush/scalar.h"

namespace rush {

enum class Pointwise : int {
#define RUSH_ENUMERATOR(name, kind) name,
  RUSH_POINTWISE_1(RUSH_ENUMERATOR) RUSH_POINTWISE_2(RUSH_ENUMERATOR)
      RUSH_POINTWISE_3(RUSH_ENUMERATOR) RUSH_POINTWISE_4(RUSH_ENUMERATOR) kCount
#undef RUSH_ENUMERATOR
};
constexpr int kPointwiseOps = static_cast<int>(Pointwise::kCount);

enum class Kind : int8_t { arithmetic, numeric, floating, real, compare, bitwise, integral };

struct PointwiseInfo {
  const char* name;
  int arity;
  Kind kind;
};
const PointwiseInfo& pointwise_info(Pointwise op);

// n elements; data[0] and strides[0] are the output's, the operands follow. Strides in bytes.
using PointwiseLoop = void (*)(int64_t n, char* const* data, const int64_t* strides);

struct PointwiseKernels {
  PointwiseLoop loops[kPointwiseOps][kDTypes];  // by the operands' type; null where undefined
  PointwiseLoop casts[kDTypes][kDTypes];        // [to][from]
  PointwiseLoop selects[kDTypes];               // out = operand 1 (bool) ? operand 2 : operand 3
};
RUSH_DECLARE_KERNELS(PointwiseKernels, pointwise)

}  // namespace rush
