// One thread pool for every kernel. Work is cut into contiguous chunks, one per thread, so that
// results depend on the number of threads only.
#pragma once

#include <cstdint>
#include <type_traits>

namespace rush {

int num_threads();
void set_num_threads(int count);

namespace detail {

using ChunkFunction = void (*)(const void* body, int64_t begin, int64_t end);
// Runs `chunks` chunks of [0, n), the first on the caller's thread; the first exception of any
// chunk is thrown again here.
void run_chunks(int64_t n, int chunks, ChunkFunction function, const void* body);
// How many chunks [0, n) is worth: 1 inside another parallel region.
int chunk_count(int64_t n, int64_t grain);

}  // namespace detail

// Calls body(begin, end) over [0, n); no chunk is shorter than `grain` unless n is.
template <class F>
void parallel_for(int64_t n, int64_t grain, F&& body) {
  if (n <= 0) return;
  const int chunks = n <= grain ? 1 : detail::chunk_count(n, grain);
  if (chunks <= 1) {
    body(int64_t{0}, n);
    return;
  }
  detail::run_chunks(
      n, chunks,
      [](const void* f, int64_t begin, int64_t end) {
        (*static_cast<const std::remove_reference_t<F>*>(f))(begin, end);
      },
      &body);
}

}  // namespace rush
