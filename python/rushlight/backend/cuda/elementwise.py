"""Kernels compiled at run time from the headers in include/rush."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

from rushlight.backend.cuda.runtime import cp

HEADERS = Path(__file__).parents[2] / "include" / "rush"


@functools.cache
def program(header: str) -> str:
    """The text of a header with what it includes, as a preamble for NVRTC."""
    names = ("macros.h", "math.h", header)
    lines: list[str] = []
    for name in names:
        lines += (HEADERS / name).read_text(encoding="utf-8").splitlines()
    # The host's headers are none of the device's, our own have just been put in.
    return "\n".join(x for x in lines if not x.startswith(("#include", "#pragma once"))) + "\n"


@functools.cache
def kernel(inputs: str, outputs: str, operation: str, name: str, header: str) -> Any:
    """The elementwise kernel that runs `operation` after the text of `header`; made once."""
    return cp.ElementwiseKernel(
        inputs, outputs, operation, name, preamble=program(header), no_return=False
    )
