"""Kernels of the CUDA backend, each against the CPU's: layers, losses, optimizers."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from rushlight import _kernels
from rushlight.backend import cpu
from tests.cuda_device import Device, cuda_device, values  # noqa: F401 - the fixture `device`

# ---- Losses ----


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(5, 3), (3,), (4, 3, 2, 2)])
def test_nll_loss(device: Device, shape: Any, weighted: bool, reduction: str) -> None:
    x = -np.abs(values(shape, "float64"))
    places = (*shape[:1], *shape[2:]) if len(shape) > 1 else ()
    target = np.asarray(np.arange(np.prod(places)).reshape(places) % 3, np.int64)
    if target.ndim:
        target.flat[0] = -100
    weight = np.array([0.5, 1.0, 2.0]) if weighted else None
    options = (target, weight, -100, reduction)
    device.agree("nll_loss", x, *options, tolerance=1e-12)
    out, total = cpu.nll_loss(x, *options)
    g = values(out.shape, "float64", 1)
    device.agree("nll_loss_backward", g, shape, *options, total, tolerance=1e-12)


def test_targets_that_are_refused(device: Device) -> None:
    x = np.zeros((2, 3), np.float32)
    for target in (np.array([0, 3]), np.array([0, -1]), np.array([0]), np.array([0.0, 1.0])):
        device.agree_in_refusing("nll_loss", x, target, None, -100, "mean")
    device.agree_in_refusing("nll_loss", x, np.array([0, 1]), np.ones(2, np.float32), 0, "mean")
    device.agree_in_refusing("nll_loss", x, np.array([0, 1]), None, 0, "average")


# ---- Matrix products, convolution, pooling ----

PRODUCTS = [
    ((2, 3), (3, 4)),
    ((3,), (3,)),
    ((2, 3), (3,)),
    ((3,), (3, 2)),
    ((5, 1, 2, 3), (4, 3, 2)),
]


@pytest.mark.parametrize(("left", "right"), PRODUCTS)
def test_matmul(device: Device, left: Any, right: Any) -> None:
    device.agree("matmul", values(left, "float64"), values(right, "float64", 1), tolerance=1e-12)


def test_linear(device: Device) -> None:
    x, weight = values((4, 3), "float64"), values((2, 3), "float64", 1)
    device.agree("linear", x, weight, values((2,), "float64"), tolerance=1e-12)
    device.agree("linear", x, weight, None, tolerance=1e-12)
    device.agree_in_refusing("matmul", x, weight)
    device.agree_in_refusing("matmul", np.array(1.0), x)
    device.agree_in_refusing("matmul", x, x.T.astype(np.float32))


CONVOLUTIONS = [
    ((1, 1), (0, 0), (1, 1), 1),
    ((2, 1), (1, 2), (1, 1), 1),
    ((1, 2), (2, 1), (2, 1), 2),
    ((3, 3), (0, 1), (1, 2), 4),
]


@pytest.mark.parametrize("options", CONVOLUTIONS)
def test_convolution(device: Device, options: Any) -> None:
    x = values((2, 4, 7, 6), "float64")
    weight = values((8, 4 // options[-1], 3, 2), "float64", 1)
    device.agree("correlate2d", x, weight, values((8,), "float64", 2), *options, tolerance=1e-12)
    g = cpu.correlate2d(x, weight, None, *options)
    device.agree("correlate2d_input_grad", g, weight, x.shape, *options, tolerance=1e-11)
    device.agree("correlate2d_weight_grad", g, x, weight.shape, *options, tolerance=1e-11)
    device.agree("correlate2d_weight_grad", g[:0], x[:0], weight.shape, *options)
    device.agree("correlate2d_input_grad", g[:0], weight, x[:0].shape, *options)


def test_convolutions_that_are_refused(device: Device) -> None:
    options = ((1, 1), (0, 0), (1, 1), 1)
    x, weight = values((1, 2, 4, 4), "float32"), values((3, 2, 3, 3), "float32")
    device.agree_in_refusing("correlate2d", x, values((3, 1, 3, 3), "float32"), None, *options)
    device.agree_in_refusing("correlate2d", x, values((3, 2, 5, 5), "float32"), None, *options)
    device.agree_in_refusing("correlate2d", x, weight, values((2,), "float32"), *options)


POOLS = [
    ((2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 2), (2, 1), (1, 1), (1, 1), True),
    ((2, 3), (3, 2), (0, 1), (2, 1), True),
]


@pytest.mark.parametrize("options", POOLS)
@pytest.mark.parametrize("shape", [(2, 3, 7, 8), (3, 7, 8)])
def test_max_pool2d(device: Device, shape: Any, options: Any) -> None:
    x = np.round(values(shape, "float64"))  # many ties
    x[..., 0, :2] = -np.inf
    device.agree("max_pool2d", x, *options)
    out, indices = cpu.max_pool2d(x, *options)
    g = values(out.shape, "float64", 1)
    device.agree("max_pool2d_backward", g, indices, shape, tolerance=1e-12)
    x[..., 3, 3] = np.nan
    device.check(
        device.kernels.max_pool2d(device.array(x), *options)[0], cpu.max_pool2d(x, *options)[0]
    )


@pytest.mark.parametrize("options", POOLS)
@pytest.mark.parametrize(("include_padding", "divisor"), [(True, None), (False, None), (True, 5)])
def test_avg_pool2d(device: Device, options: Any, include_padding: bool, divisor: Any) -> None:
    x = values((2, 3, 7, 8), "float64")
    kernel, stride, padding, _, ceil_mode = options
    rule = (include_padding, divisor)
    device.agree("avg_pool2d", x, kernel, stride, padding, ceil_mode, *rule, tolerance=1e-12)
    g = cpu.avg_pool2d(x, kernel, stride, padding, ceil_mode, *rule)
    device.agree("avg_pool2d_backward", g, x.shape, kernel, stride, padding, *rule, tolerance=1e-12)


# ---- Random numbers ----


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("uniform", (0.0, 1.0)),
        ("normal", (0.0, 1.0)),
        ("log_normal", (0.0, 1.0)),
        ("cauchy", (0.0, 1.0)),
        ("exponential", (1.0,)),
        ("geometric", (0.25,)),
        ("bernoulli", (0.5, 1.0)),
        ("randint", (10, 3)),
        ("any_integer", ()),
    ],
)
def test_same_seed_same_numbers(device: Device, name: str, parameters: Any) -> None:
    for shape, turned in (((40,), False), ((3, 4), True), ((0, 2), False)):
        theirs, mine = (K.full(shape, 0, np.dtype(np.float32)) for K in (cpu, device.kernels))
        getattr(cpu, name)(theirs.T if turned else theirs, _kernels.Generator(7), *parameters)
        fill = getattr(device.kernels, name)
        fill(mine.T if turned else mine, _kernels.Generator(7), *parameters)
        device.check(mine, theirs)


def test_random_numbers_with_operands(device: Device) -> None:
    K = device.kernels
    p = np.array([[0.1, 0.9], [0.5, 0.5]], np.float32)
    theirs, mine = np.zeros((2, 2), np.float32), K.full((2, 2), 0, np.dtype(np.float32))
    cpu.bernoulli_each(theirs, _kernels.Generator(7), p)
    K.bernoulli_each(mine, _kernels.Generator(7), device.array(p))
    device.check(mine, theirs)
    there = device.array(p)
    device.check(K.poisson(there, _kernels.Generator(7)), cpu.poisson(p, _kernels.Generator(7)))
    device.check(
        K.multinomial(there, _kernels.Generator(7), 3, True),
        cpu.multinomial(p, _kernels.Generator(7), 3, True),
    )
    theirs, mine = np.zeros(9, np.int64), K.full((9,), 0, np.dtype(np.int64))
    cpu.randperm(theirs, _kernels.Generator(7))
    K.randperm(mine, _kernels.Generator(7))
    device.check(mine, theirs)


# ---- Optimizer steps ----

STEPS: dict[str, list[tuple[int, Any]]] = {
    # The lists of state that the variant has, and the options after the lists.
    "sgd_step": [
        (0, (0.1, 0.0, 0.0, 0.01, False, False, False)),
        (1, (0.1, 0.9, 0.0, 0.01, True, False, False)),
        (1, (0.1, 0.9, 0.5, 0.0, False, True, True)),
    ],
    "adam_step": [
        (2, (0.1, 0.9, 0.999, 1e-8, 0.01, False, False, False)),
        (3, (0.1, 0.9, 0.999, 1e-8, 0.01, True, True, True)),
    ],
    "rmsprop_step": [
        (1, (0.1, 0.9, 1e-8, 0.01, 0.0, False)),
        (3, (0.1, 0.9, 1e-8, 0.0, 0.9, False)),
    ],
    "adagrad_step": [(1, (0.1, 0.01, 1e-10, 0.01, False))],
}
LISTS = {"sgd_step": 1, "adam_step": 3, "rmsprop_step": 3, "adagrad_step": 1}


@pytest.mark.parametrize("name", STEPS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_optimizer_steps(device: Device, name: str, dtype: str) -> None:
    for count, options in STEPS[name]:
        shapes = ((3, 4), (), (5,))
        # Ever smaller: a mean square is not below the squared mean.
        host = [
            [np.asarray(abs(values(s, dtype, i)) / 9**i, dtype) for s in shapes]
            for i in range(count + 2)
        ]
        there = [[device.array(x) for x in arrays] for arrays in host]
        for arrays, kernels in ((host, cpu), (there, device.kernels)):
            states = [*arrays[2:], *[None] * (LISTS[name] - count)]
            steps = [] if name == "sgd_step" else [[np.array(2.0, np.float32) for _ in shapes]]
            getattr(kernels, name)(arrays[0], arrays[1], *states, *steps, *options)
            assert all(step == 3 for step in itertools.chain(*steps))
        for mine, theirs in zip(itertools.chain(*there), itertools.chain(*host), strict=True):
            device.check(mine, theirs, 1e-5 if dtype == "float32" else 1e-12)
