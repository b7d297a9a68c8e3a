#include "kernels/index.h"

#include "bind/arrays.h"
#include "parallel.h"

namespace rush {
namespace {

// x (outer, n, inner) and source (outer, count, inner), dense; index (count) in [0, n).
void add_slices(py::handle target, py::handle places, py::handle terms) {
  const Array x = read_array(target), index = read_array(places), source = read_array(terms);
  const bool dense = x.contiguous() && index.contiguous() && source.contiguous();
  const bool ranks = x.ndim == 3 && index.ndim == 1 && source.ndim == 3;
  if (!dense || !ranks || index.dtype != DType::kInt64 || source.dtype != x.dtype ||
      source.shape[0] != x.shape[0] || source.shape[1] != index.shape[0] ||
      source.shape[2] != x.shape[2]) {
    throw Error("add_slices: operands must be dense and agree; got " + shape_text(x) + ", " +
                shape_text(index) + " and " + shape_text(source));
  }
  check_writable(target, x);
  const int64_t outer = x.shape[0], n = x.shape[1], inner = x.shape[2], count = index.shape[0];
  const auto* at = index.as<int64_t>();
  for (int64_t r = 0; r < count; ++r) {
    if (at[r] < 0 || at[r] >= n) throw std::out_of_range("index out of range in self");
  }
  MaybeReleaseGil release(source.numel());
  dispatch_floating(x.dtype, "add_slices", [&](auto tag) {
    using T = typename decltype(tag)::type;
    AddSlices<T> add;
    if constexpr (std::is_same_v<T, float>) {
      add = indexing().of_float;
    } else {
      add = indexing().of_double;
    }
    // Threads share the elements of a slice, so that none meets another at a place named twice.
    const int64_t grain = std::max<int64_t>(64, kGrain / std::max<int64_t>(count, 1));
    for (int64_t o = 0; o < outer; ++o) {
      T* out = x.as<T>() + o * n * inner;
      const T* from = source.as<T>() + o * count * inner;
      parallel_for(inner, grain, [&](int64_t begin, int64_t end) {
        add(count, inner, begin, end, at, from, out);
      });
    }
  });
}

}  // namespace

void bind_index(py::module_& m) {
  m.def("_add_slices", &add_slices, py::arg("x"), py::arg("index"), py::arg("source"),
        "Adds the slices of source, along the middle of three dimensions, to those at index.");
}

}  // namespace rush
