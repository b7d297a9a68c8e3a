"""Fixtures of every test: PyTorch as an oracle, the tolerances, seeds, and settings put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rushlight

# Relative and absolute tolerance, for each element, against NumPy in float64 and against PyTorch;
# integers and bools are exact.
TOLERANCES = {"float32": (1e-6, 1e-7), "float64": (1e-12, 1e-14)}
# A sum is as exact as its terms, which are about 1 in the tests, however much of them cancels.
SUMS = {"float32": (1e-6, 2e-6), "float64": (1e-12, 4e-15)}
SUM_OPS = (
    "addbmm", "addmm", "addmv", "addr", "baddbmm", "batched_mv", "batched_product", "bmm", "cdist",
    "correlate2d", "correlate2d_input_grad", "correlate2d_weight_grad", "cross", "dist", "dot",
    "einsum", "euclidean_distance", "inner", "linalg_matrix_exp", "linear", "log_softmax_backward",
    "looked_up", "matmul", "matrix_power", "mean", "mm", "mv", "normalized_channels",
    "normalized_channels_backward", "normalized_rows", "normalized_rows_backward", "p_norm",
    "pdist", "resampled", "resampled_sum", "softmax_backward", "sum", "sum_dim", "tensordot",
    "trace", "vdot",
)  # fmt: skip
# PyTorch's own digits end here: its trigamma is a short series, and some coefficients of its Bessel
# functions are wrong in the seventh digit.
SHORT = {"float32": (1e-5, 1e-6), "float64": (1e-7, 1e-7)}
SHORT_OPS = (
    "digamma gradient", "polygamma gradient", "_polygamma gradient", "special_airy_ai",
    "special_bessel_j0", "special_bessel_j1", "special_bessel_y0", "special_bessel_y1",
)  # fmt: skip
GRADIENT = " gradient"  # sums too: over what was broadcast, and such differences as 1 - out ** 2


def tolerance(op: str, dtype: np.dtype[Any]) -> tuple[float, float]:
    """The row for an op's values, or for ``"<op> gradient"``."""
    if op in SHORT_OPS:
        return SHORT.get(dtype.name, (0.0, 0.0))
    table = SUMS if op.endswith(GRADIENT) or op in SUM_OPS else TOLERANCES
    return table.get(dtype.name, (0.0, 0.0))


@pytest.fixture(scope="session")
def torch() -> Any:
    """PyTorch; tests that compare with it are skipped without it."""
    return pytest.importorskip("torch")


@pytest.fixture(autouse=True)
def settings() -> Iterator[None]:
    """The same seed for each test, and the defaults again after it."""
    threads = rushlight.get_num_threads()
    rushlight.manual_seed(0)
    yield
    rushlight.set_num_threads(threads)
    rushlight.set_grad_enabled(True)
    rushlight.set_default_dtype(rushlight.float32)


@pytest.fixture
def rng() -> np.random.Generator:
    """Random numbers that do not depend on what the library draws."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def assert_close() -> Callable[..., None]:
    """``assert_close(mine, expected, op, what)``: within the op's tolerance, NaN equal to NaN."""

    def check(mine: Any, expected: Any, op: str = "", what: str = "") -> None:
        mine, expected = as_array(mine), as_array(expected)
        rtol, atol = tolerance(op, mine.dtype)
        message = f"{op} {what}: shape {mine.shape} and {expected.shape}"
        assert mine.shape == expected.shape, message
        mine, expected = mine.astype(np.float64), expected.astype(np.float64)
        with np.errstate(all="ignore"):
            near = np.abs(mine - expected) <= atol + rtol * np.abs(expected)
        if not near.all():  # assert_allclose takes 0.2 ms, and knows of inf and nan
            np.testing.assert_allclose(mine, expected, rtol, atol, err_msg=message)

    return check


def as_array(value: Any) -> np.ndarray[Any, Any]:
    """The values of a tensor of either library, or of an array."""
    return np.asarray(value.detach().numpy() if hasattr(value, "detach") else value)
