// Multi-tensor optimizer steps: one call changes all parameters of a group.
#include "kernels/optim.h"

#include <cmath>

#include "bind/arrays.h"
#include "parallel.h"

namespace rush {
namespace {

// Elements of one parameter worth a thread: a step reads and writes up to seven arrays.
constexpr int64_t kStepGrain = 8192;

const OptimLoops<float>& loops(const float*) { return optim().of_float; }
const OptimLoops<double>& loops(const double*) { return optim().of_double; }

// An array as dense memory of a type that kernels compute in. Another one takes part as a copy,
// which is copied back.
class Dense {
 public:
  Dense() = default;
  Dense(const Dense&) = delete;
  Dense& operator=(const Dense&) = delete;

  void read(py::handle array) {
    source_ = array;
    given_ = view_ = read_array(array);
    const DType computed = computed_in(view_.dtype);
    if (view_.contiguous() && view_.dtype == computed) return;
    Array copy;
    copy_ = new_array(computed, view_.ndim, view_.shape, copy);
    copy_into(copy, view_);
    view_ = copy;
  }

  // Reads an array that has to agree with the parameter's.
  void read(py::handle array, const Dense& param) {
    read(array);
    const Array& like = param.given_;
    bool fits = given_.dtype == like.dtype && given_.ndim == like.ndim;
    for (int d = 0; fits && d < like.ndim; ++d) fits = given_.shape[d] == like.shape[d];
    if (fits) return;
    throw Error(std::string("optimizer: a parameter, its gradient and its state must have one ") +
                "shape and dtype; got " + shape_text(like) + " " + dtype_name(like.dtype) +
                " and " + shape_text(given_) + " " + dtype_name(given_.dtype));
  }

  void check_writeable() const {
    constexpr int kWriteable = py::detail::npy_api::NPY_ARRAY_WRITEABLE_;
    if ((py::detail::array_proxy(source_.ptr())->flags & kWriteable) == 0) {
      throw Error("optimizer: a parameter or its state lies in read-only memory");
    }
  }

  const Array& view() const { return view_; }
  void copy_back() const {
    if (copy_) copy_into(given_, view_);
  }

 private:
  py::handle source_;
  Array given_, view_;
  py::object copy_;
};

// The lists that one call steps through: one array a parameter in each. A list of state that the
// variant does not have is None.
template <size_t kStates>
struct Lists {
  const py::list& params;
  const py::list& grads;
  py::object states[kStates];

  void check() const {
    if (grads.size() != params.size()) throw Error("optimizer: the lists differ in length");
    for (const py::object& state : states) {
      if (state.is_none()) continue;
      if (!PyList_Check(state.ptr())) throw TypeError("optimizer: expected lists of arrays");
      if (py::len(state) != params.size()) throw Error("optimizer: the lists differ in length");
    }
  }
};

// Calls loop(n, param, grad, states) with dense pointers on chunks of parameter `i`; the pointer
// of state that there is none of is null.
template <size_t kStates, class Loop>
void step_one(const Lists<kStates>& lists, size_t i, Loop&& loop) {
  Dense param, grad, states[kStates];
  param.read(PyList_GET_ITEM(lists.params.ptr(), i));
  param.check_writeable();
  const Array& like = param.view();
  grad.read(PyList_GET_ITEM(lists.grads.ptr(), i), param);
  for (size_t s = 0; s < kStates; ++s) {
    if (lists.states[s].is_none()) continue;
    states[s].read(PyList_GET_ITEM(lists.states[s].ptr(), i), param);
    states[s].check_writeable();
  }
  const int64_t numel = like.numel();
  dispatch_floating(like.dtype, "optimizer step", [&](auto tag) {
    using T = typename decltype(tag)::type;
    const MaybeReleaseGil release(numel);
    parallel_for(numel, kStepGrain, [&](int64_t begin, int64_t end) {
      T* pointers[kStates];
      for (size_t s = 0; s < kStates; ++s) {
        T* state = states[s].view().template as<T>();
        pointers[s] = state == nullptr ? nullptr : state + begin;
      }
      loop(end - begin, like.as<T>() + begin, grad.view().template as<T>() + begin, pointers);
    });
  });
  param.copy_back();
  for (const Dense& state : states) state.copy_back();
}

// Adds one to the step count of parameter `i`, a 0-dim array, and returns it.
double advance(const py::list& steps, size_t i) {
  if (i >= steps.size()) throw Error("optimizer: the lists differ in length");
  const Array count = read_array(PyList_GET_ITEM(steps.ptr(), i));
  return dispatch_floating(count.dtype, "optimizer step", [&](auto tag) -> double {
    auto* value = count.as<typename decltype(tag)::type>();
    return *value += 1;
  });
}

GradientStep gradient_step(bool maximize, double weight_decay) {
  return {maximize ? -1.0 : 1.0, weight_decay};
}

void sgd_step(const py::list& params, const py::list& grads, const py::object& momentum_buffers,
              double lr, double momentum, double dampening, double weight_decay, bool nesterov,
              bool maximize, bool first) {
  const Lists<1> lists{params, grads, {momentum_buffers}};
  lists.check();
  const SgdStep step{
      gradient_step(maximize, weight_decay), lr, momentum, 1 - dampening, nesterov, first};
  for (size_t i = 0; i < params.size(); ++i) {
    step_one(lists, i, [&](int64_t n, auto* param, const auto* grad, auto* const* state) {
      loops(param).sgd(n, step, param, grad, state[0]);
    });
  }
}

void adam_step(const py::list& params, const py::list& grads, const py::list& exp_avgs,
               const py::list& exp_avg_sqs, const py::object& max_exp_avg_sqs,
               const py::list& steps, double lr, double beta1, double beta2, double eps,
               double weight_decay, bool decoupled, bool amsgrad, bool maximize) {
  const py::object largest = amsgrad ? max_exp_avg_sqs : py::object(py::none());
  const Lists<3> lists{params, grads, {exp_avgs, exp_avg_sqs, largest}};
  lists.check();
  AdamStep step{};
  step.gradient = gradient_step(maximize, decoupled ? 0 : weight_decay);
  step.keep = decoupled ? 1 - lr * weight_decay : 1;
  step.weight1 = 1 - beta1;
  step.beta2 = beta2;
  step.eps = eps;
  for (size_t i = 0; i < params.size(); ++i) {
    const double t = advance(steps, i);
    step.step_size = lr / (1 - std::pow(beta1, t));
    step.correction = std::sqrt(1 - std::pow(beta2, t));
    step_one(lists, i, [&](int64_t n, auto* param, const auto* grad, auto* const* state) {
      loops(param).adam(n, step, param, grad, state[0], state[1], state[2]);
    });
  }
}

void rmsprop_step(const py::list& params, const py::list& grads, const py::list& square_avgs,
                  const py::object& grad_avgs, const py::object& momentum_buffers,
                  const py::list& steps, double lr, double alpha, double eps, double weight_decay,
                  double momentum, bool maximize) {
  const Lists<3> lists{params, grads, {square_avgs, grad_avgs, momentum_buffers}};
  lists.check();
  const RmspropStep step{gradient_step(maximize, weight_decay), lr, momentum, eps, alpha};
  for (size_t i = 0; i < params.size(); ++i) {
    advance(steps, i);
    step_one(lists, i, [&](int64_t n, auto* param, const auto* grad, auto* const* state) {
      loops(param).rmsprop(n, step, param, grad, state[0], state[1], state[2]);
    });
  }
}

void adagrad_step(const py::list& params, const py::list& grads, const py::list& sums,
                  const py::list& steps, double lr, double lr_decay, double eps,
                  double weight_decay, bool maximize) {
  const Lists<1> lists{params, grads, {sums}};
  lists.check();
  for (size_t i = 0; i < params.size(); ++i) {
    const double t = advance(steps, i);
    const AdagradStep step{gradient_step(maximize, weight_decay), lr / (1 + (t - 1) * lr_decay),
                           eps};
    step_one(lists, i, [&](int64_t n, auto* param, const auto* grad, auto* const* state) {
      loops(param).adagrad(n, step, param, grad, state[0]);
    });
  }
}

}  // namespace

void bind_optim(py::module_& m) {
  m.def("sgd_step", &sgd_step, py::arg("params"), py::arg("grads"), py::arg("momentum_buffers"),
        py::arg("lr"), py::arg("momentum"), py::arg("dampening"), py::arg("weight_decay"),
        py::arg("nesterov"), py::arg("maximize"), py::arg("first"),
        "One step of stochastic gradient descent, in place; `first` fills the momentum buffers.");
  m.def("adam_step", &adam_step, py::arg("params"), py::arg("grads"), py::arg("exp_avgs"),
        py::arg("exp_avg_sqs"), py::arg("max_exp_avg_sqs"), py::arg("steps"), py::arg("lr"),
        py::arg("beta1"), py::arg("beta2"), py::arg("eps"), py::arg("weight_decay"),
        py::arg("decoupled"), py::arg("amsgrad"), py::arg("maximize"),
        "One step of Adam, or AdamW when `decoupled`, in place; each step count grows by one.");
  m.def("rmsprop_step", &rmsprop_step, py::arg("params"), py::arg("grads"), py::arg("square_avgs"),
        py::arg("grad_avgs"), py::arg("momentum_buffers"), py::arg("steps"), py::arg("lr"),
        py::arg("alpha"), py::arg("eps"), py::arg("weight_decay"), py::arg("momentum"),
        py::arg("maximize"),
        "One step of RMSprop, in place; `grad_avgs` centers, `momentum_buffers` may be None.");
  m.def("adagrad_step", &adagrad_step, py::arg("params"), py::arg("grads"), py::arg("sums"),
        py::arg("steps"), py::arg("lr"), py::arg("lr_decay"), py::arg("eps"),
        py::arg("weight_decay"), py::arg("maximize"), "One step of Adagrad, in place.");
}

}  // namespace rush
