"""The backward pass: order, depth, second passes, roots, autograd.grad, errors."""

from __future__ import annotations

import threading
import weakref
from typing import Any

import pytest
from helpers import leaf, ones

import rushlight
from rushlight import autograd
from rushlight.ops import _registry
from rushlight.ops._registry import op
from rushlight.tensor import Tensor

DEPTH = 100_000

# ---- Graphs ----


def test_diamond() -> None:
    """Both ways from a tensor to the loss count, each node runs once."""
    x = leaf(2.0)
    y = x * x
    (y * 3 + y * y).sum().backward()
    assert x.grad.tolist() == [3 * 2 * 2.0 + 4 * 2.0**3]


def test_reuse_in_one_op() -> None:
    x = leaf(3.0)
    (x + x + x * x * x).sum().backward()
    assert x.grad.tolist() == [2.0 + 27.0]


def test_ladder_of_diamonds() -> None:
    """2**60 paths, 60 nodes: each node's gradient is complete before it runs."""
    x = leaf(1.0)
    y = x
    for _ in range(60):
        y = y + y
    y.sum().backward()
    assert x.grad.item() == 2.0**60


def test_branches_that_lead_nowhere() -> None:
    x, y = leaf(1.0), leaf(1.0)
    unused = (x * y).exp()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0]
    assert y.grad is None and unused.requires_grad


def test_order_is_the_latest_first() -> None:
    seen: list[str] = []
    x = leaf(1.0)
    a, b, c = x * 2, x * 3, x * 4
    for name, t in {"b": b, "a": a, "c": c}.items():
        t.register_hook(lambda g, name=name: seen.append(name))
    (b + c + a).sum().backward()
    assert seen == ["c", "b", "a"]


def test_graph_is_walked_by_next_functions() -> None:
    w, x = ones(), rushlight.ones(2)
    loss = (w * x).mean()
    assert loss.grad_fn.name() == "MeanBackward0"
    mul = loss.grad_fn.next_functions[0][0]
    assert mul.name() == "MulBackward0"
    (accumulate, port), (nothing, _) = mul.next_functions
    assert accumulate.name() == "AccumulateGrad" and port == 0 and nothing is None
    assert accumulate.variable is w
    assert repr(mul).startswith("<MulBackward0 object at 0x")


def test_leaves_have_no_grad_fn() -> None:
    x = ones()
    assert x.is_leaf and x.grad_fn is None and (x * 2).grad_fn is not None
    assert rushlight.ones(1).is_leaf and not (x * 2).is_leaf
    assert not (rushlight.ones(2) * 2).requires_grad


# ---- Deep graphs ----


def chain(x: Any, n: int = DEPTH) -> Any:
    y = x
    for _ in range(n):
        y = y * 1.0
    return y


def test_deep_chain_runs_and_dies_without_recursion() -> None:
    x = ones()
    y = chain(x)
    node = weakref.ref(y.grad_fn)
    y.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]
    del y
    assert node() is None


def test_deep_chain_dies_before_any_backward() -> None:
    y = chain(ones())
    node = weakref.ref(y.grad_fn)
    del y
    assert node() is None


def test_deep_chain_with_create_graph() -> None:
    x = ones()
    (g,) = autograd.grad(chain(x, DEPTH // 10).sum(), x, create_graph=True)
    assert g.tolist() == [1.0, 1.0]
    node = weakref.ref(g.grad_fn) if g.grad_fn is not None else None
    del g
    assert node is None or node() is None


def test_deep_chain_to_inputs() -> None:
    x = ones()
    y = chain(x)
    assert autograd.grad(y.sum(), x)[0].tolist() == [1.0, 1.0]


# ---- Twice ----


def test_second_backward_fails() -> None:
    x = ones()
    loss = (x * x).sum()
    loss.backward()
    with pytest.raises(RuntimeError, match=r"^Trying to backward through the graph a second time"):
        loss.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_second_backward_of_what_saves_nothing() -> None:
    x = ones()
    loss = (x + 1).sum()
    loss.backward()
    loss.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_retain_graph() -> None:
    x = ones()
    loss = (x * x).sum()
    loss.backward(retain_graph=True)
    loss.backward(retain_graph=True)
    loss.backward()
    assert x.grad.tolist() == [6.0, 6.0]
    with pytest.raises(RuntimeError, match=r"a second time"):
        loss.backward()


def test_a_freed_part_of_another_graph() -> None:
    x = ones()
    y = x.exp()
    (y * 2).sum().backward()
    with pytest.raises(RuntimeError, match=r"a second time") as error:
        (y * 3).sum().backward()
    if hasattr(error.value, "__notes__"):  # from Python 3.11 on
        assert "y = x.exp()" in error.value.__notes__[0]


def test_create_graph_keeps_the_graph() -> None:
    x = leaf(3.0)
    loss = (x**3).sum()
    loss.backward(create_graph=True)
    assert x.grad.requires_grad
    g = x.grad
    x.grad = None
    g.sum().backward()
    assert x.grad.tolist() == [18.0]
    loss.backward()


def test_third_derivatives() -> None:
    x = leaf(2.0)
    (g,) = autograd.grad((x**4).sum(), x, create_graph=True)
    (h,) = autograd.grad(g.sum(), x, create_graph=True)
    (third,) = autograd.grad(h.sum(), x)
    assert third.tolist() == [48.0]
    assert not third.requires_grad


# ---- Roots ----


def test_roots_that_cannot_be() -> None:
    with pytest.raises(
        RuntimeError,
        match=r"^element 0 of tensors does not require grad and does not have a grad_fn",
    ):
        rushlight.ones(1).backward()
    with pytest.raises(RuntimeError, match=r"^element 1 of tensors does not require grad"):
        autograd.backward([ones().sum(), rushlight.ones(1)])
    with pytest.raises(
        RuntimeError, match=r"^grad can be implicitly created only for scalar outputs"
    ):
        (ones() * 2).backward()
    with pytest.raises(RuntimeError, match=r"^Mismatch in shape: grad_output"):
        (ones() * 2).backward(rushlight.ones(3))
    with pytest.raises(TypeError, match=r"gradients can be either Tensors or None"):
        autograd.backward([ones().sum()], [3.0])


def test_one_element_needs_no_gradient() -> None:
    x = leaf(2.0)
    (x * x).backward()
    assert x.grad.tolist() == [4.0]


def test_a_leaf_as_root() -> None:
    x = leaf(2.0)
    x.backward()
    assert x.grad.tolist() == [1.0]
    g = rushlight.full((1,), 5.0)
    x.backward(g)
    assert x.grad.tolist() == [6.0] and g.tolist() == [5.0]


def test_several_roots() -> None:
    x = ones()
    y = x * 2
    autograd.backward([y, y, (y * y).sum()], [rushlight.ones(2), rushlight.ones(2) * 2, None])
    assert x.grad.tolist() == [6.0 + 8.0] * 2


def test_a_root_inside_of_another_roots_graph() -> None:
    x = leaf(3.0)
    y = x * x
    z = y * 2
    autograd.backward([y.sum(), z.sum()])
    assert x.grad.tolist() == [6.0 + 12.0]


def test_gradients_of_another_type_are_cast() -> None:
    x = ones()
    (x * 2).backward(rushlight.ones(2, dtype=rushlight.float64))
    assert x.grad.dtype is rushlight.float32


# ---- autograd.grad and inputs= ----


def test_grad_leaves_grad_alone() -> None:
    x, y = leaf(2.0), leaf(3.0)
    gx, gy = autograd.grad(x * y, [x, y])
    assert (gx.item(), gy.item()) == (3.0, 2.0)
    assert x.grad is None and y.grad is None


def test_grad_of_intermediate_tensors() -> None:
    x = leaf(2.0)
    y = x * x
    assert autograd.grad(y * y, [y, x], retain_graph=True)[0].item() == 8.0
    assert autograd.grad(y * y, y)[0].item() == 8.0
    assert autograd.grad(y, y)[0].item() == 1.0


def test_grad_captures_before_it_adds_more() -> None:
    """What is captured must not be the memory that later gradients are added to."""
    x = ones()
    z = x * 3
    y = x.clone()
    gy, gx = autograd.grad((y * 2 + z).sum(), [y, x])
    assert gy.tolist() == [2.0, 2.0] and gx.tolist() == [5.0, 5.0]


def test_grad_runs_only_what_leads_to_its_inputs() -> None:
    ran: list[int] = []
    x, y = ones(), ones()
    side = y * 1
    side.register_hook(lambda g: ran.append(1))
    autograd.grad(((x * 2) * side.exp()).sum(), x)
    assert ran == []


def test_grad_of_what_was_not_used() -> None:
    x, y = ones(), ones()
    loss = (x * 2).sum()
    with pytest.raises(
        RuntimeError,
        match=r"^The differentiated Tensor at index 1 appears to not have been used in the graph",
    ):
        autograd.grad(loss, [x, y], retain_graph=True)
    gx, gy = autograd.grad(loss, [x, y], allow_unused=True, retain_graph=True)
    assert gx.tolist() == [2.0, 2.0] and gy is None
    _, gy = autograd.grad(loss, [x, y], materialize_grads=True)
    assert gy.tolist() == [0.0, 0.0]
    with pytest.raises(ValueError, match=r"^Expected allow_unused to be True or not passed"):
        autograd.grad(loss, [x], allow_unused=False, materialize_grads=True)


def test_grad_arguments_that_are_refused() -> None:
    with pytest.raises(RuntimeError, match=r"One of the differentiated Tensors does not require"):
        autograd.grad(ones().sum(), rushlight.ones(1))
    with pytest.raises(NotImplementedError, match=r"is_grads_batched=True"):
        autograd.grad(ones().sum(), ones(), is_grads_batched=True)


def test_grad_with_weights() -> None:
    x = ones()
    weights = rushlight.tensor([1.0, 5.0])
    assert autograd.grad(x * 2, x, weights)[0].tolist() == [2.0, 10.0]
    assert autograd.grad([x * 2, (x * x).sum()], x, [weights, None])[0].tolist() == [4.0, 12.0]
    assert weights.tolist() == [1.0, 5.0]


def test_grad_under_create_graph_through_weights() -> None:
    """The gradient is linear in its weights: the double-backward trick for forward mode."""
    x = leaf(2.0, 3.0)
    v = ones()
    (g,) = autograd.grad(x * x, x, v, create_graph=True)
    (jvp,) = autograd.grad(g, v, rushlight.tensor([1.0, 10.0]))
    assert jvp.tolist() == [4.0, 60.0]


def test_backward_to_inputs() -> None:
    x, y = ones(), ones()
    z = x * 3
    (z * y).sum().backward(inputs=[x, z], retain_graph=True)
    assert x.grad.tolist() == [3.0, 3.0] and z.grad.tolist() == [1.0, 1.0] and y.grad is None
    (z * y).sum().backward(inputs=y)
    assert y.grad.tolist() == [3.0, 3.0] and x.grad.tolist() == [3.0, 3.0]
    with pytest.raises(RuntimeError, match=r"`inputs` argument to `backward\(\)` cannot be empty"):
        (x * y).sum().backward(inputs=[])


# ---- Errors, threads ----


def test_an_error_in_a_formula_names_its_op() -> None:
    def fail(K: Any, g: Any) -> Any:
        raise ZeroDivisionError("no")

    scope: dict[str, Any] = {"Tensor": Tensor}
    exec("from __future__ import annotations\ndef broken(x: Tensor) -> Tensor: ...", scope)
    broken = op(x=fail, forward=lambda K, x: K.copy(x), method=False)(scope["broken"])
    _registry.registry.pop("broken")
    for create_graph in (False, True):
        loss = broken(ones()).sum()
        with pytest.raises(ZeroDivisionError) as caught:
            loss.backward(create_graph=create_graph)
        if hasattr(caught.value, "__notes__"):  # Python 3.11
            assert "BrokenBackward0 (broken): float32 [2]" in caught.value.__notes__[0]
        assert rushlight.is_grad_enabled()


def test_errors_leave_a_graph_that_can_be_tried_again() -> None:
    x = ones()
    y = x * 2
    handle = y.register_hook(lambda g: 1 / 0)
    loss = (y * 1).sum()
    with pytest.raises(ZeroDivisionError):
        loss.backward(retain_graph=True)
    handle.remove()
    loss.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_threads_run_their_own_passes() -> None:
    results: list[float] = []

    def work(k: int) -> None:
        x = leaf(float(k))
        for _ in range(50):
            x.grad = None
            y = x
            for _ in range(20):
                y = y * 1.0 + x * 0
            (y * y).sum().backward()
        results.append(x.grad.item() / k)

    threads = [threading.Thread(target=work, args=(k,)) for k in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [2.0] * 4
