"""``x[index]``, read and written, by PyTorch's rules.

An index is taken apart: what is a number, a slice, None or Ellipsis gives a view; then arrays
choose among its elements, all at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rushlight import errors
from rushlight.backend.common import number_for, overflow
from rushlight.ops._indexing import INSERT, NONE, SELECT, Indices, Items, indices_of, taken
from rushlight.ops._registry import composed, op
from rushlight.ops.pointwise import Number
from rushlight.tensor import Tensor


def _select_gradient(K: Any, g: Any, shape: tuple[int, ...], dim: int, index: int) -> Any:
    return K.index_place(shape, (*(slice(None),) * (dim % len(shape)), index), g)


@op(
    input=lambda K, g, input_shape, dim, index: _select_gradient(K, g, input_shape, dim, index),
    view=True,
)
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The view of one slice along `dim`."""


F = TypeVar("F", bound=Callable[..., Tensor])


def _view(node: str) -> Callable[[F], F]:
    """An op that takes a view by numbers, slices, None and Ellipsis; `node` is its last step."""
    return op(
        input=lambda K, g, input_shape, index: K.index_place(input_shape, index, g),
        forward=lambda K, input, index: K.getitem(input, index),
        view=True,
        node=node,
        method=False,
    )


@_view("SliceBackward0")
def sliced(input: Tensor, index: Items) -> Tensor:
    """``input[index]`` where a slice comes last."""


@_view("SelectBackward0")
def selected(input: Tensor, index: Items) -> Tensor:
    """``input[index]`` where a number comes last."""


@_view("UnsqueezeBackward0")
def inserted(input: Tensor, index: Items) -> Tensor:
    """``input[index]`` where None comes last."""


@_view("AliasBackward0")
def aliased(input: Tensor, index: Items) -> Tensor:
    """``input[...]``: all of it."""


@composed(method=False)
def getitem(input: Tensor, index: Items) -> Tensor:
    """``input[index]`` with an index that was taken apart already: a view."""
    return sliced(input, index)


@op(values=lambda K, g, index: K.getitem(g, index), method=False)
def index_place(shape: tuple[int, ...], index: Items, values: Tensor) -> Tensor:
    """Zeros of `shape`, with `values` written at `index`, which names no place twice."""


@op(
    input=lambda K, g, input_shape, indices: K.write_at(
        K.new_zeros(g, input_shape), indices.unchanged(), g, True
    ),
    node="IndexBackward0",
    method=False,
)
def read_at(input: Tensor, indices: Indices) -> Tensor:
    """``input[indices]`` for arrays: a copy."""


@op(
    input=lambda K, g, indices, accumulate: (
        g if accumulate else K.write_at(g, indices.unchanged(), 0, False)
    ),
    values=lambda K, g, indices, values_shape: _part(K, g, (), indices, values_shape),
    node="IndexPutBackward0",
    inplace=True,
    method=False,
)
def write_at(input: Tensor, indices: Indices, values: Tensor | Number, accumulate: bool) -> Tensor:
    """A copy with ``[indices] = values``, or ``+=``."""


@op(
    input=lambda K, g, index, indices: K.replaced(g, index, indices, 0),
    value=lambda K, g, index, indices, value_shape: _part(K, g, index, indices, value_shape),
    node="IndexPutBackward0",
    inplace=True,
    method=False,
)
def replaced(
    input: Tensor, index: Items, indices: Indices | None, value: Tensor | Number
) -> Tensor:
    """A copy with ``[index][indices] = value``."""


def _part(K: Any, g: Any, index: Items, indices: Indices | None, shape: tuple[int, ...]) -> Any:
    """The gradient of what was written, which may have had further dimensions of size 1."""
    part = K.getitem(g, index) if index else g
    if indices is not None:
        part = K.read_at(part, indices.unchanged())
    further = len(shape) - len(part.shape)
    return K.reshape(part, (1,) * further + tuple(part.shape)) if further > 0 else part


# ---- Reading and writing ----


def _getitem(self: Tensor, index: Any) -> Tensor:
    """``self[index]``: a view for numbers, slices, None and Ellipsis, else a copy.

    Raises:
        IndexError: out of range, too many indices, or an index of a floating type.
        ValueError: for a slice whose step is not positive.
    """
    if type(index) is int:
        shape = self._array.shape
        if shape and -shape[0] <= index < shape[0]:
            return select(self, 0, index)
    items, last, indices = taken(self, index)
    if indices is None:
        return _viewed(self, items, last)
    return read_at(self if last == NONE else _viewed(self, items, last), indices)


def _viewed(tensor: Tensor, items: Items, last: int) -> Tensor:
    if last == SELECT:
        return selected(tensor, items)
    if last == INSERT:
        return inserted(tensor, items)
    return aliased(tensor, items) if last == NONE else sliced(tensor, items)


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    """``self[index] = value`` in place, with broadcasting and gradients.

    Raises:
        TypeError: for a value that is neither a tensor nor a number.
        RuntimeError: for one of a shape that does not fit, or, among arrays, of another dtype.
    """
    if isinstance(value, bool | int | float):
        value = number_for(self._array.dtype, value)
    elif isinstance(value, complex):
        raise overflow(self._array.dtype)
    elif not isinstance(value, Tensor):
        raise TypeError(f"can't assign a {_qualified(type(value))} to a {self.type()}")
    if index is False:
        return
    items, _, indices = taken(self, None if index is True else index)
    self.replaced_(items, indices, value)


def _qualified(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


Tensor.__getitem__ = _getitem  # type: ignore[method-assign]
Tensor.__setitem__ = _setitem  # type: ignore[method-assign]


@composed()
def index_put(
    input: Tensor,
    indices: Sequence[Tensor],
    values: Tensor,
    accumulate: bool = False,
) -> Tensor:
    """A copy with ``[indices] = values``, or ``+=`` where repeated places add up.

    Args:
        input: what is copied.
        indices: tensors of int64, int32 or bool, for the first dimensions.
        values: of the dtype of `input`, broadcast.
        accumulate: add.
    """
    if not isinstance(values, Tensor):
        raise errors.wrong_argument("index_put", "values", values)
    return write_at(input, indices_of(input, indices), values, accumulate)


@composed(name="index_put_")
def index_put_(
    input: Tensor,
    indices: Sequence[Tensor],
    values: Tensor,
    accumulate: bool = False,
) -> Tensor:
    """`index_put` in place."""
    if not isinstance(values, Tensor):
        raise errors.wrong_argument("index_put_", "values", values)
    return input.write_at_(indices_of(input, indices), values, accumulate)
