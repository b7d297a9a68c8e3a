"""Switches of PyTorch that scripts set: kept and given back; nothing here depends on them.

All products are computed in full float32, and the kernels of the CPU give the same result each time
for the same number of threads. On a CUDA device, additions into places that repeat do not.
"""

from __future__ import annotations

from typing import Any

__all__ = [
    "are_deterministic_algorithms_enabled",
    "get_deterministic_debug_mode",
    "get_float32_matmul_precision",
    "get_num_interop_threads",
    "is_deterministic_algorithms_warn_only_enabled",
    "set_deterministic_debug_mode",
    "set_float32_matmul_precision",
    "set_num_interop_threads",
    "use_deterministic_algorithms",
]

_PRECISIONS = ("highest", "high", "medium")
_MODES = ("default", "warn", "error")

_precision = "highest"
_mode = 0
_interop_threads = 1


def set_float32_matmul_precision(precision: str) -> None:
    """Allow products of float32 to be less precise; they are not.

    Raises:
        RuntimeError: for another word than ``"highest"``, ``"high"`` and ``"medium"``.
    """
    global _precision
    if precision not in _PRECISIONS:
        raise RuntimeError(f"float32 matmul precision must be one of {_PRECISIONS}: {precision!r}")
    _precision = precision


def get_float32_matmul_precision() -> str:
    """Return what `set_float32_matmul_precision` was given, ``"highest"`` at first."""
    return _precision


def use_deterministic_algorithms(mode: bool, *, warn_only: bool = False) -> None:
    """Ask for results that do not depend on chance; see above which ones do."""
    set_deterministic_debug_mode(0 if not mode else 1 if warn_only else 2)


def are_deterministic_algorithms_enabled() -> bool:
    """Whether they were asked for."""
    return _mode > 0


def is_deterministic_algorithms_warn_only_enabled() -> bool:
    """Whether they were asked for with ``warn_only=True``."""
    return _mode == 1


def set_deterministic_debug_mode(debug_mode: int | str) -> None:
    """Do what `use_deterministic_algorithms` does: 0, 1 or 2, or a word for each.

    Raises:
        RuntimeError: for another number or word than ``"default"``, ``"warn"`` and ``"error"``.
    """
    global _mode
    mode: Any = debug_mode
    if isinstance(debug_mode, str):
        mode = _MODES.index(debug_mode) if debug_mode in _MODES else -1
    if mode not in (0, 1, 2):
        raise RuntimeError(
            f"invalid value of debug_mode, expected 0, 1, or 2, but got {debug_mode}"
        )
    _mode = mode


def get_deterministic_debug_mode() -> int:
    """Return the number that `set_deterministic_debug_mode` takes."""
    return _mode


def set_num_interop_threads(num: int) -> None:
    """Set how many operations may run side by side; they run one by one.

    Raises:
        RuntimeError: it is not positive.
    """
    global _interop_threads
    if num <= 0:
        raise RuntimeError("Expected n > 0")
    _interop_threads = num


def get_num_interop_threads() -> int:
    """Return what `set_num_interop_threads` was given."""
    return _interop_threads
