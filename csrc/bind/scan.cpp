#include "kernels/scan.h"

#include "bind/widen.h"
#include "strided.h"

namespace rush {
namespace {

// Where the steps of one operand are taken: from the last one backwards if `reverse`.
Steps steps_along(const Array& x, int dim, bool reverse) {
  const int64_t step = x.ndim ? x.strides[dim] : 0;
  const int64_t n = x.ndim ? x.shape[dim] : 1;
  return reverse ? Steps{x.data + (n - 1) * step, -step, 0} : Steps{x.data, step, 0};
}

Array without(Array x, int dim, const Steps& steps) {
  x.data = steps.data;
  for (int d = dim; d + 1 < x.ndim; ++d) {
    x.shape[d] = x.shape[d + 1];
    x.strides[d] = x.strides[d + 1];
  }
  x.ndim = std::max(0, x.ndim - 1);
  return x;
}

// Runs a scan along `dim` of N operands of one shape, the results first, the inputs last.
template <int N>
void run_scan(Scan scan, const Array* const (&operands)[N], int dim, bool reverse) {
  const Array& input = *operands[N - 1];
  if (input.numel() == 0) return;
  const int64_t n = input.ndim ? input.shape[dim] : 1;
  Array rows[N];
  Steps steps[N];
  const Array* pointers[N];
  for (int i = 0; i < N; ++i) {
    steps[i] = steps_along(*operands[i], dim, reverse);
    rows[i] = without(*operands[i], dim, steps[i]);
    pointers[i] = &rows[i];
  }
  const Walk<N> walk = plan_walk<N>(rows[0].ndim, rows[0].shape, pointers);
  const MaybeReleaseGil release(input.numel() * 4);
  const int64_t grain = std::max<int64_t>(1, kGrain / n);
  for_each_run(walk, grain, [&](int64_t run, char* const* data, const int64_t* strides) {
    const bool columns = std::abs(strides[N - 1]) < std::abs(steps[N - 1].step);
    const int64_t width = columns ? kScanLanes : 1;
    for (int64_t begin = 0; begin < run; begin += width) {
      Steps lanes[N];
      for (int i = 0; i < N; ++i) {
        lanes[i] = {data[i] + begin * strides[i], steps[i].step, strides[i]};
      }
      scan(n, std::min(width, run - begin), lanes);
    }
  });
}

const ScanLoops& loops_of(DType dtype) { return scan().of_type[static_cast<int>(dtype)]; }

Scan defined(Scan loop, const char* name, DType dtype) {
  if (loop != nullptr) return loop;
  refuse_type(name, dtype);
}

py::object running(Scan ScanLoops::* member, const char* name, py::handle input, int64_t dim,
                   bool reverse) {
  const Array x = read_array(input);
  const int axis = wrap_dim(dim, x.ndim);
  const Scan loop = defined(loops_of(x.dtype).*member, name, x.dtype);
  Array out;
  py::object result = new_array(x.dtype, x.ndim, x.shape, out);
  run_scan<2>(loop, {&out, &x}, axis, reverse);
  return result;
}

py::tuple running_extreme(py::handle input, int64_t dim, bool greatest) {
  const Array x = read_array(input);
  const int axis = wrap_dim(dim, x.ndim);
  const ScanLoops& loops = loops_of(x.dtype);
  const Scan loop = defined(greatest ? loops.greatest : loops.least, "running_extreme", x.dtype);
  Array values, indices;
  const py::object first = new_array(x.dtype, x.ndim, x.shape, values);
  const py::object second = new_array(DType::kInt64, x.ndim, x.shape, indices);
  run_scan<3>(loop, {&values, &indices, &x}, axis, false);
  return py::make_tuple(first, second);
}

py::object recurrence(py::handle factor, py::handle term, int64_t dim, bool reverse) {
  const Array a = read_array(factor), b = read_array(term);
  if (a.dtype != b.dtype || a.ndim != b.ndim || !std::equal(a.shape, a.shape + a.ndim, b.shape)) {
    throw Error("recurrence: the operands must agree; got shapes " + shape_text(a) + " and " +
                shape_text(b));
  }
  const int axis = wrap_dim(dim, b.ndim);
  const ScanLoops& loops = loops_of(b.dtype);
  const Scan loop = defined(reverse ? loops.adjoint : loops.recurrence, "recurrence", b.dtype);
  Array out;
  py::object result = new_array(b.dtype, b.ndim, b.shape, out);
  run_scan<3>(loop, {&out, &a, &b}, axis, reverse);
  return result;
}

}  // namespace

void bind_scan(py::module_& m) {
  m.def("running_sum", in_computed_type(+[](py::handle x, int64_t dim, bool reverse) {
          return running(&ScanLoops::sum, "running_sum", x, dim, reverse);
        }),
        py::arg("x"), py::arg("dim"), py::arg("reverse") = false, "Sums of all elements so far.");
  m.def("running_product", in_computed_type(+[](py::handle x, int64_t dim, bool reverse) {
          return running(&ScanLoops::product, "running_product", x, dim, reverse);
        }),
        py::arg("x"), py::arg("dim"), py::arg("reverse") = false,
        "Products of all elements so far.");
  m.def("running_logsumexp", in_computed_type(+[](py::handle x, int64_t dim, bool reverse) {
          return running(&ScanLoops::logsumexp, "running_logsumexp", x, dim, reverse);
        }),
        py::arg("x"), py::arg("dim"), py::arg("reverse") = false,
        "Logarithms of the sums of the exponentials so far.");
  m.def("running_extreme", in_computed_type(&running_extreme), py::arg("x"), py::arg("dim"),
        py::arg("greatest"),
        "The greatest (least) elements so far, and where they are: the last of equal ones.");
  m.def("recurrence", in_computed_type(&recurrence), py::arg("factor"), py::arg("term"),
        py::arg("dim"), py::arg("reverse") = false,
        "out[i] = term[i] + factor[i] * out[i - 1]; reversed, its adjoint: "
        "out[i] = term[i] + factor[i + 1] * out[i + 1].");
}

}  // namespace rush
