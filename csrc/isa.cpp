#include "isa.h"

#include <cstdlib>
#include <cstring>

namespace rush {
namespace {

Isa detect() {
#if defined(__x86_64__)
  Isa best = Isa::kBaseline;
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi2")) {
    best = Isa::kAvx2;
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      best = Isa::kAvx512;
    }
  }
  // An override may only lower the choice: a higher one would end in an illegal instruction.
  if (const char* wanted = std::getenv("RUSHLIGHT_ISA")) {
    if (std::strcmp(wanted, "v2") == 0) return Isa::kBaseline;
    if (std::strcmp(wanted, "v3") == 0 && best == Isa::kAvx512) return Isa::kAvx2;
  }
  return best;
#else
  return Isa::kBaseline;
#endif
}

}  // namespace

Isa best_isa() {
  static const Isa isa = detect();
  return isa;
}

const char* isa_name(Isa isa) {
#if defined(__x86_64__)
  switch (isa) {
    case Isa::kAvx512:
      return "x86-64-v4 (AVX-512)";
    case Isa::kAvx2:
      return "x86-64-v3 (AVX2)";
    default:
      return "x86-64-v2 (SSE4.2)";
  }
#else
  return "arm64 (NEON)";
#endif
}

}  // namespace rush
