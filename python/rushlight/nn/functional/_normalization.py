"""Normalisation: layers, batches, instances, groups, neighbouring channels."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = [
    "batch_norm",
    "group_norm",
    "instance_norm",
    "layer_norm",
    "local_response_norm",
    "normalize",
    "rms_norm",
]


def batch_norm(
    input: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` for each channel.

    Args:
        input: (N, C, ...).
        running_mean: (C), moved towards the batch's in training, used otherwise.
        running_var: (C), likewise.
        weight: (C).
        bias: (C).
        training: use the batch's own mean and variance.
        momentum: the share of the new value in a running one.
        eps: added to the variance.

    Raises:
        ValueError: in training, with one value for each channel.
    """
    if training:
        _check_count("training", input.shape, math.prod((*input.shape[:1], *input.shape[2:])))
    if eps < 0.0 or (training and eps == 0.0):
        words = "positive during training" if training else "non-negative"
        raise ValueError(f"batch_norm eps must be {words}, but got {eps}")
    return ops.batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps)


def _check_count(what: str, size: Sequence[int], count: int) -> None:
    if count == 1:
        words = "spatial element" if what == "spatial" else "value per channel"
        raise ValueError(f"Expected more than 1 {words} when training, got input size {size}")


def instance_norm(
    input: Tensor,
    running_mean: Tensor | None = None,
    running_var: Tensor | None = None,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    use_input_stats: bool = True,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> Tensor:
    """`batch_norm` of each image by itself; the arguments are those of `batch_norm`."""
    if use_input_stats:
        _check_count("spatial", input.shape, math.prod(input.shape[2:]))
    return ops.instance_norm(
        input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps
    )


def layer_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last dimensions.

    Args:
        input: (..., *normalized_shape).
        normalized_shape: sizes of the dimensions that are normalised together.
        weight: of that shape.
        bias: of that shape.
        eps: added to the variance.
    """
    return ops.layer_norm(input, normalized_shape, weight, bias, eps)


def rms_norm(
    input: Tensor,
    normalized_shape: Sequence[int],
    weight: Tensor | None = None,
    eps: float | None = None,
) -> Tensor:
    """``x / sqrt(mean(x^2) + eps) * weight`` over the last dimensions; see `layer_norm`."""
    return ops.rms_norm(input, normalized_shape, weight, eps)


def group_norm(
    input: Tensor,
    num_groups: int,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
) -> Tensor:
    """`layer_norm` of each of `num_groups` groups of channels of (N, C, ...).

    Raises:
        RuntimeError: `num_groups` does not divide C.
        ValueError: there is one value in each group.
    """
    if input.dim() < 2:
        raise RuntimeError(
            f"Expected at least 2 dimensions for input tensor but received {input.dim()}"
        )
    n, c, *size = input.shape
    count = n * c * math.prod(size) // max(num_groups, 1)
    _check_count("group", (n * c // max(num_groups, 1), num_groups, *size), count)
    return ops.group_norm(input, num_groups, weight, bias, eps)


def local_response_norm(
    input: Tensor, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Tensor:
    """``x / (k + alpha mean(x'^2))^beta`` over `size` neighbouring channels x' of (N, C, ...).

    Raises:
        ValueError: there are fewer than three dimensions.

    Source: Krizhevsky, Sutskever and Hinton (2012), section 3.3.
    """
    if input.dim() < 3:
        raise ValueError(
            f"Expected 3D or higher dimensionality                          input (got "
            f"{input.dim()} dimensions)"
        )
    if input.numel() == 0:
        return input
    n, c = input.shape[:2]
    squares = (input * input).reshape(n, 1, c, -1)
    padded = ops.constant_pad_nd(squares, (0, 0, size // 2, (size - 1) // 2), 0)
    means = ops.avg_pool2d(padded, (size, 1), (1, 1), (0, 0), False, True, None)
    return input / (means.reshape(input.shape) * alpha + k) ** beta


def normalize(
    input: Tensor, p: float = 2.0, dim: int = 1, eps: float = 1e-12, out: None = None
) -> Tensor:
    """``x / max(|x|_p, eps)``, the norm taken along `dim`."""
    if out is not None:
        raise NotImplementedError("normalize: out is not supported")
    return input / input.norm(p, dim, keepdim=True).clamp(min=eps)
