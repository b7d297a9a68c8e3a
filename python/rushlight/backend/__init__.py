"""Backends: flat namespaces of kernels with equal names, over NumPy and over CuPy arrays."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight import errors
from rushlight.backend import cpu
from rushlight.devices import CPU, device

__all__ = ["array_device", "cpu", "device_kernels", "kernels_of"]


def kernels_of(*operands: Any) -> Any:
    """The kernels for these arrays and numbers.

    Raises:
        RuntimeError: for arrays of different devices; a 0-dim array on the CPU goes with any.
    """
    if len(operands) == 1 and type(operands[0]) is np.ndarray:
        return cpu
    arrays = [x for x in operands if hasattr(x, "shape")]
    for x in arrays:
        if type(x) is not np.ndarray and hasattr(x, "kernels"):  # vmap's arrays bring them along
            return x.kernels
    devices = [array_device(x) for x in arrays]
    if all(d.type == "cpu" for d in devices):
        return cpu
    placed = {str(d) for x, d in zip(arrays, devices, strict=True) if d.type != "cpu" or x.ndim}
    if len(placed) > 1:
        raise errors.different_devices([str(d) for d in devices])
    return device_kernels("cuda")


def device_kernels(target: str | device) -> Any:
    """The kernels of a device; CUDA's are imported at the first use.

    Raises:
        NotImplementedError: for a second CUDA device.
    """
    target = device(target)
    if target.type == "cpu":
        return cpu
    if target.index:
        raise NotImplementedError(f"device '{target}' is not supported; use 'cuda:0'")
    from rushlight.backend import cuda

    return cuda


def array_device(array: Any) -> device:
    """Where an array's memory is."""
    while hasattr(array, "full"):
        array = array.full
    if type(array) is np.ndarray:
        return CPU
    return device("cuda", array.device.id)
