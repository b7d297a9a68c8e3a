// The blocked product: panels of B about the first cache's size, blocks of A in half the second, of
// B in the third; and C cut into a grid of blocks, one for each thread.
#pragma once

#include <unistd.h>

#include "allocator.h"
#include "kernels/gemm/pack.h"
#include "parallel.h"

namespace rush::RUSH_ISA {

inline int64_t smaller(int64_t x, int64_t y) { return x < y ? x : y; }

// Where the product goes; see Gemm.
template <class T>
struct Output {
  T* c;
  int64_t c_row;
  bool accumulate;
  const T *row_bias, *column_bias;
};

struct Caches {
  int64_t first, second;  // bytes
};

inline Caches caches() {
  static const Caches sizes = [] {
    Caches found = {32 << 10, 512 << 10};
#if defined(_SC_LEVEL1_DCACHE_SIZE)
    const int64_t first = sysconf(_SC_LEVEL1_DCACHE_SIZE), second = sysconf(_SC_LEVEL2_CACHE_SIZE);
    if (first >= (16 << 10) && second >= (128 << 10)) found = {first, second};
#endif
    return found;
  }();
  return sizes;
}

constexpr int kMaxPanels = 64;

// How a block of C is worked off: pieces of the depth, of the rows and of the columns.
template <class T>
struct Blocking {
  int64_t tile_rows, depth, rows, cols;

  Blocking(int64_t m, int64_t n, int64_t k) {
    const Caches cache = caches();
    const int64_t size = sizeof(T), vectors = ceil_div(n, kLanes<T>);
    const int64_t widest = ceil_div(vectors, ceil_div(vectors, kTileVectors));
    tile_rows = rush::RUSH_ISA::tile_rows(widest);
    depth = balanced(k, smaller(512, 2 * cache.first / (kTileCols<T> * size)), 8);
    rows = balanced(m, bounded(cache.second / 2 / (depth * size), tile_rows), tile_rows);
    cols = balanced(n, bounded(cache.second * 2 / (depth * size), kTileCols<T>), kTileCols<T>);
  }

  Cuts cut_rows(Range range) const { return {range, 1, ceil_div(range.size(), tile_rows)}; }
  Cuts cut_cols(Range range) const {
    return {range, kLanes<T>, ceil_div(ceil_div(range.size(), kLanes<T>), kTileVectors)};
  }

 private:
  static int64_t bounded(int64_t count, int64_t unit) {
    const int64_t panels = count / unit;
    return (panels < 1 ? 1 : panels > kMaxPanels ? kMaxPanels : panels) * unit;
  }
  // The largest piece when `n` is cut evenly into pieces of at most about `most`.
  static int64_t balanced(int64_t n, int64_t most, int64_t unit) {
    if (n <= most) return n > 1 ? n : 1;
    return round_up(ceil_div(n, ceil_div(n, most)), unit);
  }
};

// Scratch memory: small pieces lie on the stack.
template <class T>
class Scratch {
 public:
  explicit Scratch(int64_t count) : heap_(count > kLocal ? count : 0), count_(count) {}
  T* data() { return count_ > kLocal ? heap_.data() : local_; }

 private:
  static constexpr int64_t kLocal = 16384 / sizeof(T);
  alignas(64) T local_[kLocal];
  Buffer<T> heap_;
  int64_t count_;
};

// One block of C on the caller's thread.
template <class T, class Rows, class Columns>
class BlockProduct {
 public:
  BlockProduct(const Rows& a, const Columns& b, int64_t k, const Output<T>& out, Range rows,
               Range cols)
      : a_(a),
        b_(b),
        k_(k),
        out_(out),
        rows_(rows),
        cols_(cols),
        blocking_(rows.size(), cols.size(), k),
        a_size_(a.packs() ? row_panel_size<T>(blocking_.tile_rows, blocking_.depth) *
                                ceil_div(blocking_.rows, blocking_.tile_rows)
                          : 0),
        b_size_(column_panel_size<T>(blocking_.depth) *
                (b.packs() ? ceil_div(blocking_.cols, kTileCols<T>) + 1 : 1)),
        scratch_(a_size_ + b_size_) {}

  void run() {
    for (int64_t col = cols_.begin; col < cols_.end; col += blocking_.cols) {
      const Range cols = {col, smaller(col + blocking_.cols, cols_.end)};
      int64_t depth = 0;
      do {  // once even for k == 0: C is written all the same
        const Range deep = {depth, smaller(depth + blocking_.depth, k_)};
        b_.panels(blocking_.cut_cols(cols), deep, scratch_.data() + a_size_, b_panels_);
        for (int64_t row = rows_.begin; row < rows_.end; row += blocking_.rows) {
          const Range rows = {row, smaller(row + blocking_.rows, rows_.end)};
          a_.panels(blocking_.cut_rows(rows), deep, scratch_.data(), a_panels_);
          run_tiles(blocking_.cut_rows(rows), blocking_.cut_cols(cols), deep);
        }
        depth = deep.end;
      } while (depth < k_);
    }
  }

 private:
  void run_tiles(Cuts rows, Cuts cols, Range deep) {
    const bool last = deep.end == k_;
    for (int64_t j = 0; j < cols.count; ++j) {
      const Range wide = cols[j];
      for (int64_t i = 0; i < rows.count; ++i) {
        const Range high = rows[i];
        const RowPanel<T>& a = a_panels_[i];
        run_tile<T>({deep.size(), a.data, a.row, a.depth, b_panels_[j].data, b_panels_[j].depth,
                     out_.c + high.begin * out_.c_row + wide.begin, out_.c_row, wide.size(),
                     out_.accumulate || deep.begin > 0,
                     last && out_.row_bias ? out_.row_bias + high.begin : nullptr,
                     last && out_.column_bias ? out_.column_bias + wide.begin : nullptr},
                    static_cast<int>(high.size()));
      }
    }
  }

  const Rows& a_;
  const Columns& b_;
  const int64_t k_;
  const Output<T>& out_;
  const Range rows_, cols_;
  const Blocking<T> blocking_;
  const int64_t a_size_, b_size_;
  Scratch<T> scratch_;
  RowPanel<T> a_panels_[kMaxPanels];
  ColumnPanel<T> b_panels_[kMaxPanels];
};

template <class T, class Rows, class Columns>
inline void multiply_serial(const Rows& a, const Columns& b, int64_t m, int64_t n, int64_t k,
                            const Output<T>& out) {
  BlockProduct<T, Rows, Columns>(a, b, k, out, {0, m}, {0, n}).run();
}

// Multiplications that are worth a thread of their own: some ten microseconds.
constexpr int64_t kThreadWork = 400000;

struct Grid {
  int64_t rows, cols;
};

// The cut of C for the shortest largest block. A block's own packing counts: each of its elements
// costs about as much as a few multiplications' rows.
template <class T>
inline Grid plan_grid(int64_t m, int64_t n, int64_t k) {
  const double work = static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(k);
  int64_t threads = num_threads();
  if (threads * kThreadWork > work) threads = static_cast<int64_t>(work / kThreadWork);
  Grid best = {1, 1};
  double least = 0;
  for (int64_t rows = 1; rows <= threads; ++rows) {
    const int64_t cols = threads / rows;
    const auto high = static_cast<double>(ceil_div(m, rows));
    const auto wide = static_cast<double>(round_up(ceil_div(n, cols), kLanes<T>));
    const double cost = high * wide + 8 * wide + 4 * high;
    if (rows == 1 || cost < least) {
      least = cost;
      best = {rows, cols};
    }
  }
  return best;
}

template <class T, class Rows, class Columns>
void multiply(const Rows& a, const Columns& b, int64_t m, int64_t n, int64_t k,
              const Output<T>& out) {
  const Grid grid = plan_grid<T>(m, n, k);
  const Cuts rows({0, m}, 1, grid.rows), cols({0, n}, kLanes<T>, grid.cols);
  parallel_for(grid.rows * grid.cols, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      BlockProduct<T, Rows, Columns>(a, b, k, out, rows[i / grid.cols], cols[i % grid.cols]).run();
    }
  });
}

}  // namespace rush::RUSH_ISA
