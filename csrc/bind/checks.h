// Words and checks that the bindings of matrix products and convolutions share.
#pragma once

#include <utility>

#include "bind/arrays.h"
#include "kernels/conv.h"

namespace rush {

// "expected scalar type Float but found Double".
void check_scalar_type(DType expected, DType found);

using Pair = std::pair<int64_t, int64_t>;

inline Size2 to_size(const Pair& pair) { return {pair.first, pair.second}; }

}  // namespace rush
