"""Nodes of the graph that a recorded computation leaves behind."""

from __future__ import annotations

import itertools
import threading
import weakref
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

from rushlight import errors
from rushlight._kernels import next_order, set_node
from rushlight.autograd import site as sites
from rushlight.autograd.site import Site

__all__ = [
    "AccumulateGrad",
    "Edge",
    "Extras",
    "GradientEdge",
    "ManyOutputs",
    "Node",
    "RemovableHandle",
    "fill_in",
]

# Where a gradient goes: a node, and which of its outputs the gradient belongs to.
Edge = tuple["Node", int]


class GradientEdge(NamedTuple):
    """Where a gradient goes, as users name it: instead of a tensor in backward() and grad()."""

    node: Any
    output_nr: int
    ownership_token: Any = None


next_hook: Callable[[], int] = itertools.count().__next__


class Node:
    """One recorded operation.

    A node holds arrays and version counters, never tensors, so that a graph has no reference
    cycles and its memory dies with the last tensor that leads to it.

    Attributes:
        edges: for each differentiable input its edge, or None where no gradient is wanted.
        saved: what the derivative needs; None once it was freed.
        order: minus the position in the order of recording.
        shape, dtype: of the output, so of the gradient that arrives.
        extras: hooks and retained gradients, None for nearly every node.
        site: where the user's program called the operation.
    """

    __slots__ = ("__weakref__", "dtype", "edges", "extras", "order", "saved", "shape", "site")

    edges: tuple[Edge | None, ...]
    saved: Any
    order: int
    shape: Any
    dtype: Any
    extras: Extras | None
    site: Site | None

    op: ClassVar[str] = ""
    # Names of the entries of `saved`, and which of them are arrays with their counters.
    saved_names: ClassVar[tuple[str, ...]] = ()
    saved_arrays: ClassVar[tuple[int, ...]] = ()
    view: ClassVar[bool] = False  # whether a gradient may be a view of the one that arrived
    lends: ClassVar[bool] = False  # whether a gradient may be memory that others hold

    def backward(
        self, kernels: Any, g: Any, edges: tuple[Edge | None, ...], keep: bool
    ) -> tuple[Any, ...]:
        """The gradients of the inputs whose edges are not None, as raw arrays.

        Args:
            kernels: the backend of `g`.
            g: the gradient of the output; a list where there are several.
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

    def outputs(self) -> tuple[tuple[tuple[int, ...], Any], ...]:
        """Shape and dtype of each output."""
        return ((self.shape, self.dtype),)

    def name(self) -> str:
        """PyTorch's name of the operation, such as ``"MulBackward0"``."""
        return type(self).__name__

    @property
    def next_functions(self) -> tuple[tuple[Node | None, int], ...]:
        """The nodes that the gradients of the inputs go to."""
        return tuple((None, 0) if edge is None else edge for edge in self.edges)

    @property
    def metadata(self) -> dict[Any, Any]:
        """A dictionary for the user's own notes."""
        return self.with_extras().metadata

    def with_extras(self) -> Extras:
        """The node's extras, made where there are none."""
        if self.extras is None:
            self.extras = Extras()
        return self.extras

    def register_hook(self, hook: Callable[[Any, Any], Any]) -> RemovableHandle:
        """Calls ``hook(grad_inputs, grad_outputs)`` after the node; a result replaces the first.

        Both are tuples, with None where there is no gradient.
        """
        return RemovableHandle.added(self.with_extras().post_hooks, hook)

    def register_prehook(self, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Calls ``hook(grad_outputs)`` before the node runs; a result replaces the gradients."""
        return RemovableHandle.added(self.with_extras().pre_hooks, hook)

    def describe(self) -> str:
        """What an error tells: the operation, its shapes, and the user's line that called it."""
        made = ", ".join(f"{dtype} {list(shape)}" for shape, dtype in self.outputs())
        inputs = [edge[0].outputs()[edge[1]] for edge in self.edges if edge is not None]
        taken = ", ".join(f"{dtype} {list(shape)}" for shape, dtype in inputs)
        words = f"{self.name()} ({self.op}): {made}"
        words += f" from {taken}" if taken else ""
        place = sites.text(self.site)
        return f"{words}. Its forward: {place}" if place else words

    def __repr__(self) -> str:
        return f"<{self.name()} object at 0x{id(self):x}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_saved_"):
            wanted = name.removeprefix("_saved_")
            wanted = {"self": "input", "result": "out"}.get(wanted, wanted)
            if wanted in self.saved_names:
                return self.saved_value(self.saved_names.index(wanted))
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    # Makes a tensor of an array; set by the module of the tensor, which stands above this one.
    as_tensor: ClassVar[Callable[[Any], Any]]

    def saved_value(self, index: int) -> Any:
        """One of the saved values, as a tensor where it is one."""
        if self.saved is None:
            raise errors.noted(errors.freed_graph(), self.describe())
        value = self.saved[index]
        if index not in self.saved_arrays:
            return value
        return Node.as_tensor(value[0]) if hasattr(value[0], "shape") else value[0]


set_node(Node)


class ManyOutputs(Node):
    """A node of several outputs: `shape` and `dtype` are None, a tuple tells each output's."""

    __slots__ = ("parts",)

    parts: tuple[tuple[tuple[int, ...], Any], ...]
    view = True
    lends = True

    def outputs(self) -> tuple[tuple[tuple[int, ...], Any], ...]:
        """Shape and dtype of each output."""
        return self.parts


def fill_in(node: Node, edges: tuple[Edge | None, ...], saved: Any, *arrays: Any) -> Node:
    """Fills a new node in: of one output array, or of several."""
    node.edges = edges
    node.saved = saved
    node.order = next_order()
    if isinstance(node, ManyOutputs):
        node.shape = node.dtype = None
        node.parts = tuple((a.shape, a.dtype) for a in arrays)
    else:
        node.shape, node.dtype = arrays[0].shape, arrays[0].dtype
    node.extras = None
    node.site = sites.here()
    return node


class AccumulateGrad(Node):
    """The end of the graph: a leaf tensor's gradient.

    The gradient lives here and the tensor refers to the node, so a leaf and its node form no cycle.
    """

    __slots__ = ("_variable", "grad", "lock")

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
        self.site = None
        self.grad = None
        self.lock = threading.Lock()  # several threads may run backward into one leaf

    @property
    def variable(self) -> Any:
        """The leaf tensor, or None when it is gone."""
        return self._variable()


class RemovableHandle:
    """Removes a hook when ``remove()`` is called, or at the end of a ``with`` block."""

    def __init__(self, hooks: dict[int, Callable[..., Any]], key: int) -> None:
        self._hooks = hooks
        self.id = key

    @classmethod
    def added(
        cls, hooks: dict[int, Callable[..., Any]], hook: Callable[..., Any]
    ) -> RemovableHandle:
        """Adds a hook and gives the handle that removes it."""
        key = next_hook()
        hooks[key] = hook
        return cls(hooks, key)

    def remove(self) -> None:
        """Removes the hook; nothing to do when it is gone already."""
        self._hooks.pop(self.id, None)

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


class Extras:
    """What few nodes have.

    Attributes:
        hooks: for each output those on its gradient, in the order of registration.
        retained: for the outputs whose gradient is to be kept, that gradient.
        pre_hooks, post_hooks: on the node itself.
        accumulated: of a leaf, called with it after its gradient was added.
        metadata: the user's.
    """

    __slots__ = ("accumulated", "hooks", "metadata", "post_hooks", "pre_hooks", "retained")

    def __init__(self) -> None:
        self.hooks: dict[int, dict[int, Callable[[Any], Any]]] = {}
        self.retained: dict[int, Any] = {}
        self.pre_hooks: dict[int, Callable[[Any], Any]] = {}
        self.post_hooks: dict[int, Callable[[Any, Any], Any]] = {}
        self.accumulated: dict[int, Callable[[Any], Any]] = {}
        self.metadata: dict[Any, Any] = {}
