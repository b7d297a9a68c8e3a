// Reductions: the element loops. Which elements meet in one result is the driver's business
// (bind/reduce.cpp); here are runs over one row, and over many columns side by side.
#pragma once

#include <cstdint>

#include "dtype.h"
#include "isa.h"

namespace rush {

enum class Reduce : int { sum, mean, prod, amax, amin, any, all, kCount };
constexpr int kReduceOps = static_cast<int>(Reduce::kCount);

// Accumulators are arrays of a type that only the reducer knows.
struct Reducer {
  DType result;  // what `finish` writes
  int64_t accumulator_bytes;
  void (*init)(int64_t n, void* acc);
  // Folds n elements into acc[0].
  void (*row)(int64_t n, const char* x, int64_t stride, void* acc);
  // Folds x[j] into acc[j].
  void (*columns)(int64_t n, const char* x, int64_t stride, void* acc);
  // Folds other[0] into acc[0].
  void (*merge)(void* acc, const void* other);
  // Writes n results; `count` elements met in each.
  void (*finish)(int64_t n, const void* acc, int64_t count, char* out, int64_t stride);
};

// Tables are indexed by the type that is computed in.
struct ReduceKernels {
  Reducer reducers[kReduceOps][kDTypes];  // row is null where the op is undefined
  // The index of the first greatest (least) element of a row; a NaN beats everything.
  int64_t (*argmax[kDTypes])(int64_t n, const char* x, int64_t stride);
  int64_t (*argmin[kDTypes])(int64_t n, const char* x, int64_t stride);
  // The sum of (x - mean)^2 over a row, and column by column into acc.
  double (*squares[kDTypes])(int64_t n, const char* x, int64_t stride, double mean);
  void (*column_squares[kDTypes])(int64_t n, const char* x, int64_t stride, const double* mean,
                                  double* acc);
};
RUSH_DECLARE_KERNELS(ReduceKernels, reduce)

}  // namespace rush
