"""`backward` and `grad`: what to differentiate, and with respect to what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numpy import ndarray

from rushlight import errors
from rushlight.autograd.engine import Pass
from rushlight.autograd.node import AccumulateGrad, Edge, GradientEdge, Node
from rushlight.autograd.site import here
from rushlight.autograd.site import text as place
from rushlight.autograd.views import edge_of
from rushlight.backend import cpu, kernels_of
from rushlight.tensor import Tensor

__all__ = ["backward", "grad"]


def backward(
    tensors: Any,
    grad_tensors: Tensor | Sequence[Tensor | None] | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Adds to the ``.grad`` of each leaf the gradient of the sum of `tensors`, each weighted.

    Args:
        tensors: what to differentiate: tensors, or the edges of some.
        grad_tensors: the weights, of the tensors' shapes; None for scalars: 1.
        retain_graph: keep the graph for another backward pass; `create_graph` by default.
        create_graph: record the pass itself, for derivatives of higher order.
        grad_variables: the old name of `grad_tensors`.
        inputs: only accumulate into these tensors.

    Raises:
        RuntimeError: for a tensor that does not require grad, for one with several elements and
            no weight, for a graph that was freed, and for a saved value that was changed since.
    """
    if grad_variables is not None:
        if grad_tensors is not None:
            raise RuntimeError(
                "`grad_tensors` and `grad_variables` (deprecated) arguments both passed to "
                "`backward()`. Please only use `grad_tensors`."
            )
        grad_tensors = grad_variables
    tensors = _as_sequence(tensors)
    run = Pass(create_graph if retain_graph is None else retain_graph, create_graph)
    roots = _start(tensors, _weights(grad_tensors, len(tensors)), run)
    if inputs is None:
        run.run(roots)
        return
    targets = _as_sequence(inputs)
    if not targets:
        raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
    edges = [_input_edge(t) for t in targets]
    run.run(roots, edges)
    captured, run.captured = run.captured or {}, None
    once = {id(t): (t, edge) for t, edge in zip(targets, edges, strict=True)}
    for target, (node, port) in once.values():
        g = captured[node][port]
        if g is None:
            continue
        if isinstance(node, AccumulateGrad):
            run.accumulate(node, g)
        else:
            value = g if create_graph else Tensor._wrap(kernels_of(g).copy(g))
            kept = target.__dict__.get("_grad")
            target.__dict__["_grad"] = value if kept is None else kept + value


def grad(
    outputs: Any,
    inputs: Any,
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
        outputs: what to differentiate: tensors, or the edges of some.
        inputs: leaves or intermediate tensors of the outputs' graph, or edges.
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
    if not inputs:
        raise RuntimeError("`inputs` argument to `grad()` cannot be empty.")
    run = Pass(create_graph if retain_graph is None else retain_graph, create_graph)
    edges = [_input_edge(t) for t in inputs]
    roots = _start(outputs, _weights(grad_outputs, len(outputs)), run)
    run.run(roots, edges)
    results: list[Tensor | None] = []
    for i, (node, port) in enumerate(edges):
        g = run.captured[node][port] if run.captured else None
        if g is not None:
            results.append(g if create_graph else Tensor._wrap(g))
            continue
        if not (allow_unused or materialize_grads):
            raise errors.noted(
                RuntimeError(
                    f"The differentiated Tensor at index {i} appears to not have been used in the "
                    "graph. Set allow_unused=True if this is the desired behavior."
                ),
                f"The tensor is of {node.describe()}",
            )
        results.append(_zeros(inputs[i], node, port) if materialize_grads else None)
    return tuple(results)


def _zeros(target: Any, node: Node, port: int) -> Tensor:
    shape, dtype = node.outputs()[port]
    kernels = kernels_of(target._array) if isinstance(target, Tensor) else kernels_of()
    return Tensor._wrap(kernels.full(shape, 0, dtype))


def _as_sequence(values: Any) -> Sequence[Any]:
    return [values] if isinstance(values, Tensor | GradientEdge) else list(values)


def _weights(values: Any, count: int) -> Sequence[Any]:
    if values is None:
        return (None,) * count
    weights = _as_sequence(values)
    if len(weights) != count:
        raise RuntimeError(f"got {count} tensors and {len(weights)} gradients")
    return weights


def _input_edge(target: Any) -> Edge:
    if isinstance(target, GradientEdge):
        return (target.node, target.output_nr)
    if not isinstance(target, Tensor):
        raise RuntimeError(
            f"all inputs have to be Tensors or GradientEdges, but got {type(target).__name__}"
        )
    edge = edge_of(target)
    if edge is None:
        raise errors.noted(
            RuntimeError("One of the differentiated Tensors does not require grad"), _facts(target)
        )
    return edge


def _facts(tensor: Tensor) -> str:
    where = place(here())
    words = f"It is {tensor.dtype} {list(tensor.shape)}, made by no recorded operation"
    return f"{words}; asked for at {where}" if where else words


def _start(roots: Sequence[Any], weights: Sequence[Any], run: Pass) -> list[Node]:
    nodes = []
    for i, root in enumerate(roots):
        edge = (root.node, root.output_nr) if isinstance(root, GradientEdge) else edge_of(root)
        if edge is None:
            raise errors.noted(
                RuntimeError(
                    f"element {i} of tensors does not require grad and does not have a grad_fn"
                ),
                _facts(root),
            )
        weight = weights[i]
        run.deliver(edge, _root_gradient(root, edge, i, weight, run), weight is not None)
        nodes.append(edge[0])
    return nodes


def _root_gradient(root: Any, edge: Edge, index: int, weight: Any, run: Pass) -> Any:
    """The gradient to start from, as the engine handles it; ones for a scalar."""
    if weight is None and isinstance(root, Tensor) and root._array.size == 1:
        array = root._array
        ones = (cpu if type(array) is ndarray else kernels_of(array)).full(
            array.shape, 1, array.dtype
        )
        return Tensor._wrap(ones) if run.create_graph else ones
    shape, dtype = edge[0].outputs()[edge[1]]
    if weight is None:
        if any(n != 1 for n in shape):
            raise errors.noted(
                errors.not_scalar(shape), f"It is the output of {edge[0].describe()}"
            )
        ones = cpu.full(shape, 1, dtype)
        return Tensor._wrap(ones) if run.create_graph else ones
    if not isinstance(weight, Tensor):
        raise TypeError(f"gradients can be either Tensors or None, but got {type(weight).__name__}")
    if weight._array.shape != shape:
        raise errors.noted(
            RuntimeError(
                f"Mismatch in shape: grad_output[{index}] has a shape of {weight.shape} and "
                f"output[{index}] has a shape of {type(weight.shape)(shape)}."
            ),
            f"The output is of {edge[0].describe()}",
        )
    if weight._array.dtype != dtype:
        weight = weight.to(root.dtype)
    return weight if run.create_graph else weight._array


def _tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Adds the gradients of this tensor to the ``.grad`` of the leaves; see autograd.backward."""
    backward(self, gradient, retain_graph, create_graph, inputs=inputs)


Tensor.backward = _tensor_backward
