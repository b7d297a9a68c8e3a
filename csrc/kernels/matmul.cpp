#include "kernels/matmul.h"

#include "kernels/gemm/block.h"
#include "kernels/gemm/vector.h"

namespace rush::RUSH_ISA {
namespace {

template <class T>
Gemm<T> transposed(const Gemm<T>& g) {
  return {g.n,     g.m, g.k,     g.b,     g.b_col,      g.b_row,       g.a,       g.a_col,
          g.a_row, g.c, g.c_col, g.c_row, g.accumulate, g.column_bias, g.row_bias};
}

// The product with C's rows contiguous.
template <class T>
Gemm<T> oriented(const Gemm<T>& g) {
  const bool by_column = g.n > 1 && g.c_col != 1;
  return by_column ? transposed(g) : g;
}

template <class T>
bool try_gemv(const Gemm<T>& g) {
  if (g.n == 1 && g.m > 1) return try_gemv(transposed(g));
  if (g.m != 1 || (g.b_col != 1 && g.b_row != 1)) return false;
  gemv<T>({g.n, g.k, g.b, g.b_col, g.b_row, g.a, g.a_col, g.c, g.c_col, g.accumulate, g.column_bias,
           g.row_bias ? g.row_bias[0] : T(0)});
  return true;
}

// An operand this small stays in the first cache by itself.
template <class T>
bool small(int64_t rows, int64_t cols) {
  return rows * cols * static_cast<int64_t>(sizeof(T)) <= (24 << 10);
}

template <class T>
void gemm(const Gemm<T>& given) {
  if (given.m == 0 || given.n == 0) return;
  if (try_gemv(given)) return;
  const Gemm<T> g = oriented(given);
  const bool direct_a = g.n <= kTileCols<T> || small<T>(g.m, g.k);
  const bool direct_b = g.b_col == 1 && (g.m <= tile_rows(2) || small<T>(g.k, g.n));
  multiply<T>(StridedRows<T>{g.a, g.a_row, g.a_col, direct_a},
              StridedColumns<T>{g.b, g.b_row, g.b_col, direct_b}, g.m, g.n, g.k,
              Output<T>{g.c, g.c_row, g.accumulate, g.row_bias, g.column_bias});
}

template <class T>
void plain(const Gemm<T>& g) {
  for (int64_t i = 0; i < g.m; ++i) {
    T* c = g.c + i * g.c_row;
    for (int64_t j = 0; j < g.n; ++j) {
      T& sum = c[j * g.c_col];
      if (!g.accumulate) sum = 0;
      if (g.row_bias) sum += g.row_bias[i];
      if (g.column_bias) sum += g.column_bias[j];
    }
    for (int64_t p = 0; p < g.k; ++p) {
      const T value = g.a[i * g.a_row + p * g.a_col];
      const T* b = g.b + p * g.b_row;
      for (int64_t j = 0; j < g.n; ++j) c[j * g.c_col] += value * b[j * g.b_col];
    }
  }
}

template <class T, void (*Product)(const Gemm<T>&)>
void batch(const GemmBatch<T>& b) {
  const auto run = [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Gemm<T> g = b.first;
      g.a += b.a_offsets[i];
      g.b += b.b_offsets[i];
      g.c += i * b.c_stride;
      Product(g);
    }
  };
  const double work = static_cast<double>(b.first.m) * b.first.n * b.first.k + 1;
  const bool inside = work > 2.0 * kThreadWork && b.count < 4 * num_threads();
  if (inside) return run(0, b.count);
  parallel_for(b.count, static_cast<int64_t>(kThreadWork / work) + 1, run);
}

template <class T>
constexpr MatmulFunctions<T> blocked() {
  return {gemm<T>, batch<T, gemm<T>>};
}

template <class T>
constexpr MatmulFunctions<T> by_plain_loops() {
  return {plain<T>, batch<T, plain<T>>};
}

}  // namespace

MatmulKernels matmul_kernels() {
  return {blocked<float>(), blocked<double>(), by_plain_loops<int64_t>(), by_plain_loops<int32_t>(),
          by_plain_loops<uint8_t>()};
}

}  // namespace rush::RUSH_ISA
