"""Process groups, of which there are none: scripts that ask learn so."""

from __future__ import annotations

from typing import Any, NoReturn

__all__ = [
    "init_process_group",
    "is_available",
    "is_gloo_available",
    "is_initialized",
    "is_mpi_available",
    "is_nccl_available",
    "is_torchelastic_launched",
]


def is_available() -> bool:
    """False."""
    return False


is_gloo_available = is_mpi_available = is_nccl_available = is_available
is_initialized = is_torchelastic_launched = is_available


def init_process_group(*args: Any, **kwargs: Any) -> NoReturn:
    """Not supported.

    Raises:
        NotImplementedError: always.
    """
    raise NotImplementedError("torch.distributed: process groups are not supported")


def __getattr__(name: str) -> NoReturn:
    raise AttributeError(f"rushlight has no torch.distributed.{name}")
