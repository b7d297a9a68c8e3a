// Normalisation of rows and of channels.
#include "kernels/norm.h"

#include "bind/arrays.h"
#include "bind/checks.h"
#include "bind/widen.h"

namespace rush {
namespace {

const NormFunctions<float>& functions(Tag<float>) { return norm().of_float; }
const NormFunctions<double>& functions(Tag<double>) { return norm().of_double; }

// A weight or a bias of `count` elements, contiguous; None is an array without data.
class Parameter {
 public:
  Parameter(const char* op, py::handle value, DType dtype, int64_t count) {
    if (value.is_none()) return;
    array_ = read_contiguous(value, owner_);
    check_scalar_type(dtype, array_.dtype);
    if (array_.numel() != count) {
      throw Error(std::string(op) + ": expected " + std::to_string(count) +
                  " elements; got shape " + shape_text(array_));
    }
    given_ = true;
  }
  template <class T>
  const T* data() const {
    return given_ ? array_.as<T>() : nullptr;
  }
  // Their gradient, or None where it is not needed.
  py::object gradient(bool needed, Array& view) const {
    if (!needed || !given_) return py::none();
    return new_array(array_.dtype, array_.ndim, array_.shape, view);
  }

 private:
  Array array_;
  py::object owner_;
  bool given_ = false;
};

template <class T>
T* target(const py::object& owner, const Array& array) {
  return owner.is_none() ? nullptr : array.as<T>();
}

using Needs = std::tuple<bool, bool, bool>;

// --- rows ------------------------------------------------------------------------------------

// The last `dims` dimensions are a row.
struct RowShape {
  int64_t rows = 1, n = 1;

  RowShape(const Array& x, int64_t dims) {
    if (dims < 0 || dims > x.ndim) throw Error("normalized_rows: too many dimensions");
    for (int d = 0; d < x.ndim; ++d) (d < x.ndim - dims ? rows : n) *= x.shape[d];
  }
};

py::tuple normalized_rows(py::handle x_, py::handle weight_, py::handle bias_, int64_t dims,
                          double eps, bool center) {
  py::object owner;
  const Array x = read_contiguous(x_, owner);
  const RowShape s(x, dims);
  const Parameter weight("normalized_rows", weight_, x.dtype, s.n);
  const Parameter bias("normalized_rows", bias_, x.dtype, s.n);
  int64_t kept[kMaxDims];
  for (int d = 0; d < x.ndim; ++d) kept[d] = d < x.ndim - dims ? x.shape[d] : 1;
  Array out, mean, rstd;
  py::object result = new_array(x.dtype, x.ndim, x.shape, out);
  py::object means = new_array(x.dtype, x.ndim, kept, mean);
  py::object scales = new_array(x.dtype, x.ndim, kept, rstd);
  dispatch_floating(x.dtype, "normalized_rows", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(x.numel());
    functions(tag).rows(s.rows, s.n, x.as<T>(), weight.data<T>(), bias.data<T>(),
                        static_cast<T>(eps), center, out.as<T>(), mean.as<T>(), rstd.as<T>());
  });
  return py::make_tuple(result, means, scales);
}

py::tuple normalized_rows_backward(py::handle g_, py::handle x_, py::handle weight_,
                                   py::handle bias_, py::handle mean_, py::handle rstd_,
                                   int64_t dims, double, bool center, Needs needs) {
  py::object g_owner, x_owner, m_owner, r_owner;
  const Array g = read_contiguous(g_, g_owner), x = read_contiguous(x_, x_owner);
  const Array mean = read_contiguous(mean_, m_owner), rstd = read_contiguous(rstd_, r_owner);
  const RowShape s(x, dims);
  check_scalar_type(x.dtype, g.dtype);
  if (g.numel() != x.numel() || mean.numel() != s.rows || rstd.numel() != s.rows) {
    throw Error("normalized_rows_backward: the gradient must have the shape " + shape_text(x) +
                "; got " + shape_text(g));
  }
  const Parameter weight("normalized_rows_backward", weight_, x.dtype, s.n);
  const Parameter bias("normalized_rows_backward", bias_, x.dtype, s.n);
  Array gx, gw, gb;
  py::object x_grad = py::none();
  if (std::get<0>(needs)) x_grad = new_array(x.dtype, x.ndim, x.shape, gx);
  py::object w_grad = weight.gradient(std::get<1>(needs), gw);
  py::object b_grad = bias.gradient(std::get<2>(needs), gb);
  dispatch_floating(x.dtype, "normalized_rows_backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(x.numel());
    functions(tag).rows_backward(s.rows, s.n, g.as<T>(), x.as<T>(), weight.data<T>(), mean.as<T>(),
                                 rstd.as<T>(), center, target<T>(x_grad, gx), target<T>(w_grad, gw),
                                 target<T>(b_grad, gb));
  });
  return py::make_tuple(x_grad, w_grad, b_grad);
}

// --- channels --------------------------------------------------------------------------------

ChannelShape channel_shape(const Array& x) {
  if (x.ndim < 2) throw Error("normalized_channels: expected at least 2 dimensions");
  ChannelShape s = {x.shape[0], x.shape[1], 1};
  for (int d = 2; d < x.ndim; ++d) s.size *= x.shape[d];
  return s;
}

py::tuple normalized_channels(py::handle x_, py::handle weight_, py::handle bias_, double eps) {
  py::object owner;
  const Array x = read_contiguous(x_, owner);
  const ChannelShape s = channel_shape(x);
  const Parameter weight("normalized_channels", weight_, x.dtype, s.channels);
  const Parameter bias("normalized_channels", bias_, x.dtype, s.channels);
  Array out, mean, var;
  py::object result = new_array(x.dtype, x.ndim, x.shape, out);
  py::object means = new_array(x.dtype, {s.channels}, mean);
  py::object variances = new_array(x.dtype, {s.channels}, var);
  dispatch_floating(x.dtype, "normalized_channels", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(x.numel());
    functions(tag).channels(s, x.as<T>(), weight.data<T>(), bias.data<T>(), static_cast<T>(eps),
                            out.as<T>(), mean.as<T>(), var.as<T>());
  });
  return py::make_tuple(result, means, variances);
}

py::tuple normalized_channels_backward(py::handle g_, py::handle x_, py::handle weight_,
                                       py::handle bias_, py::handle mean_, py::handle var_,
                                       double eps, Needs needs) {
  py::object g_owner, x_owner, m_owner, v_owner;
  const Array g = read_contiguous(g_, g_owner), x = read_contiguous(x_, x_owner);
  const Array mean = read_contiguous(mean_, m_owner), var = read_contiguous(var_, v_owner);
  const ChannelShape s = channel_shape(x);
  check_scalar_type(x.dtype, g.dtype);
  if (g.numel() != x.numel() || mean.numel() != s.channels || var.numel() != s.channels) {
    throw Error("normalized_channels_backward: the gradient must have the shape " + shape_text(x) +
                "; got " + shape_text(g));
  }
  const Parameter weight("normalized_channels_backward", weight_, x.dtype, s.channels);
  const Parameter bias("normalized_channels_backward", bias_, x.dtype, s.channels);
  Array gx, gw, gb;
  py::object x_grad = py::none();
  if (std::get<0>(needs)) x_grad = new_array(x.dtype, x.ndim, x.shape, gx);
  py::object w_grad = weight.gradient(std::get<1>(needs), gw);
  py::object b_grad = bias.gradient(std::get<2>(needs), gb);
  dispatch_floating(x.dtype, "normalized_channels_backward", [&](auto tag) {
    using T = typename decltype(tag)::type;
    MaybeReleaseGil release(x.numel());
    functions(tag).channels_backward(s, g.as<T>(), x.as<T>(), weight.data<T>(), mean.as<T>(),
                                     var.as<T>(), static_cast<T>(eps), target<T>(x_grad, gx),
                                     target<T>(w_grad, gw), target<T>(b_grad, gb));
  });
  return py::make_tuple(x_grad, w_grad, b_grad);
}

}  // namespace

void bind_norm(py::module_& m) {
  using py::arg;
  m.def("normalized_rows", in_computed_type(&normalized_rows), arg("x"), arg("weight"), arg("bias"),
        arg("dims"), arg("eps"), arg("center"),
        "The rows of the last `dims`, their means and 1 / deviations.");
  m.def("normalized_rows_backward", in_computed_type(&normalized_rows_backward), arg("g"), arg("x"),
        arg("weight"), arg("bias"), arg("mean"), arg("rstd"), arg("dims"), arg("eps"),
        arg("center"), arg("needs"));
  m.def("normalized_channels", in_computed_type(&normalized_channels), arg("x"), arg("weight"),
        arg("bias"), arg("eps"), "The channels (dimension 1), their means and variances.");
  m.def("normalized_channels_backward", in_computed_type(&normalized_channels_backward), arg("g"),
        arg("x"), arg("weight"), arg("bias"), arg("mean"), arg("var"), arg("eps"), arg("needs"));
}

}  // namespace rush
