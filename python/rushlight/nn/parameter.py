"""`Parameter` and `Buffer`: tensors that a module registers when they are assigned to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, TypeVar

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = ["Buffer", "Parameter", "UninitializedBuffer", "UninitializedParameter", "is_lazy"]

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


# ---- Of unknown shape ----


class _Uninitialized:
    """What lazy parameters and buffers share: they have a type and a device, but no values."""

    if TYPE_CHECKING:
        _array: Any
        data: Tensor
        dtype: Any
        device: Any

    becomes: ClassVar[type[Tensor]]

    def materialize(self, shape: Sequence[int], device: Any = None, dtype: Any = None) -> None:
        """Make this an ordinary parameter or buffer of `shape`, with undefined values."""
        place = self.device if device is None else device
        kind = self.dtype if dtype is None else dtype
        self.data = ops.empty(tuple(shape), device=place, dtype=kind)
        self.__class__ = self.becomes  # type: ignore[assignment]

    def detach(self) -> Tensor:
        """Return this itself: there is nothing to detach."""
        return self  # type: ignore[return-value]

    @property
    def shape(self) -> NoReturn:
        """Not known yet.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            "Can't access the shape of an uninitialized parameter or buffer. This error usually "
            "happens in `load_state_dict` when trying to load an uninitialized parameter into an "
            "initialized one. Call `forward` to initialize the parameters before accessing their "
            "attributes."
        )

    def share_memory_(self) -> NoReturn:
        """Not possible yet.

        Raises:
            RuntimeError: always.
        """
        raise RuntimeError(
            "Can't share memory on an uninitialized parameter or buffer. Call `forward` to "
            "initialize the parameters before calling `module.share_memory()`."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class UninitializedParameter(_Uninitialized, Parameter):
    """A `Parameter` whose shape a lazy module finds at its first forward.

    Args:
        requires_grad: whether it gets a gradient.
        device: where it will lie.
        dtype: its type.
    """

    becomes = Parameter

    def __new__(
        cls, requires_grad: bool = True, device: Any = None, dtype: Any = None
    ) -> UninitializedParameter:
        """Make a parameter without values."""
        self = _share(cls, ops.empty(0, device=device, dtype=dtype))
        self.requires_grad = requires_grad
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> UninitializedParameter:
        if id(self) not in memo:
            memo[id(self)] = type(self)(self.requires_grad, self.device, self.dtype)
        return memo[id(self)]  # type: ignore[no-any-return]

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (self.requires_grad, self.device, self.dtype)


class UninitializedBuffer(_Uninitialized, Buffer):
    """A `Buffer` whose shape a lazy module finds at its first forward.

    Args:
        requires_grad: only False is supported.
        device: where it will lie.
        dtype: its type.
        persistent: whether it belongs to the module's state_dict.
    """

    becomes = Buffer

    def __new__(
        cls,
        requires_grad: bool = False,
        device: Any = None,
        dtype: Any = None,
        persistent: bool = True,
    ) -> UninitializedBuffer:
        """Make a buffer without values."""
        if requires_grad:
            raise NotImplementedError("UninitializedBuffer: requires_grad=True is not supported")
        self = _share(cls, ops.empty(0, device=device, dtype=dtype))
        self.persistent = persistent
        return self

    def __reduce_ex__(self, protocol: Any) -> Any:
        return type(self), (False, self.device, self.dtype, self.persistent)


def is_lazy(param: Any) -> bool:
    """Return whether a parameter or buffer has no shape yet."""
    return isinstance(param, _Uninitialized)
