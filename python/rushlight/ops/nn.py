"""Activations and softmax."""

from __future__ import annotations

from typing import Any

from rushlight.ops._registry import composed, op
from rushlight.ops.choice import where
from rushlight.tensor import Tensor

# ---- Activations ----


@op(input=lambda K, g, out: K.relu_backward(g, out), inplace=True)
def relu(input: Tensor) -> Tensor:
    """Elementwise ``max(input, 0)``; the derivative at 0 is 0."""


@composed(method=False)
def relu_backward(g: Tensor, out: Tensor) -> Tensor:
    """The gradient of `relu`: `g` where `out` is positive."""
    return where(out <= 0, 0.0, g)


@op(input=lambda K, g, out: K.sigmoid_backward(g, out), inplace=True)
def sigmoid(input: Tensor) -> Tensor:
    """Logistic sigmoid ``1 / (1 + exp(-input))``, elementwise."""


@composed(method=False)
def sigmoid_backward(g: Tensor, out: Tensor) -> Tensor:
    """The gradient of `sigmoid`."""
    return g * (out * (1 - out))


@composed(method=False)
def tanh_backward(g: Tensor, out: Tensor) -> Tensor:
    """The gradient of `tanh`."""
    return g * (1 - out * out)


@op(input=lambda K, g, input: K.silu_backward(g, input), method=False)
def silu(input: Tensor) -> Tensor:
    """Elementwise ``input * sigmoid(input)`` (Elfwing et al. 2017)."""


@composed(method=False)
def silu_backward(g: Tensor, x: Tensor) -> Tensor:
    """The gradient of `silu`."""
    s = sigmoid(x)
    return g * (s * (1 + x * (1 - s)))


@op(input=lambda K, g, input: K.mish_backward(g, input), method=False)
def mish(input: Tensor) -> Tensor:
    """Elementwise ``input * tanh(softplus(input))`` (Misra 2019)."""


@composed(method=False)
def mish_backward(g: Tensor, x: Tensor) -> Tensor:
    """The gradient of `mish`."""
    t = softplus(x).tanh()
    return g * (t + x * (1 - t * t) * sigmoid(x))


@op(input=lambda K, g, input: K.hardswish_backward(g, input), method=False)
def hardswish(input: Tensor) -> Tensor:
    """Elementwise ``input * min(max(input + 3, 0), 6) / 6``; at -3 and 3 the parabola's slope."""


@composed(method=False)
def hardswish_backward(g: Tensor, x: Tensor) -> Tensor:
    """The gradient of `hardswish`."""
    return where(x < -3, 0.0, where(x <= 3, g * (x / 3 + 0.5), g))


@op(
    input=lambda K, g, input, slope: K.leaky_relu_backward(g, input, slope),
    method=False,
)
def leaky_relu(input: Tensor, slope: float = 0.01) -> Tensor:
    """Elementwise ``input`` where positive, else ``slope * input``; at 0 the slope counts."""


@composed(method=False)
def leaky_relu_backward(g: Tensor, x: Tensor, slope: float) -> Tensor:
    """The gradient of `leaky_relu`."""
    return where(x > 0, g, g * slope)


@op(input=lambda K, g, input, alpha: K.elu_backward(g, input, alpha), method=False)
def elu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Elementwise ``input`` where positive, else ``alpha * (exp(input) - 1)``."""


@composed(method=False)
def elu_backward(g: Tensor, x: Tensor, alpha: float) -> Tensor:
    """The gradient of `elu`."""
    # Where x is large, exp(x) would be infinite, and the derivative of what is not chosen NaN.
    return where(x <= 0, g * alpha * x.clamp(max=0).exp(), g)


@op(
    input=lambda K, g, input, beta, threshold: K.softplus_backward(g, input, beta, threshold),
    method=False,
)
def softplus(input: Tensor, beta: float = 1.0, threshold: float = 20.0) -> Tensor:
    """Elementwise ``log(1 + exp(beta * input)) / beta``; ``input`` itself above `threshold`."""


@composed(method=False)
def softplus_backward(g: Tensor, x: Tensor, beta: float, threshold: float) -> Tensor:
    """The gradient of `softplus`."""
    return where(x * beta > threshold, g, g * sigmoid(x * beta))


@op(
    input=lambda K, g, input, approximate: (
        K.gelu_backward(g, input) if approximate == "none" else K.gelu_tanh_backward(g, input)
    ),
    forward=lambda K, input, approximate: _gelu(K, input, approximate),
    method=False,
)
def gelu(input: Tensor, approximate: str = "none") -> Tensor:
    """Gaussian error linear unit, ``input * Phi(input)`` (Hendrycks and Gimpel 2016).

    Args:
        input: of a floating type.
        approximate: 'none', or 'tanh' for the paper's approximation.
    """


def _gelu(K: Any, input: Any, approximate: str) -> Any:
    if approximate not in ("none", "tanh"):
        raise RuntimeError("approximate argument must be either none or tanh.")
    return K.gelu(input) if approximate == "none" else K.gelu_tanh(input)


@composed(method=False)
def gelu_backward(g: Tensor, x: Tensor) -> Tensor:
    """The gradient of `gelu`."""
    cdf = (1 + (x * 0.7071067811865476).erf()) * 0.5
    return g * (cdf + x * (x * x * -0.5).exp() * 0.3989422804014327)


@composed(method=False)
def gelu_tanh_backward(g: Tensor, x: Tensor) -> Tensor:
    """The gradient of `gelu` with the tanh approximation."""
    c = 0.7978845608028654
    t = ((x + x * x * x * 0.044715) * c).tanh()
    return g * ((1 + t) + x * (1 - t * t) * (x * x * 0.134145 + 1) * c) * 0.5


# ---- Softmax ----


@op(
    input=lambda K, g, out, dim: K.softmax_backward(g, out, dim),
    forward=lambda K, input, dim: K.softmax(input, dim),
    node="SoftmaxBackward0",
    method=False,
)
def softmax_along(input: Tensor, dim: int) -> Tensor:
    """``exp(input)`` divided by its sum along `dim`."""


@op(
    input=lambda K, g, out, dim: K.log_softmax_backward(g, out, dim),
    forward=lambda K, input, dim: K.log_softmax(input, dim),
    node="LogSoftmaxBackward0",
    method=False,
)
def log_softmax_along(input: Tensor, dim: int) -> Tensor:
    """``input - log(sum(exp(input)))`` along `dim`."""


@composed(method=False)
def softmax_backward(g: Tensor, out: Tensor, dim: int) -> Tensor:
    """The gradient of `softmax`."""
    return out * (g - (g * out).sum(dim, True))


@composed(method=False)
def log_softmax_backward(g: Tensor, out: Tensor, dim: int) -> Tensor:
    """The gradient of `log_softmax`."""
    return g - out.exp() * g.sum(dim, True)


@composed()
def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """``exp(input)`` divided by its sum along `dim`, shifted so that nothing overflows."""
    return softmax_along(input if dtype is None else input.to(dtype), dim)


@composed()
def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of `softmax`, without its rounding errors."""
    return log_softmax_along(input if dtype is None else input.to(dtype), dim)
