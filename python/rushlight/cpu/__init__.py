"""The CPU as a device, for scripts that are written for any device."""

from __future__ import annotations

import contextlib
from typing import Any

__all__ = ["current_device", "device_count", "is_available", "set_device", "stream", "synchronize"]


def is_available() -> bool:
    """True."""
    return True


def device_count() -> int:
    """1."""
    return 1


def current_device() -> str:
    """``"cpu"``."""
    return "cpu"


def set_device(device: Any) -> None:
    """Do nothing: there is one."""


def synchronize(device: Any = None) -> None:
    """Do nothing: operations are done when they return."""


def stream(stream: Any = None) -> Any:
    """A ``with`` block that changes nothing."""
    return contextlib.nullcontext()
