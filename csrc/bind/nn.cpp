// Convolution and pooling over (batch, channels, height, width).
#include "bind/arrays.h"
#include "bind/checks.h"
#include "bind/widen.h"
#include "kernels/conv.h"
#include "kernels/pool.h"

namespace rush {
namespace {

// Multiplications that take about as long as one pointwise operation.
constexpr int64_t kFlopsPerElement = 16;

std::string text(int64_t n) { return std::to_string(n); }
std::string text(Size2 size) { return "(" + text(size.h) + " x " + text(size.w) + ")"; }
bool any_below(Size2 size, int64_t least) { return size.h < least || size.w < least; }
int64_t area(Size2 size) { return size.h * size.w; }

// --- convolution -----------------------------------------------------------------------------

struct ConvOptions {
  Pair stride, padding, dilation;
  int64_t groups;
};

void check_options(const ConvOptions& o, Size2 kernel) {
  if (o.groups <= 0) throw Error("non-positive groups is not supported");
  if (any_below(to_size(o.padding), 0)) throw Error("negative padding is not supported");
  if (any_below(to_size(o.stride), 1)) throw Error("non-positive stride is not supported");
  if (any_below(to_size(o.dilation), 1)) {
    throw Error("dilation should be greater than zero, but got [" + text(o.dilation.first) + ", " +
                text(o.dilation.second) + "]");
  }
  if (any_below(kernel, 1)) {
    throw Error("kernel size should be greater than zero, but got kernel_height: " +
                text(kernel.h) + " kernel_width: " + text(kernel.w));
  }
}

void check_channels(const int64_t* x, const int64_t* w, int64_t groups) {
  const std::string start = "Given groups=" + text(groups) + ", ";
  if (w[0] < groups) {
    throw Error(start + "expected weight to be at least " + text(groups) +
                " at dimension 0, but got weight of size " + shape_text(4, w) + " instead");
  }
  if (w[0] % groups != 0) {
    throw Error(start + "expected weight to be divisible by " + text(groups) +
                " at dimension 0, but got weight of size [" + shape_text(4, w) + "] instead");
  }
  if (x[1] != w[1] * groups) {
    throw Error(start + "weight of size " + shape_text(4, w) + ", expected input" +
                shape_text(4, x) + " to have " + text(w[1] * groups) + " channels, but got " +
                text(x[1]) + " channels instead");
  }
}

void check_dims(size_t x, size_t w, const std::string& shape) {
  if (x != 4) {
    throw Error("Expected 3D (unbatched) or 4D (batched) input to conv2d, but got input of size: " +
                shape);
  }
  if (w != 4) throw Error("Expected 4D weight for conv2d, but got " + text(w) + "D weight");
}

ConvShape conv_shape(const int64_t* x, const int64_t* w, const ConvOptions& o) {
  const Size2 kernel = {w[2], w[3]}, input = {x[2], x[3]};
  check_options(o, kernel);
  check_channels(x, w, o.groups);
  const Size2 stride = to_size(o.stride), pad = to_size(o.padding), gap = to_size(o.dilation);
  const Size2 padded = {input.h + 2 * pad.h, input.w + 2 * pad.w};
  const Size2 reach = {gap.h * (kernel.h - 1) + 1, gap.w * (kernel.w - 1) + 1};
  if (padded.h < reach.h || padded.w < reach.w) {
    throw Error("Calculated padded input size per channel: " + text(padded) + ". Kernel size: " +
                text(reach) + ". Kernel size can't be greater than actual input size");
  }
  const Size2 output = {(padded.h - reach.h) / stride.h + 1, (padded.w - reach.w) / stride.w + 1};
  return {x[0], x[1], w[0], o.groups, input, kernel, output, stride, pad, gap};
}

int64_t work(const ConvShape& s) {
  return s.batch * s.out_channels * area(s.output) * (s.in_channels / s.groups) * area(s.kernel) /
         kFlopsPerElement;
}

const ConvFunctions<float>& conv_functions(Tag<float>) { return conv().of_float; }
const ConvFunctions<double>& conv_functions(Tag<double>) { return conv().of_double; }

void check_bias(const Array& bias, const Array& x, const Array& w) {
  if (bias.ndim != 1 || bias.shape[0] != w.shape[0]) {
    throw Error("Given weight of size " + shape_text(w) + ", expected bias to be 1-dimensional " +
                "with " + text(w.shape[0]) + " elements, but got bias of size " + shape_text(bias) +
                " instead");
  }
  if (bias.dtype != x.dtype) {
    throw Error(std::string("Input type (") + element_name(x.dtype) + ") and bias type (" +
                element_name(bias.dtype) + ") should be the same");
  }
}

py::object correlate2d(py::handle x_, py::handle weight_, py::handle bias_, Pair stride,
                       Pair padding, Pair dilation, int64_t groups) {
  py::object x_owner, w_owner, b_owner;
  const Array x = read_contiguous(x_, x_owner), w = read_contiguous(weight_, w_owner);
  check_dims(x.ndim, w.ndim, shape_text(x));
  check_scalar_type(x.dtype, w.dtype);
  Array bias;
  if (!bias_.is_none()) {
    bias = read_contiguous(bias_, b_owner);
    check_bias(bias, x, w);
  }
  const ConvShape s = conv_shape(x.shape, w.shape, {stride, padding, dilation, groups});
  Array out;
  py::object result = new_array(x.dtype, {s.batch, s.out_channels, s.output.h, s.output.w}, out);
  dispatch_floating(x.dtype, "correlate2d", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(work(s));
    conv_functions(tag).forward(s, x.as<T>(), w.as<T>(), bias.as<T>(), out.as<T>());
  });
  return result;
}

// The gradient of the output, which has to fit the shape.
Array read_gradient(py::handle value, const ConvShape& s, DType dtype, py::object& owner) {
  const Array g = read_contiguous(value, owner);
  check_scalar_type(dtype, g.dtype);
  const int64_t expected[] = {s.batch, s.out_channels, s.output.h, s.output.w};
  if (g.ndim != 4 || !std::equal(expected, expected + 4, g.shape)) {
    throw Error("correlate2d: the gradient must have the output's shape " +
                shape_text(4, expected) + "; got " + shape_text(g));
  }
  return g;
}

py::object correlate2d_input_grad(py::handle grad, py::handle weight_,
                                  const std::vector<int64_t>& x_shape, Pair stride, Pair padding,
                                  Pair dilation, int64_t groups) {
  py::object g_owner, w_owner;
  const Array w = read_contiguous(weight_, w_owner);
  check_dims(x_shape.size(), w.ndim, shape_text(static_cast<int>(x_shape.size()), x_shape.data()));
  const ConvShape s = conv_shape(x_shape.data(), w.shape, {stride, padding, dilation, groups});
  const Array g = read_gradient(grad, s, w.dtype, g_owner);
  Array out;
  py::object result = new_array(g.dtype, 4, x_shape.data(), out);
  dispatch_floating(g.dtype, "correlate2d_input_grad", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(work(s));
    conv_functions(tag).input_grad(s, g.as<T>(), w.as<T>(), out.as<T>());
  });
  return result;
}

py::object correlate2d_weight_grad(py::handle grad, py::handle x_,
                                   const std::vector<int64_t>& weight_shape, Pair stride,
                                   Pair padding, Pair dilation, int64_t groups) {
  py::object g_owner, x_owner;
  const Array x = read_contiguous(x_, x_owner);
  check_dims(x.ndim, weight_shape.size(), shape_text(x));
  const ConvShape s = conv_shape(x.shape, weight_shape.data(), {stride, padding, dilation, groups});
  const Array g = read_gradient(grad, s, x.dtype, g_owner);
  Array out;
  py::object result = new_array(g.dtype, 4, weight_shape.data(), out);
  dispatch_floating(g.dtype, "correlate2d_weight_grad", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(work(s));
    conv_functions(tag).weight_grad(s, g.as<T>(), x.as<T>(), out.as<T>());
  });
  return result;
}

// --- pooling ---------------------------------------------------------------------------------

const PoolFunctions<float>& pool_functions(Tag<float>) { return pool().of_float; }
const PoolFunctions<double>& pool_functions(Tag<double>) { return pool().of_double; }

struct PoolOptions {
  Pair kernel, stride, padding, dilation;
};

void check_options(const PoolOptions& o) {
  if (any_below(to_size(o.kernel), 1)) {
    throw Error("kernel size should be greater than zero, but got kH: " + text(o.kernel.first) +
                " kW: " + text(o.kernel.second));
  }
  if (o.stride.first == 0 || o.stride.second == 0) throw Error("stride should not be zero");
  if (any_below(to_size(o.stride), 1)) {
    throw Error("stride should be greater than zero, but got dH: " + text(o.stride.first) +
                " dW: " + text(o.stride.second));
  }
  if (any_below(to_size(o.dilation), 1)) {
    throw Error("dilation should be greater than zero, but got dilationH: " +
                text(o.dilation.first) + " dilationW: " + text(o.dilation.second));
  }
}

// The windows along one axis. With ceil_mode they may hang over the far edge, but the last has to
// start inside of the input or the near padding.
int64_t pooled_size(int64_t input, int64_t kernel, int64_t stride, int64_t padding,
                    int64_t dilation, bool ceil_mode) {
  if (padding < 0) throw Error("pad must be non-negative, but got pad: " + text(padding));
  if (padding > (dilation * (kernel - 1) + 1) / 2) {
    throw Error(
        "pad should be at most half of effective kernel size, but got pad=" + text(padding) +
        ", kernel_size=" + text(kernel) + " and dilation=" + text(dilation));
  }
  const int64_t free = input + 2 * padding - dilation * (kernel - 1) - 1;
  const int64_t whole = free + (ceil_mode ? stride - 1 : 0);
  // Rounded down: an input smaller than the window has no output, nor with ceil_mode one too many.
  int64_t count = (whole >= 0 ? whole / stride : -((-whole + stride - 1) / stride)) + 1;
  if (ceil_mode && (count - 1) * stride >= input + padding) --count;
  return count;
}

Size2 pooled_size(const PoolShape& s, bool ceil_mode) {
  return {pooled_size(s.input.h, s.kernel.h, s.stride.h, s.padding.h, s.dilation.h, ceil_mode),
          pooled_size(s.input.w, s.kernel.w, s.stride.w, s.padding.w, s.dilation.w, ceil_mode)};
}

// An input (or its shape) as planes; the output's size is left open.
PoolShape plane_shape(int ndim, const int64_t* x, const PoolOptions& o) {
  check_options(o);
  bool fits = ndim == 3 || ndim == 4;
  for (int d = ndim == 4 ? 1 : 0; fits && d < ndim; ++d) fits = x[d] != 0;
  if (!fits) {
    throw Error(
        "Expected 3D or 4D (batch mode) tensor with optional 0 dim batch size for input, "
        "but got:" +
        shape_text(ndim, x));
  }
  PoolShape s = {};
  s.planes = x[0] * (ndim == 4 ? x[1] : 1);
  s.input = {x[ndim - 2], x[ndim - 1]};
  s.kernel = to_size(o.kernel);
  s.stride = to_size(o.stride);
  s.padding = to_size(o.padding);
  s.dilation = to_size(o.dilation);
  if (area(s.input) > INT32_MAX) throw NotImplemented("pooling of planes of 2^31 elements");
  return s;
}

// The same with the output's size, and the output's shape in `out`.
PoolShape pool_shape(const Array& x, const PoolOptions& o, bool ceil_mode, int64_t* out) {
  PoolShape s = plane_shape(x.ndim, x.shape, o);
  s.output = pooled_size(s, ceil_mode);
  if (s.padding.h > s.kernel.h / 2 || s.padding.w > s.kernel.w / 2) {
    throw Error("pad should be smaller than or equal to half of kernel size, but got padW = " +
                text(s.padding.w) + ", padH = " + text(s.padding.h) + ", kW = " + text(s.kernel.w) +
                ", kH = " + text(s.kernel.h));
  }
  if (any_below(s.output, 1)) {
    const std::string channels = text(x.shape[x.ndim - 3]);
    throw Error("Given input size: (" + channels + "x" + text(s.input.h) + "x" + text(s.input.w) +
                "). Calculated output size: (" + channels + "x" + text(s.output.h) + "x" +
                text(s.output.w) + "). Output size is too small");
  }
  std::copy_n(x.shape, x.ndim - 2, out);
  out[x.ndim - 2] = s.output.h;
  out[x.ndim - 1] = s.output.w;
  return s;
}

py::tuple max_pool2d(py::handle x_, Pair kernel_size, Pair stride, Pair padding, Pair dilation,
                     bool ceil_mode) {
  py::object owner;
  const Array x = read_contiguous(x_, owner);
  int64_t shape[kMaxDims];
  const PoolShape s = pool_shape(x, {kernel_size, stride, padding, dilation}, ceil_mode, shape);
  Array out, indices;
  py::object result = new_array(x.dtype, x.ndim, shape, out);
  py::object places = new_array(DType::kInt64, x.ndim, shape, indices);
  dispatch_floating(x.dtype, "max_pool2d", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(x.numel());
    pool_functions(tag).max(s, x.as<T>(), out.as<T>(), indices.as<int64_t>());
  });
  return py::make_tuple(result, places);
}

py::object max_pool2d_backward(py::handle grad, py::handle indices_,
                               const std::vector<int64_t>& x_shape) {
  py::object g_owner, i_owner;
  const Array g = read_contiguous(grad, g_owner), indices = read_contiguous(indices_, i_owner);
  const int ndim = static_cast<int>(x_shape.size());
  bool fits = ndim >= 2 && g.ndim == ndim && indices.ndim == ndim;
  for (int d = 0; fits && d < ndim; ++d) {
    fits = g.shape[d] == indices.shape[d] && (d >= ndim - 2 || g.shape[d] == x_shape[d]);
  }
  if (!fits || indices.dtype != DType::kInt64) {
    throw Error(
        "max_pool2d_backward: the gradient and int64 indices must have one shape, and x's "
        "planes; got " +
        shape_text(g) + ", " + shape_text(indices) + " " + dtype_name(indices.dtype) + " and " +
        shape_text(ndim, x_shape.data()));
  }
  Array out;
  py::object result = new_array(g.dtype, ndim, x_shape.data(), out);
  int64_t planes = 1;
  for (int d = 0; d < ndim - 2; ++d) planes *= x_shape[d];
  dispatch_floating(g.dtype, "max_pool2d_backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(out.numel());
    pool_functions(tag).max_backward(planes, x_shape[ndim - 2] * x_shape[ndim - 1],
                                     g.shape[ndim - 2] * g.shape[ndim - 1], g.as<T>(),
                                     indices.as<int64_t>(), out.as<T>());
  });
  return result;
}

AverageRule average_rule(bool count_include_pad, py::handle divisor_override) {
  if (divisor_override.is_none()) return {count_include_pad, 0};
  const auto divisor = divisor_override.cast<int64_t>();
  if (divisor == 0) throw Error("divisor must be not zero");
  return {count_include_pad, divisor};
}

py::object avg_pool2d(py::handle x_, Pair kernel_size, Pair stride, Pair padding, bool ceil_mode,
                      bool count_include_pad, py::handle divisor_override) {
  py::object owner;
  const Array x = read_contiguous(x_, owner);
  const AverageRule rule = average_rule(count_include_pad, divisor_override);
  int64_t shape[kMaxDims];
  const PoolShape s = pool_shape(x, {kernel_size, stride, padding, {1, 1}}, ceil_mode, shape);
  Array out;
  py::object result = new_array(x.dtype, x.ndim, shape, out);
  dispatch_floating(x.dtype, "avg_pool2d", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(x.numel());
    pool_functions(tag).average(s, rule, x.as<T>(), out.as<T>());
  });
  return result;
}

py::object avg_pool2d_backward(py::handle grad, const std::vector<int64_t>& x_shape,
                               Pair kernel_size, Pair stride, Pair padding, bool count_include_pad,
                               py::handle divisor_override) {
  py::object owner;
  const Array g = read_contiguous(grad, owner);
  const AverageRule rule = average_rule(count_include_pad, divisor_override);
  const int ndim = static_cast<int>(x_shape.size());
  PoolShape s = plane_shape(ndim, x_shape.data(), {kernel_size, stride, padding, {1, 1}});
  bool fits = g.ndim == ndim && std::equal(g.shape, g.shape + ndim - 2, x_shape.begin());
  if (fits) {
    s.output = {g.shape[ndim - 2], g.shape[ndim - 1]};
    // Whether it was with ceil_mode shows in the size.
    const auto is_output = [&](Size2 size) { return size.h == s.output.h && size.w == s.output.w; };
    fits = is_output(pooled_size(s, false)) || is_output(pooled_size(s, true));
  }
  if (!fits) {
    throw Error("avg_pool2d_backward: the gradient must have the shape of the output; got " +
                shape_text(g) + " for an input of " + shape_text(ndim, x_shape.data()));
  }
  Array out;
  py::object result = new_array(g.dtype, ndim, x_shape.data(), out);
  dispatch_floating(g.dtype, "avg_pool2d_backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(out.numel());
    pool_functions(tag).average_backward(s, rule, g.as<T>(), out.as<T>());
  });
  return result;
}

}  // namespace

void bind_nn(py::module_& m) {
  using py::arg;
  m.def("correlate2d", in_computed_type(&correlate2d), arg("x"), arg("weight"), arg("bias"),
        arg("stride"), arg("padding"), arg("dilation"), arg("groups"));
  m.def("correlate2d_input_grad", in_computed_type(&correlate2d_input_grad), arg("g"),
        arg("weight"), arg("x_shape"), arg("stride"), arg("padding"), arg("dilation"),
        arg("groups"));
  m.def("correlate2d_weight_grad", in_computed_type(&correlate2d_weight_grad), arg("g"), arg("x"),
        arg("weight_shape"), arg("stride"), arg("padding"), arg("dilation"), arg("groups"));
  m.def("max_pool2d", in_computed_type(&max_pool2d), arg("x"), arg("kernel_size"), arg("stride"),
        arg("padding"), arg("dilation"), arg("ceil_mode"),
        "The maxima and where in its plane each stands.");
  m.def("max_pool2d_backward", in_computed_type(&max_pool2d_backward), arg("g"), arg("indices"),
        arg("x_shape"));
  m.def("avg_pool2d", in_computed_type(&avg_pool2d), arg("x"), arg("kernel_size"), arg("stride"),
        arg("padding"), arg("ceil_mode"), arg("count_include_pad"), arg("divisor_override"));
  m.def("avg_pool2d_backward", in_computed_type(&avg_pool2d_backward), arg("g"), arg("x_shape"),
        arg("kernel_size"), arg("stride"), arg("padding"), arg("count_include_pad"),
        arg("divisor_override"));
}

}  // namespace rush
