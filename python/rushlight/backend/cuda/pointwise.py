"""Pointwise kernels, generated from scalar.h: one for each of its functors."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight import _kernels, errors
from rushlight.backend.cuda.checks import (
    broadcast_shape,
    check_destination,
    overlaps,
    proxy,
    refuse,
)
from rushlight.backend.cuda.elementwise import kernel
from rushlight.backend.cuda.halves import computed_in
from rushlight.backend.cuda.runtime import cp

# Names of the kernels that take a destination as their last argument.
DESTINED = frozenset(name for name, _, _ in _kernels.POINTWISE)

__all__ = [
    "DESTINED",
    "assign",
    "cast",
    "copy",
    "floor_quotient",
    "result_type",
    "where",
    *sorted(DESTINED),
]

if TYPE_CHECKING:

    def __getattr__(name: str) -> Any: ...


_OPERANDS = ("x", "y", "z", "w")
_BOOL = np.dtype(np.bool_)
_CATEGORIES = {"b": 0, "u": 1, "i": 1, "f": 2, "V": 2}  # V: bfloat16


def operation(name: str, arity: int) -> str:
    """The statement that computes one element."""
    return f"out = rush::device::op::{name}{{}}({', '.join(_OPERANDS[:arity])})"


def functor_kernel(name: str, arity: int, dtype: np.dtype[Any], result: np.dtype[Any]) -> Any:
    """The kernel of a functor of scalar.h for operands of one type."""
    inputs = ", ".join(f"{dtype} {x}" for x in _OPERANDS[:arity])
    return kernel(inputs, f"{result} out", operation(name, arity), f"rush_{name}", "scalar.h")


# ---- Operands ----


def result_type(*operands: Any) -> np.dtype[Any]:
    """PyTorch's result type of arrays and numbers."""
    common: np.dtype[Any] = _kernels.result_type(*map(_typed, operands))
    return common


def _typed(x: Any) -> Any:
    return proxy(x.dtype, x.ndim > 0) if hasattr(x, "dtype") else x


def converted(x: Any, dtype: np.dtype[Any]) -> Any:
    """An operand as a kernel for `dtype` takes it: a CuPy array, or a NumPy scalar.

    Raises:
        RuntimeError: for an array on the CPU, unless it is 0-dim.
    """
    if isinstance(x, cp.ndarray):
        return x if x.dtype == dtype else x.astype(dtype)
    if getattr(x, "ndim", 0):
        raise errors.different_devices([f"cuda:{cp.cuda.runtime.getDevice()}", "cpu"])
    return _kernels.copy(np.asarray(x), dtype)[()]


def _operand(x: Any, stored: np.dtype[Any], computed: np.dtype[Any]) -> Any:
    """An operand as a kernel takes it; of half types rounded to them before, but for numbers."""
    if stored != computed and getattr(x, "ndim", 0) > 0:
        x = converted(x, stored)
    return converted(x, computed)


def _check_shapes(name: str, operands: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape that the operands broadcast to."""
    shapes = {x.shape for x in operands if hasattr(x, "shape")}
    shape = shapes.pop() if len(shapes) == 1 else broadcast_shape(*shapes)
    if shape is None:
        refuse(name, *operands)
    return shape


# The kinds of scalar.h that not all types have, with NumPy's kinds of those that do.
_TYPES = {"numeric": "iufV", "real": "fV", "bitwise": "biu", "integral": "iu"}
_DIVISIONS = ("floor_divide", "trunc_divide", "remainder", "fmod")


def _defined(name: str, kind: str, operands: tuple[Any, ...], dtype: np.dtype[Any]) -> bool:
    """Whether an op has a result for these operands, which have this type in common."""
    if name == "sub" and any(getattr(x, "dtype", type(x)) == _BOOL for x in operands):
        return False
    if name == "pow" and type(operands[1]) is int and operands[1] < 0 and dtype.kind in "iu":
        return False
    if name == "lerp":
        *values, weight = operands
        mixed = [x for x in values if x.dtype != dtype]
        return (
            dtype.kind in "fV"
            and not mixed
            and (getattr(weight, "ndim", 0) == 0 or weight.dtype == dtype)
        )
    return dtype.kind in _TYPES.get(kind, "biufV")


# ---- Kernels ----


def _build(name: str, arity: int, kind: str) -> Callable[..., Any]:
    """The kernel of one functor: settles types and shapes, converts, launches."""
    # A Python float lifts integers to the default type, and leaves floating types as they are.
    lift = (1.0,) if kind == "floating" else ()

    def pointwise(*operands: Any, out: Any = None) -> Any:
        if len(operands) == arity + 1:
            *operands, out = operands  # type: ignore[assignment]
        if len(operands) != arity:
            raise TypeError(f"{name}() takes {arity} operands, got {len(operands)}")
        dtype = result_type(*operands, *lift)
        if not _defined(name, kind, operands, dtype):
            refuse(name, *operands)
        shape = _check_shapes(name, operands)
        computed = computed_in(dtype)
        values = [_operand(x, dtype, computed) for x in operands]
        if name in _DIVISIONS and _CATEGORIES[dtype.kind] < 2 and bool((values[1] == 0).any()):
            raise RuntimeError("ZeroDivisionError")
        result = _BOOL if kind == "compare" else computed
        launch = functor_kernel(name, arity, computed, result)
        if out is None:
            return launch(*values) if kind == "compare" else converted(launch(*values), dtype)
        if out.shape != shape or _CATEGORIES[result.kind] > _CATEGORIES[out.dtype.kind]:
            refuse(name, *operands, out)
        check_destination(out)
        racing = [x for x in values if isinstance(x, cp.ndarray) and overlaps(out, x)]
        if racing or out.dtype != result:
            assign(out, launch(*values))
        else:
            launch(*values, out)
        return out

    pointwise.__name__ = pointwise.__qualname__ = name
    pointwise.__doc__ = f"The functor {name} of scalar.h, element by element, with broadcasting."
    return pointwise


for _name, _arity, _kind in _kernels.POINTWISE:
    globals()[_name] = _build(_name, _arity, _kind)
floor_quotient = globals()["floor_divide"]


def where(condition: Any, x: Any, y: Any, out: Any = None) -> Any:
    """``x`` where `condition` holds, else ``y``."""
    if condition.dtype.kind != "b":
        refuse("where", condition, x, y)
    _check_shapes("where", (condition, x, y))
    dtype = result_type(x, y)
    choice = converted(condition, _BOOL)
    result = cp.where(choice, converted(x, dtype), converted(y, dtype))
    if out is None:
        return result
    assign(out, result)
    return out


# ---- Copies ----


def copy(x: Any, dtype: np.dtype[Any] | None = None) -> Any:
    """A contiguous copy, converted to `dtype`."""
    return x.astype(x.dtype if dtype is None else dtype, order="C")


cast = copy


def assign(out: Any, x: Any) -> None:
    """``out[...] = x[...]``, with broadcasting and conversion."""
    shape = getattr(x, "shape", ())
    if shape not in ((), out.shape) and broadcast_shape(out.shape, shape) != out.shape:
        refuse("assign", out, x)
    check_destination(out)
    if not isinstance(x, cp.ndarray):
        x = converted(x, out.dtype)
    elif overlaps(out, x):
        x = x.copy()
    out[...] = x
