"""Memory shared with other libraries by DLPack."""

from __future__ import annotations

from rushlight.ops.interchange import from_dlpack, to_dlpack

__all__ = ["from_dlpack", "to_dlpack"]
