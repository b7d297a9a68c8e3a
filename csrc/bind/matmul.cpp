// Matrix products: NumPy's rules for vectors and batches, PyTorch's words for what does not fit.
#include "kernels/matmul.h"

#include "bind/arrays.h"
#include "bind/checks.h"
#include "bind/widen.h"

namespace rush {

void check_scalar_type(DType expected, DType found) {
  if (expected == found) return;
  throw Error(std::string("expected scalar type ") + scalar_name(expected) + " but found " +
              scalar_name(found));
}

namespace {

// Multiplications that take about as long as one pointwise operation.
constexpr int64_t kFlopsPerElement = 16;

// An operand as a stack of matrices; a vector is one row or one column.
struct Stack {
  Array array;
  py::object owner;  // keeps a copy alive
  bool vector = false;

  int64_t size(int from_end) const { return array.shape[array.ndim - from_end]; }
  int64_t stride(int from_end) const {
    return array.strides[array.ndim - from_end] / itemsize(array.dtype);
  }
  int batch_dims() const { return array.ndim - 2; }
  // Of all matrices together.
  int64_t rows() const {
    int64_t count = 1;
    for (int d = 0; d + 1 < array.ndim; ++d) count *= array.shape[d];
    return count;
  }

  void read(py::handle value) {
    array = read_array(value);
    for (int d = 0; d < array.ndim; ++d) {
      // Fields of records lie at distances that are no multiple of their size.
      if (array.strides[d] % itemsize(array.dtype) != 0) {
        Array copy;
        owner = new_array(array.dtype, array.ndim, array.shape, copy);
        copy_into(copy, array);
        array = copy;
        return;
      }
    }
  }

  void append_dim() {
    array.shape[array.ndim] = 1;
    array.strides[array.ndim++] = 0;
    vector = true;
  }
  void make_row() {
    append_dim();
    swap_last();
  }
  void swap_last() {
    std::swap(array.shape[array.ndim - 1], array.shape[array.ndim - 2]);
    std::swap(array.strides[array.ndim - 1], array.strides[array.ndim - 2]);
  }

  // Takes the batch's dimensions into the rows where these are evenly spaced.
  bool fold_batch() {
    int64_t rows = 1, step = 0;
    for (int d = array.ndim - 2; d >= 0; --d) {
      if (array.shape[d] == 1) continue;
      if (rows == 1) {
        step = array.strides[d];
      } else if (array.strides[d] != step * rows) {
        return false;
      }
      rows *= array.shape[d];
    }
    array.shape[array.ndim - 2] = rows;
    array.strides[array.ndim - 2] = step;
    drop_batch();
    return true;
  }

  void drop_batch() {
    std::copy_n(array.shape + batch_dims(), 2, array.shape);
    std::copy_n(array.strides + batch_dims(), 2, array.strides);
    array.ndim = 2;
  }
};

void check_types(const Stack& x, const Stack& y) {
  const DType a = x.array.dtype, b = y.array.dtype;
  const bool batched = x.batch_dims() > 0 || y.batch_dims() > 0;
  if (a != b) {
    if (batched) check_scalar_type(a, b);
    if (x.vector && y.vector) {
      throw Error(std::string("dot : expected both vectors to have same dtype, but found ") +
                  scalar_name(a) + " and " + scalar_name(b));
    }
    if (y.vector) {
      throw Error(std::string("addmv input tensors must have the same dtype, but got ") +
                  scalar_name(b) + ", " + scalar_name(a) + ", and " + scalar_name(b));
    }
    throw Error(std::string("expected m1 and m2 to have the same dtype, but got: ") +
                element_name(a) + " != " + element_name(b));
  }
  if (a == DType::kBool) {
    const char* name = batched                ? "bmm"
                       : x.vector && y.vector ? "dot"
                       : x.vector || y.vector ? "addmv_impl_cpu"
                                              : "addmm_impl_cpu_";
    throw NotImplemented(std::string("\"") + name + "\" not implemented for 'Bool'");
  }
}

// The dimensions before the matrices', broadcast against each other.
struct Batch {
  int ndim = 0;
  int64_t shape[kMaxDims];
  int64_t count = 1;

  Batch(const Stack& x, const Stack& y) {
    ndim = std::max(x.batch_dims(), y.batch_dims());
    for (int d = ndim - 1; d >= 0; --d) {
      const int64_t a = size_of(x, d), b = size_of(y, d);
      if (a != b && a != 1 && b != 1) {
        throw Error("The size of tensor a (" + std::to_string(a) +
                    ") must match the size of tensor b (" + std::to_string(b) +
                    ") at non-singleton dimension " + std::to_string(d));
      }
      shape[d] = a == 1 ? b : a;
      count *= shape[d];
    }
  }

  // Where each matrix of an operand starts, in elements.
  void offsets(const Stack& x, int64_t* out) const {
    const int added = ndim - x.batch_dims();
    int64_t filled = 1;
    out[0] = 0;
    // Each dimension spreads the offsets of the dimensions before it, from the last one down, so
    // that none is overwritten before it is read.
    for (int d = 0; d < ndim; ++d) {
      const int64_t own = d < added ? 1 : x.array.shape[d - added];
      const int64_t step = own == 1 ? 0 : x.array.strides[d - added] / itemsize(x.array.dtype);
      for (int64_t i = filled - 1; i >= 0; --i) {
        for (int64_t j = shape[d] - 1; j >= 0; --j) out[i * shape[d] + j] = out[i] + j * step;
      }
      filled *= shape[d];
    }
  }

 private:
  int64_t size_of(const Stack& x, int d) const {
    const int own = d - (ndim - x.batch_dims());
    return own < 0 ? 1 : x.array.shape[own];
  }
};

[[noreturn]] void refuse_sizes(const Stack& x, const Stack& y, const Batch& batch) {
  const auto text = [](int64_t n) { return std::to_string(n); };
  const int64_t rows = x.rows();
  const std::string inner = text(x.size(1)), other = text(y.size(2));
  const std::string matrix = "(" + text(rows) + "x" + inner;
  if (x.vector && y.vector) {
    throw Error("inconsistent tensor size, expected tensor [" + inner + "] and src [" + other +
                "] to have the same number of elements, but got " + inner + " and " + other +
                " elements respectively");
  }
  if (y.vector) {
    throw Error("size mismatch, got input (" + text(rows) + "), mat " + matrix + "), vec (" +
                other + ")");
  }
  if (y.batch_dims() == 0) {
    throw Error("mat1 and mat2 shapes cannot be multiplied " + matrix + " and " + other + "x" +
                text(y.size(1)) + ")");
  }
  throw Error("Expected size for first two dimensions of batch2 tensor to be: [" +
              text(batch.count) + ", " + inner + "] but got: [" + text(batch.count) + ", " + other +
              "].");
}

template <class T>
const MatmulFunctions<T>& functions(Tag<T>) {
  const MatmulKernels& kernels = matmul();
  if constexpr (std::is_same_v<T, float>) {
    return kernels.of_float;
  } else if constexpr (std::is_same_v<T, double>) {
    return kernels.of_double;
  } else if constexpr (std::is_same_v<T, int64_t>) {
    return kernels.of_int64;
  } else if constexpr (std::is_same_v<T, int32_t>) {
    return kernels.of_int32;
  } else {
    return kernels.of_uint8;
  }
}

template <class T>
void run(Tag<T> tag, const Stack& x, const Stack& y, const Batch& batch, const void* bias,
         const Array& out) {
  const int64_t m = x.size(2), n = y.size(1), k = x.size(1);
  Gemm<T> one = {m,
                 n,
                 k,
                 x.array.as<T>(),
                 x.stride(2),
                 x.stride(1),
                 y.array.as<T>(),
                 y.stride(2),
                 y.stride(1),
                 out.as<T>(),
                 n,
                 1};
  one.column_bias = static_cast<const T*>(bias);
  MaybeReleaseGil release(batch.count * m * n * k / kFlopsPerElement);
  if (batch.count == 1) return functions(tag).gemm(one);
  Buffer<int64_t> x_offsets(batch.count), y_offsets(batch.count);
  batch.offsets(x, x_offsets);
  batch.offsets(y, y_offsets);
  functions(tag).batch({one, batch.count, x_offsets, y_offsets, m * n});
}

void check(const Stack& x, const Stack& y) {
  if (x.size(1) != y.size(2)) refuse_sizes(x, y, Batch(x, y));
  check_types(x, y);
}

// x @ y of operands that fit, plus `bias` (contiguous) in every row.
py::object product(Stack& x, Stack& y, const void* bias) {
  const Batch shape(x, y);
  int64_t sizes[kMaxDims];
  int ndim = shape.ndim;
  std::copy_n(shape.shape, ndim, sizes);
  if (!x.vector) sizes[ndim++] = x.size(2);
  if (!y.vector) sizes[ndim++] = y.size(1);
  Array out;
  py::object result = new_array(x.array.dtype, ndim, sizes, out);
  if (out.numel() == 0) return result;
  bool one_matrix = true;
  for (int d = 0; d < y.batch_dims(); ++d) one_matrix &= y.array.shape[d] == 1;
  const bool folded = shape.count > 1 && one_matrix && x.fold_batch();
  if (folded) y.drop_batch();
  dispatch(x.array.dtype, [&](auto tag) {
    if constexpr (!std::is_same_v<typename decltype(tag)::type, bool>) {
      run(tag, x, y, folded ? Batch(x, y) : shape, bias, out);
    }
  });
  return result;
}

py::object matmul_arrays(py::handle left, py::handle right) {
  Stack x, y;
  x.read(left);
  y.read(right);
  if (x.array.ndim == 0 || y.array.ndim == 0) {
    throw Error("both arguments to matmul need to be at least 1D, but they are " +
                std::to_string(x.array.ndim) + "D and " + std::to_string(y.array.ndim) + "D");
  }
  if (x.array.ndim == 1) x.make_row();
  if (y.array.ndim == 1) y.append_dim();
  check(x, y);
  return product(x, y, nullptr);
}

// The bias as one value for each of `n` columns.
const void* read_bias(py::handle bias, DType dtype, int64_t rows, int64_t n, py::object& owner) {
  if (bias.is_none()) return nullptr;
  Array values = read_array(bias);
  if (values.dtype != dtype) {
    throw Error(std::string("self and mat2 must have the same dtype, but got ") +
                scalar_name(values.dtype) + " and " + scalar_name(dtype));
  }
  const int64_t size = values.ndim ? values.shape[values.ndim - 1] : 1;
  if (values.ndim > 1 || (size != n && size != 1)) {
    const int64_t target[] = {rows, n};
    throw Error("The expanded size of the tensor (" + std::to_string(n) +
                ") must match the existing size (" + std::to_string(size) +
                ") at non-singleton dimension 1.  Target sizes: " + shape_text(2, target) +
                ".  Tensor sizes: " + shape_text(values));
  }
  if (size == n && values.contiguous()) return values.data;
  Array copy;
  owner = new_array(dtype, {n}, copy);
  copy_into(copy, values);
  return copy.data;
}

py::object linear(py::handle input, py::handle weight, py::handle bias) {
  Stack x, w;
  x.read(input);
  w.read(weight);
  if (x.array.ndim == 0 || w.array.ndim == 0) {
    throw Error("both arguments to linear need to be at least 1D, but they are " +
                std::to_string(x.array.ndim) + "D and " + std::to_string(w.array.ndim) + "D");
  }
  if (w.array.ndim != 2) {
    throw Error("mat2 must be a matrix, got " + std::to_string(w.array.ndim) + "-D tensor");
  }
  if (x.array.dtype != w.array.dtype) {
    throw Error(std::string("mat1 and mat2 must have the same dtype, but got ") +
                scalar_name(x.array.dtype) + " and " + scalar_name(w.array.dtype));
  }
  if (x.array.ndim == 1) x.make_row();
  w.swap_last();
  check(x, w);
  py::object owner;
  return product(x, w, read_bias(bias, x.array.dtype, x.rows(), w.size(1), owner));
}

}  // namespace

void bind_matmul(py::module_& m) {
  m.def("matmul", in_computed_type(&matmul_arrays), py::arg("x"), py::arg("y"));
  m.def("linear", in_computed_type(&linear), py::arg("x"), py::arg("weight"), py::arg("bias"));
}

}  // namespace rush
