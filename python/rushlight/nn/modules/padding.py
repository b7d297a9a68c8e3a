"""Frames around images."""

from __future__ import annotations

from typing import Any, ClassVar

from rushlight.nn import functional as F
from rushlight.tensor import Tensor

from .module import Module

__all__ = [
    "CircularPad1d",
    "CircularPad2d",
    "CircularPad3d",
    "ConstantPad1d",
    "ConstantPad2d",
    "ConstantPad3d",
    "ReflectionPad1d",
    "ReflectionPad2d",
    "ReflectionPad3d",
    "ReplicationPad1d",
    "ReplicationPad2d",
    "ReplicationPad3d",
    "ZeroPad1d",
    "ZeroPad2d",
    "ZeroPad3d",
]


class _Pad(Module):
    """A frame of a kind that the class names.

    Args:
        padding: one width for all sides, or widths before and after, the last dimension first.
    """

    space: ClassVar[int]
    mode: ClassVar[str]

    def __init__(self, padding: Any) -> None:
        super().__init__()
        sides = 2 * self.space
        self.padding = (padding,) * sides if isinstance(padding, int) else tuple(padding)

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` in its frame."""
        return F.pad(input, self.padding, self.mode)

    def extra_repr(self) -> str:
        """Return the widths."""
        return f"{self.padding}"


class _ConstantPad(_Pad):
    """A frame of one value.

    Args:
        padding: one width for all sides, or widths before and after, the last dimension first.
        value: the frame's.
    """

    mode = "constant"

    def __init__(self, padding: Any, value: float) -> None:
        super().__init__(padding)
        self.value = value

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` in its frame."""
        return F.pad(input, self.padding, "constant", self.value)

    def extra_repr(self) -> str:
        """Return the widths and the value."""
        return f"padding={self.padding}, value={self.value}"


class _ZeroPad(_ConstantPad):
    """A frame of zeros."""

    def __init__(self, padding: Any) -> None:
        super().__init__(padding, 0.0)

    def extra_repr(self) -> str:
        """Return the widths."""
        return f"{self.padding}"


class _ReflectionPad(_Pad):
    mode = "reflect"


class _ReplicationPad(_Pad):
    mode = "replicate"


class _CircularPad(_Pad):
    mode = "circular"

    def forward(self, input: Tensor) -> Tensor:
        """Return `input` in its frame."""
        if input.dim() not in (self.space + 1, self.space + 2):
            raise ValueError(
                f"expected {self.space + 1}D or {self.space + 2}D input (got {input.dim()}D input)"
            )
        return F.pad(input, self.padding, self.mode)


class ConstantPad1d(_ConstantPad):
    """One value around (N, C, L) or (C, L)."""

    space = 1


class ConstantPad2d(_ConstantPad):
    """One value around (N, C, H, W) or (C, H, W)."""

    space = 2


class ConstantPad3d(_ConstantPad):
    """One value around (N, C, D, H, W) or (C, D, H, W)."""

    space = 3


class ZeroPad1d(_ZeroPad):
    """Zeros around (N, C, L) or (C, L)."""

    space = 1


class ZeroPad2d(_ZeroPad):
    """Zeros around (N, C, H, W) or (C, H, W)."""

    space = 2


class ZeroPad3d(_ZeroPad):
    """Zeros around (N, C, D, H, W) or (C, D, H, W)."""

    space = 3


class ReflectionPad1d(_ReflectionPad):
    """The mirror image, without the edge itself, around (N, C, L) or (C, L)."""

    space = 1


class ReflectionPad2d(_ReflectionPad):
    """The mirror image, without the edge itself, around (N, C, H, W) or (C, H, W)."""

    space = 2


class ReflectionPad3d(_ReflectionPad):
    """The mirror image, without the edge itself, around (N, C, D, H, W) or (C, D, H, W)."""

    space = 3


class ReplicationPad1d(_ReplicationPad):
    """The edge repeated around (N, C, L) or (C, L)."""

    space = 1


class ReplicationPad2d(_ReplicationPad):
    """The edge repeated around (N, C, H, W) or (C, H, W)."""

    space = 2


class ReplicationPad3d(_ReplicationPad):
    """The edge repeated around (N, C, D, H, W) or (C, D, H, W)."""

    space = 3


class CircularPad1d(_CircularPad):
    """The other end around (N, C, L) or (C, L)."""

    space = 1


class CircularPad2d(_CircularPad):
    """The other end around (N, C, H, W) or (C, H, W)."""

    space = 2


class CircularPad3d(_CircularPad):
    """The other end around (N, C, D, H, W) or (C, D, H, W)."""

    space = 3
