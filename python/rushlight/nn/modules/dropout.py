"""Dropout."""

from __future__ import annotations

from rushlight.nn import functional as F
from rushlight.tensor import Tensor

from .module import Module

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]


class _DropoutNd(Module):
    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        """Return the options."""
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """In training, zeroes elements with probability `p` and scales the others by ``1 / (1 - p)``.

    Args:
        p: probability, 0 to 1.
        inplace: overwrite the input.

    Source: Hinton et al., Improving neural networks by preventing co-adaptation of feature
    detectors (2012).
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with elements dropped, or in evaluation mode `input` itself."""
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """`Dropout` of whole channels of (N, C, L) or (C, L)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with channels dropped, or in evaluation mode `input` itself."""
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """`Dropout` of whole channels of (N, C, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with channels dropped, or in evaluation mode `input` itself."""
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """`Dropout` of whole channels of (N, C, D, H, W)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with channels dropped, or in evaluation mode `input` itself."""
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps mean 0 and variance 1, for `SELU` (Klambauer et al. 2017)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with elements dropped, or in evaluation mode `input` itself."""
        return F.alpha_dropout(input, self.p, self.training, self.inplace)


class FeatureAlphaDropout(_DropoutNd):
    """`AlphaDropout` of whole channels of (N, C, ...)."""

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` with channels dropped, or in evaluation mode `input` itself."""
        return F.feature_alpha_dropout(input, self.p, self.training, self.inplace)
