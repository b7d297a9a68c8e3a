"""The text form of tensors: the same characters that PyTorch 2.13 prints.

An array over the threshold is first cut down to its corners; what remains becomes one flat list of
strings, and each axis, from the last to the first, then joins its neighbours into bracketed rows.
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

__all__ = ["dtype_suffix", "set_printoptions", "tensor_text"]

_Array = np.ndarray[Any, Any]


class _Options(NamedTuple):
    precision: int = 4
    threshold: float = 1000
    edgeitems: int = 3
    linewidth: int = 80
    sci_mode: bool | None = None


_PROFILES = {
    "default": _Options(),
    "short": _Options(precision=2, edgeitems=2),
    "full": _Options(threshold=float("inf")),
}

_options = _PROFILES["default"]


def set_printoptions(
    precision: int | None = None,
    threshold: float | None = None,
    edgeitems: int | None = None,
    linewidth: int | None = None,
    profile: str | None = None,
    sci_mode: bool | None = None,
) -> None:
    """Sets how tensors are printed, for the whole process; None leaves an option as it is.

    Args:
        precision: digits after the point; 4 at the start.
        threshold: the most elements that are printed without leaving any out; 1000 at the start.
        edgeitems: elements kept at either end of an axis that is shortened; 3 at the start.
        linewidth: characters after which a row is broken; 80 at the start.
        profile: ``"default"``, ``"short"`` (precision 2, edgeitems 2) or ``"full"`` (no
            threshold): sets all options, before the others given here.
        sci_mode: whether floats are printed with an exponent. None, unlike for the other options,
            means that the values decide, and every call sets it, as in PyTorch.

    Raises:
        ValueError: for another profile.

    Differs from torch: which ignores an unknown profile.

    Example:
        >>> set_printoptions(precision=2)
        >>> tensor_text(np.array([1.2345, 2.0]))
        'tensor([1.23, 2.00])'
        >>> set_printoptions(profile="default")
    """
    global _options
    if profile is not None and profile not in _PROFILES:
        raise ValueError(
            f"set_printoptions: profile must be one of {', '.join(_PROFILES)}; got {profile!r}"
        )
    base = _options if profile is None else _PROFILES[profile]
    given: dict[str, Any] = {
        "precision": precision,
        "threshold": threshold,
        "edgeitems": edgeitems,
        "linewidth": linewidth,
    }
    changes = {name: value for name, value in given.items() if value is not None}
    _options = base._replace(**changes, sci_mode=sci_mode)


def tensor_text(array: _Array, *, prefix: str = "tensor", suffixes: Sequence[str] = ()) -> str:
    """The text of a tensor: ``prefix(values, suffixes)``.

    Args:
        array: the values: booleans, integers or floats (also of ml_dtypes), any shape and strides.
        prefix: the name before the bracket; a subclass's own name.
        suffixes: what follows the values, ready to print. PyTorch's order is the device, then
            `dtype_suffix`, then ``grad_fn=<...>`` or ``requires_grad=True``.

    Example:
        >>> tensor_text(np.array([[0.5, -1.0]]), suffixes=["requires_grad=True"])
        'tensor([[ 0.5000, -1.0000]], requires_grad=True)'
    """
    batch: Any = array
    if hasattr(batch, "level"):  # inside of vmap: all samples
        samples = tensor_text(batch.full, prefix=prefix, suffixes=suffixes)
        return (
            f"BatchedTensor(lvl={batch.level.depth}, bdim=0, value=\n"
            f"{textwrap.indent(samples, '    ')}\n)"
        )
    indent = len(prefix) + 1
    text = f"{prefix}({_values_text(array, indent)}"
    # PyTorch counts the last line of the values as two columns longer than it is.
    column = len(text) - text.rfind("\n") + 1
    for suffix in suffixes:
        if column + len(suffix) + 2 > _options.linewidth:
            text += ",\n" + " " * indent + suffix
            column = indent + len(suffix)
        else:
            text += ", " + suffix
            column += len(suffix) + 2
    return text + ")"


def dtype_suffix(array: _Array, default: np.dtype[Any]) -> list[str]:
    """The suffixes that tell what the printed values leave open: ``size=...``, ``dtype=...``.

    The type is shown unless the values imply it: the default floating type, int64 and bool are
    implied by values of their kind, and only the default floating type by no values at all. The
    size is shown when no values are there to show it.

    Args:
        array: the values.
        default: the default floating type.

    Returns:
        No, one or two suffixes for `tensor_text`.

    Example:
        >>> dtype_suffix(np.zeros((0, 3), np.int64), np.dtype(np.float32))
        ['size=(0, 3)', 'dtype=torch.int64']
    """
    suffixes = []
    if array.size == 0:
        size_is_shown, implied = array.ndim != 1, [default]
    else:
        size_is_shown = _options.edgeitems == 0
        implied = [default, np.dtype(np.int64), np.dtype(np.bool_)]
    if size_is_shown:
        suffixes.append(f"size={array.shape}")
    if array.dtype not in implied:
        suffixes.append(f"dtype=torch.{array.dtype.name}")
    return suffixes


def _values_text(array: _Array, indent: int) -> str:
    """The values in brackets, the first of which stands in column `indent`."""
    if array.size == 0:
        return "[]"
    edge = _options.edgeitems
    shown = array
    if array.size > _options.threshold and array.ndim > 0:
        if edge == 0:
            return "[...]"
        shown = _corners(array, edge)
    texts, width = _element_texts(shown)
    for axis in reversed(range(array.ndim)):
        inner_axes = array.ndim - 1 - axis
        rows = _chunks(texts, shown.shape[axis])
        if shown.shape[axis] < array.shape[axis]:
            for row in rows:
                row.insert(edge, "..." if inner_axes else " ...")
        if inner_axes == 0:
            per_line = max(1, (_options.linewidth - indent - axis) // (width + 2))
            rows = [[", ".join(line) for line in _chunks(row, per_line)] for row in rows]
        separator = "," + "\n" * max(1, inner_axes) + " " * (indent + axis + 1)
        texts = [f"[{separator.join(row)}]" for row in rows]
    return texts[0]


def _corners(array: _Array, edge: int) -> _Array:
    """`array` with only `edge` elements left at either end of every axis longer than both."""
    kept = [
        [*range(edge), *range(size - edge, size)] if size > 2 * edge else range(size)
        for size in array.shape
    ]
    return array[np.ix_(*kept)]


def _chunks(texts: list[str], size: int) -> list[list[str]]:
    return [texts[start : start + size] for start in range(0, len(texts), size)]


def _element_texts(array: _Array) -> tuple[list[str], int]:
    """One string for each element, in C order, and the width to which they are padded.

    Zeros, infinities and NaNs do not widen a column of floats, and may stand out of it.
    """
    if array.dtype.kind in "biu":
        texts = [str(value) for value in array.ravel().tolist()]
        width = max(map(len, texts))
    else:
        with np.errstate(invalid="ignore"):  # uninitialised memory may hold signalling NaNs
            values = array.astype(np.float64).ravel()
        measured = values[np.isfinite(values) & (values != 0)]
        text_of = _float_format(measured)
        texts = [text_of(value) for value in values.tolist()]
        width = max((len(text_of(value)) for value in measured.tolist()), default=1)
    return [text.rjust(width) for text in texts], width


def _float_format(measured: _Array) -> Callable[[float], str]:
    """The one way to write all elements of a tensor whose finite non-zero values are given."""
    if measured.size == 0:
        return _whole
    precision = _options.precision
    scientific = _options.sci_mode
    if scientific is None:
        magnitudes = np.abs(measured)
        smallest, largest = float(magnitudes.min()), float(magnitudes.max())
        scientific = largest / smallest > 1000 or largest > 1e8 or smallest < 1e-4
    if scientific:
        return f"{{:.{precision}e}}".format
    if (measured == np.trunc(measured)).all():
        return _whole
    return f"{{:.{precision}f}}".format


def _whole(value: float) -> str:
    return f"{value:.0f}." if math.isfinite(value) else f"{value}"
