#include "allocator.h"

#include <pthread.h>

#include <cstdlib>
#include <mutex>
#include <vector>

namespace rush {
namespace {

constexpr size_t kAlignment = 64;
constexpr size_t kDefaultLimit = size_t{1} << 30;
// Four classes per doubling from 64 bytes up to 2^46: at most 19 % of a block is padding.
constexpr int kSteps = 4;
constexpr int kClasses = 40 * kSteps + 1;

struct SizeClass {
  int index;
  size_t bytes;
};

SizeClass size_class(size_t bytes) {
  if (bytes <= kAlignment) return {0, kAlignment};
  const int log2 = 63 - __builtin_clzll(bytes - 1);  // 2^log2 <= bytes - 1 < 2^(log2 + 1)
  const size_t base = size_t{1} << log2;
  const size_t step = base / kSteps;
  const size_t count = (bytes - base + step - 1) / step;  // 1..kSteps
  return {(log2 - 6) * kSteps + static_cast<int>(count), base + count * step};
}

struct Pool {
  std::mutex mutex;
  std::vector<void*> free[kClasses];
  MemoryStats stats{0, 0, 0, kDefaultLimit};

  size_t cached() const { return stats.reserved - stats.allocated; }

  void empty() {
    for (int i = 0; i < kClasses; ++i) {
      for (void* block : free[i]) std::free(block);
      free[i].clear();
    }
    stats.reserved = stats.allocated;
  }
};

// Never destroyed: arrays may outlive every static object at interpreter exit.
Pool& pool() {
  static Pool* instance = [] {
    auto* p = new Pool;
    // The child of a fork must not inherit a lock that another thread of the parent held.
    pthread_atfork([] { pool().mutex.lock(); }, [] { pool().mutex.unlock(); },
                   [] { pool().mutex.unlock(); });
    return p;
  }();
  return *instance;
}

size_t aligned(size_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

void* allocate(size_t bytes) {
  if (bytes >= (size_t{1} << 46)) throw OutOfMemory(bytes);
  const SizeClass cls = size_class(bytes);
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.mutex);
  void* block = nullptr;
  if (!p.free[cls.index].empty()) {
    block = p.free[cls.index].back();
    p.free[cls.index].pop_back();
  } else {
    block = std::aligned_alloc(kAlignment, aligned(cls.bytes));
    if (block == nullptr) {
      p.empty();
      block = std::aligned_alloc(kAlignment, aligned(cls.bytes));
      if (block == nullptr) throw OutOfMemory(bytes);
    }
    p.stats.reserved += cls.bytes;
  }
  p.stats.allocated += cls.bytes;
  if (p.stats.allocated > p.stats.peak) p.stats.peak = p.stats.allocated;
  return block;
}

void release(void* block, size_t bytes) noexcept {
  const SizeClass cls = size_class(bytes);
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.mutex);
  p.stats.allocated -= cls.bytes;
  if (p.cached() <= p.stats.limit) {
    p.free[cls.index].push_back(block);
  } else {
    p.stats.reserved -= cls.bytes;
    std::free(block);
  }
}

MemoryStats memory_stats() {
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.mutex);
  return p.stats;
}

void reset_peak_memory() {
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.mutex);
  p.stats.peak = p.stats.allocated;
}

void set_cache_limit(size_t bytes) {
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.mutex);
  p.stats.limit = bytes;
  if (p.cached() > bytes) p.empty();
}

void empty_cache() {
  Pool& p = pool();
  std::lock_guard<std::mutex> lock(p.mutex);
  p.empty();
}

}  // namespace rush
