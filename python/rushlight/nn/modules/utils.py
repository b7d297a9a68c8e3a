"""Sizes given as one number or as one for each dimension, and names of types in messages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import repeat
from typing import Any

from rushlight.tensor import Tensor


def _ntuple(n: int, name: str) -> Callable[[Any], tuple[Any, ...]]:
    def expand(value: Any) -> tuple[Any, ...]:
        return tuple(value) if isinstance(value, Iterable) else tuple(repeat(value, n))

    expand.__name__ = name
    return expand


_single = _ntuple(1, "_single")
_pair = _ntuple(2, "_pair")
_triple = _ntuple(3, "_triple")
_quadruple = _ntuple(4, "_quadruple")


def type_name(value: Any) -> str:
    """Return PyTorch's name of a value's type: ``torch.FloatTensor``, ``int``, ``module.Class``."""
    if type(value) is Tensor:
        return str(value.type())
    cls = type(value)
    return (
        cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"
    )
