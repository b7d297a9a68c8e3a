"""Element types, with PyTorch's names."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from rushlight import _kernels

__all__ = [
    "can_cast",
    "dtype",
    "finfo",
    "get_default_dtype",
    "iinfo",
    "promote_types",
    "set_default_dtype",
]


class dtype:  # noqa: N801 - PyTorch's name
    """An element type; one instance each, compared by identity.

    Types that no tensor can have, such as ``complex64``, exist by name: scripts list them. To make
    a tensor of one is a NotImplementedError.

    Attributes:
        name: the short name, such as ``"float32"``.
        numpy: the NumPy type of the storage; that of ``bfloat16`` is `ml_dtypes`'.
        itemsize: bytes of one element.
        is_floating_point: whether gradients can flow through values of this type.
        is_complex: whether the values are complex numbers.
    """

    __slots__ = ("is_complex", "is_floating_point", "itemsize", "name", "numpy")

    name: str
    numpy: np.dtype[Any]
    itemsize: builtins.int
    is_floating_point: builtins.bool
    is_complex: builtins.bool

    is_signed = property(lambda self: self.name != "bool" and "uint" not in self.name)

    def __init__(self, name: str, itemsize: builtins.int, numpy_type: Any = None) -> None:
        self.name = name
        self.itemsize = itemsize
        self.is_floating_point = "float" in name
        self.is_complex = "complex" in name
        if numpy_type is not None:
            self.numpy = np.dtype(numpy_type)

    def __getattr__(self, name: str) -> Any:
        if name != "numpy":
            raise AttributeError(f"'torch.dtype' object has no attribute '{name}'")
        if self.name != "bfloat16":
            raise NotImplementedError(f"{self} is not supported")
        import ml_dtypes  # few programs need it, so none waits for it at the import

        self.numpy = np.dtype(ml_dtypes.bfloat16)
        return self.numpy

    def __repr__(self) -> str:
        return f"torch.{self.name}"  # scripts print it, and their output is PyTorch's

    def __reduce__(self) -> str:
        return self.name


bool = dtype("bool", 1, np.bool_)
uint8 = dtype("uint8", 1, np.uint8)
uint16 = dtype("uint16", 2, np.uint16)
uint32 = dtype("uint32", 4, np.uint32)
uint64 = dtype("uint64", 8, np.uint64)
int8 = dtype("int8", 1, np.int8)
int16 = short = dtype("int16", 2, np.int16)
int32 = int = dtype("int32", 4, np.int32)
int64 = long = dtype("int64", 8, np.int64)
float16 = half = dtype("float16", 2, np.float16)
bfloat16 = dtype("bfloat16", 2)
float32 = float = dtype("float32", 4, np.float32)
float64 = double = dtype("float64", 8, np.float64)

ALL = (
    bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64,
    float16, bfloat16, float32, float64,
)  # fmt: skip
NAMES = (*(d.name for d in ALL), "short", "int", "long", "half", "float", "double")
__all__ += NAMES

# PyTorch's other types, by name and size.
complex32 = chalf = dtype("complex32", 4)
complex64 = cfloat = dtype("complex64", 8)
complex128 = cdouble = dtype("complex128", 16)
_UNSUPPORTED_SIZES = {
    "float8_e4m3fn": 1,
    "float8_e4m3fnuz": 1,
    "float8_e5m2": 1,
    "float8_e5m2fnuz": 1,
    "float8_e8m0fnu": 1,
    "qint8": 1,
    "quint8": 1,
    "qint32": 4,
    "quint4x2": 1,
    "quint2x4": 1,
}
globals().update({name: dtype(name, size) for name, size in _UNSUPPORTED_SIZES.items()})
UNSUPPORTED = (
    "complex32", "complex64", "complex128", "chalf", "cfloat", "cdouble", *_UNSUPPORTED_SIZES
)  # fmt: skip

_of_numpy = {d.numpy: d for d in ALL if d is not bfloat16}
_default = float32


def of_numpy(numpy_type: np.dtype[Any]) -> dtype:
    """The dtype stored as `numpy_type`.

    Raises:
        TypeError: for a type that no tensor can have.
    """
    try:
        return _of_numpy[numpy_type]
    except KeyError:
        if numpy_type.kind == "V" and numpy_type == bfloat16.numpy:
            _of_numpy[numpy_type] = bfloat16
            return bfloat16
        supported = ", ".join(d.name for d in ALL)
        raise TypeError(
            f"can't convert np.ndarray of type numpy.{numpy_type}. "
            f"The only supported types are: {supported}."
        ) from None


_of_python = {builtins.bool: bool, builtins.int: int64, builtins.float: float64}


def of(value: Any) -> dtype:
    """The dtype that an argument `dtype` means: itself, or that of Python's bool, int and float.

    Raises:
        TypeError: for anything else.
    """
    if isinstance(value, dtype):
        return value
    if value in _of_python:
        return _of_python[value]
    raise TypeError(f"argument 'dtype' must be torch.dtype, not {type(value).__name__}")


def is_floating(numpy_type: np.dtype[Any]) -> builtins.bool:
    """Whether an array's type is floating; NumPy's kind of bfloat16 does not tell."""
    return numpy_type.kind == "f" or numpy_type.name == "bfloat16"


def plain(array: Any) -> Any:
    """The array with elements that Python takes for numbers: those of bfloat16 are none."""
    return array.astype(np.float32) if array.dtype.kind == "V" else array


# The types' names in strings such as "torch.FloatTensor".
LEGACY_NAMES = {
    "bool": "Bool",
    "uint8": "Byte",
    "uint16": "UInt16",
    "uint32": "UInt32",
    "uint64": "UInt64",
    "int8": "Char",
    "int16": "Short",
    "int32": "Int",
    "int64": "Long",
    "float16": "Half",
    "bfloat16": "BFloat16",
    "float32": "Float",
    "float64": "Double",
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
    """Sets the type of tensors made from Python floats: a floating one.

    Raises:
        TypeError: for a type that is not floating.
        NotImplementedError: for one that no tensor can have.
    """
    global _default
    if not isinstance(d, dtype):
        raise TypeError(
            "invalid dtype object: only floating-point types are supported as the default type"
        )
    if not d.is_floating_point:
        raise TypeError("only floating-point types are supported as the default type")
    _kernels.set_default_floating(d.numpy)
    _default = d


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest type of the higher category that holds both, by PyTorch's table.

    Float16 and bfloat16 give float32, uint8 and int8 give int16.

    Raises:
        RuntimeError: for uint16, uint32 or uint64 with another integer or bool, as in PyTorch.
    """
    return of_numpy(_kernels.promote_types(type1.numpy, type2.numpy))


def _category(d: dtype) -> builtins.int:
    return 3 if d.is_complex else 2 if d.is_floating_point else builtins.int(d.name != "bool")


def can_cast(from_: dtype, to: dtype) -> builtins.bool:
    """Whether in-place results of type `from_` may be written to `to`: no category is lost."""
    return _category(from_) <= _category(to)


class finfo:  # noqa: N801 - PyTorch's name
    """Numerical limits of a floating type.

    Attributes:
        bits: of one number.
        eps: the distance from 1 to the next number.
        max, min: the largest number and its opposite.
        tiny, smallest_normal: the smallest positive number of full precision.
        resolution: ten to the minus count of exact decimal digits.
        dtype: the type's name.
    """

    def __init__(self, type: dtype | None = None) -> None:
        d = get_default_dtype() if type is None else of(type)
        if not d.is_floating_point:
            raise TypeError(
                "torch.finfo() requires a floating point input type. "
                f"Use torch.iinfo to handle '{d}'"
            )
        if d is bfloat16:
            import ml_dtypes

            limits: Any = ml_dtypes.finfo(d.numpy)  # type: ignore[no-untyped-call]
        else:
            limits = np.finfo(d.numpy)
        self.dtype = d.name
        self.bits = limits.bits
        self.eps, self.max, self.min = map(builtins.float, (limits.eps, limits.max, limits.min))
        self.tiny = self.smallest_normal = builtins.float(limits.smallest_normal)
        self.resolution = 10.0**-limits.precision

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, "
            f"tiny={self.tiny:g}, dtype={self.dtype})"
        )


class iinfo:  # noqa: N801 - PyTorch's name
    """Numerical limits of an integer type: ``max``, ``min``, ``bits``, ``dtype``."""

    def __init__(self, type: dtype) -> None:
        d = of(type)
        if d is bool:
            raise TypeError("torch.bool is not supported by torch.iinfo")
        if d.is_floating_point or d.numpy.kind not in "iu":
            raise TypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{d}'"
            )
        limits = np.iinfo(d.numpy)
        self.dtype = d.name
        self.bits, self.max, self.min = limits.bits, builtins.int(limits.max), limits.min

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
