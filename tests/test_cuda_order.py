"""Kernels of the CUDA backend that sort, scan and count, each against the CPU's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from tests.cuda_device import Device, cuda_device, values  # noqa: F401 - the fixture `device`

DTYPES = ("bool", "uint8", "int64", "float32", "float64")
TIES = np.array([[2.0, np.nan, 1.0, 2.0, -0.0], [0.0, 1.0, 1.0, -1.0, np.nan]])
CLOSE = {"float32": 1e-5, "float64": 1e-12}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_order(device: Device, dtype: str, descending: bool) -> None:
    x = values((3, 5), dtype)
    for array in (x, TIES, x[:, ::2], x[:0]):
        for dim in (0, -1):
            device.agree("ordered", array, dim, descending)
            last = min(2, array.shape[dim])
            device.agree("selected", array, dim, last // 2, last, descending)
    device.agree("ordered", np.array(2.0), 0, descending)
    device.agree_in_refusing("selected", x, 1, 0, 6, descending)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("dtype", ["int64", "float32", "float64"])
@pytest.mark.parametrize("name", ["running_sum", "running_product", "running_logsumexp"])
def test_scans(device: Device, name: str, dtype: str, reverse: bool) -> None:
    if name == "running_logsumexp" and dtype == "int64":
        return
    for shape in ((3, 5), (4, 1), (0, 2), ()):
        for dim in (0, -1):
            device.agree(name, values(shape, dtype), dim, reverse, tolerance=CLOSE.get(dtype, 0))


@pytest.mark.parametrize("greatest", [False, True])
def test_running_extremes(device: Device, greatest: bool) -> None:
    for x in (TIES, values((7, 2), "int64"), np.array(1.0)):
        for dim in (0, -1):
            device.agree("running_extreme", x, dim, greatest)


@pytest.mark.parametrize("reverse", [False, True])
def test_recurrence(device: Device, reverse: bool) -> None:
    for shape in ((6, 2), (3, 1), ()):
        a, b = values(shape, "float64"), values(shape, "float64", 1)
        for dim in (0, -1):
            device.agree("recurrence", a, b, dim, reverse, tolerance=1e-12)
    device.agree_in_refusing("recurrence", np.ones(2), np.ones(3), 0, reverse)


def test_counting(device: Device) -> None:
    rows = np.array([[1, 2], [1, 2], [0, 5], [1, 2], [1, 1]])
    device.agree("runs", rows, True)
    device.agree("runs", np.zeros((0,)), True)
    device.agree("lexical_order", rows)
    device.agree("most_frequent", np.sort(TIES[:, [0, 2, 3]]), np.array([[0, 1, 2]] * 2), 1)
    device.agree("bincount", rows.reshape(-1), None, 9)
    device.agree("bincount", rows[:, 0], np.arange(5.0), 0)
    device.agree("isin", rows, np.array([2, 7]), True)
    for steps in (1, -2, 5):
        device.agree("shifted", TIES, 1, steps, 3.0)


@pytest.mark.parametrize("right", [False, True])
def test_places(device: Device, right: bool) -> None:
    edges: Any = np.array([[0.0, 1.0, 1.0, 2.0], [-1.0, 0.0, 0.0, 0.5]])
    x = np.array([[1.0, -2.0, 3.0], [0.0, 0.5, 0.1]])
    device.agree("searchsorted", edges, x, right)
    device.agree("searchsorted", edges[0], x, right)
    device.agree("searchsorted", edges[0], np.array(1.0), right)
    for row in range(2):
        rows = np.searchsorted(edges[row], x[row], "right" if right else "left")
        found = device.kernels.searchsorted(device.array(edges), device.array(x), right)
        assert device.kernels.to_cpu(found)[row].tolist() == rows.tolist()
