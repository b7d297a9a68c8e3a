"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

from rushlight import ops
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.nn.parameter import Parameter, UninitializedParameter
from rushlight.tensor import Tensor

from .lazy import LazyModuleMixin
from .module import Module
from .utils import _ntuple

__all__ = [
    "Conv1d",
    "Conv2d",
    "Conv3d",
    "ConvTranspose1d",
    "ConvTranspose2d",
    "ConvTranspose3d",
    "LazyConv1d",
    "LazyConv2d",
    "LazyConv3d",
    "LazyConvTranspose1d",
    "LazyConvTranspose2d",
    "LazyConvTranspose3d",
]


class _ConvNd(Module):
    """What convolutions of all dimensions share: sizes, parameters, initial values, text."""

    space: ClassVar[int]
    transposed: ClassVar[bool] = False

    bias: Parameter | None

    def _set_up(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any,
        padding: Any,
        dilation: Any,
        output_padding: Any,
        groups: int,
        bias: bool,
        padding_mode: str,
        device: Any,
        dtype: Any,
    ) -> None:
        each = _ntuple(self.space, "each")
        _check_channels(in_channels, out_channels, groups)
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.kernel_size = each(kernel_size)
        self.stride = each(stride)
        self.padding = padding if isinstance(padding, str) else each(padding)
        self.dilation = each(dilation)
        self.output_padding = each(output_padding)
        self.groups = groups
        self.padding_mode = padding_mode
        _check_padding(self.padding, padding_mode, self.stride)
        self.weight = Parameter(ops.empty(*self._weight_shape(), device=device, dtype=dtype))
        if bias:
            self.bias = Parameter(ops.empty(out_channels, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def _weight_shape(self) -> tuple[int, ...]:
        channels = self.out_channels, self.in_channels
        outer, inner = reversed(channels) if self.transposed else channels
        return (outer, inner // self.groups, *self.kernel_size)

    def reset_parameters(self) -> None:
        """Draw new initial values: the weight first, then the bias."""
        # The gain for a = sqrt(5) makes the bound 1 / sqrt(fan_in).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            fan_in, _ = init._calculate_fan_in_and_fan_out(self.weight)
            bound = 1 / math.sqrt(fan_in) if fan_in > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are not at their defaults."""
        text = (
            f"{self.in_channels}, {self.out_channels}, kernel_size={self.kernel_size}, "
            f"stride={self.stride}"
        )
        dims = len(self.kernel_size)
        for name, usual in (("padding", 0), ("dilation", 1), ("output_padding", 0)):
            value = getattr(self, name)
            if value != (usual,) * dims:
                text += f", {name}={value}"
        if self.groups != 1:
            text += f", groups={self.groups}"
        if self.bias is None:
            text += ", bias=False"
        if self.padding_mode != "zeros":
            text += f", padding_mode={self.padding_mode}"
        return text


def _check_channels(in_channels: int, out_channels: int, groups: int) -> None:
    if groups <= 0:
        raise ValueError("groups must be a positive integer")
    if in_channels % groups != 0:
        raise ValueError("in_channels must be divisible by groups")
    if out_channels % groups != 0:
        raise ValueError("out_channels must be divisible by groups")


def _check_padding(padding: str | tuple[int, ...], mode: str, stride: tuple[int, ...]) -> None:
    if isinstance(padding, str):
        names = ("same", "valid")
        if padding not in names:
            raise ValueError(f"Invalid padding string {padding!r}, should be one of {names}")
        if padding == "same" and any(step != 1 for step in stride):
            raise ValueError("padding='same' is not supported for strided convolutions")
    modes = ("zeros", "reflect", "replicate", "circular")
    if mode not in modes:
        raise ValueError(f"padding_mode must be one of {modes}, but got padding_mode='{mode}'")


class _Conv(_ConvNd):
    """See `Conv2d`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes = kernel_size, stride, padding, dilation, 0
        options = groups, bias, padding_mode, device, dtype
        self._set_up(in_channels, out_channels, *sizes, *options)

    def forward(self, input: Tensor) -> Tensor:
        """Return the convolution of `input`."""
        return self._conv_forward(input, self.weight, self.bias)

    def _conv_forward(self, input: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        padding: Any = self.padding
        if self.padding_mode != "zeros":
            input = F.pad(input, self._widths(), self.padding_mode)
            padding = 0
        convolve = (F.conv1d, F.conv2d, F.conv3d)[self.space - 1]
        return convolve(input, weight, bias, self.stride, padding, self.dilation, self.groups)

    def _widths(self) -> list[int]:
        """The frame around the input, the last dimension first."""
        if not isinstance(self.padding, str):
            return [width for p in reversed(self.padding) for width in (p, p)]
        reach = [d * (k - 1) for d, k in zip(self.dilation, self.kernel_size, strict=True)]
        if self.padding == "valid":
            reach = [0] * self.space
        return [width for r in reversed(reach) for width in (r // 2, r - r // 2)]


class Conv1d(_Conv):
    """Convolution of (N, C, L) or (C, L); see `Conv2d`."""

    space = 1


class Conv2d(_Conv):
    """Convolution of (N, C, H, W) or (C, H, W).

    Cross-correlation: ``out[o] = b[o] + sum_c w[o, c] * x[c]``.

    Args:
        in_channels: C.
        out_channels: O.
        kernel_size: k, one number or one for each dimension, as are the next three.
        stride: s, the step.
        padding: p, zeros on each side; or ``"valid"`` (none), ``"same"`` (the size is kept).
        dilation: d, the distance between the kernel's points.
        groups: groups that the channels are split into; each sees its own inputs only.
        bias: whether there is a b.
        padding_mode: what the padding is: ``"zeros"``, ``"reflect"``, ``"replicate"`` or
            ``"circular"``; see `functional.pad`.
        device: where the parameters lie.
        dtype: their type.

    Shape:
        Each size L of the dimensions of space becomes
        ``L' = floor((L + 2 p - d (k - 1) - 1) / s) + 1``; `weight` is (O, C / groups, k, ...).

    Initial values:
        Both uniform over ``[-b, b)``, ``b = 1 / sqrt(C / groups * k * ...)``.
    """

    space = 2


class Conv3d(_Conv):
    """Convolution of (N, C, D, H, W) or (C, D, H, W); see `Conv2d`."""

    space = 3


# ---- Transposed ----


class _ConvTranspose(_ConvNd):
    """See `ConvTranspose2d`."""

    transposed = True

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if padding_mode != "zeros":
            raise ValueError(f'Only "zeros" padding mode is supported for {type(self).__name__}')
        sizes = kernel_size, stride, padding, dilation, output_padding
        options = groups, bias, padding_mode, device, dtype
        self._set_up(in_channels, out_channels, *sizes, *options)

    def forward(self, input: Tensor, output_size: Sequence[int] | None = None) -> Tensor:
        """Return the transposed convolution of `input`, of `output_size` where that is given."""
        extra = self.output_padding
        if output_size is not None:
            extra = self._output_padding(input, list(output_size))
        convolve = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[self.space - 1]
        padding: Any = self.padding
        sizes = self.stride, padding, extra, self.groups, self.dilation
        return convolve(input, self.weight, self.bias, *sizes)

    def _output_padding(self, input: Tensor, output_size: list[int]) -> tuple[int, ...]:
        """What makes the output as large as wanted."""
        lead = input.dim() - self.space
        wanted = output_size[lead:] if len(output_size) == input.dim() else output_size
        if len(wanted) != self.space:
            raise ValueError(
                f"ConvTranspose{self.space}D: for {input.dim()}D input, output_size must have "
                f"{self.space} or {input.dim()} elements (got {len(output_size)})"
            )
        least = [
            (n - 1) * s - 2 * p + d * (k - 1) + 1
            for n, s, p, d, k in zip(
                input.shape[lead:],
                self.stride,
                self.padding,
                self.dilation,
                self.kernel_size,
                strict=True,
            )
        ]
        most = [size + s - 1 for size, s in zip(least, self.stride, strict=True)]
        if any(not a <= w <= b for a, w, b in zip(least, wanted, most, strict=True)):
            raise ValueError(
                f"requested an output size of {wanted}, but valid sizes range from {least} to "
                f"{most} (for an input of {list(input.shape[lead:])})"
            )
        return tuple(w - a for w, a in zip(wanted, least, strict=True))


class ConvTranspose1d(_ConvTranspose):
    """Transposed convolution of (N, C, L) or (C, L); see `ConvTranspose2d`."""

    space = 1


class ConvTranspose2d(_ConvTranspose):
    """Transposed convolution of (N, C, H, W) or (C, H, W).

    The transpose of a convolution: what its gradient makes of the input, plus a bias.

    Args:
        in_channels: C.
        out_channels: O.
        kernel_size: k, one number or one for each dimension, as are the next three.
        stride: s, the distance of the inputs in the output.
        padding: p, cut off on each side of the output.
        output_padding: e, so much more of the output after its end, less than s or d.
        groups: groups that the channels are split into; each sees its own inputs only.
        bias: whether there is a b.
        dilation: d, the distance between the kernel's points.
        padding_mode: ``"zeros"``.
        device: where the parameters lie.
        dtype: their type.

    Shape:
        Each size L of the dimensions of space becomes
        ``L' = (L - 1) s - 2 p + d (k - 1) + e + 1``; `weight` is (C, O / groups, k, ...).

    Initial values:
        Both uniform over ``[-b, b)``, ``b = 1 / sqrt(O / groups * k * ...)``.
    """

    space = 2


class ConvTranspose3d(_ConvTranspose):
    """Transposed convolution of (N, C, D, H, W) or (C, D, H, W); see `ConvTranspose2d`."""

    space = 3


# ---- Lazy ----


class _LazyConv(LazyModuleMixin, _ConvNd):
    """A convolution that takes its number of input channels from its first input."""

    def _leave_open(self, bias: bool, device: Any, dtype: Any) -> None:
        """Put parameters without a shape in place of the ones for no channels."""
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, once the parameters are there."""
        if not self.has_uninitialized_params() and self.in_channels != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor, *args: Any, **kwargs: Any) -> None:
        """Take the number of channels from `input`, and make the parameters."""
        if not self.has_uninitialized_params():
            return
        n = self.space
        if input.dim() not in (n + 1, n + 2):
            raise RuntimeError(
                f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to "
                f"{type(self).__name__}, but got input of size: {input.shape}"
            )
        self.in_channels = input.shape[-n - 1]
        _check_channels(self.in_channels, self.out_channels, self.groups)
        for parameter, shape in (
            (self.weight, self._weight_shape()),
            (self.bias, (self.out_channels,)),
        ):
            if isinstance(parameter, UninitializedParameter):
                parameter.materialize(shape)
        self.reset_parameters()


class _LazyForward(_LazyConv, _Conv):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = kernel_size, stride, padding, dilation
        super().__init__(0, out_channels, *sizes, groups, False, padding_mode)
        self._leave_open(bias, device, dtype)


class _LazyTranspose(_LazyConv, _ConvTranspose):
    def __init__(
        self,
        out_channels: int,
        kernel_size: Any,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: Any = 1,
        padding_mode: str = "zeros",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        sizes = kernel_size, stride, padding, output_padding
        super().__init__(0, out_channels, *sizes, groups, False, dilation, padding_mode)
        self._leave_open(bias, device, dtype)


class LazyConv1d(_LazyForward):
    """`Conv1d` that takes the number of input channels from its first input."""

    cls_to_become = Conv1d
    space = 1


class LazyConv2d(_LazyForward):
    """`Conv2d` that takes the number of input channels from its first input."""

    cls_to_become = Conv2d
    space = 2


class LazyConv3d(_LazyForward):
    """`Conv3d` that takes the number of input channels from its first input."""

    cls_to_become = Conv3d
    space = 3


class LazyConvTranspose1d(_LazyTranspose):
    """`ConvTranspose1d` that takes the number of input channels from its first input."""

    cls_to_become = ConvTranspose1d
    space = 1


class LazyConvTranspose2d(_LazyTranspose):
    """`ConvTranspose2d` that takes the number of input channels from its first input."""

    cls_to_become = ConvTranspose2d
    space = 2


class LazyConvTranspose3d(_LazyTranspose):
    """`ConvTranspose3d` that takes the number of input channels from its first input."""

    cls_to_become = ConvTranspose3d
    space = 3
