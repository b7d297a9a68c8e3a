"""Element types: their names and limits, conversions between every pair, and half arithmetic."""

from __future__ import annotations

import itertools
import operator
import pickle
from typing import Any

import numpy as np
import pytest
from helpers import both

import rushlight

INTEGERS = ("uint8", "int8", "int16", "int32", "int64", "uint16", "uint32", "uint64")
HALVES = ("float16", "bfloat16")
FLOATS = (*HALVES, "float32", "float64")
ALL = ("bool", *INTEGERS, *FLOATS)
each_half = pytest.mark.parametrize("half", HALVES)


def values_of(tensor: Any) -> Any:
    """The elements of a tensor of either library, comparable: bfloat16 as float32."""
    wide = tensor.detach()
    return (wide.float() if str(wide.dtype) == "torch.bfloat16" else wide).numpy()


def equal(mine: Any, theirs: Any, what: object = "") -> None:
    """Equal types and values; zeros of either sign and NaNs are alike."""
    assert str(mine.dtype) == str(theirs.dtype), what
    assert tuple(mine.shape) == tuple(theirs.shape), what
    np.testing.assert_array_equal(values_of(mine), values_of(theirs), err_msg=str(what))


def pair(torch: Any, values: Any, dtype: str) -> tuple[Any, Any]:
    """The same tensor in both libraries."""
    theirs = torch.as_tensor(values).to(getattr(torch, dtype))
    return rushlight.as_tensor(values).to(getattr(rushlight, dtype)), theirs


def ulps(mine: Any, theirs: Any) -> int:
    """The largest distance in units of the last place of a half type."""
    numbers = ~np.isnan(values_of(theirs))
    assert (np.isnan(values_of(mine)) == ~numbers).all()
    return int(np.abs(bits_in_order(mine) - bits_in_order(theirs))[numbers].max())


def bits_in_order(tensor: Any) -> Any:
    """The bits of half numbers as integers in the numbers' order."""
    single = values_of(tensor).astype(np.float32)
    if str(tensor.dtype) == "torch.float16":
        bits = single.astype(np.float16).view(np.int16).astype(np.int32)
        return np.where(bits < 0, -(bits & 0x7FFF), bits)
    bits = single.view(np.int32) >> 16
    return np.where(bits < 0, -(bits & 0x7FFF), bits)


# ---- Names and limits ----


@pytest.mark.parametrize("name", ALL)
def test_facts(name: str, torch: Any) -> None:
    mine, theirs = getattr(rushlight, name), getattr(torch, name)
    assert repr(mine) == repr(theirs)
    for fact in ("itemsize", "is_floating_point", "is_complex", "is_signed"):
        assert getattr(mine, fact) == getattr(theirs, fact), fact
    assert rushlight.zeros(1, dtype=mine).type() == torch.zeros(1, dtype=theirs).type()
    assert pickle.loads(pickle.dumps(mine)) is mine
    limits, facts = ("finfo", "bits eps max min tiny smallest_normal resolution dtype")
    if name in INTEGERS:
        limits, facts = "iinfo", "bits max min dtype"
    if name == "bool":
        return both(torch, lambda t: t.iinfo(t.bool))
    ours, expected = getattr(rushlight, limits)(mine), getattr(torch, limits)(theirs)
    assert str(ours) == str(expected)
    for fact in facts.split():
        assert getattr(ours, fact) == getattr(expected, fact), fact
    return None


def test_aliases() -> None:
    for alias, name in {
        "half": "float16", "float": "float32", "double": "float64",
        "short": "int16", "int": "int32", "long": "int64",
    }.items():  # fmt: skip
        assert getattr(rushlight, alias) is getattr(rushlight, name)


@pytest.mark.parametrize(
    "name", ["complex64", "cfloat", "complex128", "cdouble", "qint8", "quint8", "float8_e4m3fn"]
)
def test_types_that_no_tensor_can_have(name: str, torch: Any) -> None:
    """Their names exist, and say what they are; a tensor of them is refused by name."""
    mine, theirs = getattr(rushlight, name), getattr(torch, name)
    assert repr(mine) == repr(theirs) and mine.itemsize == theirs.itemsize
    assert mine.is_complex == theirs.is_complex
    for make in (
        lambda: rushlight.zeros(2, dtype=mine),
        lambda: rushlight.tensor([1.0], dtype=mine),
        lambda: rushlight.ones(2).to(mine),
    ):
        with pytest.raises(NotImplementedError, match=repr(mine).replace(".", r"\.")):
            make()


def test_promote_types_and_can_cast(torch: Any) -> None:
    for a, b in itertools.product(ALL, ALL):
        both(torch, lambda t, a=a, b=b: t.promote_types(getattr(t, a), getattr(t, b)))
        both(torch, lambda t, a=a, b=b: t.can_cast(getattr(t, a), getattr(t, b)))


PROMOTING: dict[str, Any] = {
    "add": lambda t, x, y: x + y,
    "mul": lambda t, x, y: x * y,
    "div": lambda t, x, y: x / y,
    "pow": lambda t, x, y: x**y,
    "atan2": lambda t, x, y: t.atan2(x, y),
    "lt": lambda t, x, y: x < y,
    "eq": lambda t, x, y: x == y,
    "where": lambda t, x, y: t.where(t.ones(2, dtype=t.bool), x, y),
    "cat": lambda t, x, y: t.cat([x, y]),
    "in place": lambda t, x, y: x.clone().mul_(y),
    "result_type": lambda t, x, y: t.zeros(1, dtype=t.result_type(x, y)),
}


@pytest.mark.parametrize("name", PROMOTING)
def test_promotion_of_every_pair(name: str, torch: Any) -> None:
    """Tensors, 0-dim tensors and numbers: PyTorch's type, or its error, but where it lacks ops."""

    def result(t: Any, *operands: Any) -> str:
        tensors = [
            t.ones(x[1], dtype=getattr(t, x[0])) if isinstance(x, tuple) else x for x in operands
        ]
        try:
            return str(PROMOTING[name](t, *tensors).dtype)
        except Exception as error:
            return type(error).__name__

    kinds = [(dtype, shape) for dtype in ALL for shape in ((2,), ())]
    for left in kinds:
        for right in (*kinds, True, 2, 2.5):
            for operands in ((left, right), (right, left)):
                theirs = result(torch, *operands)
                if theirs == "NotImplementedError" or (name == "pow" and right is True):
                    continue  # PyTorch has some powers of True
                assert result(rushlight, *operands) == theirs, operands


@pytest.mark.parametrize("name", FLOATS)
def test_default_dtype(name: str, torch: Any) -> None:
    try:
        for t in (rushlight, torch):
            t.set_default_dtype(getattr(t, name))
        for call in (
            lambda t: t.tensor([1.5]).dtype,
            lambda t: t.zeros(1).dtype,
            lambda t: (t.ones(1, dtype=t.int64) / 3).dtype,
            lambda t: (t.ones(1, dtype=t.int64) * 1.5).dtype,
            lambda t: t.sqrt(t.ones(1, dtype=t.uint8)).dtype,
            lambda t: t.nn.Linear(2, 1).weight.dtype,
            lambda t: repr(t.tensor([0.5, 1.0])),
        ):
            both(torch, call)
    finally:
        torch.set_default_dtype(torch.float32)


def test_default_dtype_must_be_floating(torch: Any) -> None:
    both(torch, lambda t: t.set_default_dtype(t.int8))
    both(torch, lambda t: t.set_default_dtype("float16"))


# ---- Conversion ----

EDGES = [0.0, -0.0, 1.0, -1.0, 0.4, -0.6, 1.5, 2.5, -2.5, 127.9, 128.0, 129.0, 255.0, 256.0, 300.0]
EDGES += [-128.0, -129.0, -300.0, 32767.0, 32768.0, 65504.0, 65519.0, 65520.0, 65536.0, -70000.0]
EDGES += [3e-8, 6e-8, 5.96e-8, 6.1e-5, 6.09e-5, 1.0009765625, 1.00048828125, 1.00146484375]
EDGES += [1.00390625, 1.01171875, 2147483520.0, -2147483648.0, 16777217.0, 1e-40, 3.4e38]


@pytest.mark.parametrize("source", ALL)
def test_conversions(source: str, torch: Any) -> None:
    """Every pair of types on the edges of them all, dense and strided."""
    values = np.array([*EDGES, *np.linspace(-500, 500, 600)])
    if source in FLOATS:
        values = np.array([*values, np.inf, -np.inf, np.nan])
    elif source != "bool":
        limits = rushlight.iinfo(getattr(rushlight, source))
        edges = [limits.min, limits.max, limits.max - 1, limits.max // 2 + 1, 0, 1, 2049, 16777217]
        values = np.array([e for e in edges if e <= limits.max], source)
    mine, theirs = pair(torch, values, source)
    for target in ALL:
        if source in FLOATS and target in INTEGERS:
            wide = values_of(theirs).astype(np.float64)
            fits = representable(wide, target)
            index = np.flatnonzero(fits)
            chosen, expected = mine[index], theirs[torch.from_numpy(index)]
        else:
            chosen, expected = mine, theirs
        expected = expected.to(getattr(torch, target))
        equal(chosen.to(getattr(rushlight, target)), expected, (source, target))
        equal(chosen[::2].to(getattr(rushlight, target)), expected[::2], (source, target))


def representable(values: Any, target: str) -> Any:
    """What PyTorch converts alike in its vectorised and its plain loops."""
    limits = rushlight.iinfo(getattr(rushlight, target))
    with np.errstate(all="ignore"):
        return (np.trunc(values) >= limits.min) & (np.trunc(values) <= limits.max)


def test_tensors_from_numbers(torch: Any) -> None:
    """Numbers that an integer type cannot hold are refused; negative ones wrap if unsigned."""
    for value in (300, -1, -300, 2.7, 1e10, float("nan"), 2**40, 2**63, True):
        for dtype in ALL:
            if dtype == "uint64" and (isinstance(value, float) or value < 0):
                continue  # TypeError in PyTorch, for numbers that it takes in uint32
            both_values(torch, lambda t, v=value, d=dtype: t.tensor([v], dtype=getattr(t, d)))
            both_values(torch, lambda t, v=value, d=dtype: t.full((2,), v, dtype=getattr(t, d)))


def both_values(torch: Any, call: Any) -> None:
    """As `both`, for types that NumPy does not have."""
    try:
        theirs = call(torch)
    except Exception as error:
        with pytest.raises(type(error)):
            call(rushlight)
        return
    equal(call(rushlight), theirs)


@pytest.mark.parametrize("dtype", ALL)
def test_creation_and_printing(dtype: str, torch: Any) -> None:
    for call in (
        lambda t, d: t.zeros(2, 3, dtype=d),
        lambda t, d: t.ones(3, dtype=d).sum(),
        lambda t, d: t.tensor([[1, 0], [2, 3]], dtype=d),
        lambda t, d: t.full((2,), 1, dtype=d),
        lambda t, d: t.zeros(0, dtype=d),
    ):
        d = {t: getattr(t, dtype) for t in (torch, rushlight)}
        assert repr(call(rushlight, d[rushlight])) == repr(call(torch, d[torch]))
    x, y = pair(torch, np.array([1.0, 0.0, 3.0]), dtype)
    assert x.tolist() == y.tolist() and x[0].item() == y[0].item()
    assert type(x[0].item()) is type(y[0].item())
    assert rushlight.from_numpy(x.numpy()).dtype is x.dtype
    assert pickle.loads(pickle.dumps(x)).tolist() == x.tolist()


@pytest.mark.parametrize("dtype", [*HALVES, "int8", "int16", "uint8"])
def test_ranges(dtype: str, torch: Any) -> None:
    for call in (
        lambda t, d: t.arange(5, dtype=d),
        lambda t, d: t.arange(5, -2, -2, dtype=d),
        lambda t, d: t.arange(-3, 300, 20, dtype=d),
        lambda t, d: t.arange(0, 2, 0.3, dtype=d),
        lambda t, d: t.linspace(-3, 10, 5, dtype=d),
        lambda t, d: t.linspace(0, 1, 7, dtype=d),
        lambda t, d: t.eye(2, dtype=d),
    ):
        if dtype == "uint8" and call(torch, torch.float32).min() < 0:
            continue
        equal(call(rushlight, getattr(rushlight, dtype)), call(torch, getattr(torch, dtype)))


def test_methods(torch: Any) -> None:
    for name in "half bfloat16 float double byte char short int long bool".split():
        both(torch, lambda t, n=name: str(getattr(t.tensor([1.0, 0.0]), n)()))
    both(torch, lambda t: str(t.zeros(1).type("torch.HalfTensor")))
    both(torch, lambda t: str(t.zeros(1).type(t.CharTensor)))
    both(torch, lambda t: str(t.zeros(1).to(t.zeros(1, dtype=t.bfloat16))))


PYTHON_TYPES: dict[str, Any] = {
    "zeros": lambda t: t.zeros(2, dtype=float),
    "tensor": lambda t: t.tensor([1.5], dtype=int),
    "arange": lambda t: t.arange(3, dtype=float),
    "full": lambda t: t.full((2,), 1, dtype=bool),
    "to": lambda t: t.ones(2).to(int),
    "to by name": lambda t: t.ones(2).to(dtype=float),
    "like": lambda t: t.zeros_like(t.ones(2), dtype=int),
    "new": lambda t: t.ones(2).new_zeros(2, dtype=int),
    "rand": lambda t: t.rand(2, dtype=float).dtype,
    "sum": lambda t: t.ones(2, dtype=t.bool).sum(dtype=float),
    "sum in int8": lambda t: t.full((2, 3), 100).sum(dtype=t.int8),
    "module": lambda t: t.nn.Linear(2, 2).to(float).weight.dtype,
    "finfo": lambda t: t.finfo(float),
    "text": lambda t: t.zeros(2, dtype="float32"),
    "index": lambda t: t.arange(3)[t.tensor([0], dtype=t.int16)],
}


@pytest.mark.parametrize("call", PYTHON_TYPES.values(), ids=PYTHON_TYPES)
def test_types_of_python_as_dtypes(call: Any, torch: Any) -> None:
    both(torch, call)


def test_legacy_classes(torch: Any) -> None:
    for call in (
        lambda t: t.FloatTensor([1, 2.5]),
        lambda t: t.LongTensor([[1, 2], [3, 4]]),
        lambda t: t.LongTensor([2.7]),
        lambda t: t.FloatTensor(),
        lambda t: t.IntTensor(2, 3).shape,
        lambda t: t.HalfTensor(3).dtype,
        lambda t: t.LongTensor(t.zeros(2)),
        lambda t: t.FloatTensor(2, [3]),
        lambda t: isinstance(t.zeros(1), t.FloatTensor),
        lambda t: isinstance(t.zeros(1), t.LongTensor),
        lambda t: repr(t.BFloat16Tensor),
        lambda t: t.UInt16Tensor,
    ):
        both(torch, call)


# ---- Arithmetic ----

OPERATORS = {
    "add": operator.add, "sub": operator.sub, "mul": operator.mul, "truediv": operator.truediv,
    "mod": operator.mod, "lt": operator.lt, "eq": operator.eq,
}  # fmt: skip


@each_half
@pytest.mark.parametrize("name", OPERATORS)
def test_half_arithmetic(half: str, name: str, torch: Any, rng: Any) -> None:
    """Bit for bit PyTorch's: two tensors, numbers, 0-dim tensors, in any layout."""
    call = OPERATORS[name]
    x, tx = pair(torch, rng.normal(0, 3, (40, 33)), half)
    y, ty = pair(torch, rng.normal(0, 3, (40, 33)), half)
    equal(call(x, y), call(tx, ty))
    equal(call(x[:, ::2], y[:, ::2]), call(tx[:, ::2], ty[:, ::2]))
    equal(call(x, y[0]), call(tx, ty[0]))
    equal(call(x, y[:, :1]), call(tx, ty[:, :1]))
    equal(call(x, 0.1003), call(tx, 0.1003))
    equal(call(x, 3), call(tx, 3))
    equal(call(x, rushlight.tensor(0.1003)), call(tx, torch.tensor(0.1003)))
    equal(call(x, y[0, 0]), call(tx, ty[0, 0]))
    equal(call(x, rushlight.arange(33)), call(tx, torch.arange(33)))
    equal(call(x, y.float()), call(tx, ty.float()))


@each_half
def test_half_functions(half: str, torch: Any, rng: Any) -> None:
    """Exactly rounded functions are PyTorch's; the others differ by at most one place."""
    x, tx = pair(torch, rng.uniform(0.01, 8, 3000), half)
    for name in ("sqrt", "neg", "abs", "square", "floor", "ceil", "round", "trunc", "relu", "sign"):
        equal(getattr(rushlight, name)(x - 3), getattr(torch, name)(tx - 3), name)
    for name in (
        "exp", "log", "log2", "log1p", "expm1", "sin", "cos", "tanh", "sigmoid", "erf", "rsqrt",
        "reciprocal", "atan", "sinh",
    ):  # fmt: skip
        assert ulps(getattr(rushlight, name)(x), getattr(torch, name)(tx)) <= 1, name
    for name in ("silu", "gelu", "elu", "leaky_relu", "softplus"):
        mine = getattr(rushlight.nn.functional, name)(x - 3)
        assert ulps(mine, getattr(torch.nn.functional, name)(tx - 3)) <= 1, name
    assert ulps(rushlight.pow(x, 1.7), torch.pow(tx, 1.7)) <= 1


@each_half
def test_half_in_place(half: str, torch: Any, rng: Any) -> None:
    x, tx = pair(torch, rng.normal(size=(5, 70)), half)
    y, ty = pair(torch, rng.normal(size=(5, 70)), half)
    x.add_(y).mul_(0.3).t().sub_(1)
    tx.add_(ty).mul_(0.3).t().sub_(1)
    equal(x, tx)
    x.copy_(rushlight.arange(70))
    tx.copy_(torch.arange(70))
    equal(x, tx)
    equal(x.add_(rushlight.ones(70)), tx.add_(torch.ones(70)))


@pytest.mark.parametrize("dtype", ["int8", "int16"])
def test_small_integers_wrap(dtype: str, torch: Any, rng: Any) -> None:
    limits = rushlight.iinfo(getattr(rushlight, dtype))
    x, tx = pair(torch, rng.integers(limits.min, limits.max + 1, 3000).astype(dtype), dtype)
    y, ty = pair(torch, rng.integers(limits.min, limits.max + 1, 3000).astype(dtype), dtype)
    for name in ("add", "sub", "mul", "maximum", "bitwise_and", "bitwise_xor", "lt", "eq"):
        equal(getattr(rushlight, name)(x, y), getattr(torch, name)(tx, ty), name)
    for name in ("neg", "abs", "square", "sign", "bitwise_not", "sqrt", "logical_not"):
        if name != "sqrt":
            equal(getattr(rushlight, name)(x), getattr(torch, name)(tx), name)
    divisor, t_divisor = pair(torch, np.where(y.numpy() == 0, 1, y.numpy()), dtype)
    low = x.numpy() > limits.min  # PyTorch leaves the smallest integer by -1 to the processor
    equal((x // divisor)[low], (tx // t_divisor)[torch.from_numpy(low)])
    equal((x % divisor)[low], (tx % t_divisor)[torch.from_numpy(low)])
    equal(x**3, tx**3)
    equal(x + 300, tx + 300)
    equal(x / y, tx / ty)


@pytest.mark.parametrize("dtype", ["uint16", "uint32", "uint64"])
def test_wide_unsigned(dtype: str, torch: Any) -> None:
    """What PyTorch has for them agrees; the order of uint64 is refused."""
    high = rushlight.iinfo(getattr(rushlight, dtype)).max
    values = np.array([0, 1, 2, high, high // 2 + 1, 77], dtype)
    x, tx = pair(torch, values, dtype)
    y, ty = pair(torch, values[::-1].copy(), dtype)
    for name in ("mul", "eq", "ne", "bitwise_and", "bitwise_or", "bitwise_xor"):
        equal(getattr(rushlight, name)(x, y), getattr(torch, name)(tx, ty), name)
    equal(x * 1.5, tx * 1.5)
    equal(x.sqrt(), tx.sqrt())
    equal(rushlight.where(x == 1, x, y), torch.where(tx == 1, tx, ty))
    equal(rushlight.cat([x, y]), torch.cat([tx, ty]))
    for name in ("sum", "prod", "any", "all"):
        equal(getattr(x, name)(), getattr(tx, name)(), name)
    assert (x + y).numpy().tolist() == (values + values[::-1]).tolist()
    if dtype == "uint64":
        for call in (lambda: x < y, lambda: x // 2, lambda: x.amax(), lambda: x.argmax()):
            with pytest.raises(NotImplementedError, match="'UInt64'"):
                call()
    else:
        assert (x < y).numpy().tolist() == (values < values[::-1]).tolist()
        assert x.amax().item() == values.max() and x.argmax().item() == values.argmax()


def test_mixed_wide_unsigned_is_refused(torch: Any) -> None:
    for a, b in (("uint16", "int32"), ("uint8", "uint32"), ("uint64", "bool")):
        for t in (rushlight, torch):
            with pytest.raises(RuntimeError, match="Promotion for uint16, uint32, uint64 types"):
                t.ones(1, dtype=getattr(t, a)) * t.ones(1, dtype=getattr(t, b))


IN_PLACE = {
    "long += float": ("int64", lambda x: x.add_(1.5)),
    "byte += float": ("uint8", lambda x: x.add_(1.5)),
    "bool += long": ("bool", lambda x: x.add_(1)),
    "short /=": ("int16", lambda x: x.div_(2)),
    "char *= half": ("int8", lambda x: x.mul_(x.half())),
}


@pytest.mark.parametrize("dtype, call", IN_PLACE.values(), ids=IN_PLACE)
def test_in_place_words(dtype: str, call: Any, torch: Any) -> None:
    """An in-place result of a higher category is refused in PyTorch's words."""
    words = []
    for t in (rushlight, torch):
        with pytest.raises(RuntimeError) as error:
            call(t.ones(2, dtype=getattr(t, dtype)))
        words.append(str(error.value))
    assert words[0] == words[1]
