"""The device that computes faster than the CPU: a CUDA device, or none."""

from __future__ import annotations

from typing import Any

from rushlight.devices import device as _Device  # noqa: N812 - as in rushlight.cuda

__all__ = [
    "current_accelerator",
    "current_device_index",
    "device_count",
    "is_available",
    "set_device_index",
    "synchronize",
]


def _cuda() -> Any:
    from rushlight import cuda  # asked for late: it needs the driver

    return cuda


def is_available() -> bool:
    """Whether there is a CUDA device."""
    return bool(_cuda().is_available())


def device_count() -> int:
    """How many CUDA devices there are."""
    return int(_cuda().device_count())


def current_accelerator(check_available: bool = False) -> _Device | None:
    """``device("cuda")``, or None where there is none."""
    return _Device("cuda") if is_available() else None


def current_device_index() -> int:
    """The ordinal of the current device."""
    return int(_cuda().current_device())


current_device_idx = current_device_index


def set_device_index(device: Any) -> None:
    """Make a device the current one."""
    _cuda().set_device(device)


set_device_idx = set_device_index


def synchronize(device: Any = None) -> None:
    """Wait until a device has done all work it was given."""
    _cuda().synchronize(device)
