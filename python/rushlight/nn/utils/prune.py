"""Pruning is not supported; each of PyTorch's functions says so by its name."""

from __future__ import annotations

from typing import Any, NoReturn


def __getattr__(name: str) -> NoReturn:
    if name.startswith("__"):
        raise AttributeError(name)
    raise NotImplementedError(f"nn.utils.prune.{name} is not supported")


__all__: list[Any] = []
