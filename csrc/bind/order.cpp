#include "kernels/order.h"

#include "bind/arrays.h"
#include "strided.h"

namespace rush {
namespace {

// Element comparisons are worth so many additions when it comes to sharing work among threads.
constexpr int64_t kGrainOrder = kGrain / 16;

KeyRule key_rule(DType dtype, bool descending) {
  const uint64_t infinity = dtype == DType::kFloat16    ? 0x7c00
                            : dtype == DType::kBfloat16 ? 0x7f80
                            : dtype == DType::kFloat32  ? 0x7f800000
                            : dtype == DType::kFloat64  ? 0x7ff0000000000000
                                                        : 0;
  return {is_signed(dtype), infinity, descending};
}

const OrderLoops& loops_of(const Array& x, int64_t n) {
  int width = 0;
  while ((int64_t{1} << width) < itemsize(x.dtype)) ++width;
  const OrderLoops& loops = order().of_width[width];
  if (n > loops.longest) throw NotImplemented("sort: a row of so many elements is not supported");
  return loops;
}

// The array without dimension `dim`, for walks from row to row.
Array without(Array x, int dim) {
  for (int d = dim; d + 1 < x.ndim; ++d) {
    x.shape[d] = x.shape[d + 1];
    x.strides[d] = x.strides[d + 1];
  }
  --x.ndim;
  return x;
}

// A 0-dim array is a row of one element.
Array with_rows(Array x) {
  if (x.ndim == 0) {
    x.ndim = 1;
    x.shape[0] = 1;
    x.strides[0] = 0;
  }
  return x;
}

py::object selected(py::handle input, int64_t dim, int64_t first, int64_t last, bool descending) {
  const Array source = read_array(input);
  const Array x = with_rows(source);
  const int axis = wrap_dim(dim, source.ndim);
  const int64_t n = x.shape[axis];
  if (first < 0 || first > last || last > n) throw Error("selected index k out of range");
  const OrderLoops& loops = loops_of(x, n);
  const KeyRule rule = key_rule(x.dtype, descending);
  Array values, indices;
  int64_t shape[kMaxDims];
  std::copy(x.shape, x.shape + x.ndim, shape);
  shape[axis] = last - first;
  const py::object chosen = new_array(x.dtype, source.ndim, shape, values);
  const py::object places = new_array(DType::kInt64, source.ndim, shape, indices);
  if (values.numel() == 0) return py::make_tuple(chosen, places);
  values = with_rows(values);
  indices = with_rows(indices);
  const Array rows[] = {without(values, axis), without(indices, axis), without(x, axis)};
  const Walk<3> walk = plan_walk<3>(rows[0].ndim, rows[0].shape, {&rows[0], &rows[1], &rows[2]});
  {
    const MaybeReleaseGil release(x.numel() * 16);
    for_each_run(walk, std::max<int64_t>(1, kGrainOrder / n),
                 [&](int64_t run, char* const* data, const int64_t* strides) {
                   const Buffer<char> scratch(2 * n * loops.item_bytes);
                   for (int64_t r = 0; r < run; ++r) {
                     const OrderRow row{n,
                                        data[2] + r * strides[2],
                                        x.strides[axis],
                                        data[0] + r * strides[0],
                                        values.strides[axis],
                                        data[1] + r * strides[1],
                                        indices.strides[axis]};
                     loops.order(rule, row, first, last, scratch);
                   }
                 });
  }
  return py::make_tuple(chosen, places);
}

py::object ordered(py::handle input, int64_t dim, bool descending) {
  const Array x = with_rows(read_array(input));
  return selected(input, dim, 0, x.shape[wrap_dim(dim, x.ndim)], descending);
}

}  // namespace

void bind_order(py::module_& m) {
  m.def("ordered", &ordered, py::arg("x"), py::arg("dim"), py::arg("descending"),
        "The elements along a dimension in order, and where they were.");
  m.def("selected", &selected, py::arg("x"), py::arg("dim"), py::arg("first"), py::arg("last"),
        py::arg("descending"), "Places first to last - 1 of that order, and where they were.");
}

}  // namespace rush
