"""What generated functions call on the rare paths: odd arguments, failures, destinations."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from rushlight import errors
from rushlight.autograd.grad_mode import INFERENCE, state
from rushlight.autograd.node import ManyOutputs, fill_in
from rushlight.autograd.site import here
from rushlight.autograd.site import text as place
from rushlight.autograd.views import new_view
from rushlight.backend import kernels_of
from rushlight.tensor import Tensor

CATEGORIES = {"b": 0, "i": 1, "u": 1, "f": 2, "V": 2}  # V: bfloat16


def as_operand(op: str, name: str, value: Any, required: bool = True) -> Any:
    """A NumPy scalar or array, or an object that is a number, as a kernel takes it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | bool | int | float):
        return value
    if not required:
        return NotImplemented
    raise errors.wrong_argument(op, name, value)


def fitting(result: Any, out: Any) -> Any:
    """The result of an in-place operation, if `out` can take it.

    Raises:
        RuntimeError: for another shape, and for a type of a higher category.
    """
    if result.shape != out.shape:
        raise errors.wrong_out_shape(out.shape, result.shape)
    _check_type(result, out)
    return result


def _check_type(result: Any, out: Any) -> None:
    if CATEGORIES[result.dtype.kind] > CATEGORIES[out.dtype.kind]:
        raise errors.wrong_out_type(result.dtype, out.dtype)


def sizes_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    """``f(2, 3)`` and ``f((2, 3))`` alike."""
    if len(size) == 1 and not isinstance(size[0], int | np.integer | Tensor):
        size = size[0]
    return tuple(int(n) for n in size)


def other_kernels(
    error: Exception, kernels: Any, op: str, names: Sequence[str], operands: Sequence[Any]
) -> Any:
    """The kernels to try instead, where an operand but the first names another device.

    That is rare, and a ``try`` that does not fail costs nothing, so nothing is looked up before.

    Raises:
        Exception: `error`, with a note of the op, its operands and the user's line, otherwise.
    """
    if isinstance(error, TypeError) and len(operands) > 1:
        found = kernels_of(*operands)
        if found is not kernels:
            return found
    try:
        raise errors.noted(error, facts(op, names, operands))
    finally:
        del error  # its traceback refers to this frame, and would keep the operands


def facts(op: str, names: Sequence[str], operands: Sequence[Any]) -> str:
    """``mul: input float32 [2, 3], other float32 [4], at File "train.py", line 3``."""
    words = [
        f"{n} {x.dtype} {list(x.shape)}" if hasattr(x, "shape") else f"{n}={x!r}"
        for n, x in zip(names, operands, strict=True)
    ]
    where = place(here())
    return f"{op}: {', '.join(words)}" + (f", at {where}" if where else "")


def inference_in_place() -> RuntimeError:
    """A tensor of inference mode is to be changed outside of it."""
    return RuntimeError(
        "Inplace update to inference tensor outside InferenceMode is not allowed."
        "You can make a clone to get a normal tensor before doing inplace update."
    )


def written(op: str, out: Any, result: Any) -> Any:
    """Puts a result into the tensor, or the tensors, given as ``out=``, and returns these.

    Raises:
        RuntimeError: where a gradient would be lost, and for a type that cannot hold the result.
        TypeError: for what is no tensor.
    """
    if isinstance(result, tuple):
        if not isinstance(out, tuple | list) or len(out) != len(result):
            raise TypeError(f"{op}(): argument 'out' must be a tuple of {len(result)} Tensors")
        return tuple(written(op, o, r) for o, r in zip(out, result, strict=True))
    if not isinstance(out, Tensor):
        raise TypeError(f"{op}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if result.requires_grad or (state.enabled and out.requires_grad):
        raise RuntimeError(
            f"{op}(): functions with out=... arguments don't support automatic differentiation, "
            "but one of the arguments requires grad."
        )
    target, array = out._array, result._array
    _check_type(array, target)
    kernels = kernels_of(target, array)
    if target.shape == array.shape:
        kernels.assign(target, array)
    else:
        if target.size:
            warnings.warn(
                "An output with one or more elements was resized since it had shape "
                f"{list(target.shape)}, which does not match the required output shape "
                f"{list(array.shape)}.",
                stacklevel=3,
            )
        out._array = kernels.cast(array, target.dtype)
    if out._counter is not INFERENCE:
        out._counter[0] += 1
    return out


def several(
    arrays: Sequence[Any],
    source: Tensor,
    view: bool,
    node: Any,
    edges: Any,
    saved: Any,
    counters: Sequence[list[int]] | None,
) -> tuple[Tensor, ...]:
    """The results of an op that has several, recorded in `node` where there is one.

    Args:
        arrays: of the results.
        source: the tensor that they show, if `view`.
        view: whether the results share the memory of `source`.
        node: a new node, to be filled in.
        edges: of the node.
        saved: of the node.
        counters: of the versions of the results, where the node has saved them.
    """
    results = tuple(Tensor._wrap(a) for a in arrays)
    if view:
        for result in results:
            new_view(result, source, several=True)
    if isinstance(node, ManyOutputs):
        fill_in(node, edges, saved, *arrays)
        for port, result in enumerate(results):
            result._edge = (node, port)
            if counters:
                result._counter = counters[port]
    return results
