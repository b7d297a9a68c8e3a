"""Activations, elementwise and over a dimension."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.autograd.site import warn
from rushlight.dtypes import dtype as DType  # noqa: N812
from rushlight.tensor import Tensor

__all__ = [
    "elu",
    "hardsigmoid",
    "hardswish",
    "hardtanh",
    "leaky_relu",
    "log_softmax",
    "logsigmoid",
    "mish",
    "relu",
    "relu6",
    "silu",
    "softmax",
    "softmin",
    "softsign",
    "tanhshrink",
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
    inside = ops.logical_and(input > min_val, input < max_val)
    out = ops.where(inside, input, input.detach().clamp(min_val, max_val))
    return input.copy_(out) if inplace else out


def leaky_relu(input: Tensor, negative_slope: float = 0.01, inplace: bool = False) -> Tensor:
    """``x`` where ``x > 0``, elsewhere ``negative_slope x``."""
    if inplace:
        return _overwrite(input, ops.leaky_relu, negative_slope)
    return ops.leaky_relu(input, negative_slope)


def elu(input: Tensor, alpha: float = 1.0, inplace: bool = False) -> Tensor:
    """``x`` where ``x > 0``, elsewhere ``alpha (exp(x) - 1)``."""
    return _overwrite(input, ops.elu, alpha) if inplace else ops.elu(input, alpha)


def silu(input: Tensor, inplace: bool = False) -> Tensor:
    """``x sigmoid(x)``."""
    return _overwrite(input, ops.silu) if inplace else ops.silu(input)


def mish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x tanh(softplus(x))``."""
    out = input * ops.tanh(ops.softplus(input))
    return input.copy_(out) if inplace else out


def logsigmoid(input: Tensor) -> Tensor:
    """``log(sigmoid(x)) = -softplus(-x)``."""
    return -ops.softplus(-input)


def hardsigmoid(input: Tensor, inplace: bool = False) -> Tensor:
    """``min(max(x + 3, 0), 6) / 6``."""
    out = relu6(input + 3.0) / 6.0
    return input.copy_(out) if inplace else out


def hardswish(input: Tensor, inplace: bool = False) -> Tensor:
    """``x min(max(x + 3, 0), 6) / 6``."""
    out = input * relu6(input + 3.0) / 6.0
    return input.copy_(out) if inplace else out


def softsign(input: Tensor) -> Tensor:
    """``x / (1 + |x|)``."""
    return input / (input.abs() + 1.0)


def tanhshrink(input: Tensor) -> Tensor:
    """``x - tanh(x)``."""
    return input - ops.tanh(input)


def _implicit_dim(name: str, input: Tensor) -> int:
    warn(
        f"Implicit dimension choice for {name} has been deprecated. "
        "Change the call to include dim=X as an argument."
    )
    return 0 if input.dim() in (0, 1, 3) else 1


def softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """``exp(x_i) / sum_j exp(x_j)`` along `dim`.

    Args:
        input: floating tensor.
        dim: the dimension; None, deprecated, takes 0 for 0, 1 or 3 dimensions and 1 otherwise.
        _stacklevel: of no effect: a warning names the user's line.
        dtype: convert the input to this dtype first.
    """
    dim = _implicit_dim("softmax", input) if dim is None else dim
    return ops.softmax(input if dtype is None else input.to(dtype), dim)


def softmin(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """``softmax(-x)`` along `dim`; see `softmax`."""
    dim = _implicit_dim("softmin", input) if dim is None else dim
    return softmax(-input, dim, dtype=dtype)


def log_softmax(
    input: Tensor, dim: int | None = None, _stacklevel: int = 3, dtype: DType | None = None
) -> Tensor:
    """``x_i - log(sum_j exp(x_j))`` along `dim`; the arguments are those of `softmax`."""
    dim = _implicit_dim("log_softmax", input) if dim is None else dim
    return ops.log_softmax(input if dtype is None else input.to(dtype), dim)
