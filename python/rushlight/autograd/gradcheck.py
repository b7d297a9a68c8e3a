"""Gradients against finite differences: `gradcheck` and, for second derivatives, `gradgradcheck`.

Derivatives are read one output at a time, so an operation with several outputs is also asked for
its gradient while those of the others are missing.
"""

from __future__ import annotations

import itertools
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from rushlight import dtypes, ops
from rushlight.autograd.differentiate import grad
from rushlight.autograd.grad_mode import no_grad
from rushlight.random import Generator
from rushlight.tensor import Tensor

__all__ = ["GradcheckError", "gradcheck", "gradgradcheck"]

Function = Callable[..., Any]


class GradcheckError(RuntimeError):
    """Derivatives that `gradcheck` or `gradgradcheck` found wrong."""


@dataclass(frozen=True)
class _Settings:
    eps: float
    atol: float
    rtol: float
    nondet_tol: float
    check_grad_dtypes: bool


def gradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_batched_forward_grad: bool = False,
    check_forward_ad: bool = False,
    check_backward_ad: bool = True,
    fast_mode: bool = False,
    masked: bool | None = None,
) -> bool:
    """Whether the gradients of `func` are its central differences.

    Element by element, ``|analytical - numerical| <= atol + rtol * |numerical|``. The defaults are
    made for float64; at a kink of `func` the two may differ without either being wrong.

    Args:
        func: takes the inputs, returns a tensor or a sequence of them.
        inputs: a tensor or several arguments; those that require grad are checked.
        eps: the perturbation of the differences.
        atol: absolute tolerance.
        rtol: relative tolerance.
        raise_exception: raise an error that shows both Jacobians, instead of returning False.
        nondet_tol: how much two backward passes over the same values may differ.
        check_undefined_grad: of no effect: missing gradients are always part of the check.
        check_grad_dtypes: a gradient must have the dtype of its input.
        check_batched_grad: not supported.
        check_batched_forward_grad: not supported.
        check_forward_ad: not supported.
        check_backward_ad: must stay True, since there is no forward mode.
        fast_mode: compare the Jacobians along one random direction only, ``v @ J @ u``; its cost
            does not grow with the number of elements.
        masked: of no effect: there are no sparse tensors.

    Raises:
        GradcheckError: a derivative is wrong, or depends on more than its inputs.
        ValueError: no input requires grad, or a tensor is complex.
        NotImplementedError: for an option that is not supported.
    """
    _refuse(
        "gradcheck",
        check_batched_grad=check_batched_grad,
        check_batched_forward_grad=check_batched_forward_grad,
        check_forward_ad=check_forward_ad,
    )
    if not check_backward_ad:
        raise AssertionError(
            "Expected at least one of check_forward_ad or check_backward_ad to be True"
        )
    settings = _Settings(eps, atol, rtol, nondet_tol, check_grad_dtypes)
    arguments = _as_tuple(inputs)
    _check_inputs(arguments)
    try:
        _check(func, arguments, settings, fast_mode)
    except GradcheckError:
        if raise_exception:
            raise
        return False
    return True


def gradgradcheck(
    func: Function,
    inputs: Tensor | Sequence[Any],
    grad_outputs: Tensor | Sequence[Tensor] | None = None,
    *,
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
    gen_non_contig_grad_outputs: bool = False,
    raise_exception: bool = True,
    nondet_tol: float = 0.0,
    check_undefined_grad: bool = True,
    check_grad_dtypes: bool = False,
    check_batched_grad: bool = False,
    check_fwd_over_rev: bool = False,
    check_rev_over_rev: bool = True,
    fast_mode: bool = False,
    masked: bool = False,
) -> bool:
    """Whether the gradients of the gradients of `func` are their central differences.

    Args:
        func: as for `gradcheck`.
        inputs: as for `gradcheck`.
        grad_outputs: the weights of the outputs in the first backward pass; random numbers from
            [-1, 1) when None. Those that require grad are checked too.
        eps: as for `gradcheck`, and so for the options that are not named here.
        atol: see `eps`.
        rtol: see `eps`.
        gen_non_contig_grad_outputs: make the random weights without order in memory.
        raise_exception: see `eps`.
        nondet_tol: see `eps`.
        check_undefined_grad: see `eps`.
        check_grad_dtypes: see `eps`.
        check_batched_grad: not supported.
        check_fwd_over_rev: not supported.
        check_rev_over_rev: must stay True, since there is no forward mode.
        fast_mode: see `eps`.
        masked: see `eps`.

    Raises:
        GradcheckError: as `gradcheck`, and so for the other errors.
    """
    _refuse("gradgradcheck", check_fwd_over_rev=check_fwd_over_rev)
    if not check_rev_over_rev:
        raise AssertionError(
            "Expected at least one of check_fwd_over_rev or check_rev_over_rev to be True"
        )
    arguments = _as_tuple(inputs)
    if grad_outputs is None:
        outputs = _differentiable(func(*arguments))
        generator = Generator()
        weights = tuple(_random_weight(y, generator, gen_non_contig_grad_outputs) for y in outputs)
    else:
        weights = _as_tuple(grad_outputs)
    wanted = [i for i, x in enumerate(arguments) if _requires_grad(x)]

    def gradients(*args: Any) -> tuple[Tensor, ...]:
        given, weighted = args[: len(arguments)], args[len(arguments) :]
        found = grad(
            _differentiable(func(*given)),
            [given[i] for i in wanted],
            weighted,
            create_graph=True,
            allow_unused=True,
        )
        return tuple(g for g in found if g is not None)

    return gradcheck(
        gradients,
        (*arguments, *weights),
        eps=eps,
        atol=atol,
        rtol=rtol,
        raise_exception=raise_exception,
        nondet_tol=nondet_tol,
        check_undefined_grad=check_undefined_grad,
        check_grad_dtypes=check_grad_dtypes,
        check_batched_grad=check_batched_grad,
        fast_mode=fast_mode,
        masked=masked,
    )


# ---- Arguments and results ----


def _refuse(name: str, **options: bool) -> None:
    for option, value in options.items():
        if value:
            raise NotImplementedError(f"{name}(): {option}=True is not supported")


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return tuple(values) if isinstance(values, tuple | list) else (values,)


def _requires_grad(value: Any) -> bool:
    return isinstance(value, Tensor) and value.requires_grad


def _differentiable(results: Any) -> tuple[Tensor, ...]:
    return tuple(y for y in _as_tuple(results) if _requires_grad(y))


def _check_inputs(arguments: tuple[Any, ...]) -> None:
    checked = [(i, x) for i, x in enumerate(arguments) if _requires_grad(x)]
    if not checked:
        raise ValueError(
            "gradcheck expects at least one input tensor to require gradient, but none of them "
            "have requires_grad=True."
        )
    for i, x in checked:
        if x.is_complex():
            raise ValueError(f"gradcheck: input {i} is complex, which is not supported")
        if x.dtype is not dtypes.float64:
            warnings.warn(
                f"Input #{i} requires gradient and is not a double precision floating point or "
                "complex. This check will likely fail if all the inputs are not of double "
                "precision floating point or complex. ",
                stacklevel=3,
            )
        if any(s == 0 and n > 1 for s, n in zip(x.stride(), x.shape, strict=True)):
            raise RuntimeError(
                f"The {i}th input has a dimension with stride 0. gradcheck only supports inputs "
                "that are non-overlapping to be able to compute the numerical gradients "
                "correctly. You should call .contiguous on the input before passing it to "
                "gradcheck."
            )


def _random_weight(output: Tensor, generator: Generator, scattered: bool) -> Tensor:
    """Numbers from [-1, 1) like an output; `scattered`: every second element of memory."""
    shape = tuple(output.shape)
    drawn = (*shape, 2) if scattered else shape
    weight = ops.rand(drawn, generator=generator, dtype=output.dtype).to(output.device) * 2 - 1
    weight = weight[..., 0] if scattered else weight
    weight.requires_grad = True
    return weight


# ---- The check ----


def _check(func: Function, arguments: tuple[Any, ...], settings: _Settings, fast: bool) -> None:
    outputs = _differentiable(func(*arguments))
    checked = [i for i, x in enumerate(arguments) if _requires_grad(x)]
    if any(y.is_complex() for y in outputs):
        raise ValueError("gradcheck: an output is complex, which is not supported")
    if not outputs:
        _check_constant(func, arguments, checked, settings)
        return
    compare = _compare_directions if fast else _compare_jacobians
    compare(func, arguments, checked, outputs, settings)
    _check_zero_weights(outputs, [arguments[i] for i in checked])


def _check_constant(
    func: Function, arguments: tuple[Any, ...], checked: list[int], settings: _Settings
) -> None:
    """Without an output that requires grad, nothing may depend on the inputs."""
    for i in checked:
        for numerical in _numerical_jacobians(func, arguments, i, settings.eps, _tensors):
            if numerical.numel() and float(numerical.abs().max()) > 0:
                raise GradcheckError("Numerical gradient for function expected to be zero")


def _compare_jacobians(
    func: Function,
    arguments: tuple[Any, ...],
    checked: list[int],
    outputs: tuple[Tensor, ...],
    settings: _Settings,
) -> None:
    inputs = [arguments[i] for i in checked]
    numerical = [
        _numerical_jacobians(func, arguments, i, settings.eps, _differentiable) for i in checked
    ]
    for o, output in enumerate(outputs):
        for i, analytical in enumerate(_analytical_jacobians(output, inputs, settings)):
            if not _near(analytical, numerical[i][o], settings.rtol, settings.atol):
                raise GradcheckError(_mismatch(o, i, numerical[i][o], analytical))


def _compare_directions(
    func: Function,
    arguments: tuple[Any, ...],
    checked: list[int],
    outputs: tuple[Tensor, ...],
    settings: _Settings,
) -> None:
    """Compares ``v @ J @ u`` for a random direction of each output and of each input."""
    generator = Generator()  # not the user's
    inputs = [arguments[i] for i in checked]
    us, vs = ([_direction(x, generator) for x in tensors] for tensors in (inputs, outputs))
    for i, (position, u) in enumerate(zip(checked, us, strict=True)):
        changes = _change(func, arguments, position, u, settings.eps)
        for o, v in enumerate(vs):
            numerical = (changes[o] * v).sum()
            gradient = _gradients(outputs[o], inputs, v, settings)[i]
            analytical = (gradient * u).sum()
            # Each element of the Jacobian may be wrong by atol, so the sum by their weights.
            atol = settings.atol * float(u.sum()) * float(v.sum())
            if not _near(analytical, numerical, settings.rtol, atol):
                slow = _numerical_jacobians(
                    func, arguments, position, settings.eps, _differentiable
                )[o]
                full = _analytical_jacobians(outputs[o], inputs, settings)[i]
                raise GradcheckError(
                    _mismatch(o, i, numerical, analytical)
                    + "\nThe above quantities relating the numerical and analytical jacobians are "
                    "computed\nin fast mode. Below, the jacobians themselves:\n\n"
                    f"Numerical:\n {slow}\nAnalytical:\n{full}\n\nThe max per-element difference "
                    f"(slow mode) is: {float((slow - full).abs().max())}.\n"
                )


def _check_zero_weights(outputs: tuple[Tensor, ...], inputs: list[Tensor]) -> None:
    """A gradient is linear in the weights of the outputs: zeros give zeros, of the input's kind."""
    zeros = [ops.zeros_like(y) for y in outputs]
    found = grad(outputs, inputs, zeros, retain_graph=True, allow_unused=True)
    for g, x in zip(found, inputs, strict=True):
        if g is None:
            continue
        if g.numel() and float(g.abs().max()) > 0:
            raise GradcheckError("backward not multiplied by grad_output")
        if g.dtype is not x.dtype:
            raise GradcheckError("grad is incorrect type")
        if g.device != x.device:
            raise GradcheckError("grad is incorrect device")
        if g.shape != x.shape:
            raise GradcheckError("grad is incorrect size")


def _near(analytical: Tensor, numerical: Tensor, rtol: float, atol: float) -> bool:
    difference = (analytical.double() - numerical.double()).abs()
    # Where both are the same infinity the difference is NaN.
    equal: Any = analytical == numerical
    return bool(((difference <= atol + rtol * numerical.double().abs()) | equal).all())


def _mismatch(output: int, input: int, numerical: Tensor, analytical: Tensor) -> str:
    return (
        f"Jacobian mismatch for output {output} with respect to input {input},\n"
        f"numerical:{numerical}\nanalytical:{analytical}\n"
    )


# ---- Derivatives: Jacobians are (elements of the input, elements of the output) ----


def _tensors(results: Any) -> tuple[Tensor, ...]:
    """The tensors among the results of a function."""
    return tuple(y for y in _as_tuple(results) if isinstance(y, Tensor))


def _difference(
    func: Function,
    arguments: tuple[Any, ...],
    change: Callable[[float], None],
    eps: float,
    select: Callable[[Any], tuple[Tensor, ...]],
) -> list[Tensor]:
    """``(f(x + eps) - f(x - eps)) / (2 * eps)`` for each output, where `change` moves x."""
    results = []
    for sign in (1.0, -1.0):
        change(sign * eps)
        # Recorded, so that `select` sees which outputs require grad; copied, since an output may
        # be a view of an input.
        results.append([y.detach().clone() for y in select(func(*arguments))])
    change(0.0)
    for after, before in zip(*results, strict=True):
        if after.shape != before.shape or after.dtype is not before.dtype:
            raise AssertionError(
                "Expected `func` to return outputs with the same shape and dtype when inputs are "
                f"perturbed by {eps}, but got: {tuple(after.shape)} of {after.dtype} and "
                f"{tuple(before.shape)} of {before.dtype}."
            )
    return [(after - before) / (2 * eps) for after, before in zip(*results, strict=True)]


def _numerical_jacobians(
    func: Function,
    arguments: tuple[Any, ...],
    position: int,
    eps: float,
    select: Callable[[Any], tuple[Tensor, ...]],
) -> list[Tensor]:
    """For each output its Jacobian with respect to one argument, by central differences."""
    data = arguments[position].data
    rows = []
    for index in itertools.product(*map(range, data.shape)):
        value = data[index].item()

        def change(by: float, index: tuple[int, ...] = index, value: float = value) -> None:
            data[index] = value + by

        columns = _difference(func, arguments, change, eps, select)
        rows.append([column.reshape(-1) for column in columns])
    if not rows:
        return [
            ops.zeros(0, y.numel(), dtype=y.dtype, device=y.device)
            for y in select(func(*arguments))
        ]
    return [ops.stack(columns) for columns in zip(*rows, strict=True)]


def _change(
    func: Function, arguments: tuple[Any, ...], position: int, u: Tensor, eps: float
) -> list[Tensor]:
    """The change of each output along the direction `u` of one argument."""
    data = arguments[position].data
    before = data.clone()

    def change(by: float) -> None:
        data.copy_(before + u * by if by else before)

    return _difference(func, arguments, change, eps, _differentiable)


def _gradients(
    output: Tensor, inputs: list[Tensor], weight: Tensor, settings: _Settings
) -> list[Tensor]:
    """The gradients of one weighted output, zeros where it does not depend on an input.

    Raises:
        GradcheckError: a second pass gives something else, or a gradient is not like its input.
    """
    passes = []
    for _ in range(2):
        found = grad(output, inputs, weight.clone(), retain_graph=True, allow_unused=True)
        passes.append(
            [ops.zeros_like(x) if g is None else g for g, x in zip(found, inputs, strict=True)]
        )
    for first, second, x in zip(*passes, inputs, strict=True):
        if settings.check_grad_dtypes and first.dtype is not x.dtype:
            raise GradcheckError("Gradient has dtype mismatch")
        if first.shape != x.shape:
            raise GradcheckError("Analytical gradient has incorrect size")
        if first.numel() and float((first - second).abs().max()) > settings.nondet_tol:
            raise GradcheckError(
                "Backward is not reentrant, i.e., running backward with same input and "
                "grad_output multiple times gives different values, although analytical gradient "
                f"matches numerical gradient.The tolerance for nondeterminism was "
                f"{settings.nondet_tol}."
            )
    return [g.detach() for g in passes[0]]


def _analytical_jacobians(
    output: Tensor, inputs: list[Tensor], settings: _Settings
) -> list[Tensor]:
    """For each input the Jacobian of one output, by a backward pass for each of its elements."""
    columns = []
    for index in itertools.product(*map(range, output.shape)):
        with no_grad():
            weight = ops.zeros_like(output)
            weight[index] = 1
        gradients = _gradients(output, inputs, weight, settings)
        columns.append([g.reshape(-1) for g in gradients])
    if not columns:
        return [ops.zeros(x.numel(), 0, dtype=x.dtype, device=x.device) for x in inputs]
    return [ops.stack(column, 1) for column in zip(*columns, strict=True)]


def _direction(x: Tensor, generator: Generator) -> Tensor:
    """A random direction of positive components and length 1."""
    drawn = ops.rand(tuple(x.shape), generator=generator, dtype=dtypes.float64)
    return (drawn / (drawn * drawn).sum().sqrt()).to(x.dtype).to(x.device)


class _CallableModule(ModuleType):
    """``autograd.gradcheck`` is a function, and also a module to import from, as in PyTorch."""

    __call__ = staticmethod(gradcheck)


sys.modules[__name__].__class__ = _CallableModule
