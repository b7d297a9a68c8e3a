"""Recurrent networks of one layer, for one step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.nn import init
from rushlight.nn.parameter import Parameter
from rushlight.tensor import Tensor

from .module import Module

__all__ = ["GRUCell", "LSTMCell", "RNNCell", "RNNCellBase"]


def each_state(function: Callable[[Tensor], Tensor], state: Any) -> Any:
    """`function` of a state, or of both of a pair."""
    return tuple(map(function, state)) if isinstance(state, tuple) else function(state)


class Recurrent(Module):
    """What layers and cells share: how the parameters begin."""

    hidden_size: int

    def reset_parameters(self) -> None:
        """Draw new initial values, uniform over ``[-1 / sqrt(hidden), 1 / sqrt(hidden))``."""
        bound = 1 / math.sqrt(self.hidden_size) if self.hidden_size > 0 else 0
        for parameter in self.parameters():
            init.uniform_(parameter, -bound, bound)


class RNNCellBase(Recurrent):
    """One step of a recurrent network, of one layer.

    Args:
        input_size: of the input.
        hidden_size: of the state.
        bias: whether there are biases.
        num_chunks: parts of the gates.
        device: where the parameters lie.
        dtype: their type.
    """

    bias_ih: Parameter | None
    bias_hh: Parameter | None

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool,
        num_chunks: int,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.bias = bias
        gates = num_chunks * hidden_size
        self.weight_ih = Parameter(ops.empty(gates, input_size, device=device, dtype=dtype))
        self.weight_hh = Parameter(ops.empty(gates, hidden_size, device=device, dtype=dtype))
        for name in ("bias_ih", "bias_hh"):
            value = Parameter(ops.empty(gates, device=device, dtype=dtype)) if bias else None
            self.register_parameter(name, value)
        self.reset_parameters()

    def _step(self, function: Any, input: Tensor, hx: Any) -> Any:
        """Apply `function`, to a batch of one where there is none."""
        self._check_dims(input, hx)
        batched = input.dim() == 2
        x = input if batched else input.unsqueeze(0)
        if hx is None:
            hx = self._first_state(x)
        elif not batched:
            hx = each_state(lambda h: h.unsqueeze(0), hx)
        out = function(x, hx, self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        return out if batched else each_state(lambda h: h.squeeze(0), out)

    def _first_state(self, input: Tensor) -> Any:
        return ops.zeros(input.shape[0], self.hidden_size, dtype=input.dtype, device=input.device)

    def _check_dims(self, input: Tensor, hx: Any) -> None:
        states = {f"hx[{i}]": h for i, h in enumerate(hx)} if isinstance(hx, tuple) else {}
        if hx is not None and not states:
            states = {"hidden": hx}
        for name, value in {"input": input, **states}.items():
            if value.dim() not in (1, 2):
                raise ValueError(
                    f"{type(self).__name__}: Expected {name} to be 1D or 2D, got "
                    f"{value.dim()}D instead"
                )

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are set."""
        words = f"{self.input_size}, {self.hidden_size}"
        if not self.bias:
            words += f", bias={self.bias}"
        if getattr(self, "nonlinearity", "tanh") != "tanh":
            words += f", nonlinearity={self.nonlinearity}"
        return words


class RNNCell(RNNCellBase):
    """``h' = act(W_ih x + b_ih + W_hh h + b_hh)``.

    Args:
        input_size: of x.
        hidden_size: of h.
        bias: whether there are biases.
        nonlinearity: ``"tanh"`` or ``"relu"``.
        device: where the parameters lie.
        dtype: their type.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 1, device, dtype)
        self.nonlinearity = nonlinearity

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the state after `input`, (batch, hidden) or (hidden)."""
        functions = {"tanh": ops.rnn_tanh_cell, "relu": ops.rnn_relu_cell}
        if self.nonlinearity not in functions:
            raise RuntimeError(f"Unknown nonlinearity: {self.nonlinearity}")
        state: Tensor = self._step(functions[self.nonlinearity], input, hx)
        return state


class LSTMCell(RNNCellBase):
    """One step of `LSTM`.

    Args:
        input_size: of x.
        hidden_size: of h and c.
        bias: whether there are biases.
        device: where the parameters lie.
        dtype: their type.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 4, device, dtype)

    def _first_state(self, input: Tensor) -> Any:
        zeros = super()._first_state(input)
        return zeros, zeros

    def forward(
        self, input: Tensor, hx: tuple[Tensor, Tensor] | None = None
    ) -> tuple[Tensor, Tensor]:
        """Return h and c after `input`, (batch, hidden) or (hidden)."""
        state: tuple[Tensor, Tensor] = self._step(
            ops.lstm_cell, input, None if hx is None else tuple(hx)
        )
        return state


class GRUCell(RNNCellBase):
    """One step of `GRU`.

    Args:
        input_size: of x.
        hidden_size: of h.
        bias: whether there are biases.
        device: where the parameters lie.
        dtype: their type.
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(input_size, hidden_size, bias, 3, device, dtype)

    def forward(self, input: Tensor, hx: Tensor | None = None) -> Tensor:
        """Return the state after `input`, (batch, hidden) or (hidden)."""
        state: Tensor = self._step(ops.gru_cell, input, hx)
        return state
