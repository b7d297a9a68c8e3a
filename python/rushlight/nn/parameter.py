"""`Parameter` and `Buffer`: tensors that a module registers when they are assigned to it."""

from __future__ import annotations

from typing import Any, TypeVar

from rushlight import errors, ops
from rushlight.tensor import Tensor

__all__ = ["Buffer", "Parameter"]

T = TypeVar("T", bound=Tensor)


def _share(cls: type[T], data: Tensor | None) -> T:
    """Return a tensor of type `cls` over the memory of `data`, outside of any graph."""
    source = ops.empty(0) if data is None else data
    return cls._over(source._array, source._counter)  # type: ignore[no-any-return]


class Parameter(Tensor):
    """A tensor that is trained: a `Module` registers it, an optimizer changes it.

    Args:
        data: the values, shared and not copied; empty when None.
        requires_grad: whether it gets a gradient.
    """

    def __new__(cls, data: Tensor | None = None, requires_grad: bool = True) -> Parameter:
        """Make a leaf of the graph that shares the memory of `data`."""
        self = _share(cls, data)
        if requires_grad and not self.is_floating_point():
            raise errors.integers_with_grad()
        self.requires_grad = requires_grad
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Parameter:
        if id(self) in memo:
            return memo[id(self)]  # type: ignore[no-any-return]
        copy = type(self)(Tensor._wrap(self._array.copy()), self.requires_grad)
        memo[id(self)] = copy
        return copy

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.data, self.requires_grad)


class Buffer(Tensor):
    """A tensor that is state of a module but is not trained.

    Args:
        data: the values, shared and not copied; empty when None.
        persistent: whether it belongs to the module's state_dict.

    Differs from torch: the class of the object itself is `Buffer`, not `Tensor`.
    """

    persistent: bool

    def __new__(cls, data: Tensor | None = None, *, persistent: bool = True) -> Buffer:
        """Make a tensor that shares the memory of `data`."""
        self = _share(cls, data)
        self.persistent = persistent
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild_buffer, (self.data, self.persistent)


def _rebuild_buffer(data: Tensor, persistent: bool) -> Buffer:
    return Buffer(data, persistent=persistent)
