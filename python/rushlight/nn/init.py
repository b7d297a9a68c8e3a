"""Initial values: fill a tensor in place, drawing as PyTorch draws.

The same seed gives PyTorch's values: the draws, their number and their order are the same. All
functions work under `no_grad`, change their first argument and return it. ``fan_in`` is the number
of inputs that one output sums over, ``fan_out`` that of outputs that one input reaches.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight.random import Generator

__all__ = [
    "calculate_gain",
    "constant_",
    "dirac_",
    "eye_",
    "kaiming_normal_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "sparse_",
    "trunc_normal_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]

_GAINS = {"sigmoid": 1.0, "tanh": 5.0 / 3, "relu": math.sqrt(2.0), "selu": 3.0 / 4}
_LINEAR = ("linear", *(f"conv{t}{n}d" for t in ("", "_transpose") for n in (1, 2, 3)))


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """Return the gain recommended for weights before `nonlinearity`.

    Args:
        nonlinearity: ``linear``, ``conv1d`` ... ``conv_transpose3d``, ``sigmoid``, ``tanh``,
            ``relu``, ``leaky_relu`` or ``selu``.
        param: the negative slope of ``leaky_relu``; 0.01 when None.

    Returns:
        1 for linear ones and the sigmoid, 5/3 for tanh, sqrt(2) for relu, 3/4 for selu,
        ``sqrt(2 / (1 + slope^2))`` for leaky_relu.

    Raises:
        ValueError: the name is none of these, or the slope is no number.
    """
    if nonlinearity in _LINEAR:
        return 1.0
    if nonlinearity == "leaky_relu":
        slope = 0.01 if param is None else param
        if isinstance(slope, bool) or not isinstance(slope, (int, float)):
            raise ValueError(f"negative_slope {slope} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    if nonlinearity not in _GAINS:
        raise ValueError(f"Unsupported nonlinearity {nonlinearity}")
    return _GAINS[nonlinearity]


def uniform_(
    tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values from the uniform distribution over [a, b)."""
    with no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(
    tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill with values from the normal distribution with `mean` and `std`."""
    with no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Generator | None = None,
) -> Tensor:
    """Fill with values from the normal distribution, cut to [a, b].

    Values outside are drawn again. Where [a, b] holds no more than 0.3 of the distribution,
    candidates are drawn uniformly and accepted with probability density / peak density.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. "
            "The distribution of values may be incorrect.",
            stacklevel=2,
        )
    inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    with no_grad():
        if inside > 0.3:
            return _redraw_outside(tensor, mean, std, a, b, generator)
        return _accept_uniform(tensor, mean, std, a, b, generator)


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _redraw_outside(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Tensor:
    low, high = tensor.new_tensor([a, b]).tolist()
    result = tensor.normal_(mean, std, generator=generator)
    while True:
        outside = ops.logical_or(result < low, result > high)
        if not outside.any():
            return tensor if result is tensor else tensor.copy_(result)
        again = ops.empty_like(result).normal_(mean, std, generator=generator)
        result = ops.where(outside, again, result)


def _accept_uniform(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Generator | None
) -> Tensor:
    mode = max(a, min(mean, b))
    log_peak = -0.5 * ((mode - mean) / std) ** 2
    result = tensor.uniform_(a, b, generator=generator)
    candidates = result.clone()
    pending = None
    while True:
        density = ((candidates - mean) / std) ** 2 * -0.5 - log_peak
        refused = ops.empty_like(tensor).uniform_(generator=generator).log() > density
        pending = refused if pending is None else ops.logical_and(pending, refused)
        if not pending.any():
            return tensor if result is tensor else tensor.copy_(result)
        candidates = ops.empty_like(tensor).uniform_(a, b, generator=generator)
        result = ops.where(pending, candidates, result)


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill with `val`."""
    with no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill with 1."""
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill with 0."""
    return constant_(tensor, 0.0)


def eye_(tensor: Tensor) -> Tensor:
    """Fill a matrix with 1 on the diagonal and 0 elsewhere.

    Raises:
        ValueError: `tensor` is no matrix.
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with no_grad():
        return tensor.copy_(ops.eye(*tensor.shape))


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Fill a convolution's weight so that it passes as many channels through as it can.

    Args:
        tensor: weight of shape (out, in, size, ...) with 1 to 3 spatial dimensions.
        groups: groups of the convolution; the same is done in each.

    Raises:
        ValueError: the number of dimensions is not 3 to 5, or `groups` does not divide ``out``.
    """
    if tensor.dim() not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    if tensor.shape[0] % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    per_group = tensor.shape[0] // groups
    centre = tuple(size // 2 for size in tensor.shape[2:])
    with no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(per_group, tensor.shape[1])):
                index = (group * per_group + channel, channel, *centre)
                tensor[index] = 1
    return tensor


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    if tensor.dim() < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    fan_out, fan_in, *window = tensor.shape
    size = math.prod(window)
    return fan_in * size, fan_out * size


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    modes = ["fan_in", "fan_out"]
    if mode.lower() not in modes:
        raise ValueError(f"Mode {mode} not supported, please use one of {modes}")
    return _calculate_fan_in_and_fan_out(tensor)[modes.index(mode.lower())]


def xavier_uniform_(
    tensor: Tensor, gain: float = 1.0, generator: Generator | None = None
) -> Tensor:
    """Fill uniformly over [-a, a), ``a = gain sqrt(6 / (fan_in + fan_out))``.

    Source: Glorot and Bengio, Understanding the difficulty of training deep feedforward neural
    networks (2010), equation 16.
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    bound = math.sqrt(3.0) * gain * math.sqrt(2.0 / (fan_in + fan_out))
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Generator | None = None) -> Tensor:
    """Fill with normal values of ``std = gain sqrt(2 / (fan_in + fan_out))``.

    Source: Glorot and Bengio (2010), equation 12.
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return normal_(tensor, 0.0, gain * math.sqrt(2.0 / (fan_in + fan_out)), generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float | None:
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=3)
        return None
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill uniformly over [-b, b), ``b = gain sqrt(3 / fan)``.

    Args:
        tensor: weight with 2 or more dimensions, (out, in, ...).
        a: negative slope of the leaky_relu that follows.
        mode: ``fan_in`` keeps the variance of the forward pass, ``fan_out`` of the backward.
        nonlinearity: what follows, see `calculate_gain`.
        generator: where to draw from.

    Source: He et al., Delving deep into rectifiers (2015), equations 10 and 14.
    """
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    if std is None:
        return tensor
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Generator | None = None,
) -> Tensor:
    """Fill with normal values of ``std = gain / sqrt(fan)``; see `kaiming_uniform_`."""
    std = _kaiming_std(tensor, a, mode, nonlinearity)
    return tensor if std is None else normal_(tensor, 0.0, std, generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Generator | None = None) -> Tensor:
    """Fill with `gain` times a (semi-)orthogonal matrix: the Q of a normal matrix's QR.

    Args:
        tensor: 2 or more dimensions; all but the first are taken as one.
        gain: factor.
        generator: where to draw from.

    Raises:
        ValueError: `tensor` has fewer than 2 dimensions.

    Source: Saxe et al., Exact solutions to the nonlinear dynamics of learning in deep linear
    neural networks (2013).
    """
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows = tensor.shape[0]
    cols = tensor.numel() // rows
    with no_grad():
        flat = tensor.new_empty((rows, cols)).normal_(0, 1, generator=generator)
        q, r = np.linalg.qr((flat.t() if rows < cols else flat).numpy(force=True))
        q *= np.sign(np.diagonal(r))  # makes the choice of Q unique, hence uniform
        q = (q.T if rows < cols else q) * q.dtype.type(gain)
        return tensor.copy_(ops.from_numpy(q.reshape(tensor.shape)))


def sparse_(
    tensor: Tensor, sparsity: float, std: float = 0.01, generator: Generator | None = None
) -> Tensor:
    """Fill a matrix with normal values, and ``ceil(sparsity rows)`` zeros in each column.

    The rows of the zeros are always drawn from the default generator, as in PyTorch.

    Raises:
        ValueError: `tensor` is no matrix.
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, cols = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with no_grad():
        tensor.normal_(0, std, generator=generator)
        for col in range(cols):
            tensor[ops.randperm(rows)[:zeros], col] = 0
    return tensor


def _deprecated(fill: Callable[..., Tensor]) -> Callable[..., Tensor]:
    former = fill.__name__.removesuffix("_")

    def warn_and_fill(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{former}` is now deprecated in favor of `nn.init.{former}_`.",
            FutureWarning,
            stacklevel=2,
        )
        return fill(*args, **kwargs)

    warn_and_fill.__name__ = former
    warn_and_fill.__doc__ = f"Former name of `{former}_`."
    return warn_and_fill


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)
