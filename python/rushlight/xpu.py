"""Intel's GPUs, which are not supported: there is none."""

from __future__ import annotations

__all__ = ["device_count", "is_available"]


def is_available() -> bool:
    """False."""
    return False


def device_count() -> int:
    """0."""
    return 0


def __getattr__(name: str) -> None:
    raise AttributeError(f"rushlight has no torch.xpu.{name}")
