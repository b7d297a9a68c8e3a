// One kernel source, several instruction sets: the choice is made once, at first use.
#pragma once

namespace rush {

enum class Isa { kBaseline, kAvx2, kAvx512 };

// The best instruction set of this processor, or the one that RUSHLIGHT_ISA names.
Isa best_isa();
const char* isa_name(Isa isa);

template <class Table>
Table choose_kernels(Table (*baseline)(), Table (*avx2)(), Table (*avx512)()) {
  switch (best_isa()) {
    case Isa::kAvx512:
      return avx512();
    case Isa::kAvx2:
      return avx2();
    default:
      return baseline();
  }
}

}  // namespace rush

// Declares the per-ISA factories `<isa>::<family>_kernels()` that a kernel file defines, and
// `family()`, the table for this processor.
#if defined(__x86_64__)
#define RUSH_DECLARE_KERNELS(Table, family)                                                \
  namespace v2 {                                                                           \
  Table family##_kernels();                                                                \
  }                                                                                        \
  namespace v3 {                                                                           \
  Table family##_kernels();                                                                \
  }                                                                                        \
  namespace v4 {                                                                           \
  Table family##_kernels();                                                                \
  }                                                                                        \
  inline const Table& family() {                                                           \
    static const Table table =                                                             \
        choose_kernels(v2::family##_kernels, v3::family##_kernels, v4::family##_kernels); \
    return table;                                                                          \
  }
#else
#define RUSH_DECLARE_KERNELS(Table, family)                                                  \
  namespace neon {                                                                           \
  Table family##_kernels();                                                                  \
  }                                                                                          \
  inline const Table& family() {                                                             \
    static const Table table = choose_kernels(neon::family##_kernels, neon::family##_kernels, \
                                              neon::family##_kernels);                       \
    return table;                                                                            \
  }
#endif
