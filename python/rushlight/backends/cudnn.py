"""Switches of cuDNN, which is not used."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

__all__ = [
    "allow_tf32",
    "benchmark",
    "deterministic",
    "enabled",
    "flags",
    "is_available",
    "version",
]

enabled = True
benchmark = False
benchmark_limit = 10
deterministic = False
allow_tf32 = True


def is_available() -> bool:
    """False."""
    return False


def version() -> None:
    """None."""


@contextlib.contextmanager
def flags(**values: Any) -> Iterator[None]:
    """Set switches by name inside of a ``with`` block."""
    names = globals()
    unknown = [name for name in values if type(names.get(name)) not in (bool, int)]
    if unknown:
        raise TypeError(f"cudnn.flags() got an unexpected keyword argument {unknown[0]!r}")
    before = {name: names[name] for name in values}
    names.update(values)
    try:
        yield
    finally:
        names.update(before)
