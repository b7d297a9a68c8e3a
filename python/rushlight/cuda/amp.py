"""`rushlight.amp` for CUDA devices, by its older names."""

from __future__ import annotations

from typing import Any

from rushlight import amp, dtypes
from rushlight.amp.autocast_mode import custom_bwd, custom_fwd

__all__ = ["GradScaler", "autocast", "custom_bwd", "custom_fwd"]


class autocast(amp.autocast):  # noqa: N801 - PyTorch's name
    """``amp.autocast("cuda")``.

    Args:
        enabled: see there.
        dtype: see there; ``float16`` when None.
        cache_enabled: see there.
    """

    def __init__(
        self, enabled: bool = True, dtype: dtypes.dtype | None = None, cache_enabled: bool = True
    ) -> None:
        super().__init__("cuda", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """``amp.GradScaler("cuda")``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("cuda", *args, **kwargs)
