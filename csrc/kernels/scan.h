// Scans: results that each take in one element more. A scan of many lanes side by side goes on with
// all of them at each step, so that columns are read as they lie in memory.
#pragma once

#include <cstdint>

#include "dtype.h"
#include "isa.h"

namespace rush {

constexpr int64_t kScanLanes = 128;  // at most; their state stays in L1

// Where an operand's elements are: bytes from step to step, and from lane to lane.
struct Steps {
  char* data;
  int64_t step;
  int64_t lane;
};

using Scan = void (*)(int64_t n, int64_t lanes, const Steps* operands);

// Operands: the result first, then the inputs. Null where a type has no such scan.
struct ScanLoops {
  Scan sum, product, logsumexp;
  Scan greatest, least;  // results: values, indices; of equal elements the last one counts
  Scan recurrence;       // out[i] = term[i] + factor[i] * out[i - 1]; inputs: factor, term
  Scan adjoint;          // out[i] = term[i] + factor[i - 1] * out[i - 1], for walks backwards
};

struct ScanKernels {
  ScanLoops of_type[kDTypes];
};
RUSH_DECLARE_KERNELS(ScanKernels, scan)

}  // namespace rush
