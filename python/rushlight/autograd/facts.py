"""What an error tells besides its message: the operation, its tensors, and the user's line.

NOTE [Facts] Messages are PyTorch's, since programs match on them; the facts are a note of the
exception. They are gathered when an error is on its way out, never before. Generated operations
and the engine do that themselves; `ops._boundary` does it for functions with a body of their own,
and `Module.__call__` for layers. What raises outside of these calls `explained`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TypeVar

from rushlight import errors
from rushlight.autograd.site import here, in_library
from rushlight.autograd.site import text as place

__all__ = ["explain", "explained", "facts", "facts_of_call"]

E = TypeVar("E", bound=BaseException)

LONGEST = 60  # characters of an argument that is no tensor
MOST = 4  # entries of a list of tensors


def facts(op: str, names: Sequence[str], values: Sequence[Any]) -> str:
    """``mul: input float32 [2, 3], other float32 [4], at File "train.py", line 3``."""
    words = [_shown(n, x) for n, x in zip(names, values, strict=True) if x is not None]
    if where := place(here()):
        words.append(f"at {where}")
    return f"{op}: {', '.join(words)}"


def _shown(name: str, value: Any) -> str:
    return f"{name} {_tensor(value)}" if hasattr(value, "shape") else f"{name}={_other(value)}"


def _tensor(value: Any) -> str:
    dtype = str(value.dtype).removeprefix("torch.")
    return f"{dtype} {list(value.shape)}"


def _other(value: Any) -> str:
    if isinstance(value, list | tuple) and any(hasattr(x, "shape") for x in value):
        shown = [_tensor(x) if hasattr(x, "shape") else repr(x) for x in value[:MOST]]
        return f"({', '.join(shown + ['...'] * (len(value) > MOST))})"
    words = repr(value)
    return words if len(words) <= LONGEST else words[:LONGEST] + "..."


def facts_of_call() -> str:
    """The same of the generated operation that called the caller; its arrays are ``a_<name>``."""
    frame = sys._getframe(2)
    code, values = frame.f_code, frame.f_locals
    given = {n[2:]: values[n] for n in code.co_varnames if n.startswith("a_") and n in values}
    return facts(code.co_name, tuple(given), tuple(given.values()))


def explained(error: E, op: str, tensor: Any, name: str = "self") -> E:
    """The error with the facts of one tensor: its shape, where it was made, the user's line."""
    errors.noted(error, facts(op, (name,), (tensor,)))
    edge = tensor._edge
    if edge is not None and edge[0].site is not None:
        errors.noted(error, f"{name} is the output of {edge[0].describe()}")
    return error


def explain(error: Exception, op: str, names: Sequence[str], values: Sequence[Any]) -> None:
    """Notes what was called, if the library raised the error and nothing was noted yet."""
    if not hasattr(error, "__notes__") and _raised_inside(error.__traceback__):
        errors.noted(error, facts(op, names, values))


def _raised_inside(traceback: TracebackType | None) -> bool:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and in_library(traceback.tb_frame.f_code)
