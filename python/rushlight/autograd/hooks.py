"""Running the hooks of a node, in PyTorch's order.

Those of each output tensor, then the retained gradients are kept, then the node's pre-hooks, then
the node runs, then its post-hooks; a leaf's accumulation hooks come last.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight.autograd.node import AccumulateGrad, ManyOutputs, Node
from rushlight.tensor import Tensor


def _wrapped(gradient: Any) -> Any:
    """What a hook is shown: the gradient as a tensor."""
    return gradient if gradient is None or isinstance(gradient, Tensor) else Tensor._wrap(gradient)


def _unwrapped(tensor: Any, recorded: bool) -> Any:
    return tensor if recorded or tensor is None else tensor._array


def run_tensor_hooks(node: Node, g: Any, recorded: bool) -> Any:
    """The gradients after the hooks on the node's output tensors; keeps those to be retained."""
    extras = node.extras
    assert extras is not None
    gradients = g if isinstance(g, list) else [g]
    for port in {*extras.hooks, *extras.retained}:
        if gradients[port] is None:
            continue
        tensor = _wrapped(gradients[port])
        for hook in list(extras.hooks.get(port, {}).values()):
            replaced = hook(tensor)
            if replaced is not None:
                _check_replacement(hook, tensor, replaced)
                tensor = replaced
        if port in extras.retained:
            kept = extras.retained[port]
            extras.retained[port] = tensor if kept is None else kept + tensor
        gradients[port] = _unwrapped(tensor, recorded)
    return gradients if isinstance(g, list) else gradients[0]


def run_pre_hooks(node: Node, g: Any, recorded: bool) -> Any:
    """The gradients after the node's pre-hooks."""
    extras = node.extras
    assert extras is not None
    if not extras.pre_hooks:
        return g
    gradients = tuple(map(_wrapped, g if isinstance(g, list) else [g]))
    for hook in list(extras.pre_hooks.values()):
        replaced = hook(gradients)
        if replaced is not None:
            gradients = _as_tuple(hook, replaced, len(gradients))
    results = [_unwrapped(t, recorded) for t in gradients]
    return results if isinstance(node, ManyOutputs) else results[0]


def run_post_hooks(node: Node, gradients: Sequence[Any], g: Any, recorded: bool) -> Sequence[Any]:
    """The gradients of the node's inputs after its post-hooks."""
    extras = node.extras
    assert extras is not None
    given = tuple(map(_wrapped, g if isinstance(g, list) else [g]))
    results = tuple(map(_wrapped, gradients))
    for hook in list(extras.post_hooks.values()):
        replaced = hook(results, given)
        if replaced is not None:
            results = _as_tuple(hook, replaced, len(results))
    return tuple(_unwrapped(t, recorded) for t in results)


def run_accumulated(leaf: AccumulateGrad) -> None:
    """The hooks that wait for a leaf's gradient."""
    extras = leaf.extras
    assert extras is not None
    for hook in list(extras.post_hooks.values()):
        hook((), (leaf.grad,))
    for accumulated in list(extras.accumulated.values()):
        accumulated(leaf.variable)


def _as_tuple(hook: Any, value: Any, count: int) -> tuple[Any, ...]:
    values = value if isinstance(value, tuple | list) else (value,)
    if len(values) != count:
        raise RuntimeError(
            f"hook '{_name(hook)}' has returned an incorrect number of values (got {len(values)}, "
            f"but expected {count})"
        )
    return tuple(values)


def _check_replacement(hook: Any, given: Tensor, value: Any) -> None:
    if not isinstance(value, Tensor):
        raise TypeError(f"expected Variable, but hook returned '{type(value).__name__}'")
    if value.dtype != given.dtype:
        raise RuntimeError(
            f"hook '{_name(hook)}' has changed the type of value (was {given.type()} got "
            f"{value.type()})"
        )
    if value.shape != given.shape:
        raise RuntimeError(
            f"hook '{_name(hook)}' has changed the size of value: from {list(given.shape)} to "
            f"{list(value.shape)}"
        )


def _name(hook: Any) -> str:
    return getattr(hook, "__name__", type(hook).__name__)
