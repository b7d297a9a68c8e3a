// Matrix times vector: bound by reading the matrix once, so nothing is packed.
#pragma once

#include "kernels/gemm/block.h"

namespace rush::RUSH_ISA {

// y[i] = sum over p of matrix(i, p) x[p], plus y[i] if `accumulate`, plus the biases.
template <class T>
struct Gemv {
  int64_t rows, depth;
  const T* matrix;
  int64_t row_stride, depth_stride;  // one of them is 1
  const T* x;
  int64_t x_stride;
  T* y;
  int64_t y_stride;
  bool accumulate;
  const T* bias;  // one for each row, or none
  T constant;     // added to every row
};

template <class T>
inline void finish_rows(const Gemv<T>& g, int64_t row, const T* sums, int64_t count) {
  for (int64_t i = row; i < row + count; ++i) {
    T& y = g.y[i * g.y_stride];
    const T sum = sums[i - row] + (g.bias ? g.bias[i] + g.constant : g.constant);
    y = g.accumulate ? y + sum : sum;
  }
}

// Rows are contiguous: a few dot products at a time share the loads of x (of stride 1).
template <class T, int Rows>
inline void dot_rows(const Gemv<T>& g, const T* x, int64_t row) {
  constexpr int lanes = kLanes<T>;
  const T* source = g.matrix + row * g.row_stride;
  Vector<T> sums[Rows] = {};
  int64_t p = 0;
  for (; p + lanes <= g.depth; p += lanes) {
    const Vector<T> wide = load(x + p);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) sums[i] += load(source + i * g.row_stride + p) * wide;
  }
  if (p < g.depth) {
    const Vector<T> wide = load_partial(x + p, g.depth - p);
#pragma GCC unroll 4
    for (int i = 0; i < Rows; ++i) {
      sums[i] += load_partial(source + i * g.row_stride + p, g.depth - p) * wide;
    }
  }
  T totals[Rows];
#pragma GCC unroll 4
  for (int i = 0; i < Rows; ++i) totals[i] = sum_lanes<T>(sums[i]);
  finish_rows(g, row, totals, Rows);
}

template <class T>
void dot_range(const Gemv<T>& g, const T* x, Range rows) {
  int64_t row = rows.begin;
  for (; row + 4 <= rows.end; row += 4) dot_rows<T, 4>(g, x, row);
  for (; row < rows.end; ++row) dot_rows<T, 1>(g, x, row);
}

// Columns are contiguous: a strip of sums stays in registers while the matrix is read downwards.
template <class T, int Vectors>
inline void add_columns(const Gemv<T>& g, int64_t row, int64_t count) {
  constexpr int lanes = kLanes<T>;
  const T* source = g.matrix + row;
  const bool whole = count == Vectors * lanes;
  Vector<T> sums[Vectors] = {};
  for (int64_t p = 0; p < g.depth; ++p, source += g.depth_stride) {
    const T value = g.x[p * g.x_stride];
    if (whole) {
#pragma GCC unroll 8
      for (int v = 0; v < Vectors; ++v) sums[v] += value * load(source + v * lanes);
    } else {
      sums[0] += value * load_partial(source, count);
    }
  }
  alignas(kVectorBytes) T totals[Vectors * lanes];
  for (int v = 0; v < Vectors; ++v) store(totals + v * lanes, sums[v]);
  finish_rows(g, row, totals, count);
}

template <class T>
void add_range(const Gemv<T>& g, Range rows) {
  constexpr int lanes = kLanes<T>;
  int64_t row = rows.begin;
  for (; row + 8 * lanes <= rows.end; row += 8 * lanes) add_columns<T, 8>(g, row, 8 * lanes);
  for (; row + 4 * lanes <= rows.end; row += 4 * lanes) add_columns<T, 4>(g, row, 4 * lanes);
  for (; row + 2 * lanes <= rows.end; row += 2 * lanes) add_columns<T, 2>(g, row, 2 * lanes);
  for (; row < rows.end; row += lanes) {
    add_columns<T, 1>(g, row, rows.end - row < lanes ? rows.end - row : lanes);
  }
}

template <class T>
void gemv(const Gemv<T>& g) {
  const int64_t grain = kThreadWork / 4 / (g.depth + 1) + kLanes<T>;
  const auto split = [&](auto&& body) {
    const int64_t units = ceil_div(g.rows, kLanes<T>);
    parallel_for(units, ceil_div(grain, kLanes<T>), [&](int64_t begin, int64_t end) {
      const int64_t last = end * kLanes<T>;
      body(Range{begin * kLanes<T>, last < g.rows ? last : g.rows});
    });
  };
  if (g.depth_stride != 1) return split([&](Range rows) { add_range(g, rows); });
  Scratch<T> copy(g.x_stride == 1 ? 0 : g.depth);
  const T* x = g.x;
  if (g.x_stride != 1) {
    for (int64_t p = 0; p < g.depth; ++p) copy.data()[p] = g.x[p * g.x_stride];
    x = copy.data();
  }
  split([&](Range rows) { dot_range(g, x, rows); });
}

}  // namespace rush::RUSH_ISA
