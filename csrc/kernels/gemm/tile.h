// The register tile: a few rows by one or two vectors of C, kept in registers over the whole depth.
#pragma once

#include "kernels/simd.h"

namespace rush::RUSH_ISA {

// The widest tile, and the tallest of each width: the sums, a row of B and one value of A have to
// fit in the registers. Wide beats tall while registers last: a step reads rows + vectors values
// for rows * vectors multiplications, and AVX-512 processors load little more than one vector a
// cycle.
#if defined(__AVX512F__)
constexpr int kTileVectors = 3;
constexpr int tile_rows(int64_t vectors) { return vectors < 3 ? 14 : 9; }
#elif defined(__AVX2__)
constexpr int kTileVectors = 2;
constexpr int tile_rows(int64_t) { return 6; }
#elif defined(__aarch64__)
constexpr int kTileVectors = 2;
constexpr int tile_rows(int64_t) { return 8; }
#else
constexpr int kTileVectors = 2;
constexpr int tile_rows(int64_t) { return 4; }
#endif
template <class T>
constexpr int kTileCols = kTileVectors * kLanes<T>;

template <class T>
struct Tile {
  int64_t depth;
  const T* a;  // element (i, p) at a[i * a_row + p * a_depth]: each is broadcast, so any strides do
  int64_t a_row, a_depth;
  const T* b;  // element (p, j) at b[p * b_depth + j]; whole vectors are read
  int64_t b_depth;
  T* c;  // element (i, j) at c[i * c_row + j]
  int64_t c_row;
  int64_t cols;                     // columns of C to write; the others are left alone
  bool accumulate;                  // add to C
  const T *row_bias, *column_bias;  // added once the sum is whole; null for none
};

// What a plain store cannot do: biases, and tiles that hang over C's right edge.
template <class T>
__attribute__((noinline)) void finish_tile(const Tile<T>& t, const T* sums, int rows, int vectors) {
  constexpr int lanes = kLanes<T>;
  for (int v = 0; v < vectors && v * lanes < t.cols; ++v) {
    const int64_t wide = t.cols - v * lanes < lanes ? t.cols - v * lanes : lanes;
    Vector<T> column_bias = {};
    if (t.column_bias) column_bias = load_partial(t.column_bias + v * lanes, wide);
    for (int i = 0; i < rows; ++i) {
      T* c = t.c + i * t.c_row + v * lanes;
      Vector<T> sum = load(sums + (i * vectors + v) * lanes) + column_bias;
      if (t.row_bias) sum += t.row_bias[i];
      if (t.accumulate) sum += load_partial(c, wide);
      store_partial(c, sum, wide);
    }
  }
}

template <class T, int Rows, int Vectors>
void tile(const Tile<T>& t) {
  constexpr int lanes = kLanes<T>;
  // x86 addresses reach base + {0, 1, 2} * stride: with a base for every third row the strides of A
  // cost no further registers.
  constexpr int bases = (Rows + 2) / 3;
  const T* a[bases];
  for (int i = 0; i < bases; ++i) a[i] = t.a + 3 * i * t.a_row;
  const int64_t a_row = t.a_row, a_depth = t.a_depth, b_depth = t.b_depth;
  const T* b = t.b;
  // C is read and written at the end; by then it should have come into the cache.
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) __builtin_prefetch(t.c + i * t.c_row + v * lanes, 1);
  }
  Vector<T> sums[Rows][Vectors] = {};
  for (int64_t p = 0; p < t.depth; ++p) {
    Vector<T> wide[Vectors];
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) wide[v] = load(b + v * lanes);
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
      const T value = a[i / 3][i % 3 * a_row];
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) sums[i][v] += value * wide[v];
    }
    b += b_depth;
#pragma GCC unroll 5
    for (int i = 0; i < bases; ++i) a[i] += a_depth;
  }
  if (t.row_bias || t.column_bias || t.cols < Vectors * lanes) {
    alignas(kVectorBytes) T spilled[Rows * Vectors * lanes];
#pragma GCC unroll 16
    for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 3
      for (int v = 0; v < Vectors; ++v) store(spilled + (i * Vectors + v) * lanes, sums[i][v]);
    }
    return finish_tile(t, spilled, Rows, Vectors);
  }
#pragma GCC unroll 16
  for (int i = 0; i < Rows; ++i) {
#pragma GCC unroll 3
    for (int v = 0; v < Vectors; ++v) {
      T* c = t.c + i * t.c_row + v * lanes;
      store(c, t.accumulate ? load(c) + sums[i][v] : sums[i][v]);
    }
  }
}

template <class T>
using TileFunction = void (*)(const Tile<T>&);

template <class T, int Vectors, int... I>
inline TileFunction<T> choose_tile(int rows, std::integer_sequence<int, I...>) {
  static constexpr TileFunction<T> functions[] = {tile<T, I + 1, Vectors>...};
  return functions[rows - 1];
}

// A tile of `rows` by t.cols, at most kTileCols by what tile_rows allows for that width.
template <class T>
inline void run_tile(const Tile<T>& t, int rows) {
  constexpr int lanes = kLanes<T>;
  if (t.cols <= lanes) {
    choose_tile<T, 1>(rows, std::make_integer_sequence<int, tile_rows(1)>{})(t);
  } else if (kTileVectors == 2 || t.cols <= 2 * lanes) {
    choose_tile<T, 2>(rows, std::make_integer_sequence<int, tile_rows(2)>{})(t);
  } else {
    choose_tile<T, kTileVectors>(rows, std::make_integer_sequence<int, tile_rows(3)>{})(t);
  }
}

}  // namespace rush::RUSH_ISA
