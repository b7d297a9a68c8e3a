"""Normalisation of rows and of channels, and their gradients."""

from __future__ import annotations

import math
from typing import Any

from rushlight.backend.cuda.checks import refuse
from rushlight.backend.cuda.runtime import cp

__all__ = [
    "normalized_channels",
    "normalized_channels_backward",
    "normalized_rows",
    "normalized_rows_backward",
]

Needs = tuple[bool, bool, bool]


def _check(op: str, x: Any, count: int, *parameters: Any) -> None:
    """Refuses another type than a floating one, and parameters of another type or size."""
    fits = x.dtype.kind == "f" and all(
        p is None or (p.dtype == x.dtype and p.size == count) for p in parameters
    )
    if not fits:
        refuse(op, x, *parameters)


def _scaled(y: Any, weight: Any, bias: Any, shape: tuple[int, ...]) -> Any:
    y = y if weight is None else y * weight.reshape(shape)
    return y if bias is None else y + bias.reshape(shape)


def _gradients(
    g: Any,
    y: Any,
    scale: Any,
    weight: Any,
    bias: Any,
    shape: tuple[int, ...],
    own: tuple[int, ...],
    over: tuple[int, ...],
    center: bool,
    needs: Needs,
) -> tuple[Any, Any, Any]:
    """From the normalised `y`: statistics are over `own`, parameters are shared `over`."""
    gx = gw = gb = None
    if needs[0]:
        d = _scaled(g, weight, None, shape)
        gx = d - y * (d * y).mean(axis=own, keepdims=True)
        gx = (gx - d.mean(axis=own, keepdims=True) if center else gx) * scale
    if needs[1] and weight is not None:
        gw = _sum(g * y, over).reshape(weight.shape)
    if needs[2] and bias is not None:
        gb = _sum(g, over).reshape(bias.shape)
    return gx, gw, gb


def _sum(x: Any, over: tuple[int, ...]) -> Any:
    return x.sum(axis=over, keepdims=True) if over else x


# ---- Rows ----


def _row_shape(x: Any, dims: int) -> tuple[int, ...]:
    return (1,) * (x.ndim - dims) + x.shape[x.ndim - dims :]


def normalized_rows(
    x: Any, weight: Any, bias: Any, dims: int, eps: float, center: bool
) -> tuple[Any, Any, Any]:
    """The normalised last `dims` dimensions, their means and ``1 / sqrt(var + eps)``."""
    shape = _row_shape(x, dims)
    _check("normalized_rows", x, math.prod(shape), weight, bias)
    own = tuple(range(x.ndim - dims, x.ndim))
    mean = x.mean(axis=own, keepdims=True)
    mean = mean if center else cp.zeros_like(mean)
    centered = x - mean
    rstd = 1 / cp.sqrt((centered * centered).mean(axis=own, keepdims=True) + x.dtype.type(eps))
    return _scaled(centered * rstd, weight, bias, shape), mean, rstd


def normalized_rows_backward(
    g: Any,
    x: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    rstd: Any,
    dims: int,
    eps: float,
    center: bool,
    needs: Needs,
) -> tuple[Any, Any, Any]:
    """The gradients of `normalized_rows`."""
    shape = _row_shape(x, dims)
    own = tuple(range(x.ndim - dims, x.ndim))
    lead = tuple(range(x.ndim - dims))
    y = (x - mean) * rstd
    return _gradients(g, y, rstd, weight, bias, shape, own, lead, center, needs)


# ---- Channels ----


def normalized_channels(x: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """The normalised channels (dimension 1), their means and variances."""
    _check("normalized_channels", x, x.shape[1], weight, bias)
    shape = (1, -1, *(1,) * (x.ndim - 2))
    own = (0, *range(2, x.ndim))
    mean = x.mean(axis=own)
    centered = x - mean.reshape(shape)
    var = (centered * centered).mean(axis=own)
    scale = 1 / cp.sqrt(var + x.dtype.type(eps))
    return _scaled(centered * scale.reshape(shape), weight, bias, shape), mean, var


def normalized_channels_backward(
    g: Any,
    x: Any,
    weight: Any,
    bias: Any,
    mean: Any,
    var: Any,
    eps: float,
    needs: Needs,
) -> tuple[Any, Any, Any]:
    """The gradients of `normalized_channels`."""
    shape = (1, x.shape[1], *(1,) * (x.ndim - 2))
    own = (0, *range(2, x.ndim))
    scale = (1 / cp.sqrt(var + x.dtype.type(eps))).reshape(shape)
    y = (x - mean.reshape(shape)) * scale
    return _gradients(g, y, scale, weight, bias, shape, own, own, True, needs)
