"""The pickle of a checkpoint: names PyTorch's functions, and storages by their keys.

Two passes: the first one finds which bytes the tensors lie in, so that tensors that share memory
share a storage that holds no more than what they view.
"""

from __future__ import annotations

import functools
import io
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np

from rushlight.backend import array_device, device_kernels
from rushlight.devices import device
from rushlight.dtypes import dtype
from rushlight.nn.parameter import Parameter
from rushlight.size import Size
from rushlight.tensor import Tensor

from ._storage import UNTYPED, storage_name

__all__ = ["pickled"]


class Name:
    """A global that the pickle names; it need not exist here."""

    def __init__(self, module: str, name: str) -> None:
        self.text = f"{module}\n{name}\n".encode()

    def __call__(self) -> None:
        """Do nothing: what a reduction begins with must be callable."""


name = functools.cache(Name)  # one object each, so that the pickle holds it once
_NO_HOOKS: OrderedDict[str, Any] = OrderedDict()


class Region:
    """The part of a block of memory that tensors view, which becomes one storage.

    Attributes:
        block: an array without gaps; kept, so that no other takes its identity.
        dtype: of the tensors.
        key: of the storage.
        low: where the part begins, in bytes.
        high: where it ends.
    """

    def __init__(self, block: Any, kind: dtype) -> None:
        self.block = block
        self.dtype = kind
        self.key = ""
        self.low, self.high = 0, block.nbytes

    def bytes(self) -> np.ndarray[Any, Any]:
        """The part, on the CPU."""
        part = _in_order(self.block).reshape(-1).view(np.uint8)[self.low : self.high]
        return device_kernels(array_device(part)).to_cpu(part)  # type: ignore[no-any-return]


class _StorageOf:
    """A region in the pickle, where it is a persistent identification."""

    def __init__(self, region: Region) -> None:
        kind = storage_name(region.dtype)
        module, unit = ("torch.storage", 1) if kind == UNTYPED else ("torch", region.dtype.itemsize)
        place = str(array_device(region.block))
        size = (region.high - region.low) // unit
        self.identification = ("storage", name(module, kind), region.key, place, size)


class _Pickler(pickle._Pickler):  # the one in Python: the one in C imports what it names
    """Writes a pickle, and finds the regions.

    Args:
        file: where to write.
        known: regions that an earlier pass has found, by their blocks; None in the first pass.
    """

    dispatch = pickle._Pickler.dispatch.copy()

    def __init__(self, file: Any, known: dict[int, Region] | None = None) -> None:
        super().__init__(file, 2)
        self.first_pass = known is None
        self.regions: dict[int, Region] = known or {}
        self.storages: list[Region] = []

    def save_name(self, named: Name) -> None:
        self.write(pickle.GLOBAL + named.text)  # type: ignore[attr-defined]
        self.memoize(named)  # type: ignore[attr-defined]

    def save_dtype(self, kind: dtype) -> None:
        self.save(name("torch", kind.name))  # type: ignore[attr-defined]

    dispatch[Name] = save_name  # type: ignore[assignment]
    dispatch[dtype] = save_dtype  # type: ignore[assignment]

    def persistent_id(self, obj: Any) -> Any:
        return obj.identification if type(obj) is _StorageOf else None

    def reducer_override(self, obj: Any) -> Any:
        kind = type(obj)
        if kind is Parameter:
            parts = (obj.detach(), obj.requires_grad, _NO_HOOKS)
            if state := _attributes(obj):
                rebuild = name("torch._utils", "_rebuild_parameter_with_state")
                return rebuild, (*parts, state)
            return name("torch._utils", "_rebuild_parameter"), parts
        if kind is Tensor:
            rebuild, parts = self._tensor(obj)
            if state := _attributes(obj):
                of_type = name("torch._tensor", "_rebuild_from_type_v2")
                return of_type, (rebuild, name("torch", "Tensor"), parts, state)
            return rebuild, parts
        if kind is device:
            return name("torch", "device"), (obj.type,) if obj.index is None else (
                obj.type,
                obj.index,
            )
        if kind is Size:
            return name("torch", "Size"), (tuple(obj),)
        return NotImplemented

    def _tensor(self, tensor: Tensor) -> tuple[Name, tuple[Any, ...]]:
        array, block, start = _placed(tensor._array)
        region = self._region(tensor.dtype, array, block, start)
        size = array.itemsize
        offset, rest = divmod(start - region.low, size)
        if region.dtype is not tensor.dtype or rest:
            raise RuntimeError(
                "Cannot save multiple tensors or storages that view the same data as different "
                "types."
            )
        strides = tuple(s // size for s in array.strides)
        parts = (_StorageOf(region), offset, array.shape, strides, tensor.requires_grad, _NO_HOOKS)
        if storage_name(tensor.dtype) == UNTYPED:
            return name("torch._utils", "_rebuild_tensor_v3"), (*parts, tensor.dtype)
        return name("torch._utils", "_rebuild_tensor_v2"), parts

    def _region(self, kind: dtype, array: Any, block: Any, start: int) -> Region:
        region = self.regions.get(id(block))
        is_new = region is None
        if region is None:  # in the second pass: made while pickling, so all of it is kept
            region = self.regions[id(block)] = Region(block, kind)
        if self.first_pass:
            steps = zip(array.shape, array.strides, strict=True)
            end = start + sum((n - 1) * s for n, s in steps) + array.itemsize
            low, high = (start, end) if array.size else (0, 0)
            region.low = low if is_new else min(region.low, low)
            region.high = high if is_new else max(region.high, high)
        elif not region.key:
            region.key = str(len(self.storages))
            self.storages.append(region)
        return region


def pickled(obj: Any) -> tuple[bytes, list[Region]]:
    """Return the pickle of an object, and the storages that it refers to as 0, 1, ...

    Raises:
        RuntimeError: tensors of different dtypes view the same memory.
    """
    first = _Pickler(io.BytesIO())
    first.dump(obj)
    file = io.BytesIO()
    second = _Pickler(file, first.regions)
    second.dump(obj)
    return file.getvalue(), second.storages


def _placed(array: Any) -> tuple[Any, Any, int]:
    """Return the array or a copy, the block of memory that it views, and where it begins there."""
    if not array.size:
        return array, array, 0
    block = array
    while isinstance(block.base, np.ndarray if isinstance(array, np.ndarray) else type(array)):
        block = block.base
    if min(array.strides, default=0) < 0 or not _in_order(block).flags.c_contiguous:
        array = block = array.copy(order="C")
    return array, block, _address(array) - _address(block)


def _in_order(block: Any) -> Any:
    """Return the array with its dimensions in the order of their strides."""
    return block.transpose(sorted(range(block.ndim), key=lambda d: -block.strides[d]))


def _address(array: Any) -> int:
    return Tensor._wrap(array).data_ptr()


def _attributes(tensor: Tensor) -> dict[str, Any]:
    return {key: value for key, value in tensor.__dict__.items() if key != "_grad"}
