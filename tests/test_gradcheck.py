"""gradcheck and gradgradcheck: what they accept, what they find, as PyTorch's do."""

from __future__ import annotations

import importlib
import itertools
import re
from types import ModuleType
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight.autograd import GradcheckError, gradcheck, gradgradcheck

LOW, HIGH = np.linspace(0.2, 1.7, 6).reshape(2, 3), np.linspace(-1.1, 0.9, 3)


def unstable(x: Any) -> Any:
    """A hook makes each backward pass give something else."""
    y = x * 2
    calls = itertools.count(1)
    y.register_hook(lambda g: g * next(calls))
    return y


def constant_weight(x: Any) -> Any:
    """The gradient does not scale with the weight of the output."""
    y = x * 1
    y.register_hook(lambda g: g * 0 + 1)
    return y


# Each takes one tensor of float64 (2, 3) and one of (3): the same code in both libraries.
RIGHT = {
    "product": lambda x, y: x * y,
    "several outputs": lambda x, y: (x.exp() * y, y.sin(), x.sum()),
    "a list of outputs": lambda x, y: [x @ y, x.log()],
    "a constant among the outputs": lambda x, y: (x * y, y.detach() * 0),
    "one input unused": lambda x, y: x.tanh(),
    "reduction": lambda x, y: (x * y).softmax(1).prod(0),
    "view of an input": lambda x, y: (x.t(), y[1:]),
    "empty output": lambda x, y: (x[:0] * y, y * 2),
}
WRONG = {
    "half of the derivative": lambda x, y: x * x.detach() + y,
    "wrong for the second": lambda x, y: x * (y * y.detach()),
    "wrong second output": lambda x, y: (x * y, y.detach() + y * 3 + y.detach()),
    "no output requires grad": lambda x, y: x.detach() * y.detach(),
    "unstable": lambda x, y: unstable(x) + y,
    "not linear in the weight": lambda x, y: constant_weight(x),
}


def arguments(module: ModuleType) -> tuple[Any, ...]:
    return tuple(
        module.tensor(values.tolist(), dtype=module.float64, requires_grad=True)
        for values in (LOW, HIGH)
    )


def error(module: ModuleType) -> Any:
    return importlib.import_module(f"{module.__name__}.autograd.gradcheck").GradcheckError


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", RIGHT)
def test_right_derivatives_pass(name: str, fast: bool) -> None:
    assert gradcheck(RIGHT[name], arguments(rushlight), fast_mode=fast) is True


@pytest.mark.parametrize("name", [n for n in RIGHT if "constant" not in n and "view" not in n])
def test_right_second_derivatives_pass(name: str) -> None:
    assert gradgradcheck(RIGHT[name], arguments(rushlight)) is True


@pytest.mark.parametrize("fast", [False, True])
@pytest.mark.parametrize("name", WRONG)
def test_wrong_derivatives_are_found_in_the_same_words(torch: Any, name: str, fast: bool) -> None:
    reports = []
    for module in (torch, rushlight):
        check = module.autograd.gradcheck
        assert check(WRONG[name], arguments(module), fast_mode=fast, raise_exception=False) is False
        with pytest.raises(error(module)) as found:
            check(WRONG[name], arguments(module), fast_mode=fast)
        reports.append(str(found.value))
    theirs, mine = (re.split(r"[,.\n]", report)[0] for report in reports)
    assert mine == theirs


def test_the_report_shows_both_jacobians() -> None:
    x = rushlight.tensor([3.0], dtype=rushlight.float64, requires_grad=True)
    with pytest.raises(GradcheckError, match=r"(?s)output 0 .* input 0,.*6\.0000.*3\."):
        gradcheck(lambda x: x * x.detach(), x)
    with pytest.raises(GradcheckError, match=r"(?s)fast mode.*Numerical:\n.*max per-element"):
        gradcheck(lambda x: x * x.detach(), x, fast_mode=True)


def test_wrong_second_derivative_is_found() -> None:
    """The first derivative is right, the second misses a term."""
    x = rushlight.tensor([0.5, 2.0], dtype=rushlight.float64, requires_grad=True)

    def cube(x: Any) -> Any:
        y = x * 3
        y.register_hook(lambda g: g * x.detach() ** 2)  # 3 x^2, its factor x^2 a constant
        return y - y.detach() + x.detach() ** 3

    assert gradcheck(cube, x)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect"):
        gradgradcheck(cube, x)


def test_wrong_custom_function_is_found() -> None:
    class Square(rushlight.autograd.Function):
        factor = 2.0

        @staticmethod
        def forward(ctx: Any, x: Any) -> Any:
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx: Any, g: Any) -> Any:
            (x,) = ctx.saved_tensors
            return g * Square.factor * x

    x = rushlight.tensor([0.5, 2.0], dtype=rushlight.float64, requires_grad=True)
    assert gradcheck(Square.apply, x) and gradgradcheck(Square.apply, x)
    Square.factor = 2.1
    assert not gradcheck(Square.apply, x, raise_exception=False)


def test_inputs_that_are_no_tensors_or_need_no_gradient() -> None:
    x, y = arguments(rushlight)
    assert gradcheck(lambda x, n, y: x**n * y, (x, 2, y.detach()))
    assert gradcheck(lambda x: x * 2, x.detach().t().requires_grad_())  # in another order


def test_inputs_keep_their_values_and_gradients() -> None:
    x, y = arguments(rushlight)
    gradcheck(lambda x, y: x * y, (x, y))
    gradcheck(lambda x, y: x * y, (x, y), fast_mode=True)
    gradgradcheck(lambda x, y: x * y, (x, y), gen_non_contig_grad_outputs=True)
    assert x.tolist() == LOW.tolist() and x.grad is None


def test_checks_draw_no_numbers_of_the_user() -> None:
    before = rushlight.get_rng_state()
    gradgradcheck(lambda x, y: x * y, arguments(rushlight), fast_mode=True)
    assert rushlight.get_rng_state().tolist() == before.tolist()


def test_given_weights_are_checked_too() -> None:
    x = rushlight.tensor([0.5, 2.0], dtype=rushlight.float64, requires_grad=True)
    weight = rushlight.tensor([1.0, -1.0], dtype=rushlight.float64, requires_grad=True)
    assert gradgradcheck(lambda x: x**3, x, weight)
    assert gradgradcheck(lambda x: x**3, x, (weight.detach(),))


def test_nondeterminism_within_the_tolerance() -> None:
    x = rushlight.ones(2, dtype=rushlight.float64, requires_grad=True)

    def nearly(x: Any) -> Any:
        y = x * 2
        calls = itertools.count(1)
        y.register_hook(lambda g: g * (1 + 1e-9 * next(calls)))
        return y

    with pytest.raises(GradcheckError, match=r"^Backward is not reentrant, i.e., running"):
        gradcheck(nearly, x)
    assert gradcheck(nearly, x, nondet_tol=1e-7)


def test_misuse() -> None:
    x = rushlight.ones(2, dtype=rushlight.float64, requires_grad=True)
    with pytest.raises(
        ValueError, match=r"^gradcheck expects at least one input tensor to require"
    ):
        gradcheck(lambda x: x, rushlight.ones(2))
    with pytest.raises(RuntimeError, match=r"^The 0th input has a dimension with stride 0"):
        gradcheck(lambda x: x * 2, x[:1].detach().expand(3).requires_grad_())
    single = rushlight.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match=r"^Input #0 requires gradient and is not a double"):
        gradcheck(lambda x: x * 2, single, eps=1e-2, atol=1e-2)
    for option in ("check_batched_grad", "check_forward_ad", "check_batched_forward_grad"):
        with pytest.raises(NotImplementedError, match=option):
            gradcheck(lambda x: x, x, **{option: True})
    with pytest.raises(NotImplementedError, match="check_fwd_over_rev"):
        gradgradcheck(lambda x: x, x, check_fwd_over_rev=True)
    with pytest.raises(AssertionError, match=r"^Expected at least one of"):
        gradcheck(lambda x: x, x, check_backward_ad=False)
