"""Dropout."""

from __future__ import annotations

import warnings
from collections.abc import Callable

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = [
    "alpha_dropout",
    "dropout",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "feature_alpha_dropout",
]


def _run(
    function: Callable[..., Tensor], input: Tensor, p: float, training: bool, inplace: bool
) -> Tensor:
    """The dropout `function`, after a check of `p`, in place where that is wanted.

    Raises:
        ValueError: `p` is not in [0, 1].
    """
    if p < 0.0 or p > 1.0:
        raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
    if not inplace or not training:
        return function(input, p, training)
    return input.copy_(function(input.clone(), p, training))


def dropout(input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """In training, zero each element with probability `p` and scale the others by ``1 / (1 - p)``.

    Raises:
        ValueError: `p` is not in [0, 1].
    """
    return _run(ops.dropout, input, p, training, inplace)


def dropout1d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (N, C, L) or (C, L)."""
    if input.dim() not in (2, 3):
        raise RuntimeError(
            f"dropout1d: Expected 2D or 3D input, but received a {input.dim()}D input. "
            "Note that dropout1d exists to provide channel-wise dropout on inputs with 1 "
            "spatial dimension, a channel dimension, and an optional batch dimension "
            "(i.e. 2D or 3D inputs)."
        )
    return _of_channels(input, p, training, inplace, input.dim() == 3)


def dropout2d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (N, C, H, W); (N, C, L) is taken as batched too."""
    if input.dim() not in (3, 4):
        _warn("dropout2d", input.dim(), "3D or 4D", 2)
    elif input.dim() == 3:
        warnings.warn(
            "dropout2d: Received a 3D input to dropout2d and assuming that channel-wise "
            "1D dropout behavior is desired - input is interpreted as shape (N, C, L), where C "
            "is the channel dim. This behavior will change in a future release to interpret the "
            "input as one without a batch dimension, i.e. shape (C, H, W). To maintain the 1D "
            "channel-wise dropout behavior, please switch to using dropout1d instead.",
            stacklevel=2,
        )
    return _of_channels(input, p, training, inplace, True)


def dropout3d(
    input: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Tensor:
    """`dropout` of whole channels of (N, C, D, H, W) or (C, D, H, W)."""
    if input.dim() not in (4, 5):
        _warn("dropout3d", input.dim(), "4D or 5D", 3)
    return _of_channels(input, p, training, inplace, input.dim() == 5)


def _warn(name: str, ndim: int, expected: str, space: int) -> None:
    warnings.warn(
        f"{name}: Received a {ndim}-D input to {name}, which is deprecated and will result in an "
        f"error in a future release. To retain the behavior and silence this warning, please use "
        f"dropout instead. Note that {name} exists to provide channel-wise dropout on inputs with "
        f"{space} spatial dimensions, a channel dimension, and an optional batch dimension "
        f"(i.e. {expected} inputs).",
        stacklevel=3,
    )


def _of_channels(input: Tensor, p: float, training: bool, inplace: bool, batched: bool) -> Tensor:
    """Feature dropout; without a batch, the channels are the first dimension."""
    if batched:
        return _run(ops.feature_dropout, input, p, training, inplace)

    def alone(x: Tensor, p: float, training: bool) -> Tensor:
        return ops.feature_dropout(x.unsqueeze(0), p, training).squeeze(0)

    return _run(alone, input, p, training, inplace)


def alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """Dropout that keeps mean 0 and variance 1: the dropped take SELU's lower limit."""
    return _run(ops.alpha_dropout, input, p, training, inplace)


def feature_alpha_dropout(
    input: Tensor, p: float = 0.5, training: bool = False, inplace: bool = False
) -> Tensor:
    """`alpha_dropout` of whole channels of (N, C, ...)."""
    return _run(ops.feature_alpha_dropout, input, p, training, inplace)
