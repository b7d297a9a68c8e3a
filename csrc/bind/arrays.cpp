#include "bind/arrays.h"

#include <cmath>
#include <cstring>
#include <limits>

#include "convert.h"
#include "strided.h"

namespace rush {
namespace {

// The owner of a pooled block: the base object of the arrays that view it.
struct Block {
  PyObject_HEAD void* data;
  size_t bytes;
};

void block_dealloc(PyObject* self) {
  auto* block = reinterpret_cast<Block*>(self);
  release(block->data, block->bytes);
  PyTypeObject* type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

PyTypeObject* block_type() {
  static PyTypeObject* type = [] {
    static PyType_Slot slots[] = {{Py_tp_dealloc, reinterpret_cast<void*>(block_dealloc)},
                                  {0, nullptr}};
    static PyType_Spec spec = {"rushlight._kernels.Block", sizeof(Block), 0,
                               Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};
    return reinterpret_cast<PyTypeObject*>(PyType_FromSpec(&spec));
  }();
  return type;
}

const py::detail::npy_api& numpy() {
  static const py::detail::npy_api& api = py::detail::npy_api::get();
  return api;
}

using Api = py::detail::npy_api;
constexpr int kNumpyHalf = 23;  // NPY_HALF, which pybind11 does not name
constexpr int kCArray =
    Api::NPY_ARRAY_C_CONTIGUOUS_ | Api::NPY_ARRAY_ALIGNED_ | Api::NPY_ARRAY_WRITEABLE_;

PyObject* load_descriptor(DType dtype) {
  if (dtype == DType::kBfloat16) {
    const py::object type = py::module_::import("ml_dtypes").attr("bfloat16");
    return py::dtype::from_args(type).release().ptr();
  }
  static constexpr int kNumbers[kDTypes] = {Api::NPY_BOOL_,
                                            Api::NPY_UBYTE_,
                                            Api::NPY_BYTE_,
                                            Api::NPY_SHORT_,
                                            Api::NPY_INT32_,
                                            Api::NPY_INT64_,
                                            Api::NPY_USHORT_,
                                            Api::NPY_UINT32_,
                                            Api::NPY_UINT64_,
                                            kNumpyHalf,
                                            -1,
                                            Api::NPY_FLOAT_,
                                            Api::NPY_DOUBLE_};
  return numpy().PyArray_DescrFromType_(kNumbers[static_cast<int>(dtype)]);
}

PyObject* descriptors[kDTypes] = {};

PyObject* descriptor(DType dtype) {
  PyObject*& entry = descriptors[static_cast<int>(dtype)];
  if (entry == nullptr) entry = load_descriptor(dtype);
  return entry;
}

// The canonical descriptors are singletons, so identity settles nearly every call. The first array
// of a type loads its descriptor: no program should import ml_dtypes for nothing.
DType element_type(PyObject* descr) {
  for (int i = kDTypes - 1; i >= 0; --i) {
    if (descriptors[i] == descr) return static_cast<DType>(i);
  }
  return dtype_from_numpy(descr);
}

template <class T>
void store(char* where, T value) {
  std::memcpy(where, &value, sizeof value);
}

}  // namespace

DType dtype_from_numpy(py::handle descr) {
  const auto dtype = py::dtype::from_args(py::reinterpret_borrow<py::object>(descr));
  for (int i = 0; i < kDTypes; ++i) {
    const auto candidate = static_cast<DType>(i);
    if (candidate == DType::kBfloat16 && dtype.kind() != 'V') continue;
    if (dtype.equal(py::reinterpret_borrow<py::object>(descriptor(candidate)))) return candidate;
  }
  throw TypeError("element type " + std::string(py::str(dtype)) + " is not supported");
}

py::object numpy_dtype(DType dtype) {
  return py::reinterpret_borrow<py::object>(descriptor(dtype));
}

bool is_array(py::handle value) {
  return reinterpret_cast<PyObject*>(Py_TYPE(value.ptr())) ==
         reinterpret_cast<PyObject*>(numpy().PyArray_Type_);
}

Array read_array(py::handle value) {
  if (!is_array(value)) {
    throw TypeError("expected a numpy.ndarray, got " + std::string(Py_TYPE(value.ptr())->tp_name));
  }
  const auto* proxy = py::detail::array_proxy(value.ptr());
  if (proxy->nd > kMaxDims) throw Error("tensors of more than 32 dimensions are not supported");
  Array x;
  x.data = proxy->data;
  x.dtype = element_type(proxy->descr);
  x.ndim = proxy->nd;
  for (int d = 0; d < x.ndim; ++d) {
    x.shape[d] = proxy->dimensions[d];
    x.strides[d] = proxy->strides[d];
  }
  return x;
}

Array read_contiguous(py::handle value, py::object& owner) {
  const Array x = read_array(value);
  if (x.contiguous()) {
    owner = py::reinterpret_borrow<py::object>(value);
    return x;
  }
  Array copy;
  owner = new_array(x.dtype, x.ndim, x.shape, copy);
  copy_into(copy, x);
  return copy;
}

void Operand::read(py::handle value) {
  if (is_array(value)) {
    array = read_array(value);
    rank = array.ndim == 0 ? Rank::kZeroDim : Rank::kDimensioned;
    return;
  }
  array.data = number_;
  array.ndim = 0;
  rank = Rank::kNumber;
  PyObject* p = value.ptr();
  if (PyBool_Check(p)) {
    array.dtype = DType::kBool;
    store(number_, p == Py_True);
  } else if (PyLong_Check(p)) {
    int overflow = 0;
    const long long number = PyLong_AsLongLongAndOverflow(p, &overflow);
    array.dtype = overflow > 0 ? DType::kUint64 : DType::kInt64;
    store<uint64_t>(number_,
                    overflow > 0 ? PyLong_AsUnsignedLongLong(p) : static_cast<uint64_t>(number));
    if (overflow < 0) PyErr_SetString(PyExc_OverflowError, "Overflow when unpacking long long");
    if (PyErr_Occurred()) throw py::error_already_set();
  } else if (PyFloat_Check(p)) {
    array.dtype = DType::kFloat64;
    store(number_, PyFloat_AS_DOUBLE(p));
  } else {
    throw TypeError("expected a Tensor on the CPU or a number, got " +
                    std::string(Py_TYPE(p)->tp_name));
  }
}

void Operand::convert(DType dtype) {
  if (array.dtype == dtype) return;
  if (array.ndim == 0) {
    alignas(8) char converted[8];
    char* data[2] = {converted, array.data};
    const int64_t strides[2] = {0, 0};
    Cast(dtype, array.dtype)(1, data, strides);
    std::memcpy(number_, converted, sizeof number_);
    array.data = number_;
    array.dtype = dtype;
    return;
  }
  Array copy;
  owner = new_array(dtype, array.ndim, array.shape, copy);
  copy_into(copy, array);
  array = copy;
}

namespace {

// The largest finite number of a type; of an integer type rounded up to a float64.
double largest(DType dtype) {
  switch (dtype) {
    case DType::kFloat16:
      return 65504;
    case DType::kBfloat16:
      return 0x1.fep127;
    case DType::kFloat32:
      return std::numeric_limits<float>::max();
    case DType::kFloat64:
      return std::numeric_limits<double>::max();
    default:
      return std::ldexp(1.0, integer_digits(dtype)) - 1;
  }
}

std::string number_type_name(DType dtype) {
  if (dtype == DType::kInt32 || category(dtype) == Category::kFloating) return element_name(dtype);
  return std::string(dtype_name(dtype)) + "_t";
}

// A whole number of up to 64 bits in an integer type. An unsigned one takes negative numbers too,
// which wrap.
bool fits_integer(const Array& number, DType dtype) {
  const __int128 value = number.dtype == DType::kUint64 ? __int128{*number.as<uint64_t>()}
                                                        : __int128{*number.as<int64_t>()};
  const __int128 bound = __int128{1} << integer_digits(dtype);
  return value < bound && (value > -bound || (value == -bound && is_signed(dtype)));
}

bool fits_real(const Array& number, DType dtype) {
  double value;
  char* const data[2] = {reinterpret_cast<char*>(&value), number.data};
  const int64_t strides[2] = {0, 0};
  Cast(DType::kFloat64, number.dtype)(1, data, strides);
  const double most = largest(dtype);
  if (category(dtype) == Category::kFloating) return !(std::abs(value) > most) || std::isinf(value);
  return value >= (is_signed(dtype) ? -most - 1 : -most) && value <= most;
}

}  // namespace

void Operand::check_fits(DType dtype) const {
  if (rank != Rank::kNumber || array.dtype == DType::kBool || dtype == DType::kBool) return;
  const bool whole =
      category(array.dtype) == Category::kIntegral && category(dtype) == Category::kIntegral;
  if (whole ? fits_integer(array, dtype) : fits_real(array, dtype)) return;
  throw Error("value cannot be converted to type " + number_type_name(dtype) + " without overflow");
}

py::object new_array(DType dtype, int ndim, const int64_t* shape, Array& view) {
  size_t bytes = static_cast<size_t>(itemsize(dtype));
  for (int d = 0; d < ndim; ++d) {
    if (shape[d] < 0) {
      throw Error("Trying to create tensor with negative dimension " + std::to_string(shape[d]) +
                  ": " + shape_text(ndim, shape));
    }
    if (__builtin_mul_overflow(bytes, static_cast<size_t>(shape[d]), &bytes)) {
      throw Error("Storage size calculation overflowed with sizes=" + shape_text(ndim, shape));
    }
  }
  auto* block = PyObject_New(Block, block_type());
  if (block == nullptr) throw py::error_already_set();
  block->bytes = bytes;
  try {
    block->data = allocate(bytes);
  } catch (...) {
    PyObject_Free(block);
    Py_DECREF(block_type());
    throw;
  }
  view.data = static_cast<char*>(block->data);
  view.dtype = dtype;
  view.ndim = ndim;
  int64_t stride = itemsize(dtype);
  for (int d = ndim - 1; d >= 0; --d) {
    view.shape[d] = shape[d];
    view.strides[d] = stride;
    stride *= shape[d];
  }
  PyObject* descr = descriptor(dtype);
  Py_INCREF(descr);
  static_assert(sizeof(Py_intptr_t) == sizeof(int64_t));
  PyObject* array = numpy().PyArray_NewFromDescr_(numpy().PyArray_Type_, descr, ndim,
                                                  reinterpret_cast<const Py_intptr_t*>(shape),
                                                  nullptr, block->data, kCArray, nullptr);
  if (array == nullptr) {
    Py_DECREF(block);
    throw py::error_already_set();
  }
  numpy().PyArray_SetBaseObject_(array, reinterpret_cast<PyObject*>(block));  // steals block
  return py::reinterpret_steal<py::object>(array);
}

py::object new_array(DType dtype, std::initializer_list<int64_t> shape, Array& view) {
  return new_array(dtype, static_cast<int>(shape.size()), shape.begin(), view);
}

void check_writable(py::handle out, const Array& x) {
  if (x.numel() == 0) return;
  for (int d = 0; d < x.ndim; ++d) {
    if (x.shape[d] > 1 && x.strides[d] == 0) {
      throw Error(
          "unsupported operation: more than one element of the written-to tensor refers to a "
          "single memory location. Please clone() the tensor before performing the operation.");
    }
  }
  if (!py::detail::check_flags(out.ptr(), Api::NPY_ARRAY_WRITEABLE_)) {
    throw Error("the output tensor views read-only memory");
  }
}

Array read_out(py::handle out, int ndim, const int64_t* shape, DType result) {
  const Array view = read_array(out);
  if (category(result) > category(view.dtype)) {
    throw Error(std::string("result type ") + scalar_name(result) +
                " can't be cast to the desired output type " + scalar_name(view.dtype));
  }
  bool same = view.ndim == ndim;
  for (int d = 0; same && d < ndim; ++d) same = view.shape[d] == shape[d];
  if (!same) {
    throw Error("output with shape " + shape_text(view) + " doesn't match the broadcast shape " +
                shape_text(ndim, shape));
  }
  check_writable(out, view);
  return view;
}

void copy_into(const Array& out, const Array& x) {
  const Walk<2> walk = plan_walk<2>(out.ndim, out.shape, {&out, &x});
  for_each_run(walk, kGrain, Cast(out.dtype, x.dtype));
}

DType result_type(const Operand* const* operands, int count) {
  // One candidate for each rank; a lower rank counts only with a higher category.
  constexpr int kRanks = 3;
  bool present[kRanks] = {};
  DType best[kRanks] = {};
  for (int i = 0; i < count; ++i) {
    const int rank = static_cast<int>(operands[i]->rank);
    const DType dtype = operands[i]->array.dtype;
    best[rank] = present[rank] ? promote(best[rank], dtype) : dtype;
    present[rank] = true;
  }
  // A Python float has the default type unless an array says otherwise.
  constexpr int kNumber = static_cast<int>(Rank::kNumber);
  if (present[kNumber] && best[kNumber] == DType::kFloat64) best[kNumber] = default_floating();
  int rank = kRanks - 1;
  while (!present[rank]) --rank;
  DType result = best[rank];
  for (--rank; rank >= 0; --rank) {
    if (present[rank] && category(best[rank]) > category(result)) {
      result = promote(result, best[rank]);
    }
  }
  return result;
}

int wrap_dim(int64_t dim, int ndim) {
  const int64_t bound = ndim == 0 ? 1 : ndim;
  if (dim < -bound || dim >= bound) {
    throw std::out_of_range("Dimension out of range (expected to be in range of [" +
                            std::to_string(-bound) + ", " + std::to_string(bound - 1) +
                            "], but got " + std::to_string(dim) + ")");
  }
  return static_cast<int>(dim < 0 ? dim + bound : dim);
}

DType& default_floating() {
  static DType dtype = DType::kFloat32;
  return dtype;
}

namespace {

// A view of `x` with dimensions of size 1 repeated; -1 keeps a size.
py::object expand(py::handle input, const std::vector<int64_t>& shape) {
  const Array x = read_array(input);
  const int ndim = static_cast<int>(shape.size());
  const int added = ndim - x.ndim;
  if (added < 0) {
    throw Error("expand: the number of sizes provided (" + std::to_string(ndim) +
                ") must be greater or equal to the number of dimensions in the tensor (" +
                std::to_string(x.ndim) + ")");
  }
  Py_intptr_t sizes[kMaxDims], strides[kMaxDims];
  for (int d = 0; d < ndim; ++d) {
    const int64_t own = d < added ? 1 : x.shape[d - added];
    sizes[d] = shape[d] == -1 && d >= added ? own : shape[d];
    if (sizes[d] < 0) {
      throw Error("The expanded size of the tensor (" + std::to_string(sizes[d]) +
                  ") isn't allowed in a leading, non-existing dimension " + std::to_string(d));
    }
    if (sizes[d] != own && own != 1) {
      throw Error("The expanded size of the tensor (" + std::to_string(sizes[d]) +
                  ") must match the existing size (" + std::to_string(own) +
                  ") at non-singleton dimension " + std::to_string(d) + ".  Target sizes: " +
                  shape_text(ndim, shape.data()) + ".  Tensor sizes: " + shape_text(x));
    }
    const bool keeps = d >= added && sizes[d] == own;
    strides[d] = keeps ? x.strides[d - added] : 0;
  }
  PyObject* descr = descriptor(x.dtype);
  Py_INCREF(descr);
  // Kernels refuse to write where one place stands for several elements, see check_writable.
  const int flags = py::detail::check_flags(input.ptr(), Api::NPY_ARRAY_WRITEABLE_)
                        ? Api::NPY_ARRAY_WRITEABLE_
                        : 0;
  PyObject* view = numpy().PyArray_NewFromDescr_(numpy().PyArray_Type_, descr, ndim, sizes, strides,
                                                 x.data, flags, nullptr);
  if (view == nullptr) throw py::error_already_set();
  numpy().PyArray_SetBaseObject_(view, input.inc_ref().ptr());
  return py::reinterpret_steal<py::object>(view);
}

}  // namespace

void bind_arrays(py::module_& m) {
  m.def("expand", &expand, py::arg("x"), py::arg("shape"),
        "A view with dimensions of size 1 repeated.");
  m.def(
      "empty",
      [](const std::vector<int64_t>& shape, const py::object& dtype) {
        Array view;
        return new_array(dtype_from_numpy(dtype), static_cast<int>(shape.size()), shape.data(),
                         view);
      },
      py::arg("shape"), py::arg("dtype"), "An array of undefined contents in pooled memory.");
  m.def(
      "result_type",
      [](const py::args& values) {
        std::vector<Operand> operands(values.size());
        std::vector<const Operand*> all;
        for (size_t i = 0; i < values.size(); ++i) {
          operands[i].read(values[i]);
          all.push_back(&operands[i]);
        }
        return numpy_dtype(result_type(all.data(), static_cast<int>(all.size())));
      },
      "PyTorch's result type of arrays and numbers.");
  m.def(
      "set_default_floating",
      [](const py::object& dtype) { default_floating() = dtype_from_numpy(dtype); },
      py::arg("dtype"), "The type of Python floats among tensors of lower categories.");
  m.def(
      "promote_types",
      [](const py::object& a, const py::object& b) {
        return numpy_dtype(promote(dtype_from_numpy(a), dtype_from_numpy(b)));
      },
      py::arg("a"), py::arg("b"), "The type that holds both.");
  m.def(
      "scalar_name", [](const py::object& dtype) { return scalar_name(dtype_from_numpy(dtype)); },
      py::arg("dtype"), "PyTorch's name of a type in messages, such as Float.");
}

std::vector<int64_t> read_sizes(py::handle sizes) { return py::cast<std::vector<int64_t>>(sizes); }

std::vector<int> read_dims(py::handle dims, int ndim) {
  std::vector<int> result;
  bool seen[kMaxDims] = {};
  const auto add = [&](int64_t dim) {
    const int wrapped = wrap_dim(dim, ndim);
    if (seen[wrapped]) {
      throw Error("dim " + std::to_string(wrapped) + " appears multiple times in the list of dims");
    }
    seen[wrapped] = true;
    if (ndim > 0) result.push_back(wrapped);
  };
  if (PyLong_Check(dims.ptr())) {
    add(py::cast<int64_t>(dims));
  } else if (!dims.is_none()) {
    for (const int64_t dim : read_sizes(dims)) add(dim);
  }
  if (result.empty()) {  // None and () reduce everything, as in PyTorch
    for (int d = 0; d < ndim; ++d) result.push_back(d);
  }
  return result;
}

}  // namespace rush
