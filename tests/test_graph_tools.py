"""autograd.graph, autograd.Variable, forward_ad: as PyTorch's where they exist."""

from __future__ import annotations

import gc
import weakref
from types import ModuleType
from typing import Any

import pytest

import rushlight
from rushlight.autograd import graph


def leaves(module: ModuleType, count: int = 3) -> list[Any]:
    return [module.full((2,), float(i + 1), requires_grad=True) for i in range(count)]


def run_multi(m: ModuleType, mode: str) -> list[Any]:
    """What a hook on three tensors and one that takes no part is given, in several passes."""
    a, b, c = leaves(m)
    d = (a * b).exp()
    seen: list[Any] = []

    def note(grads: Any) -> None:
        values = grads if isinstance(grads, list | tuple) else [grads]
        seen.append([None if g is None else g.tolist() for g in values])

    handle = m.autograd.graph.register_multi_grad_hook((a, b, c, d), note, mode=mode)
    (d * b).sum().backward(retain_graph=True)
    seen.append("all three")
    (d * c).sum().backward(retain_graph=True)
    seen.append("c alone")
    c.sum().backward()
    seen.append("inputs")
    (d * b).sum().backward(inputs=[a], retain_graph=True)
    handle.remove()
    d.sum().backward()
    return seen


@pytest.mark.parametrize("mode", ["all", "any"])
def test_multi_grad_hooks(torch: Any, mode: str) -> None:
    mine, theirs = run_multi(rushlight, mode), run_multi(torch, mode)
    if mode == "any":  # which gradient comes first is the order of the passes
        mine, theirs = ([len(s) for s in x if isinstance(s, list)] for x in (mine, theirs))
    assert mine == theirs


def test_multi_grad_hooks_misuse() -> None:
    (a,) = leaves(rushlight, 1)
    with pytest.raises(ValueError, match=r"^Expects mode to be one of \('all', 'any'\)"):
        graph.register_multi_grad_hook([a], print, mode="some")
    with pytest.raises(RuntimeError, match="does not require gradients"):
        graph.register_multi_grad_hook([a.detach()], print)


def test_gradient_edges_stand_for_tensors() -> None:
    a, b = leaves(rushlight, 2)
    c = a * b
    edge = graph.get_gradient_edge(c)
    assert isinstance(edge, graph.GradientEdge) and edge.node is c.grad_fn and edge.output_nr == 0
    assert graph.get_gradient_edge(a).node is c.grad_fn.next_functions[0][0]
    data = weakref.ref(c)
    del c
    gc.collect()
    assert data() is None
    weight = rushlight.ones(2)
    assert rushlight.autograd.grad(edge, a, weight)[0].tolist() == b.tolist()
    with pytest.raises(RuntimeError, match=r"^It is not possible to get the gradient edge"):
        graph.get_gradient_edge(weight)


def test_node() -> None:
    (a,) = leaves(rushlight, 1)
    assert isinstance((a * 2).grad_fn, graph.Node)


def test_increment_version(torch: Any) -> None:
    for m in (rushlight, torch):
        (a,) = leaves(m, 1)
        b = a * 1
        loss = (b * b).sum()
        m.autograd.graph.increment_version(b)
        m.autograd.graph.increment_version([a, b])
        assert (a._version, b._version) == (1, 2)
        with pytest.raises(RuntimeError, match="modified by an inplace"):
            loss.backward()


def run_mutation(m: ModuleType) -> Any:
    (a,) = leaves(m, 1)
    with m.autograd.graph.allow_mutation_on_saved_tensors():
        b = a.clone()
        loss = (b**2).sum() + (b.exp() * b).sum()
        b.sin_()
        b[0] = 7
        (loss + b.sum()).backward()
    return a.grad.numpy()


def test_saved_tensors_may_change(torch: Any) -> None:
    assert run_mutation(rushlight) == pytest.approx(run_mutation(torch), rel=1e-6)


def test_saved_copies_end_with_their_block() -> None:
    (a,) = leaves(rushlight, 1)
    with graph.allow_mutation_on_saved_tensors():
        loss = (a**2).sum()
        with (
            pytest.raises(RuntimeError, match="cannot be nested"),
            graph.allow_mutation_on_saved_tensors(),
        ):
            pass
    with pytest.raises(AssertionError, match=r"^Trying to backward outside of the"):
        loss.backward()


def test_variables_are_tensors() -> None:
    (a,) = leaves(rushlight, 1)
    variable = rushlight.autograd.Variable
    v = variable(a, requires_grad=True)
    assert v.is_leaf and v.requires_grad and v.data_ptr() == a.data_ptr()
    assert not variable(a).requires_grad
    assert isinstance(a, variable) and not isinstance(1.0, variable)
    with pytest.raises(TypeError, match=r"^Variable data has to be a tensor, but got list"):
        variable([1.0])


def test_forward_mode_is_refused_by_name() -> None:
    forward_ad = rushlight.autograd.forward_ad
    for name in forward_ad.__all__:
        with pytest.raises(NotImplementedError, match=f"forward_ad.{name} is not supported"):
            getattr(forward_ad, name)()
