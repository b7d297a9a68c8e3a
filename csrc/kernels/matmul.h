// Products of matrices: what a caller states, and the table of kernels for this processor.
#pragma once

#include <cstdint>

#include "isa.h"

namespace rush {

// C = A B, or C += A B. Strides count elements; those of A and B may be anything (zero and negative
// too), one of C's must be 1. C overlaps neither A nor B.
template <class T>
struct Gemm {
  int64_t m, n, k;
  const T* a;
  int64_t a_row, a_col;
  const T* b;
  int64_t b_row, b_col;
  T* c;
  int64_t c_row, c_col;
  bool accumulate = false;
  const T* row_bias = nullptr;     // m values, one for each row of C, or none
  const T* column_bias = nullptr;  // n values, one for each column of C, or none
};

// The same product `count` times; the operands of one are those of `first` moved by these elements.
template <class T>
struct GemmBatch {
  Gemm<T> first;
  int64_t count;
  const int64_t* a_offsets;
  const int64_t* b_offsets;
  int64_t c_stride;
};

template <class T>
struct MatmulFunctions {
  void (*gemm)(const Gemm<T>&);
  void (*batch)(const GemmBatch<T>&);
};

// Integers take plain loops, and wrap around.
struct MatmulKernels {
  MatmulFunctions<float> of_float;
  MatmulFunctions<double> of_double;
  MatmulFunctions<int64_t> of_int64;
  MatmulFunctions<int32_t> of_int32;
  MatmulFunctions<uint8_t> of_uint8;
};

RUSH_DECLARE_KERNELS(MatmulKernels, matmul)

}  // namespace rush
