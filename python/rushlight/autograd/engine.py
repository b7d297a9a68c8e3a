"""The backward pass: from the roots to the leaves, each node once its gradient is complete.

Nodes run in the reverse order of recording, as PyTorch runs them: every operation was recorded
after those it builds on, so when a node's turn comes its gradient is complete. A leaf's comes as
soon as all that lead to it are done. Nothing is recursive, so the depth of a graph is bounded by
memory alone.

A gradient is *owned* when nobody else holds its memory: then later ones are added to it in place,
and a leaf keeps it as its ``.grad``. Otherwise it is *borrowed*, and the first sum, or the leaf,
allocates.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

from numpy import ndarray

from rushlight import errors, ops
from rushlight._kernels import execution_order
from rushlight.autograd import hooks
from rushlight.autograd.anomaly import check_gradients
from rushlight.autograd.grad_mode import state as grad_state
from rushlight.autograd.node import AccumulateGrad, Edge, ManyOutputs, Node
from rushlight.backend import cpu, kernels_of
from rushlight.tensor import Tensor

__all__ = ["Pass", "running"]


class Pass:
    """One backward pass.

    Attributes:
        pending: the sum of the gradients that each node has got so far; of a node with several
            outputs a list of such sums.
        summed: nodes whose sum has memory of its own.
        borrowed: nodes whose sum is somebody else's memory.
        inherited: nodes whose sum views memory that nobody else uses.
        wanted: the nodes that lead to the inputs asked for; None: all.
        captured: gradients of the inputs asked for, by node and output; None: all go to leaves.
        order: the nodes in the order in which they run.
    """

    def __init__(self, retain_graph: bool, create_graph: bool) -> None:
        self.retain_graph = retain_graph
        self.create_graph = create_graph
        self.order: list[Node] = []
        self.pending: dict[Node, Any] = {}
        self.summed: set[Node] = set()
        self.borrowed: set[Node] = set()
        self.inherited: set[Node] = set()
        self.wanted: set[Node] | None = None
        self.captured: dict[Node, dict[int, Any]] | None = None

    def run(self, roots: list[Node], inputs: Sequence[Edge] | None = None) -> None:
        """Runs every node that the roots lead to.

        Args:
            roots: to which gradients were delivered.
            inputs: run only what leads to these edges, and capture their gradients.
        """
        order = self.order = execution_order(roots)
        if inputs is not None:
            self._restrict(order, inputs)
        previous, outer = grad_state.enabled, running.backward
        grad_state.enabled, running.backward = self.create_graph, self
        try:
            self._walk(order)
        finally:
            grad_state.enabled, running.backward = previous, outer

    def reaches(self, node: Node) -> bool:
        """Whether the pass computes the gradient that arrives at a node."""
        return node in (self.order if self.wanted is None else self.wanted)

    def _restrict(self, order: list[Node], inputs: Sequence[Edge]) -> None:
        self.captured = {}
        for node, port in inputs:
            self.captured.setdefault(node, {})[port] = None
        self.wanted = set(self.captured)
        for node in reversed(order):
            if any(edge is not None and edge[0] in self.wanted for edge in node.edges):
                self.wanted.add(node)

    def deliver(self, edge: Edge, gradient: Any, borrowed: bool) -> None:
        """Adds a root's gradient to what its node has got so far."""
        child = edge[0]
        if isinstance(child, ManyOutputs):
            self._deliver_to_port(child, edge[1], gradient)
        elif child in self.pending:
            self._add(child, gradient)
        else:
            self.pending[child] = gradient
            if borrowed:
                self.borrowed.add(child)

    def _walk(self, order: list[Node]) -> None:  # noqa: C901 - one loop, without calls
        pending, recorded, keep = self.pending, self.create_graph, self.retain_graph
        direct = not recorded and self.captured is None and not grad_state.anomaly
        for node in order:
            g = pending.pop(node, None)
            try:
                if direct and type(g) is ndarray and node.extras is None and node.edges:
                    gradients: Sequence[Any] = node.backward(cpu, g, node.edges, keep)
                else:
                    if node.extras is not None:
                        g = self._run_hooks(node, g)
                    gradients = self._apply(node, g)
            except Exception as error:
                errors.noted(error, f"In the backward pass of {node.describe()}")
                raise
            for edge, gradient in zip(node.edges, gradients):  # noqa: B905 - of one length
                if gradient is None or edge is None:
                    continue
                child = edge[0]
                array = gradient._array if recorded else gradient
                if array.shape != child.shape or array.dtype is not child.dtype:
                    gradient = self._settle(child, edge[1], gradient)
                    if gradient is None:  # went to one of several outputs
                        continue
                if child in pending:
                    self._add(child, gradient)
                else:
                    pending[child] = gradient
                    if gradient is g or node.view:
                        self._note_owner(node, child, g, gradient)

    def _apply(self, node: Node, g: Any) -> Sequence[Any]:
        """The gradients of a node's inputs, None for those that are not wanted."""
        edges = node.edges
        if self.captured is not None:
            edges = self._wanted_edges(node, g)
            if not any(edges):
                return (None,) * len(edges)
        elif type(node) is AccumulateGrad:
            if g is not None:
                self.accumulate(node, g)
            return edges
        if g is None:
            return (None,) * len(edges)
        gradients: Sequence[Any]
        if self.create_graph:
            gradients = node.backward_recorded(ops, g, edges, self.retain_graph, _saved_tensor)
        else:
            arrays = [a for a in g if a is not None] if type(g) is list else [g]
            gradients = node.backward(kernels_of(*arrays), g, edges, self.retain_graph)
        if grad_state.anomaly:
            check_gradients(node, gradients)
        if node.extras is not None and node.extras.post_hooks:
            gradients = hooks.run_post_hooks(node, gradients, g, self.create_graph)
        return gradients

    def _wanted_edges(self, node: Node, g: Any) -> tuple[Edge | None, ...]:
        assert self.captured is not None and self.wanted is not None
        if node in self.captured:
            ports = self.captured[node]
            for port in ports:
                ports[port] = g[port] if isinstance(g, list) else g
            self.summed.discard(node)
            self.borrowed.add(node)
        return tuple(e if e is not None and e[0] in self.wanted else None for e in node.edges)

    def _owns(self, node: Node, array: Any) -> bool:
        """Whether the sum of a node's gradients may be changed in place, or kept."""
        if node in self.summed:
            return True
        if node in self.borrowed:
            return False
        return node in self.inherited or not isinstance(array.base, type(array))

    def _note_owner(self, node: Node, child: Node, g: Any, gradient: Any) -> None:
        """`child` gets the gradient of `node` itself, or a view of it."""
        if self.create_graph:
            return
        if node.lends or len(node.edges) > 1 or not self._owns(node, g):
            self.borrowed.add(child)
        elif gradient is not g:
            self.inherited.add(child)

    def _settle(self, child: Node, port: int, gradient: Any) -> Any:
        """The gradient in the shape and type of the value it belongs to."""
        shape, dtype = child.outputs()[port]
        kernels: Any = ops if self.create_graph else kernels_of(gradient)
        array = gradient._array if self.create_graph else gradient
        if array.shape != shape:
            gradient = kernels.sum_to(gradient, shape)
        if array.dtype != dtype:
            gradient = kernels.cast(gradient, dtype)
        if not isinstance(child, ManyOutputs):
            return gradient
        self._deliver_to_port(child, port, gradient)
        return None

    def _deliver_to_port(self, child: ManyOutputs, port: int, gradient: Any) -> None:
        sums = self.pending.get(child)
        if sums is None:
            sums = self.pending[child] = [None] * len(child.parts)
        if sums[port] is None:
            sums[port] = gradient
        elif self.create_graph:
            sums[port] = sums[port] + gradient
        else:
            sums[port] = kernels_of(gradient).add(sums[port], gradient)

    def _add(self, child: Node, gradient: Any) -> None:
        total = self.pending[child]
        if self.create_graph:
            self.pending[child] = total + gradient
            return
        kernels = cpu if type(total) is ndarray else kernels_of(total)
        if child in self.summed:
            kernels.add(total, gradient, total)
        else:
            self.pending[child] = kernels.add(total, gradient)
            self.summed.add(child)

    def accumulate(self, leaf: AccumulateGrad, g: Any) -> None:
        """Adds a gradient to the ``.grad`` of a leaf, which keeps an owned one as it is."""
        with leaf.lock:
            if self.create_graph:
                leaf.grad = ops.copied(g) if leaf.grad is None else leaf.grad + g
            elif leaf.grad is None:
                if not self._owns(leaf, g) or not g.flags.c_contiguous:
                    g = kernels_of(g).copy(g)
                leaf.grad = Tensor._wrap(g)
            else:
                total = leaf.grad._array
                if leaf.grad.requires_grad or not kernels_of(total).writable(total):
                    leaf.grad = Tensor._wrap(kernels_of(total).add(total, g))
                else:
                    kernels_of(total).add(total, g, total)
                    leaf.grad._changed()
        if leaf.extras is not None:
            hooks.run_accumulated(leaf)

    def _run_hooks(self, node: Node, g: Any) -> Any:
        """Shows the gradients to the node's hooks, which may replace them."""
        self.summed.discard(node)
        self.borrowed.add(node)  # a hook may keep what it is shown
        g = hooks.run_tensor_hooks(node, g, self.create_graph)
        stops = self.captured is not None and not any(
            e is not None and self.wanted is not None and e[0] in self.wanted for e in node.edges
        )
        return g if stops else hooks.run_pre_hooks(node, g, self.create_graph)


def _saved_tensor(value: Any, edge: Edge | None, counter: list[int]) -> Any:
    """A saved array as a tensor of its graph; numbers and None as they are."""
    if not hasattr(value, "shape"):
        return value
    tensor = Tensor._over(value, counter)
    tensor._edge = edge
    return tensor


class _Running(threading.local):
    backward: Pass | None = None


# The backward pass of this thread, for hooks that ask what it does.
running = _Running()
