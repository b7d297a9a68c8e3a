"""CuPy, loaded at its first use, and its memory.

Everything else reaches CuPy through `cp` of this module.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import sys
from collections.abc import Callable
from typing import Any

from rushlight.errors import OutOfMemoryError

# The kernels; the rest is the backend's own and asked for by module.
__all__ = ["empty_cache", "memory_stats", "reset_peak_memory"]

_DRIVER = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"

_INSTALL = (
    "for a driver of CUDA 12 run pip install 'rushlight[cuda12]', of CUDA 13 'rushlight[cuda13]'"
)

# The most bytes in use at once, by device.
_peaks: dict[int, int] = {}


class _CuPy:
    """Stands for the module cupy; the first name asked for loads it."""

    def __getattr__(self, name: str) -> Any:
        value = getattr(_load(), name)
        self.__dict__[name] = value
        return value


cp: Any = _CuPy()


@functools.cache
def _load() -> Any:
    """The module cupy, once a device is found to use it with.

    Raises:
        RuntimeError: without CuPy, a driver, or a device.
    """
    try:
        import cupy
    except ImportError as error:
        raise RuntimeError(
            "Torch not compiled with CUDA enabled: device 'cuda' needs CuPy, which cannot be "
            f"imported ({error}); {_INSTALL}"
        ) from error
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        raise _no_device(str(error)) from error
    if count == 0:
        raise _no_device("cudaErrorNoDevice")
    cupy.cuda.set_allocator(_reporting(cupy, cupy.cuda.get_allocator()))
    return cupy


def _no_device(problem: str) -> RuntimeError:
    words = (
        "No CUDA GPUs are available"
        if "NoDevice" in problem
        else "Found no NVIDIA driver on your system. Please check that you have an NVIDIA GPU and "
        "installed a driver that fits CuPy's CUDA"
    )
    return RuntimeError(f"{words} ({problem}); {_INSTALL}")


def device_count() -> int:
    """The number of CUDA devices; 0 without CuPy or a driver, which costs next to nothing."""
    if "cupy" not in sys.modules:
        if importlib.util.find_spec("cupy") is None:
            return 0
        try:
            ctypes.CDLL(_DRIVER)
        except OSError:
            return 0
    with contextlib.suppress(RuntimeError):
        return int(_load().cuda.runtime.getDeviceCount())
    return 0


def _reporting(cupy: Any, allocate: Callable[[int], Any]) -> Callable[[int], Any]:
    """An allocator that notes the peak and fails in PyTorch's words.

    Set for all of CuPy, so that copies which CuPy makes by itself are covered too.
    """
    pool = cupy.get_default_memory_pool()
    current_device = cupy.cuda.runtime.getDevice
    exhausted = cupy.cuda.memory.OutOfMemoryError

    def reporting(size: int) -> Any:
        try:
            memory = allocate(size)
        except exhausted:
            raise _out_of_memory(cupy, size) from None
        device, used = current_device(), pool.used_bytes()
        if used > _peaks.get(device, 0):
            _peaks[device] = used
        return memory

    return reporting


def _out_of_memory(cupy: Any, size: int) -> OutOfMemoryError:
    pool = cupy.get_default_memory_pool()
    free, total = cupy.cuda.runtime.memGetInfo()
    used = pool.used_bytes()
    return OutOfMemoryError(
        f"CUDA out of memory. Tried to allocate {_readable(size)}. "
        f"GPU {cupy.cuda.runtime.getDevice()} has a total capacity of {_readable(total)} of which "
        f"{_readable(free)} is free. Of the allocated memory {_readable(used)} is allocated by "
        f"rushlight, and {_readable(pool.total_bytes() - used)} is reserved by rushlight but "
        "unallocated."
    )


def _readable(size: int) -> str:
    """A count of bytes with PyTorch's units and digits."""
    for unit, digits in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << digits:
            return f"{size / (1 << digits):.2f} {unit}"
    return f"{size} bytes"


def memory_stats() -> dict[str, int]:
    """Bytes of the current device: in live arrays, held by the pool, highest, the pool's limit."""
    pool = cp.get_default_memory_pool()
    used = pool.used_bytes()
    return {
        "allocated": used,
        "reserved": pool.total_bytes(),
        "peak": max(used, _peaks.get(cp.cuda.runtime.getDevice(), 0)),
        "limit": pool.get_limit(),
    }


def reset_peak_memory() -> None:
    """Starts a new peak on the current device."""
    _peaks.pop(cp.cuda.runtime.getDevice(), None)


def empty_cache() -> None:
    """Gives the pool's free blocks back to the driver."""
    cp.get_default_memory_pool().free_all_blocks()
