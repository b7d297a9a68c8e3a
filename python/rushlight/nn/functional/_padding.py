"""Frames around images."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = ["pad"]

Positions = np.ndarray


def pad(
    input: Tensor, pad: Sequence[int], mode: str = "constant", value: float | None = None
) -> Tensor:
    """`input` in a frame.

    Args:
        input: the image; with a mode other than ``"constant"`` one of one, two or three dimensions
            of space, after channels and perhaps a batch.
        pad: widths before and after, the last dimension first; negative ones cut off.
        mode: ``"constant"``, ``"reflect"`` (the mirror image, without the edge itself),
            ``"replicate"`` (the edge) or ``"circular"`` (the other end).
        value: of the constant frame, 0 when None.

    Raises:
        NotImplementedError: for an unknown mode, or another number of dimensions.
        RuntimeError: the frame is wider than the image allows.
    """
    pad = tuple(int(width) for width in pad)
    if len(pad) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2, got {len(pad)}")
    if len(pad) > 2 * input.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(pad)} and input of dimension {input.dim()}"
        )
    if mode == "constant":
        return ops.constant_pad_nd(input, pad, 0 if value is None else value)
    if value is not None and value != 0:
        raise RuntimeError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in _MODES:
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if (len(pad) // 2 + 1, len(pad) // 2 + 2).count(input.dim()) == 0 or len(pad) > 6:
        raise NotImplementedError(
            f"Padding size {len(pad)} is not supported for {input.dim()}D input tensor.\n"
            "Supported combinations for non-constant padding:\n"
            "  - 2D or 3D input: padding size = 2 (pads last dimension)\n"
            "  - 3D or 4D input: padding size = 4 (pads last 2 dimensions)\n"
            "  - 4D or 5D input: padding size = 6 (pads last 3 dimensions)"
        )
    for i in range(0, len(pad), 2):
        input = _extended(input, input.dim() - 1 - i // 2, (pad[i], pad[i + 1]), mode)
    return input


def _extended(x: Tensor, dim: int, widths: tuple[int, int], mode: str) -> Tensor:
    """Pads or cuts one dimension."""
    size = x.shape[dim]
    _MODES[mode][1](x, dim, widths)
    before, after = widths
    start, end = max(-before, 0), size - max(-after, 0)
    inside = x if (start, end) == (0, size) else x.narrow(dim, start, end - start)
    position = _MODES[mode][0]
    if mode == "circular":  # what is cut off does not come back at the other end
        x, size = inside, inside.shape[dim]
    edges = (np.arange(-before, 0), np.arange(size, size + after))
    parts = [_taken(x, dim, position(edge, size)) for edge in edges if len(edge)]
    parts.insert(before > 0, inside)
    return inside if len(parts) == 1 else ops.cat(parts, dim)


def _taken(x: Tensor, dim: int, places: Positions) -> Tensor:
    """The slices of `x` at `places`, through the narrowest view that has them all."""
    first, last = int(places.min()), int(places.max())
    near = x.narrow(dim, first, last + 1 - first)
    return ops.resampled(near, dim, (places - first)[:, None], None)


def _check_reflection(x: Tensor, dim: int, widths: tuple[int, int]) -> None:
    if max(widths) >= x.shape[dim]:
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but "
            f"got: padding {widths} at dimension {dim} of input {list(x.shape)}"
        )


def _check_replication(x: Tensor, dim: int, widths: tuple[int, int]) -> None:
    if x.shape[dim] == 0:
        raise RuntimeError(
            f"Expected a tensor with non-zero dimensions of space, but got {list(x.shape)}"
        )


def _check_turn(x: Tensor, dim: int, widths: tuple[int, int]) -> None:
    if max(widths) > x.shape[dim]:
        raise RuntimeError("Padding value causes wrapping around more than once.")
    if x.shape[dim] + sum(widths) < 0:
        raise RuntimeError("Negative padding value is resulting in an empty dimension")


# For each mode: where in the image the positions outside are, and what is refused.
_MODES: dict[str, tuple[Callable[..., Positions], Callable[..., None]]] = {
    "reflect": (lambda i, n: n - 1 - np.abs(n - 1 - np.abs(i)), _check_reflection),
    "replicate": (lambda i, n: np.clip(i, 0, n - 1), _check_replication),
    "circular": (lambda i, n: i % n, _check_turn),
}
