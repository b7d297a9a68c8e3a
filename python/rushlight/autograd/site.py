"""Where in the user's program an operation was called.

A node keeps what `here()` gives: a code object and an instruction, which costs a tenth of a
microsecond and holds no frame. Only an error turns it into a line.
"""

from __future__ import annotations

import linecache
import os
import sys
import warnings
from types import CodeType, FrameType

from rushlight._kernels import set_library
from rushlight._kernels import site as here

__all__ = ["Site", "here", "in_library", "line_number", "text", "warn"]

Site = tuple[CodeType, int]

LIBRARY = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
set_library(LIBRARY)


def in_library(code: CodeType) -> bool:
    """Whether code is this package's, also generated code; as `here()` tells it."""
    return code.co_filename.startswith((LIBRARY, "<rushlight "))


def line_number(site: Site) -> int:
    """The line that the instruction belongs to."""
    code, instruction = site
    for start, end, line in code.co_lines():
        if start <= instruction < end and line is not None:
            return line
    return code.co_firstlineno


def text(site: Site | None) -> str:
    """``File "train.py", line 12, in step: loss = f(x)``; empty where nothing is known."""
    if site is None:
        return ""
    code, line = site[0], line_number(site)
    source = linecache.getline(code.co_filename, line).strip()
    place = f'File "{code.co_filename}", line {line}, in {code.co_name}'
    return f"{place}: {source}" if source else place


def warn(message: str, category: type[Warning] = UserWarning) -> None:
    """Warns at the user's line, through however many functions of the library."""
    frame: FrameType | None = sys._getframe(1)
    level = 2
    while frame is not None and in_library(frame.f_code):
        frame = frame.f_back
        level += 1
    warnings.warn(message, category, stacklevel=level)
