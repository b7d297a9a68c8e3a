// Sorting rows, and selecting from them. Elements are compared as unsigned keys of their width, so
// one text serves all types: NaN is greater than everything and equal to itself, -0 equals 0, and
// equal elements keep their order.
#pragma once

#include <cstdint>

#include "isa.h"

namespace rush {

// How the bits of an element become a key.
struct KeyRule {
  bool is_signed;
  uint64_t infinity;  // the bits of a floating type's infinity, 0 for integers
  bool descending;
};

// One row: n elements, and where its results go; strides in bytes.
struct OrderRow {
  int64_t n;
  const char* x;
  int64_t x_stride;
  char* values;
  int64_t values_stride;
  char* indices;
  int64_t indices_stride;
};

struct OrderLoops {
  // Places first to last - 1 of the row's order; `scratch` holds 2 n items.
  void (*order)(const KeyRule& rule, const OrderRow& row, int64_t first, int64_t last,
                char* scratch);
  int64_t item_bytes;
  int64_t longest;  // row that the items can index
};

struct OrderKernels {
  OrderLoops of_width[4];  // 1, 2, 4 and 8 bytes
};
RUSH_DECLARE_KERNELS(OrderKernels, order)

}  // namespace rush
