// Negative log likelihood: a gather and a weighted sum, memory-bound, so no kernel per ISA.
#include "bind/arrays.h"
#include "bind/widen.h"

namespace rush {
namespace {

enum class Reduction { kNone, kMean, kSum };

Reduction read_reduction(const std::string& name) {
  if (name == "none") return Reduction::kNone;
  if (name == "mean") return Reduction::kMean;
  if (name == "sum") return Reduction::kSum;
  throw std::invalid_argument(name + " is not a valid value for reduction");
}

// Log-probabilities as (batch, classes, positions), the class indices and weights that go with
// them; contiguous.
struct Problem {
  int64_t batch = 1, classes = 0, positions = 1;
  Array target, weight;
  py::object target_owner, weight_owner;
  int64_t ignored = -100;

  Problem(int ndim, const int64_t* shape, DType dtype, py::handle target_, py::handle weight_,
          int64_t ignore_index)
      : ignored(ignore_index) {
    if (ndim < 1) throw std::invalid_argument("Expected 1 or more dimensions (got 0)");
    const int axis = ndim == 1 ? 0 : 1;
    if (ndim > 1) batch = shape[0];
    classes = shape[axis];
    for (int d = axis + 1; d < ndim; ++d) positions *= shape[d];
    target = read_contiguous(target_, target_owner);
    check_target(ndim, shape, axis);
    if (weight_.is_none()) return;
    weight = read_contiguous(weight_, weight_owner);
    if (weight.ndim != 1 || weight.shape[0] != classes) {
      throw Error("weight tensor should be defined either for all " + std::to_string(classes) +
                  " classes or no classes but got weight tensor of shape: " + shape_text(weight));
    }
    if (weight.dtype != dtype) {
      throw Error(std::string("expected scalar type ") + scalar_name(dtype) + " but found " +
                  scalar_name(weight.dtype));
    }
  }

  // Calls visit(offset of the chosen log-probability, index of the target, class).
  template <class F>
  void each(F&& visit) const {
    const auto* wide = target.dtype == DType::kInt64 ? target.as<int64_t>() : nullptr;
    const auto* narrow = target.as<uint8_t>();
    for (int64_t b = 0; b < batch; ++b) {
      for (int64_t p = 0; p < positions; ++p) {
        const int64_t i = b * positions + p;
        const int64_t c = wide ? wide[i] : narrow[i];
        if (c == ignored) continue;
        if (c < 0 || c >= classes) {
          throw std::out_of_range("Target " + std::to_string(c) + " is out of bounds.");
        }
        visit((b * classes + c) * positions + p, i, c);
      }
    }
  }

 private:
  void check_target(int ndim, const int64_t* shape, int axis) const {
    if (target.dtype != DType::kInt64 && target.dtype != DType::kUint8) {
      throw Error(std::string("expected target dtype to be Long or Byte, but got ") +
                  dtype_name(target.dtype));
    }
    bool fits = target.ndim == ndim - 1;
    for (int d = 0; fits && d < target.ndim; ++d) {
      fits = target.shape[d] == (d < axis ? shape[d] : shape[d + 1]);
    }
    if (fits) return;
    if (target.ndim >= 1 && ndim >= 2 && target.shape[0] != shape[0]) {
      throw std::invalid_argument("Expected input batch_size (" + std::to_string(shape[0]) +
                                  ") to match target batch_size (" +
                                  std::to_string(target.shape[0]) + ").");
    }
    throw Error("size mismatch (got input: " + shape_text(ndim, shape) +
                ", target: " + shape_text(target) + ")");
  }
};

py::tuple nll_loss(py::handle input, py::handle target, py::handle weight, int64_t ignore_index,
                   const std::string& reduction_name) {
  py::object owner;
  const Array x = read_contiguous(input, owner);
  const Reduction reduction = read_reduction(reduction_name);
  const Problem problem(x.ndim, x.shape, x.dtype, target, weight, ignore_index);
  Array out, total;
  const bool each = reduction == Reduction::kNone;
  py::object result = new_array(x.dtype, each ? problem.target.ndim : 0, problem.target.shape, out);
  py::object total_weight = new_array(x.dtype, 0, nullptr, total);
  dispatch_floating(x.dtype, "nll_loss", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const T* w = problem.weight_owner ? problem.weight.as<T>() : nullptr;
    if (each) std::fill_n(out.as<T>(), out.numel(), T(0));
    double sum = 0, weights = 0;
    problem.each([&](int64_t offset, int64_t i, int64_t c) {
      const T scale = w ? w[c] : T(1);
      const T loss = -x.as<T>()[offset] * scale;
      if (each) out.as<T>()[i] = loss;
      sum += loss;
      weights += scale;
    });
    *total.as<T>() = static_cast<T>(weights);
    if (!each) *out.as<T>() = static_cast<T>(reduction == Reduction::kMean ? sum / weights : sum);
  });
  return py::make_tuple(result, total_weight);
}

py::object nll_loss_backward(py::handle gradient, const std::vector<int64_t>& shape,
                             py::handle target, py::handle weight, int64_t ignore_index,
                             const std::string& reduction_name, py::handle total_weight) {
  py::object owner;
  const Array g = read_contiguous(gradient, owner);
  const Reduction reduction = read_reduction(reduction_name);
  const Problem problem(static_cast<int>(shape.size()), shape.data(), g.dtype, target, weight,
                        ignore_index);
  Array out;
  py::object result = new_array(g.dtype, static_cast<int>(shape.size()), shape.data(), out);
  dispatch_floating(g.dtype, "nll_loss_backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    std::fill_n(out.as<T>(), out.numel(), T(0));
    const T* w = problem.weight_owner ? problem.weight.as<T>() : nullptr;
    const T divisor = reduction == Reduction::kMean ? *read_array(total_weight).as<T>() : T(1);
    problem.each([&](int64_t offset, int64_t i, int64_t c) {
      const T upstream = g.as<T>()[reduction == Reduction::kNone ? i : 0] / divisor;
      out.as<T>()[offset] = w ? -upstream * w[c] : -upstream;
    });
  });
  return result;
}

}  // namespace

void bind_loss(py::module_& m) {
  m.def("nll_loss", in_computed_type(&nll_loss), py::arg("x"), py::arg("target"), py::arg("weight"),
        py::arg("ignore_index"), py::arg("reduction"), "The loss and the sum of its weights.");
  m.def("nll_loss_backward", in_computed_type(&nll_loss_backward), py::arg("g"), py::arg("shape"),
        py::arg("target"), py::arg("weight"), py::arg("ignore_index"), py::arg("reduction"),
        py::arg("total_weight"));
}

}  // namespace rush
