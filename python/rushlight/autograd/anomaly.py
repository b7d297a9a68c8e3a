"""Finding the operation whose gradient is NaN."""

from __future__ import annotations

from typing import Any

from rushlight.autograd.grad_mode import state
from rushlight.autograd.node import Node
from rushlight.backend import kernels_of

__all__ = ["check_gradients", "detect_anomaly", "is_anomaly_enabled", "set_detect_anomaly"]


def is_anomaly_enabled() -> bool:
    """Whether backward passes of this thread look for NaN."""
    return state.anomaly


class set_detect_anomaly:  # noqa: N801 - PyTorch's name
    """Switches the search for NaN in backward passes on or off, at once or for a ``with`` block.

    An error names the operation, its shapes and the line of the program that ran it; no second run
    is needed for that, since every operation keeps its line.

    Args:
        mode: on or off.
        check_nan: whether to look for NaN at all.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._outer = state.anomaly
        state.anomaly = mode and check_nan

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exception: object) -> None:
        state.anomaly = self._outer


class detect_anomaly:  # noqa: N801 - PyTorch's name
    """Inside, a backward pass that computes a NaN raises an error that names the operation.

    Args:
        check_nan: whether to look for NaN at all.

    Raises:
        RuntimeError: from backward(): "Function '...' returned nan values in its ...th output."

    Example:
        >>> import rushlight
        >>> x = rushlight.zeros(1, requires_grad=True)
        >>> with rushlight.autograd.detect_anomaly():
        ...     (x / x).sum().backward()
        Traceback (most recent call last):
        ...
        RuntimeError: Function 'DivBackward0' returned nan values in its 1th output...
    """

    def __init__(self, check_nan: bool = True) -> None:
        self._check_nan = check_nan
        self._outer: list[bool] = []

    def __enter__(self) -> None:
        self._outer.append(state.anomaly)
        state.anomaly = self._check_nan

    def __exit__(self, *exception: object) -> None:
        state.anomaly = self._outer.pop()


def check_gradients(node: Node, gradients: Any) -> None:
    """Raises RuntimeError where a gradient that a node computed holds a NaN."""
    for i, gradient in enumerate(gradients):
        array = getattr(gradient, "_array", gradient)
        if array is not None and bool(kernels_of(array).isnan(array).any()):
            raise RuntimeError(f"Function '{node.name()}' returned nan values in its {i}th output.")
