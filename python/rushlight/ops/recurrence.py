"""Recurrent networks of several layers, and their single steps, with PyTorch's signatures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rushlight.ops._registry import composed
from rushlight.ops.joining import cat, stack
from rushlight.ops.linalg import linear
from rushlight.ops.random import dropout
from rushlight.ops.recurrent import gru_layer, lstm_layer, rnn_layer
from rushlight.tensor import Tensor

States = tuple[Tensor, ...]
# ``layer(x, states, weight_hh, bias_hh, weight_hr, batch_sizes, reverse)`` gives rows and states.
Layer = Callable[..., tuple[Tensor, States]]

# ---- Layers ----


def _plain(nonlinearity: str) -> Layer:
    def layer(x: Tensor, states: States, w: Tensor, b: Any, r: Any, *how: Any) -> Any:
        out, h, _ = rnn_layer(x, states[0], w, b, how[0], how[1], nonlinearity)
        return out, (h,)

    return layer


def _long(x: Tensor, states: States, w: Tensor, b: Any, r: Any, *how: Any) -> Any:
    out, h, c, *_ = lstm_layer(x, states[0], states[1], w, b, r, *how)
    return out, (h, c)


def _gated(x: Tensor, states: States, w: Tensor, b: Any, r: Any, *how: Any) -> Any:
    out, h, *_ = gru_layer(x, states[0], w, b, *how)
    return out, (h,)


def _stacked(
    layer: Layer,
    rows: Tensor,
    batch_sizes: Sequence[int],
    states: States,
    params: Sequence[Tensor],
    has_biases: bool,
    num_layers: int,
    p: float,
    train: bool,
    bidirectional: bool,
) -> tuple[Tensor, ...]:
    """All layers over rows; see NOTE [Rows of a sequence batch] in recurrent.py.

    Returns:
        The rows of the last layer, then each state, (layers * directions, batch, size).
    """
    directions = 2 if bidirectional else 1
    each = len(params) // (num_layers * directions)
    sizes = tuple(batch_sizes)
    finals: list[States] = []
    for index in range(num_layers):
        outs = []
        for direction in range(directions):
            k = index * directions + direction
            w_ih, w_hh, *further = params[k * each : (k + 1) * each]
            b_ih, b_hh = further[:2] if has_biases else (None, None)
            w_hr = further[-1] if len(further) % 2 else None
            x = linear(rows, w_ih, b_ih)
            first = tuple(s[k] for s in states)
            out, last = layer(x, first, w_hh, b_hh, w_hr, sizes, direction == 1)
            outs.append(out)
            finals.append(last)
        rows = cat(outs, 1) if bidirectional else outs[0]
        if p and train and index < num_layers - 1:
            rows = dropout(rows, p, True)
    return rows, *(stack(last) for last in zip(*finals, strict=True))


def _run(layer: Layer, input: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    """PyTorch's two signatures: of a padded batch, and with batch sizes second of a packed one."""
    if isinstance(arguments[2], list | tuple):
        sizes, hx, params, *options = arguments
        states = hx if isinstance(hx, list | tuple) else (hx,)
        return _stacked(layer, input, sizes.tolist(), tuple(states), params, *options)
    hx, params, *options, batch_first = arguments
    states = hx if isinstance(hx, list | tuple) else (hx,)
    x = input.transpose(0, 1) if batch_first else input
    steps, batch, _ = x.shape
    if steps == 0:
        raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
    rows = x.reshape(steps * batch, x.shape[2])
    rows, *last = _stacked(layer, rows, [batch] * steps, tuple(states), params, *options)
    out = rows.reshape(steps, batch, rows.shape[1])
    return out.transpose(0, 1) if batch_first else out, *last


@composed(method=False)
def lstm(input: Tensor, *arguments: Any) -> tuple[Tensor, Tensor, Tensor]:
    """Layers of `lstm_layer`.

    Args:
        input: (steps, batch, size); rows of a packed sequence.
        arguments: the batch sizes of a packed sequence; the first h and c; the parameters of all
            layers and directions; whether there are biases; the number of layers; the probability
            of dropout between them; whether to train; whether to go both ways; and for a padded
            batch whether `input` and the output are (batch, steps, size).

    Returns:
        The output, the last h and the last c.
    """
    return _run(_long, input, *arguments)  # type: ignore[return-value]


@composed(method=False)
def gru(input: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    """Layers of `gru_layer`; the arguments are those of `lstm`, with one state."""
    return _run(_gated, input, *arguments)  # type: ignore[return-value]


@composed(method=False)
def rnn_tanh(input: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    """Layers of `rnn_layer` with tanh; the arguments are those of `lstm`, with one state."""
    return _run(_plain("tanh"), input, *arguments)  # type: ignore[return-value]


@composed(method=False)
def rnn_relu(input: Tensor, *arguments: Any) -> tuple[Tensor, Tensor]:
    """Layers of `rnn_layer` with ReLU; the arguments are those of `lstm`, with one state."""
    return _run(_plain("relu"), input, *arguments)  # type: ignore[return-value]


# ---- Single steps ----


def _step(
    layer: Layer,
    input: Tensor,
    states: States,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None,
    b_hh: Tensor | None,
) -> States:
    _check_step(input, states, w_ih, w_hh)
    x = linear(input, w_ih, b_ih)
    return layer(x, states, w_hh, b_hh, None, (input.shape[0],), False)[1]


def _check_step(input: Tensor, states: States, w_ih: Tensor, w_hh: Tensor) -> None:
    if input.shape[1] != w_ih.shape[1]:
        raise RuntimeError(
            f"input has inconsistent input_size: got {input.shape[1]} expected {w_ih.shape[1]}"
        )
    for index, state in enumerate(states):
        if state.shape[0] != input.shape[0]:
            raise RuntimeError(
                f"Input batch size {input.shape[0]} doesn't match hidden{index} batch size "
                f"{state.shape[0]}"
            )
        if state.shape[1] != w_hh.shape[1]:
            raise RuntimeError(
                f"hidden{index} has inconsistent hidden_size: got {state.shape[1]}, expected "
                f"{w_hh.shape[1]}"
            )


@composed(method=False)
def lstm_cell(
    input: Tensor,
    hx: Sequence[Tensor],
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """One step of `lstm`: h and c, (batch, hidden), after it.

    Args:
        input: (batch, size).
        hx: h and c before, (batch, hidden).
        w_ih: (4 hidden, size).
        w_hh: (4 hidden, hidden).
        b_ih: (4 hidden).
        b_hh: (4 hidden).
    """
    h, c = _step(_long, input, tuple(hx), w_ih, w_hh, b_ih, b_hh)
    return h, c


@composed(method=False)
def gru_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of `gru`: the state after it; the parameters are ``(3 hidden, ...)``."""
    return _step(_gated, input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


@composed(method=False)
def rnn_tanh_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of `rnn_tanh`: ``tanh(W_ih x + b_ih + W_hh h + b_hh)``."""
    return _step(_plain("tanh"), input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]


@composed(method=False)
def rnn_relu_cell(
    input: Tensor,
    hx: Tensor,
    w_ih: Tensor,
    w_hh: Tensor,
    b_ih: Tensor | None = None,
    b_hh: Tensor | None = None,
) -> Tensor:
    """One step of `rnn_relu`: ``max(W_ih x + b_ih + W_hh h + b_hh, 0)``."""
    return _step(_plain("relu"), input, (hx,), w_ih, w_hh, b_ih, b_hh)[0]
