#include "kernels/index.h"

namespace rush::RUSH_ISA {
namespace {

template <class T>
void add_slices(int64_t count, int64_t inner, int64_t begin, int64_t end, const int64_t* index,
                const T* source, T* out) {
  for (int64_t r = 0; r < count; ++r) {
    const T* __restrict__ from = source + r * inner;
    T* __restrict__ to = out + index[r] * inner;
    for (int64_t i = begin; i < end; ++i) to[i] += from[i];
  }
}

}  // namespace

IndexKernels indexing_kernels() { return {add_slices<float>, add_slices<double>}; }

}  // namespace rush::RUSH_ISA
