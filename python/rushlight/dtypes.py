"""Element types, with PyTorch's names."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from rushlight import _kernels

__all__ = ["dtype", "finfo", "get_default_dtype", "iinfo", "set_default_dtype"]


class dtype:  # noqa: N801 - PyTorch's name
    """An element type; one instance each, compared by identity.

    Attributes:
        name: the short name, such as ``"float32"``.
        numpy: the NumPy type of the storage.
        itemsize: bytes of one element.
        is_floating_point: whether gradients can flow through values of this type.
    """

    __slots__ = ("is_floating_point", "itemsize", "name", "numpy")

    name: str
    numpy: np.dtype[Any]
    itemsize: builtins.int
    is_floating_point: builtins.bool

    is_complex = False
    is_signed = property(lambda self: self.numpy.kind in "if")

    def __init__(self, name: str, numpy_type: Any) -> None:
        self.name = name
        self.numpy = np.dtype(numpy_type)
        self.itemsize = self.numpy.itemsize
        self.is_floating_point = self.numpy.kind == "f"

    def __repr__(self) -> str:
        return f"torch.{self.name}"  # scripts print it, and their output is PyTorch's

    def __reduce__(self) -> str:
        return self.name


bool = dtype("bool", np.bool_)
uint8 = dtype("uint8", np.uint8)
int32 = int = dtype("int32", np.int32)
int64 = long = dtype("int64", np.int64)
float32 = float = dtype("float32", np.float32)
float64 = double = dtype("float64", np.float64)

ALL = (bool, uint8, int32, int64, float32, float64)
NAMES = ("bool", "uint8", "int32", "int", "int64", "long", "float32", "float", "float64", "double")
__all__ += NAMES

_of_numpy = {d.numpy: d for d in ALL}
_default = float32


def of_numpy(numpy_type: np.dtype[Any]) -> dtype:
    """The dtype stored as `numpy_type`.

    Raises:
        TypeError: for a type that no tensor can have.
    """
    try:
        return _of_numpy[numpy_type]
    except KeyError:
        supported = ", ".join(d.name for d in ALL)
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{numpy_type}. "
            f"The only supported types are: {supported}."
        ) from None


# The types' names in strings such as "torch.FloatTensor".
LEGACY_NAMES = {
    "float32": "Float",
    "float64": "Double",
    "int64": "Long",
    "int32": "Int",
    "uint8": "Byte",
    "bool": "Bool",
}


def of_legacy_name(text: str) -> dtype:
    """The dtype that ``Tensor.type()`` calls `text`.

    Raises:
        ValueError: for another text.
    """
    kind = text.rpartition(".")[2].removesuffix("Tensor")
    for d in ALL:
        if LEGACY_NAMES[d.name] == kind:
            return d
    raise ValueError(f"invalid type: '{text}'")


def get_default_dtype() -> dtype:
    """The type of tensors made from Python floats: float32 unless it was set."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Sets the type of tensors made from Python floats: float32 or float64.

    Raises:
        TypeError: for a type that is not floating.
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _kernels.set_default_floating(d.numpy)
    _default = d


class finfo:  # noqa: N801 - PyTorch's name
    """Numerical limits of a floating type: ``eps``, ``max``, ``min``, ``tiny``, ``bits``."""

    def __init__(self, type: dtype | None = None) -> None:
        d = get_default_dtype() if type is None else type
        if not d.is_floating_point:
            raise TypeError(f"torch.finfo() requires a floating point input type. Got {d}.")
        limits = np.finfo(d.numpy)
        self.dtype = d.name
        self.bits = limits.bits
        self.eps, self.max, self.min = map(_number, (limits.eps, limits.max, limits.min))
        self.tiny = self.smallest_normal = _number(limits.smallest_normal)
        self.resolution = _number(limits.resolution)

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, "
            f"tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:  # noqa: N801 - PyTorch's name
    """Numerical limits of an integer type: ``max``, ``min``, ``bits``."""

    def __init__(self, type: dtype) -> None:
        if type.numpy.kind not in "iu":
            raise TypeError(f"torch.iinfo() requires an integer input type. Got {type}.")
        limits = np.iinfo(type.numpy)
        self.dtype = type.name
        self.bits, self.max, self.min = limits.bits, limits.max, limits.min

    def __repr__(self) -> str:
        return f"iinfo(min={self.min}, max={self.max}, dtype={self.dtype})"


def _number(value: Any) -> Any:
    return value.item()
