"""Checkpoints in the format before PyTorch 1.6: pickles one after the other, then the storages."""

from __future__ import annotations

import pickle
import struct
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

from ._archive import fill
from ._storage import MapLocation, Storage, StorageType, UntypedStorage, placed, refill

__all__ = ["load_legacy"]

_MAGIC = 0x1950A86A20F9469CFC6C
_PROTOCOL = 1001

Unpickle = Callable[[Any, Callable[[tuple[Any, ...]], Any]], Any]


def load_legacy(file: BinaryIO, map_location: MapLocation, unpickle: Unpickle) -> Any:
    """Return the object that was saved.

    Args:
        file: binary and seekable, at the beginning of the checkpoint.
        map_location: see `load`.
        unpickle: reads one pickle; takes the file and what gives the storages.

    Raises:
        EOFError: the file is empty.
        RuntimeError: the file holds something else.
        UnpicklingError: it is damaged.
    """
    bounded = _Bounded(file)
    _check_header(bounded, unpickle)
    storages: dict[Any, Storage] = {}

    def persistent_load(key: tuple[Any, ...]) -> Any:
        if len(key) != 5 or not isinstance(key[0], StorageType) or type(key[3]) is not int:
            raise pickle.UnpicklingError("a storage needs a type, a key, a location and a size")
        kind, name, location, count, view = key
        if view is not None:
            raise NotImplementedError("load: legacy checkpoints with views of storages")
        if name not in storages:
            empty = np.zeros(bounded.take(count * kind.itemsize), np.uint8)
            storages[name] = Storage(placed(empty, location, map_location), kind.dtype)
        return storages[name]

    result = unpickle(bounded, persistent_load)
    keys = unpickle(bounded, _no_storage)
    if not isinstance(keys, list) or sorted(map(str, keys)) != sorted(map(str, storages)):
        raise pickle.UnpicklingError("the list of storages is not the one of the object")
    for key in keys:
        _fill(storages[key], file)
    return result


def _check_header(file: Any, unpickle: Unpickle) -> None:
    if not file.left:
        raise EOFError("Ran out of input")
    try:
        magic = unpickle(file, _no_storage)
    except pickle.UnpicklingError as error:
        raise pickle.UnpicklingError(f"the file is no checkpoint: {error}") from error
    if magic != _MAGIC:
        raise RuntimeError("Invalid magic number; corrupt file?")
    if unpickle(file, _no_storage) != _PROTOCOL:
        raise RuntimeError("Invalid protocol version")
    system = unpickle(file, _no_storage)
    if not isinstance(system, dict) or not system.get("little_endian", True):
        raise NotImplementedError("load: legacy checkpoints of big-endian machines")


def _no_storage(_: Any) -> Any:
    raise pickle.UnpicklingError("a storage outside of the object")


def _fill(storage: Storage, file: BinaryIO) -> None:
    untyped: UntypedStorage = storage.untyped
    size = 1 if storage.dtype is None else storage.dtype.itemsize
    head = file.read(8)
    if len(head) != 8 or struct.unpack("<q", head)[0] * size != untyped.nbytes():
        raise pickle.UnpicklingError("a storage is not as long as it was said to be")

    def read(array: np.ndarray[Any, Any]) -> None:
        try:
            fill(file, array)
        except EOFError as error:
            raise pickle.UnpicklingError(str(error)) from None
        if sys.byteorder == "big" and storage.dtype is not None:
            array.view(storage.dtype.numpy).byteswap(inplace=True)

    refill(untyped, read)


class _Bounded:
    """A file that never takes more memory for a read than it has bytes."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        start = file.tell()
        self.left = file.seek(0, 2) - start
        file.seek(start)

    def take(self, size: int) -> int:
        """Account for a storage, which follows in the file.

        Raises:
            UnpicklingError: there is no room for it.
        """
        if not 0 <= size <= self.left:
            raise pickle.UnpicklingError(f"a storage of {size} bytes in a shorter file")
        self.left -= size
        return size

    def read(self, size: int = -1) -> bytes:
        return self._file.read(min(size, self.left) if size >= 0 else self.left)

    def readline(self) -> bytes:
        return self._file.readline(self.left)

    def tell(self) -> int:
        return self._file.tell()
