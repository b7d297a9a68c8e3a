"""``x[index]``, read and written, by PyTorch's rules.

An index is taken apart: what is a number, a slice, None or Ellipsis gives a view; then arrays
choose among its elements, all at once.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight import errors
from rushlight.backend.common import number_for
from rushlight.ops._registry import composed, op
from rushlight.ops.pointwise import Number
from rushlight.tensor import Tensor

Items = tuple[Any, ...]


def _select_gradient(K: Any, g: Any, shape: tuple[int, ...], dim: int, index: int) -> Any:
    return K.index_place(shape, (*(slice(None),) * (dim % len(shape)), index), g)


@op(
    input=lambda K, g, input_shape, dim, index: _select_gradient(K, g, input_shape, dim, index),
    view=True,
)
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The view of one slice along `dim`."""


def _view(node: str) -> Callable[[Any], Any]:
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


class Indices(tuple[Any, ...]):
    """Index arrays, one for each dimension, None for all of it; a mask takes as many as it has.

    A graph keeps them, and must not go on when the tensors they came from have changed.
    """

    versions: tuple[tuple[list[int], int], ...] = ()

    def unchanged(self) -> Indices:
        """These, unless one was changed in place."""
        for array, (counter, version) in zip(self, self.versions, strict=False):
            if counter[0] != version:
                raise errors.modified_in_place("index", "indices", array, counter[0], version)
        return self


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
    input=lambda K, g, indices, accumulate: g
    if accumulate
    else K.write_at(g, indices.unchanged(), 0, False),
    values=lambda K, g, indices: K.read_at(g, indices.unchanged()),
    node="IndexPutBackward0",
    inplace=True,
    method=False,
)
def write_at(
    input: Tensor, indices: Indices, values: Tensor | Number, accumulate: bool
) -> Tensor:
    """A copy with ``[indices] = values``, or ``+=``."""


@op(
    input=lambda K, g, index, indices: K.replaced(g, index, indices, 0),
    value=lambda K, g, index, indices: _read(K, g, index, indices),
    node="IndexPutBackward0",
    inplace=True,
    method=False,
)
def replaced(
    input: Tensor, index: Items, indices: Indices | None, value: Tensor | Number
) -> Tensor:
    """A copy with ``[index][indices] = value``."""


def _read(K: Any, g: Any, index: Items, indices: Indices | None) -> Any:
    view = K.getitem(g, index)
    return view if indices is None else K.read_at(view, indices.unchanged())


# ---- Taking an index apart ----


def _items(index: Any) -> Items:
    """The index as a tuple."""
    if isinstance(index, tuple):
        return index
    if isinstance(index, list | range) and len(index) < 32 and any(map(_is_item, index)):
        warnings.warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated and will be "
            "changed in pytorch 2.9; use x[tuple(seq)] instead of x[seq].",
            UserWarning,
            stacklevel=4,
        )
        return tuple(index)
    return (index,)


def _is_item(value: Any) -> bool:
    """Whether a list with this in it stands for a tuple."""
    kinds = (Tensor, list, tuple, range, str, np.ndarray, slice, type(None), type(Ellipsis))
    return isinstance(value, kinds)


def _takes(item: Any) -> int:
    """How many dimensions an item takes, as Ellipsis counts them."""
    if item is None or item is Ellipsis or item is True or item is False:
        return 0
    if isinstance(item, Tensor) and item._array.dtype.name in ("bool", "uint8"):
        return item.ndim
    return 1


class _Parts:
    """An index taken apart.

    Attributes:
        view: numbers, slices and None, for each dimension up to the last that is not whole.
        sizes: of the view's dimensions.
        last: the kind of the last item that makes the view differ from the tensor.
    """

    def __init__(self, shape: tuple[int, ...], items: Items) -> None:
        self.view: list[Any] = []
        self.sizes: list[int] = []
        self.last: Callable[..., Tensor] = aliased
        self._shape = shape
        self._dim = 0  # of the tensor, to be taken next
        self._arrays: list[tuple[int, Any, Any]] = []  # dimension of the view, array, version
        taken = sum(map(_takes, items))
        if taken > len(shape):
            raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
        for position, item in enumerate(items):
            if item is Ellipsis:
                self._whole(len(shape) - taken)
            elif item is None:
                self._insert()
                self.last = inserted
            elif isinstance(item, slice):
                self._slice(item, len(items) == 1)
            elif isinstance(item, int | np.integer) and not isinstance(item, bool):
                self._select(int(item), position)
            else:
                self._choose(item, position)
        self.sizes += shape[self._dim :]

    def _whole(self, count: int) -> None:
        sizes = self._shape[self._dim : self._dim + count]
        self.view += [slice(None)] * len(sizes)
        self.sizes += sizes
        self._dim += count

    def _insert(self) -> None:
        self.view.append(None)
        self.sizes.append(1)

    def _slice(self, item: slice, alone: bool) -> None:
        size = self._size(":", self._dim)
        if item.step is not None and item.step <= 0:
            raise ValueError("step must be greater than zero" if item.step else ZERO_STEP)
        start, stop, step = item.indices(size)
        if alone or (start, step) != (0, 1) or stop != size:
            self.last = sliced
        self.view.append(slice(start, max(start, stop), step))
        self.sizes.append(len(range(start, stop, step)))
        self._dim += 1

    def _select(self, index: int, position: int) -> None:
        size = self._size(index, position)
        if not -size <= index < size:
            if abs(index) >> 63:
                raise ValueError("Overflow when unpacking long long")
            raise IndexError(
                f"index {index} is out of bounds for dimension {position} with size {size}"
            )
        self.view.append(index)
        self._dim += 1
        self.last = selected

    def _size(self, item: Any, position: int) -> int:
        """Of the next dimension; a second Ellipsis may have gone beyond the last one."""
        if self._dim >= len(self._shape):
            raise IndexError(f"index {item} is out of bounds for dimension {position} with size 0")
        return self._shape[self._dim]

    def _choose(self, item: Any, position: int) -> None:
        array, version = _array_of(item)
        if array.ndim == 0 and array.dtype.name not in ("bool", "uint8"):
            self._select(int(array), position)
        elif array.ndim == 0:
            self._arrays.append((len(self.sizes), np.arange(int(bool(array))), version))
            self._insert()
            self.last = inserted
        else:
            if array.dtype.name == "uint8":
                warnings.warn(
                    "indexing with dtype torch.uint8 is now deprecated, please use a dtype "
                    "torch.bool instead.",
                    UserWarning,
                    stacklevel=5,
                )
                array = array != 0
            self._arrays.append((len(self.sizes), array, version))
            self._whole(array.ndim if array.dtype.kind == "b" else 1)

    def indices(self) -> Indices | None:
        """The arrays, for the dimensions of the view; None where there are none.

        Raises:
            IndexError: for a mask of another shape.
        """
        if not self._arrays:
            return None
        slots: list[Any] = []
        versions = []
        covered = 0
        for i, (dim, array, version) in enumerate(self._arrays):
            mask = array.dtype.kind == "b"
            if mask:
                self._check_mask(i, dim, array)
            slots += [None] * (dim - covered)
            versions += [UNVERSIONED] * (dim - covered) + [version]
            slots.append(array)
            covered = dim + (array.ndim if mask else 1)
        found = Indices(slots)
        found.versions = tuple(versions)
        return found

    def _check_mask(self, i: int, dim: int, mask: Any) -> None:
        if dim + mask.ndim > len(self.sizes):
            raise IndexError(f"too many indices for tensor of dimension {len(self.sizes)}")
        for d, (n, m) in enumerate(zip(mask.shape, self.sizes[dim:], strict=False)):
            if n != m:
                raise IndexError(
                    f"The shape of the mask {list(mask.shape)} at index {d} does not match the "
                    f"shape of the indexed tensor {self.sizes} at index {dim + d}"
                )


UNVERSIONED = ([0], 0)
ZERO_STEP = "slice step cannot be zero"


def _array_of(item: Any) -> tuple[Any, tuple[list[int], int]]:
    """An index array, and the counter and version of the tensor it belongs to."""
    if isinstance(item, Tensor):
        name = item._array.dtype.name
        if name in ("int64", "int32", "bool", "uint8") or (
            item._array.dtype.kind == "i" and not item.ndim
        ):
            return item._array, (item._counter, item._counter[0])
        raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
    if isinstance(item, str | bytes):
        raise TypeError(f"new(): invalid data type '{type(item).__name__}'")
    if isinstance(item, bool):
        return np.asarray(item), UNVERSIONED
    if not isinstance(item, list | tuple | range | np.ndarray):
        raise IndexError(
            "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables are "
            f"valid indices (got {type(item).__name__})"
        )
    array = np.asarray(item)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"new(): invalid data type '{array.dtype}'")
    # A copy: NumPy's arrays have no version that would tell of a change.
    return array.astype(array.dtype if array.dtype.name in ("bool", "uint8") else "int64"), UNVERSIONED


# ---- Reading and writing ----


def _getitem(self: Tensor, index: Any) -> Tensor:
    """``self[index]``: a view for numbers, slices, None and Ellipsis, else a copy.

    Raises:
        IndexError: out of range, too many indices, or an index of a floating type.
        ValueError: for a slice whose step is not positive.
    """
    shape = self._array.shape
    if type(index) is int and shape and -shape[0] <= index < shape[0]:
        return select(self, 0, index)
    parts = _parts(shape, index)
    indices = parts.indices()
    if indices is None:
        return parts.last(self, tuple(parts.view))
    view = self if parts.last is aliased else parts.last(self, tuple(parts.view))
    return read_at(view, indices)


def _parts(shape: tuple[int, ...], index: Any) -> _Parts:
    if not shape:
        if isinstance(index, int | np.integer) and not isinstance(index, bool):
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
            )
        if isinstance(index, slice):
            raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    return _Parts(shape, _items(index))


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    """``self[index] = value`` in place, with broadcasting and gradients.

    Raises:
        TypeError: for a value that is neither a tensor nor a number.
        RuntimeError: for one of a shape that does not fit, or, among arrays, of another dtype.
    """
    if isinstance(value, bool | int | float):
        value = number_for(self._array.dtype, value)
    elif not isinstance(value, Tensor):
        raise TypeError(f"can't assign a {_qualified(type(value))} to a {self.type()}")
    if index is False:
        return
    parts = _parts(self._array.shape, index)
    self.replaced_(tuple(parts.view), parts.indices(), value)


def _qualified(kind: type) -> str:
    return kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"


Tensor.__getitem__ = _getitem  # type: ignore[method-assign]
Tensor.__setitem__ = _setitem  # type: ignore[method-assign]


@composed()
def index_put(
    input: Tensor,
    indices: Sequence[Tensor | None],
    values: Tensor,
    accumulate: bool = False,
) -> Tensor:
    """A copy with ``[indices] = values``, or ``+=`` where repeated places add up.

    Args:
        input: what is copied.
        indices: tensors of int64, int32 or bool, for the first dimensions; None for all of one.
        values: of the dtype of `input`, broadcast.
        accumulate: add.
    """
    return write_at(input, _indices(input, indices), values, accumulate)


@composed(name="index_put_")
def index_put_(
    input: Tensor,
    indices: Sequence[Tensor | None],
    values: Tensor,
    accumulate: bool = False,
) -> Tensor:
    """`index_put` in place."""
    return input.write_at_(_indices(input, indices), values, accumulate)


def _indices(input: Tensor, indices: Sequence[Tensor | None]) -> Indices:
    if isinstance(indices, Tensor) or not isinstance(indices, Sequence):
        raise TypeError(
            "index_put(): argument 'indices' (position 2) must be tuple of Tensors, not "
            f"{type(indices).__name__}"
        )
    items = tuple(slice(None) if i is None else i for i in indices)
    taken = sum(map(_takes, items))
    if taken > input.ndim:
        raise IndexError(
            f"too many indices for tensor of dimension {input.ndim} (got {taken})"
        )
    found = _Parts(input._array.shape, items).indices()
    return Indices() if found is None else found
