"""Names of before tensors and variables became one."""

from __future__ import annotations

from typing import Any

from rushlight.tensor import Tensor

__all__ = ["Variable"]


class _IsTensor(type):
    def __instancecheck__(cls, value: object) -> bool:
        return isinstance(value, Tensor)


class Variable(metaclass=_IsTensor):
    """``Variable(tensor)`` is a tensor of the same memory, outside of the graph.

    Args:
        data: a tensor.
        requires_grad: whether gradients are computed for the result.

    Raises:
        TypeError: for what is no tensor.
    """

    def __new__(cls, data: Any = None, requires_grad: bool = False) -> Any:
        """The tensor."""
        if data is None:
            data = Tensor()
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)
