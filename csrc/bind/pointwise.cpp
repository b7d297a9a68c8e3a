#include "kernels/pointwise.h"

#include "bind/arrays.h"
#include "convert.h"
#include "strided.h"

namespace rush {
namespace {

// The type of the elements that an op takes and gives, but for tests.
DType stored_type(Pointwise op, DType promoted) {
  const PointwiseInfo& info = pointwise_info(op);
  if (info.kind == Kind::floating && category(promoted) != Category::kFloating) {
    return default_floating();
  }
  return promoted;
}

// Whether the op needs no more of a uint64 than its bits: see NOTE [Stored and computed types].
bool ignores_sign(Pointwise op) {
  switch (op) {
    case Pointwise::neg:
    case Pointwise::square:
    case Pointwise::floor:
    case Pointwise::ceil:
    case Pointwise::trunc:
    case Pointwise::round:
    case Pointwise::add:
    case Pointwise::sub:
    case Pointwise::mul:
    case Pointwise::multiply_add:
    case Pointwise::eq:
    case Pointwise::ne:
    case Pointwise::isnan:
    case Pointwise::isfinite:
    case Pointwise::logical_not:
    case Pointwise::logical_and:
    case Pointwise::logical_or:
    case Pointwise::logical_xor:
    case Pointwise::bitwise_not:
    case Pointwise::bitwise_and:
    case Pointwise::bitwise_or:
    case Pointwise::bitwise_xor:
      return true;
    default:
      return false;
  }
}

// Whether a number among half types is rounded to their type before the op, as PyTorch has it;
// others take part as float32.
bool rounds_numbers(Pointwise op) {
  switch (op) {
    case Pointwise::add:
    case Pointwise::sub:
    case Pointwise::pow:
    case Pointwise::remainder:
    case Pointwise::fmod:
    case Pointwise::atan2:
      return true;
    default:
      return pointwise_info(op).kind == Kind::compare;
  }
}

// Whether PyTorch refuses numbers that the other operands' type cannot hold; others wrap.
bool checks_numbers(Pointwise op) { return op == Pointwise::clamp || op == Pointwise::pow; }

[[noreturn]] void refuse_operand(Pointwise op, DType stored) {
  if (op == Pointwise::neg && stored == DType::kBool) {
    throw Error(
        "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
        "invert a mask, use the `~` or `logical_not()` operator instead.");
  }
  refuse_type(pointwise_info(op).name, stored);
}

ElementLoop find_loop(Pointwise op, DType stored) {
  const auto type = static_cast<int>(computed_in(stored));
  const ElementLoop loop = pointwise().loops[static_cast<int>(op)][type];
  if (loop == nullptr || (stored == DType::kUint64 && !ignores_sign(op))) {
    refuse_operand(op, stored);
  }
  return loop;
}

template <int N>
void broadcast_shape(const char* name, const Operand (&x)[N], int& ndim, int64_t* shape) {
  ndim = 0;
  for (int i = 0; i < N; ++i) {
    if (broadcast_into(ndim, shape, x[i].array)) continue;
    const Array& a = x[0].array;
    const Array& b = x[i].array;
    for (int back = 1; back <= std::min(a.ndim, b.ndim); ++back) {
      const int64_t p = a.shape[a.ndim - back], q = b.shape[b.ndim - back];
      if (p == q || p == 1 || q == 1) continue;
      throw Error("The size of tensor a (" + std::to_string(p) +
                  ") must match the size of tensor b (" + std::to_string(q) +
                  ") at non-singleton dimension " +
                  std::to_string(std::max(a.ndim, b.ndim) - back) + "; " + name + ": got shapes " +
                  shape_text(a) + " and " + shape_text(b));
    }
    throw Error(std::string(name) + ": operand " + std::to_string(i) +
                " does not broadcast; got shape " + shape_text(b));
  }
}

// Integer division has no infinity to give: PyTorch refuses a zero divisor.
void refuse_zero_divisor(const Array& divisor) {
  if (category(divisor.dtype) == Category::kFloating) return;
  bool zero = false;
  const Cast test(DType::kBool, divisor.dtype);
  const Walk<1> walk = plan_walk<1>(divisor.ndim, divisor.shape, {&divisor});
  for_each_run(walk, walk.numel() + 1, [&](int64_t n, char* const* data, const int64_t* s) {
    bool nonzero[kConvertBlock];
    for_each_block<1>(n, data, s, [&](int64_t count, char* const* at, const int64_t* stride) {
      char* const pair[2] = {reinterpret_cast<char*>(nonzero), at[0]};
      const int64_t strides[2] = {1, stride[0]};
      test(count, pair, strides);
      for (int64_t i = 0; i < count; ++i) zero |= !nonzero[i];
    });
  });
  if (zero) throw Error("ZeroDivisionError");
}

void refuse_difference_of_bools(const Operand& x, const Operand& y) {
  const bool first = x.array.dtype == DType::kBool, second = y.array.dtype == DType::kBool;
  if (first && second) {
    throw Error(
        "Subtraction, the `-` operator, with two bool tensors is not supported. "
        "Use the `^` or `logical_xor()` operator instead.");
  }
  if (first || second) {
    throw Error(
        "Subtraction, the `-` operator, with a bool tensor is not supported. If you are trying to "
        "invert a mask, use the `~` or `logical_not()` operator instead.");
  }
}

// Only of a number: PyTorch gives powers of integer tensors, rounded towards zero.
void refuse_negative_exponent(const Operand& exponent, DType stored) {
  if (exponent.rank != Rank::kNumber || stored == DType::kBool) return;
  if (exponent.array.dtype != DType::kInt64 || category(stored) == Category::kFloating) return;
  if (*reinterpret_cast<const int64_t*>(exponent.array.data) < 0) {
    throw Error("Integers to negative integer powers are not allowed.");
  }
}

// Of two numbers PyTorch has sums, products and quotients only.
void refuse_numbers(Pointwise op, const Operand& x, const Operand& y) {
  if (x.rank != Rank::kNumber || y.rank != Rank::kNumber) return;
  if (op == Pointwise::add || op == Pointwise::sub || op == Pointwise::mul ||
      op == Pointwise::div || op == Pointwise::floor_divide || op == Pointwise::trunc_divide) {
    return;
  }
  const auto type = [](const Operand& number) {
    return category(number.array.dtype) == Category::kFloating   ? "float"
           : category(number.array.dtype) == Category::kIntegral ? "int"
                                                                 : "bool";
  };
  throw TypeError(std::string(pointwise_info(op).name) +
                  "() received an invalid combination of arguments - got (" + type(x) + ", " +
                  type(y) + "), but expected a Tensor among them");
}

// PyTorch does not promote here; a weight without dimensions may have any type.
void refuse_mixed_types(const Operand& x, const Operand& end, const Operand& weight) {
  const auto check = [&](const Operand& other, const char* name) {
    if (other.array.dtype == x.array.dtype) return;
    throw Error(std::string("expected dtype ") + dtype_name(x.array.dtype) + " for `" + name +
                "` but got dtype " + dtype_name(other.array.dtype));
  };
  if (category(x.array.dtype) != Category::kFloating)
    refuse_operand(Pointwise::lerp, x.array.dtype);
  check(end, "end");
  if (weight.rank == Rank::kDimensioned) check(weight, "weight");
}

// What single ops refuse for the values or the types of their operands.
template <int N>
void check_operands(Pointwise op, const Operand (&x)[N], DType stored) {
  if constexpr (N == 2) {
    refuse_numbers(op, x[0], x[1]);
    if (op == Pointwise::sub) refuse_difference_of_bools(x[0], x[1]);
    if (op == Pointwise::pow) refuse_negative_exponent(x[1], stored);
  }
  if constexpr (N == 3) {
    if (op == Pointwise::lerp) refuse_mixed_types(x[0], x[1], x[2]);
  }
}

bool divides(Pointwise op) {
  return op == Pointwise::floor_divide || op == Pointwise::trunc_divide ||
         op == Pointwise::remainder || op == Pointwise::fmod;
}

// The bytes between the first and the last element.
struct Extent {
  explicit Extent(const Array& a) : low(a.data), high(a.data + itemsize(a.dtype)) {
    for (int d = 0; d < a.ndim; ++d) {
      const int64_t reach = (a.shape[d] - 1) * a.strides[d];
      (reach < 0 ? low : high) += reach;
    }
    dense = high - low == a.numel() * itemsize(a.dtype);
  }
  const char *low, *high;
  bool dense;  // no gaps
};

// Whether writing `out` could change elements of `x` that are still to be read.
//
// Throws where both are without gaps, as PyTorch does; where they are not, PyTorch does not look.
bool overlaps(const Array& out, const Array& x) {
  if (x.numel() == 0) return false;
  const Extent written(out), read(x);
  if (written.high <= read.low || read.high <= written.low) return false;
  bool same = out.data == x.data && out.ndim == x.ndim;
  for (int d = 0; same && d < out.ndim; ++d) {
    same = out.shape[d] == x.shape[d] && (out.shape[d] == 1 || out.strides[d] == x.strides[d]);
  }
  if (!same && written.dense && read.dense) {
    throw Error(
        "unsupported operation: some elements of the input tensor and the written-to tensor refer "
        "to a single memory location. Please clone() the tensor before performing the operation.");
  }
  return !same;
}

template <int N, class Loop, size_t... I>
void run_loop(const Loop& loop, const Array& out, const Operand (&x)[N], int ndim,
              const int64_t* shape, std::index_sequence<I...>) {
  const Walk<N + 1> walk = plan_walk<N + 1>(ndim, shape, {&out, &x[I].array...});
  const int64_t n = walk.numel();
  MaybeReleaseGil release(n);
  for_each_run(walk, kGrain, loop);
}

template <int N, class Loop>
py::object apply(Operand (&x)[N], int ndim, const int64_t* shape, DType result,
                 py::handle destination, const Loop& loop) {
  constexpr auto kIndex = std::make_index_sequence<N>{};
  Array out;
  if (destination.is_none()) {
    py::object fresh = new_array(result, ndim, shape, out);
    run_loop(loop, out, x, ndim, shape, kIndex);
    return fresh;
  }
  const Array target = read_out(destination, ndim, shape, result);
  bool direct = target.dtype == result;
  for (int i = 0; i < N; ++i) direct &= !overlaps(target, x[i].array);
  if (direct) {
    run_loop(loop, target, x, ndim, shape, kIndex);
  } else {
    const py::object fresh = new_array(result, ndim, shape, out);
    run_loop(loop, out, x, ndim, shape, kIndex);
    copy_into(target, out);
  }
  return py::reinterpret_borrow<py::object>(destination);
}

template <int N>
py::object pointwise_kernel(Pointwise op, const std::array<py::handle, N>& operands,
                            py::handle destination) {
  Operand x[N];
  const Operand* all[N];
  for (int i = 0; i < N; ++i) {
    x[i].read(operands[i]);
    all[i] = &x[i];
  }
  const DType stored = stored_type(op, result_type(all, N)), computed = computed_in(stored);
  check_operands(op, x, stored);
  const ElementLoop loop = find_loop(op, stored);
  int ndim;
  int64_t shape[kMaxDims];
  broadcast_shape(pointwise_info(op).name, x, ndim, shape);
  for (int i = 0; i < N; ++i) {
    if (checks_numbers(op)) x[i].check_fits(stored);
    const bool exact = x[i].rank != Rank::kDimensioned && category(stored) == Category::kFloating &&
                       !rounds_numbers(op);
    if (!exact) x[i].convert(stored);
    if (x[i].rank != Rank::kDimensioned) x[i].convert(computed);
  }
  if constexpr (N == 2) {
    if (divides(op)) refuse_zero_divisor(x[1].array);
  }
  const bool test = pointwise_info(op).kind == Kind::compare;
  const DType result = test ? DType::kBool : stored;
  if (stored == computed) return apply(x, ndim, shape, result, destination, loop);
  DType in_memory[N + 1] = {result}, in_loop[N + 1] = {test ? DType::kBool : computed};
  for (int i = 0; i < N; ++i) {
    in_memory[i + 1] = x[i].array.dtype;
    in_loop[i + 1] = computed;
  }
  return apply(x, ndim, shape, result, destination,
               ConvertingLoop<N + 1>(loop, in_memory, in_loop));
}

py::object where(py::handle condition, py::handle input, py::handle other, py::handle out) {
  Operand x[3];
  x[0].read(condition);
  x[1].read(input);
  x[2].read(other);
  if (x[0].array.dtype != DType::kBool) {
    throw Error(std::string("where expected condition to be a boolean tensor, but got a tensor "
                            "with dtype ") +
                scalar_name(x[0].array.dtype));
  }
  const Operand* values[2] = {&x[1], &x[2]};
  const DType result = result_type(values, 2);
  int ndim;
  int64_t shape[kMaxDims];
  broadcast_shape("where", x, ndim, shape);
  for (int i = 1; i < 3; ++i) {
    x[i].check_fits(result);
    x[i].convert(result);
  }
  return apply(x, ndim, shape, result, out, cast().selects[itemsize(result)]);
}

py::object copy(py::handle x, const py::object& dtype) {
  const Array source = read_array(x);
  Array out;
  const DType type = dtype.is_none() ? source.dtype : dtype_from_numpy(dtype);
  py::object fresh = new_array(type, source.ndim, source.shape, out);
  MaybeReleaseGil release(out.numel());
  copy_into(out, source);
  return fresh;
}

void assign(py::handle out, py::handle x) {
  const Operand source(x);
  const Array target = read_array(out);
  source.check_fits(target.dtype);
  int ndim = target.ndim;
  int64_t shape[kMaxDims];
  std::copy_n(target.shape, ndim, shape);
  if (!broadcast_into(ndim, shape, source.array) || ndim != target.ndim ||
      !std::equal(shape, shape + ndim, target.shape)) {
    throw Error("assign: the value must broadcast to the destination; got shapes " +
                shape_text(source.array) + " and " + shape_text(target));
  }
  read_out(out, ndim, shape, target.dtype);
  if (overlaps(target, source.array)) {
    Array temporary;
    const py::object owner =
        new_array(source.array.dtype, source.array.ndim, source.array.shape, temporary);
    copy_into(temporary, source.array);
    copy_into(target, temporary);
    return;
  }
  copy_into(target, source.array);
}

// NOTE [Fast calls] The pointwise kernels are the ones that small tensors call most, and pybind11's
// dispatcher takes a third of such a call. They are plain CPython functions instead: positional
// arguments, the op in the module slot, the exceptions translated by pybind11 all the same.
template <int N>
PyObject* fast_call(PyObject* self, PyObject* const* args, Py_ssize_t count) {
  const auto op = static_cast<Pointwise>(PyLong_AsLong(self));
  if (count != N && count != N + 1) {
    PyErr_Format(PyExc_TypeError, "%s() takes %d operands and an optional destination, %d given",
                 pointwise_info(op).name, N, static_cast<int>(count));
    return nullptr;
  }
  try {
    std::array<py::handle, N> operands;
    for (int i = 0; i < N; ++i) operands[i] = args[i];
    const py::handle out = count > N ? py::handle(args[N]) : py::handle(Py_None);
    return pointwise_kernel<N>(op, operands, out).release().ptr();
  } catch (...) {
    py::detail::try_translate_exceptions();
    return nullptr;
  }
}

void bind_op(py::module_& m, Pointwise op) {
  static PyMethodDef definitions[kPointwiseOps];
  static std::string texts[kPointwiseOps];
  static constexpr _PyCFunctionFast kCalls[] = {fast_call<1>, fast_call<2>, fast_call<3>,
                                                fast_call<4>};
  static constexpr const char* kOperands[] = {"x", "y", "z", "w"};
  const PointwiseInfo& info = pointwise_info(op);
  const int index = static_cast<int>(op);
  texts[index] = std::string(info.name) + "(";
  for (int i = 0; i < info.arity; ++i) texts[index] += std::string(kOperands[i]) + ": object, ";
  texts[index] += "out: object = None) -> object";
  const auto call =
      reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(kCalls[info.arity - 1]));
  definitions[index] = {info.name, call, METH_FASTCALL, texts[index].c_str()};
  m.attr(info.name) = py::reinterpret_steal<py::object>(PyCFunction_NewEx(
      &definitions[index], py::int_(index).release().ptr(), m.attr("__name__").ptr()));
}

}  // namespace

void bind_pointwise(py::module_& m) {
  py::list table;
  for (int i = 0; i < kPointwiseOps; ++i) {
    const auto op = static_cast<Pointwise>(i);
    static constexpr const char* kKinds[] = {"arithmetic", "numeric", "floating", "real",
                                             "compare",    "bitwise", "integral"};
    const PointwiseInfo& info = pointwise_info(op);
    bind_op(m, op);
    table.append(py::make_tuple(info.name, info.arity, kKinds[static_cast<int>(info.kind)]));
  }
  m.attr("POINTWISE") = py::tuple(table);
  m.def("where", &where, py::arg("condition"), py::arg("x"), py::arg("y"),
        py::arg("out") = py::none());
  m.def("copy", &copy, py::arg("x"), py::arg("dtype") = py::none(),
        "A contiguous copy, converted to `dtype`.");
  m.def("assign", &assign, py::arg("out"), py::arg("x"),
        "out[...] = x[...], with broadcasting and conversion.");
}

}  // namespace rush
