#include "kernels/order.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

namespace rush::RUSH_ISA {
namespace {

constexpr int64_t kInsertion = 48;  // shorter rows are sorted by insertion
constexpr int kBuckets = 256;
constexpr int64_t kSortAbove = 16;  // a larger part of a row than 1 / 16 is found by sorting it all
constexpr int64_t kLeastCapacity = 64;

template <class U>
struct Item {
  U key;
  std::conditional_t<sizeof(U) == 8, int64_t, uint32_t> index;

  bool operator<(const Item& other) const {
    return key != other.key ? key < other.key : index < other.index;
  }
};

template <class U>
struct KeyOf {
  static constexpr U kTop = static_cast<U>(U{1} << (8 * sizeof(U) - 1));

  explicit KeyOf(const KeyRule& rule)
      : infinity(static_cast<U>(rule.infinity)),
        flip(rule.is_signed ? kTop : U{0}),
        invert(rule.descending ? static_cast<U>(~U{0}) : U{0}) {}

  U operator()(const char* x) const {
    U bits;
    std::memcpy(&bits, x, sizeof(U));
    const U key = infinity ? floating(bits) : static_cast<U>(bits ^ flip);
    return static_cast<U>(key ^ invert);
  }

  U floating(U bits) const {
    const U magnitude = static_cast<U>(bits & ~kTop);
    const U ordered = static_cast<U>(bits & kTop ? ~bits : bits | kTop);
    return magnitude > infinity ? static_cast<U>(~U{0}) : magnitude ? ordered : kTop;
  }

  U infinity, flip, invert;
};

template <class U>
void load(const KeyRule& rule, const OrderRow& row, Item<U>* items) {
  const KeyOf<U> key(rule);
  for (int64_t i = 0; i < row.n; ++i) {
    items[i] = {key(row.x + i * row.x_stride), static_cast<decltype(Item<U>::index)>(i)};
  }
}

template <class U>
void write(const OrderRow& row, const Item<U>* items, int64_t count) {
  for (int64_t i = 0; i < count; ++i) {
    const auto index = static_cast<int64_t>(items[i].index);
    std::memcpy(row.values + i * row.values_stride, row.x + index * row.x_stride, sizeof(U));
    std::memcpy(row.indices + i * row.indices_stride, &index, sizeof index);
  }
}

template <class U>
void sort_by_insertion(Item<U>* items, int64_t n) {
  for (int64_t i = 1; i < n; ++i) {
    const Item<U> item = items[i];
    int64_t j = i;
    for (; j > 0 && item.key < items[j - 1].key; --j) items[j] = items[j - 1];
    items[j] = item;
  }
}

// Byte by byte from the lowest, which keeps the order of equal keys; bytes that all keys share are
// passed over. Returns which of the two buffers holds the result.
template <class U>
Item<U>* sort_by_bytes(Item<U>* items, Item<U>* other, int64_t n) {
  int64_t counts[sizeof(U)][kBuckets] = {};
  for (int64_t i = 0; i < n; ++i) {
    for (size_t b = 0; b < sizeof(U); ++b) ++counts[b][(items[i].key >> (8 * b)) & 0xff];
  }
  for (size_t b = 0; b < sizeof(U); ++b) {
    const auto byte = [b](const Item<U>& item) { return (item.key >> (8 * b)) & 0xff; };
    if (counts[b][byte(items[0])] == n) continue;
    int64_t start = 0;
    for (int64_t& count : counts[b]) start += std::exchange(count, start);
    for (int64_t i = 0; i < n; ++i) other[counts[b][byte(items[i])]++] = items[i];
    std::swap(items, other);
  }
  return items;
}

template <class U>
void sort(const KeyRule& rule, const OrderRow& row, int64_t first, int64_t last, char* scratch) {
  auto* items = reinterpret_cast<Item<U>*>(scratch);
  load(rule, row, items);
  if (row.n <= kInsertion) {
    sort_by_insertion(items, row.n);
  } else {
    items = sort_by_bytes(items, items + row.n, row.n);
  }
  write(row, items + first, last - first);
}

// Elements are collected while they are below the best bound known for place `last`; a full buffer
// is cut down to the `last` least ones, the greatest of which is the next bound.
template <class U>
void select(const KeyRule& rule, const OrderRow& row, int64_t first, int64_t last, char* scratch) {
  const KeyOf<U> key(rule);
  auto* items = reinterpret_cast<Item<U>*>(scratch);
  const int64_t capacity = std::min(row.n, std::max<int64_t>(2 * last, kLeastCapacity));
  const auto cut = [&](int64_t count) { std::nth_element(items, items + last - 1, items + count); };
  U bound = std::numeric_limits<U>::max();
  bool bounded = false;
  int64_t held = 0;
  for (int64_t i = 0; i < row.n; ++i) {
    const U found = key(row.x + i * row.x_stride);
    if (bounded && found >= bound) continue;
    items[held++] = {found, static_cast<decltype(Item<U>::index)>(i)};
    if (held == capacity && i + 1 < row.n) {
      cut(held);
      held = last;
      bound = items[last - 1].key;
      bounded = true;
    }
  }
  cut(held);
  if (last - first > 1) std::sort(items + first, items + last);
  write(row, items + first, last - first);
}

template <class U>
void order_row(const KeyRule& rule, const OrderRow& row, int64_t first, int64_t last,
               char* scratch) {
  const bool few = row.n > kInsertion && last <= row.n / kSortAbove;
  (few ? select<U> : sort<U>)(rule, row, first, last, scratch);
}

template <class U>
OrderLoops loops() {
  return {order_row<U>, sizeof(Item<U>),
          static_cast<int64_t>(std::numeric_limits<decltype(Item<U>::index)>::max())};
}

}  // namespace

OrderKernels order_kernels() {
  return {{loops<uint8_t>(), loops<uint16_t>(), loops<uint32_t>(), loops<uint64_t>()}};
}

}  // namespace rush::RUSH_ISA
