"""The text of tensors, against literal texts and against PyTorch's own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import ml_dtypes
import numpy as np
import pytest

from rushlight import printing
from rushlight.printing import dtype_suffix, set_printoptions, tensor_text

FLOAT32 = np.dtype(np.float32)
BFLOAT16 = np.dtype(ml_dtypes.bfloat16)
FLOATS = [np.dtype(t) for t in ("float32", "float64", "float16")] + [BFLOAT16]
INTEGERS = [np.dtype(f"{kind}{bits}") for kind in ("int", "uint") for bits in (8, 16, 32, 64)]
DTYPES = [*FLOATS, *INTEGERS, np.dtype(np.bool_)]
OPTIONS: list[dict[str, Any]] = [
    {},
    {"precision": 2},
    {"precision": 0},
    {"precision": 10, "linewidth": 200},
    {"threshold": 0},
    {"threshold": 5, "edgeitems": 1},
    {"threshold": 20, "edgeitems": 2, "linewidth": 30},
    {"linewidth": 1},
    {"edgeitems": 0},
    {"threshold": 5, "edgeitems": 0},
    {"sci_mode": True},
    {"sci_mode": False},
    {"profile": "short"},
    {"profile": "short", "precision": 7},
    {"profile": "full"},
]
SHAPES = [
    (),
    (1,),
    (7,),
    (40,),
    (1000,),
    (1001,),
    (1, 1),
    (3, 30),
    (2, 600),
    (600, 2),
    (40, 40),
    (2, 3, 4),
    (1, 12, 100),
    (4, 1, 3, 2),
    (9, 8, 7, 6),
    (0,),
    (0, 3),
    (2, 0, 4),
]


@pytest.fixture(autouse=True)
def default_options() -> Iterator[None]:
    yield
    set_printoptions(profile="default")


@pytest.fixture
def set_both(torch: Any) -> Iterator[Any]:
    def set_options(**options: Any) -> None:
        set_printoptions(**options)
        torch.set_printoptions(**options)

    yield set_options
    torch.set_printoptions(profile="default")


def float32(values: Any) -> np.ndarray[Any, Any]:
    return np.array(values, np.float32)


def as_torch(torch: Any, array: np.ndarray[Any, Any]) -> Any:
    if array.dtype == BFLOAT16:
        return torch.from_numpy(array.astype(np.float32)).bfloat16()
    return torch.from_numpy(array)


def text(array: np.ndarray[Any, Any], *suffixes: str) -> str:
    return tensor_text(array, suffixes=[*dtype_suffix(array, FLOAT32), *suffixes])


def sample(rng: np.random.Generator, dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """Values of one of several kinds: small, whole, of mixed magnitude, with special ones."""
    if dtype.kind == "b":
        return np.asarray(rng.random(shape) < 0.5)
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        low, high = (0, 10) if rng.random() < 0.5 else (int(limits.min), int(limits.max))
        return np.asarray(rng.integers(low, high, shape, dtype, endpoint=True))
    scale = 10.0 ** rng.integers(-6, 10) if rng.random() < 0.5 else 1.0
    values = np.asarray(rng.standard_normal(shape) * scale)
    kind = rng.integers(4)
    if kind == 1:
        values = np.round(values)
    elif kind == 2:
        values = values * 10.0 ** rng.integers(-3, 4, shape)
    elif kind == 3:
        special = rng.choice([np.nan, np.inf, -np.inf, 0.0, -0.0], shape)
        values = np.where(rng.random(shape) < 0.4, special, values)
    with np.errstate(over="ignore"):
        return np.asarray(values, dtype)


LITERAL = [
    (np.float32(0.12345), "tensor(0.1235)"),
    (np.float32(3), "tensor(3.)"),
    (np.float64(2.5), "tensor(2.5000, dtype=torch.float64)"),
    (np.int64(-7), "tensor(-7)"),
    (np.uint8(7), "tensor(7, dtype=torch.uint8)"),
    (np.bool_(True), "tensor(True)"),
    ([True, False], "tensor([ True, False])"),
    ([1, -20, 300], "tensor([  1, -20, 300])"),
    (float32([1, 2, 3]), "tensor([1., 2., 3.])"),
    (float32([1, -0.0, np.nan]), "tensor([1., -0., nan])"),
    (float32([0.5, np.inf, -np.inf]), "tensor([0.5000,    inf,   -inf])"),
    (float32([1, -np.inf]), "tensor([1., -inf])"),
    (float32([0, np.nan]), "tensor([0., nan])"),
    (float32([1e-5, 1]), "tensor([1.0000e-05, 1.0000e+00])"),
    (float32([2e8, np.nan]), "tensor([2.0000e+08,        nan])"),
    (float32([1, 1000]), "tensor([   1., 1000.])"),
    (float32([1, 1001]), "tensor([1.0000e+00, 1.0010e+03])"),
    (BFLOAT16.type(1.5), "tensor(1.5000, dtype=torch.bfloat16)"),
    (float32([]), "tensor([])"),
    (np.array([], np.int64), "tensor([], dtype=torch.int64)"),
    (np.zeros((0, 3), np.float32), "tensor([], size=(0, 3))"),
    ([[1, 2], [3, 4]], "tensor([[1, 2],\n        [3, 4]])"),
    ([[[1], [2]], [[3], [4]]], "tensor([[[1],\n         [2]],\n\n        [[3],\n         [4]]])"),
    (np.arange(1001), "tensor([   0,    1,    2,  ...,  998,  999, 1000])"),
    (
        np.arange(30),
        "tensor([ 0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14, 15, 16, 17,\n"
        "        18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29])",
    ),
    (
        np.arange(1200).reshape(600, 2),
        "tensor([[   0,    1],\n        [   2,    3],\n        [   4,    5],\n        ...,\n"
        "        [1194, 1195],\n        [1196, 1197],\n        [1198, 1199]])",
    ),
]


@pytest.mark.parametrize(("values", "expected"), LITERAL)
def test_literal(values: Any, expected: str) -> None:
    assert text(np.asarray(values)) == expected


def test_prefix_indents() -> None:
    expected = "Mask([[0, 1],\n      [2, 3]])"
    assert tensor_text(np.arange(4).reshape(2, 2), prefix="Mask") == expected


def test_suffix_moves_to_a_new_line() -> None:
    row = np.arange(24) % 10  # 79 columns with its brackets, so that the suffix has no room
    expected = (
        "tensor([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3],\n"
        "       device='cuda:0', requires_grad=True)"
    )
    assert text(row, "device='cuda:0'", "requires_grad=True") == expected


def test_dtype_suffix_follows_the_default() -> None:
    zero = np.zeros(())
    assert dtype_suffix(zero, FLOAT32) == ["dtype=torch.float64"]
    assert dtype_suffix(zero, np.dtype(np.float64)) == []
    assert dtype_suffix(zero.astype(np.float32), np.dtype(np.float64)) == ["dtype=torch.float32"]


def test_signalling_nan_is_silent() -> None:
    assert text(np.array([0x7FA00001] * 2, np.uint32).view(np.float32)) == "tensor([nan, nan])"


def test_strides_do_not_matter() -> None:
    x = np.arange(2400).reshape(40, 60)
    assert text(x.T[::-2]) == text(x.T[::-2].copy())


def test_input_is_not_modified() -> None:
    x = float32([[1.5, -0.0, np.nan]])
    before = x.tobytes()
    text(x)
    assert x.tobytes() == before


def test_sci_mode_is_set_by_every_call() -> None:
    one = float32([1])
    set_printoptions(sci_mode=True)
    assert text(one) == "tensor([1.0000e+00])"
    set_printoptions(precision=2)
    assert text(one) == "tensor([1.])"


def test_unknown_profile_changes_nothing() -> None:
    before = printing._options
    with pytest.raises(ValueError, match="profile must be one of default, short, full; got 'tiny'"):
        set_printoptions(precision=1, profile="tiny")
    assert printing._options == before


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_equals_torch(torch: Any, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng([*map(ord, str(dtype)), *shape])
    for _ in range(4):
        x = sample(rng, dtype, shape)
        assert text(x) == repr(as_torch(torch, x))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_equals_torch_under_options(torch: Any, set_both: Any, options: Any) -> None:
    set_both(**options)
    rng = np.random.default_rng(0)
    for dtype in DTYPES:
        for shape in SHAPES:
            if shape != (9, 8, 7, 6):
                x = sample(rng, dtype, shape)
                assert text(x) == repr(as_torch(torch, x))


def test_suffixes_equal_torch(torch: Any) -> None:
    rng = np.random.default_rng(1)
    for size in range(1, 60):
        for shape in ((size,), (2, size)):
            x = sample(rng, rng.choice(FLOATS[:3]), shape)
            y = torch.from_numpy(x).requires_grad_()
            z = y * 1
            assert text(x, "requires_grad=True") == repr(y)
            assert text(z.detach().numpy(), "grad_fn=<MulBackward0>") == repr(z)
            parameter = f"Parameter containing:\n{text(x, 'requires_grad=True')}"
            assert parameter == repr(torch.nn.Parameter(y))


@pytest.mark.parametrize("default", ["float32", "float64"])
def test_default_dtype_equals_torch(torch: Any, default: str) -> None:
    torch.set_default_dtype(getattr(torch, default))
    try:
        for dtype in DTYPES:
            for shape in ((), (3,), (0,), (0, 3)):
                x = np.zeros(shape, dtype)
                suffixes = dtype_suffix(x, np.dtype(default))
                assert tensor_text(x, suffixes=suffixes) == repr(as_torch(torch, x))
    finally:
        torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize(
    "edge",
    [1e-4, 9.9999e-5, 1e8, 1.00000001e8, 5e-324, 1.7e308, 0.99995, 9.99995, 99999.99995, 2**53],
)
def test_thresholds_equal_torch(torch: Any, edge: float) -> None:
    for other in (edge, -edge, 0.0, 1.0, edge * 1000, edge / 1000, edge * 1000.001, np.nan):
        x = np.array([edge, other])
        assert text(x) == repr(as_torch(torch, x))


def test_random_arrays_equal_torch(torch: Any) -> None:
    hypothesis = pytest.importorskip("hypothesis")
    st = hypothesis.strategies
    values = st.one_of(
        st.floats(width=32),
        st.integers(-(10**9), 10**9).map(float),
        st.sampled_from([0.0, -0.0, 1e-4, 1e8, 1000.0, 1001.0, np.inf, np.nan]),
    )
    shapes = st.lists(st.integers(0, 4), max_size=4).map(tuple)

    @hypothesis.settings(max_examples=300, deadline=None, database=None, derandomize=True)
    @hypothesis.given(st.data(), shapes, st.sampled_from(FLOATS[:3]), st.sampled_from(["", "g"]))
    def check(data: Any, shape: tuple[int, ...], dtype: np.dtype[Any], suffix: str) -> None:
        count = int(np.prod(shape))
        flat = data.draw(st.lists(values, min_size=count, max_size=count))
        with np.errstate(over="ignore"):
            x = np.array(flat, np.float64).astype(dtype).reshape(shape)
        y = as_torch(torch, x)
        if suffix:
            y.requires_grad_()
        assert text(x, *(["requires_grad=True"] if suffix else [])) == repr(y)

    check()
