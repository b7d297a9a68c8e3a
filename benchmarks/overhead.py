"""What one call costs where there is next to no arithmetic: 8x8 tensors, recorded for backward."""

from __future__ import annotations

from typing import Any

import numpy as np

from benchmarks.harness import Call, Case

GROUP = "Cost per call (8x8, recorded)"
SIDE = 8
CHAIN = 20


def operands(lib: Any) -> tuple[Any, Any]:
    """Two 8x8 tensors; the first requires a gradient."""
    values = np.random.default_rng(0).standard_normal((2, SIDE, SIDE)).astype(np.float32)
    return lib.from_numpy(values[0]).requires_grad_(), lib.from_numpy(values[1])


def add(lib: Any) -> Call:
    """``w + x``."""
    w, x = operands(lib)
    return lambda: w + x


def mul(lib: Any) -> Call:
    """``w * x``."""
    w, x = operands(lib)
    return lambda: w * x


def relu(lib: Any) -> Call:
    """``relu(w)``."""
    w, _ = operands(lib)
    return lambda: lib.relu(w)


def total(lib: Any) -> Call:
    """``w.sum()``."""
    w, _ = operands(lib)
    return lambda: w.sum()


def matmul(lib: Any) -> Call:
    """``w @ x``."""
    w, x = operands(lib)
    return lambda: w @ x


def chain_backward(lib: Any) -> Call:
    """Twenty multiplications in a row, a sum, and the gradient back through them."""
    w, x = operands(lib)

    def call() -> Any:
        w.grad = None
        y = w
        for _ in range(CHAIN):
            y = y * x
        y.sum().backward()
        return w.grad

    return call


def sum_backward(lib: Any) -> Call:
    """The smallest graph there is: ``w.sum().backward()``."""
    w, _ = operands(lib)

    def call() -> Any:
        w.grad = None
        w.sum().backward()
        return w.grad

    return call


CASES = [
    Case(GROUP, "add", add),
    Case(GROUP, "mul", mul),
    Case(GROUP, "relu", relu),
    Case(GROUP, "sum", total),
    Case(GROUP, "matmul", matmul),
    Case(GROUP, f"{CHAIN} muls, sum, backward", chain_backward),
    Case(GROUP, "sum, backward", sum_backward),
]
