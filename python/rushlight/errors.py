"""Messages of errors: built only when one is raised.

NOTE [Facts] Messages are PyTorch's, since programs match on them. What an error tells besides, the
operation, its tensors and the user's line, is a note of the exception, which its traceback shows.
It is gathered when an error is on its way out: generated operations and the engine do that, for
functions with a body of their own `ops._boundary` does, for layers `Module.__call__`. What raises
outside of these calls `explained`.
"""

from __future__ import annotations

import reprlib
import sys
from collections.abc import Sequence
from types import TracebackType
from typing import Any, TypeVar

from rushlight import _kernels
from rushlight.autograd.site import here, in_library
from rushlight.autograd.site import text as place

E = TypeVar("E", bound=BaseException)

__all__ = ["LinAlgError", "OutOfMemoryError"]


class OutOfMemoryError(RuntimeError):
    """Memory that was asked for cannot be had; the process goes on."""

    __module__ = "rushlight"


class LinAlgError(RuntimeError):
    """A matrix is singular, or an algorithm did not converge."""

    __module__ = "rushlight.linalg"


def noted(error: E, note: str) -> E:
    """The error with a note; Python 3.10 has none and leaves it out."""
    if hasattr(error, "add_note"):
        error.add_note(note)
    return error


# ---- Facts ----

MOST = 4  # of the tensors in a list


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
    return reprlib.repr(value)


def with_facts(error: E, op: str, **values: Any) -> E:
    """The error with the facts of what was given."""
    return noted(error, facts(op, tuple(values), tuple(values.values())))


def with_facts_of_caller(error: E) -> E:
    """The same for the generated operation that called the caller; its arrays are ``a_<name>``."""
    frame = sys._getframe(2)
    code, local = frame.f_code, frame.f_locals
    values = {n[2:]: local[n] for n in code.co_varnames if n.startswith("a_") and n in local}
    return noted(error, facts(code.co_name, tuple(values), tuple(values.values())))


def explained(error: E, op: str, tensor: Any, name: str = "self") -> E:
    """The error with the facts of one tensor: its shape, where it was made, the user's line."""
    with_facts(error, op, **{name: tensor})
    edge = tensor._edge
    if edge is not None and edge[0].site is not None:
        noted(error, f"{name} is the output of {edge[0].describe()}")
    return error


def explain(error: Exception, op: str, names: Sequence[str], values: Sequence[Any]) -> None:
    """Notes what was called, if the library raised the error and nothing was noted yet."""
    if not hasattr(error, "__notes__") and _raised_inside(error.__traceback__):
        noted(error, facts(op, names, values))


def _raised_inside(traceback: TracebackType | None) -> bool:
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return traceback is not None and in_library(traceback.tb_frame.f_code)


# ---- Messages ----


def freed_graph() -> RuntimeError:
    """A node's saved values were asked for after they had been freed."""
    return RuntimeError(
        "Trying to backward through the graph a second time (or directly access saved tensors "
        "after they have already been freed). Saved intermediate values of the graph are freed "
        "when you call .backward() or autograd.grad(). Specify retain_graph=True if you need to "
        "backward through the graph a second time or if you need to access saved tensors after "
        "calling backward."
    )


def modified_in_place(name: str, array: Any, version: int, expected: int) -> RuntimeError:
    """A saved value changed between the forward and the backward pass."""
    return RuntimeError(
        "one of the variables needed for gradient computation has been modified by an inplace "
        f"operation: {array.dtype} {list(array.shape)}, saved as '{name}', is at version "
        f"{version}; expected version {expected} instead."
    )


def wrong_argument(op: str, name: str, value: Any) -> TypeError:
    """An argument that is neither a tensor nor what else the op takes."""
    error = TypeError(f"{op}(): argument '{name}' must be Tensor, not {type(value).__name__}")
    return with_facts(error, op, **{name: value})


def numbers_only(op: str, *operands: Any) -> TypeError:
    """Numbers where at least one operand must be a tensor."""
    given = ", ".join(type(x).__name__ for x in operands)
    return TypeError(
        f"{op}() received an invalid combination of arguments - got ({given}), "
        "but expected a Tensor among them"
    )


def integers_with_grad() -> RuntimeError:
    """A new tensor of integers that should require grad."""
    return RuntimeError("Only Tensors of floating point and complex dtype can require gradients")


def not_implemented_for(name: str, array: Any) -> NotImplementedError:
    """A kernel that elements of this type have none of."""
    kind = _kernels.scalar_name(array.dtype)
    return NotImplementedError(f"\"{name}\" not implemented for '{kind}'")


def leaf_in_place(view: bool = False) -> RuntimeError:
    """An in-place operation on a leaf, or a view of one, outside of no_grad."""
    what = "a view of a leaf" if view else "a leaf"
    return RuntimeError(
        f"{what} Variable that requires grad is being used in an in-place operation."
    )


def not_scalar(shape: tuple[int, ...]) -> RuntimeError:
    """backward() of several elements without weights for them."""
    error = RuntimeError("grad can be implicitly created only for scalar outputs")
    return noted(error, f"Got shape {list(shape)}; pass `gradient`, of this shape.")


def wrong_out_shape(out: tuple[int, ...], result: tuple[int, ...]) -> RuntimeError:
    """A result that is larger than the tensor it should be written into."""
    return RuntimeError(
        f"output with shape {list(out)} doesn't match the broadcast shape {list(result)}"
    )


def wrong_out_type(result: Any, out: Any) -> RuntimeError:
    """A result that the element type of the tensor it should be written into cannot hold."""
    names = _kernels.scalar_name(result), _kernels.scalar_name(out)
    return RuntimeError(
        f"result type {names[0]} can't be cast to the desired output type {names[1]}"
    )


def not_broadcastable(op: str, *shapes: tuple[int, ...]) -> RuntimeError:
    """Shapes that have no common one."""
    first, second = shapes[:2]
    pairs = list(zip(reversed(first), reversed(second), strict=False))
    back = next(i for i, (a, b) in enumerate(pairs) if a != b and 1 not in (a, b))
    a, b = pairs[back]
    return RuntimeError(
        f"The size of tensor a ({a}) must match the size of tensor b ({b}) at non-singleton "
        f"dimension {max(len(first), len(second)) - 1 - back}; {op}: got shapes {list(first)} and "
        f"{list(second)}"
    )


def no_derivative(name: str) -> NotImplementedError:
    """A backward pass through what has no derivative, in PyTorch's words for one of its ops."""
    return NotImplementedError(f"the derivative for '{name}' is not implemented.")


def different_devices(names: list[str]) -> RuntimeError:
    """Operands in different memories."""
    found = " and ".join(sorted(set(names), reverse=True))
    return RuntimeError(
        f"Expected all tensors to be on the same device, but found at least two devices, {found}!"
    )
