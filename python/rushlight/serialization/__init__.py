"""Checkpoints in PyTorch's own format, without PyTorch: what either saves the other one loads.

A checkpoint is a zip archive of a pickle, which names tensors, and of one record for each storage.
The pickle of an untrusted file can run any program when it is read as Python reads it; `load` does
so only where ``weights_only=False`` asks for it.
"""

from __future__ import annotations

import os
import pickle
import secrets
import shutil
from collections.abc import Callable
from contextlib import contextmanager
from typing import Any, BinaryIO

from ._archive import Reader, is_zip, write_archive
from ._globals import add_safe_globals, clear_safe_globals, get_safe_globals, safe_globals
from ._legacy import load_legacy
from ._machine import Machine
from ._module_pickle import ModuleUnpickler
from ._pickler import pickled
from ._safetensors import load_safetensors, save_safetensors
from ._storage import MapLocation, Storage, StorageType, placed

__all__ = [
    "add_safe_globals",
    "clear_safe_globals",
    "get_safe_globals",
    "load",
    "load_safetensors",
    "safe_globals",
    "save",
    "save_safetensors",
]

DEFAULT_PROTOCOL = 2
FileLike = Any  # str, os.PathLike, or a binary file object


# ---- Saving ----


def save(
    obj: Any,
    f: FileLike,
    pickle_module: Any = pickle,
    pickle_protocol: int = DEFAULT_PROTOCOL,
    _use_new_zipfile_serialization: bool = True,
    _disable_byteorder_record: bool = False,
) -> None:
    """Save an object with its tensors to a file that `load` and PyTorch's load read.

    A file given by its path is written beside it first and then renamed, so that it is there
    wholly, or as it was before, whenever the process ends. Tensors that share memory do so again
    after loading; of a block of memory that is kept which the saved tensors view.

    Args:
        obj: tensors in dicts, lists and tuples, such as a ``state_dict()``; other objects, as whole
            modules, are pickled by the names of their classes, and need ``weights_only=False`` to
            be loaded.
        f: path, or a binary file object to write to.
        pickle_module: only `pickle`.
        pickle_protocol: only 2, which is what is loaded everywhere.
        _use_new_zipfile_serialization: only True.
        _disable_byteorder_record: only False.

    Raises:
        NotImplementedError: for another value of the last four.
        RuntimeError: there is no such folder; tensors of different dtypes view the same memory.
    """
    options = {
        "pickle_module": (pickle_module, pickle),
        "pickle_protocol": (pickle_protocol, DEFAULT_PROTOCOL),
        "_use_new_zipfile_serialization": (_use_new_zipfile_serialization, True),
        "_disable_byteorder_record": (_disable_byteorder_record, False),
    }
    for name, (value, only) in options.items():
        if value != only:
            raise NotImplementedError(f"save: {name}={value!r} is not supported")
    data, regions = pickled(obj)
    storages = {region.key: region.bytes for region in regions}
    if isinstance(f, (str, os.PathLike)):
        with _replacing(os.fspath(f)) as file:
            write_archive(file, data, storages)
    elif hasattr(f, "write"):
        write_archive(f, data, storages)
    else:
        raise AttributeError(f"expected 'f' to be string, path, or a file-like object, got {f!r}")


@contextmanager
def _replacing(path: str) -> Any:
    """Open a file beside `path` for writing, and put it in its place when all is written."""
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if not os.path.isdir(folder):
        raise RuntimeError(f"Parent directory {os.path.dirname(path)} does not exist.")
    if os.path.exists(target) and not os.path.isfile(target):  # a pipe or a device
        with open(target, "wb") as file:
            yield file
        return
    temporary = os.path.join(folder, f".{os.path.basename(target)}.{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, temporary)
        os.replace(temporary, target)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Make a renaming last; not every system can."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# ---- Loading ----


def load(
    f: FileLike,
    map_location: MapLocation = None,
    pickle_module: Any = None,
    *,
    weights_only: bool | None = None,
    mmap: bool | None = None,
    **pickle_load_args: Any,
) -> Any:
    """Load what `save` or PyTorch's save has written.

    Args:
        f: path, or a binary file object that can seek.
        map_location: where tensors go: None to where they were saved, a device or its name, a dict
            from names to names, or a function of the storage and the name of its device, which
            returns the storage, moved or not, or None.
        pickle_module: only `pickle`.
        weights_only: True, the default, makes tensors, plain containers, numbers and strings, and
            what `add_safe_globals` was given; the file runs no code. False unpickles any object,
            for which the file **can run any program**; names of PyTorch's classes stand for those
            of this package.
        mmap: leave the tensors in the file until they are used; needs a path. What is written to
            them does not change the file.
        pickle_load_args: only ``encoding="utf-8"``.

    Raises:
        UnpicklingError: the pickle is damaged, or names what is not allowed.
        RuntimeError: the archive is damaged; a device is not there.
        NotImplementedError: for an argument that is not supported.
    """
    if pickle_module not in (None, pickle):
        raise NotImplementedError(f"load: pickle_module={pickle_module!r} is not supported")
    for name, value in pickle_load_args.items():
        if (name, value) != ("encoding", "utf-8"):
            raise NotImplementedError(f"load: {name}={value!r} is not supported")
    restricted = weights_only is None or bool(weights_only)
    if isinstance(f, (str, os.PathLike)):
        with open(f, "rb") as file:
            path = os.fspath(f) if mmap else None
            return _load(file, path, map_location, restricted)
    if mmap:
        raise ValueError("f must be a file path in order to use the mmap argument")
    _check_readable(f)
    return _load(f, None, map_location, restricted)


def _check_readable(f: Any) -> None:
    for needed in ("read", "seek", "tell"):
        if not hasattr(f, needed):
            raise AttributeError(
                f"'{type(f).__name__}' object has no attribute '{needed}'. You can only torch.load "
                "from a file that is seekable. Please pre-load the data into a buffer like "
                "io.BytesIO and try to load from it instead."
            )


def _load(file: BinaryIO, path: str | None, map_location: MapLocation, restricted: bool) -> Any:
    unpickle = _restricted if restricted else _unrestricted
    try:
        if is_zip(file):
            return _load_archive(Reader(file, path), map_location, unpickle)
        if path is not None:
            raise RuntimeError(
                "mmap can only be used with files saved with "
                "`torch.save(_use_new_zipfile_serialization=True)`"
            )
        return load_legacy(file, map_location, unpickle)
    except pickle.UnpicklingError as error:
        if not restricted:
            raise
        raise pickle.UnpicklingError(
            "Weights only load failed. Loading with `weights_only=False` may succeed, but it can "
            "run any program that the file contains: do it only if you trust its source.\n"
            f"WeightsUnpickler error: {error}"
        ) from error


def _restricted(file: Any, persistent_load: Callable[[tuple[Any, ...]], Any]) -> Any:
    return Machine(persistent_load).load(file)


def _unrestricted(file: Any, persistent_load: Callable[[tuple[Any, ...]], Any]) -> Any:
    return ModuleUnpickler(file, persistent_load).load()


def _load_archive(reader: Reader, map_location: MapLocation, unpickle: Any) -> Any:
    storages: dict[str, Storage] = {}

    def persistent_load(key: tuple[Any, ...]) -> Storage:
        if len(key) != 4 or not isinstance(key[0], StorageType):
            raise pickle.UnpicklingError("a storage needs a type, a key, a location and a size")
        kind, name, location, count = key
        if not isinstance(name, str) or not isinstance(location, str) or type(count) is not int:
            raise pickle.UnpicklingError(
                "a storage's key and location are strings, its size an int"
            )
        held = storages.get(name)
        if held is None:
            array = reader.read(f"data/{name}", count * kind.itemsize)
            if reader.swapped and kind.dtype is not None:
                array.view(kind.dtype.numpy).byteswap(inplace=True)
            storages[name] = held = Storage(placed(array, location, map_location), kind.dtype)
        elif held.dtype is not kind.dtype:
            raise pickle.UnpicklingError(f"storage {name:.80} has two types")
        return held

    return unpickle(reader.open("data.pkl"), persistent_load)
