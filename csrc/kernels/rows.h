// Adding rows to the rows of a table, by index: the gradient of looking them up.
#pragma once

#include <cstdint>

#include "isa.h"

namespace rush {

// out: (size, n), zeroed first; index: `count` places in it, all valid; g: (count, n).
template <class T>
using RowsSum = void (*)(int64_t size, int64_t n, int64_t count, const int64_t* index, const T* g,
                         T* out);

struct RowKernels {
  RowsSum<float> of_float;
  RowsSum<double> of_double;
  RowsSum<int64_t> of_integer;
};
RUSH_DECLARE_KERNELS(RowKernels, rows)

}  // namespace rush
