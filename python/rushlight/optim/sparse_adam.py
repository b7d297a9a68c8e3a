"""SparseAdam, which there is no use for without sparse gradients."""

from __future__ import annotations

from typing import Any

from .optimizer import Optimizer

__all__ = ["SparseAdam"]


class SparseAdam(Optimizer):
    """Not supported: there are no sparse tensors.

    Raises:
        NotImplementedError: always; `Adam` takes dense gradients.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("SparseAdam: sparse gradients are not supported; use Adam")
