"""Reading and writing elements by index."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight.ops._registry import composed, op
from rushlight.ops.pointwise import Number
from rushlight.ops.shape import wrap
from rushlight.tensor import Tensor


def _select_gradient(K: Any, g: Any, shape: tuple[int, ...], dim: int, index: int) -> Any:
    return K.index_place(shape, (*(slice(None),) * (dim % len(shape)), index), g)


@op(
    input=lambda K, g, input_shape, dim, index: _select_gradient(K, g, input_shape, dim, index),
    view=True,
)
def select(input: Tensor, dim: int, index: int) -> Tensor:
    """The view of one slice along `dim`."""


@op(
    input=lambda K, g, input_shape, index: K.index_place(input_shape, index, g),
    forward=lambda K, input, index: K.getitem(input, index),
    view=True,
    node="SliceBackward0",
    method=False,
)
def sliced(input: Tensor, index: Any) -> Tensor:
    """``input[index]`` for ints, slices, None and Ellipsis: a view."""


@op(
    input=lambda K, g, input_shape, index: K.index_add(input_shape, index, g),
    forward=lambda K, input, index: K.getitem(input, index),
    node="IndexBackward0",
    method=False,
)
def gathered(input: Tensor, index: Any) -> Tensor:
    """``input[index]`` with arrays among the indices: a copy."""


@op(values=lambda K, g, index: K.getitem(g, index), method=False)
def index_add(shape: tuple[int, ...], index: Any, values: Tensor) -> Tensor:
    """Zeros of `shape`, with `values` added at `index`; repeated places add up."""


@op(values=lambda K, g, index: K.getitem(g, index), method=False)
def index_place(shape: tuple[int, ...], index: Any, values: Tensor) -> Tensor:
    """Zeros of `shape`, with `values` written at `index`, which names no place twice."""


@composed(method=False)
def getitem(input: Tensor, index: Any) -> Tensor:
    """``input[index]`` with an index that was normalised already."""
    return gathered(input, index)


@op(
    input=lambda K, g, index: K.replaced(g, index, 0),
    value=lambda K, g, index, value_shape: _written_gradient(K, g, index, value_shape),
    node="IndexPutBackward0",
    inplace=True,
    method=False,
)
def replaced(input: Tensor, index: Any, value: Tensor | Number) -> Tensor:
    """A copy of `input` with ``[index] = value``."""


def _written_gradient(K: Any, g: Any, index: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of what was written; leading dimensions of size 1 that it had come back."""
    taken = K.getitem(g, index)
    added = len(shape) - taken.ndim
    return K.reshape(taken, (1,) * added + tuple(taken.shape)) if added > 0 else taken


def _normalised(input: Tensor, index: Any) -> tuple[Any, bool]:
    """The index over arrays, and whether it is basic, so that reading it gives a view."""
    basic = True
    items = []
    for item in index if isinstance(index, tuple) else (index,):
        if isinstance(item, Tensor):
            item = item._array
            if item.dtype.name not in ("int64", "int32", "uint8", "bool"):
                raise IndexError("tensors used as indices must be long, int, byte or bool tensors")
            basic &= item.ndim == 0 and item.dtype.kind != "b"
            if item.ndim == 0 and item.dtype.kind != "b":
                item = int(item)
        elif isinstance(item, list | range | np.ndarray):
            item = np.asarray(item)
            item = item.astype(np.int64) if item.size == 0 else item
            basic = False
        elif isinstance(item, slice):
            item = _checked_slice(item)
        elif isinstance(item, bool | np.bool_):
            basic = False
        elif item is not None and item is not Ellipsis and not isinstance(item, int | np.integer):
            raise (TypeError if isinstance(item, str) else IndexError)(
                "only integers, slices (`:`), ellipsis (`...`), None and long or byte Variables "
                f"are valid indices (got {type(item).__name__})"
            )
        items.append(item)
    _check_bounds(input, items)
    return tuple(items), basic


def _checked_slice(item: slice) -> slice:
    def number(value: Any) -> Any:
        return int(value) if isinstance(value, Tensor | np.integer) else value

    item = slice(number(item.start), number(item.stop), number(item.step))
    if item.step is not None and item.step <= 0:
        raise ValueError("step must be greater than zero")
    return item


def _check_bounds(input: Tensor, items: list[Any]) -> None:
    """PyTorch's words for an int that is out of range, and for too many indices."""
    shape = input._array.shape
    taken = [i for i in items if i is not None and i is not Ellipsis]
    count = sum(
        getattr(i, "ndim", 1) if getattr(i, "dtype", None) == np.bool_ else 1 for i in taken
    )
    if count > len(shape) and not any(isinstance(i, bool | np.bool_) for i in taken):
        if not shape:
            raise IndexError(
                "invalid index of a 0-dim tensor. Use `tensor.item()` in Python or "
                "`tensor.item<T>()` in C++ to convert a 0-dim tensor to a number"
            )
        raise IndexError(f"too many indices for tensor of dimension {len(shape)}")
    dim = 0
    for item in items:
        if item is Ellipsis:
            return
        if isinstance(item, int) and not isinstance(item, bool) and dim < len(shape):
            if not -shape[dim] <= item < shape[dim]:
                raise IndexError(
                    f"index {item} is out of bounds for dimension {dim} with size {shape[dim]}"
                )
        dim += item is not None


def _getitem(self: Tensor, index: Any) -> Tensor:
    """``self[index]``: a view for ints, slices, None and Ellipsis, else a copy.

    Raises:
        IndexError: out of range, too many indices, or an index of a floating type.
        ValueError: for a slice with a negative step.
    """
    if type(index) is int:
        shape = self._array.shape
        if shape and -shape[0] <= index < shape[0]:
            return select(self, 0, index)
    items, basic = _normalised(self, index)
    return sliced(self, items) if basic else gathered(self, items)


def _setitem(self: Tensor, index: Any, value: Any) -> None:
    """``self[index] = value`` in place, with broadcasting, conversion and gradients."""
    items, _ = _normalised(self, index)
    if not isinstance(value, Tensor | int | float):
        value = Tensor._wrap(np.asarray(value, self._array.dtype))
    self.replaced_(items, value)


Tensor.__getitem__ = _getitem  # type: ignore[method-assign]
Tensor.__setitem__ = _setitem  # type: ignore[method-assign]


@composed()
def take_along_dim(input: Tensor, indices: Tensor, dim: int | None = None) -> Tensor:
    """The elements whose positions along `dim` are `indices`; the other sizes broadcast."""
    if dim is None:
        return gather(input.reshape(-1), 0, indices.reshape(-1))
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    dim = wrap(dim, input.ndim)
    sizes = list(np.broadcast_shapes(_without(dim, input), _without(dim, indices)))
    own, taken = input._array.shape[dim], indices._array.shape[dim]
    source = input.expand(*sizes[:dim], own, *sizes[dim:])
    return gather(source, dim, indices.expand(*sizes[:dim], taken, *sizes[dim:]))


def _without(dim: int, tensor: Tensor) -> tuple[int, ...]:
    shape: tuple[int, ...] = tensor.shape
    return shape[:dim] + shape[dim + 1 :]


@composed()
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """``out[i][j] = input[index[i][j]][j]`` for ``dim = 0``, and likewise for other dimensions.

    Args:
        input: the source.
        dim: the dimension that `index` counts along.
        index: int64, with as many dimensions as `input`, nowhere larger apart from `dim`.
        sparse_grad: not supported.

    Raises:
        RuntimeError: for an index of another type or number of dimensions, or out of bounds.
    """
    if sparse_grad:
        raise NotImplementedError("gather(): sparse_grad=True is not supported")
    positions = index._array
    if positions.dtype.name not in ("int32", "int64"):
        raise RuntimeError("gather(): Expected dtype int32/int64 for index")
    if positions.ndim != input.ndim:
        raise RuntimeError("Index tensor must have the same number of dimensions as input tensor")
    if input.ndim == 0:
        return input.clone()
    dim %= input.ndim
    size = input._array.shape[dim]
    if positions.size and (int(positions.min()) < 0 or int(positions.max()) >= size):
        raise RuntimeError(
            f"index {int(positions.max())} is out of bounds for dimension {dim} with size {size}"
        )
    grid: list[Any] = list(np.ogrid[tuple(slice(n) for n in positions.shape)])
    grid[dim] = positions
    return gathered(input, tuple(grid))
