#include "kernels/random.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>
#include <numeric>

#include "bind/arrays.h"
#include "bind/widen.h"
#include "convert.h"
#include "strided.h"

namespace rush {
namespace {

// The table of the processor's kernels; the C library has a `random` too.
const RandomKernels& kernels() { return rush::random(); }

// A generator that several threads may draw from, each call in one piece.
class SharedGenerator {
 public:
  explicit SharedGenerator(uint64_t value) { kernels().seed(generator_, value); }

  // Calls f(generator) alone, without the GIL for long work. A thread that holds the lock never
  // waits for the GIL: the lock is taken after the GIL is left and given back before.
  template <class F>
  void use(int64_t work, F&& f) {
    const MaybeReleaseGil release(work);
    const std::lock_guard<std::mutex> lock(mutex_);
    f(generator_);
  }

 private:
  Generator generator_;
  std::mutex mutex_;
};

// --- state, in PyTorch's bytes --------------------------------------------------------------

struct PackedState {
  uint64_t initial_seed;
  int32_t left;
  int32_t seeded;
  uint64_t next;
  uint64_t words[Generator::kWords];
  double unused_x;
  double normal;
  double unused_rho;
  int32_t has_normal;
  float float_normal;  // of generators on other devices
  int32_t has_float_normal;
};
static_assert(sizeof(PackedState) == 5048 + 8);

py::object get_state(SharedGenerator& shared) {
  PackedState packed;
  std::memset(&packed, 0, sizeof packed);
  shared.use(0, [&](const Generator& g) {
    packed.initial_seed = g.initial_seed;
    packed.left = g.left;
    packed.seeded = 1;
    packed.next = g.next;
    std::copy(g.state, g.state + Generator::kWords, packed.words);
    packed.has_normal = g.has_normal;
    packed.normal = g.has_normal ? g.normal : 0.0;
  });
  Array bytes;
  py::object array = new_array(DType::kUint8, {sizeof packed}, bytes);
  std::memcpy(bytes.data, &packed, sizeof packed);
  return array;
}

void set_state(SharedGenerator& shared, py::handle state) {
  py::object owner;
  const Array bytes = read_contiguous(state, owner);
  if (bytes.dtype != DType::kUint8) throw TypeError("RNG state must be a torch.ByteTensor");
  if (bytes.numel() != sizeof(PackedState)) {
    throw Error("Expected a CPUGeneratorImplState of size " + std::to_string(sizeof(PackedState)) +
                " but found the input RNG state size to be " + std::to_string(bytes.numel()));
  }
  PackedState packed;
  std::memcpy(&packed, bytes.data, sizeof packed);
  if (packed.seeded == 0 || packed.left <= 0 || packed.left > Generator::kWords ||
      packed.next > Generator::kWords) {
    throw Error("Invalid mt19937 state");
  }
  shared.use(0, [&](Generator& g) {
    g.initial_seed = packed.initial_seed;
    g.left = packed.left;
    g.next = static_cast<uint32_t>(packed.next);
    for (int i = 0; i < Generator::kWords; ++i) g.state[i] = static_cast<uint32_t>(packed.words[i]);
    g.has_normal = packed.has_normal != 0;
    g.normal = packed.normal;
  });
}

// --- destinations ---------------------------------------------------------------------------

Array read_destination(py::handle out) {
  const Array x = read_array(out);
  check_writable(out, x);
  return x;
}

template <int N>
Array operand(const Walk<N>& walk, int i, DType dtype) {
  Array x;
  x.data = walk.data[i];
  x.dtype = dtype;
  x.ndim = walk.ndim;
  std::copy(walk.shape, walk.shape + walk.ndim, x.shape);
  std::copy(walk.strides[i], walk.strides[i] + walk.ndim, x.strides);
  return x;
}

// A contiguous array of x's shape in `memory`, of elements of type `dtype`.
Array contiguous_like(const Array& x, DType dtype, Buffer<char>& memory) {
  Array y = x;
  y.data = memory;
  y.dtype = dtype;
  int64_t stride = itemsize(dtype);
  for (int d = x.ndim - 1; d >= 0; --d) {
    y.strides[d] = stride;
    stride *= x.shape[d];
  }
  return y;
}

// Calls draw(data) on contiguous memory for the elements of x, which is in the order of drawing;
// the memory is of the type that is computed in.
template <class F>
void fill(const Array& x, F&& draw) {
  const DType computed = computed_in(x.dtype);
  if (x.contiguous() && x.dtype == computed) return draw(x.data);
  Buffer<char> memory(x.numel() * itemsize(computed));
  const Array drawn = contiguous_like(x, computed, memory);
  draw(drawn.data);
  copy_into(x, drawn);
}

// PyTorch draws for the elements in the order of their addresses, whatever the order of the dims.
Array in_memory_order(const Array& x) {
  return operand(plan_walk<1>(x.ndim, x.shape, {&x}), 0, x.dtype);
}

template <class Function>
Function defined(Function function, const char* name, DType dtype) {
  if (function == nullptr) refuse_type(name, dtype);
  return function;
}

// A type's place in the tables: that of what is computed in.
constexpr int index(DType dtype) { return static_cast<int>(computed_in(dtype)); }

// --- kernels --------------------------------------------------------------------------------

using FillTable = RandomFill (RandomKernels::*)[kDTypes];

void fill_distribution(FillTable table, const char* name, py::handle out, SharedGenerator& shared,
                       double a, double b) {
  const Array x = in_memory_order(read_destination(out));
  const RandomFill kernel = defined((kernels().*table)[index(x.dtype)], name, x.dtype);
  const int64_t n = x.numel();
  shared.use(n, [&](Generator& g) { fill(x, [&](void* data) { kernel(g, data, n, a, b); }); });
}

bool is_half(DType dtype) { return dtype == DType::kFloat16 || dtype == DType::kBfloat16; }

// The bits of a number as a half type.
uint16_t half_bits(DType dtype, double value) {
  uint16_t bits;
  char* const data[2] = {reinterpret_cast<char*>(&bits), reinterpret_cast<char*>(&value)};
  const int64_t strides[2] = {0, 0};
  Cast(dtype, DType::kFloat64)(1, data, strides);
  return bits;
}

void uniform(py::handle out, SharedGenerator& shared, double low, double high) {
  fill_distribution(&RandomKernels::uniform, "check_uniform_bounds", out, shared, low, high);
  const Array x = read_array(out);
  if (!is_half(x.dtype)) return;
  // What a half type rounds up to the open end goes to the other one.
  const uint16_t first = half_bits(x.dtype, low), end = half_bits(x.dtype, high);
  for_each_run(plan_walk<1>(x.ndim, x.shape, {&x}), kGrain,
               [=](int64_t n, char* const* data, const int64_t* s) {
                 for (int64_t i = 0; i < n; ++i) {
                   auto& bits = *reinterpret_cast<uint16_t*>(data[0] + i * s[0]);
                   bits = bits == end ? first : bits;
                 }
               });
}

// A half type's remainder of less than 16 elements is met by drawing the last 16 again right after
// the whole blocks, without first drawing for the remainder itself.
void normal_of_halves(const Array& x, SharedGenerator& shared, double mean, double deviation) {
  const RandomFill kernel = kernels().normal[index(x.dtype)];
  const int64_t n = x.numel(), whole = n / 16 * 16;
  shared.use(n, [&](Generator& g) {
    fill(x, [&](void* data) {
      kernel(g, data, whole, mean, deviation);
      if (whole < n) kernel(g, static_cast<float*>(data) + n - 16, 16, mean, deviation);
    });
  });
}

void normal(py::handle out, SharedGenerator& shared, double mean, double deviation) {
  const Array x = read_array(out);
  const bool blocks = x.numel() >= 16 && x.contiguous();
  if (blocks && is_half(x.dtype)) {
    return normal_of_halves(read_destination(out), shared, mean, deviation);
  }
  fill_distribution(blocks ? &RandomKernels::normal : &RandomKernels::serial_normal,
                    "normal_kernel_cpu", out, shared, mean, deviation);
}

void randint(py::handle out, SharedGenerator& shared, uint64_t range, int64_t base) {
  const Array x = in_memory_order(read_destination(out));
  const auto kernel = kernels().randint[index(x.dtype)];
  const int64_t n = x.numel();
  shared.use(n,
             [&](Generator& g) { fill(x, [&](void* data) { kernel(g, data, n, range, base); }); });
}

// Integers from 0 to the largest of the type, or the last of those that a floating type has without
// gaps.
void any_integer(py::handle out, SharedGenerator& shared) {
  switch (const DType dtype = read_array(out).dtype) {
    case DType::kFloat16:
      return randint(out, shared, (1 << 11) + 1, 0);
    case DType::kBfloat16:
      return randint(out, shared, (1 << 8) + 1, 0);
    default: {
      if (dtype == computed_in(dtype)) {
        return fill_distribution(&RandomKernels::any_integer, "random_kernel_cpu", out, shared, 0,
                                 0);
      }
      const int digits = integer_digits(dtype);
      return randint(out, shared, digits < 64 ? uint64_t{1} << digits : 0, 0);
    }
  }
}

void randperm(py::handle out, SharedGenerator& shared) {
  const Array x = read_destination(out);
  const auto kernel = defined(kernels().randperm[index(x.dtype)], "randperm", x.dtype);
  const int64_t n = x.numel();
  shared.use(n, [&](Generator& g) { fill(x, [&](void* data) { kernel(g, data, n); }); });
}

template <class T>
void check_probabilities(const Array& p) {
  const T* values = p.as<const T>();
  const bool valid = std::all_of(values, values + p.numel(), [](T v) { return v >= 0 && v <= 1; });
  if (!valid) throw Error("Expected p_in >= 0 && p_in <= 1 to be true, but got false.");
}

void bernoulli_each(py::handle out, SharedGenerator& shared, py::handle probabilities) {
  const Array to = read_destination(out);
  const Array from = read_array(probabilities);
  const Walk<2> walk = plan_walk<2>(to.ndim, to.shape, {&to, &from});
  const Array x = operand(walk, 0, to.dtype);
  const auto kernel = defined(kernels().bernoulli_each[index(from.dtype)][index(to.dtype)],
                              "bernoulli_tensor_cpu_p_", from.dtype);
  const Array strided = operand(walk, 1, from.dtype);
  const int64_t n = x.numel();
  const DType computed = computed_in(from.dtype);
  Buffer<char> memory(n * itemsize(computed));
  const Array p = contiguous_like(strided, computed, memory);
  copy_into(p, strided);
  if (p.dtype == DType::kFloat64) {
    check_probabilities<double>(p);
  } else {
    check_probabilities<float>(p);
  }
  shared.use(n, [&](Generator& g) { fill(x, [&](void* data) { kernel(g, data, n, p.data); }); });
}

py::object poisson(py::handle rates, SharedGenerator& shared) {
  py::object owner;
  const Array rate = read_contiguous(rates, owner);
  const auto kernel = defined(kernels().poisson[index(rate.dtype)], "poisson_cpu", rate.dtype);
  const int64_t n = rate.numel();
  for (int64_t i = 0; i < n; ++i) {
    const bool valid =
        rate.dtype == DType::kFloat64 ? rate.as<double>()[i] >= 0.0 : rate.as<float>()[i] >= 0.0f;
    if (!valid) throw Error("invalid Poisson rate, expected rate to be non-negative");
  }
  Array x;
  py::object out = new_array(rate.dtype, rate.ndim, rate.shape, x);
  shared.use(n, [&](Generator& g) { kernel(g, x.data, n, rate.data); });
  return out;
}

py::object standard_gamma(py::handle alphas, SharedGenerator& shared) {
  py::object owner;
  const Array alpha = read_contiguous(alphas, owner);
  const auto kernel =
      defined(kernels().standard_gamma[index(alpha.dtype)], "gamma_cpu", alpha.dtype);
  const int64_t n = alpha.numel();
  Array x;
  py::object out = new_array(alpha.dtype, alpha.ndim, alpha.shape, x);
  shared.use(n, [&](Generator& g) { kernel(g, x.data, n, alpha.data); });
  return out;
}

py::object binomial(py::handle counts, py::handle probabilities, SharedGenerator& shared) {
  py::object count_owner, p_owner;
  const Array count = read_contiguous(counts, count_owner);
  const Array p = read_contiguous(probabilities, p_owner);
  if (count.dtype != p.dtype || count.numel() != p.numel()) {
    throw Error("binomial: count and prob must have the same type and shape");
  }
  const auto kernel = defined(kernels().binomial[index(p.dtype)], "binomial_cpu", p.dtype);
  const int64_t n = p.numel();
  Array x;
  py::object out = new_array(p.dtype, p.ndim, p.shape, x);
  shared.use(n, [&](Generator& g) { kernel(g, x.data, n, count.data, p.data); });
  return out;
}

// --- multinomial ----------------------------------------------------------------------------

// The rows of a one- or two-dimensional tensor of weights.
struct Weights {
  Array array;
  int64_t rows, categories;
};

template <class T>
void check_weights(const Weights& w, bool chosen) {
  for (int64_t row = 0; row < w.rows; ++row) {
    const T* values = w.array.as<T>() + row * w.categories;
    T sum = 0;
    for (int64_t i = 0; i < w.categories; ++i) {
      const bool negative = values[i] < 0;
      if (negative || !std::isfinite(values[i])) {
        throw Error(chosen ? "probability tensor contains either `inf`, `nan` or element < 0"
                    : negative
                        ? "invalid multinomial distribution (encountering probability entry < 0)"
                        : "invalid multinomial distribution (encountering probability entry = "
                          "infinity or NaN)");
      }
      sum += values[i];
    }
    if (!(sum > 0)) throw Error("invalid multinomial distribution (sum of probabilities <= 0)");
  }
}

// One sample, or several without replacement: the largest weights after division by exponential
// variates.
template <class T>
void choose(Generator& g, const Weights& w, int64_t samples, int64_t* out) {
  const int64_t n = w.rows * w.categories;
  Buffer<T> keys(n);
  Buffer<int64_t> order(w.categories);
  kernels().exponential[index(DTypeOf<T>::value)](g, keys, n, 1.0, 0.0);
  for (int64_t i = 0; i < n; ++i) keys[i] = w.array.as<T>()[i] / keys[i];
  for (int64_t row = 0; row < w.rows; ++row) {
    const T* key = keys + row * w.categories;
    std::iota(order + 0, order + w.categories, int64_t{0});
    std::partial_sort(order + 0, order + samples, order + w.categories,
                      [=](int64_t i, int64_t j) { return key[i] > key[j]; });
    std::copy(order + 0, order + samples, out + row * samples);
  }
}

template <class T>
void sample(SharedGenerator& shared, const Weights& w, int64_t samples, bool replacement,
            int64_t* out) {
  const bool chosen = !replacement || samples == 1;
  check_weights<T>(w, chosen);
  shared.use(w.rows * (w.categories + samples), [&](Generator& g) {
    if (chosen) return choose<T>(g, w, samples, out);
    Buffer<T> work(w.categories);
    kernels().multinomial[index(DTypeOf<T>::value)](g, out, samples, w.array.data, w.rows,
                                                    w.categories, work);
  });
}

py::object multinomial(py::handle weights, SharedGenerator& shared, int64_t samples,
                       bool replacement) {
  py::object owner;
  Weights w;
  w.array = read_contiguous(weights, owner);
  w.categories = w.array.shape[w.array.ndim - 1];
  w.rows = w.array.ndim == 2 ? w.array.shape[0] : 1;
  Array x;
  py::object out = w.array.ndim == 2 ? new_array(DType::kInt64, {w.rows, samples}, x)
                                     : new_array(DType::kInt64, {samples}, x);
  dispatch_floating(w.array.dtype, "multinomial", [&](auto tag) {
    using T = typename decltype(tag)::type;
    sample<T>(shared, w, samples, replacement, x.as<int64_t>());
  });
  return out;
}

// --- the module -----------------------------------------------------------------------------

void bind_generator(py::module_& m) {
  py::class_<SharedGenerator>(m, "Generator",
                              "MT19937 with PyTorch's seeding, state and order of draws.")
      .def(py::init<uint64_t>(), py::arg("seed"))
      .def(
          "manual_seed",
          [](SharedGenerator& shared, uint64_t seed) {
            shared.use(0, [&](Generator& g) { kernels().seed(g, seed); });
          },
          py::arg("seed"))
      .def("initial_seed",
           [](SharedGenerator& shared) {
             uint64_t seed = 0;
             shared.use(0, [&](const Generator& g) { seed = g.initial_seed; });
             return seed;
           })
      .def("get_state", &get_state, "The state in the bytes of PyTorch's CPU generator.")
      .def("set_state", &set_state, py::arg("state"));
}

// Fills `out` in place; one or two parameters of the distribution.
void bind_distribution(py::module_& m, const char* name, FillTable table, const char* torch_name,
                       const char* a, const char* b) {
  m.def(
      name,
      [=](py::handle out, SharedGenerator& generator, double first, double second) {
        fill_distribution(table, torch_name, out, generator, first, second);
      },
      py::arg("out"), py::arg("generator"), py::arg(a), py::arg(b));
}

}  // namespace

void bind_random(py::module_& m) {
  bind_generator(m);
  using K = RandomKernels;
  m.def("uniform", &uniform, py::arg("out"), py::arg("generator"), py::arg("low"), py::arg("high"));
  bind_distribution(m, "log_normal", &K::log_normal, "log_normal_cpu", "mean", "std");
  bind_distribution(m, "cauchy", &K::cauchy, "cauchy_cpu", "median", "sigma");
  bind_distribution(m, "bernoulli", &K::bernoulli, "bernoulli_scalar_cpu_", "p", "value");
  m.def("normal", &normal, py::arg("out"), py::arg("generator"), py::arg("mean"), py::arg("std"));
  m.def(
      "exponential",
      [](py::handle out, SharedGenerator& generator, double rate) {
        fill_distribution(&K::exponential, "exponential_cpu", out, generator, rate, 0.0);
      },
      py::arg("out"), py::arg("generator"), py::arg("rate"));
  m.def(
      "geometric",
      [](py::handle out, SharedGenerator& generator, double p) {
        fill_distribution(&K::geometric, "geometric_cpu", out, generator, p, 0.0);
      },
      py::arg("out"), py::arg("generator"), py::arg("p"));
  m.def("any_integer", &any_integer, py::arg("out"), py::arg("generator"),
        "Integers from 0 to the largest of the type.");
  m.def("randint", &randint, py::arg("out"), py::arg("generator"), py::arg("range"),
        py::arg("base"), "base + integers below range; range 0 stands for 2^64.");
  m.def("randperm", &randperm, py::arg("out"), py::arg("generator"));
  m.def("bernoulli_each", &bernoulli_each, py::arg("out"), py::arg("generator"), py::arg("p"));
  m.def("poisson", in_computed_type(&poisson), py::arg("rate"), py::arg("generator"));
  m.def("standard_gamma", in_computed_type(&standard_gamma), py::arg("alpha"),
        py::arg("generator"));
  m.def("binomial", &binomial, py::arg("count"), py::arg("prob"), py::arg("generator"));
  m.def("multinomial", in_computed_type(&multinomial), py::arg("weights"), py::arg("generator"),
        py::arg("samples"), py::arg("replacement"));
}

}  // namespace rush
