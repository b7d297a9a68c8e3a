#include "kernels/softmax.h"

#include "bind/arrays.h"
#include "bind/widen.h"
#include "parallel.h"

namespace rush {
namespace {

constexpr int64_t kGrainExponentials = 4096;

// The view of x with dimension `dim` moved to the end: the rows of a softmax.
Array as_rows(Array x, int dim) {
  for (int d = dim; d + 1 < x.ndim; ++d) {
    std::swap(x.shape[d], x.shape[d + 1]);
    std::swap(x.strides[d], x.strides[d + 1]);
  }
  return x;
}

py::object dense_rows(const Array& x, int dim, Array& rows, py::handle original) {
  rows = as_rows(x, dim);
  if (rows.contiguous()) return py::reinterpret_borrow<py::object>(original);
  const Array strided = rows;
  py::object owner = new_array(x.dtype, x.ndim, strided.shape, rows);
  copy_into(rows, strided);
  return owner;
}

template <class T>
const SoftmaxLoops<T>& loops() {
  if constexpr (std::is_same_v<T, float>) {
    return softmax().of_float;
  } else {
    return softmax().of_double;
  }
}

// Runs `run(Tag<T>, rows, n, inputs..., out)` over dense rows and gives the result x's shape.
template <class F>
py::object over_rows(const char* name, py::handle first, py::handle second, int64_t dim, F&& run) {
  const Array x = read_array(first);
  const int axis = wrap_dim(dim, x.ndim);
  Array a, b, out;
  const py::object a_owner = dense_rows(x, axis, a, first);
  py::object b_owner;
  if (!second.is_none()) {
    const Array y = read_array(second);
    if (y.dtype != x.dtype || y.ndim != x.ndim || !std::equal(y.shape, y.shape + y.ndim, x.shape)) {
      throw Error(std::string(name) + ": the operands must agree; got shapes " + shape_text(x) +
                  " and " + shape_text(y) + ", types " + dtype_name(x.dtype) + " and " +
                  dtype_name(y.dtype));
    }
    b_owner = dense_rows(y, axis, b, second);
  }
  py::object result = new_array(x.dtype, x.ndim, x.shape, out);
  const int64_t n = x.ndim ? x.shape[axis] : 1;
  const int64_t total = x.numel();
  if (total == 0) return result;
  Array rows = as_rows(out, axis);
  py::object temporary;
  if (!rows.contiguous()) temporary = new_array(x.dtype, x.ndim, rows.shape, rows);
  {
    MaybeReleaseGil release(total * 4);
    dispatch_floating(x.dtype, name, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const int64_t grain = std::max<int64_t>(1, kGrainExponentials / n);
      parallel_for(total / n, grain, [&](int64_t begin, int64_t end) {
        const T* y = b_owner ? b.as<T>() + begin * n : nullptr;
        run(loops<T>(), end - begin, n, a.as<T>() + begin * n, y, rows.as<T>() + begin * n);
      });
    });
    if (temporary) copy_into(as_rows(out, axis), rows);
  }
  return result;
}

}  // namespace

void bind_softmax(py::module_& m) {
  m.def("softmax", in_computed_type(+[](py::handle x, int64_t dim) {
          return over_rows("softmax", x, py::none(), dim,
                           [](const auto& k, int64_t rows, int64_t n, auto* a, auto*, auto* out) {
                             k.softmax(rows, n, a, out);
                           });
        }),
        py::arg("x"), py::arg("dim"));
  m.def("log_softmax", in_computed_type(+[](py::handle x, int64_t dim) {
          return over_rows("log_softmax", x, py::none(), dim,
                           [](const auto& k, int64_t rows, int64_t n, auto* a, auto*, auto* out) {
                             k.log_softmax(rows, n, a, out);
                           });
        }),
        py::arg("x"), py::arg("dim"));
  m.def("softmax_backward", in_computed_type(+[](py::handle g, py::handle out, int64_t dim) {
          return over_rows("softmax_backward", g, out, dim,
                           [](const auto& k, int64_t rows, int64_t n, auto* a, auto* b, auto* gx) {
                             k.softmax_backward(rows, n, a, b, gx);
                           });
        }),
        py::arg("g"), py::arg("out"), py::arg("dim"));
  m.def("log_softmax_backward", in_computed_type(+[](py::handle g, py::handle out, int64_t dim) {
          return over_rows("log_softmax_backward", g, out, dim,
                           [](const auto& k, int64_t rows, int64_t n, auto* a, auto* b, auto* gx) {
                             k.log_softmax_backward(rows, n, a, b, gx);
                           });
        }),
        py::arg("g"), py::arg("out"), py::arg("dim"));
}

}  // namespace rush
