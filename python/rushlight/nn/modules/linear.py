"""Linear maps."""

from __future__ import annotations

import math
from typing import Any

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.nn.parameter import Parameter, UninitializedParameter
from rushlight.tensor import Tensor

from .lazy import LazyModuleMixin
from .module import Module

__all__ = ["Bilinear", "Identity", "LazyLinear", "Linear"]


class Identity(Module):
    """Returns its input; all arguments of the constructor are ignored."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__()

    def forward(self, input: Tensor) -> Tensor:
        """Return `input`."""
        return input


class Linear(Module):
    """``y = x W^T + b``.

    Args:
        in_features: n, the size of the input's last dimension.
        out_features: m, that of the output's.
        bias: whether there is a b.
        device: where the parameters lie.
        dtype: their type.

    Shape:
        (..., n) to (..., m); `weight` is (m, n), `bias` (m).

    Initial values:
        Both uniform over ``[-1 / sqrt(n), 1 / sqrt(n))``.
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features
        self.weight = Parameter(ops.empty(out_features, in_features, device=device, dtype=dtype))
        self.bias: Parameter | None
        if bias:
            self.bias = Parameter(ops.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: the weight first, then the bias."""
        # The gain for a = sqrt(5) makes the bound 1 / sqrt(fan_in).
        init.kaiming_uniform_(self.weight, a=math.sqrt(5))
        if self.bias is not None:
            bound = 1 / math.sqrt(self.in_features) if self.in_features > 0 else 0
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input: Tensor) -> Tensor:
        """Return ``input W^T + b``."""
        return F.linear(input, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


class NonDynamicallyQuantizableLinear(Linear):
    """`Linear`, under the name that PyTorch gives the output layer of attention."""


class Bilinear(Module):
    """``y_k = x1^T W_k x2 + b_k``.

    Args:
        in1_features: n1, the size of the first input's last dimension.
        in2_features: n2, that of the second input's.
        out_features: m, that of the output's.
        bias: whether there is a b.
        device: where the parameters lie.
        dtype: their type.

    Shape:
        (..., n1) and (..., n2) to (..., m); `weight` is (m, n1, n2), `bias` (m).

    Initial values:
        Both uniform over ``[-1 / sqrt(n1), 1 / sqrt(n1))``.
    """

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if in1_features <= 0:
            raise ValueError(f"in1_features must be > 0, but got {in1_features}")
        self.in1_features = in1_features
        self.in2_features = in2_features
        self.out_features = out_features
        sizes = (out_features, in1_features, in2_features)
        self.weight = Parameter(ops.empty(*sizes, device=device, dtype=dtype))
        self.bias: Parameter | None
        if bias:
            self.bias = Parameter(ops.empty(out_features, device=device, dtype=dtype))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw new initial values: the weight first, then the bias."""
        bound = 1 / math.sqrt(self.in1_features)
        init.uniform_(self.weight, -bound, bound)
        if self.bias is not None:
            init.uniform_(self.bias, -bound, bound)

    def forward(self, input1: Tensor, input2: Tensor) -> Tensor:
        """Return the bilinear form of both inputs."""
        return F.bilinear(input1, input2, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the sizes."""
        return (
            f"in1_features={self.in1_features}, in2_features={self.in2_features}, "
            f"out_features={self.out_features}, bias={self.bias is not None}"
        )


class LazyLinear(LazyModuleMixin, Linear):
    """`Linear` that takes the size of its input from its first input.

    Args:
        out_features: m, the size of the output's last dimension.
        bias: whether there is a b.
        device: where the parameters lie.
        dtype: their type.
    """

    cls_to_become = Linear

    def __init__(
        self, out_features: int, bias: bool = True, device: Any = None, dtype: Any = None
    ) -> None:
        super().__init__(0, 0, False)
        self.out_features = out_features
        self.weight = UninitializedParameter(device=device, dtype=dtype)
        if bias:
            self.bias = UninitializedParameter(device=device, dtype=dtype)

    def reset_parameters(self) -> None:
        """Draw new initial values, once the parameters are there."""
        if not self.has_uninitialized_params() and self.in_features != 0:
            super().reset_parameters()

    def initialize_parameters(self, input: Tensor) -> None:
        """Take the size from `input`, and make the parameters."""
        if self.has_uninitialized_params():
            with no_grad():
                self.in_features = input.shape[-1]
                for parameter, size in (
                    (self.weight, (self.out_features, self.in_features)),
                    (self.bias, (self.out_features,)),
                ):
                    if isinstance(parameter, UninitializedParameter):
                        parameter.materialize(size)
                self.reset_parameters()
        self.in_features = self.weight.shape[-1]  # they may come from a state_dict
