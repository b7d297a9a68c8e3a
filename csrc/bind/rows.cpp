// Adding rows to the rows of a table.
#include "kernels/rows.h"

#include "bind/arrays.h"
#include "bind/widen.h"

namespace rush {
namespace {

py::object rows_sum(py::handle g_, const std::vector<int64_t>& shape, py::handle index_) {
  py::object g_owner, index_owner, index_copy;
  const Array g = read_contiguous(g_, g_owner), given = read_contiguous(index_, index_owner);
  Array index = given;
  if (given.dtype != DType::kInt64) {
    index_copy = new_array(DType::kInt64, given.ndim, given.shape, index);
    copy_into(index, given);
  }
  int64_t n = 1;
  for (size_t d = 1; d < shape.size(); ++d) n *= shape[d];
  const int64_t count = index.numel(), size = shape.empty() ? 0 : shape[0];
  if (shape.empty() || g.numel() != count * n) {
    throw Error("rows_sum: the rows must have the shape of the index and of a row; got " +
                shape_text(g));
  }
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = index.as<int64_t>()[i];
    if (place < 0 || place >= size) throw Error("rows_sum: index out of range");
  }
  Array out;
  py::object result = new_array(g.dtype, static_cast<int>(shape.size()), shape.data(), out);
  const auto run = [&](auto kernel, auto* source, auto* target) {
    MaybeReleaseGil release(g.numel() + out.numel());
    kernel(size, n, count, index.as<int64_t>(), source, target);
  };
  switch (g.dtype) {
    case DType::kFloat32:
      run(rows().of_float, g.as<float>(), out.as<float>());
      break;
    case DType::kFloat64:
      run(rows().of_double, g.as<double>(), out.as<double>());
      break;
    case DType::kInt64:
      run(rows().of_integer, g.as<int64_t>(), out.as<int64_t>());
      break;
    default:
      throw NotImplemented(std::string("\"rows_sum\" not implemented for '") + dtype_name(g.dtype) +
                           "'");
  }
  return result;
}

}  // namespace

void bind_rows(py::module_& m) {
  m.def("rows_sum", in_computed_type(&rows_sum), py::arg("g"), py::arg("shape"), py::arg("index"),
        "Zeros of `shape` with `g` added at the rows `index`.");
}

}  // namespace rush
