// Random numbers: PyTorch's generator, and the kernels that fill memory from it.
#pragma once

#include <cstdint>

#include "dtype.h"
#include "isa.h"

namespace rush {

// MT19937 as PyTorch keeps it: `left` - 1 words of the block are unread, the first at `next`.
struct Generator {
  static constexpr int kWords = 624;
  uint64_t initial_seed;
  int32_t left;
  uint32_t next;
  uint32_t state[kWords];
  bool has_normal;  // a normal variate waits: the second of a pair
  double normal;
};

// Fills n contiguous elements, in order; the meaning of a and b is the distribution's.
using RandomFill = void (*)(Generator& g, void* out, int64_t n, double a, double b);

// Tables are indexed by the element type of `out`, one that is computed in; null where PyTorch has
// no such kernel.
struct RandomKernels {
  void (*seed)(Generator& g, uint64_t seed);

  RandomFill uniform[kDTypes];        // on [a, b)
  RandomFill normal[kDTypes];         // mean a, standard deviation b
  RandomFill serial_normal[kDTypes];  // the same in pairs, for small and strided tensors
  RandomFill log_normal[kDTypes];     // exp of normal(a, b)
  RandomFill exponential[kDTypes];    // rate a
  RandomFill cauchy[kDTypes];         // median a, scale b
  RandomFill geometric[kDTypes];      // probability of success a
  RandomFill bernoulli[kDTypes];      // b with probability a, else 0
  RandomFill any_integer[kDTypes];    // on [0, the largest integer of the type]

  // base + integers below `range`; range 0 stands for 2^64.
  void (*randint[kDTypes])(Generator& g, void* out, int64_t n, uint64_t range, int64_t base);
  // A permutation of 0 ... n - 1.
  void (*randperm[kDTypes])(Generator& g, void* out, int64_t n);
  // 1 with probability p[i], else 0; [type of p][type of out].
  void (*bernoulli_each[kDTypes][kDTypes])(Generator& g, void* out, int64_t n, const void* p);
  // By the type of `rate`, which is that of `out`.
  void (*poisson[kDTypes])(Generator& g, void* out, int64_t n, const void* rate);
  // By the type of `alpha`, which is that of `out`; rate 1.
  void (*standard_gamma[kDTypes])(Generator& g, void* out, int64_t n, const void* alpha);
  // By the type of `count` and `p`, which is that of `out`.
  void (*binomial[kDTypes])(Generator& g, void* out, int64_t n, const void* count, const void* p);
  // `samples` indices for each row of `weights` (rows, categories), by the type of `weights`;
  // `work` has room for one row.
  void (*multinomial[kDTypes])(Generator& g, int64_t* out, int64_t samples, const void* weights,
                               int64_t rows, int64_t categories, void* work);
};
RUSH_DECLARE_KERNELS(RandomKernels, random)

}  // namespace rush
