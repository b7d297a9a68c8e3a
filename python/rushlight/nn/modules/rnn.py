"""Recurrent networks of several layers, over all steps."""

from __future__ import annotations

import warnings
from typing import Any

from rushlight import ops
from rushlight.nn.parameter import Parameter
from rushlight.nn.utils.rnn import PackedSequence
from rushlight.tensor import Tensor

from .rnn_cell import Recurrent, each_state

__all__ = ["GRU", "LSTM", "RNN", "RNNBase"]

# Parts of the gates of each kind of network.
_GATES = {"LSTM": 4, "GRU": 3, "RNN_TANH": 1, "RNN_RELU": 1}
_FUNCTIONS = {
    "LSTM": ops.lstm,
    "GRU": ops.gru,
    "RNN_TANH": ops.rnn_tanh,
    "RNN_RELU": ops.rnn_relu,
}


class RNNBase(Recurrent):
    """Layers of a recurrent network.

    Args:
        mode: ``"LSTM"``, ``"GRU"``, ``"RNN_TANH"`` or ``"RNN_RELU"``.
        input_size: of each step's input.
        hidden_size: of the state.
        num_layers: each takes the output of the one before.
        bias: whether there are biases.
        batch_first: whether input and output are (batch, steps, size), not (steps, batch, size).
        dropout: probability of dropout of the output of each layer but the last.
        bidirectional: whether each layer also goes from the last step to the first.
        proj_size: of the projected h of an LSTM; 0 for none.
        device: where the parameters lie.
        dtype: their type.
    """

    def __init__(
        self,
        mode: str,
        input_size: int,
        hidden_size: int,
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        self.mode = mode
        self.input_size = input_size
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.bias = bias
        self.batch_first = batch_first
        self.dropout = float(dropout)
        self.bidirectional = bidirectional
        self.proj_size = proj_size
        self._check_dropout(dropout)
        self._check_arguments()
        self._all_weights: list[list[str]] = []
        for layer in range(num_layers):
            for suffix in ("", "_reverse")[: 2 if bidirectional else 1]:
                self._make_layer(layer, suffix, device, dtype)
        self.reset_parameters()

    def _check_dropout(self, dropout: Any) -> None:
        number = isinstance(dropout, int | float) and not isinstance(dropout, bool)
        if not number or not 0 <= dropout <= 1:
            raise ValueError(
                "dropout should be a number in range [0, 1] representing the probability of an "
                "element being zeroed"
            )
        if dropout > 0 and self.num_layers == 1:
            warnings.warn(
                "dropout option adds dropout after all but last recurrent layer, so non-zero "
                f"dropout expects num_layers greater than 1, but got dropout={dropout} and "
                f"num_layers={self.num_layers}",
                stacklevel=4,
            )

    def _check_arguments(self) -> None:
        for name, kind in (
            ("bias", bool),
            ("batch_first", bool),
            ("input_size", int),
            ("hidden_size", int),
        ):
            value = getattr(self, name)
            if not isinstance(value, kind):
                raise TypeError(
                    f"{name} should be of type {kind.__name__}, got: {type(value).__name__}"
                )
        for name in ("input_size", "hidden_size", "num_layers"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name} must be greater than zero")
        if self.proj_size < 0:
            raise ValueError(
                "proj_size should be a positive integer or zero to disable projections"
            )
        if self.proj_size >= self.hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size")
        if self.mode not in _GATES:
            raise ValueError("Unrecognized RNN mode: " + self.mode)

    def _make_layer(self, layer: int, suffix: str, device: Any, dtype: Any) -> None:
        gates = _GATES[self.mode] * self.hidden_size
        out = self.proj_size or self.hidden_size
        size = out * (2 if self.bidirectional else 1) if layer else self.input_size
        shapes: dict[str, tuple[int, ...]] = {"weight_ih": (gates, size), "weight_hh": (gates, out)}
        if self.bias:
            shapes |= {"bias_ih": (gates,), "bias_hh": (gates,)}
        if self.proj_size:
            shapes["weight_hr"] = (self.proj_size, self.hidden_size)
        names = []
        for name, shape in shapes.items():
            names.append(f"{name}_l{layer}{suffix}")
            setattr(self, names[-1], Parameter(ops.empty(shape, device=device, dtype=dtype)))
        self._all_weights.append(names)

    @property
    def all_weights(self) -> list[list[Parameter]]:
        """The parameters of each layer and direction."""
        return [[getattr(self, name) for name in names] for names in self._all_weights]

    @property
    def _flat_weights(self) -> list[Parameter]:
        return [weight for weights in self.all_weights for weight in weights]

    def flatten_parameters(self) -> None:
        """Do nothing: the kernels take the parameters as they lie."""

    def check_input(self, input: Tensor, batch_sizes: Tensor | None) -> None:
        """Check the type and the shape of `input`.

        Raises:
            ValueError: for another type than the parameters'.
            RuntimeError: for a shape that does not fit.
        """
        dtype = self._flat_weights[0].dtype
        if input.dtype != dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert "
                f"input: input.to({dtype}), or convert model: model.to({input.dtype})"
            )
        expected = 2 if batch_sizes is not None else 3
        if input.dim() != expected:
            raise RuntimeError(f"input must have {expected} dimensions, got {input.dim()}")
        if self.input_size != input.shape[-1]:
            raise RuntimeError(
                "input.size(-1) must be equal to input_size. Expected "
                f"{self.input_size}, got {input.shape[-1]}"
            )

    def get_expected_hidden_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """Return the shape that h must have for `input`."""
        return self._state_size(input, batch_sizes, self.proj_size or self.hidden_size)

    def _state_size(
        self, input: Tensor, batch_sizes: Tensor | None, size: int
    ) -> tuple[int, int, int]:
        batch = input.shape[0 if self.batch_first else 1] if batch_sizes is None else batch_sizes[0]
        return (self.num_layers * (2 if self.bidirectional else 1), int(batch), size)

    def check_hidden_size(
        self,
        hx: Tensor,
        expected_hidden_size: tuple[int, int, int],
        msg: str = "Expected hidden size {}, got {}",
    ) -> None:
        """Check the shape of a state.

        Raises:
            RuntimeError: it is another.
        """
        if tuple(hx.shape) != expected_hidden_size:
            raise RuntimeError(msg.format(expected_hidden_size, list(hx.shape)))

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Check the input and the state; see `check_input` and `check_hidden_size`."""
        self.check_input(input, batch_sizes)
        self.check_hidden_size(hidden, self.get_expected_hidden_size(input, batch_sizes))

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Return the state with its sequences in another order."""
        return hx if permutation is None else hx[:, permutation]

    def _first_state(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        """Zeros."""
        shape = self.get_expected_hidden_size(input, batch_sizes)
        return ops.zeros(shape, dtype=input.dtype, device=input.device)

    def _check_dims(self, hx: Any, batched: bool) -> None:
        expected = 3 if batched else 2
        if hx.dim() != expected:
            raise RuntimeError(
                f"For {'' if batched else 'un'}batched {expected}-D input, hx should also be "
                f"{expected}-D but got {hx.dim()}-D tensor"
            )

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Return the output of every step, and the last state.

        Args:
            input: (steps, batch, size), with `batch_first` (batch, steps, size), (steps, size)
                without a batch, or a packed sequence.
            hx: the first state, (layers * directions, batch, hidden), zeros when None; of an LSTM
                a pair, h and c.
        """
        if isinstance(input, PackedSequence):
            return self._forward_packed(input, hx)
        name = self.mode.split("_")[0]
        if input.dim() not in (2, 3):
            ending = "D tensor instead" if name == "RNN" else "D instead"
            raise ValueError(f"{name}: Expected input to be 2D or 3D, got {input.dim()}{ending}")
        batched = input.dim() == 3
        batch_dim = 0 if self.batch_first else 1
        x = input if batched else input.unsqueeze(batch_dim)
        if hx is None:
            hx = self._first_state(x, None)
        else:
            self._check_dims(hx, batched)
            if not batched:
                hx = each_state(lambda h: h.unsqueeze(1), hx)
        self.check_forward_args(x, hx, None)
        output, *last = self._run(x, hx, self.batch_first)
        state = tuple(last) if isinstance(hx, tuple) else last[0]
        if batched:
            return output, state
        return output.squeeze(batch_dim), each_state(lambda h: h.squeeze(1), state)

    def _forward_packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        data, batch_sizes, sorted_indices, unsorted_indices = input
        if hx is None:
            hx = self._first_state(data, batch_sizes)
        else:
            hx = self.permute_hidden(hx, sorted_indices)
        self.check_forward_args(data, hx, batch_sizes)
        output, *last = self._run(data, batch_sizes, hx)
        state = tuple(last) if isinstance(hx, tuple) else last[0]
        packed = PackedSequence(output, batch_sizes, sorted_indices, unsorted_indices)
        return packed, self.permute_hidden(state, unsorted_indices)

    def _run(self, input: Tensor, first: Any, second: Any) -> tuple[Tensor, ...]:
        """Call the op: of a batch with the state and `batch_first`, or of a packed sequence."""
        options = (self._flat_weights, self.bias, self.num_layers, self.dropout, self.training)
        function = _FUNCTIONS[self.mode]
        result: tuple[Tensor, ...]
        if isinstance(second, bool):
            result = function(input, first, *options, self.bidirectional, second)
        else:
            result = function(input, first, second, *options, self.bidirectional)
        return result

    def extra_repr(self) -> str:
        """Return the sizes, and the options that are set."""
        words = [f"{self.input_size}, {self.hidden_size}"]
        for name, default in (
            ("proj_size", 0),
            ("num_layers", 1),
            ("bias", True),
            ("batch_first", False),
            ("dropout", 0),
            ("bidirectional", False),
        ):
            value = getattr(self, name)
            if value != default:
                words.append(f"{name}={value}")
        return ", ".join(words)


class RNN(RNNBase):
    """``h' = act(W_ih x + b_ih + W_hh h + b_hh)``, layer over layer.

    Args:
        args: of `RNNBase` after `mode`, with `nonlinearity`, ``"tanh"`` or ``"relu"``, the fourth.
        kwargs: the same by name.

    Source: Elman (1990).
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        if len(args) > 3:
            nonlinearity, args = args[3], args[:3] + args[4:]
        else:
            nonlinearity = kwargs.pop("nonlinearity", "tanh")
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(
                f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'."
            )
        super().__init__(f"RNN_{nonlinearity.upper()}", *args, **kwargs)
        self.nonlinearity = nonlinearity


def _refuse_projection(kwargs: dict[str, Any]) -> None:
    if "proj_size" in kwargs:
        raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")


class GRU(RNNBase):
    """Gated recurrent units, layer over layer; see `ops.gru_layer`.

    Args:
        args: of `RNNBase` after `mode`, without `proj_size`.
        kwargs: the same by name.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        _refuse_projection(kwargs)
        super().__init__("GRU", *args, **kwargs)


class LSTM(RNNBase):
    """Long short-term memory, layer over layer; see `ops.lstm_layer`.

    Args:
        args: of `RNNBase` after `mode`.
        kwargs: the same by name.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__("LSTM", *args, **kwargs)

    def get_expected_cell_size(
        self, input: Tensor, batch_sizes: Tensor | None
    ) -> tuple[int, int, int]:
        """Return the shape that c must have for `input`."""
        return self._state_size(input, batch_sizes, self.hidden_size)

    def check_forward_args(self, input: Tensor, hidden: Any, batch_sizes: Tensor | None) -> None:
        """Check the input and both states."""
        self.check_input(input, batch_sizes)
        for index, expected in enumerate(
            (
                self.get_expected_hidden_size(input, batch_sizes),
                self.get_expected_cell_size(input, batch_sizes),
            )
        ):
            words = f"Expected hidden[{index}] size {{}}, got {{}}"
            self.check_hidden_size(hidden[index], expected, words)

    def permute_hidden(self, hx: Any, permutation: Tensor | None) -> Any:
        """Return both states with their sequences in another order."""
        return tuple(hx) if permutation is None else tuple(h[:, permutation] for h in hx)

    def _first_state(self, input: Tensor, batch_sizes: Tensor | None) -> Any:
        shapes = (
            self.get_expected_hidden_size(input, batch_sizes),
            self.get_expected_cell_size(input, batch_sizes),
        )
        return tuple(ops.zeros(s, dtype=input.dtype, device=input.device) for s in shapes)

    def _check_dims(self, hx: Any, batched: bool) -> None:
        expected = 3 if batched else 2
        if hx[0].dim() != expected or hx[1].dim() != expected:
            raise RuntimeError(
                f"For {'' if batched else 'un'}batched {expected}-D input, hx and cx should also "
                f"be {expected}-D but got ({hx[0].dim()}-D, {hx[1].dim()}-D) tensors"
            )

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        """Return the output of every step, and the last h and c."""
        return super().forward(input, None if hx is None else tuple(hx))
