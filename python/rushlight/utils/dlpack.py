"""Memory shared with other libraries by DLPack."""

from __future__ import annotations

from typing import Any

from rushlight.ops.interchange import from_dlpack
from rushlight.tensor import Tensor

__all__ = ["from_dlpack", "to_dlpack"]


def to_dlpack(tensor: Tensor) -> Any:
    """A capsule over the tensor's memory, which can be used once."""
    return tensor.__dlpack__()
