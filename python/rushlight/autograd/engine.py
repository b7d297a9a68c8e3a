"""The backward pass: from the roots to the leaves, each node once its gradient is complete.

One pass over the graph counts how many gradients each node will get. Then a heap hands out the
ready nodes, the latest operation first, as PyTorch does. Nothing here is recursive, so the depth of
a graph is bounded by memory alone.

A gradient is *owned* when nobody else holds its memory: then later ones are added to it in place,
and a leaf keeps it as its ``.grad``. Otherwise it is *borrowed*, and the first sum, or the leaf,
allocates.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush, heappushpop
from typing import Any

from numpy import ndarray

from rushlight import errors, ops
from rushlight.autograd.grad_mode import state as grad_state
from rushlight.autograd.node import AccumulateGrad, Edge, Node
from rushlight.backend import cpu, kernels_of
from rushlight.tensor import Tensor

__all__ = ["backward", "grad"]


class _Pass:
    """One backward pass.

    Attributes:
        counts: how many gradients each node still waits for.
        pending: the sum of the gradients that each node has got so far.
        summed: nodes whose sum has memory of its own.
        borrowed: nodes whose sum is somebody else's memory.
        inherited: nodes whose sum views memory that nobody else uses.
        wanted: the nodes that lead to the inputs asked for; None: all.
        captured: gradients of the inputs asked for, by node.
    """

    def __init__(self, retain_graph: bool, create_graph: bool) -> None:
        self.retain_graph = retain_graph
        self.create_graph = create_graph
        self.counts: dict[Node, int] = {}
        self.pending: dict[Node, Any] = {}
        self.summed: set[Node] = set()
        self.borrowed: set[Node] = set()
        self.inherited: set[Node] = set()
        self.wanted: set[Node] | None = None
        self.captured: dict[Node, Any] | None = None

    def run(self, roots: Sequence[Node]) -> None:
        """Runs every node that the roots lead to."""
        roots = list(dict.fromkeys(roots))
        self._count(roots)
        previous = grad_state.enabled
        grad_state.enabled = self.create_graph
        try:
            self._walk(roots)
        finally:
            grad_state.enabled = previous

    def restrict_to(self, roots: Sequence[Node], inputs: Sequence[Node]) -> None:
        """Limits the pass to the paths that end in `inputs`, whose gradients are captured."""
        self.captured = dict.fromkeys(inputs)
        wanted = set(inputs)
        # From the first operation to the last: every node comes after all it leads to.
        for node in sorted(_reachable(roots), key=lambda node: -node.order):
            if any(edge is not None and edge[0] in wanted for edge in node.edges):
                wanted.add(node)
        self.wanted = wanted

    def _count(self, roots: list[Node]) -> None:
        counts = self.counts
        for root in roots:
            counts[root] = 0
        stack = list(roots)
        while stack:
            for edge in stack.pop().edges:
                if edge is not None:
                    child = edge[0]
                    if child in counts:
                        counts[child] += 1
                    else:
                        counts[child] = 1
                        stack.append(child)

    def _walk(self, roots: list[Node]) -> None:  # noqa: C901 - one loop, without calls
        counts, pending, recorded = self.counts, self.pending, self.create_graph
        ready = sorted((node.order, node) for node in roots if not counts[node])
        node: Node | None = None
        while node is not None or ready:
            if node is None:
                node = heappop(ready)[1]
            g = pending.pop(node, None)
            if node.extras is not None and g is not None:
                g = self._run_hooks(node, g)
            following: Node | None = None
            for edge, gradient in zip(node.edges, self._apply(node, g), strict=False):
                if edge is None:
                    continue
                child = edge[0]
                if gradient is not None:
                    array = gradient._array if recorded else gradient
                    if array.shape != child.shape or array.dtype is not child.dtype:
                        gradient = self._settle(child, gradient)
                    if child in pending:
                        self._add(child, gradient)
                    else:
                        pending[child] = gradient
                        if gradient is g or node.view:
                            self._note_owner(node, child, g, gradient)
                waits = counts[child]
                if waits > 1:
                    counts[child] = waits - 1
                elif following is None:
                    following = child
                else:
                    heappush(ready, (child.order, child))
            # In a chain the next node need not pass through the heap.
            if following is not None and ready:
                following = heappushpop(ready, (following.order, following))[1]
            node = following

    def _apply(self, node: Node, g: Any) -> Sequence[Any]:
        """The gradients of a node's inputs, None for those that are not wanted."""
        edges = node.edges
        if not edges:
            self._finish(node, g)
            return edges
        if self.captured is not None:
            edges = self._wanted_edges(node, g)
            if not any(edges):
                g = None
        if g is None:
            return (None,) * len(edges)
        try:
            if self.create_graph:
                return node.backward_recorded(ops, g, edges, self.retain_graph, _saved_tensor)
            kernels = cpu if type(g) is ndarray else kernels_of(g)
            return node.backward(kernels, g, edges, self.retain_graph)
        except Exception as error:
            errors.noted(error, f"raised in the backward pass of {node.op}")
            raise

    def _wanted_edges(self, node: Node, g: Any) -> tuple[Edge | None, ...]:
        assert self.captured is not None and self.wanted is not None
        if node in self.captured:
            self.captured[node] = g
            self.summed.discard(node)
            self.borrowed.add(node)
        return tuple(e if e is not None and e[0] in self.wanted else None for e in node.edges)

    def _finish(self, node: Node, g: Any) -> None:
        """A node without inputs: the gradient of a leaf."""
        if self.captured is not None:
            if node in self.captured:
                self.captured[node] = g
        elif g is not None and isinstance(node, AccumulateGrad):
            self.accumulate(node, g)

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
        if len(node.edges) > 1 or not self._owns(node, g):
            self.borrowed.add(child)
        elif gradient is not g:
            self.inherited.add(child)

    def deliver(self, child: Node, gradient: Any, borrowed: bool) -> None:
        """Adds a root's gradient to what its node has got so far."""
        if child in self.pending:
            self._add(child, gradient)
            return
        self.pending[child] = gradient
        if borrowed:
            self.borrowed.add(child)

    def _settle(self, child: Node, gradient: Any) -> Any:
        if self.create_graph:
            if gradient._array.shape != child.shape:
                gradient = ops.sum_to(gradient, child.shape)
            if gradient._array.dtype != child.dtype:
                gradient = ops.cast(gradient, child.dtype)
            return gradient
        kernels = kernels_of(gradient)
        if gradient.shape != child.shape:
            gradient = kernels.sum_to(gradient, child.shape)
        if gradient.dtype != child.dtype:
            gradient = kernels.cast(gradient, child.dtype)
        return gradient

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
        if self.create_graph:
            leaf.grad = g if leaf.grad is None else leaf.grad + g
        elif leaf.grad is None:
            if not self._owns(leaf, g) or not g.flags.c_contiguous:
                g = kernels_of(g).copy(g)
            leaf.grad = Tensor._wrap(g)
        else:
            total = leaf.grad._array
            if leaf.grad._edge is not None or not kernels_of(total).writable(total):
                leaf.grad = Tensor._wrap(kernels_of(total).add(total, g))
            else:
                kernels_of(total).add(total, g, total)
                leaf.grad._counter[0] += 1

    def _run_hooks(self, node: Node, g: Any) -> Any:
        """Shows the gradient to the hooks of the node, which may replace it, and retains it."""
        extras = node.extras
        assert extras is not None
        if not extras.hooks and not extras.retains:
            return g
        self.summed.discard(node)
        self.borrowed.add(node)  # a hook may keep what it is shown
        tensor = g if self.create_graph else Tensor._wrap(g)
        for hook in list(extras.hooks.values()):
            replaced = hook(tensor)
            if replaced is not None:
                _check_replacement(node, replaced)
                tensor = replaced
        if extras.retains:
            kept = extras.retained
            extras.retained = tensor if kept is None else kept + tensor
        return tensor if self.create_graph else tensor._array


def _saved_tensor(value: Any, edge: Edge | None, counter: list[int]) -> Any:
    """A saved array as a tensor of its graph; numbers and None as they are."""
    if not hasattr(value, "shape"):
        return value
    tensor = Tensor._wrap(value)
    tensor._edge = edge
    tensor._counter = counter
    return tensor


def _reachable(roots: Sequence[Node]) -> set[Node]:
    seen = set(roots)
    stack = list(seen)
    while stack:
        for edge in stack.pop().edges:
            if edge is not None and edge[0] not in seen:
                seen.add(edge[0])
                stack.append(edge[0])
    return seen


def _check_replacement(node: Node, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{node.op}: expected hook to return a Tensor or None, got {type(value).__name__}"
        )
    if value._array.shape != node.shape:
        raise RuntimeError(
            f"hook '{node.op}' has changed the size of value: from {list(node.shape)} "
            f"to {list(value.shape)}"
        )


def _root_gradient(tensor: Tensor, gradient: Tensor | None, create_graph: bool) -> Any:
    """The gradient to start from, as the engine handles it; ones for a scalar."""
    array = tensor._array
    if gradient is None:
        if array.size != 1:
            raise errors.not_scalar(array.shape)
        ones = kernels_of(array).full(array.shape, 1, array.dtype)
        return Tensor._wrap(ones) if create_graph else ones
    if not isinstance(gradient, Tensor):
        raise TypeError(
            f"gradients can be either Tensors or None, but got {type(gradient).__name__}"
        )
    if gradient._array.shape != array.shape:
        raise RuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {gradient.shape} and output[0] has "
            f"a shape of {tensor.shape}."
        )
    return gradient if create_graph else gradient._array


def _start(tensors: Sequence[Tensor], gradients: Sequence[Tensor | None], run: _Pass) -> list[Node]:
    roots = []
    for i, (tensor, gradient) in enumerate(zip(tensors, gradients, strict=True)):
        if tensor._edge is None:
            raise RuntimeError(
                f"element {i} of tensors does not require grad and does not have a grad_fn"
            )
        node = tensor._edge[0]
        root = _root_gradient(tensor, gradient, run.create_graph)
        run.deliver(node, root, gradient is not None)
        roots.append(node)
    return roots


def _as_sequence(values: Any, count: int | None = None) -> Sequence[Any]:
    if values is None:
        return [None] * (count or 0)
    return [values] if isinstance(values, Tensor) else list(values)


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Adds to the ``.grad`` of each leaf the gradient of the sum of `tensors`, each weighted.

    Args:
        tensors: what to differentiate.
        grad_tensors: the weights, of the tensors' shapes; None for scalars: 1.
        retain_graph: keep the graph for another backward pass; `create_graph` by default.
        create_graph: record the pass itself, for derivatives of higher order.
        grad_variables: the old name of `grad_tensors`.
        inputs: only accumulate into these leaves.

    Raises:
        RuntimeError: for a tensor that does not require grad, for one with several elements and
            no weight, for a graph that was freed, and for a saved value that was changed since.
    """
    tensors = _as_sequence(tensors)
    weights = grad_tensors if grad_tensors is not None else grad_variables
    run = _Pass(create_graph if retain_graph is None else retain_graph, create_graph)
    roots = _start(tensors, _as_sequence(weights, len(tensors)), run)
    if inputs is None:
        run.run(roots)
        return
    leaves = _as_sequence(inputs)
    if not leaves:
        raise RuntimeError("'inputs' argument to backward() cannot be empty.")
    nodes = [_input_node(t) for t in leaves]
    run.restrict_to(roots, nodes)
    run.run(roots)
    captured, run.captured = run.captured, None
    for tensor, node in zip(leaves, nodes, strict=True):
        g = captured[node] if captured else None
        if g is None:
            continue
        if isinstance(node, AccumulateGrad):
            run.accumulate(node, g)
        else:
            value = g if create_graph else Tensor._wrap(kernels_of(g).copy(g))
            tensor.grad = value if tensor.grad is None else tensor.grad + value


def _input_node(tensor: Tensor) -> Node:
    if tensor._edge is None:
        raise RuntimeError("One of the differentiated Tensors does not require grad")
    return tensor._edge[0]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Tensor | None, ...]:
    """The gradients of the sum of `outputs`, each weighted, with respect to `inputs`.

    Args:
        outputs: what to differentiate.
        inputs: leaves or intermediate tensors of the outputs' graph.
        grad_outputs: the weights, of the outputs' shapes; None for scalars: 1.
        retain_graph: keep the graph for another backward pass; `create_graph` by default.
        create_graph: record the pass itself, so that the results can be differentiated.
        only_inputs: ignored, as in PyTorch.
        allow_unused: give None for inputs that the outputs do not depend on, instead of an error.
        is_grads_batched: not supported.
        materialize_grads: give zeros instead of None.

    Raises:
        RuntimeError: as `backward`, and for an unused input unless `allow_unused`.
    """
    if is_grads_batched:
        raise NotImplementedError("grad(): is_grads_batched=True is not supported")
    if materialize_grads and allow_unused is False:
        raise ValueError(
            "Expected allow_unused to be True or not passed when materialize_grads=True, "
            "but got: allow_unused=False."
        )
    outputs, inputs = _as_sequence(outputs), _as_sequence(inputs)
    run = _Pass(create_graph if retain_graph is None else retain_graph, create_graph)
    roots = _start(outputs, _as_sequence(grad_outputs, len(outputs)), run)
    nodes = [_input_node(t) for t in inputs]
    run.restrict_to(roots, nodes)
    run.run(roots)
    results: list[Tensor | None] = []
    for tensor, node in zip(inputs, nodes, strict=True):
        g = run.captured[node] if run.captured else None
        if g is None and not (allow_unused or materialize_grads):
            raise RuntimeError(
                "One of the differentiated Tensors appears to not have been used in the graph. "
                "Set allow_unused=True if this is the desired behavior."
            )
        if g is None:
            zeros = materialize_grads and kernels_of(tensor._array).full(node.shape, 0, node.dtype)
            results.append(Tensor._wrap(zeros) if materialize_grads else None)
        else:
            results.append(g if create_graph else Tensor._wrap(g))
    return tuple(results)


def _tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Tensor | Sequence[Tensor] | None = None,
) -> None:
    """Adds the gradients of this tensor to the ``.grad`` of the leaves; see autograd.backward."""
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


Tensor.backward = _tensor_backward
