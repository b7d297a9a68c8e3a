"""Convolutions."""

from __future__ import annotations

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = ["conv1d", "conv2d"]

Size = int | tuple[int, ...]


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: str | Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation over two spatial dimensions.

    ``out[n, o, y, x] = b[o] + sum_{c, i, j} w[o, c, i, j] input[n, c, y s + i d, x s + j d]``
    with stride s and dilation d, zeros around the input, and channels of the same group only.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (O, C / groups, kernel height, kernel width).
        bias: (O).
        stride: step, one number or (vertical, horizontal).
        padding: zeros on each side, or ``"valid"`` (none) or ``"same"`` (as many as keep the size).
        dilation: distance between the kernel's points.
        groups: number of groups that channels are split into.

    Raises:
        RuntimeError: ``"same"`` with a stride other than 1, or shapes that do not fit.
    """
    stride, dilation = _sizes(stride, 2), _sizes(dilation, 2)
    if isinstance(padding, str):
        input, padding = _pad_as_named(input, weight, padding, stride, dilation)
    padding = _sizes(padding, 2)
    if input.dim() == 3:
        batch = input.unsqueeze(0)
        return ops.conv2d(batch, weight, bias, stride, padding, dilation, groups).squeeze(0)
    return ops.conv2d(input, weight, bias, stride, padding, dilation, groups)


def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: str | Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation over one spatial dimension: `conv2d` over a height of one.

    Args:
        input: (N, C, L) or (C, L).
        weight: (O, C / groups, kernel length).
        bias: (O).
        stride: step.
        padding: zeros on each side, or ``"valid"`` or ``"same"``.
        dilation: distance between the kernel's points.
        groups: number of groups that channels are split into.
    """
    stride, dilation = _sizes(stride, 1), _sizes(dilation, 1)
    if isinstance(padding, str):
        input, padding = _pad_as_named(input, weight, padding, stride, dilation)
    out = conv2d(
        input.unsqueeze(-2),
        weight.unsqueeze(-2),
        bias,
        (1, *stride),
        (0, *_sizes(padding, 1)),
        (1, *dilation),
        groups,
    )
    return out.squeeze(-2)


def _sizes(value: Size, n: int) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,) * n
    return tuple(value) * n if len(value) == 1 else tuple(value)


def _pad_as_named(
    input: Tensor, weight: Tensor, name: str, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[Tensor, tuple[int, ...]]:
    """Return the input, padded where the two sides differ by one, and the padding that is left."""
    n = len(stride)
    if name == "valid":
        return input, (0,) * n
    if name != "same":
        raise RuntimeError("Invalid padding string: " + repr(name))
    if any(step != 1 for step in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, weight.shape[2:], strict=True)]
    for i, size in enumerate(total):
        if size % 2:  # the odd zero stands behind
            dim = input.dim() - n + i
            shape = list(input.shape)
            shape[dim] = 1
            input = ops.cat([input, input.new_zeros(shape)], dim)
    return input, tuple(size // 2 for size in total)
