"""An index taken apart, by PyTorch's rules: a view, and arrays that choose from it."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from rushlight import errors
from rushlight.autograd.site import warn
from rushlight.tensor import Tensor

Items = tuple[Any, ...]

# The last step that makes a view differ from its tensor.
NONE, SLICE, SELECT, INSERT = range(4)


class Indices(tuple[Any, ...]):
    """Index arrays, one for each dimension, None for all of it; a mask takes as many as it has.

    A graph keeps them, and must not go on when the tensors they came from have changed.
    """

    versions: tuple[tuple[list[int], int], ...] = ()

    def unchanged(self) -> Indices:
        """These, unless one was changed in place."""
        for array, (counter, version) in zip(self, self.versions, strict=False):
            if counter[0] != version:
                raise errors.modified_in_place("indices", array, counter[0], version)
        return self


def _items(index: Any) -> Items:
    """The index as a tuple."""
    if isinstance(index, tuple):
        return index
    if isinstance(index, list | range) and len(index) < 32 and any(map(_is_item, index)):
        warn(
            "Using a non-tuple sequence for multidimensional indexing is deprecated and will be "
            "changed in pytorch 2.9; use x[tuple(seq)] instead of x[seq].",
            UserWarning,
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
        last: the last step that makes the view differ from the tensor.
    """

    def __init__(self, shape: tuple[int, ...], items: Items) -> None:
        self.view: list[Any] = []
        self.sizes: list[int] = []
        self.last = NONE
        self._shape = shape
        self._dim = 0  # of the tensor, to be taken next
        self._arrays: list[tuple[int, Any, Any]] = []  # dimension of the view, array, version
        taken = sum(map(_takes, items))
        if taken > len(shape):
            raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
        for position, item in enumerate(items):
            if item is Ellipsis:
                self._whole(len(shape) - taken)
                continue
            if self._dim > len(shape):  # a second Ellipsis went beyond the last dimension
                raise IndexError(
                    f"Dimension out of range (expected to be in range of [{-len(shape)}, "
                    f"{len(shape) - 1}], but got {self._dim})"
                )
            if item is None:
                self._insert()
                self.last = INSERT
            elif isinstance(item, slice):
                self._slice(item, len(items) == 1)
            elif isinstance(item, int | np.integer) and not isinstance(item, bool):
                self._select(_number(item), position)
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
        _check_step(item)
        size = self._size(item, self._dim)
        start, stop, step = item.indices(size)
        if alone or (start, step) != (0, 1) or stop != size:
            self.last = SLICE
        self.view.append(slice(start, max(start, stop), step))
        self.sizes.append(len(range(start, stop, step)))
        self._dim += 1

    def _select(self, index: int, position: int) -> None:
        size = self._size(index, position)
        if not -size <= index < size:
            raise IndexError(
                f"index {index} is out of bounds for dimension {position} with size {size}"
            )
        self.view.append(index)
        self._dim += 1
        self.last = SELECT

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
            self.last = INSERT
        else:
            if array.dtype.name == "uint8":
                warn(
                    "indexing with dtype torch.uint8 is now deprecated, please use a dtype "
                    "torch.bool instead.",
                    UserWarning,
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
        for dim, array, version in self._arrays:
            mask = array.dtype.kind == "b"
            if mask:
                self._check_mask(dim, array)
            slots += [None] * (dim - covered)
            versions += [UNVERSIONED] * (dim - covered) + [version]
            slots.append(array)
            covered = dim + (array.ndim if mask else 1)
        found = Indices(slots)
        found.versions = tuple(versions)
        return found

    def _check_mask(self, dim: int, mask: Any) -> None:
        if dim + mask.ndim > len(self.sizes):
            raise IndexError(f"too many indices for tensor of dimension {len(self.sizes)}")
        for d, (n, m) in enumerate(zip(mask.shape, self.sizes[dim:], strict=False)):
            if n != m:
                raise IndexError(
                    f"The shape of the mask {list(mask.shape)} at index {d} does not match the "
                    f"shape of the indexed tensor {self.sizes} at index {dim + d}"
                )


UNVERSIONED = ([0], 0)


def _number(item: Any) -> int:
    if abs(int(item)) >> 63:
        raise ValueError("Overflow when unpacking long long")
    return int(item)


def _check_step(item: slice) -> None:
    if item.step is not None and operator.index(item.step) <= 0:
        words = "step must be greater than zero" if item.step else "slice step cannot be zero"
        raise ValueError(words)


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
        _refuse_items(item, array.dtype.kind)
    # A copy: NumPy's arrays have no version that would tell of a change.
    return array.astype(
        array.dtype if array.dtype.name in ("bool", "uint8") else "int64"
    ), UNVERSIONED


def _refuse_items(items: Any, kind: str) -> NoReturn:
    """Raises for an index of what are no numbers."""
    if kind in "US":
        raise TypeError(f"new(): invalid data type '{type(items[0]).__name__}'")
    if kind == "c":
        raise TypeError("'complex' object cannot be interpreted as an integer")
    for value in items:
        if isinstance(value, int):
            _number(value)
    raise RuntimeError(f"Could not infer dtype of {type(items[-1]).__name__}")


def _parts(shape: tuple[int, ...], index: Any) -> _Parts:
    if not shape:
        if isinstance(index, int | np.integer) and not isinstance(index, bool):
            _number(index)
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
            )
        if isinstance(index, slice):
            _check_step(index)
            raise IndexError("slice() cannot be applied to a 0-dim tensor.")
    return _Parts(shape, _items(index))


def taken(tensor: Tensor, index: Any) -> tuple[Items, int, Indices | None]:
    """The index of a view, its last step, and the arrays that then choose from the view.

    What needs no second look is recognised first; the rest, and what is wrong, goes to `_Parts`.
    """
    kind = type(index)
    if kind is Tensor:
        array = index._array
        name = array.dtype.name
        if (array.ndim and name == "int64" and tensor._array.ndim) or (
            array.ndim and name == "bool" and array.shape == tensor._array.shape[: array.ndim]
        ):
            found = Indices((array,))
            found.versions = ((index._counter, index._counter[0]),)
            return (), NONE, found
    elif kind is slice or kind is tuple or index is None or index is Ellipsis:
        items = index if kind is tuple else (index,)
        last = _plain(items, tensor._array.shape)
        if last is not None:
            return items, last, None
    parts = _parts(tensor._array.shape, index)
    return tuple(parts.view), parts.last, parts.indices()


def _plain(items: Items, shape: tuple[int, ...]) -> int | None:
    """The last step of an index of numbers, slices and None that all fit; None: look again."""
    last, dim = NONE, 0
    for position, item in enumerate(items):
        kind = type(item)
        if item is None:
            last = INSERT
            continue
        if kind is slice:
            if not _is_plain(item):
                return None
            if len(items) == 1 or item != _WHOLE:
                last = SLICE
        elif kind is int:
            if dim >= len(shape) or not -shape[dim] <= item < shape[dim]:
                return None
            last = SELECT
        elif item is Ellipsis:
            following = [i for i in items[position + 1 :] if i is not None]
            if len(shape) - len(following) < dim or any(i is Ellipsis for i in following):
                return None
            dim = len(shape) - len(following) - 1
        else:
            return None
        dim += 1
    return last if dim <= len(shape) else None


_WHOLE = slice(None)


def _is_plain(item: slice) -> bool:
    step = item.step
    return (
        (item.start is None or type(item.start) is int)
        and (item.stop is None or type(item.stop) is int)
        and (step is None or (type(step) is int and step > 0))
    )


def indices_of(input: Tensor, indices: Any) -> Indices:
    """A tuple of tensors, as `index_put` takes it.

    Raises:
        TypeError: for what is no tuple of tensors.
        IndexError: for more than the tensor has dimensions.
    """
    if isinstance(indices, Tensor) or not isinstance(indices, Sequence):
        raise TypeError(
            "index_put(): argument 'indices' (position 2) must be tuple of Tensors, not "
            f"{type(indices).__name__}"
        )
    for i, item in enumerate(indices):
        if not isinstance(item, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 1, but got {type(item).__name__}"
            )
    count = sum(map(_takes, indices))
    if count > input.ndim:
        raise IndexError(f"too many indices for tensor of dimension {input.ndim} (got {count})")
    return _Parts(input._array.shape, tuple(indices)).indices() or Indices()
