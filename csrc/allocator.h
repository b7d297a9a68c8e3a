// The caching allocator: blocks by size class, bounded, with figures, safe over fork.
#pragma once

#include <cstddef>
#include <cstdint>

#include "error.h"

namespace rush {

struct MemoryStats {
  size_t allocated;  // bytes in live blocks
  size_t reserved;   // bytes held from the system: live blocks and cached ones
  size_t peak;       // the highest `allocated` since the start or the last reset
  size_t limit;      // bound on cached bytes
};

// A block of at least `bytes` bytes, 64-byte aligned, contents undefined. Throws OutOfMemory.
void* allocate(size_t bytes);
// Gives a block back; `bytes` as asked for.
void release(void* block, size_t bytes) noexcept;

MemoryStats memory_stats();
void reset_peak_memory();
void set_cache_limit(size_t bytes);
void empty_cache();

// Scratch memory of a kernel.
template <class T>
class Buffer {
 public:
  explicit Buffer(int64_t count)
      : bytes_(static_cast<size_t>(count) * sizeof(T)), data_(static_cast<T*>(allocate(bytes_))) {}
  Buffer(Buffer&& other) noexcept : bytes_(other.bytes_), data_(other.data_) {
    other.data_ = nullptr;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (data_ != nullptr) release(data_, bytes_);
  }

  T* data() const { return data_; }
  operator T*() const { return data_; }

 private:
  size_t bytes_;
  T* data_;
};

}  // namespace rush
