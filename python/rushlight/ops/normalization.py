"""Normalisation: to mean 0 and variance 1, over the last dimensions or over what a channel holds.

Two ops have kernels, one for rows (layer, group and RMS norm) and one for channels (batch and
instance norm in training). The rest is arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight.autograd.grad_mode import no_grad
from rushlight.dtypes import finfo
from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor

Needs = tuple[bool, bool, bool]

# ---- Rows ----


@op(
    joint=lambda K, g, needs, input, weight, bias, mean, rstd, dims, eps, center: (
        K.normalized_rows_backward(g, input, weight, bias, mean, rstd, dims, eps, center, needs)
    ),
    extras=("mean", "rstd"),
    node="NativeLayerNormBackward0",
    method=False,
)
def normalized_rows(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    dims: int,
    eps: float,
    center: bool,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last `dims` dimensions.

    Without `center` the mean counts as 0. The means and ``1 / sqrt(var + eps)`` are results too,
    which are not differentiable.
    """


def _affine_gradients(
    g: Tensor, y: Tensor, weight: Tensor | None, bias: Tensor | None, over: Any, needs: Needs
) -> tuple[Tensor | None, Tensor | None]:
    """Those of the weight and the bias, for the normalised `y`, summed over dimensions."""

    def summed(terms: Tensor, like: Tensor) -> Tensor:
        return (terms.sum(over) if over else terms).reshape(like.shape)

    return (
        summed(g * y, weight) if weight is not None and needs[1] else None,
        summed(g, bias) if bias is not None and needs[2] else None,
    )


@composed(method=False)
def normalized_rows_backward(
    g: Tensor,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    rstd: Tensor,
    dims: int,
    eps: float,
    center: bool,
    needs: Needs,
) -> tuple[Tensor | None, ...]:
    """The gradients of `normalized_rows`.

    Here `mean` and `rstd`, as functions of `input`, are computed again.
    """
    own = tuple(range(input.ndim - dims, input.ndim))
    centered = input - input.mean(own, True) if center and own else input
    square = centered * centered
    scale = ((square.mean(own, True) if own else square) + eps).rsqrt()
    y = centered * scale
    gx = None
    if needs[0]:
        d = g if weight is None else g * weight
        gx = d - y * ((d * y).mean(own, True) if own else d * y)
        gx = scale * (gx - (d.mean(own, True) if own else d) if center else gx)
    over = tuple(range(input.ndim - dims))
    return (gx, *_affine_gradients(g, y, weight, bias, over, needs))


# ---- Channels ----


@op(
    joint=lambda K, g, needs, input, weight, bias, mean, var, eps: K.normalized_channels_backward(
        g, input, weight, bias, mean, var, eps, needs
    ),
    extras=("mean", "var"),
    node="NativeBatchNormBackward0",
    method=False,
)
def normalized_channels(
    input: Tensor, weight: Tensor | None, bias: Tensor | None, eps: float
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` with the statistics of each channel.

    The channels are dimension 1; their means and variances (of correction 0) are results too,
    which are not differentiable.
    """


@composed(method=False)
def normalized_channels_backward(
    g: Tensor,
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    mean: Tensor,
    var: Tensor,
    eps: float,
    needs: Needs,
) -> tuple[Tensor | None, ...]:
    """The gradients of `normalized_channels`; see `normalized_rows_backward`."""
    over = (0, *range(2, input.ndim))
    centered = input - input.mean(over, True)
    scale = ((centered * centered).mean(over, True) + eps).rsqrt()
    y = centered * scale
    gx = None
    if needs[0]:
        d = g if weight is None else g * _per_channel(weight, input.ndim)
        gx = scale * (d - d.mean(over, True) - y * (d * y).mean(over, True))
    return (gx, *_affine_gradients(g, y, weight, bias, over, needs))


def _per_channel(values: Tensor, ndim: int) -> Tensor:
    """One value a channel, in a shape that broadcasts."""
    return values.reshape(-1, *(1,) * (ndim - 2))


# ---- Layer norm and RMS norm ----


def _check_rows(
    name: str, input: Tensor, shape: Sequence[int], weight: Tensor | None, bias: Tensor | None
) -> tuple[int, ...]:
    shape = tuple(shape)
    if not shape:
        raise RuntimeError(
            "Expected normalized_shape to be at least 1-dimensional, i.e., containing at least "
            f"one element, but got normalized_shape = {list(shape)}"
        )
    for label, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter._array.shape != shape:
            raise RuntimeError(
                f"Expected {label} to be of same shape as normalized_shape, but got {label} of "
                f"shape {list(parameter.shape)} and normalized_shape = {list(shape)}"
            )
    size = input._array.shape
    if size[len(size) - len(shape) :] != shape or len(size) < len(shape):
        expected = ", ".join(["*", *map(str, shape)])
        raise RuntimeError(
            f"Given normalized_shape={list(shape)}, expected input with shape [{expected}], but "
            f"got input of size{list(size)}"
        )
    return shape


@composed(method=False)
def native_layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None,
    bias: Tensor | None,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """`layer_norm`, its means and its ``1 / sqrt(var + eps)``."""
    out = layer_norm(input, normalized_shape, weight, bias, eps)
    over = tuple(range(-len(tuple(normalized_shape)), 0))
    return out, *_statistics(input, over, eps, True)


@composed(method=False)
def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enable: bool = True,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last dimensions.

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the sizes of the dimensions that are normalised together.
        weight: of that shape.
        bias: of that shape.
        eps: added to the variance.
        cudnn_enable: of no effect.

    Raises:
        RuntimeError: for shapes that do not go together.

    Source: Ba, Kiros and Hinton, "Layer normalization" (2016).
    """
    shape = _check_rows("layer_norm", input, normalized_shape, weight, bias)
    return normalized_rows(input, weight, bias, len(shape), eps, True)[0]


@composed(method=False)
def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """``x / sqrt(mean(x * x) + eps) * weight`` over the last dimensions.

    Args:
        input: (..., *normalized_shape).
        normalized_shape: the sizes of the dimensions that are normalised together.
        weight: of that shape.
        eps: added to the mean square; the type's ``finfo.eps`` when None.

    Source: Zhang and Sennrich, "Root mean square layer normalization" (2019).
    """
    shape = _check_rows("rms_norm", input, normalized_shape, weight, None)
    eps = finfo(input.dtype).eps if eps is None else eps
    return normalized_rows(input, weight, None, len(shape), eps, False)[0]


# ---- Group norm ----


@composed(method=False)
def native_group_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    N: int,  # noqa: N803 - PyTorch's names
    C: int,  # noqa: N803
    HxW: int,  # noqa: N803
    group: int,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """`group_norm`, the means and ``1 / sqrt(var + eps)`` of the N x `group` groups."""
    rows = input.reshape(N, group, C // group * HxW)
    return group_norm(input, group, weight, bias, eps), *_statistics(rows, (-1,), eps)


def _statistics(x: Tensor, over: Any, eps: float, keep: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and ``1 / sqrt(var + eps)``, differentiable."""
    return x.mean(over, keep), (x.var(over, correction=0, keepdim=keep) + eps).rsqrt()


def _affine(y: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    """``y * weight + bias``, with one of each a channel."""
    scale = None if weight is None else _per_channel(weight, y.ndim)
    shift = None if bias is None else _per_channel(bias, y.ndim)
    if scale is None:
        return y if shift is None else y + shift
    return y * scale if shift is None else shift.addcmul(y, scale)


@composed(method=False)
def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Tensor:
    """`layer_norm` of each of `num_groups` groups of the channels, which are dimension 1.

    Args:
        input: (N, C, ...).
        num_groups: must divide C.
        weight: (C).
        bias: (C).
        eps: added to the variance.
        cudnn_enabled: of no effect.

    Source: Wu and He, "Group normalization" (2018).
    """
    if input.ndim < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.ndim}"
        )
    if num_groups <= 0:
        raise RuntimeError(f"Expected num groups to be greater than 0, got {num_groups}")
    n, c, *size = input.shape
    for label, parameter in (("weight", weight), ("bias", bias)):
        if parameter is not None and parameter._array.shape != (c,):
            raise RuntimeError(
                f"Expected {label} to be a vector of size equal to the number of channels in "
                f"input, but got {label} of shape {list(parameter.shape)} and input of shape "
                f"{list(input.shape)}"
            )
    if c % num_groups:
        raise RuntimeError(
            "Expected number of channels in input to be divisible by num_groups, but got input of "
            f"shape {list(input.shape)} and num_groups={num_groups}"
        )
    rows = input.reshape(n, num_groups, c // num_groups * math.prod(size))
    y = normalized_rows(rows, None, None, 1, eps, True)[0]
    return _affine(y.reshape(input.shape), weight, bias)


# ---- Batch norm and instance norm ----


def _check_channels(input: Tensor, **parameters: Tensor | None) -> None:
    count = input._array.shape[1]
    for name, parameter in parameters.items():
        if parameter is not None and parameter.numel() != count:
            raise RuntimeError(f"{name} should contain {count} elements not {parameter.numel()}")


def _follow(running: Tensor | None, value: Tensor, momentum: float) -> None:
    """Moves a running statistic towards `value`, in place."""
    if running is not None:
        running.lerp_(value.to(running.dtype), momentum)


@composed(method=False)
def native_batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """`batch_norm`; with `training` also the means and ``1 / sqrt(var + eps)`` of the channels."""
    if input.numel() == 0:  # nothing to learn from
        empty = input.new_empty(0)
        return (_affine(input, weight, bias) if input.ndim > 1 else input.clone()), empty, empty
    _check_channels(
        input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    if not training:
        if running_mean is None or running_var is None:
            name = "running_mean" if running_mean is None else "running_var"
            raise RuntimeError(f"{name} must be defined in evaluation mode")
        scale = (running_var + eps).rsqrt()
        scale = scale if weight is None else scale * weight
        shift = -running_mean * scale
        out = _affine(input, scale, shift if bias is None else shift + bias)
        return out, input.new_empty(0), input.new_empty(0)
    out, mean, var = normalized_channels(input, weight, bias, eps)
    with no_grad():
        n = input.numel() // max(input.shape[1], 1)
        _follow(running_mean, mean, momentum)
        if running_var is not None:
            # of one value there is no unbiased variance: nan, as in PyTorch
            _follow(running_var, var * (n / (n - 1) if n > 1 else math.nan), momentum)
        return out, mean, (var + eps).rsqrt()


@composed(method=False)
def batch_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for each channel of (N, C, ...).

    With `training` mean and variance are those of the channel, and the running ones move towards
    them by `momentum`, in place (the variance with correction 1); otherwise they are the running
    ones.

    Source: Ioffe and Szegedy, "Batch normalization" (2015).
    """
    return native_batch_norm(
        input, weight, bias, running_mean, running_var, training, momentum, eps
    )[0]


@composed(method=False)
def _native_batch_norm_legit(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    *rest: Any,
) -> tuple[Tensor, Tensor, Tensor]:
    """`native_batch_norm`, with or without the two running statistics among the arguments."""
    if len(rest) == 3:
        rest = (None, None, *rest)
    return native_batch_norm(input, weight, bias, *rest)


@composed(method=False)
def instance_norm(
    input: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    use_input_stats: bool,
    momentum: float,
    eps: float,
    cudnn_enabled: bool = True,
) -> Tensor:
    """`batch_norm` of each image (N, C, ...) by itself.

    With `use_input_stats` the statistics are those of each channel of each image, and the running
    ones move towards their means over the images.

    Source: Ulyanov, Vedaldi and Lempitsky, "Instance normalization" (2016).
    """
    if not use_input_stats:
        return batch_norm(input, weight, bias, running_mean, running_var, False, momentum, eps)
    _check_channels(
        input, running_mean=running_mean, running_var=running_var, weight=weight, bias=bias
    )
    n, c, *size = input.shape
    rows = input.reshape(n, c, -1)
    y, mean, rstd = normalized_rows(rows, None, None, 1, eps, True)
    with no_grad():
        count = math.prod(size)
        _follow(running_mean, mean.reshape(n, c).mean(0), momentum)
        if running_var is not None:
            var = (rstd.reshape(n, c).pow(-2) - eps).mean(0)
            _follow(running_var, var * (count / (count - 1) if count > 1 else math.nan), momentum)
    return _affine(y.reshape(input.shape), weight, bias)


# ---- Weight norm ----


@composed(method=False)
def norm_except_dim(v: Tensor, pow: int = 2, dim: int = 0) -> Tensor:
    """The norms of the slices of `v` along `dim`, in a shape that broadcasts; -1: of all of it."""
    if dim == -1:
        return v.norm(pow)
    dim %= v.ndim
    own = [d for d in range(v.ndim) if d != dim]
    return v.norm(pow, own, True) if own else v.abs()


@composed(method=False)
def _weight_norm(v: Tensor, g: Tensor, dim: int = 0) -> Tensor:
    """``g v / |v|``: `v`, each of whose slices along `dim` gets the norm `g` (Salimans, Kingma)."""
    return v * (g / norm_except_dim(v, 2, dim))
