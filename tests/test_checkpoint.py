"""utils.checkpoint: the same numbers with less memory, the same errors as PyTorch's."""

from __future__ import annotations

import contextlib
import importlib
import weakref
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import nn
from rushlight.utils import checkpoint as library
from rushlight.utils.checkpoint import CheckpointError, checkpoint, checkpoint_sequential

MODES = pytest.mark.parametrize("reentrant", [False, True])


def checkpoint_of(module: ModuleType) -> Any:
    return importlib.import_module(f"{module.__name__}.utils.checkpoint").checkpoint


class Program:
    """Two layers, checkpointed in one of several ways; counts how often the layer ran."""

    def __init__(self, module: ModuleType, way: str, reentrant: bool) -> None:
        self.m, self.way, self.reentrant = module, way, reentrant
        self.calls = 0
        values = np.random.default_rng(0).standard_normal
        self.w = module.tensor(values((4, 4)).tolist(), requires_grad=True)
        self.x = module.tensor(values((3, 4)).tolist(), requires_grad=True)

    def layer(self, x: Any) -> Any:
        self.calls += 1
        h = self.m.nn.functional.dropout((x @ self.w).tanh(), 0.5)
        return h * h.exp()

    def kept(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        if self.way == "plain":
            return function(*args, **kwargs)
        return checkpoint_of(self.m)(function, *args, use_reentrant=self.reentrant, **kwargs)

    def nested(self, x: Any) -> Any:
        return self.kept(self.layer, self.kept(self.layer, x).sin())

    def run(self, nested: bool = False) -> list[Any]:
        self.m.manual_seed(1)
        function = self.nested if nested else self.layer
        out = self.kept(function, self.kept(function, self.x))
        out.sum().backward()
        return [t.detach().numpy() for t in (out, self.x.grad, self.w.grad)]


@MODES
@pytest.mark.parametrize("nested", [False, True])
def test_same_numbers_and_as_many_calls_as_pytorch(
    torch: Any, nested: bool, reentrant: bool
) -> None:
    if nested and reentrant:
        warns: Any = pytest.warns(UserWarning, match="None of the inputs have requires_grad")
    else:
        warns = contextlib.nullcontext()
    expected = Program(rushlight, "plain", reentrant).run(nested)
    mine, theirs = (Program(m, "checkpoint", reentrant) for m in (rushlight, torch))
    with warns:
        for a, b in zip(mine.run(nested), expected, strict=True):
            np.testing.assert_array_equal(a, b)
        theirs.run(nested)
    assert mine.calls == theirs.calls


@MODES
def test_intermediate_tensors_are_not_kept(reentrant: bool) -> None:
    arrays: list[Any] = []

    def layer(x: Any) -> Any:
        h = x.exp()
        arrays.append(weakref.ref(h))
        return (h * h).sin()

    x = rushlight.rand(3, requires_grad=True)
    before = rushlight._kernels.memory_stats()["allocated"]
    out = checkpoint(layer, x, use_reentrant=reentrant, preserve_rng_state=False)
    assert rushlight._kernels.memory_stats()["allocated"] - before <= 2 * 64
    assert arrays[0]() is None
    out.sum().backward()
    h = x.detach().exp()
    np.testing.assert_allclose(x.grad.numpy(), (2 * h * h * (h * h).cos()).numpy(), rtol=1e-6)


def test_the_part_dies_with_its_graph() -> None:
    class Layer:
        def __call__(self, x: Any) -> Any:
            return x.exp()

    layer = Layer()
    alive = weakref.ref(layer)
    out = checkpoint(layer, rushlight.rand(3, requires_grad=True), use_reentrant=False)
    del layer
    assert alive() is not None
    del out
    assert alive() is None


def test_a_retained_graph_is_computed_again_for_each_pass() -> None:
    program = Program(rushlight, "checkpoint", False)
    out = program.kept(program.layer, program.x)
    out.sum().backward(retain_graph=True)
    first = program.w.grad.numpy().copy()
    program.w.grad = None
    out.sum().backward()
    np.testing.assert_array_equal(program.w.grad.numpy(), first)
    assert program.calls == 3


def test_gradients_of_inputs_only_and_higher_orders() -> None:
    x = rushlight.tensor([0.5, -1.5], requires_grad=True)
    out = checkpoint(lambda x: x.exp() * x, x, use_reentrant=False)
    (g,) = rushlight.autograd.grad(out.sum(), x, create_graph=True)
    (second,) = rushlight.autograd.grad(g.sum(), x)
    d = x.detach()
    np.testing.assert_allclose(second.numpy(), (d.exp() * (d + 2)).numpy(), rtol=1e-6)


def test_keyword_arguments_and_nested_results() -> None:
    def layer(x: Any, *, factor: Any, label: str) -> Any:
        return {label: x.exp() * factor, "other": [x * 2]}

    x = rushlight.ones(2, requires_grad=True)
    out = checkpoint(layer, x, factor=3.0, label="a", use_reentrant=False)
    (out["a"].sum() + out["other"][0].sum()).backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * np.exp(np.float32(1)) + 2, rtol=1e-6)


def test_early_stop() -> None:
    reached: list[str] = []

    def layer(x: Any) -> Any:
        y = x.exp()
        reached.append("end")
        return y

    for stop, expected in ((True, 1), (False, 2)):
        reached.clear()
        x = rushlight.ones(2, requires_grad=True)
        out = checkpoint(layer, x, use_reentrant=False, early_stop=stop)
        out.sum().backward()
        assert len(reached) == expected
    reached.clear()
    with library.set_checkpoint_early_stop(True):
        out = checkpoint(layer, x, use_reentrant=False, early_stop=False)
    out.sum().backward()
    assert len(reached) == 1


def test_contexts_around_both_runs() -> None:
    seen: list[str] = []

    @contextlib.contextmanager
    def noted(name: str) -> Any:
        seen.append(name)
        yield

    x = rushlight.ones(2, requires_grad=True)
    out = checkpoint(
        lambda x: x.exp(), x, use_reentrant=False,
        context_fn=lambda: (noted("first"), noted("second")),
    )  # fmt: skip
    assert seen == ["first"]
    out.sum().backward()
    assert seen == ["first", "second"]


def test_random_numbers_go_on_as_if_nothing_had_run_again() -> None:
    x = rushlight.ones(4, requires_grad=True)
    for preserve in (True, False):
        rushlight.manual_seed(0)
        out = checkpoint(
            lambda x: nn.functional.dropout(x, 0.5).exp(), x,
            use_reentrant=False, preserve_rng_state=preserve,
        )  # fmt: skip
        expected = rushlight.get_rng_state().tolist()
        out.sum().backward()
        assert (rushlight.get_rng_state().tolist() == expected) == preserve


def test_without_recording_nothing_is_special() -> None:
    x = rushlight.ones(2, requires_grad=True)
    with rushlight.no_grad():
        assert not checkpoint(lambda x: x * 2, x, use_reentrant=False).requires_grad


def test_inputs_changed_in_between_are_found() -> None:
    x = rushlight.ones(2, requires_grad=True) * 1
    out = checkpoint(lambda x: x.exp(), x, use_reentrant=False)
    x.detach().add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace"):
        out.sum().backward()


def test_another_second_run_is_found() -> None:
    sizes = iter([2, 3])
    more = iter([False, True])
    fewer = iter([True, False])

    def other_size(x: Any) -> Any:
        return x[: next(sizes)].exp()[:2].sum()

    def more_operations(x: Any) -> Any:
        y = x.exp()
        return y.sin() if next(more) else y

    def fewer_operations(x: Any) -> Any:
        return x.exp().sin() if next(fewer) else x.exp()

    x = rushlight.ones(3, requires_grad=True)
    for function, message in (
        (other_size, "different metadata"),
        (more_operations, "A different number of tensors"),
        (fewer_operations, "A different number of tensors"),
    ):
        out = checkpoint(function, x, use_reentrant=False, early_stop=False)
        with pytest.raises(CheckpointError, match=f"^torch.utils.checkpoint: .*{message}"):
            out.sum().backward()


# ---- The older form ----


def test_reentrant_passes_refuse_what_they_cannot_do() -> None:
    x = rushlight.ones(2, requires_grad=True)
    out = checkpoint(lambda x: x.exp(), x, use_reentrant=True)
    with pytest.raises(RuntimeError, match=r"incompatible with \.grad\(\)"):
        rushlight.autograd.grad(out.sum(), x)
    out = checkpoint(lambda x: x.exp(), x, use_reentrant=True)
    with pytest.raises(RuntimeError, match=r"incompatible with \.grad\(\)"):
        out.sum().backward(inputs=[x])
    out = checkpoint(lambda x: x.detach(), x, use_reentrant=True)
    with pytest.raises(RuntimeError, match="none of output has requires_grad=True"):
        out.sum().backward()
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        checkpoint(lambda x: x.exp(), x.detach(), use_reentrant=True)


def test_reentrant_with_other_arguments_and_several_results() -> None:
    x = rushlight.tensor([1.0, 2.0], requires_grad=True)
    a, b = checkpoint(lambda x, n: (x**n, x * 2), x, 3, use_reentrant=True)
    (a.sum() + b.sum()).backward()
    assert x.grad.tolist() == [5.0, 14.0]


# ---- Sequences ----


@MODES
@pytest.mark.parametrize("segments", [1, 2, 3])
def test_sequences(segments: int, reentrant: bool) -> None:
    net = nn.Sequential(nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 3), nn.Tanh(), nn.Linear(3, 1))
    x = rushlight.rand(5, 3, requires_grad=True)
    net(x).sum().backward()
    expected = [p.grad.numpy().copy() for p in net.parameters()]
    for functions in (net, list(net)):
        net.zero_grad()
        out = checkpoint_sequential(functions, segments, x, use_reentrant=reentrant)
        out.sum().backward()
        for p, e in zip(net.parameters(), expected, strict=True):
            np.testing.assert_array_equal(p.grad.numpy(), e)


# ---- Misuse ----


def test_misuse() -> None:
    x = rushlight.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="the use_reentrant parameter should be passed explicitly"):
        checkpoint(lambda x: x * 2, x)
    with pytest.warns(UserWarning, match="checkpoint_sequential: the use_reentrant parameter"):
        checkpoint_sequential([lambda x: x * 2], 1, x)
    with pytest.raises(ValueError, match=r"^Unexpected keyword arguments: n"):
        checkpoint(lambda x, n: x, x, n=2, use_reentrant=True)
    with pytest.raises(ValueError, match=r"^Passing `context_fn` or `debug` is only supported"):
        checkpoint(lambda x: x, x, debug=True, use_reentrant=True)
    with pytest.raises(NotImplementedError, match="debug=True"):
        checkpoint(lambda x: x, x, debug=True, use_reentrant=False)
    with pytest.raises(ValueError, match="determinism_check"):
        checkpoint(lambda x: x, x, determinism_check="maybe", use_reentrant=False)
