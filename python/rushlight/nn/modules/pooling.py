"""Pooling."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from rushlight.nn import functional as F
from rushlight.tensor import Tensor

from .module import Module
from .utils import _ntuple

__all__ = [
    "AdaptiveAvgPool1d",
    "AdaptiveAvgPool2d",
    "AdaptiveAvgPool3d",
    "AdaptiveMaxPool1d",
    "AdaptiveMaxPool2d",
    "AdaptiveMaxPool3d",
    "AvgPool1d",
    "AvgPool2d",
    "AvgPool3d",
    "FractionalMaxPool2d",
    "FractionalMaxPool3d",
    "LPPool1d",
    "LPPool2d",
    "LPPool3d",
    "MaxPool1d",
    "MaxPool2d",
    "MaxPool3d",
    "MaxUnpool1d",
    "MaxUnpool2d",
    "MaxUnpool3d",
]

# ---- Maxima ----


class _MaxPoolNd(Module):
    """See `MaxPool2d`."""

    pool: ClassVar[Any]

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

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, and with `return_indices` their positions."""
        sizes = self.kernel_size, self.stride, self.padding, self.dilation
        return self.pool(input, *sizes, self.ceil_mode, self.return_indices)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}, "
            f"dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxPool1d(_MaxPoolNd):
    """Pooling of (N, C, L) or (C, L); see `MaxPool2d`."""

    pool = staticmethod(F.max_pool1d)


class MaxPool2d(_MaxPoolNd):
    """Pooling of (N, C, H, W) or (C, H, W): Greatest value in each window.

    Args:
        kernel_size: k, the window, one number or one for each dimension, as are the next three.
        stride: s, the step; k when None.
        padding: p, minus infinity on each side, at most half the window.
        dilation: d, the distance between the window's points.
        return_indices: also return the positions of the maxima, flat in the dimensions of space.
        ceil_mode: also count windows that hang over the end.

    Shape:
        Each size L of the dimensions of space becomes
        ``L' = floor((L + 2 p - d (k - 1) - 1) / s) + 1``, or ceil.
    """

    pool = staticmethod(F.max_pool2d)


class MaxPool3d(_MaxPoolNd):
    """Pooling of (N, C, D, H, W) or (C, D, H, W); see `MaxPool2d`."""

    pool = staticmethod(F.max_pool3d)


class _MaxUnpoolNd(Module):
    """See `MaxUnpool2d`."""

    space: ClassVar[int]
    unpool: ClassVar[Any]

    def __init__(self, kernel_size: Any, stride: Any = None, padding: Any = 0) -> None:
        super().__init__()
        each = _ntuple(self.space, "each")
        self.kernel_size = each(kernel_size)
        self.stride = each(kernel_size if stride is None else stride)
        self.padding = each(padding)

    def forward(
        self, input: Tensor, indices: Tensor, output_size: Sequence[int] | None = None
    ) -> Tensor:
        """Return `input` at `indices`, in an image of `output_size`."""
        sizes = self.kernel_size, self.stride, self.padding
        return self.unpool(input, indices, *sizes, output_size)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class MaxUnpool1d(_MaxUnpoolNd):
    """Unpooling to (N, C, L) or (C, L); see `MaxUnpool2d`."""

    space = 1
    unpool = staticmethod(F.max_unpool1d)


class MaxUnpool2d(_MaxUnpoolNd):
    """Unpooling to (N, C, H, W) or (C, H, W).

    The inverse of `MaxPool`: the maxima at their places, zeros elsewhere.

    Args:
        kernel_size: of the pooling, one number or one for each dimension, as are the next two.
        stride: its step; the window's size when None.
        padding: what was added on each side.
    """

    space = 2
    unpool = staticmethod(F.max_unpool2d)


class MaxUnpool3d(_MaxUnpoolNd):
    """Unpooling to (N, C, D, H, W) or (C, D, H, W); see `MaxUnpool2d`."""

    space = 3
    unpool = staticmethod(F.max_unpool3d)


# ---- Means ----


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
        each = _ntuple(1, "each")
        self.kernel_size = each(kernel_size)
        self.stride = each(kernel_size if stride is None else stride)
        self.padding = each(padding)
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        sizes = self.kernel_size, self.stride, self.padding
        return F.avg_pool1d(input, *sizes, self.ceil_mode, self.count_include_pad)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class _AvgPoolNd(Module):
    """See `AvgPool2d`."""

    pool: ClassVar[Any]

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
        # PyTorch: `or`, so that 0 and () are no step either
        self.stride = stride or kernel_size
        self.padding = padding
        self.ceil_mode = ceil_mode
        self.count_include_pad = count_include_pad
        self.divisor_override = divisor_override

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        sizes = self.kernel_size, self.stride, self.padding
        rule = self.ceil_mode, self.count_include_pad, self.divisor_override
        return self.pool(input, *sizes, *rule)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Return the sizes."""
        return f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding}"


class AvgPool2d(_AvgPoolNd):
    """Pooling of (N, C, H, W) or (C, H, W): Mean of each window.

    Args:
        kernel_size: k, the window, one number or one for each dimension, as are the next two.
        stride: s, the step; k when None.
        padding: p, zeros on each side, at most half the window.
        ceil_mode: also count windows that hang over the end.
        count_include_pad: divide by the window's size, padding included.
        divisor_override: divide by this instead.

    Shape:
        Each size L of the dimensions of space becomes ``L' = floor((L + 2 p - k) / s) + 1``,
        or ceil.
    """

    pool = staticmethod(F.avg_pool2d)


class AvgPool3d(_AvgPoolNd):
    """Pooling of (N, C, D, H, W) or (C, D, H, W); see `AvgPool2d`."""

    pool = staticmethod(F.avg_pool3d)


# ---- Norms ----


class _LPPoolNd(Module):
    """See `LPPool2d`."""

    pool: ClassVar[Any]

    def __init__(
        self, norm_type: float, kernel_size: Any, stride: Any = None, ceil_mode: bool = False
    ) -> None:
        super().__init__()
        self.norm_type = norm_type
        self.kernel_size = kernel_size
        self.stride = stride
        self.ceil_mode = ceil_mode

    def forward(self, input: Tensor) -> Tensor:
        """Return the norms."""
        sizes = self.kernel_size, self.stride
        return self.pool(input, float(self.norm_type), *sizes, self.ceil_mode)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Return the norm and the sizes."""
        return (
            f"norm_type={self.norm_type}, kernel_size={self.kernel_size}, stride={self.stride}, "
            f"ceil_mode={self.ceil_mode}"
        )


class LPPool1d(_LPPoolNd):
    """Pooling of (N, C, L) or (C, L); see `LPPool2d`."""

    pool = staticmethod(F.lp_pool1d)


class LPPool2d(_LPPoolNd):
    """Pooling of (N, C, H, W) or (C, H, W): ``(sum of x^p)^(1/p)`` over each window.

    Args:
        norm_type: p.
        kernel_size: the window, one number or one for each dimension, as is the step.
        stride: the step; the window's size when None.
        ceil_mode: also count windows that hang over the end.
    """

    pool = staticmethod(F.lp_pool2d)


class LPPool3d(_LPPoolNd):
    """Pooling of (N, C, D, H, W) or (C, D, H, W); see `LPPool2d`."""

    pool = staticmethod(F.lp_pool3d)


# ---- To a wanted size ----


class _AdaptiveAvgPoolNd(Module):
    """See `AdaptiveAvgPool2d`."""

    pool: ClassVar[Any]

    def __init__(self, output_size: Any) -> None:
        super().__init__()
        self.output_size = output_size

    def forward(self, input: Tensor) -> Tensor:
        """Return the means."""
        return self.pool(input, self.output_size)  # type: ignore[no-any-return]

    def extra_repr(self) -> str:
        """Return the size of the output."""
        return f"output_size={self.output_size}"


class AdaptiveAvgPool1d(_AdaptiveAvgPoolNd):
    """Pooling of (N, C, L) or (C, L); see `AdaptiveAvgPool2d`."""

    pool = staticmethod(F.adaptive_avg_pool1d)


class AdaptiveAvgPool2d(_AdaptiveAvgPoolNd):
    """Pooling of (N, C, H, W) or (C, H, W).

    Means of windows that divide the input into `output_size` parts.

    Args:
        output_size: one number or one for each dimension; None keeps a size.
    """

    pool = staticmethod(F.adaptive_avg_pool2d)


class AdaptiveAvgPool3d(_AdaptiveAvgPoolNd):
    """Pooling of (N, C, D, H, W) or (C, D, H, W); see `AdaptiveAvgPool2d`."""

    pool = staticmethod(F.adaptive_avg_pool3d)


class _AdaptiveMaxPoolNd(Module):
    """See `AdaptiveMaxPool2d`."""

    pool: ClassVar[Any]

    def __init__(self, output_size: Any, return_indices: bool = False) -> None:
        super().__init__()
        self.output_size = output_size
        self.return_indices = return_indices

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, and with `return_indices` their positions."""
        return self.pool(input, self.output_size, self.return_indices)

    def extra_repr(self) -> str:
        """Return the size of the output."""
        return f"output_size={self.output_size}"


class AdaptiveMaxPool1d(_AdaptiveMaxPoolNd):
    """Pooling of (N, C, L) or (C, L); see `AdaptiveMaxPool2d`."""

    pool = staticmethod(F.adaptive_max_pool1d)


class AdaptiveMaxPool2d(_AdaptiveMaxPoolNd):
    """Pooling of (N, C, H, W) or (C, H, W).

    Greatest values of windows that divide the input into `output_size` parts.

    Args:
        output_size: one number or one for each dimension; None keeps a size.
        return_indices: also return the positions of the maxima, flat in the dimensions of space.
    """

    pool = staticmethod(F.adaptive_max_pool2d)


class AdaptiveMaxPool3d(_AdaptiveMaxPoolNd):
    """Pooling of (N, C, D, H, W) or (C, D, H, W); see `AdaptiveMaxPool2d`."""

    pool = staticmethod(F.adaptive_max_pool3d)


# ---- Fractional steps ----


class _FractionalMaxPoolNd(Module):
    """See `FractionalMaxPool2d`."""

    space: ClassVar[int]
    pool: ClassVar[Any]

    def __init__(
        self,
        kernel_size: Any,
        output_size: Any = None,
        output_ratio: Any = None,
        return_indices: bool = False,
        _random_samples: Tensor | None = None,
    ) -> None:
        super().__init__()
        each = _ntuple(self.space, "each")
        if output_size is None and output_ratio is None:
            raise ValueError(
                f"{type(self).__name__} requires specifying either an output size, or a pooling "
                "ratio"
            )
        if output_size is not None and output_ratio is not None:
            raise ValueError("only one of output_size and output_ratio may be specified")
        self.kernel_size = each(kernel_size)
        self.return_indices = return_indices
        self.register_buffer("_random_samples", _random_samples)
        self.output_size = None if output_size is None else each(output_size)
        self.output_ratio = None if output_ratio is None else each(output_ratio)
        if self.output_ratio is not None and not all(0 < r < 1 for r in self.output_ratio):
            raise ValueError(f"output_ratio must be between 0 and 1 (got {output_ratio})")

    def forward(self, input: Tensor) -> Any:
        """Return the maxima, and with `return_indices` their positions."""
        sizes = self.kernel_size, self.output_size, self.output_ratio
        return self.pool(input, *sizes, self.return_indices, self._random_samples)


class FractionalMaxPool2d(_FractionalMaxPoolNd):
    """Pooling of (N, C, H, W) or (C, H, W).

    Greatest values of windows whose steps, of two sizes, are in a random order.

    Args:
        kernel_size: the window, one number or one for each dimension, as are the next two.
        output_size: the size of the output; or else
        output_ratio: its share of the input's size, between 0 and 1.
        return_indices: also return the positions of the maxima, flat in the dimensions of space.

    Source: Graham (2014).
    """

    space = 2
    pool = staticmethod(F.fractional_max_pool2d)


class FractionalMaxPool3d(_FractionalMaxPoolNd):
    """Pooling of (N, C, D, H, W) or (C, D, H, W); see `FractionalMaxPool2d`."""

    space = 3
    pool = staticmethod(F.fractional_max_pool3d)
