#include "parallel.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <exception>
#include <mutex>
#include <stdexcept>
#include <thread>

namespace rush {
namespace {

// A worker that has just finished looks for more work for about 20 us before it sleeps: a training
// step starts a region every few microseconds, and waking a sleeping thread costs more than that.
constexpr int kSpins = 4000;

thread_local bool inside_region = false;

inline void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#else
  asm volatile("yield");
#endif
}

int default_threads() {
  if (const char* text = std::getenv("OMP_NUM_THREADS")) {
    const int count = std::atoi(text);
    if (count > 0) return count;
  }
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) return std::max(1, CPU_COUNT(&set));
  return std::max(1u, std::thread::hardware_concurrency());
}

class Pool {
 public:
  void run(int64_t n, int chunks, detail::ChunkFunction function, const void* body) {
    std::unique_lock<std::mutex> owner(owner_, std::try_to_lock);
    if (!owner.owns_lock()) {  // another thread is in a region: its workers are busy
      for (int i = 0; i < chunks; ++i) chunk(n, chunks, i, function, body);
      return;
    }
    grow(chunks - 1);
    error_ = nullptr;
    n_ = n;
    chunks_ = chunks;
    function_ = function;
    body_ = body;
    pending_.store(workers_, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) {
      std::lock_guard<std::mutex> lock(mutex_);
      wake_.notify_all();
    }
    guarded_chunk(0);
    while (pending_.load(std::memory_order_acquire) > 0) relax();
    if (error_) std::rethrow_exception(error_);
  }

 private:
  static void chunk(int64_t n, int chunks, int index, detail::ChunkFunction function,
                    const void* body) {
    function(body, n * index / chunks, n * (index + 1) / chunks);
  }

  void guarded_chunk(int index) {
    inside_region = true;
    try {
      chunk(n_, chunks_, index, function_, body_);
    } catch (...) {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!error_) error_ = std::current_exception();
    }
    inside_region = false;
  }

  void grow(int wanted) {
    while (workers_ < wanted) {
      const int index = ++workers_;
      std::thread(&Pool::work, this, index, generation_.load()).detach();
    }
  }

  void work(int index, uint64_t seen) {
    for (;;) {
      seen = next_generation(seen);
      if (index < chunks_) guarded_chunk(index);
      pending_.fetch_sub(1, std::memory_order_release);
    }
  }

  uint64_t next_generation(uint64_t seen) {
    for (int i = 0; i < kSpins; ++i) {
      const uint64_t now = generation_.load(std::memory_order_acquire);
      if (now != seen) return now;
      relax();
    }
    std::unique_lock<std::mutex> lock(mutex_);
    sleepers_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, [&] { return generation_.load(std::memory_order_seq_cst) != seen; });
    sleepers_.fetch_sub(1, std::memory_order_relaxed);
    return generation_.load(std::memory_order_acquire);
  }

  std::mutex owner_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::atomic<uint64_t> generation_{0};
  std::atomic<int> pending_{0};
  std::atomic<int> sleepers_{0};
  std::exception_ptr error_;
  int workers_ = 0;
  int64_t n_ = 0;
  int chunks_ = 0;
  detail::ChunkFunction function_ = nullptr;
  const void* body_ = nullptr;
};

// Never destroyed: detached workers wait in it until the process ends. A forked child has no
// workers, so it starts with a new one.
std::atomic<Pool*> current_pool{nullptr};

Pool& pool() {
  Pool* existing = current_pool.load(std::memory_order_acquire);
  if (existing != nullptr) return *existing;
  static std::once_flag registered;
  std::call_once(registered, [] {
    pthread_atfork(nullptr, nullptr, [] {
      inside_region = false;
      current_pool.store(nullptr);
    });
  });
  auto* fresh = new Pool;
  if (current_pool.compare_exchange_strong(existing, fresh)) return *fresh;
  delete fresh;
  return *existing;
}

std::atomic<int> thread_count{0};

}  // namespace

int num_threads() {
  const int count = thread_count.load(std::memory_order_relaxed);
  if (count > 0) return count;
  const int found = default_threads();
  thread_count.store(found, std::memory_order_relaxed);
  return found;
}

void set_num_threads(int count) {
  if (count < 1) throw std::invalid_argument("set_num_threads expects a positive integer");
  thread_count.store(count, std::memory_order_relaxed);
}

namespace detail {

int chunk_count(int64_t n, int64_t grain) {
  if (inside_region) return 1;
  return static_cast<int>(std::min<int64_t>(num_threads(), n / std::max<int64_t>(grain, 1)));
}

void run_chunks(int64_t n, int chunks, ChunkFunction function, const void* body) {
  pool().run(n, chunks, function, body);
}

}  // namespace detail
}  // namespace rush
