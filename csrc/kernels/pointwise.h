// Pointwise kernels: one inner loop per op of scalar.h and element type.
#pragma once

#include <cstdint>

#include "kernels/cast.h"
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

struct PointwiseKernels {
  // By the type that is computed in; null where undefined.
  ElementLoop loops[kPointwiseOps][kDTypes];
};
RUSH_DECLARE_KERNELS(PointwiseKernels, pointwise)

}  // namespace rush
