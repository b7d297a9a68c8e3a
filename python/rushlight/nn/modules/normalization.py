"""Normalisation within one sample: of layers, groups, and neighbouring channels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rushlight import ops
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.nn.parameter import Parameter
from rushlight.tensor import Tensor

from .module import Module

__all__ = ["CrossMapLRN2d", "GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class _Affine(Module):
    """What these norms share: a weight, 1 at first, and a bias, 0 at first, or neither."""

    weight: Parameter | None
    bias: Parameter | None

    def _make_parameters(self, size: Any, wanted: dict[str, bool], device: Any, dtype: Any) -> None:
        for name, present in wanted.items():
            value = Parameter(ops.empty(size, device=device, dtype=dtype)) if present else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set the weight to 1 and the bias to 0."""
        if self.weight is not None:
            init.ones_(self.weight)
        bias = self._parameters.get("bias")
        if bias is not None:
            init.zeros_(bias)


class LayerNorm(_Affine):
    """``(x - mean) / sqrt(var + eps) * weight + bias`` over the last dimensions.

    Args:
        normalized_shape: sizes of the dimensions that are normalised together, or the last one's.
        eps: added to the variance.
        elementwise_affine: whether there are a weight and a bias, of `normalized_shape`.
        bias: whether there is a bias.
        device: where the parameters lie.
        dtype: their type.

    Source: Ba, Kiros and Hinton (2016).
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        wanted = {"weight": elementwise_affine, "bias": elementwise_affine and bias}
        self._make_parameters(self.normalized_shape, wanted, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised `input`."""
        return F.layer_norm(input, self.normalized_shape, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the shape and the options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


def _shape(value: int | Sequence[int]) -> tuple[int, ...]:
    return (value,) if isinstance(value, int) else tuple(value)


class RMSNorm(_Affine):
    """``x / sqrt(mean(x^2) + eps) * weight`` over the last dimensions.

    Args:
        normalized_shape: sizes of the dimensions that are normalised together, or the last one's.
        eps: added to the mean square; the smallest step from 1 of the type when None.
        elementwise_affine: whether there is a weight, of `normalized_shape`.
        device: where the weight lies.
        dtype: its type.

    Source: Zhang and Sennrich (2019).
    """

    def __init__(
        self,
        normalized_shape: int | Sequence[int],
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.normalized_shape = _shape(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        wanted = {"weight": elementwise_affine}
        self._make_parameters(self.normalized_shape, wanted, device, dtype)

    def forward(self, x: Tensor) -> Tensor:
        """Return the normalised `x`."""
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        """Return the shape and the options."""
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class GroupNorm(_Affine):
    """`LayerNorm` of each group of channels of (N, C, ...).

    Args:
        num_groups: must divide C.
        num_channels: C.
        eps: added to the variance.
        affine: whether there are a weight and a bias, one of each a channel.
        device: where the parameters lie.
        dtype: their type.
        bias: whether there is a bias.

    Source: Wu and He (2018).
    """

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        wanted = {"weight": affine, "bias": affine and bias}
        self._make_parameters(num_channels, wanted, device, dtype)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised `input`."""
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        """Return the sizes and the options."""
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class LocalResponseNorm(Module):
    """``x / (k + alpha mean(x'^2))^beta`` over `size` neighbouring channels of (N, C, ...).

    Source: Krizhevsky, Sutskever and Hinton (2012), section 3.3.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised `input`."""
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        """Return the numbers."""
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """``x (k + alpha / size s)^-beta`` with s the squares of the channels around, of (N, C, H, W).

    As in PyTorch, whose sums run from channel to channel, the first channel stays in the sums that
    should have left it behind. `LocalResponseNorm` has no such memory.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        """Return the normalised `input`."""
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        squares, channels = input * input, input.shape[1]
        reach = (self.size - 1) // 2
        frame = ops.constant_pad_nd(squares, (0, 0, 0, 0, reach, reach), 0)
        late = (ops.arange(channels, device=input.device) > reach).to(input.dtype)
        sums = squares.narrow(1, 0, 1) * late.reshape(-1, 1, 1)
        for step in range(2 * reach + 1):
            sums = sums + frame.narrow(1, step, channels)
        return input * (sums * (self.alpha / self.size) + self.k) ** -self.beta
