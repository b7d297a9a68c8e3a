"""Sampling images at the points of a grid, and the grids of affine maps."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

from rushlight.dtypes import int64
from rushlight.ops import ranges
from rushlight.ops._registry import composed
from rushlight.ops.choice import where
from rushlight.ops.joining import stack
from rushlight.ops.pooling import plane_gather
from rushlight.tensor import Tensor

MODES = ("bilinear", "nearest", "bicubic")
PADDINGS = ("zeros", "border", "reflection")
CUBIC = -0.75  # PyTorch's constant of cubic convolution


# ---- Coordinates ----


def _in_pixels(x: Tensor, size: int, align_corners: bool) -> Tensor:
    """From [-1, 1] to pixels: the ends are the outer pixels' centers, or their outer edges."""
    return (x + 1) * ((size - 1) / 2) if align_corners else ((x + 1) * size - 1) / 2


def _clipped(x: Tensor, size: int) -> Tensor:
    """Restricted to the image; at its edges too the derivative is 0."""
    inside = (x > 0) & (x < size - 1)
    return where(inside, x, x.detach().clamp(0, size - 1))


def _reflected(x: Tensor, low: float, high: float) -> Tensor:
    """Folded back at both ends until it lies within [low, high]."""
    if low == high:
        return x * 0
    span = high - low
    way = (x - low).abs()
    turns = (way.detach() / span).floor()
    rest = way - turns * span
    return where((turns % 2).eq(0), rest + low, span - rest + low)


def _padded(x: Tensor, size: int, padding: str, align_corners: bool) -> Tensor:
    """Coordinates in pixels, with those outside moved in as `padding` says."""
    if padding == "zeros":
        return x
    if padding == "reflection":
        ends = (0.0, size - 1.0) if align_corners else (-0.5, size - 0.5)
        x = _reflected(x, *ends)
    return _clipped(x, size)


# ---- Values ----


def _values(input: Tensor, at: Sequence[Tensor], padding: str) -> Tensor:
    """The pixels at whole coordinates, one tensor (N, points) for each dimension of space.

    Outside of the image they are 0.
    """
    sizes = input.shape[2:]
    flat = inside = None
    for position, size in zip(at, sizes, strict=True):
        whole = position.detach()
        good = (whole >= 0) & (whole <= size - 1)
        index = whole.clamp(0, size - 1).to(int64).clamp(0, size - 1)  # nan gives any number
        flat = index if flat is None else flat * size + index
        inside = good if inside is None else inside & good
    assert flat is not None and inside is not None
    n, c = input.shape[:2]
    planes = input.reshape(n, c, 1, -1)
    index = flat[:, None, None].expand(n, c, 1, flat.shape[1])
    values = plane_gather(planes, index).squeeze(2)
    return values * inside[:, None].to(input.dtype) if padding == "zeros" else values


def _linear(input: Tensor, at: Sequence[Tensor], padding: str) -> Tensor:
    """The mean of the pixels around, weighted by the opposite volumes."""
    low = [x.detach().floor() for x in at]
    total = None
    for corner in product((0, 1), repeat=len(at)):
        weight = None
        for side, x, first in zip(corner, at, low, strict=True):
            part = x - first if side else first + 1 - x
            weight = part if weight is None else weight * part
        assert weight is not None
        pixels = [first + side for side, first in zip(corner, low, strict=True)]
        # The last pixel has none behind it, and there the weight is 0.
        term = _values(input, pixels, "zeros") * weight[:, None]
        total = term if total is None else total + term
    assert total is not None
    return total


def cubic_weights(t: Tensor, a: float = CUBIC) -> list[Tensor]:
    """Of the four pixels around a point that is `t` behind the second.

    Source: Keys, "Cubic convolution interpolation" (1981), eq. 4.
    """

    def near(x: Tensor) -> Tensor:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]


def _cubic(input: Tensor, at: Sequence[Tensor], padding: str, align_corners: bool) -> Tensor:
    low = [x.detach().floor() for x in at]
    weights = [cubic_weights(x - first) for x, first in zip(at, low, strict=True)]
    total = None
    for i, j in product(range(4), repeat=2):
        pixels = [
            _padded(first + step - 1, size, padding, align_corners)
            for first, step, size in zip(low, (i, j), input.shape[2:], strict=True)
        ]
        term = _values(input, pixels, padding) * (weights[0][i] * weights[1][j])[:, None]
        total = term if total is None else total + term
    assert total is not None
    return total


# ---- The sampler ----


def _check_grid(input: Tensor, grid: Tensor, mode: str) -> None:
    sizes = f"input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    if input.ndim not in (4, 5) or input.ndim != grid.ndim:
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            f"got {sizes}"
        )
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            f"grid_sampler(): expected grid and input to have same batch size, but got {sizes}"
        )
    if grid.shape[-1] != input.ndim - 2:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {input.ndim - 2} in last dimension, but "
            f"got grid with sizes {list(grid.shape)}"
        )
    if 0 in input.shape[2:]:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
            f"sizes {list(input.shape)}"
        )
    if mode == "bicubic" and input.ndim != 4:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")


@composed(method=False)
def grid_sampler(
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Tensor:
    """`nn.functional.grid_sample`, with numbers for its modes.

    Args:
        input: (N, C, H, W) or (N, C, D, H, W).
        grid: (N, h, w, 2) or (N, d, h, w, 3): x, y and z in [-1, 1], x along the last dimension.
        interpolation_mode: 0 linear, 1 nearest, 2 cubic.
        padding_mode: outside are 0 zeros, 1 the edge's pixels, 2 the image's mirror images.
        align_corners: -1 and 1 are the centers of the outer pixels, not their outer edges.

    Returns:
        (N, C, h, w) or (N, C, d, h, w).

    Gradient:
        Where coordinates are clipped, 0; that of ``nearest`` to the grid is 0.
    """
    mode, padding = MODES[interpolation_mode], PADDINGS[padding_mode]
    _check_grid(input, grid, mode)
    n, c = input.shape[:2]
    sizes = input.shape[2:]
    points = grid.flatten(1, -2)
    at = []
    for i, size in enumerate(sizes):
        x = _in_pixels(points[:, :, len(sizes) - 1 - i], size, align_corners)
        at.append(x if mode == "bicubic" else _padded(x, size, padding, align_corners))
    if mode == "bilinear":
        out = _linear(input, at, padding)
    elif mode == "nearest":
        out = _values(input, [x.round() for x in at], padding)
    else:
        out = _cubic(input, at, padding, align_corners)
    return out.reshape(n, c, *grid.shape[1:-1])


@composed(method=False)
def grid_sampler_2d(
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Tensor:
    """`grid_sampler` of images."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


@composed(method=False)
def grid_sampler_3d(
    input: Tensor,
    grid: Tensor,
    interpolation_mode: int,
    padding_mode: int,
    align_corners: bool,
) -> Tensor:
    """`grid_sampler` of volumes."""
    return grid_sampler(input, grid, interpolation_mode, padding_mode, align_corners)


# ---- Affine grids ----


def _centers(n: int, align_corners: bool, like: Tensor) -> Tensor:
    """`n` coordinates in [-1, 1]: from end to end, or the centers of `n` equal parts."""
    if n <= 1:
        return like.new_zeros(n)
    ends = ranges.linspace(-1, 1, n, dtype=like.dtype, device=like.device)
    return ends if align_corners else ends * ((n - 1) / n)


@composed(method=False)
def affine_grid_generator(theta: Tensor, size: Sequence[int], align_corners: bool) -> Tensor:
    """The grid for `grid_sampler` whose points are an affine map of the output's.

    Args:
        theta: (N, 2, 3) or (N, 3, 4).
        size: of the output, (N, C, H, W) or (N, C, D, H, W).
        align_corners: as for `grid_sampler`.

    Returns:
        (N, H, W, 2) or (N, D, H, W, 3).
    """
    n, space = size[0], tuple(size[2:])
    axes = []
    for i in reversed(range(len(space))):
        along = [1] * len(space)
        along[i] = space[i]
        axes.append(_centers(space[i], align_corners, theta).reshape(along).expand(*space))
    base = stack([*axes, theta.new_ones(space)], -1).reshape(1, -1, len(space) + 1)
    points = base.expand(n, *base.shape[1:]).bmm(theta.transpose(1, 2))
    return points.reshape(n, *space, len(space))
