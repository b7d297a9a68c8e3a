"""Storages: the bytes that tensors of a checkpoint lie in, and tensors over them."""

from __future__ import annotations

import math
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight import dtypes
from rushlight.backend import array_device, device_kernels
from rushlight.devices import device
from rushlight.tensor import Tensor

__all__ = ["Storage", "StorageType", "UntypedStorage", "placed", "storage_name", "tensor_over"]

MapLocation = Any  # None, a device or its name, a dict of names, a function

# The class that PyTorch calls the storage of an element type; the younger types have none.
STORAGE_NAMES = {
    d.name: f"{dtypes.LEGACY_NAMES[d.name]}Storage"
    for d in dtypes.ALL
    if d.name not in ("uint16", "uint32", "uint64")
}

UNTYPED = "UntypedStorage"

_INT64_MAX = 2**63 - 1


class StorageType:
    """What a checkpoint names as the class of a storage: an element type, None for bytes."""

    __slots__ = ("dtype",)

    def __init__(self, dtype: dtypes.dtype | None) -> None:
        self.dtype = dtype

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return 1 if self.dtype is None else self.dtype.itemsize


class UntypedStorage:
    """The bytes of a storage, as a function given as `map_location` sees them.

    Attributes:
        bytes: a one-dimensional array of uint8, on the CPU or on a CUDA device.
    """

    __slots__ = ("bytes",)

    def __init__(self, array: Any) -> None:
        self.bytes = array

    @property
    def device(self) -> device:
        """Where the bytes are."""
        return array_device(self.bytes)

    def nbytes(self) -> int:
        """How many they are."""
        return int(self.bytes.size)

    __len__ = size = nbytes

    def cpu(self) -> UntypedStorage:
        """The bytes in the CPU's memory."""
        return UntypedStorage(device_kernels(self.device).to_cpu(self.bytes))

    def cuda(self, device: Any = None) -> UntypedStorage:
        """The bytes on a CUDA device."""
        where = "cuda" if device is None else device
        return self.to(f"cuda:{where}" if isinstance(where, int) else where)

    def to(self, device: Any) -> UntypedStorage:
        """The bytes on a device."""
        return UntypedStorage(device_kernels(device).asarray(self.cpu().bytes))


class Storage:
    """The bytes of a storage with the element type that its name told, None for bytes."""

    __slots__ = ("dtype", "untyped")

    def __init__(self, untyped: UntypedStorage, dtype: dtypes.dtype | None) -> None:
        self.untyped = untyped
        self.dtype = dtype


def storage_name(dtype: dtypes.dtype) -> str:
    """The name of PyTorch's class for storages of this type, or of that for bytes."""
    return STORAGE_NAMES.get(dtype.name, UNTYPED)


def tensor_over(
    storage: Any, offset: Any, size: Any, stride: Any, dtype: dtypes.dtype | None = None
) -> Tensor:
    """A tensor that views a storage.

    Args:
        storage: of a checkpoint.
        offset: of the first element, in elements.
        size: the shape.
        stride: in elements.
        dtype: the element type, where the storage has none.

    Raises:
        UnpicklingError: the tensor would not lie within the storage.
    """
    if not isinstance(storage, Storage):
        raise pickle.UnpicklingError(f"a tensor needs a storage, got {type(storage).__name__}")
    dtype = storage.dtype or dtype
    if not isinstance(dtype, dtypes.dtype):
        raise pickle.UnpicklingError("a tensor over bytes needs a dtype")
    size, stride = _counts("size", size), _counts("stride", stride)
    (offset,) = _counts("offset", (offset,))
    if len(size) != len(stride):
        raise pickle.UnpicklingError(f"{len(size)} sizes, but {len(stride)} strides")
    if math.prod(max(n, 1) for n in size) * dtype.itemsize > _INT64_MAX:
        raise pickle.UnpicklingError(f"a tensor of size {list(size)} cannot exist")
    last = offset + sum((n - 1) * s for n, s in zip(size, stride, strict=True))
    held = storage.untyped.nbytes() // dtype.itemsize
    if 0 in size:
        offset, stride = 0, (0,) * len(stride)
    elif last >= held:
        raise pickle.UnpicklingError(
            f"a tensor of size {list(size)}, stride {list(stride)} and offset {offset} does not "
            f"lie within its storage of {held} elements"
        )
    kernels = device_kernels(storage.untyped.device)
    try:
        array = kernels.view_of_bytes(storage.untyped.bytes, dtype.numpy, offset, size, stride)
    except ValueError as error:  # more dimensions than an array can have
        raise pickle.UnpicklingError(f"a tensor of size {list(size)}: {error}") from None
    return Tensor._wrap(array)


def _counts(name: str, values: Any) -> tuple[int, ...]:
    if not isinstance(values, tuple) or not all(type(n) is int for n in values):
        raise pickle.UnpicklingError(f"the {name} of a tensor must be ints, got {values!r:.80}")
    if any(not 0 <= n <= _INT64_MAX for n in values):
        raise pickle.UnpicklingError(f"the {name} of a tensor must not be negative or above 2^63")
    return tuple(values)


# ---- Where storages go ----


def placed(array: np.ndarray[Any, Any], location: str, map_location: MapLocation) -> UntypedStorage:
    """Move bytes to where `map_location` sends what was saved from `location`.

    Raises:
        RuntimeError: for a location that there is not here.
        TypeError: for another kind of `map_location`.
    """
    storage = UntypedStorage(array)
    if callable(map_location):
        result = map_location(storage, location)
        if result is None:
            return _restored(storage, location)
        if not isinstance(result, UntypedStorage):
            raise TypeError(
                "map_location must return the storage it was given, moved or not, or None; got "
                f"{type(result).__name__}"
            )
        return result
    if isinstance(map_location, dict):
        location = map_location.get(location, location)
    elif isinstance(map_location, (str, device)):
        location = map_location  # type: ignore[assignment]
    elif map_location is not None:
        raise TypeError(
            "map_location must be None, a device, its name, a dict or a function, got "
            f"{type(map_location).__name__}"
        )
    return _restored(storage, str(location))


def _restored(storage: UntypedStorage, location: str) -> UntypedStorage:
    if location == "cpu":
        return storage
    if not location.startswith("cuda"):
        raise RuntimeError(
            "don't know how to restore data location of torch.storage.UntypedStorage (tagged "
            f"with {location})"
        )
    from rushlight import cuda

    if not cuda.is_available():
        raise RuntimeError(
            "Attempting to deserialize object on a CUDA device but torch.cuda.is_available() is "
            "False. If you are running on a CPU-only machine, please use torch.load with "
            "map_location=torch.device('cpu') to map your storages to the CPU."
        )
    return storage.to(location)


def refill(storage: UntypedStorage, read: Callable[[Any], None]) -> None:
    """Fill a storage in place from a function that fills an array of the CPU."""
    kernels = device_kernels(storage.device)
    host = kernels.to_cpu(storage.bytes)
    read(host)
    if host is not storage.bytes:
        storage.bytes[...] = kernels.asarray(host)
