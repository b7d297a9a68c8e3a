"""autograd.functional: values, shapes, graphs and errors, as PyTorch's."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight.autograd import functional

X, Y, S = np.linspace(0.2, 1.7, 6).reshape(2, 3), np.linspace(-1.1, 0.9, 3), np.array(0.7)


def tensors(module: ModuleType, *values: Any, requires_grad: bool = False) -> tuple[Any, ...]:
    return tuple(
        module.tensor(v.tolist(), dtype=module.float64, requires_grad=requires_grad) for v in values
    )


def plain(values: Any) -> Any:
    """Nested tuples of (values, whether it requires grad)."""
    if isinstance(values, tuple):
        return tuple(plain(v) for v in values)
    return values.detach().numpy(), values.requires_grad


def assert_same(mine: Any, theirs: Any) -> None:
    assert isinstance(mine[0], tuple) == isinstance(theirs[0], tuple)
    if isinstance(mine[0], tuple):
        for m, t in zip(mine, theirs, strict=True):
            assert_same(m, t)
    else:
        assert mine[0].shape == theirs[0].shape and mine[1] == theirs[1]
        np.testing.assert_allclose(mine[0], theirs[0], rtol=1e-12, atol=1e-14)


def outcome(module: ModuleType, name: str, call: Any, **options: Any) -> Any:
    """The result of a call, or its error."""
    function = getattr(module.autograd.functional, name)
    try:
        return plain(call(module, function, **options))
    except Exception as error:
        return type(error), str(error)[:60]


def both(torch: Any, name: str, call: Any, **options: Any) -> None:
    theirs, mine = (outcome(m, name, call, **options) for m in (torch, rushlight))
    if isinstance(theirs[0], type):
        assert mine[0] is theirs[0] and mine[1] == theirs[1].replace("torch.Tensor", mine[1][-12:])
    else:
        assert_same(mine, theirs)


# Functions of x (2, 3) and y (3), or of x alone, with the shapes of their outputs.
PAIRS = {
    "vector": lambda x, y: (x * y).exp().sum(1),
    "matrix": lambda x, y: x.sin() * y,
    "one unused": lambda x, y: y**3,
    "linear": lambda x, y: x @ y,
    "two outputs": lambda x, y: ((x * y).sum(0), y * y),
    "one output in a tuple": lambda x, y: (x * y,),
    "independent": lambda x, y: y.detach() * 2,
    "an input": lambda x, y: x,
}
SCALARS = {
    "cubic": lambda x, y: (x**3 * y).sum(),
    "one element": lambda x, y: (x.exp() * y**2).sum().reshape(1, 1),
    "linear": lambda x, y: x.sum() + y.sum(),
    "one unused": lambda x, y: (x**3).sum(),
    "independent": lambda x, y: x.detach().sum(),
    "not scalar": lambda x, y: x * y,
    "a tuple": lambda x, y: (x.sum(),),
    "no tensor": lambda x, y: 3.0,
}
OPTIONS = [{}, {"create_graph": True}, {"strict": True}, {"create_graph": True, "strict": True}]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("requires_grad", [False, True])
@pytest.mark.parametrize("func", PAIRS.values(), ids=PAIRS)
def test_jacobian(torch: Any, func: Any, requires_grad: bool, options: Any) -> None:
    def call(m: Any, f: Any, **o: Any) -> Any:
        return f(func, tensors(m, X, Y, requires_grad=requires_grad), **o)

    both(torch, "jacobian", call, **options)
    if not options:
        both(torch, "jacobian", call, vectorize=True)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("name", ["vjp", "jvp"])
@pytest.mark.parametrize("func", PAIRS.values(), ids=PAIRS)
def test_products_with_the_jacobian(torch: Any, func: Any, name: str, options: Any) -> None:
    def call(m: Any, f: Any, **o: Any) -> Any:
        given = tensors(m, X, Y, requires_grad=True)
        like = given if name == "jvp" else func(*given)
        vs = like if isinstance(like, tuple) else (like,)
        return f(func, given, tuple(v.detach().sin() + 0.5 for v in vs), **o)

    both(torch, name, call, **options)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("func", SCALARS.values(), ids=SCALARS)
def test_second_derivatives(torch: Any, func: Any, options: Any) -> None:
    def hessian(m: Any, f: Any, **o: Any) -> Any:
        return f(func, tensors(m, X, Y, requires_grad=True), **o)

    def product(m: Any, f: Any, **o: Any) -> Any:
        return f(func, tensors(m, X, Y, requires_grad=True), tensors(m, X**2, Y - 1), **o)

    both(torch, "hessian", hessian, **options)
    both(torch, "vhp", product, **options)
    both(torch, "hvp", product, **options)


@pytest.mark.parametrize("name", ["jacobian", "hessian", "vjp", "jvp", "vhp", "hvp"])
def test_a_single_number_needs_no_vector(torch: Any, name: str) -> None:
    both(torch, name, lambda m, f: f(lambda s: s**3, *tensors(m, S)))


MISUSE = {
    "no tensor": lambda m, f: f(lambda x: x, 3.0),
    "no tensor in the tuple": lambda m, f: f(lambda x, y: x, (*tensors(m, X), 3.0)),
    "no vector": lambda m, f: f(lambda x: x * 2, *tensors(m, X)),
    "vector of another size": lambda m, f: f(lambda x: x.sum(), *tensors(m, X, np.ones((5, 7)))),
    "too many vectors": lambda m, f: f(
        lambda x: x.sum(), *tensors(m, X), tensors(m, X, X)
    ),
    "too few vectors": lambda m, f: f(
        lambda x, y: (x.sum(), y.sum()), tensors(m, X, Y), tensors(m, X)
    ),
    "entry of another size": lambda m, f: f(
        lambda x, y: (x.sum(), y.sum()), tensors(m, X, Y), tensors(m, np.ones(9), np.ones(9))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ["vjp", "jvp", "vhp", "hvp"])
@pytest.mark.parametrize("call", MISUSE.values(), ids=MISUSE)
def test_misuse(torch: Any, call: Any, name: str) -> None:
    both(torch, name, call)


def test_graphs_lead_to_the_inputs(torch: Any) -> None:
    """The derivative of a Jacobian with respect to the tensor that was given."""

    def call(m: Any, f: Any) -> Any:
        (x,) = tensors(m, Y, requires_grad=True)
        return m.autograd.grad(f(lambda x: x**4, x, create_graph=True).sum(), x)

    both(torch, "jacobian", call)


def test_vectorized_derivatives_have_a_graph_and_are_the_same() -> None:
    x, y = tensors(rushlight, X, Y, requires_grad=True)
    found = []
    for vectorize in (True, False):
        total = functional.jacobian(lambda x: (x * y).exp(), x, True, vectorize=vectorize).sum()
        found.append(rushlight.autograd.grad(total, (x, y)))
    for a, b in zip(*found, strict=True):
        np.testing.assert_allclose(a.numpy(), b.numpy(), rtol=1e-12)
    cube = lambda x: (x**3).prod()  # noqa: E731
    a, b = (functional.hessian(cube, y.detach(), vectorize=v).numpy() for v in (True, False))
    np.testing.assert_allclose(a, b, rtol=1e-12)


def test_under_no_grad(torch: Any) -> None:
    def call(m: Any, f: Any) -> Any:
        with m.no_grad():
            return f(lambda x: x**4, *tensors(m, Y))

    both(torch, "jacobian", call)


def test_modes_that_are_not_supported() -> None:
    (x,) = tensors(rushlight, Y)
    with pytest.raises(NotImplementedError, match="strategy='forward-mode'"):
        functional.jacobian(lambda x: x, x, strategy="forward-mode")
    with pytest.raises(NotImplementedError, match=r"outer_jacobian_strategy='forward-mode'"):
        functional.hessian(lambda x: x.sum(), x, outer_jacobian_strategy="forward-mode")
    with pytest.raises(AssertionError, match=r'^Expected strategy to be either "forward-mode"'):
        functional.jacobian(lambda x: x, x, strategy="sideways")
    with pytest.raises(RuntimeError, match="`strict=True` and `vectorized=True` are not"):
        functional.jacobian(lambda x: x * 2, x, strict=True, vectorize=True)
