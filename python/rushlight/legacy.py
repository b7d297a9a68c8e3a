"""PyTorch's classes named after an element type: ``FloatTensor(2, 3)``, ``LongTensor([1, 2])``.

They make tensors and test for them; no tensor is an instance in Python's sense.
"""

from __future__ import annotations

from typing import Any, ClassVar

from rushlight import dtypes, ops
from rushlight.tensor import Size, Tensor

__all__ = ["set_default_tensor_type"]


class TensorType(type):
    """The type of these classes: ``isinstance`` asks for the element type and the CPU."""

    dtype: dtypes.dtype

    def __instancecheck__(cls, instance: Any) -> bool:
        return (
            isinstance(instance, Tensor)
            and instance.dtype is cls.dtype
            and instance.device.type == "cpu"
        )

    def __repr__(cls) -> str:
        return f"<class 'torch.{cls.__name__}'>"


class TypedTensor(metaclass=TensorType):
    """Makes tensors of one element type: of given sizes, uninitialised, or of given data."""

    dtype: ClassVar[dtypes.dtype]

    def __new__(cls, *args: Any) -> Any:
        """A tensor of the sizes `args`, or of the data that is the only argument.

        Raises:
            TypeError: for sizes that are no ints, and for a tensor of another element type.
        """
        if len(args) == 1 and not isinstance(args[0], int | Size):
            data = args[0]
            if isinstance(data, Tensor) and data.dtype is not cls.dtype:
                raise TypeError(f"expected a tensor of {cls.dtype} (got {data.dtype})")
            return ops.as_tensor(data, dtype=cls.dtype)
        sizes = args[0] if args and isinstance(args[0], Size) else args or (0,)
        if not all(isinstance(n, int) for n in sizes):
            raise TypeError(f"new(): expected sizes as ints, or one sequence of data; got {args!r}")
        return ops.empty(tuple(sizes), dtype=cls.dtype)


for _d in dtypes.ALL:
    if _d.name not in ("uint16", "uint32", "uint64"):  # of which PyTorch has no such class
        _name = f"{dtypes.LEGACY_NAMES[_d.name]}Tensor"
        _members = {"dtype": _d, "__doc__": f"Tensors of {_d.name} on the CPU."}
        globals()[_name] = TensorType(_name, (TypedTensor,), _members)
        __all__ += (_name,)


def set_default_tensor_type(t: Any) -> None:
    """Sets the type of tensors made from Python floats by the name or class of a legacy type."""
    dtype = dtypes.of_legacy_name(t) if isinstance(t, str) else t.dtype
    dtypes.set_default_dtype(dtype)
