"""`autograd.Function`: PyTorch runs the same programs, and gives the same values and errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import rushlight
from rushlight.autograd.function import once_differentiable


def make(t: Any, forward: Callable[..., Any], backward: Callable[..., Any]) -> Any:
    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Made", (t.autograd.Function,), members)


def save_input(ctx: Any, x: Any) -> Any:
    ctx.save_for_backward(x)
    return x * x


def save_output(ctx: Any, x: Any) -> Any:
    out = x.exp()
    ctx.save_for_backward(out)
    return out


def of_square(ctx: Any, g: Any) -> Any:
    (x,) = ctx.saved_tensors
    return 2 * x * g


def of_exp(ctx: Any, g: Any) -> Any:
    (out,) = ctx.saved_tensors
    return out * g


def change(ctx: Any, x: Any) -> Any:
    ctx.mark_dirty(x)
    return x.mul_(2)


def two(ctx: Any, x: Any, y: Any, scale: float) -> Any:
    ctx.save_for_backward(x, y)
    ctx.scale = scale
    return x * y * scale, x + y


def of_two(ctx: Any, g: Any, h: Any) -> Any:
    x, y = ctx.saved_tensors
    return g * y * ctx.scale + h, g * x * ctx.scale + h, None


def unmaterialized(ctx: Any, x: Any) -> Any:
    ctx.set_materialize_grads(False)
    return x * 2, x * 3


def marked(ctx: Any, x: Any) -> Any:
    positive = x > 0
    ctx.mark_non_differentiable(positive)
    return x * 2, positive


def leaf(t: Any) -> Any:
    return t.tensor([1.0, -2.0, 3.0], dtype=t.float64, requires_grad=True)


def gradients(t: Any, forward: Any, backward: Any, order: int = 1) -> list[Any]:
    x = leaf(t)
    result = make(t, forward, backward).apply(x)
    found = [result.tolist()]
    g = result.sum()
    for _ in range(order):
        (g,) = t.autograd.grad(g.sum(), x, create_graph=True)
        found.append(g.tolist())
    return found


def of_two_results(t: Any) -> Any:
    x = leaf(t)
    y = leaf(t).detach().requires_grad_()
    function = make(t, two, of_two)
    a, b = function.apply(x, y, 3.0)
    (a * 2 + b).sum().backward()
    (c, _) = function.apply(x, y, scale=2.0)
    c.sum().backward()
    return a.tolist(), b.tolist(), x.grad.tolist(), y.grad.tolist()


def in_place(t: Any) -> Any:
    x = leaf(t)
    y = x * 1
    z = make(t, change, lambda ctx, g: g * 2).apply(y)
    z.sum().backward()
    return z is y, y.tolist(), x.grad.tolist()


def in_place_on_view(t: Any) -> Any:
    x = leaf(t)
    y = x * 1
    make(t, change, lambda ctx, g: g * 2).apply(y[:2])
    (y * y).sum().backward()
    return y.tolist(), x.grad.tolist()


def contexts(t: Any) -> Any:
    class Scale(t.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(x: Any, n: int = 3) -> Any:
            return x * n

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            ctx.n = inputs[1]
            ctx.needs = ctx.needs_input_grad

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            return g * ctx.n, None

    x = leaf(t)
    y = Scale.apply(x, 4)
    y.sum().backward()
    return x.grad.tolist(), y.grad_fn.name(), y.grad_fn.needs


def seen(forward: Any) -> Callable[[Any], Any]:
    """What backward was given where a gradient arrived at the first output only."""

    def program(t: Any) -> Any:
        given: list[Any] = []
        x = leaf(t)

        def backward(ctx: Any, g: Any, h: Any) -> Any:
            given.append(None if h is None else [float(n) for n in h])
            return g

        first, second = make(t, forward, backward).apply(x)
        first.sum().backward()
        return first.requires_grad, second.requires_grad, given, x.grad.tolist()

    return program


def broadcast(t: Any) -> Any:
    x = leaf(t)
    make(t, lambda ctx, x: x * 2, lambda ctx, g: g.expand(2, 3)).apply(x).sum().backward()
    return x.grad.tolist()


def none(t: Any) -> Any:
    x = leaf(t)
    make(t, lambda ctx, x: x * 2, lambda ctx, g: None).apply(x).sum().backward()
    return x.grad


def unrecorded(t: Any) -> Any:
    x = leaf(t)
    function = make(t, save_input, of_square)
    with t.no_grad():
        quiet = function.apply(x)
    return quiet.requires_grad, function.apply(x.detach()).requires_grad


def identity(t: Any) -> Any:
    x = leaf(t)
    y = make(t, lambda ctx, x: x, lambda ctx, g: g * 5).apply(x)
    y.sum().backward()
    return y is x, y._is_view(), x.grad.tolist()


def saved_of_node(t: Any) -> Any:
    x = leaf(t)
    y = make(t, save_input, of_square).apply(x)
    return [s.tolist() for s in y.grad_fn.saved_tensors]


def saved_through_hooks(t: Any) -> Any:
    x = leaf(t)
    with t.autograd.graph.saved_tensors_hooks(lambda s: (s * 2).detach(), lambda s: s / 2):
        y = make(t, save_input, of_square).apply(x)
    y.sum().backward()
    return x.grad.tolist()


def retained(t: Any) -> Any:
    x = leaf(t)
    y = make(t, save_input, of_square).apply(x).sum()
    y.backward(retain_graph=True)
    y.backward()
    return x.grad.tolist()


PROGRAMS: dict[str, Callable[[Any], Any]] = {
    "saved input": lambda t: gradients(t, save_input, of_square, 2),
    "saved output": lambda t: gradients(t, save_output, of_exp, 3),
    "two results": of_two_results,
    "in place": in_place,
    "in place on a view": in_place_on_view,
    "setup_context": contexts,
    "materialized": seen(lambda ctx, x: (x * 2, x * 3)),
    "not materialized": seen(unmaterialized),
    "not differentiable": lambda t: seen(marked)(t)[:2],
    "broadcast gradient": broadcast,
    "no gradient": none,
    "not recorded": unrecorded,
    "identity": identity,
    "saved_tensors of the node": saved_of_node,
    "saved tensors through hooks": saved_through_hooks,
    "twice": retained,
}


@pytest.mark.parametrize("program", PROGRAMS.values(), ids=PROGRAMS)
def test_as_pytorch(program: Callable[[Any], Any], torch: Any) -> None:
    assert program(rushlight) == program(torch)


def test_second_derivatives_of_what_has_one_only() -> None:
    x = leaf(rushlight)
    function = make(rushlight, save_input, once_differentiable(of_square))
    v = rushlight.ones(3, dtype=rushlight.float64, requires_grad=True)
    (g,) = rushlight.autograd.grad(function.apply(x), x, v, create_graph=True)
    with pytest.raises(
        RuntimeError, match=r"^trying to differentiate twice a function that was ma"
    ):
        g.sum().backward()


def test_a_function_is_a_node() -> None:
    x = leaf(rushlight)
    y = make(rushlight, save_input, of_square).apply(x)
    assert y.grad_fn.name() == "MadeBackward"
    assert isinstance(y.grad_fn, rushlight.autograd.graph.Node)
    assert repr(y).endswith("grad_fn=<MadeBackward>)")
    assert y.grad_fn.next_functions[0][0].variable is x
