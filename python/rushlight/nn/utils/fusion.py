"""Batch norm made part of the layer before it, for evaluation."""

from __future__ import annotations

import copy
from typing import Any, TypeVar

from rushlight import ops
from rushlight.nn.parameter import Parameter
from rushlight.tensor import Tensor

__all__ = [
    "fuse_conv_bn_eval",
    "fuse_conv_bn_weights",
    "fuse_linear_bn_eval",
    "fuse_linear_bn_weights",
]

M = TypeVar("M", bound=Any)
Weights = tuple[Parameter, Parameter]


def fuse_conv_bn_eval(conv: M, bn: Any, transpose: bool = False) -> M:
    """Return a copy of `conv` that gives what `bn` makes of it; both must be in evaluation mode."""
    if conv.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    fused = copy.deepcopy(conv)
    statistics = bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    fused.weight, fused.bias = fuse_conv_bn_weights(
        fused.weight, fused.bias, *statistics, transpose
    )
    return fused


def fuse_conv_bn_weights(
    conv_w: Tensor,
    conv_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor | None,
    bn_b: Tensor | None,
    transpose: bool = False,
) -> Weights:
    """Return the weight and bias of a convolution followed by a batch norm.

    Args:
        conv_w: (O, C, ...), or (C, O, ...) with `transpose`.
        conv_b: (O), as are the next two and the last two.
        bn_rm: running mean.
        bn_rv: running variance.
        bn_eps: what is added to it.
        bn_w: weight of the norm, ones when None.
        bn_b: bias of the norm, zeros when None.
        transpose: the convolution is a transposed one.
    """
    scale = (bn_rv + bn_eps).rsqrt()
    scale = scale if bn_w is None else bn_w * scale
    along = [1] * conv_w.dim()
    along[1 if transpose else 0] = -1
    bias = -bn_rm if conv_b is None else conv_b - bn_rm
    bias = bias * scale
    bias = bias if bn_b is None else bias + bn_b
    weight = (conv_w * scale.reshape(along)).to(conv_w.dtype)
    kind = conv_w.dtype if conv_b is None else conv_b.dtype
    needs_bias = conv_w.requires_grad if conv_b is None else conv_b.requires_grad
    return (
        Parameter(weight.detach(), conv_w.requires_grad),
        Parameter(bias.to(kind).detach(), needs_bias),
    )


def fuse_linear_bn_eval(linear: M, bn: Any) -> M:
    """Return a copy of `linear` that gives what `bn` makes of it; both in evaluation mode."""
    if linear.training or bn.training:
        raise AssertionError("Fusion only for eval!")
    if linear.out_features != bn.num_features and bn.num_features != 1:
        raise AssertionError(
            "To fuse, linear.out_features == bn.num_features or bn.num_features == 1"
        )
    fused = copy.deepcopy(linear)
    statistics = bn.running_mean, bn.running_var, bn.eps, bn.weight, bn.bias
    fused.weight, fused.bias = fuse_linear_bn_weights(fused.weight, fused.bias, *statistics)
    return fused


def fuse_linear_bn_weights(
    linear_w: Tensor,
    linear_b: Tensor | None,
    bn_rm: Tensor,
    bn_rv: Tensor,
    bn_eps: float,
    bn_w: Tensor,
    bn_b: Tensor,
) -> Weights:
    """Return the weight and bias of a linear map followed by a batch norm."""
    bias = ops.zeros_like(bn_rm) if linear_b is None else linear_b
    scale = bn_w * (bn_rv + bn_eps).rsqrt()
    weight = linear_w * scale.unsqueeze(-1).to(linear_w.dtype)
    bias = ((bias - bn_rm) * scale + bn_b).to(linear_w.dtype)
    needs_bias = linear_w.requires_grad if linear_b is None else linear_b.requires_grad
    return (
        Parameter(weight.detach(), linear_w.requires_grad),
        Parameter(bias.detach(), needs_bias),
    )
