// Conversions of element types, composed of the kernels' casts.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cast.h"

namespace rush {

// Elements of a block that is converted on the stack: a few blocks stay in the first cache.
constexpr int64_t kConvertBlock = 512;
constexpr int64_t kLargestElement = 8;

// Calls run(count, data, strides) for pieces of at most kConvertBlock elements.
template <int N, class F>
void for_each_block(int64_t n, char* const* data, const int64_t* strides, F&& run) {
  char* at[N];
  for (int64_t begin = 0; begin < n; begin += kConvertBlock) {
    for (int i = 0; i < N; ++i) at[i] = data[i] + begin * strides[i];
    run(std::min(kConvertBlock, n - begin), at, strides);
  }
}

// Copies a run of elements from one type to another. A half type meets any but float32 by way of
// it.
class Cast {
 public:
  Cast() = default;
  Cast(DType to, DType from) : first_(loop(to, from)) {
    if (first_ != nullptr) return;
    first_ = loop(DType::kFloat32, from);
    second_ = loop(to, DType::kFloat32);
  }

  void operator()(int64_t n, char* const* data, const int64_t* strides) const {
    if (second_ == nullptr) return first_(n, data, strides);
    for_each_block<2>(n, data, strides, [&](int64_t count, char* const* at, const int64_t* s) {
      float wide[kConvertBlock];
      char* middle = reinterpret_cast<char*>(wide);
      char* const in[2] = {middle, at[1]};
      char* const out[2] = {at[0], middle};
      const int64_t in_strides[2] = {sizeof(float), s[1]}, out_strides[2] = {s[0], sizeof(float)};
      first_(count, in, in_strides);
      second_(count, out, out_strides);
    });
  }

 private:
  static ElementLoop loop(DType to, DType from) {
    return cast().casts[static_cast<int>(to)][static_cast<int>(from)];
  }
  ElementLoop first_ = nullptr, second_ = nullptr;
};

// A kernel's loop of N operands over elements that are stored in other types than it computes in:
// blocks are converted on the stack. Operand 0 is the output.
template <int N>
class ConvertingLoop {
 public:
  // `stored` and `computed` are the types of the N elements in memory and in the loop.
  ConvertingLoop(ElementLoop loop, const DType (&stored)[N], const DType (&computed)[N])
      : loop_(loop) {
    for (int i = 0; i < N; ++i) {
      converts_[i] = stored[i] != computed[i];
      if (!converts_[i]) continue;
      size_[i] = itemsize(computed[i]);
      casts_[i] = i == 0 ? Cast(stored[0], computed[0]) : Cast(computed[i], stored[i]);
    }
  }

  void operator()(int64_t n, char* const* data, const int64_t* strides) const {
    for_each_block<N>(n, data, strides, [&](int64_t count, char* const* at, const int64_t* s) {
      alignas(64) char blocks[N][kConvertBlock * kLargestElement];
      char* operands[N];
      int64_t steps[N];
      for (int i = 0; i < N; ++i) {
        operands[i] = converts_[i] ? blocks[i] : at[i];
        steps[i] = !converts_[i] ? s[i] : i > 0 && s[i] == 0 ? 0 : size_[i];
        if (i > 0 && converts_[i]) {
          char* const pair[2] = {blocks[i], at[i]};
          const int64_t pair_strides[2] = {size_[i], s[i]};
          casts_[i](s[i] == 0 ? 1 : count, pair, pair_strides);
        }
      }
      loop_(count, operands, steps);
      if (converts_[0]) {
        char* const pair[2] = {at[0], blocks[0]};
        const int64_t pair_strides[2] = {s[0], size_[0]};
        casts_[0](count, pair, pair_strides);
      }
    });
  }

 private:
  ElementLoop loop_;
  bool converts_[N];
  int64_t size_[N] = {};
  Cast casts_[N];
};

}  // namespace rush
