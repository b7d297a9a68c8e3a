"""Images cut into windows, and put together from them."""

from __future__ import annotations

from typing import Any

from rushlight.nn import functional as F
from rushlight.tensor import Tensor

from .module import Module

__all__ = ["Fold", "Unfold"]


class _Windows(Module):
    def __init__(self, kernel_size: Any, dilation: Any, padding: Any, stride: Any) -> None:
        super().__init__()
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.padding = padding
        self.stride = stride

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"kernel_size={self.kernel_size}, dilation={self.dilation}, padding={self.padding}, "
            f"stride={self.stride}"
        )


class Fold(_Windows):
    """Columns added up where their windows lie: (N, C k k, windows) to (N, C, H, W).

    Args:
        output_size: (H, W), or one number for both.
        kernel_size: k, the window, one number or (height, width), as are the next three.
        dilation: distance between the window's points.
        padding: cut off on each side.
        stride: step.
    """

    def __init__(
        self,
        output_size: Any,
        kernel_size: Any,
        dilation: Any = 1,
        padding: Any = 0,
        stride: Any = 1,
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the image."""
        sizes = self.kernel_size, self.dilation, self.padding, self.stride
        return F.fold(input, self.output_size, *sizes)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"output_size={self.output_size}, {super().extra_repr()}"


class Unfold(_Windows):
    """The windows of an image as columns: (N, C, H, W) to (N, C k k, windows).

    Args:
        kernel_size: k, the window, one number or (height, width), as are the next three.
        dilation: distance between the window's points.
        padding: zeros on each side.
        stride: step.
    """

    def __init__(
        self, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
    ) -> None:
        super().__init__(kernel_size, dilation, padding, stride)

    def forward(self, input: Tensor) -> Tensor:
        """Return the columns."""
        return F.unfold(input, self.kernel_size, self.dilation, self.padding, self.stride)
