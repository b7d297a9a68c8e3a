"""Kernels of the CUDA backend, each against the CPU's: norms, windows, frames, resampling."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from rushlight.backend import cpu
from tests.cuda_device import Device, cuda_device, values  # noqa: F401 - the fixture `device`

ALL = (True, True, True)


@pytest.mark.parametrize("center", [True, False])
@pytest.mark.parametrize("dims", [1, 2])
def test_norms_of_rows(device: Device, dims: int, center: bool) -> None:
    x, g = values((3, 4, 5), "float64"), values((3, 4, 5), "float64", 1)
    weight, bias = (values(x.shape[3 - dims :], "float64", i) for i in (2, 3))
    options = (dims, 0.1, center)
    device.agree("normalized_rows", x, weight, bias, *options, tolerance=1e-12)
    device.agree("normalized_rows", x, None, None, *options, tolerance=1e-12)
    statistics = cpu.normalized_rows(x, None, None, *options)[1:]
    arguments = (g, x, weight, bias, *statistics, *options, ALL)
    device.agree("normalized_rows_backward", *arguments, tolerance=1e-11)


@pytest.mark.parametrize("shape", [(6, 3), (4, 3, 5, 2)])
def test_norms_of_channels(device: Device, shape: Any) -> None:
    x, g = values(shape, "float64"), values(shape, "float64", 1)
    weight, bias = (values((3,), "float64", i) for i in (2, 3))
    device.agree("normalized_channels", x, weight, bias, 0.1, tolerance=1e-12)
    device.agree("normalized_channels", x, None, None, 0.1, tolerance=1e-12)
    statistics = cpu.normalized_channels(x, None, None, 0.1)[1:]
    arguments = (g, x, weight, bias, *statistics, 0.1, ALL)
    device.agree("normalized_channels_backward", *arguments, tolerance=1e-11)


def test_norms_that_are_refused(device: Device) -> None:
    x = values((3, 4), "float64")
    device.agree_in_refusing("normalized_rows", x, values((3,), "float64"), None, 1, 0.1, True)
    device.agree_in_refusing("normalized_rows", x, values((4,), "float32"), None, 1, 0.1, True)
    device.agree_in_refusing("normalized_channels", x, values((3,), "float64"), None, 0.1)


def test_windows_and_frames(device: Device) -> None:
    x = values((2, 7, 6), "float64")
    geometry = ((3, 2), (2, 1), (1, 2))
    device.agree("windows", x, *geometry)
    device.agree(
        "windows_sum", cpu.windows(x, *geometry).copy(), x.shape, *geometry, tolerance=1e-12
    )
    device.agree("constant_pad_nd", x, (1, -2, 0, 3), 0.5)


def test_resampling_and_rows(device: Device) -> None:
    x, index = values((2, 5, 3), "float64"), np.array([[0, 1], [4, 4], [2, 0]])
    for weight in (None, np.array([[0.5, 0.5], [1.0, 2.0], [0.1, -1.0]])):
        device.agree("resampled", x, 1, index, weight, tolerance=1e-12)
    places = np.array([[0, 1], [1, 0], [1, 1]])
    device.agree("rows_at", x, places)
    g = values((3, 2, 5, 3), "float64")
    device.agree("rows_sum", g, x.shape, places, tolerance=1e-12)
