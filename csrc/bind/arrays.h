// NumPy arrays and Python numbers as kernel operands; pooled NumPy arrays as results.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <initializer_list>
#include <vector>

#include "allocator.h"
#include "array.h"

namespace rush {

namespace py = pybind11;

// Below this many element operations the GIL is kept: releasing it costs more than it gives.
constexpr int64_t kReleaseGilAbove = 16384;
// Elements of pointwise work worth a thread.
constexpr int64_t kGrain = 16384;

// Releases the GIL for the scope's lifetime when the work is long enough.
class MaybeReleaseGil {
 public:
  explicit MaybeReleaseGil(int64_t work) {
    if (work > kReleaseGilAbove) state_ = PyEval_SaveThread();
  }
  ~MaybeReleaseGil() {
    if (state_ != nullptr) PyEval_RestoreThread(state_);
  }
  MaybeReleaseGil(const MaybeReleaseGil&) = delete;
  MaybeReleaseGil& operator=(const MaybeReleaseGil&) = delete;

 private:
  PyThreadState* state_ = nullptr;
};

// How an operand takes part in type promotion: dimensioned arrays before 0-dim ones before numbers.
enum class Rank : int8_t { kNumber, kZeroDim, kDimensioned };

// An array or a Python number (bool, int, float) as operand of a kernel. A number's value lives in
// the operand itself, so an Operand must not be copied or moved.
struct Operand {
  Array array;
  Rank rank = Rank::kDimensioned;
  py::object owner;  // keeps a converted array alive

  Operand() = default;
  explicit Operand(py::handle value) { read(value); }
  Operand(const Operand&) = delete;
  Operand& operator=(const Operand&) = delete;

  void read(py::handle value);
  // Replaces the data by a copy of type `dtype`; nothing to do when it has it already.
  void convert(DType dtype);
  // Throws for a number that is too large for `dtype`.
  void check_fits(DType dtype) const;

 private:
  alignas(8) char number_[8];
};

// Whether `value` is exactly a numpy.ndarray (a subclass belongs to another backend).
bool is_array(py::handle value);
// The view of a numpy.ndarray; throws TypeError for anything else and for unknown element types.
Array read_array(py::handle value);
// The same, contiguous: `owner` keeps the copy where one had to be made.
Array read_contiguous(py::handle value, py::object& owner);

// A new C-contiguous array of undefined contents in pooled memory; `view` describes it.
py::object new_array(DType dtype, int ndim, const int64_t* shape, Array& view);
py::object new_array(DType dtype, std::initializer_list<int64_t> shape, Array& view);

// Throws for memory that is read-only or of which several elements share a place.
void check_writable(py::handle out, const Array& x);
// Checks that `out` can hold a result and returns its view.
Array read_out(py::handle out, int ndim, const int64_t* shape, DType result);

// out[...] = x[...], with broadcasting and conversion.
void copy_into(const Array& out, const Array& x);

// PyTorch's result type of the operands.
DType result_type(const Operand* const* operands, int count);

// The type of Python floats, float32 unless set_default_dtype() says otherwise.
DType& default_floating();

DType dtype_from_numpy(py::handle descr);
py::object numpy_dtype(DType dtype);

// A dim or a tuple of dims, wrapped into [0, ndim); None gives all dims.
std::vector<int> read_dims(py::handle dims, int ndim);
int wrap_dim(int64_t dim, int ndim);
std::vector<int64_t> read_sizes(py::handle sizes);

// Families of bindings, one function a file.
void bind_arrays(py::module_& m);
void bind_pointwise(py::module_& m);
void bind_reduce(py::module_& m);
void bind_order(py::module_& m);
void bind_scan(py::module_& m);
void bind_matmul(py::module_& m);
void bind_nn(py::module_& m);
void bind_softmax(py::module_& m);
void bind_norm(py::module_& m);
void bind_rows(py::module_& m);
void bind_graph(py::module_& m);
void bind_index(py::module_& m);
void bind_loss(py::module_& m);
void bind_random(py::module_& m);
void bind_optim(py::module_& m);

}  // namespace rush
