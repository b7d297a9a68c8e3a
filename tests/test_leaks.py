"""Nothing of a step outlives it: by reference count alone, and over thousands of steps."""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from helpers import leaf, ones

import rushlight
from rushlight import _kernels, autograd
from rushlight.autograd.node import Extras, Node
from rushlight.tensor import Tensor

SIZE = 64
STEPS = 700  # of each program below: 20,000 in all


def vector() -> Any:
    return rushlight.linspace(0.5, 1.5, SIZE).requires_grad_()


class Swish(autograd.Function):
    """``x * sigmoid(x)``, with an input, an output and a number saved."""

    @staticmethod
    def forward(ctx: Any, x: Any, scale: float) -> Any:
        out = x * x.sigmoid()
        ctx.save_for_backward(x, out)
        ctx.scale = scale
        return out

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        x, out = ctx.saved_tensors
        s = x.sigmoid()
        return g * (s + out * (1 - s)) * ctx.scale, None


class Broken(autograd.Function):
    """Its backward raises what it is given."""

    @staticmethod
    def forward(ctx: Any, x: Any, error: BaseException) -> Any:
        ctx.save_for_backward(x)
        ctx.error = type(error)
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        raise ctx.error


class Nested(autograd.Function):
    """Records and differentiates a graph of its own in its backward, as checkpoints do."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(x)
        return x.tanh()

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        (x,) = ctx.saved_tensors
        with rushlight.enable_grad():
            inner = x.detach().requires_grad_()
            inner.tanh().backward(g)
        return inner.grad


class Changing(autograd.Function):
    """Doubles its input in place."""

    @staticmethod
    def forward(ctx: Any, x: Any) -> Any:
        ctx.mark_dirty(x)
        return x.mul_(2)

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        return g * 2


# ---- Programs: one step of each ----

PROGRAMS: dict[str, Callable[[], object]] = {}


def program(function: Callable[[], object]) -> Callable[[], object]:
    PROGRAMS[function.__name__.replace("_", " ").strip()] = function
    return function


@program
def tensor_hooks() -> None:
    x, seen = vector(), []
    y = x.exp()
    y.register_hook(seen.append)
    y.register_hook(lambda g: g * 2)
    x.register_hook(lambda g: g + 1)
    y.sum().backward()
    assert len(seen) == 1


@program
def removed_hooks() -> None:
    x = vector()
    with x.register_hook(lambda g: g * x):
        x.sum().backward()


@program
def node_hooks() -> None:
    x = vector()
    y = x * x
    y.grad_fn.register_prehook(lambda g: (g[0] * 2,))
    y.grad_fn.register_hook(lambda inputs, outputs: inputs)
    y.grad_fn.metadata["shape"] = y.shape
    y.sum().backward()


@program
def post_accumulate_hooks() -> None:
    x, seen = vector(), []
    x.register_post_accumulate_grad_hook(lambda t: seen.append(t.grad))
    (x * 2).sum().backward()
    assert seen[0] is x.grad


@program
def retained_gradients() -> None:
    x = vector()
    y = x * 2
    y.retain_grad()
    z = y.exp()
    z.retain_grad()
    z.sum().backward()
    assert y.grad is not None and z.grad is not None


@program
def graph_of_a_gradient() -> None:
    x = vector()
    (g,) = autograd.grad((x**3).sum(), x, create_graph=True)
    (g * g).sum().backward()


@program
def retained_graphs() -> None:
    x = vector()
    y = x.sigmoid().sum()
    y.backward(retain_graph=True)
    y.backward(retain_graph=True)


@program
def in_place() -> None:
    x = vector()
    y = x.clone().mul_(x).add_(1).exp_()
    y.sum().backward()


@program
def views_in_place() -> None:
    x = vector()
    y = x * 2
    first, second = y[: SIZE // 2], y.view(2, -1)
    first.mul_(x[: SIZE // 2])
    second[1].mul_(2)
    y[1:].exp_()
    assert first.grad_fn is not None and second.grad_fn is not None
    y.sum().backward()


@program
def views_in_place_twice_differentiated() -> None:
    x = vector()
    y = x * 2
    y[1:].sigmoid_()
    (g,) = autograd.grad(y.sum(), x, create_graph=True)
    g.sum().backward()


@program
def views_in_place_unused() -> None:
    y = vector() * 2
    y[1:].sigmoid_()
    y.view(2, -1)[0].exp_()


@program
def items_assigned() -> None:
    x = vector()
    y = rushlight.zeros(SIZE)
    y[: SIZE // 2] = x[SIZE // 2 :]
    y[y > 1] = 0.5
    y.sum().backward()


@program
def some_of_several_outputs() -> None:
    x = vector()
    first, *_, last = x.exp().split(8)
    row = (x * 2).view(4, -1).unbind()[1]
    (first.sum() + last.sum() + row.sum()).backward()


@program
def packed_values() -> None:
    x = vector()
    with autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        y = x.exp() * x
    with autograd.graph.saved_tensors_hooks(lambda t: t.numpy(), rushlight.from_numpy):
        z = y.tanh()
    z.sum().backward()


@program
def packed_values_unused() -> None:
    with autograd.graph.saved_tensors_hooks(lambda t: t, lambda t: t):
        assert (vector().exp() * 2).requires_grad


@program
def inference() -> None:
    x = vector()
    with rushlight.inference_mode():
        y = (x * 2).exp_()
        y[1:] += 1
    (x * y.clone()).sum().backward()


@program
def custom_functions() -> None:
    x = vector()
    Swish.apply(x * 2, 3.0).sum().backward()
    (g,) = autograd.grad(Swish.apply(x, 1.0).sum(), x, create_graph=True)
    g.sum().backward()
    Changing.apply(x.clone()).sum().backward()


@program
def custom_functions_unused() -> None:
    assert Swish.apply(vector(), 3.0).requires_grad


@program
def error_in_forward() -> None:
    x = vector()
    y = x.exp()
    for call in (lambda: y + rushlight.ones(3), lambda: y.view(7), lambda: y.add_("a")):
        with contextlib.suppress(RuntimeError, TypeError):
            call()
            raise AssertionError
    y.sum().backward()


@program
def error_in_backward() -> None:
    x = vector()
    y = x.exp()
    loss = y.sum()
    y.add_(1)
    failing = (
        (RuntimeError, lambda: loss.backward()),
        (ZeroDivisionError, lambda: Broken.apply(x.exp(), ZeroDivisionError()).sum().backward()),
        (RuntimeError, lambda: y.backward()),
        (RuntimeError, lambda: autograd.grad(x.sum(), y)),
        (RuntimeError, lambda: rushlight.ones(1).backward()),
    )
    for error, call in failing:
        with contextlib.suppress(error):
            call()
            raise AssertionError


@program
def second_backward() -> None:
    y = vector().exp().sum()
    y.backward()
    with contextlib.suppress(RuntimeError):
        y.backward()
        raise AssertionError


@program
def in_place_refused() -> None:
    x = vector()
    for call in (lambda: x.add_(1), lambda: x[1:].exp_(), lambda: (x * 2).unbind()[0].mul_(2)):
        with contextlib.suppress(RuntimeError):
            call()
            raise AssertionError


@program
def hooks_that_raise() -> None:
    def fails(*_: Any) -> None:
        raise KeyboardInterrupt

    x = vector()
    y = x.exp()
    y.register_hook(fails)
    z = x.exp()
    z.grad_fn.register_hook(fails)
    x.register_post_accumulate_grad_hook(fails)
    for t in (y, z, x):
        with contextlib.suppress(KeyboardInterrupt):
            t.sum().backward()
            raise AssertionError


@program
def backward_in_a_hook() -> None:
    x, w = vector(), vector()
    y = x.exp()

    def hook(g: Any) -> None:
        with rushlight.enable_grad():
            (w * g).tanh().sum().backward()

    y.register_hook(hook)
    y.sum().backward()
    assert w.grad is not None


@program
def backward_in_a_function() -> None:
    x = vector()
    Nested.apply(x * 2).sum().backward()


@program
def gradients_of_some_inputs() -> None:
    x, w = vector(), vector()
    y = x * w
    z = y.exp().sum()
    autograd.grad(z, [y, w], retain_graph=True)
    z.backward(inputs=[x])
    assert w.grad is None


@program
def graphs_that_are_dropped() -> None:
    x = vector()
    for _ in range(3):
        y = (x.exp() * x).view(2, -1)
        y = y.softmax(1).unbind()[0]
    assert y.requires_grad


@program
def anomalies() -> None:
    x = vector()
    with autograd.detect_anomaly(), contextlib.suppress(RuntimeError):
        (x * 0).log().mul(0).sum().backward()


def living() -> int:
    """Tensors and nodes."""
    kinds = (Node, Tensor, Extras)
    return sum(issubclass(type(o), kinds) for o in gc.get_objects())


@pytest.fixture
def collector_off() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


each_program = pytest.mark.parametrize("run", PROGRAMS.values(), ids=PROGRAMS)


@each_program
@pytest.mark.usefixtures("collector_off")
@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_a_step_leaves_nothing(run: Callable[[], object]) -> None:
    """No cycle, and no tensor or node that something still refers to."""
    run()
    gc.collect()
    before = living()
    run()
    assert gc.collect() == 0
    assert living() == before


def resident() -> int:
    """Bytes of memory that the process has, 0 where the system does not tell."""
    figures = Path("/proc/self/statm")
    return (
        int(figures.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if figures.exists() else 0
    )


@each_program
@pytest.mark.usefixtures("collector_off")
@pytest.mark.filterwarnings("ignore:Anomaly Detection")
def test_many_steps_take_no_more_memory(run: Callable[[], object]) -> None:
    """Neither of the allocator, nor Python's, nor the process's; without the collector."""
    levels = []
    for count in (STEPS // 10, STEPS):
        for _ in range(count):
            run()
        allocated = _kernels.memory_stats()["allocated"]
        gc.collect()  # empties the lists of free objects
        levels.append((allocated, sys.getallocatedblocks(), resident()))
    (allocated, blocks, process), after = levels
    assert after[0] == allocated
    assert after[1] - blocks < STEPS / 2
    assert after[2] - process < 1 << 20


# ---- What the programs do not show ----


@pytest.mark.usefixtures("collector_off")
def test_a_recorded_gradient_on_its_leaf() -> None:
    """A cycle, as in PyTorch: taking the gradient away ends it, and so does the collector."""
    x = leaf(1.0, 2.0)
    before = living()
    (x**3).sum().backward(create_graph=True)
    assert x.grad.requires_grad and living() > before
    x.grad = None
    assert living() == before
    (x**3).sum().backward(create_graph=True)
    del x
    assert gc.collect() > 0 and living() < before


@pytest.mark.usefixtures("collector_off")
def test_unused_outputs_die() -> None:
    """Of several outputs each lives by itself; the memory they show lives with any of them."""
    before = living()
    parts = (ones(6) * 2).split(2)
    first = parts[0]
    kept = living()
    del parts
    assert living() == kept - 2
    first.sum().backward()
    del first
    assert living() == before


INTERRUPTED: dict[str, Callable[[Any, Any], Any]] = {
    "tensor hook": lambda y, fails: y.register_hook(fails),
    "node hook": lambda y, fails: y.grad_fn.register_hook(fails),
    "node pre-hook": lambda y, fails: y.grad_fn.register_prehook(fails),
}


@pytest.mark.parametrize("create_graph", [False, True])
@pytest.mark.parametrize("enabled", [False, True])
@pytest.mark.parametrize("register", INTERRUPTED.values(), ids=INTERRUPTED)
def test_after_an_interrupt(register: Any, enabled: bool, create_graph: bool) -> None:
    """The mode is as before, and the same leaves can be differentiated again."""

    def fails(*_: Any) -> None:
        raise KeyboardInterrupt

    x = ones()
    y = x.exp()
    handle = register(y, fails)
    loss = (y * 3).sum()
    with rushlight.set_grad_enabled(enabled):
        with pytest.raises(KeyboardInterrupt):
            loss.backward(create_graph=create_graph)
        assert rushlight.is_grad_enabled() is enabled
    assert x.grad is None
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_after_an_interrupt_while_accumulating() -> None:
    """The gradient was added, and the leaf is not locked."""

    def fails(_: Any) -> None:
        raise KeyboardInterrupt

    x = ones()
    handle = x.register_post_accumulate_grad_hook(fails)
    with pytest.raises(KeyboardInterrupt):
        (x * 2).sum().backward()
    handle.remove()
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5.0, 5.0]


# ---- Several threads ----


def in_threads(work: Callable[[int], None], count: int = 8) -> None:
    """Runs `work` in each thread at the same time; raises what one of them raised."""
    errors: list[BaseException] = []
    ready = threading.Barrier(count)

    def run(number: int) -> None:
        try:
            ready.wait()
            work(number)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    finally:
        sys.setswitchinterval(interval)
    assert not any(thread.is_alive() for thread in threads)
    if errors:
        raise errors[0]


ROUNDS = 100
WIDE = 1 << 15  # so that kernels run at the same time


def test_backward_into_disjoint_leaves() -> None:
    leaves = [rushlight.full((WIDE,), float(i), requires_grad=True) for i in range(8)]

    def work(number: int) -> None:
        for _ in range(ROUNDS):
            (leaves[number] ** 2).sum().backward()

    in_threads(work)
    for i, x in enumerate(leaves):
        assert x.grad.tolist() == [2.0 * i * ROUNDS] * WIDE


@pytest.mark.parametrize("create_graph", [False, True])
def test_backward_into_shared_leaves(create_graph: bool) -> None:
    """No addition is lost; the numbers are exact."""
    x, w = ones(WIDE), ones(WIDE)
    rounds = 100 if create_graph else 4 * ROUNDS

    def work(number: int) -> None:
        for _ in range(rounds):
            (w * (number + 1) + x * 2).sum().backward(create_graph=create_graph)

    in_threads(work)
    assert w.grad.tolist() == [36.0 * rounds] * WIDE
    assert x.grad.tolist() == [16.0 * rounds] * WIDE
    x.grad = w.grad = None


def test_backward_through_a_shared_graph() -> None:
    x = ones(SIZE)
    y = (x * 3).exp().log()

    def work(number: int) -> None:
        for _ in range(ROUNDS):
            (y * (number + 1)).sum().backward(retain_graph=True)

    in_threads(work)
    np.testing.assert_allclose(x.grad.numpy(), 108.0 * ROUNDS, rtol=1e-5)


def test_modes_belong_to_threads() -> None:
    def work(number: int) -> None:
        for _ in range(ROUNDS):
            with rushlight.set_grad_enabled(number % 2 == 0), contextlib.ExitStack() as stack:
                if number % 3 == 0:
                    stack.enter_context(rushlight.inference_mode())
                y = ones(1) * 2
                assert y.requires_grad == (number % 2 == 0 and number % 3 != 0)
                assert y.is_inference() == (number % 3 == 0)

    in_threads(work)
    assert rushlight.is_grad_enabled() and not rushlight.is_inference_mode_enabled()


# ---- Backward inside of backward ----


def test_backward_in_a_hook_of_the_same_leaf() -> None:
    x = ones()
    y = x * 3

    def hook(g: Any) -> None:
        with rushlight.enable_grad():
            (x * 10).sum().backward()

    y.register_hook(hook)
    y.sum().backward()
    assert x.grad.tolist() == [13.0, 13.0]
    assert rushlight.is_grad_enabled()


def test_backward_in_a_hook_after_accumulation() -> None:
    x, w = ones(), ones()

    def hook(leaf: Any) -> None:
        with rushlight.enable_grad():
            (w * leaf.grad).sum().backward()

    x.register_post_accumulate_grad_hook(hook)
    (x * 3).sum().backward()
    assert w.grad.tolist() == [3.0, 3.0]


def test_backward_in_a_function_through_two_levels() -> None:
    x = leaf(0.5, -1.0)
    Nested.apply(Nested.apply(x)).sum().backward()
    t = np.tanh([0.5, -1.0])
    expected = (1 - np.tanh(t) ** 2) * (1 - t**2)
    np.testing.assert_allclose(x.grad.numpy(), expected, rtol=1e-6)


class Deep(autograd.Function):
    """Each backward runs another one, a given number of times."""

    @staticmethod
    def forward(ctx: Any, x: Any, depth: int) -> Any:
        ctx.depth = depth
        return x * 2

    @staticmethod
    def backward(ctx: Any, g: Any) -> Any:
        if ctx.depth:
            with rushlight.enable_grad():
                inner = ones(2)
                Deep.apply(inner, ctx.depth - 1).sum().backward()
            assert inner.grad is not None
        return g * 2, None


def test_backward_sixty_levels_deep() -> None:
    x = ones()
    Deep.apply(x, 60).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
