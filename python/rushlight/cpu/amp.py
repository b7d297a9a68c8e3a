"""`rushlight.amp` for the CPU, by its older names."""

from __future__ import annotations

from typing import Any

from rushlight import amp, dtypes

__all__ = ["GradScaler", "autocast"]


class autocast(amp.autocast):  # noqa: N801 - PyTorch's name
    """``amp.autocast("cpu")``.

    Args:
        enabled: see there.
        dtype: see there; ``bfloat16`` when None.
        cache_enabled: see there.
    """

    def __init__(
        self, enabled: bool = True, dtype: dtypes.dtype | None = None, cache_enabled: bool = True
    ) -> None:
        super().__init__("cpu", dtype, enabled, cache_enabled)


class GradScaler(amp.GradScaler):
    """``amp.GradScaler("cpu")``."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu", *args, **kwargs)
