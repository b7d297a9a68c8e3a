#include "kernels/rows.h"

#include "parallel.h"

namespace rush::RUSH_ISA {
namespace {

constexpr int64_t kGrainElements = 16384;

// Each thread owns a part of the table and takes what goes there from all of g: no two write to
// one place, and the order of the sums does not depend on the number of threads.
template <class T>
void rows_sum(int64_t size, int64_t n, int64_t count, const int64_t* index, const T* g, T* out) {
  const int64_t work = (size + count) * n / (size + 1) + 1;
  parallel_for(size, kGrainElements / work + 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin * n; i < end * n; ++i) out[i] = 0;
    for (int64_t i = 0; i < count; ++i) {
      if (index[i] < begin || index[i] >= end) continue;
      T* target = out + index[i] * n;
      const T* source = g + i * n;
      for (int64_t j = 0; j < n; ++j) target[j] += source[j];
    }
  });
}

}  // namespace

RowKernels rows_kernels() { return {rows_sum<float>, rows_sum<double>, rows_sum<int64_t>}; }

}  // namespace rush::RUSH_ISA
