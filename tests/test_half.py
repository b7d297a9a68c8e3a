"""Float16 and bfloat16 (and small integers) in reductions, products, layers, losses, optimizers.

Everything is computed in float32 and rounded once: the reference is PyTorch in float64 over the
same half values, within a place of the result's type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight import nn, optim
from rushlight.backend import cpu
from tests.cuda_device import Device, cuda_device  # noqa: F401 - the fixture `device`

HALVES = ("float16", "bfloat16")
PLACE = {"float16": 2.0**-11, "bfloat16": 2.0**-8}  # half a unit in the last place, of 1
each_half = pytest.mark.parametrize("half", HALVES)


def close(mine: Any, expected: Any, half: str, places: float = 1.5, least: float = 1e-3) -> None:
    """`expected` (float64, of either library), but for the rounding of the half type."""
    assert str(mine.dtype) == f"torch.{half}"
    bound = places * PLACE[half]
    ours, exact = (np.asarray(x.detach().double().numpy()) for x in (mine, expected))
    np.testing.assert_allclose(ours, exact, rtol=bound, atol=bound * least)


def halves(half: str, rng: Any, *shape: int) -> Any:
    return rushlight.tensor(rng.normal(size=shape)).to(getattr(rushlight, half))


def wide(torch: Any, tensor: Any) -> Any:
    """The same values in PyTorch, as float64."""
    return torch.tensor(tensor.detach().double().numpy())


REDUCTIONS: dict[str, Callable[..., Any]] = {
    "sum": lambda t, x: x.sum(),
    "sum of rows": lambda t, x: x.sum(-1),
    "sum of columns": lambda t, x: x.sum(0, keepdim=True),
    "mean": lambda t, x: x.mean(),
    "mean of columns": lambda t, x: x.mean((0, 1)),
    "var": lambda t, x: x.var(-1),
    "std": lambda t, x: x.std(),
    "amax": lambda t, x: x.amax(1),
    "amin": lambda t, x: x.amin(),
    "prod": lambda t, x: (x * 0.1 + 1).prod(0),
    "norm": lambda t, x: (x * x).sum(-1).sqrt(),
    "softmax": lambda t, x: t.softmax(x, -1),
    "softmax of columns": lambda t, x: t.softmax(x, 0),
    "log_softmax": lambda t, x: t.log_softmax(x, 1),
    "logsumexp": lambda t, x: t.logsumexp(x, -1),
    "nanmean": lambda t, x: t.nanmean(x, 0),
    "cumsum": lambda t, x: x.cumsum(1),
    "cumprod": lambda t, x: x.cumprod(0),
    "logcumsumexp": lambda t, x: x.logcumsumexp(-1),
    "cummax": lambda t, x: x.cummax(1)[0],
    "sort": lambda t, x: x.sort(0)[0],
    "topk": lambda t, x: x.topk(2)[0],
    "median": lambda t, x: x.median(-1)[0],
}


@each_half
@pytest.mark.parametrize("name", REDUCTIONS)
def test_reductions(half: str, name: str, torch: Any, rng: Any) -> None:
    """Over contiguous, transposed and long inputs."""
    call = REDUCTIONS[name]
    for x in (halves(half, rng, 3, 40, 50), halves(half, rng, 50, 40, 3).transpose(0, 2)):
        exact = call(torch, wide(torch, x))
        close(call(rushlight, x), exact, half, places=4, least=1)


@each_half
def test_long_sums(half: str, torch: Any, rng: Any) -> None:
    """A sum of 200000 halves keeps the digits of float32 until the end."""
    x = halves(half, rng, 200_000)
    close(x.sum(), wide(torch, x).sum(), half, places=1, least=1)
    close(x.square().mean(), wide(torch, x.square()).mean(), half, places=1)


@pytest.mark.parametrize("dtype", ["int8", "int16", "uint16", "uint32"])
def test_integer_reductions(dtype: str, torch: Any, rng: Any) -> None:
    values = rng.integers(0, 100, (7, 700)).astype(dtype)
    x, y = rushlight.tensor(values), torch.tensor(values.astype(np.int64))
    for name in ("sum", "amax", "amin", "argmax", "any", "all"):
        for dim in ((), (0,), (1,)):
            mine, theirs = getattr(x, name)(*dim), getattr(y, name)(*dim)
            assert mine.tolist() == theirs.tolist(), (name, dim)
    assert str(x.amax().dtype) == f"torch.{dtype}" and x.sum().dtype is rushlight.int64
    assert (x[:, :3] % 5).prod(1).tolist() == (y[:, :3] % 5).prod(1).tolist()


PRODUCTS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...]]] = {
    "matmul": (lambda t, x, y: x @ y, ((33, 65), (65, 17))),
    "vector": (lambda t, x, y: x @ y, ((33, 65), (65,))),
    "dot": (lambda t, x, y: x @ y, ((300,), (300,))),
    "batched": (lambda t, x, y: x @ y, ((4, 9, 20), (4, 20, 8))),
    "transposed": (lambda t, x, y: x.t() @ y.t(), ((20, 9), (8, 20))),
    "linear": (lambda t, x, w, b: t.nn.functional.linear(x, w, b), ((6, 40), (10, 40), (10,))),
    "conv2d": (
        lambda t, x, w, b: t.nn.functional.conv2d(x, w, b, stride=2, padding=1),
        ((2, 3, 9, 9), (4, 3, 3, 3), (4,)),
    ),
    "max_pool2d": (lambda t, x: t.nn.functional.max_pool2d(x, 2), ((2, 3, 8, 8),)),
    "avg_pool2d": (lambda t, x: t.nn.functional.avg_pool2d(x, 2), ((2, 3, 8, 8),)),
    "gelu": (lambda t, x: t.nn.functional.gelu(x), ((5, 60),)),
    "softmax": (lambda t, x: t.softmax(x, -1), ((5, 60),)),
    "var": (lambda t, x: x.var(-1), ((5, 60),)),
    "broadcast": (lambda t, x, y: x * y + y, ((5, 60), (60,))),
    "index": (lambda t, x: x[t.tensor([0, 2, 2])], ((5, 6),)),
    "where": (lambda t, x, y: t.where(x > 0, x, y), ((5, 60), (5, 60))),
    "cat": (lambda t, x, y: t.cat([x, y * 2]), ((5, 6), (3, 6))),
    "pow": (lambda t, x: (x.abs() + 0.5) ** 1.5, ((5, 60),)),
    "clamp": (lambda t, x: x.clamp(-0.5, 0.5), ((5, 60),)),
    "mse": (lambda t, x, y: t.nn.functional.mse_loss(x, y), ((5, 60), (5, 60))),
    "bce": (
        lambda t, x, y: t.nn.functional.binary_cross_entropy_with_logits(x, (y > 0).to(x.dtype)),
        ((5, 60), (5, 60)),
    ),
    "cross_entropy": (
        lambda t, x: t.nn.functional.cross_entropy(x, t.tensor([0, 2, 1, 4, 4])),
        ((5, 6),),
    ),
}


@each_half
@pytest.mark.parametrize("name", PRODUCTS)
def test_values_and_gradients(half: str, name: str, torch: Any, rng: Any) -> None:
    """A forward and a backward pass, the gradients in the half type too."""
    call, shapes = PRODUCTS[name]
    mine = [halves(half, rng, *shape).requires_grad_() for shape in shapes]
    theirs = [wide(torch, x).requires_grad_() for x in mine]
    out, exact = call(rushlight, *mine), call(torch, *theirs)
    close(out, exact, half, places=6, least=4)
    weights = halves(half, rng, *out.shape)
    out.backward(weights)
    exact.backward(wide(torch, weights))
    for x, y in zip(mine, theirs, strict=True):
        if y.grad is not None:
            close(x.grad, y.grad, half, places=10, least=4)


def test_mixed_operands_are_refused(torch: Any) -> None:
    """Products of different types, in PyTorch's words."""
    for a, b in (("float16", "float32"), ("bfloat16", "float16")):
        words = []
        for t in (rushlight, torch):
            x, y = t.ones(2, 2, dtype=getattr(t, a)), t.ones(2, 2, dtype=getattr(t, b))
            with pytest.raises(RuntimeError) as error:
                x @ y
            words.append(str(error.value))
        assert words[0] == words[1]


def test_integer_products(torch: Any, rng: Any) -> None:
    for dtype in ("int8", "int16"):
        values = rng.integers(-100, 100, (9, 9)).astype(dtype)
        x, y = rushlight.tensor(values), torch.tensor(values)
        np.testing.assert_array_equal((x @ x).numpy(), (y @ y).numpy())
        assert str((x @ x).dtype) == f"torch.{dtype}"


def test_gradients_cross_conversions(torch: Any) -> None:
    """A gradient arrives in the type of its tensor."""
    for t in (rushlight, torch):
        w = t.tensor([1.5, -2.0], requires_grad=True)
        h = t.tensor([0.5, 4.0], dtype=t.bfloat16, requires_grad=True)
        (w.bfloat16() * h).sum().backward()
        assert (w.grad.dtype, h.grad.dtype) == (t.float32, t.bfloat16)
        assert w.grad.tolist() == [0.5, 4.0] and h.grad.tolist() == [1.5, -2.0]
        w.grad = None
        (w * h.float() + w.double().half()).sum().backward()
        assert w.grad.tolist() == [1.5, 5.0]


# ---- Training ----


def model() -> Any:
    rushlight.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(36, 5)
    )


OPTIMIZERS: dict[str, Callable[..., Any]] = {
    "SGD": lambda p: optim.SGD(p, lr=0.05, momentum=0.9),
    "Adam": lambda p: optim.Adam(p, lr=0.01, eps=1e-4),
    "AdamW": lambda p: optim.AdamW(p, lr=0.01, eps=1e-4),
    "RMSprop": lambda p: optim.RMSprop(p, lr=0.003, eps=1e-4),
    "Adagrad": lambda p: optim.Adagrad(p, lr=0.02),
}


@each_half
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_training(half: str, name: str) -> None:
    """A small network learns, and follows the same network in float32."""
    dtype = getattr(rushlight, half)
    losses: dict[Any, list[float]] = {}
    x, y = rushlight.randn(16, 1, 8, 8), rushlight.arange(16) % 5
    for kind in (dtype, rushlight.float32):
        net = model().to(kind)
        optimizer = OPTIMIZERS[name](net.parameters())
        losses[kind] = []
        for _ in range(15):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(net(x.to(kind)), y)
            loss.backward()
            optimizer.step()
            losses[kind].append(loss.item())
        assert {p.dtype for p in net.parameters()} == {kind}
        assert {p.grad.dtype for p in net.parameters()} == {kind}
    assert losses[dtype][-1] < 0.7 * losses[dtype][0]
    np.testing.assert_allclose(losses[dtype], losses[rushlight.float32], rtol=0.15, atol=0.05)


def test_many_steps() -> None:
    """A count of steps goes on where bfloat16 would stop, at 256."""
    rushlight.set_default_dtype(rushlight.bfloat16)
    w = rushlight.ones(2, requires_grad=True)
    optimizer = optim.Adam([w], lr=1e-3)
    w.grad = rushlight.zeros(2)
    for _ in range(300):
        optimizer.step()
    assert optimizer.state[w]["step"].item() == 300


def test_modules_convert() -> None:
    net = model()
    assert net.half()[0].weight.dtype is rushlight.float16
    assert net.bfloat16()[0].weight.dtype is rushlight.bfloat16
    assert net.to(rushlight.float16)[4].bias.dtype is rushlight.float16
    state = net.float().state_dict()
    net.half().load_state_dict(state)
    assert net[0].weight.dtype is rushlight.float16


# ---- Random numbers ----

FILLS: dict[str, Callable[..., Any]] = {
    "uniform_": lambda x, g: x.uniform_(generator=g),
    "uniform_ between": lambda x, g: x.uniform_(-0.3, 1.7, generator=g),
    "normal_": lambda x, g: x.normal_(generator=g),
    "normal_ of": lambda x, g: x.normal_(0.3, 0.7, generator=g),
    "log_normal_": lambda x, g: x.log_normal_(generator=g),
    "exponential_": lambda x, g: x.exponential_(generator=g),
    "cauchy_": lambda x, g: x.cauchy_(generator=g),
    "geometric_": lambda x, g: x.geometric_(0.2, generator=g),
    "bernoulli_": lambda x, g: x.bernoulli_(0.3, generator=g),
    "random_": lambda x, g: x.random_(generator=g),
    "random_ below": lambda x, g: x.random_(100, generator=g),
    "random_ between": lambda x, g: x.random_(-20, 90, generator=g),
}
INTEGER_FILLS = ("geometric_", "bernoulli_", "random_", "random_ below", "random_ between")


@pytest.mark.parametrize("dtype", [*HALVES, "int8", "int16"])
@pytest.mark.parametrize("name", FILLS)
def test_streams(dtype: str, name: str, torch: Any) -> None:
    """The same numbers as PyTorch's for the same seed, in all sizes and layouts."""
    if dtype not in HALVES and name not in INTEGER_FILLS:
        return
    for shape in ((5,), (16,), (999,), (20, 50)):
        values = []
        for t in (rushlight, torch):
            x = t.empty(shape, dtype=getattr(t, dtype))
            g = t.Generator().manual_seed(7)
            FILLS[name](x, g)
            FILLS[name](x.t() if x.ndim == 2 else x, g)
            values.append((x.double().numpy(), int(t.empty(1, dtype=t.int64).random_(generator=g))))
        np.testing.assert_array_equal(values[0][0], values[1][0])
        assert values[0][1] == values[1][1]


@each_half
def test_streams_of_functions(half: str, torch: Any) -> None:
    for call in (
        lambda t, d: t.rand(70, dtype=d),
        lambda t, d: t.randn(70, dtype=d),
        lambda t, d: t.randint(0, 100, (70,), dtype=d),
        lambda t, d: t.randperm(70, dtype=d),
        lambda t, d: t.bernoulli(t.rand(70, dtype=d)),
        lambda t, d: t.poisson(t.rand(70, dtype=d) * 9),
        lambda t, d: t.multinomial(t.rand(70, dtype=d), 20, replacement=True),
        lambda t, d: t.nn.functional.dropout(t.rand(70, dtype=d), 0.3),
    ):
        values = []
        for t in (rushlight, torch):
            t.manual_seed(3)
            x = call(t, getattr(t, half))
            values.append((str(x.dtype), x.double().tolist()))
        assert values[0] == values[1]


# ---- CUDA ----


@each_half
def test_kernels_of_halves_on_a_device(half: str, device: Device, rng: Any) -> None:
    """Stored in 16 bits, computed in float32, as on the CPU."""
    dtype = np.dtype(getattr(rushlight, half).numpy)
    x, y = (halves(half, rng, 6, 9).numpy() for _ in range(2))
    K = device.kernels
    place = 2 * PLACE[half]

    def check(mine: Any, theirs: Any) -> None:
        assert mine.dtype == theirs.dtype and mine.shape == theirs.shape
        ours, expected = mine.get().astype(np.float64), theirs.astype(np.float64)
        np.testing.assert_allclose(ours, expected, rtol=place, atol=place)

    for name, *operands in (
        ("add", x, y), ("mul", x, 0.1), ("exp", x), ("lt", x, y), ("pow", y, 2), ("gelu", x),
        ("sum", x), ("sum", x, (1,), True), ("mean", x, (0,)), ("var", x), ("amax", x, (1,)),
        ("argmax", x, 1), ("softmax", x, 1), ("log_softmax", x, 0), ("matmul", x, y.T),
        ("linear", x, y, None), ("clamp", x, -0.5, 0.5), ("where", x > 0, x, y),
        ("sum_to", x, (9,)), ("cat", [x, y], 0), ("cast", x, np.dtype(np.float32)),
    ):  # fmt: skip
        moved = [device.array(o) for o in operands]
        if name == "cat":
            moved = [[device.array(a) for a in operands[0]], 0]
        check(getattr(K, name)(*moved), getattr(cpu, name)(*operands))
    image, weight = (halves(half, rng, *s).numpy() for s in ((2, 3, 8, 8), (4, 3, 3, 3)))
    options = ((1, 1), (1, 1), (1, 1), 1)
    mine = K.correlate2d(device.array(image), device.array(weight), None, *options)
    place *= 8  # sums of 27 products, about 5
    check(mine, cpu.correlate2d(image, weight, None, *options))
    for kernels, move in ((K, device.array), (cpu, np.copy)):
        params = move(x), move(y)
        kernels.sgd_step([params[0]], [params[1]], None, 0.1, 0.0, 0.0, 0.01, False, False, True)
        result = params[0] if kernels is cpu else result_of(params[0])
        np.testing.assert_array_equal(result.dtype, dtype)
        stepped = result.astype(np.float64)
        exact = x.astype(np.float64)
        exact -= 0.1 * (y.astype(np.float64) + 0.01 * exact)
        np.testing.assert_allclose(stepped, exact, rtol=PLACE[half] * 2, atol=1e-3)


def result_of(array: Any) -> Any:
    """An array of the device in the CPU's memory."""
    return array.get()
