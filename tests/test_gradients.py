"""What ends in ``.grad``: accumulation, ownership of memory, hooks, and that nothing leaks."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from helpers import leaf, ones

import rushlight
from rushlight import autograd
from rushlight.autograd.node import Node

# ---- Accumulation and memory of gradients ----


def share(a: Any, b: Any) -> bool:
    return np.shares_memory(a.numpy(), b.numpy())


def test_gradients_accumulate() -> None:
    x = ones()
    (x * 2).sum().backward()
    first = x.grad
    (x * 3).sum().backward()
    assert x.grad is first and first.tolist() == [5.0, 5.0]
    x.grad = None
    (x * 3).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0] and first.tolist() == [5.0, 5.0]


LINEAR_FUNCTIONS = {
    "add": lambda x, y: x + y,
    "sub": lambda x, y: x - y,
    "add of views": lambda x, y: x.view(1, 2) + y.view(1, 2),
    "clones": lambda x, y: x.clone() + y.clone(),
    "cat": lambda x, y: rushlight.cat([x, y])[:4],
    "where": lambda x, y: rushlight.where(rushlight.tensor([True, False]), x, y),
    "reused": lambda x, y: (x + y) + (x + y),
    "transposed": lambda x, y: (x.unsqueeze(0).t() + y.unsqueeze(1)).t(),
    "views in turn": lambda x, y: x.view(2, 1).view(1, 2).squeeze() + y,
}


@pytest.mark.parametrize("function", LINEAR_FUNCTIONS.values(), ids=LINEAR_FUNCTIONS)
@pytest.mark.parametrize("given", [True, False])
def test_no_two_gradients_share_memory(function: Any, given: bool) -> None:
    """Neither with each other nor with the gradient of the user, which stays as it was."""
    x, y = ones(), ones()
    out = function(x, y)
    weights = rushlight.arange(1, out.numel() + 1, dtype=rushlight.float32).view(out.shape)
    before = weights.tolist()
    if given:
        out.backward(weights)
    else:
        out.sum().backward()
    assert not share(x.grad, y.grad)
    assert not share(x.grad, weights) and not share(y.grad, weights)
    kept = y.grad.tolist()
    x.grad += 100
    (x * 5).sum().backward()
    assert y.grad.tolist() == kept and weights.tolist() == before


def test_a_stolen_gradient_is_added_to_in_place() -> None:
    x = ones()
    (x * 2).sum().backward()
    memory = x.grad._array
    version = x.grad._version
    (x * 2).sum().backward()
    assert x.grad._array is memory and x.grad._version == version + 1
    assert x.grad.tolist() == [4.0, 4.0]


def test_an_assigned_gradient_is_added_to() -> None:
    x = ones()
    x.grad = rushlight.full((2,), 10.0)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [12.0, 12.0]


def test_a_gradient_of_read_only_memory_is_replaced() -> None:
    x = ones()
    x.grad = rushlight.ones(1).expand(2)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]


def test_gradients_are_contiguous() -> None:
    x = rushlight.ones(2, 3, requires_grad=True)
    x.t().backward(rushlight.ones(3, 2))
    assert x.grad.is_contiguous() and x.grad.shape == (2, 3)
    x.grad = None
    x.sum().backward()
    x.grad[0, 0] = 7
    assert x.grad.tolist() == [[7.0, 1.0, 1.0], [1.0, 1.0, 1.0]]


WRONG_GRADS = [
    (TypeError, "assigned grad expected to be a Tensor or None", lambda x: 3),
    (
        RuntimeError,
        "attempting to assign a gradient of size '\\[3\\]'",
        lambda x: rushlight.ones(3),
    ),
    (RuntimeError, "attempting to assign a gradient with dtype", lambda x: x.detach().double()),
    (RuntimeError, "can't assign Variable as its own grad", lambda x: x),
]


@pytest.mark.parametrize(("kind", "message", "value"), WRONG_GRADS)
def test_gradients_that_cannot_be_assigned(kind: Any, message: str, value: Any) -> None:
    x = ones()
    with pytest.raises(kind, match=message):
        x.grad = value(x)
    assert x.grad is None


def test_requires_grad_switched_keeps_the_gradient() -> None:
    x = ones()
    x.sum().backward()
    x.requires_grad = False
    assert x.grad.tolist() == [1.0, 1.0] and not (x * 2).requires_grad
    x.requires_grad_()
    assert x.grad.tolist() == [1.0, 1.0]


def test_what_cannot_require_grad() -> None:
    with pytest.raises(RuntimeError, match=r"Only Tensors of floating point"):
        rushlight.ones(2, dtype=rushlight.int64, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"you can only change requires_grad flags of leaf"):
        (ones() * 2).requires_grad = False


# ---- No leaks: with the collector off, memory dies with the last reference ----


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


GRAPHS = {
    "products": lambda x: (x * x * x).sum(),
    "outputs": lambda x: x.exp().tanh().sigmoid().sum(),
    "views": lambda x: x.view(1, -1).t()[0].mean(),
    "indices": lambda x: x[[0, 1]].sum(),
    "cat": lambda x: rushlight.cat([x, x]).std(),
    "softmax": lambda x: x.softmax(0)[0],
    "in place": lambda x: x.clone().mul_(x).add_(1).sum(),
}


@pytest.mark.parametrize("run", ["no backward", "backward", "create_graph"])
@pytest.mark.parametrize("function", GRAPHS.values(), ids=GRAPHS)
@pytest.mark.usefixtures("collector_off")
def test_graphs_die_at_once(function: Any, run: str) -> None:
    x = leaf(1.0, 2.0)
    loss = function(x)
    references = [weakref.ref(loss), *map(weakref.ref, nodes_of(loss))]
    if run == "backward":
        loss.backward()
    elif run == "create_graph":
        (g,) = autograd.grad(loss, x, create_graph=True)
        references += [weakref.ref(g), *map(weakref.ref, nodes_of(g))]
        del g
    del loss
    assert [r for r in references if r() is not None and r() is not x._edge[0]] == []
    accumulate = weakref.ref(x._edge[0])
    del x
    assert accumulate() is None


def nodes_of(t: Any) -> list[Node]:
    found: list[Node] = []
    stack = [t.grad_fn]
    while stack:
        node = stack.pop()
        if node is not None and node not in found:
            found.append(node)
            stack += [n for n, _ in node.next_functions]
    return found


@pytest.mark.usefixtures("collector_off")
def test_saved_values_die_as_their_node_finishes() -> None:
    x = ones()
    y = x.exp()
    saved = weakref.ref(y._array)
    loss = (y * 2).sum()
    del y
    assert saved() is not None
    loss.backward()
    assert saved() is None and loss.requires_grad


@pytest.mark.usefixtures("collector_off")
def test_inputs_that_are_not_saved_die_at_once() -> None:
    x = ones()
    y = x * 2
    memory = weakref.ref(y._array)
    z = y + 1
    del y
    assert memory() is None and z.requires_grad


# ---- Hooks ----


def test_hooks_see_and_replace() -> None:
    seen: list[list[float]] = []
    x = ones()
    y = x * 3
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 2)
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.sum().backward()
    assert seen == [[1.0, 1.0], [2.0, 2.0]]
    assert x.grad.tolist() == [6.0, 6.0]


def test_hooks_on_leaves() -> None:
    x = ones()
    handle = x.register_hook(lambda g: g + 1)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [3.0, 3.0]
    handle.remove()
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]


def test_a_hook_runs_once_on_the_whole_gradient() -> None:
    seen: list[list[float]] = []
    x = ones()
    y = x * 1
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y + y * 3).sum().backward()
    assert seen == [[4.0, 4.0]]


def test_a_handle_as_context_manager() -> None:
    x = ones()
    with x.register_hook(lambda g: g * 0):
        x.sum().backward()
    assert x.grad.tolist() == [0.0, 0.0]
    x.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("hooked", [lambda x: x, lambda x: x.clone(), lambda x: x.view(1, 2)])
def test_what_a_hook_keeps_is_not_the_leafs(hooked: Any) -> None:
    kept: list[Any] = []
    x = ones()
    y = hooked(x)
    y.register_hook(kept.append)
    for loss in ((y * 2).sum(), (y * 2 + y * 3).sum()):
        x.grad = None
        loss.backward(retain_graph=True)
        assert not share(kept.pop(), x.grad)


def test_a_retained_gradient_is_not_the_leafs() -> None:
    x = ones()
    y = x.clone()
    y.retain_grad()
    (y * 2).sum().backward()
    assert not share(y.grad, x.grad)


def test_what_a_hook_keeps_stays() -> None:
    kept: list[Any] = []
    x = ones()
    y = x.clone()
    y.register_hook(kept.append)
    ((y * 2) + (x * 3)).sum().backward()
    (x * 7).sum().backward()
    assert kept[0].tolist() == [2.0, 2.0]


def test_hooks_that_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"cannot register a hook on a tensor that doesn't requ"):
        rushlight.ones(1).register_hook(print)
    x = ones()
    x.register_hook(lambda g: 3)
    with pytest.raises(TypeError, match=r"expected Variable, but hook returned 'int'"):
        x.sum().backward()
    y = ones()
    y.register_hook(lambda g: g[:1])
    with pytest.raises(RuntimeError, match=r"has changed the size of value"):
        y.sum().backward()


def test_hooks_under_create_graph_are_recorded() -> None:
    x = leaf(3.0)
    y = x * x
    y.register_hook(lambda g: g * x)
    (g,) = autograd.grad(y.sum(), x, create_graph=True)
    assert g.tolist() == [18.0]
    assert autograd.grad(g.sum(), x)[0].tolist() == [12.0]


def test_retain_grad() -> None:
    x = ones()
    y = x * 2
    y.retain_grad()
    y.retain_grad()
    assert y.retains_grad and not x.retains_grad
    (y * 3).sum().backward(retain_graph=True)
    assert y.grad.tolist() == [3.0, 3.0]
    (y * 3).sum().backward()
    assert y.grad.tolist() == [6.0, 6.0]
    with pytest.warns(UserWarning, match=r"The .grad attribute of a Tensor that is not a leaf"):
        assert (x * 2).grad is None
    with pytest.raises(RuntimeError, match=r"can't retain_grad on Tensor that has requires_grad=F"):
        rushlight.ones(1).retain_grad()


def test_a_retained_gradient_is_not_changed_later() -> None:
    x = ones()
    z = x * 3
    y = x.clone()
    y.retain_grad()
    (y * 2 + z).sum().backward()
    assert y.grad.tolist() == [2.0, 2.0] and x.grad.tolist() == [5.0, 5.0]
