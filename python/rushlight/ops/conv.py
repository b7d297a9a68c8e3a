"""Convolution, over one, two and three dimensions, and its transpose.

One op, over two dimensions, has kernels. One dimension is a plane of height 1; in three the windows
along the depth become channels.
"""

from __future__ import annotations

import math
from typing import Any

from rushlight.ops._registry import composed
from rushlight.ops.correlation import correlate2d, correlate2d_input_grad
from rushlight.ops.spatial import constant_pad_nd, per_dimension, windows, windows_sum
from rushlight.tensor import Tensor

Sizes = tuple[int, ...]
Size = int | tuple[int, ...]


# ---- Over one, two and three dimensions ----


def _steps(name: str, value: Any, n: int) -> Sizes:
    """`per_dimension`, in the words of convolutions."""
    if not isinstance(value, int) and len(value) not in (1, n):
        raise RuntimeError(
            f"expected {name} to be a single integer value or a list of {n} values to match the "
            f"convolution dimensions, but got {name}={list(value)}"
        )
    return per_dimension(name, value, n)


def _check(
    input: Tensor, weight: Tensor, bias: Tensor | None, n: int, groups: int, transposed: bool
) -> None:
    """Raises RuntimeError for operands that do not go together, in PyTorch's words."""
    x, w = input._array.shape, weight._array.shape
    if len(w) < 3:
        raise RuntimeError("weight should have at least three dimensions")
    if groups <= 0:
        raise RuntimeError("non-positive groups is not supported")
    if len(w) != n + 2:
        raise RuntimeError(
            f"Expected {len(w)}-dimensional input for {len(w)}-dimensional weight {list(w)}, but "
            f"got {len(x)}-dimensional input of size {list(x)} instead"
        )
    if len(x) not in (n + 1, n + 2):
        name = f"conv_transpose{n}d" if transposed else f"conv{n}d"
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to {name}, "
            f"but got input of size: {list(x)}"
        )
    channels, start = x[-n - 1], f"Given groups={groups}, "
    if w[0] < groups:
        raise RuntimeError(
            f"{start}expected weight to be at least {groups} at dimension 0, but got weight of "
            f"size {list(w)} instead"
        )
    if w[0] % groups:
        raise RuntimeError(
            f"{start}expected weight to be divisible by {groups} at dimension 0, but got weight of "
            f"size [{list(w)}] instead"
        )
    expected = w[0] if transposed else w[1] * groups
    if channels != expected:
        raise RuntimeError(
            f"Given {'transposed=1' if transposed else start[6:-2]}, weight of size {list(w)}, "
            f"expected input{list(x)} to have {expected} channels, but got {channels} channels "
            "instead"
        )
    count = w[1] * groups if transposed else w[0]
    if bias is not None and bias._array.shape != (count,):
        raise RuntimeError(
            f"Given {'transposed=1, ' if transposed else ''}weight of size {list(w)}, expected "
            f"bias to be 1-dimensional with {count} elements, but got bias of size "
            f"{list(bias.shape)} instead"
        )


def _check_reach(size: Sizes, kernel: Sizes, padding: Sizes, dilation: Sizes) -> None:
    padded = [n + 2 * p for n, p in zip(size, padding, strict=True)]
    reach = [d * (k - 1) + 1 for k, d in zip(kernel, dilation, strict=True)]
    if any(n < r for n, r in zip(padded, reach, strict=True)):
        raise RuntimeError(
            f"Calculated padded input size per channel: ({' x '.join(map(str, padded))}). Kernel "
            f"size: ({' x '.join(map(str, reach))}). Kernel size can't be greater than actual "
            "input size"
        )


def _check_steps(stride: Sizes, padding: Sizes, dilation: Sizes) -> None:
    if min(padding) < 0:
        raise RuntimeError("negative padding is not supported")
    if min(stride) < 1:
        raise RuntimeError("non-positive stride is not supported")
    if min(dilation) < 1:
        raise RuntimeError("dilation should be greater than zero")


def _pad_as_named(
    input: Tensor, kernel: Sizes, name: str, stride: Sizes, dilation: Sizes
) -> tuple[Tensor, Sizes]:
    """The input, padded where the two sides differ by one, and the padding that is left."""
    n = len(stride)
    if name == "valid":
        return input, (0,) * n
    if name != "same":
        raise RuntimeError(f"Invalid padding string: '{name}'")
    if any(step != 1 for step in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    total = [d * (k - 1) for d, k in zip(dilation, kernel, strict=True)]
    odd = [width for size in reversed(total) for width in (0, size % 2)]
    if any(odd):  # the odd zero stands behind
        input = constant_pad_nd(input, tuple(odd), 0)
    return input, tuple(size // 2 for size in total)


def _convolved(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Tensor:
    """The convolution over the last `n` dimensions, of an input with or without a batch."""
    stride, dilation = _steps("stride", stride, n), _steps("dilation", dilation, n)
    _check_steps(
        stride, (0,) if isinstance(padding, str) else _steps("padding", padding, n), dilation
    )
    _check(input, weight, bias, n, groups, False)
    if isinstance(padding, str):
        input, padding = _pad_as_named(input, weight.shape[2:], padding, stride, dilation)
    padding = _steps("padding", padding, n)
    x = input if input.ndim == n + 2 else input.unsqueeze(0)
    _check_reach(x._array.shape[2:], weight._array.shape[2:], padding, dilation)
    if not x.is_floating_point():
        out = _correlate_integers(x, weight, bias, stride, padding, dilation, groups)
    elif n == 1:
        lifted = (1, *stride), (0, *padding), (1, *dilation)
        out = correlate2d(
            x.unsqueeze(2), weight.unsqueeze(2), bias, *lifted, groups=groups
        ).squeeze(2)
    elif n == 2:
        out = correlate2d(x, weight, bias, stride, padding, dilation, groups)
    else:
        out = _correlate3d(x, weight, bias, stride, padding, dilation, groups)
    return out if input.ndim == n + 2 else out.squeeze(0)


def _correlate_integers(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    """Over any number of dimensions, as a product with the windows; floats have faster kernels."""
    if bias is not None and bias.dtype != x.dtype:
        raise RuntimeError(
            f"Input type ({x.dtype}) and bias type ({bias.dtype}) should be the same"
        )
    kernel = tuple(weight.shape[2:])
    frame = tuple(p for width in reversed(padding) for p in (width, width))
    parts = windows(constant_pad_nd(x, frame, 0), kernel, stride, dilation)
    counts = parts.shape[2 + len(kernel) :]
    n, taps = x.shape[0], math.prod(weight.shape[1:])
    columns = parts.reshape(n, groups, taps, math.prod(counts))
    rows = weight.reshape(groups, weight.shape[0] // groups, taps)
    out = (rows @ columns).reshape(n, weight.shape[0], *counts)
    return _finished(out, bias, True)


def _correlate3d(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sizes,
    padding: Sizes,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    """`correlate2d` of planes, whose channels are those of the planes in a window of the depth."""
    depth = weight.shape[2]
    if padding[0]:
        x = constant_pad_nd(x, (0, 0, 0, 0, padding[0], padding[0]), 0)
    stacks = windows(x.permute(0, 1, 3, 4, 2), (depth,), stride[:1], dilation[:1])
    n, c, height, width, _, count = stacks.shape
    planes = stacks.permute(0, 5, 1, 4, 2, 3).reshape(n * count, c * depth, height, width)
    kernels = weight.flatten(1, 2)
    out = correlate2d(planes, kernels, bias, stride[1:], padding[1:], dilation[1:], groups)
    return out.unflatten(0, (n, count)).transpose(1, 2)


@composed(method=False)
def conv1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: str | Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation over one spatial dimension; the arguments are those of `conv2d`.

    Args:
        input: (N, C, L) or (C, L).
        weight: (O, C / groups, kernel length).
        bias: (O).
        stride: step.
        padding: zeros on each side, or ``"valid"`` or ``"same"``.
        dilation: distance between the kernel's points.
        groups: number of groups that channels are split into.
    """
    return _convolved(1, input, weight, bias, stride, padding, dilation, groups)


@composed(method=False)
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
    return _convolved(2, input, weight, bias, stride, padding, dilation, groups)


@composed(method=False)
def conv3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: str | Size = 0,
    dilation: Size = 1,
    groups: int = 1,
) -> Tensor:
    """Cross-correlation of (N, C, D, H, W) or (C, D, H, W) over three dimensions; see `conv2d`."""
    return _convolved(3, input, weight, bias, stride, padding, dilation, groups)


# ---- Transposed ----


def _transposed(
    n: int,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Tensor:
    """The gradient of a convolution over `n` dimensions, as a function of its own."""
    _check(input, weight, bias, n, groups, True)
    stride, padding = _steps("stride", stride, n), _steps("padding", padding, n)
    dilation = _steps("dilation", dilation, n)
    extra = _steps("output_padding", output_padding, n)
    _check_steps(stride, padding, dilation)
    if min(extra) < 0:
        raise RuntimeError("negative output_padding is not supported")
    if any(e >= s and e >= d for e, s, d in zip(extra, stride, dilation, strict=True)):
        raise RuntimeError(
            "output padding must be smaller than either stride or dilation, but got "
            f"output_padding: {list(extra)} stride: {list(stride)} dilation: {list(dilation)}"
        )
    x = input if input.ndim == n + 2 else input.unsqueeze(0)
    if any(e >= s for e, s in zip(extra, stride, strict=True)):
        # A whole stride more of output is one more zero of input.
        more = [w for e, s in zip(extra, stride, strict=True) for w in (e // s, 0)]
        x = constant_pad_nd(x, tuple(more[::-1]), 0)
        extra = tuple(e % s for e, s in zip(extra, stride, strict=True))
    if not x.is_floating_point():
        out = _transposed_integers(x, weight, stride, padding, extra, dilation, groups)
        return _finished(out, bias, input.ndim == n + 2)
    if n == 1:
        plane, kernel = x.unsqueeze(2), weight.unsqueeze(2)
        lifted = (1, *stride), (0, *padding), (0, *extra), (1, *dilation)
        out = _transposed2d(plane, kernel, *lifted, groups).squeeze(2)
    else:
        run = _transposed2d if n == 2 else _transposed3d
        out = run(x, weight, stride, padding, extra, dilation, groups)
    return _finished(out, bias, input.ndim == n + 2)


def _finished(out: Tensor, bias: Tensor | None, batched: bool) -> Tensor:
    if bias is not None:
        out = out + bias.reshape(-1, *(1,) * (out.ndim - 2))
    return out if batched else out.squeeze(0)


def _transposed_integers(
    x: Tensor,
    weight: Tensor,
    stride: Sizes,
    padding: Sizes,
    extra: Sizes,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    """Over any number of dimensions, as windows added up; see `_correlate_integers`."""
    n, channels, *counts = x.shape
    kernel = tuple(weight.shape[2:])
    rows = weight.reshape(groups, channels // groups, math.prod(weight.shape[1:]))
    columns = x.reshape(n, groups, channels // groups, math.prod(counts))
    stacks = (rows.transpose(1, 2) @ columns).reshape(n, groups * weight.shape[1], *kernel, *counts)
    whole = [
        _transposed_size(c, k, s, 0, e, d)
        for c, k, s, e, d in zip(counts, kernel, stride, extra, dilation, strict=True)
    ]
    out = windows_sum(stacks, (*stacks.shape[:2], *whole), kernel, stride, dilation)
    return constant_pad_nd(out, tuple(-p for p in reversed(padding) for _ in (0, 1)), 0)


def _transposed_size(
    size: int, kernel: int, stride: int, padding: int, extra: int, dilation: int
) -> int:
    return (size - 1) * stride - 2 * padding + dilation * (kernel - 1) + extra + 1


def _transposed2d(
    x: Tensor,
    weight: Tensor,
    stride: Sizes,
    padding: Sizes,
    extra: Sizes,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    size = [
        _transposed_size(*sizes)
        for sizes in zip(
            x.shape[2:], weight.shape[2:], stride, padding, extra, dilation, strict=True
        )
    ]
    if min(size) < 1:
        raise RuntimeError(
            f"Given input size per channel: ({' x '.join(map(str, x.shape[2:]))}). Calculated "
            f"output size per channel: ({' x '.join(map(str, size))}). Output size is too small"
        )
    shape = (x.shape[0], weight.shape[1] * groups, *size)
    return correlate2d_input_grad(x, weight, shape, stride, padding, dilation, groups)


def _transposed3d(
    x: Tensor,
    weight: Tensor,
    stride: Sizes,
    padding: Sizes,
    extra: Sizes,
    dilation: Sizes,
    groups: int,
) -> Tensor:
    """`_transposed2d` of planes into stacks of planes, which are then added up along the depth."""
    n, _, count = x.shape[:3]
    channels, depth = weight.shape[1] * groups, weight.shape[2]
    planes = x.transpose(1, 2).flatten(0, 1)
    lifted = stride[1:], padding[1:], extra[1:], dilation[1:]
    stacks = _transposed2d(planes, weight.flatten(1, 2), *lifted, groups)
    height, width = stacks.shape[2:]
    stacks = stacks.reshape(n, count, channels, depth, height, width).permute(0, 2, 4, 5, 3, 1)
    whole = _transposed_size(count, depth, stride[0], 0, extra[0], dilation[0])
    shape = (n, channels, height, width, whole)
    out = windows_sum(stacks, shape, (depth,), stride[:1], dilation[:1])
    kept = whole - 2 * padding[0]
    return out.narrow(-1, padding[0], kept).permute(0, 1, 4, 2, 3)


@composed(method=False)
def conv_transpose1d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """The transpose of `conv1d`, of (N, C, L) or (C, L); see `conv_transpose2d`."""
    return _transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composed(method=False)
def conv_transpose2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """The transpose of `conv2d`: what its gradient makes of `input`, plus the bias.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (C, O / groups, kernel height, kernel width).
        bias: (O).
        stride: step of the convolution, so distance of the inputs in the output.
        padding: of the convolution: so much is cut off on each side of the output.
        output_padding: so much more of the output after its end, less than stride or dilation.
        groups: number of groups that channels are split into.
        dilation: distance between the kernel's points.
    """
    return _transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composed(method=False)
def conv_transpose3d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Size = 1,
    padding: Size = 0,
    output_padding: Size = 0,
    groups: int = 1,
    dilation: Size = 1,
) -> Tensor:
    """The transpose of `conv3d`, of (N, C, D, H, W) or (C, D, H, W); see `conv_transpose2d`."""
    return _transposed(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composed(method=False)
def convolution(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Size,
    padding: Size,
    dilation: Size,
    transposed: bool,
    output_padding: Size,
    groups: int,
) -> Tensor:
    """A convolution, or its transpose, over all but the first two dimensions of `weight`."""
    n = weight.ndim - 2
    if transposed:
        return _transposed(
            n, input, weight, bias, stride, padding, output_padding, groups, dilation
        )
    return _convolved(n, input, weight, bias, stride, padding, dilation, groups)


@composed(method=False)
def conv_tbc(input: Tensor, weight: Tensor, bias: Tensor, pad: int = 0) -> Tensor:
    """`conv1d` of (length, batch, channels) with a weight of (kernel, channels, out)."""
    out = _convolved(1, input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, 1, pad, 1, 1)
    return out.permute(2, 0, 1)
