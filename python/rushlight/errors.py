"""Messages of errors: built only when one is raised.

Where users match on PyTorch's words, a message opens with them and the facts follow; where scripts
print a message whole, the facts are a note of the exception, which its traceback shows.
"""

from __future__ import annotations

from typing import Any, TypeVar

from rushlight import _kernels

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
    return TypeError(f"{op}(): argument '{name}' must be Tensor, not {type(value).__name__}")


def numbers_only(op: str, *operands: Any) -> TypeError:
    """Numbers where at least one operand must be a tensor."""
    given = ", ".join(type(x).__name__ for x in operands)
    return TypeError(
        f"{op}() received an invalid combination of arguments - got ({given}), "
        "but expected a Tensor among them"
    )


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
