"""Hooks on what nodes save: packed when an operation is recorded, unpacked when it is undone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from rushlight.autograd.grad_mode import state, watch
from rushlight.autograd.node import Node
from rushlight.tensor import Tensor

__all__ = ["current_hooks", "disable_saved_tensors_hooks", "save_on_cpu", "saved_tensors_hooks"]


class _Packed:
    """The saved values of a node whose arrays went through a hook.

    Attributes:
        values: the saved values, arrays replaced by what the hook made of them.
        arrays: the positions of these.
        unpack: the hook that gives a tensor back.
    """

    __slots__ = ("arrays", "unpack", "values")

    def __init__(
        self, values: list[Any], arrays: list[int], unpack: Callable[[Any], Tensor]
    ) -> None:
        self.values = values
        self.arrays = arrays
        self.unpack = unpack

    def unpacked(self) -> tuple[Any, ...]:
        """The values as a node takes them; their versions are not compared."""
        values = list(self.values)
        for i in self.arrays:
            packed, *rest = values[i]
            tensor = self.unpack(packed)
            if not isinstance(tensor, Tensor):
                raise TypeError(
                    "Output of saved tensor unpack_hook expected to be a Tensor but got result of "
                    f"type {type(tensor).__name__}"
                )
            values[i] = (tensor._array, [0], 0, *rest)
        return tuple(values)


class saved_tensors_hooks:  # noqa: N801 - PyTorch's name
    """Inside, ``pack_hook(tensor)`` gives what is kept of each tensor that an operation saves.

    ``unpack_hook`` turns it back when the backward pass asks for it, and must give a tensor of the
    same values. Of nested blocks the innermost counts; the setting is the thread's.

    Args:
        pack_hook: called with each saved tensor, which must not be changed in place.
        unpack_hook: called with what `pack_hook` returned, once for every use.

    Example:
        >>> import rushlight
        >>> x = rushlight.ones(2, requires_grad=True)
        >>> with rushlight.autograd.graph.saved_tensors_hooks(lambda t: t * 1, lambda t: t):
        ...     y = (x * x).sum()
        >>> y.backward()
        >>> x.grad
        tensor([2., 2.])
    """

    def __init__(
        self, pack_hook: Callable[[Tensor], Any], unpack_hook: Callable[[Any], Tensor]
    ) -> None:
        self.pack_hook = pack_hook
        self.unpack_hook = unpack_hook
        self._outer: list[Any] = []

    def __enter__(self) -> None:
        if (message := _disabled.message) is not None:
            raise RuntimeError(message)
        self._outer.append(state.observers)
        kept = tuple(o for o in state.observers if not isinstance(o, _Pack))
        state.observers = (*kept, _Pack(self))
        watch.add(nodes=1)

    def __exit__(self, *exception: object) -> None:
        watch.add(nodes=-1)
        state.observers = self._outer.pop()


class _Pack:
    """Packs what a node has just saved."""

    def __init__(self, hooks: saved_tensors_hooks) -> None:
        self.hooks = hooks

    def __call__(self, node: Node) -> None:
        if not isinstance(node.saved, tuple):
            return
        values, packed = list(node.saved), []
        for i in node.saved_arrays:
            array = values[i][0]
            if hasattr(array, "shape"):
                kept = state.observers
                state.observers = ()  # what the hook computes is not packed again
                try:
                    kept_value = self.hooks.pack_hook(Tensor._over(array, values[i][1]))
                    values[i] = (kept_value, *values[i][3:])
                finally:
                    state.observers = kept
                packed.append(i)
        if packed:
            node.saved = _Packed(values, packed, self.hooks.unpack_hook)


def current_hooks() -> saved_tensors_hooks | None:
    """The hooks that count for what is saved now in this thread."""
    for observer in state.observers:
        if isinstance(observer, _Pack):
            return observer.hooks
    return None


class _Disabled(threading.local):
    message: str | None = None


_disabled = _Disabled()


class disable_saved_tensors_hooks:  # noqa: N801 - PyTorch's name
    """Inside, `saved_tensors_hooks` raises a RuntimeError with the given message."""

    def __init__(self, error_message: str) -> None:
        self._message = error_message
        self._outer: str | None = None

    def __enter__(self) -> None:
        self._outer = _disabled.message
        _disabled.message = self._message

    def __exit__(self, *exception: object) -> None:
        _disabled.message = self._outer


class save_on_cpu(saved_tensors_hooks):  # noqa: N801 - PyTorch's name
    """Inside, what operations save is kept in the CPU's memory and moved back when it is needed.

    Args:
        pin_memory: accepted; transfers are not asynchronous.
        device_type: of the tensors that are moved.
    """

    def __init__(self, pin_memory: bool = False, device_type: str = "cuda") -> None:
        def pack(tensor: Tensor) -> tuple[Any, Tensor]:
            return tensor.device, tensor.cpu() if tensor.is_cuda else tensor.clone()

        def unpack(packed: tuple[Any, Tensor]) -> Tensor:
            device, tensor = packed
            return tensor.to(device)

        super().__init__(pack, unpack)
