"""Pooling."""

from __future__ import annotations

from typing import Any

from rushlight.nn import functional as F
from rushlight.tensor import Tensor

from .module import Module

__all__ = ["AdaptiveAvgPool2d", "AvgPool1d", "AvgPool2d", "MaxPool1d", "MaxPool2d"]


class _MaxPoolNd(Module):
    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        return_indices: bool = False,
        ceil_mode: bool = False,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.dilation = dilation
        self.return_indices = return_indices
        self.ceil_mode = ceil_mode

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """Greatest value in each window of (N, C, L) or (C, L); see `MaxPool2d`."""

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, and with `return_indices` their positions."""
        return F.max_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class MaxPool2d(_MaxPoolNd):
    """Greatest value in each window of (N, C, H, W) or (C, H, W).

    Args:
        kernel_size: k, the window, one number or (height, width), as are the next three.
        stride: s, the step; k when None.
        padding: p, minus infinity on each side, at most half the window.
        dilation: d, the distance between the window's points.
        return_indices: also return the positions of the maxima, flat in the plane.
        ceil_mode: also count windows that hang over the end.

    Shape:
        ``H' = floor((H + 2 p - d (k - 1) - 1) / s) + 1``, or ceil.
    """

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, and with `return_indices` their positions."""
        return F.max_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.dilation,
            self.ceil_mode,
            self.return_indices,
        )


class AvgPool1d(Module):
    """Mean of each window of (N, C, L) or (C, L); see `AvgPool2d`."""

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
    ) -> None:
        super().__init__()
        self.kernel_size = _tuple_of_one(kernel_size)
        self.stride = self.kernel_size if stride is None else _tuple_of_one(stride)
        self.padding = _tuple_of_one(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.avg_pool1d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
        )

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


def _tuple_of_one(size: Any) -> tuple[int, ...]:
    return (size,) if isinstance(size, int) else tuple(size)


class AvgPool2d(Module):
    """Mean of each window of (N, C, H, W) or (C, H, W).

    Args:
        kernel_size: k, the window, one number or (height, width), as are the next two.
        stride: s, the step; k when None.
        padding: p, zeros on each side, at most half the window.
        ceil_mode: also count windows that hang over the end.
        count_include_pad: divide by the window's size, padding included.
        divisor_override: divide by this instead.

    Shape:
        ``H' = floor((H + 2 p - k) / s) + 1``, or ceil.
    """

    def __init__(
        self,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.stride = kernel_size if stride is None else stride
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.avg_pool2d(
            input,
            self.kernel_size,
            self.stride,
            self.padding,
            self.ceil_mode,
            self.count_include_pad,
            self.divisor_override,
        )

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AdaptiveAvgPool2d(Module):
    """Means of windows that divide the plane into `output_size` parts.

    Args:
        output_size: one number or (height, width); None keeps a size. Each must divide the
            input's, as 1 always does.

    Shape:
        (N, C, H, W) or (C, H, W), the last two replaced by `output_size`.
    """

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return F.adaptive_avg_pool2d(input, self.output_size)

    def extra_repr(self) -> str:
        """Return the size of the output."""
        return f"output_size={self.output_size}"
