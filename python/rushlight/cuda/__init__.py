"""CUDA devices: which there are, how much of their memory is used, and when they are done.

Importing this module, and asking whether a device is there, costs nothing on a machine without one.
Tensors on a device draw their random numbers from the CPU's generator, so that a seed gives the
same numbers on both; there is no generator of a device's own.
"""

from __future__ import annotations

from typing import Any

from rushlight import random as _random
from rushlight.backend.cuda import runtime as _runtime
from rushlight.devices import device as _Device  # noqa: N812 - there is a `device` here too
from rushlight.errors import OutOfMemoryError

__all__ = [
    "OutOfMemoryError",
    "current_device",
    "device",
    "device_count",
    "empty_cache",
    "get_device_capability",
    "get_device_name",
    "get_device_properties",
    "is_available",
    "is_bf16_supported",
    "is_initialized",
    "manual_seed",
    "manual_seed_all",
    "max_memory_allocated",
    "mem_get_info",
    "memory_allocated",
    "memory_reserved",
    "reset_peak_memory_stats",
    "set_device",
    "synchronize",
]

# Any of them stands for a device; None for the current one.
DeviceLike = _Device | str | int | None


def __getattr__(name: str) -> Any:
    raise AttributeError(f"rushlight has no torch.cuda.{name}")


def is_available() -> bool:
    """Whether there is CuPy, a driver and at least one device."""
    return _runtime.device_count() > 0


def is_initialized() -> bool:
    """Whether CUDA can be used; nothing has to be called for it."""
    return is_available()


def device_count() -> int:
    """The number of devices, 0 where CUDA cannot be used."""
    return _runtime.device_count()


def _index(device: DeviceLike) -> int:
    """The ordinal of a device.

    Raises:
        ValueError: for a device that is not a CUDA device.
    """
    if device is None:
        return current_device()
    target = _Device(device)
    if target.type != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {target}")
    return current_device() if target.index is None else target.index


class device:  # noqa: N801 - PyTorch's name
    """Makes a device the current one inside of a ``with`` block.

    Args:
        device: the device, or None for no change.
    """

    def __init__(self, device: DeviceLike) -> None:
        self.idx = -1 if device is None else _index(device)
        self.prev_idx = -1

    def __enter__(self) -> None:
        self.prev_idx = current_device()
        if self.idx >= 0:
            set_device(self.idx)

    def __exit__(self, *exception: Any) -> None:
        set_device(self.prev_idx)


_made_current = device  # the class, where an argument has its name


def current_device() -> int:
    """The ordinal of the device that new tensors of ``device="cuda"`` are on.

    Raises:
        RuntimeError: where CUDA cannot be used, with what is missing.
    """
    return int(_runtime.cp.cuda.runtime.getDevice())


def set_device(device: DeviceLike) -> None:
    """Makes a device the current one of this thread."""
    _runtime.cp.cuda.Device(_index(device)).use()


def synchronize(device: DeviceLike = None) -> None:
    """Waits until a device has done all work it was given."""
    _runtime.cp.cuda.Device(_index(device)).synchronize()


# ---- What a device is ----


class _Properties:
    """What the driver tells of a device.

    Attributes:
        name: the model.
        major: of the compute capability.
        minor: of the compute capability.
        total_memory: bytes.
        multi_processor_count: how many multiprocessors it has.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self.name: str = facts["name"].decode()
        self.major: int = facts["major"]
        self.minor: int = facts["minor"]
        self.total_memory: int = facts["totalGlobalMem"]
        self.multi_processor_count: int = facts["multiProcessorCount"]

    def __repr__(self) -> str:
        return (
            f"_CudaDeviceProperties(name='{self.name}', major={self.major}, minor={self.minor}, "
            f"total_memory={self.total_memory // (1 << 20)}MB, "
            f"multi_processor_count={self.multi_processor_count})"
        )


def get_device_properties(device: DeviceLike = None) -> _Properties:
    """The name, compute capability, memory and multiprocessors of a device."""
    return _Properties(_runtime.cp.cuda.runtime.getDeviceProperties(_index(device)))


def get_device_name(device: DeviceLike = None) -> str:
    """The name of a device's model."""
    return get_device_properties(device).name


def get_device_capability(device: DeviceLike = None) -> tuple[int, int]:
    """The compute capability of a device, such as ``(9, 0)``."""
    properties = get_device_properties(device)
    return properties.major, properties.minor


def is_bf16_supported(including_emulation: bool = True) -> bool:
    """Whether a device computes in bfloat16, by itself or by way of float32."""
    if not is_available():
        return False
    return including_emulation or get_device_capability() >= (8, 0)


# ---- Memory ----


def _memory(which: str, device: DeviceLike) -> int:
    if not is_available():
        return 0
    with _made_current(device):
        return _runtime.memory_stats()[which]


def memory_allocated(device: DeviceLike = None) -> int:
    """Bytes of a device in live tensors; 0 where CUDA cannot be used."""
    return _memory("allocated", device)


def max_memory_allocated(device: DeviceLike = None) -> int:
    """The most bytes of a device that were in live tensors at once."""
    return _memory("peak", device)


def memory_reserved(device: DeviceLike = None) -> int:
    """Bytes of a device that the pool holds, in live tensors or ready for new ones."""
    return _memory("reserved", device)


def reset_peak_memory_stats(device: DeviceLike = None) -> None:
    """Makes `max_memory_allocated` start anew from what is allocated now."""
    with _made_current(device):
        _runtime.reset_peak_memory()


def empty_cache() -> None:
    """Gives the memory back that the pool holds for new tensors."""
    if is_available():
        _runtime.empty_cache()


def mem_get_info(device: DeviceLike = None) -> tuple[int, int]:
    """Bytes of a device that are free, for all processes, and that it has."""
    with _made_current(device):
        free, total = _runtime.cp.cuda.runtime.memGetInfo()
    return int(free), int(total)


# ---- Random numbers ----


def manual_seed(seed: int) -> None:
    """Starts the stream of `seed` in the default generator, which the CPU draws from as well.

    Of no effect where CUDA cannot be used, so that a script which seeds both stays the same.
    """
    if is_available():
        _random.manual_seed(seed)


manual_seed_all = manual_seed
