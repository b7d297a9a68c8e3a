"""Activations, elementwise and over a dimension."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.dtypes import dtype as DType  # noqa: N812
from rushlight.tensor import Tensor

__all__ = [
    "celu",
    "elu",
    "elu_",
    "glu",
    "gumbel_softmax",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "hardtanh_",
    "leaky_relu",
    "leaky_relu_",
    "log_softmax",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "rrelu",
    "selu",
    "silu",
    "softmax",
    "softmin",
    "softsign",
    "tanhshrink",
    "threshold",
]


def _overwrite(input: Tensor, function: Callable[..., Tensor], *args: Any) -> Tensor:
    """Put the function's value into `input`; the derivative needs what stood there before."""
    return input.copy_(function(input.clone(), *args))


def relu(input: Tensor, inplace: bool = False) -> Tensor:
    """``max(x, 0)``; the gradient at 0 is 0."""
    return input.relu_() if inplace else ops.relu(input)


def relu6(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x, 0), 6)``."""
    return hardtanh(input, 0.0, 6.0, inplace)


def hardtanh(
    input: Tensor, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Tensor:
    """``min(max(x, min_val), max_val)``; the gradient at the two corners is 0."""
    if min_val > max_val:
        raise ValueError("min_val cannot be greater than max_val")
    if inplace:
        return _overwrite(input, hardtanh, min_val, max_val)
    inside = ops.logical_and(input > min_val, input < max_val)
    return ops.where(inside, input, input.detach().clamp(min_val, max_val))


def hardtanh_(input: Tensor, min_val: float = -1.0, max_val: float = 1.0) -> Tensor:
    """`hardtanh`, in place."""
    return hardtanh(input, min_val, max_val, True)


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """``x`` where ``x > 0``, elsewhere ``negative_slope x``."""
    if inplace:
        return _overwrite(input, ops.leaky_relu, negative_slope)
    return ops.leaky_relu(input, negative_slope)


def leaky_relu_(input: Tensor, negative_slope: float = 0.01) -> Tensor:
    """`leaky_relu`, in place."""
    return leaky_relu(input, negative_slope, True)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``x`` where ``x > 0``, elsewhere ``alpha (exp(x) - 1)``."""
    return _overwrite(input, ops.elu, alpha) if inplace else ops.elu(input, alpha)


def elu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`elu`, in place."""
    return elu(input, alpha, True)


def celu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``x`` where ``x > 0``, elsewhere ``alpha (exp(x / alpha) - 1)``."""
    return ops.celu_(input, alpha) if inplace else ops.celu(input, alpha)


def selu(input: Tensor, inplace: bool = False) -> Tensor:
    """`elu` with the scale and the alpha that keep mean 0 and variance 1."""
    return ops.selu_(input) if inplace else ops.selu(input)


def rrelu(
    input: Tensor,
    lower: float = 1.0 / 8,
    upper: float = 1.0 / 3,
    training: bool = False,
    inplace: bool = False,
) -> Tensor:
    """``x`` where ``x > 0``, elsewhere a slope times x: drawn in training, else the mean one."""
    if inplace:
        return ops.rrelu_(input, lower, upper, training)
    return ops.rrelu(input, lower, upper, training)


def threshold(input: Tensor, threshold: float, value: float, inplace: bool = False) -> Tensor:
    """``x`` where ``x > threshold``, elsewhere `value`."""
    if inplace:
        return ops.threshold_(input, threshold, value)
    return ops.threshold(input, threshold, value)


def glu(input: Tensor, dim: int = -1) -> Tensor:
    """``a sigmoid(b)`` with a and b the two halves of the input along `dim`.

    Raises:
        RuntimeError: the size along `dim` is odd, or there is no dimension.

    Source: Dauphin et al., "Language modeling with gated convolutional networks" (2017).
    """
    if input.dim() == 0:
        raise RuntimeError("glu does not support 0-dimensional tensors")
    size = input.size(dim)
    if size % 2:
        raise RuntimeError(
            f"Halving dimension must be even, but dimension {dim % input.dim()} is size {size}"
        )
    half = size // 2
    return input.narrow(dim, 0, half) * ops.sigmoid(input.narrow(dim, half, half))


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``x sigmoid(x)``."""
    return _overwrite(input, ops.silu) if inplace else ops.silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x tanh(softplus(x))``."""
    return _overwrite(input, ops.mish) if inplace else ops.mish(input)


def logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(x)) = -softplus(-x)``."""
    # Above 40 softplus is the identity in float64 too.
    return -ops.softplus(-input, 1.0, 40.0)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x + 3, 0), 6) / 6``."""
    if inplace:
        return _overwrite(input, hardsigmoid)
    return relu6(input + 3.0) / 6.0


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x min(max(x + 3, 0), 6) / 6``."""
    return _overwrite(input, ops.hardswish) if inplace else ops.hardswish(input)


def softsign(input: Tensor) -> Tensor:
    """``x / (1 + |x|)``."""
    return input / (input.abs() + 1.0)


def tanhshrink(input: Tensor) -> Tensor:
    """``x - tanh(x)``."""
    return input - ops.tanh(input)


def _implicit_dim(name: str, input: Tensor, stacklevel: int) -> int:
    warnings.warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument.",
        stacklevel=stacklevel,
    )
    return 0 if input.dim() in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """``exp(x_i) / sum_j exp(x_j)`` along `dim`.

    Args:
        input: floating tensor.
        dim: the dimension; None, deprecated, takes 0 for 0, 1 or 3 dimensions and 1 otherwise.
        dtype: convert the input to this dtype first.
    """
    dim = _implicit_dim("softmax", input, _stacklevel) if dim is None else dim
    return ops.softmax(input if dtype is None else input.to(dtype), dim)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """``softmax(-x)`` along `dim`; see `softmax`."""
    dim = _implicit_dim("softmin", input, _stacklevel) if dim is None else dim
    return softmax(-input, dim, dtype=dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """``x_i - log(sum_j exp(x_j))`` along `dim`; the arguments are those of `softmax`."""
    dim = _implicit_dim("log_softmax", input, _stacklevel) if dim is None else dim
    return ops.log_softmax(input if dtype is None else input.to(dtype), dim)


def gumbel_softmax(
    logits: Tensor, tau: float = 1, hard: bool = False, eps: float = 1e-10, dim: int = -1
) -> Tensor:
    """``softmax((x + noise) / tau)`` with Gumbel noise: a smooth draw of a class.

    Args:
        logits: (..., classes), not normalised.
        tau: the temperature, positive.
        hard: return the one-hot vector of the draw, with the gradient of the smooth one.
        eps: of no effect.
        dim: the dimension of the classes.

    Source: Jang, Gu and Poole (2017), "Categorical reparameterization with Gumbel-softmax".
    """
    noise = -ops.empty_like(logits).exponential_().log()
    soft = ops.softmax((logits + noise) / tau, dim)
    if not hard:
        return soft
    along = [1] * logits.dim()
    along[dim] = -1
    classes = ops.arange(logits.shape[dim], device=logits.device).reshape(along)
    chosen: Tensor = classes.eq(soft.argmax(dim, keepdim=True)).to(logits.dtype)
    return chosen - soft.detach() + soft
