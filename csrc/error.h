// Exceptions that the bindings turn into Python's: Error -> RuntimeError, TypeError -> TypeError,
// OutOfMemory -> rushlight.OutOfMemoryError; std::invalid_argument, std::out_of_range as usual.
#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>

namespace rush {

struct Error : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct TypeError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct NotImplemented : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct OutOfMemory : std::runtime_error {
  explicit OutOfMemory(size_t bytes)
      : std::runtime_error("DefaultCPUAllocator: can't allocate memory: you tried to allocate " +
                           std::to_string(bytes) + " bytes.") {}
};

}  // namespace rush
