"""All operations, by family; the namespace that derivative rows see under ``create_graph=True``."""

from __future__ import annotations

from typing import Any

from rushlight.ops import (  # noqa: F401 - imported for what they declare
    creation,
    index,
    joining,
    linalg,
    loss,
    nn,
    pointwise,
    random,
    reduction,
    shape,
)
from rushlight.ops._registry import find, names

__all__ = ["names"]


def __getattr__(name: str) -> Any:
    function = find(name)
    if function is None:
        raise AttributeError(f"module 'rushlight.ops' has no operation {name!r}")
    globals()[name] = function
    return function
