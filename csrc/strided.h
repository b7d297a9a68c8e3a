// The only place that knows strides: broadcasting, merging of dimensions, iteration.
#pragma once

#include <algorithm>
#include <cstdint>

#include "array.h"
#include "parallel.h"

namespace rush {

// N operands walked together over one shape; strides in bytes, the last dimension innermost.
template <int N>
struct Walk {
  int ndim = 0;
  int64_t shape[kMaxDims];
  int64_t strides[N][kMaxDims];
  char* data[N];

  int64_t numel() const {
    int64_t n = 1;
    for (int d = 0; d < ndim; ++d) n *= shape[d];
    return n;
  }
};

// Extends shape[0:ndim] by the shape of x; false when they do not broadcast.
inline bool broadcast_into(int& ndim, int64_t* shape, const Array& x) {
  if (x.ndim > ndim) {
    const int added = x.ndim - ndim;
    for (int d = ndim - 1; d >= 0; --d) shape[d + added] = shape[d];
    for (int d = 0; d < added; ++d) shape[d] = 1;
    ndim = x.ndim;
  }
  for (int d = 0; d < x.ndim; ++d) {
    int64_t& size = shape[d + ndim - x.ndim];
    const int64_t other = x.shape[d];
    if (size == other || other == 1) continue;
    if (size != 1) return false;
    size = other;
  }
  return true;
}

template <int N>
bool all_dense(int ndim, const int64_t* shape, const Array* const (&operands)[N]) {
  for (int i = 0; i < N; ++i) {
    if (operands[i]->ndim != ndim || !std::equal(shape, shape + ndim, operands[i]->shape) ||
        !operands[i]->contiguous()) {
      return false;
    }
  }
  return true;
}

// The walk of `operands` broadcast to shape[0:ndim]: dimensions of size 1 dropped, ordered so that
// operand 0 moves slowest first, neighbours merged where every operand allows it.
template <int N>
Walk<N> plan_walk(int ndim, const int64_t* shape, const Array* const (&operands)[N]) {
  Walk<N> walk;
  for (int i = 0; i < N; ++i) walk.data[i] = operands[i]->data;
  if (all_dense(ndim, shape, operands)) {  // the usual case, and worth 50 ns
    walk.ndim = 1;
    walk.shape[0] = 1;
    for (int d = 0; d < ndim; ++d) walk.shape[0] *= shape[d];
    for (int i = 0; i < N; ++i) walk.strides[i][0] = itemsize(operands[i]->dtype);
    return walk;
  }
  for (int d = 0; d < ndim; ++d) {
    if (shape[d] == 1) continue;
    walk.shape[walk.ndim] = shape[d];
    for (int i = 0; i < N; ++i) {
      const int own = d - (ndim - operands[i]->ndim);
      const bool moves = own >= 0 && operands[i]->shape[own] != 1;
      walk.strides[i][walk.ndim] = moves ? operands[i]->strides[own] : 0;
    }
    ++walk.ndim;
  }
  order_dimensions(walk);
  merge_dimensions(walk);
  return walk;
}

template <int N>
void swap_dimensions(Walk<N>& walk, int a, int b) {
  std::swap(walk.shape[a], walk.shape[b]);
  for (int i = 0; i < N; ++i) std::swap(walk.strides[i][a], walk.strides[i][b]);
}

// Insertion sort by operand 0's strides: almost always sorted already.
template <int N>
void order_dimensions(Walk<N>& walk) {
  const auto reach = [&](int d) { return std::abs(walk.strides[0][d]); };
  for (int d = 1; d < walk.ndim; ++d) {
    for (int e = d; e > 0 && reach(e - 1) < reach(e); --e) swap_dimensions(walk, e - 1, e);
  }
}

template <int N>
void merge_dimensions(Walk<N>& walk) {
  int last = 0;
  for (int d = 1; d < walk.ndim; ++d) {
    bool merges = true;
    for (int i = 0; i < N; ++i) {
      merges &= walk.strides[i][last] == walk.strides[i][d] * walk.shape[d];
    }
    if (merges) {
      walk.shape[last] *= walk.shape[d];
    } else {
      walk.shape[++last] = walk.shape[d];
    }
    for (int i = 0; i < N; ++i) walk.strides[i][last] = walk.strides[i][d];
  }
  if (walk.ndim > 0) walk.ndim = last + 1;
}

// Moves `data` to the `index`-th run of the outer dimensions of the walk.
template <int N>
void seek(const Walk<N>& walk, int64_t index, char** data, int64_t* position) {
  for (int i = 0; i < N; ++i) data[i] = walk.data[i];
  for (int d = walk.ndim - 2; d >= 0; --d) {
    position[d] = index % walk.shape[d];
    index /= walk.shape[d];
    for (int i = 0; i < N; ++i) data[i] += position[d] * walk.strides[i][d];
  }
}

template <int N>
void advance(const Walk<N>& walk, char** data, int64_t* position) {
  for (int d = walk.ndim - 2; d >= 0; --d) {
    for (int i = 0; i < N; ++i) data[i] += walk.strides[i][d];
    if (++position[d] < walk.shape[d]) return;
    for (int i = 0; i < N; ++i) data[i] -= walk.strides[i][d] * walk.shape[d];
    position[d] = 0;
  }
}

// Calls run(n, data, strides) for each innermost run, in parallel above `grain` elements.
template <int N, class F>
void for_each_run(const Walk<N>& walk, int64_t grain, F&& run) {
  const int64_t total = walk.numel();
  if (total == 0) return;
  int64_t inner_strides[N];
  for (int i = 0; i < N; ++i) inner_strides[i] = walk.ndim ? walk.strides[i][walk.ndim - 1] : 0;
  if (walk.ndim <= 1) {
    parallel_for(total, grain, [&](int64_t begin, int64_t end) {
      char* data[N];
      for (int i = 0; i < N; ++i) data[i] = walk.data[i] + begin * inner_strides[i];
      run(end - begin, data, inner_strides);
    });
    return;
  }
  const int64_t inner = walk.shape[walk.ndim - 1];
  parallel_for(total / inner, std::max<int64_t>(1, grain / inner), [&](int64_t begin, int64_t end) {
    char* data[N];
    int64_t position[kMaxDims];
    seek(walk, begin, data, position);
    for (int64_t r = begin; r < end; ++r) {
      run(inner, data, inner_strides);
      advance(walk, data, position);
    }
  });
}

}  // namespace rush
