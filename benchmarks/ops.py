"""Single operations at sizes where the arithmetic counts, beside the machine's measured limit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from benchmarks.harness import Call, Case

FLOAT_BYTES = 4


def array(*shape: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Standard normal float32 numbers, the same ones at every call."""
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def _count(size: int) -> str:
    """A size for people: 10k, 1M."""
    return f"{size // 1_000_000}M" if size >= 1_000_000 else f"{size // 1000}k"


# --- matrix products ------------------------------------------------------------------------------


def matmul(n: int, m: int, k: int, batch: int = 0, transposed: bool = False) -> Case:
    """(n, m) @ (m, k), batched where `batch` is not 0, with the second one stored transposed."""
    lead = (batch,) if batch else ()

    def build(lib: Any) -> Call:
        x = lib.from_numpy(array(*lead, n, m))
        y = lib.from_numpy(array(*lead, k, m) if transposed else array(*lead, m, k))
        if transposed:
            y = y.transpose(-1, -2)
        return lambda: lib.matmul(x, y)

    name = (f"{batch} x " if batch else "") + f"({n}, {m}) @ ({m}, {k})"
    flops = 2.0 * n * m * k * max(batch, 1)
    return Case("Matrix product", name + (" transposed" if transposed else ""), build, flops=flops)


MATMULS = [
    matmul(64, 64, 64),
    matmul(256, 256, 256),
    matmul(1024, 1024, 1024),
    matmul(1024, 1024, 1024, transposed=True),
    matmul(64, 784, 256, transposed=True),
    matmul(1, 1024, 1024, transposed=True),
    matmul(64, 64, 64, batch=64),
]


# --- convolutions ---------------------------------------------------------------------------------


def conv(batch: int, c_in: int, c_out: int, side: int, backward: bool) -> Case:
    """A 3x3 convolution, padding 1, over square images, alone or with both its gradients."""

    def build(lib: Any) -> Call:
        x = lib.from_numpy(array(batch, c_in, side, side)).requires_grad_(backward)
        weight = lib.from_numpy(array(c_out, c_in, 3, 3)).requires_grad_(backward)
        if not backward:
            return lambda: lib.nn.functional.conv2d(x, weight, padding=1)

        def call() -> Any:
            x.grad = weight.grad = None
            lib.nn.functional.conv2d(x, weight, padding=1).sum().backward()
            return weight.grad

        return call

    products = 3 if backward else 1
    return Case(
        "Convolution",
        f"{batch} x {c_in} -> {c_out}, {side}x{side}" + (" with backward" if backward else ""),
        build,
        flops=products * 2.0 * batch * c_in * c_out * 9 * side * side,
    )


CONVOLUTIONS = [
    conv(64, 1, 32, 28, backward=False),
    conv(64, 32, 64, 14, backward=False),
    conv(64, 32, 64, 14, backward=True),
    conv(16, 64, 64, 32, backward=False),
    conv(16, 64, 64, 32, backward=True),
]


# --- pointwise operations and reductions ----------------------------------------------------------


def pointwise(name: str, size: int, inputs: int = 1) -> Case:
    """A named function of one or two contiguous tensors of `size` elements."""

    def build(lib: Any) -> Call:
        function = getattr(lib, name)
        x, y = (lib.from_numpy(row) for row in array(2, size))
        return (lambda: function(x)) if inputs == 1 else (lambda: function(x, y))

    return Case(
        "Pointwise",
        f"{name}, {_count(size)} elements",
        build,
        nbytes=(inputs + 1.0) * size * FLOAT_BYTES,
    )


def row_add(rows: int, columns: int) -> Case:
    """A matrix plus a row, as a bias is added."""

    def build(lib: Any) -> Call:
        x, row = lib.from_numpy(array(rows, columns)), lib.from_numpy(array(columns))
        return lambda: x + row

    return Case(
        "Pointwise",
        f"({rows}, {columns}) + ({columns},)",
        build,
        nbytes=2.0 * rows * columns * FLOAT_BYTES,
    )


POINTWISE = [
    *(pointwise("add", size, inputs=2) for size in (10_000, 1_000_000, 16_000_000)),
    *(pointwise(name, 1_000_000) for name in ("relu", "exp", "tanh", "sigmoid")),
    row_add(1024, 1024),
]


def reduction(name: str, shape: tuple[int, ...], **arguments: Any) -> Case:
    """A named function that reads a tensor of `shape` and writes little."""
    row = f"{name} of {shape}" + "".join(f", {k}={v}" for k, v in arguments.items())

    def build(lib: Any) -> Call:
        function = getattr(lib, name)
        x = lib.from_numpy(array(*shape))
        return lambda: function(x, **arguments)

    return Case("Reduction", row, build, nbytes=float(math.prod(shape)) * FLOAT_BYTES)


def softmax(rows: int, columns: int) -> Case:
    """Softmax over the last dimension: one read and one write, by the fewest bytes."""

    def build(lib: Any) -> Call:
        x = lib.from_numpy(array(rows, columns))
        return lambda: lib.softmax(x, 1)

    nbytes = 2.0 * rows * columns * FLOAT_BYTES
    return Case("Reduction", f"softmax of ({rows}, {columns})", build, nbytes=nbytes)


REDUCTIONS = [
    reduction("sum", (1024, 1024)),
    reduction("sum", (1024, 1024), dim=0),
    reduction("sum", (1024, 1024), dim=1),
    reduction("sum", (4096, 4096)),
    reduction("amax", (1024, 1024), dim=1),
    reduction("argmax", (1024, 1024), dim=1),
    reduction("var", (1024, 1024), dim=1),
    softmax(1024, 1024),
]


CASES = [*MATMULS, *CONVOLUTIONS, *POINTWISE, *REDUCTIONS]
