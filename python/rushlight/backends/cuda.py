"""Switches of products and of attention on CUDA devices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

__all__ = [
    "cudnn_sdp_enabled",
    "enable_cudnn_sdp",
    "enable_flash_sdp",
    "enable_math_sdp",
    "enable_mem_efficient_sdp",
    "flash_sdp_enabled",
    "is_built",
    "math_sdp_enabled",
    "matmul",
    "mem_efficient_sdp_enabled",
    "sdp_kernel",
]


class _Matmul:
    """What products may do; they do none of it.

    Attributes:
        allow_tf32: compute with shorter numbers.
        allow_fp16_reduced_precision_reduction: add up in float16.
        allow_bf16_reduced_precision_reduction: add up in bfloat16.
    """

    allow_tf32 = False
    allow_fp16_reduced_precision_reduction = True
    allow_bf16_reduced_precision_reduction = True


matmul = _Matmul()


def is_built() -> bool:
    """Whether CUDA devices can be used."""
    from rushlight import cuda

    return cuda.is_available()


def flash_sdp_enabled() -> bool:
    """False: there is one way to compute attention."""
    return False


mem_efficient_sdp_enabled = cudnn_sdp_enabled = flash_sdp_enabled


def math_sdp_enabled() -> bool:
    """True: it is the one way."""
    return True


def enable_flash_sdp(enabled: bool) -> None:
    """Allow another way, of which there is none."""


enable_mem_efficient_sdp = enable_cudnn_sdp = enable_flash_sdp


def enable_math_sdp(enabled: bool) -> None:
    """Ask for the one way, or against it, in vain."""


@contextlib.contextmanager
def sdp_kernel(
    enable_flash: bool = True,
    enable_math: bool = True,
    enable_mem_efficient: bool = True,
    enable_cudnn: bool = True,
) -> Iterator[None]:
    """A ``with`` block that changes nothing."""
    yield
