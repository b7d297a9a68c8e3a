"""Normalisation of rows and of channels, and their gradients, from pointwise ops and means."""

from __future__ import annotations

import math
from typing import Any

from rushlight.backend.cuda import pointwise as K
from rushlight.backend.cuda.checks import refuse
from rushlight.backend.cuda.reduction import mean as mean_over
from rushlight.backend.cuda.reduction import sum as sum_over

__all__ = [
    "normalized_channels",
    "normalized_channels_backward",
    "normalized_rows",
    "normalized_rows_backward",
]

Needs = tuple[bool, bool, bool]
Dims = tuple[int, ...]


def _fits(x: Any, count: int, *parameters: Any) -> bool:
    """Whether `x` is floating and the parameters are of its type and of `count` elements."""
    return x.dtype.kind == "f" and all(
        p is None or (p.dtype == x.dtype and p.size == count) for p in parameters
    )


def _mean(x: Any, dims: Dims) -> Any:
    return mean_over(x, dims, True) if dims else x


def _sum(x: Any, dims: Dims) -> Any:
    return sum_over(x, dims) if dims else x


def _rstd(var: Any, eps: float) -> Any:
    return K.rsqrt(K.add(var, eps))


def _affine(y: Any, weight: Any, bias: Any, shape: tuple[int, ...]) -> Any:
    y = y if weight is None else K.mul(y, weight.reshape(shape))
    return y if bias is None else K.add(y, bias.reshape(shape))


def _gradients(
    g: Any,
    y: Any,
    rstd: Any,
    weight: Any,
    bias: Any,
    shape: tuple[int, ...],
    own: Dims,
    shared: Dims,
    center: bool,
    needs: Needs,
) -> tuple[Any, Any, Any]:
    """From the normalised `y`: its statistics are over `own`, the parameters the same `shared`."""
    gx = gw = gb = None
    if needs[0]:
        d = _affine(g, weight, None, shape)
        gx = K.sub(d, K.mul(y, _mean(K.mul(d, y), own)))
        gx = K.mul(K.sub(gx, _mean(d, own)) if center else gx, rstd)
    if needs[1] and weight is not None:
        gw = _sum(K.mul(g, y), shared).reshape(weight.shape)
    if needs[2] and bias is not None:
        gb = _sum(g, shared).reshape(bias.shape)
    return gx, gw, gb


# ---- Rows ----


def _row_shape(x: Any, dims: int) -> tuple[int, ...]:
    return (*(1,) * (x.ndim - dims), *x.shape[x.ndim - dims :])


def normalized_rows(
    x: Any, weight: Any, bias: Any, dims: int, eps: float, center: bool
) -> tuple[Any, Any, Any]:
    """The normalised last `dims` dimensions, their means and ``1 / sqrt(var + eps)``."""
    shape, own = _row_shape(x, dims), tuple(range(x.ndim - dims, x.ndim))
    if not _fits(x, math.prod(shape), weight, bias):
        refuse("normalized_rows", x, weight, bias, dims, eps, center)
    mean = _mean(x, own)
    mean = mean if center else K.mul(mean, 0.0)
    centered = K.sub(x, mean)
    rstd = _rstd(_mean(K.square(centered), own), eps)
    return _affine(K.mul(centered, rstd), weight, bias, shape), mean, rstd


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
    shape, own = _row_shape(x, dims), tuple(range(x.ndim - dims, x.ndim))
    y = K.mul(K.sub(x, mean), rstd)
    lead = tuple(range(x.ndim - dims))
    return _gradients(g, y, rstd, weight, bias, shape, own, lead, center, needs)


# ---- Channels ----


def normalized_channels(x: Any, weight: Any, bias: Any, eps: float) -> tuple[Any, Any, Any]:
    """The normalised channels (dimension 1), their means and variances."""
    shape, own = (1, x.shape[1], *(1,) * (x.ndim - 2)), (0, *range(2, x.ndim))
    if not _fits(x, x.shape[1], weight, bias):
        refuse("normalized_channels", x, weight, bias, eps)
    mean = _mean(x, own)
    centered = K.sub(x, mean)
    var = _mean(K.square(centered), own)
    out = _affine(K.mul(centered, _rstd(var, eps)), weight, bias, shape)
    return out, mean.reshape(-1), var.reshape(-1)


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
    shape, own = (1, x.shape[1], *(1,) * (x.ndim - 2)), (0, *range(2, x.ndim))
    rstd = _rstd(var.reshape(shape), eps)
    y = K.mul(K.sub(x, mean.reshape(shape)), rstd)
    return _gradients(g, y, rstd, weight, bias, shape, own, own, True, needs)
