"""Optimizer steps: one launch for each parameter, with the formulas of optim.h."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from rushlight.backend.cuda.checks import check_destination
from rushlight.backend.cuda.elementwise import kernel
from rushlight.backend.cuda.halves import computed_in

__all__ = ["adagrad_step", "adam_step", "rmsprop_step", "sgd_step"]

Arrays = Sequence[Any]
Coefficients = dict[str, float]

_C_NAMES = {"float32": "float", "float64": "double"}


def operation(dtype: str, functor: str, members: Sequence[str], call: str) -> str:
    """The statement that steps one element; `call` is made on the functor."""
    kind = _C_NAMES[dtype]
    sign, decay, *rest = members
    text = f"rush::device::optim::{functor}<{kind}>"
    text += f"{{{', '.join([f'{{{sign}, {decay}}}', *rest])}}}{call}"
    return f"{kind} none = 0; {text}" if "none" in call else text


def step_kernel(
    dtype: str, functor: str, members: tuple[str, ...], call: str, states: tuple[str, ...]
) -> Any:
    """The kernel of one variant of an optimizer; its outputs are changed in place."""
    inputs = [f"{'bool' if x == 'nesterov' else dtype} {x}" for x in members]
    return kernel(
        ", ".join([f"{dtype} grad", *inputs]),
        ", ".join(f"{dtype} {x}" for x in ("param", *states)),
        operation(dtype, functor, members, call),
        f"rush_{functor.lower()}",
        "optim.h",
    )


def _step(
    functor: str,
    coefficients: Coefficients,
    call: str,
    param: Any,
    grad: Any,
    **states: Any,
) -> None:
    """Steps one parameter and those states that it has, in place."""
    computed = computed_in(param.dtype)
    floating = str(computed) in _C_NAMES
    for array in (param, grad, *states.values()):
        if array.shape != param.shape or array.dtype != param.dtype or not floating:
            raise RuntimeError(
                "optimizer: a parameter, its gradient and its state must have one shape and "
                f"dtype; got {list(param.shape)} {param.dtype} and {list(array.shape)} "
                f"{array.dtype}"
            )
        if array is not grad:
            check_destination(array)
    launch = step_kernel(str(computed), functor, tuple(coefficients), call, tuple(states))
    changed = [param, *states.values()]
    if computed == param.dtype:
        launch(grad, *coefficients.values(), *changed)
        return
    wide = [array.astype(computed) for array in changed]
    launch(grad.astype(computed), *coefficients.values(), *wide)
    for array, values in zip(changed, wide, strict=True):
        array[...] = values


def _rows(*lists: Any) -> Iterator[tuple[Any, ...]]:
    """The parameters with what goes with each; a list that there is none of gives None."""
    count = len(lists[0])
    if any(x is not None and len(x) != count for x in lists):
        raise RuntimeError("optimizer: the lists differ in length")
    return zip(*([None] * count if x is None else x for x in lists), strict=True)


def _gradient(maximize: bool, weight_decay: float) -> Coefficients:
    return {"sign": -1.0 if maximize else 1.0, "decay": weight_decay}


def _advance(step: Any) -> float:
    """Adds one to a step count, a 0-dim array on the CPU, and returns it."""
    step += 1
    return float(step)


def sgd_step(
    params: Arrays,
    grads: Arrays,
    momentum_buffers: Arrays | None,
    lr: float,
    momentum: float,
    dampening: float,
    weight_decay: float,
    nesterov: bool,
    maximize: bool,
    first: bool,
) -> None:
    """One step of stochastic gradient descent, in place; `first` fills the momentum buffers."""
    coefficients = {
        **_gradient(maximize, weight_decay),
        "rate": lr,
        "momentum": momentum,
        "intake": 1 - dampening,
        "nesterov": nesterov,
    }
    for param, grad, buffer in _rows(params, grads, momentum_buffers):
        if buffer is None:
            _step("Sgd", coefficients, ".plain(param, grad)", param, grad)
        else:
            call = f".with_momentum<{'true' if first else 'false'}>(param, grad, buffer)"
            _step("Sgd", coefficients, call, param, grad, buffer=buffer)


def adam_step(
    params: Arrays,
    grads: Arrays,
    exp_avgs: Arrays,
    exp_avg_sqs: Arrays,
    max_exp_avg_sqs: Arrays | None,
    steps: Arrays,
    lr: float,
    beta1: float,
    beta2: float,
    eps: float,
    weight_decay: float,
    decoupled: bool,
    amsgrad: bool,
    maximize: bool,
) -> None:
    """One step of Adam, or AdamW when `decoupled`, in place; each step count grows by one."""
    largest = max_exp_avg_sqs if amsgrad else None
    for param, grad, mean, square, top, step in _rows(
        params, grads, exp_avgs, exp_avg_sqs, largest, steps
    ):
        t = _advance(step)
        coefficients = {
            **_gradient(maximize, 0 if decoupled else weight_decay),
            "keep": 1 - lr * weight_decay if decoupled else 1,
            "weight1": 1 - beta1,
            "beta2": beta2,
            "weight2": 1 - beta2,
            "step_size": lr / (1 - beta1**t),
            "correction": math.sqrt(1 - beta2**t),
            "eps": eps,
        }
        states = {"mean": mean, "square": square}
        if amsgrad:
            call = ".operator()<true>(param, grad, mean, square, largest)"
            _step("Adam", coefficients, call, param, grad, **states, largest=top)
        else:
            call = ".operator()<false>(param, grad, mean, square, none)"
            _step("Adam", coefficients, call, param, grad, **states)


def rmsprop_step(
    params: Arrays,
    grads: Arrays,
    square_avgs: Arrays,
    grad_avgs: Arrays | None,
    momentum_buffers: Arrays | None,
    steps: Arrays,
    lr: float,
    alpha: float,
    eps: float,
    weight_decay: float,
    momentum: float,
    maximize: bool,
) -> None:
    """One step of RMSprop, in place; `grad_avgs` centers, `momentum_buffers` may be None."""
    coefficients = {
        **_gradient(maximize, weight_decay),
        "rate": lr,
        "momentum": momentum,
        "eps": eps,
        "alpha": alpha,
        "weight": 1 - alpha,
    }
    variant = f"<{str(grad_avgs is not None).lower()}, {str(momentum_buffers is not None).lower()}>"
    for param, grad, square, mean, buffer, step in _rows(
        params, grads, square_avgs, grad_avgs, momentum_buffers, steps
    ):
        _advance(step)
        states = {"square": square, "mean": mean, "buffer": buffer}
        names = ", ".join("none" if array is None else name for name, array in states.items())
        call = f".operator(){variant}(param, grad, {names})"
        held = {name: array for name, array in states.items() if array is not None}
        _step("Rmsprop", coefficients, call, param, grad, **held)


def adagrad_step(
    params: Arrays,
    grads: Arrays,
    sums: Arrays,
    steps: Arrays,
    lr: float,
    lr_decay: float,
    eps: float,
    weight_decay: float,
    maximize: bool,
) -> None:
    """One step of Adagrad, in place."""
    for param, grad, total, step in _rows(params, grads, sums, steps):
        t = _advance(step)
        coefficients = {
            **_gradient(maximize, weight_decay),
            "rate": lr / (1 + (t - 1) * lr_decay),
            "eps": eps,
        }
        _step("Adagrad", coefficients, "(param, grad, total)", param, grad, total=total)
