"""Order and scans along a dimension.

CuPy has running sums and products. The other scans combine each element with that 1, 2, 4, ...
places before it: as many steps as the size has binary digits, each over all elements at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight.backend.cuda.halves import in_float32
from rushlight.backend.cuda.runtime import cp

__all__ = [
    "ordered",
    "recurrence",
    "running_extreme",
    "running_logsumexp",
    "running_product",
    "running_sum",
    "selected",
]

Arrays = tuple[Any, ...]


# ---- Order ----


@in_float32
def ordered(x: Any, dim: int, descending: bool) -> tuple[Any, Any]:
    """The elements along a dimension in order, and where they were; CuPy sorts stably."""
    if x.ndim == 0:
        return x.copy(), cp.zeros((), "int64")
    # Backwards there and back, so that equal elements keep their order.
    rows = _reversed(x, dim) if descending else x
    places = cp.argsort(rows, axis=dim).astype("int64", copy=False)
    if descending:
        places = _reversed(x.shape[dim] - 1 - places, dim)
    return cp.take_along_axis(x, places, dim), places


@in_float32
def selected(x: Any, dim: int, first: int, last: int, descending: bool) -> tuple[Any, Any]:
    """Places `first` to `last` - 1 of that order, and where they were."""
    if not 0 <= first <= last <= (x.shape[dim] if x.ndim else 1):
        raise RuntimeError("selected index k out of range")
    values, places = ordered(x, dim, descending)
    if not x.ndim:
        return values, places
    part = _slices(x, dim, slice(first, last))
    return values[part].copy(), places[part].copy()


# ---- Scans ----


@in_float32
def running_sum(x: Any, dim: int, reverse: bool = False) -> Any:
    """Sums of all elements so far."""
    return _directed(lambda rows: rows.cumsum(axis=dim, dtype=x.dtype), x, dim, reverse)


@in_float32
def running_product(x: Any, dim: int, reverse: bool = False) -> Any:
    """Products of all elements so far."""
    return _directed(lambda rows: rows.cumprod(axis=dim, dtype=x.dtype), x, dim, reverse)


@in_float32
def running_logsumexp(x: Any, dim: int, reverse: bool = False) -> Any:
    """Logarithms of the sums of the exponentials so far."""
    return _directed(lambda rows: _doubled(_joined_logs, (rows,), dim)[0], x, dim, reverse)


def _joined_logs(earlier: Arrays, later: Arrays) -> Arrays:
    return (cp.logaddexp(earlier[0], later[0]),)


@in_float32
def running_extreme(x: Any, dim: int, greatest: bool) -> tuple[Any, Any]:
    """The greatest (least) elements so far, and where they are: the last of equal ones."""
    if x.ndim == 0:
        return x.copy(), cp.zeros((), "int64")
    shape = [-1 if d == dim % x.ndim else 1 for d in range(x.ndim)]
    places = cp.broadcast_to(cp.arange(x.shape[dim]).reshape(shape), x.shape)

    def better(earlier: Arrays, later: Arrays) -> Arrays:
        a, b = earlier[0], later[0]
        keeps = (a > b) if greatest else (a < b)
        keeps = (keeps | (a != a)) & (b == b)
        return cp.where(keeps, a, b), cp.where(keeps, earlier[1], later[1])

    values, where = _doubled(better, (x, places), dim)
    return values, where


@in_float32
def recurrence(factor: Any, term: Any, dim: int, reverse: bool = False) -> Any:
    """``out[i] = term[i] + factor[i] * out[i - 1]``.

    Reversed, its adjoint: ``out[i] = term[i] + factor[i + 1] * out[i + 1]``.
    """
    if factor.shape != term.shape or factor.dtype != term.dtype:
        raise RuntimeError(
            f"recurrence: the operands must agree; got shapes {list(factor.shape)} and "
            f"{list(term.shape)}"
        )
    if term.ndim == 0:
        return term.copy()
    if not reverse:
        return _doubled(_composed, (factor, term), dim)[1]
    moved = cp.zeros(factor.shape, factor.dtype)
    moved[_slices(term, dim, slice(0, -1))] = factor[_slices(term, dim, slice(1, None))]
    rows = (_reversed(moved, dim), _reversed(term, dim))
    return _reversed(_doubled(_composed, rows, dim)[1], dim)


def _composed(earlier: Arrays, later: Arrays) -> Arrays:
    """The maps ``x -> factor * x + term`` one after the other."""
    return earlier[0] * later[0], later[0] * earlier[1] + later[1]


def _doubled(combine: Callable[[Arrays, Arrays], Arrays], arrays: Arrays, dim: int) -> Arrays:
    arrays = tuple(x.copy() for x in arrays)
    if arrays[0].ndim == 0:
        return arrays
    distance = 1
    while distance < arrays[0].shape[dim]:
        target = _slices(arrays[0], dim, slice(distance, None))
        source = _slices(arrays[0], dim, slice(0, -distance))
        later = combine(tuple(x[source] for x in arrays), tuple(x[target] for x in arrays))
        for x, part in zip(arrays, later, strict=True):
            x[target] = part
        distance *= 2
    return arrays


def _directed(scan: Callable[[Any], Any], x: Any, dim: int, reverse: bool) -> Any:
    if x.ndim == 0:
        return x.copy()
    return _reversed(scan(_reversed(x, dim)), dim) if reverse else scan(x)


def _reversed(x: Any, dim: int) -> Any:
    return x[_slices(x, dim, slice(None, None, -1))]


def _slices(x: Any, dim: int, part: slice) -> tuple[slice, ...]:
    return (*(slice(None),) * (dim % x.ndim), part)
