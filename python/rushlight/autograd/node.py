"""Nodes of the graph that a recorded computation leaves behind."""

from __future__ import annotations

import itertools
import weakref
from collections.abc import Callable
from typing import Any, ClassVar

__all__ = ["AccumulateGrad", "Edge", "Extras", "Node", "RemovableHandle"]

# Where a gradient goes: a node, and which of its outputs the gradient belongs to.
Edge = tuple["Node", int]

# Later operations come first in a heap: the count runs downwards.
next_order: Callable[[], int] = itertools.count(0, -1).__next__
next_hook: Callable[[], int] = itertools.count().__next__


class Node:
    """One recorded operation.

    A node holds arrays and version counters, never tensors, so that a graph has no reference
    cycles and its memory dies with the last tensor that leads to it.

    Attributes:
        edges: for each differentiable input its edge, or None where no gradient is wanted.
        saved: what the derivative needs; None once it was freed.
        order: minus the position in the order of recording.
        shape, dtype: of the (first) output, so of the gradient that arrives.
        extras: hooks and retained gradients, None for nearly every node.
    """

    __slots__ = ("__weakref__", "dtype", "edges", "extras", "order", "saved", "shape")

    edges: tuple[Edge | None, ...]
    saved: tuple[Any, ...] | None
    order: int
    shape: tuple[int, ...]
    dtype: Any
    extras: Extras | None

    op: ClassVar[str] = ""
    view: ClassVar[bool] = False  # whether a gradient may be a view of the one that arrived

    def backward(
        self, kernels: Any, g: Any, edges: tuple[Edge | None, ...], keep: bool
    ) -> tuple[Any, ...]:
        """The gradients of the inputs whose edges are not None, as raw arrays.

        Args:
            kernels: the backend of `g`.
            g: the gradient of the output.
            edges: the node's, without those whose gradients are not wanted.
            keep: do not free the saved values.
        """
        raise NotImplementedError

    def backward_recorded(
        self,
        ops: Any,
        g: Any,
        edges: tuple[Edge | None, ...],
        keep: bool,
        tensor: Callable[..., Any],
    ) -> tuple[Any, ...]:
        """The same over tensors, recorded, for derivatives of higher order."""
        raise NotImplementedError

    def name(self) -> str:
        """PyTorch's name of the operation, such as ``"MulBackward0"``."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes that the gradients of the inputs go to."""
        return tuple((None, 0) if edge is None else edge for edge in self.edges)

    def __repr__(self) -> str:
        return f"<{self.name()} object at 0x{id(self):x}>"


class AccumulateGrad(Node):
    """The end of the graph: a leaf tensor's gradient.

    The gradient lives here and the tensor refers to the node, so a leaf and its node form no cycle.
    """

    __slots__ = ("_variable", "grad")

    op = "accumulate_grad"
    grad: Any

    def __init__(self, variable: Any) -> None:
        self._variable = weakref.ref(variable)
        self.edges = ()
        self.saved = None
        self.order = next_order() - (
            1 << 62
        )  # as soon as its gradient is complete, before any other node
        self.shape = variable._array.shape
        self.dtype = variable._array.dtype
        self.extras = None
        self.grad = None

    @property
    def variable(self) -> Any:
        """The leaf tensor, or None when it is gone."""
        return self._variable()


class RemovableHandle:
    """Removes a hook when ``remove()`` is called, or at the end of a ``with`` block."""

    def __init__(self, hooks: dict[int, Callable[..., Any]], key: int) -> None:
        self._hooks = hooks
        self.id = key

    def remove(self) -> None:
        """Removes the hook; nothing to do when it is gone already."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Extras:
    """What few nodes have: hooks on the gradient of the output, and the gradient to retain."""

    __slots__ = ("hooks", "retained", "retains")

    def __init__(self) -> None:
        # Called in order of registration with the gradient; a result that is not None replaces it.
        self.hooks: dict[int, Callable[[Any], Any]] = {}
        self.retains = False
        self.retained: Any = None

    def add_hook(self, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Adds a hook and returns the handle that removes it."""
        key = next_hook()
        self.hooks[key] = hook
        return RemovableHandle(self.hooks, key)
