"""What an op's declaration says: read once from its signature and its derivative rows."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rushlight.ops._registry import Op

# The value of `outputs` of an op whose kernel returns a sequence of any length.
MANY = ("...",)


def node_name(op: str) -> str:
    """``squared_error`` gives ``SquaredErrorBackward0``."""
    return "".join(word.capitalize() for word in op.strip("_").split("_")) + "Backward0"


def tensor_arguments(op: Op) -> list[str]:
    """The arguments that are tensors, by their annotations."""
    annotations = op.declaration.__annotations__
    return [n for n in arguments(op) if str(annotations.get(n, "")).startswith("Tensor")]


def arguments(op: Op) -> tuple[str, ...]:
    """All arguments, in order."""
    code = op.declaration.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS)
    return code.co_varnames[:count]


def parameters(op: Op) -> list[inspect.Parameter]:
    """The same with their kinds and defaults."""
    return list(inspect.signature(op.declaration).parameters.values())


def formula_names(formula: Callable[..., Any], skip: int) -> tuple[str, ...]:
    """The arguments of a formula after the first `skip`: what it wants to be given."""
    return formula.__code__.co_varnames[skip : formula.__code__.co_argcount]


def check_rows(op: Op) -> None:
    """Raises TypeError for a missing row, and for a formula that names what the op lacks."""
    tensors = tensor_arguments(op)
    if op.joint is not None:
        op.derivatives = dict.fromkeys(tensors, op.joint)
    if missing := set(tensors) - set(op.derivatives):
        raise TypeError(f"{op.name}: no derivative row for {sorted(missing)}; write None if so")
    if extra := set(op.derivatives) - set(tensors):
        raise TypeError(f"{op.name}: derivative rows for {sorted(extra)}, which are no tensors")
    values = {*arguments(op), *result_names(op), *op.extras}
    for argument, formula in op.derivatives.items():
        for name in saved_by(op, formula):
            if name not in values and name.removesuffix("_shape") not in tensors:
                raise TypeError(f"{op.name}: the derivative of {argument} names {name!r}")


def saved_by(op: Op, formula: Callable[..., Any] | None) -> tuple[str, ...]:
    """What one formula names."""
    if formula is None:
        return ()
    return formula_names(formula, 3 if op.joint is not None else 2)


def differentiable(op: Op) -> list[str]:
    """The tensor arguments that have a derivative."""
    return [a for a in tensor_arguments(op) if op.derivatives[a] is not None]


def saved_names(op: Op) -> list[str]:
    """What the node saves, in a fixed order."""
    names: list[str] = []
    for formula in op.derivatives.values():
        names += [n for n in saved_by(op, formula) if n not in names]
    return names


def result_names(op: Op) -> tuple[str, ...]:
    """The differentiable results; of a single one the name is ``out``."""
    return () if op.outputs == MANY else op.outputs or ("out",)


def is_array(op: Op, name: str) -> bool:
    """Whether a saved value is an array with a version: an argument or a result."""
    return name in tensor_arguments(op) or name in op.extras or name in result_names(op)
