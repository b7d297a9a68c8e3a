// Copies with conversion, and selections: what moves elements without computing.
#pragma once

#include <cstdint>

#include "dtype.h"
#include "isa.h"

namespace rush {

// n elements; data[0] and strides[0] are the output's, the operands follow. Strides in bytes.
using ElementLoop = void (*)(int64_t n, char* const* data, const int64_t* strides);

struct CastKernels {
  // [to][from]. A half type meets float32 and itself only: see Cast in convert.h for the others.
  ElementLoop casts[kDTypes][kDTypes];
  // out = operand 1 (bool) ? operand 2 : operand 3, by the elements' size.
  ElementLoop selects[9];
};
RUSH_DECLARE_KERNELS(CastKernels, cast)

}  // namespace rush
