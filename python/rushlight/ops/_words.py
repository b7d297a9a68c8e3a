"""Element types and shapes in PyTorch's messages."""

from __future__ import annotations

from typing import Any

from rushlight import dtypes

__all__ = ["c_name", "legacy_name", "same_types", "sizes_text", "type_name"]

# C++ names, where they are not NumPy's.
_C_NAMES = {
    "float32": "float",
    "float64": "double",
    "int64": "long int",
    "int32": "int",
    "int16": "short int",
    "int8": "signed char",
    "uint8": "unsigned char",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
}


def type_name(x: Any) -> str:
    """``Float`` for an array or tensor of float32."""
    return legacy_name(x.dtype)


def legacy_name(dtype: Any) -> str:
    """``Float`` for float32, of either library."""
    return dtypes.LEGACY_NAMES[str(dtype.name)]


def c_name(x: Any) -> str:
    """``float`` for an array or tensor of float32, ``long int`` for one of int64."""
    name = _short_name(x)
    return _C_NAMES.get(name, name)


def _short_name(x: Any) -> str:
    return str(x.dtype.name)


def sizes_text(x: Any) -> str:
    """``2x3`` for a matrix of two rows and three columns."""
    return "x".join(map(str, x.shape))


def same_types(x: Any, y: Any) -> None:
    """Raises RuntimeError for two arrays or tensors of different types, in the words of kernels."""
    if x.dtype != y.dtype:
        raise RuntimeError(f"expected scalar type {type_name(x)} but found {type_name(y)}")
