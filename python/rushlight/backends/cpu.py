"""The instructions that the kernels were chosen for."""

from rushlight import _kernels

__all__ = ["get_cpu_capability"]

_NAMES = {"AVX-512": "AVX512", "AVX2": "AVX2", "NEON": "NEON"}


def get_cpu_capability() -> str:
    """``"AVX512"``, ``"AVX2"``, ``"NEON"`` or ``"DEFAULT"``."""
    chosen = _kernels.isa()
    return next((name for part, name in _NAMES.items() if part in chosen), "DEFAULT")
