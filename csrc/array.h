// A view of memory: what a kernel knows of an array.
#pragma once

#include <cstdint>
#include <string>

#include "dtype.h"

namespace rush {

constexpr int kMaxDims = 32;

struct Array {
  char* data = nullptr;
  DType dtype = DType::kFloat32;
  int ndim = 0;
  int64_t shape[kMaxDims];
  int64_t strides[kMaxDims];  // bytes

  int64_t numel() const {
    int64_t n = 1;
    for (int i = 0; i < ndim; ++i) n *= shape[i];
    return n;
  }

  bool contiguous() const {
    int64_t expected = itemsize(dtype);
    for (int i = ndim - 1; i >= 0; --i) {
      if (shape[i] != 1 && strides[i] != expected) return false;
      expected *= shape[i];
    }
    return true;
  }

  template <class T>
  T* as() const {
    return reinterpret_cast<T*>(data);
  }
};

// "[2, 3]", the form PyTorch's messages use.
inline std::string shape_text(int ndim, const int64_t* shape) {
  std::string text = "[";
  for (int i = 0; i < ndim; ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + "]";
}

inline std::string shape_text(const Array& x) { return shape_text(x.ndim, x.shape); }

}  // namespace rush
