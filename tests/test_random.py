"""Same seed, same numbers: every stream against PyTorch, and against numbers it gave once."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rushlight

SEEDS = (0, 42, 2**31 + 5)
SIZES = (0, 1, 5, 15, 16, 17, 20, 623, 625, 1000)
DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")
FLOATS = ("float32", "float64")


def bits(t: Any) -> np.ndarray:
    return t.detach().numpy()


def assert_same(mine: Any, theirs: Any, tolerance: float = 0.0) -> None:
    mine, theirs = bits(mine), bits(theirs)
    assert mine.dtype == theirs.dtype
    assert mine.shape == theirs.shape
    if tolerance:
        np.testing.assert_allclose(mine, theirs, rtol=tolerance, atol=tolerance)
    else:
        np.testing.assert_array_equal(mine, theirs)


def rounding(torch: Any) -> float:
    """What separates kernels with and without fused multiplication; 0 where both use the same."""
    mine = "v2" in rushlight._kernels.isa()
    theirs = torch.backends.cpu.get_cpu_capability() == "DEFAULT"
    return 0.0 if mine == theirs else 1e-5


def draw_both(torch: Any, seed: int, draw: Any, tolerance: float = 0.0) -> None:
    """Draws twice from one seed in both libraries, and compares where the streams then stand."""
    tolerance = max(tolerance, rounding(torch))
    rushlight.manual_seed(seed)
    torch.manual_seed(seed)
    for _ in range(2):
        assert_same(draw(rushlight), draw(torch), tolerance)
    assert_same(rushlight.get_rng_state(), torch.get_rng_state(), 1e-12 if tolerance else 0.0)


# ---- Against PyTorch ----

# Each draw is the same text for both libraries. Those that pass through the C library's functions
# of float64 may differ in the last place between machines.
NEW = {
    "rand": lambda t, n: t.rand(n),
    "rand float64": lambda t, n: t.rand(n, dtype=t.float64),
    "rand_like": lambda t, n: t.rand_like(t.zeros(n, 2)),
    "randint": lambda t, n: t.randint(10, (n,)),
    "randint low": lambda t, n: t.randint(-7, 5, (n,), dtype=t.int32),
    "randint 2^28 - 1": lambda t, n: t.randint(2**28 - 1, (n,)),
    "randint 2^28": lambda t, n: t.randint(2**28, (n,), dtype=t.int32),
    "randint 2^40": lambda t, n: t.randint(-5, 2**40, (n,)),
    "randint uint8": lambda t, n: t.randint(256, (n,), dtype=t.uint8),
    "randint bool": lambda t, n: t.randint(2, (n,), dtype=t.bool),
    "randint float32": lambda t, n: t.randint(1000, (n,), dtype=t.float32),
    "randint_like": lambda t, n: t.randint_like(t.zeros(n), 3, 9),
    "randperm": lambda t, n: t.randperm(n),
    "randperm int32": lambda t, n: t.randperm(n, dtype=t.int32),
    "randperm float32": lambda t, n: t.randperm(n, dtype=t.float32),
    "bernoulli": lambda t, n: t.bernoulli(t.full((n,), 0.3)),
    "bernoulli float64": lambda t, n: t.bernoulli(t.full((n,), 0.3, dtype=t.float64)),
    "bernoulli p": lambda t, n: t.bernoulli(t.zeros(n), 0.7),
    "dropout": lambda t, n: t.nn.functional.dropout(t.ones(n), 0.3),
    "dropout half": lambda t, n: t.nn.functional.dropout(t.ones(n), 0.5),
    "dropout float64": lambda t, n: t.dropout(t.ones(n, dtype=t.float64), 0.9, True),
    "dropout of all": lambda t, n: t.dropout(t.ones(n), 1.0, True),
    "dropout in evaluation": lambda t, n: t.dropout(t.ones(n), 0.5, False),
}
NEW_ROUNDED = {
    "randn": lambda t, n: t.randn(n),
    "randn float64": lambda t, n: t.randn(n, dtype=t.float64),
    "randn_like": lambda t, n: t.randn_like(t.zeros(n)),
    "normal": lambda t, n: t.normal(2.0, 0.5, (n,)),
    "normal of means": lambda t, n: t.normal(t.arange(0.0, n), 0.5),
    "normal of deviations": lambda t, n: t.normal(1.0, t.arange(0.0, n) / 1000),
    "normal of both": lambda t, n: t.normal(t.arange(0.0, n) / 1000, t.ones(3, 1)),
    "poisson": lambda t, n: t.poisson(t.arange(0.0, n) / 8),
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NEW)
def test_new_tensor(torch, name, seed):
    for n in SIZES:
        draw_both(torch, seed, lambda t, n=n: NEW[name](t, n))


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", NEW_ROUNDED)
def test_new_tensor_up_to_rounding(torch, name, seed):
    for n in SIZES:
        draw_both(torch, seed, lambda t, n=n: NEW_ROUNDED[name](t, n), 1e-6)


IN_PLACE = {
    "uniform_": (FLOATS, 0.0, lambda x: x.uniform_()),
    "uniform_ of bounds": (FLOATS, 0.0, lambda x: x.uniform_(-(3**-0.5), 3**-0.5)),
    "uniform_ of a point": (FLOATS, 0.0, lambda x: x.uniform_(2, 2)),
    "normal_": (FLOATS, 1e-6, lambda x: x.normal_()),
    "normal_ of parameters": (FLOATS, 1e-6, lambda x: x.normal_(0.3, 1.7)),
    "log_normal_": (FLOATS, 1e-6, lambda x: x.log_normal_(0.3, 0.8)),
    "exponential_": (FLOATS, 1e-6, lambda x: x.exponential_(1.5)),
    "cauchy_": (FLOATS, 1e-6, lambda x: x.cauchy_(0.3, 1.8)),
    "geometric_": (("int32", "int64", *FLOATS), 0.0, lambda x: x.geometric_(0.3)),
    "bernoulli_": (DTYPES, 0.0, lambda x: x.bernoulli_(0.3)),
    "bernoulli_ default": (DTYPES, 0.0, lambda x: x.bernoulli_()),
    "random_": (DTYPES, 0.0, lambda x: x.random_()),
    "random_ to": (DTYPES, 0.0, lambda x: x.random_(2)),
    "random_ from": (DTYPES[1:], 0.0, lambda x: x.random_(3, None)),
    "random_ from negative": (("int32", "int64", *FLOATS), 0.0, lambda x: x.random_(-9, 100)),
    "random_ of all": (("int64", *FLOATS), 0.0, lambda x: x.random_(-(2**63), None)),
}


@pytest.mark.parametrize("name", IN_PLACE)
def test_in_place(torch, name):
    dtypes, tolerance, fill = IN_PLACE[name]
    for dtype in dtypes:
        for n in SIZES:
            draw_both(
                torch, 42, lambda t, n=n, d=dtype: fill(t.zeros(n, dtype=getattr(t, d))), tolerance
            )


# The order of drawing is that of the addresses, and normal_ has another stream without gaps.
LAYOUTS = {
    "transposed": lambda x: x.t(),
    "columns": lambda x: x[:, ::2],
    "rows transposed": lambda x: x[::3].t(),
    "part": lambda x: x[1:],
    "permuted": lambda x: x.reshape(4, 2, 3, 5).permute(0, 3, 1, 2),
    "scalar": lambda x: x[0, 0],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("name", ["uniform_", "normal_", "bernoulli_", "random_", "exponential_"])
def test_strided(torch, name, layout):
    def draw(t):
        x = t.zeros(8, 15)
        getattr(LAYOUTS[layout](x), name)()
        return x

    draw_both(torch, 42, draw, 1e-6)


def test_like_keeps_the_order_of_addresses(torch):
    draw_both(torch, 0, lambda t: t.rand_like(t.zeros(6, 4).t()))
    draw_both(torch, 0, lambda t: t.randn_like(t.zeros(6, 4).t()), 1e-6)
    draw_both(torch, 0, lambda t: t.dropout(t.ones(6, 4).t(), 0.5, True))


def test_bernoulli_of_a_tensor(torch):
    def draw(t, p_dtype, dtype):
        p = t.arange(0, 24, dtype=p_dtype).reshape(6, 4) / 24
        return t.zeros(4, 6, dtype=dtype).bernoulli_(p.t())

    for p_dtype in FLOATS:
        for dtype in DTYPES:
            draw_both(
                torch, 42, lambda t, p=p_dtype, d=dtype: draw(t, getattr(t, p), getattr(t, d))
            )


@pytest.mark.parametrize("dtype", FLOATS)
@pytest.mark.parametrize("shape", [(10,), (4, 10), (0, 10)])
@pytest.mark.parametrize(
    ("n", "replacement"), [(1, False), (3, False), (9, False), (1, True), (25, True)]
)
def test_multinomial(torch, dtype, shape, n, replacement):
    def draw(t):
        weights = t.rand(shape, dtype=getattr(t, dtype)) * (t.arange(10) != 3)
        return t.multinomial(weights, n, replacement)

    draw_both(torch, 42, draw)


@pytest.mark.parametrize("seed", SEEDS)
def test_default_initialisers(torch, seed):
    for make in (
        lambda t: t.nn.Linear(17, 9),
        lambda t: t.nn.Linear(3, 1),
        lambda t: t.nn.Conv2d(3, 8, 5),
        lambda t: t.nn.Conv2d(4, 6, (3, 2), groups=2, bias=False),
    ):
        rushlight.manual_seed(seed)
        torch.manual_seed(seed)
        mine, theirs = make(rushlight).state_dict(), make(torch).state_dict()
        assert list(mine) == list(theirs)
        for name in mine:
            assert_same(mine[name], theirs[name], rounding(torch))


def test_states_pass_between_the_libraries(torch):
    torch.manual_seed(3)
    torch.randn(7)  # leaves a second variate waiting
    state = torch.get_rng_state()
    rushlight.set_rng_state(rushlight.from_numpy(state.numpy()))
    assert_same(rushlight.get_rng_state(), state)
    assert_same(rushlight.randn(3), torch.randn(3), 1e-6)
    rushlight.rand(1000)
    torch.set_rng_state(torch.from_numpy(rushlight.get_rng_state().numpy()))
    assert_same(rushlight.rand(5), torch.rand(5))


@pytest.mark.parametrize("seed", [-1, -(2**63), 2**32 + 7, 2**64 - 1])
def test_seeds_beyond_32_bits(torch, seed):
    assert rushlight.manual_seed(seed).initial_seed() == torch.manual_seed(seed).initial_seed()
    assert_same(rushlight.rand(5), torch.rand(5))


def test_bounds_beyond_a_floating_type(torch):
    for low, high in ((0, 2**24 + 3), (2**24 + 1, 2**26 + 5), (-(2**30) - 1, 2**30 + 1)):
        with pytest.warns(UserWarning, match="is out of bounds"):
            draw_both(torch, 0, lambda t, a=low, b=high: t.zeros(20).random_(a, b))


# ---- Against numbers that PyTorch 2.13 gave ----

RECORDED = {
    "rand": lambda t: t.rand(3),
    "rand float64": lambda t: t.rand(2, dtype=t.float64),
    "randint": lambda t: t.randint(100, (8,)),
    "randint 2^40": lambda t: t.randint(-5, 2**40, (2,)),
    "randperm": lambda t: t.randperm(9),
    "bernoulli": lambda t: t.bernoulli(t.full((12,), 0.5)),
    "dropout": lambda t: t.dropout(t.ones(12), 0.5, True),
    "Linear": lambda t: t.nn.Linear(2, 1).weight,
    "Conv2d": lambda t: t.nn.Conv2d(1, 1, (1, 2)).weight,
    "random_": lambda t: t.empty((), dtype=t.int64).random_(),
    "multinomial": lambda t: t.multinomial(t.tensor([0.1, 0.2, 0.3, 0.4]), 3),
    "randn of 3": lambda t: t.randn(3),
    "randn of 20": lambda t: t.randn(20)[14:18],
    "randn float64": lambda t: t.randn(17, dtype=t.float64)[:2],
    "exponential_": lambda t: t.empty(2).exponential_(),
}
# For each of SEEDS.
EXPECTED = {
    "rand": (
        [0.4962566, 0.7682218, 0.08847743],
        [0.88226926, 0.91500396, 0.38286376],
        [0.86270386, 0.9956874, 0.14650017],
    ),
    "rand float64": (
        [0.9700530018065531, 0.707819864399788],
        [0.05815448596142969, 0.06291016742457756],
        [0.9016312137165804, 0.17200163139865599],
    ),
    "randint": (
        [44, 39, 33, 60, 63, 79, 27, 3],
        [42, 67, 76, 14, 26, 35, 20, 24],
        [57, 27, 97, 61, 49, 34, 31, 86],
    ),
    "randint 2^40": (
        [741234585336, 506077272957],
        [441476371554, 395845085946],
        [179033576728, 41032756455],
    ),
    "randperm": (
        [8, 0, 2, 3, 7, 1, 4, 5, 6],
        [6, 4, 0, 7, 5, 8, 3, 2, 1],
        [5, 8, 4, 1, 3, 7, 6, 0, 2],
    ),
    "bernoulli": (
        [1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1],
        [0, 0, 1, 0, 1, 0, 1, 0, 0, 1, 0, 0],
        [0, 0, 1, 0, 1, 1, 1, 1, 1, 1, 0, 1],
    ),
    "dropout": (
        [0, 0, 2, 0, 0, 0, 2, 2, 0, 2, 2, 2],
        [2, 2, 2, 2, 0, 2, 0, 0, 2, 2, 2, 2],
        [0, 2, 2, 0, 0, 0, 0, 2, 0, 0, 0, 0],
    ),
    "Linear": ([-0.005293981, 0.3793229], [0.5406104, 0.5869042], [0.5129407, 0.70100784]),
    "Conv2d": ([-0.005293981, 0.3793229], [0.5406104, 0.5869042], [0.5129407, 0.70100784]),
    "random_": ([900450186894289455], [6909045637428952499], [8348787681886397791]),
    "multinomial": ([2, 1, 3], [3, 1, 2], [1, 2, 3]),
    "randn of 3": (
        [1.5409961, -0.2934289, -2.1787894],
        [0.33669037, 0.1288094, 0.23446237],
        [0.50073576, -0.3560223, -0.1164026],
    ),
    "randn of 20": (
        [0.94629836, -0.84367675, 0.9318266, 1.2590092],
        [-0.2515753, 0.8598585, -0.30972677, -0.3957105],
        [0.37697855, 0.12082747, 1.0343052, 0.05547458],
    ),
    "randn float64": (
        [-2.310411800234176, -0.6332746088675096],
        [0.2995562877502637, 1.504572275678796],
        [0.24740571235412723, 1.5042410917268514],
    ),
    "exponential_": ([3.5083263, 1.2303847], [0.059914015, 0.064976126], [2.3190317, 0.1887441]),
}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded(name):
    for seed, expected in zip(SEEDS, EXPECTED[name], strict=True):
        rushlight.manual_seed(seed)
        values = bits(RECORDED[name](rushlight)).ravel()
        if name.startswith(("randn", "exponential", "Linear", "Conv2d")):
            np.testing.assert_allclose(values, expected, rtol=1e-6, atol=1e-6)
        else:
            np.testing.assert_array_equal(values, np.array(expected, values.dtype))
