// Slices added into those of another array that an index names.
#pragma once

#include <cstdint>

#include "isa.h"

namespace rush {

// Elements [begin, end) of `count` dense slices of `inner` each are added to those of `out` at
// `index`, one slice after the other: places that are named twice add up in a fixed order.
template <class T>
using AddSlices = void (*)(int64_t count, int64_t inner, int64_t begin, int64_t end,
                           const int64_t* index, const T* source, T* out);

struct IndexKernels {
  AddSlices<float> of_float;
  AddSlices<double> of_double;
};
RUSH_DECLARE_KERNELS(IndexKernels, indexing)

}  // namespace rush
