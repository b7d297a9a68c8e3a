"""Recurrent layers: one op takes one layer through all steps, in one direction.

NOTE [Rows of a sequence batch] Sequences lie as rows, step after step: step t has
``batch_sizes[t]`` rows, those of the sequences that are longer than t, the longest first. That is a
packed sequence; a padded batch is one whose sequences are equally long. A state has a row for every
sequence, of which step t changes the first ``batch_sizes[t]``. In reverse the steps are taken from
the last to the first, and nothing else changes.

All that a derivative needs and all factors of it that know nothing of the other steps are formed
for all rows at once, so that a step back is little more than its product of matrices. The values
saved on the way are results of the op, and have derivatives: so one formula serves every order.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import accumulate
from typing import Any

from rushlight.ops._registry import op
from rushlight.tensor import Tensor

Sizes = tuple[int, ...]

# ---- Steps ----


def _spans(batch_sizes: Sizes, reverse: bool) -> list[tuple[int, int]]:
    """The first row and the number of rows of each step, in the order in which they are taken."""
    spans = list(zip(accumulate((0, *batch_sizes)), batch_sizes, strict=False))
    return spans[::-1] if reverse else spans


def _head(K: Any, state: Any, n: int) -> Any:
    """The first `n` rows of a state."""
    return state if state.shape[0] == n else K.narrow(state, 0, 0, n)


def _with_head(K: Any, state: Any, head: Any) -> Any:
    """A state with its first rows replaced."""
    n, rows = head.shape[0], state.shape[0]
    return head if n == rows else K.cat((head, K.narrow(state, 0, n, rows - n)), 0)


def _parts(K: Any, x: Any, count: int) -> list[Any]:
    """The columns of `x` in `count` equal parts."""
    width = x.shape[1] // count
    return [K.narrow(x, 1, k * width, width) for k in range(count)]


def _scan(
    K: Any,
    step: Callable[..., tuple[Any, ...]],
    states: tuple[Any, ...],
    input: Any,
    batch_sizes: Sizes,
    reverse: bool,
) -> tuple[Any, ...]:
    """Takes all steps: ``step(x, *states before)`` gives the states after and what to keep.

    Returns:
        The rows of the first state, all states after the last step, the rows of what was kept,
        and the rows of the states before each step.
    """
    count = len(states)
    kept = []
    for start, n in _spans(batch_sizes, reverse):
        before = [_head(K, state, n) for state in states]
        results = step(K.narrow(input, 0, start, n), *before)
        states = tuple(_with_head(K, s, r) for s, r in zip(states, results, strict=False))
        kept.append((results[0], *results[count:], *before))
    if reverse:
        kept.reverse()
    rows = [K.cat(list(parts), 0) for parts in zip(*kept, strict=True)]
    return rows[0], *states, *rows[1:]


def _scan_back(
    K: Any,
    step: Callable[..., tuple[Any, ...]],
    grads: list[Any],
    g_out: Any,
    g_before: tuple[Any, ...],
    batch_sizes: Sizes,
    reverse: bool,
) -> tuple[list[Any], list[Any]]:
    """Takes all steps back: ``step(rows, *gradients of the states after)``.

    It gives the gradients of the states before, and what to keep.

    Args:
        K: the kernels.
        step: is given the function that takes its rows out of an array.
        grads: of the states after the last step.
        g_out: of the rows of the first state, or None.
        g_before: of the rows of the states before each step, or None.
        batch_sizes: rows of the steps.
        reverse: whether the steps were taken from the last to the first.

    Returns:
        The gradients of the first states, and the rows of what was kept.
    """
    kept = []
    for start, n in reversed(_spans(batch_sizes, reverse)):

        def rows(x: Any, start: int = start, n: int = n) -> Any:
            return K.narrow(x, 0, start, n)

        after = [_head(K, g, n) for g in grads]
        if g_out is not None:
            after[0] = K.add(after[0], rows(g_out))
        results = step(rows, *after)
        before = [
            g if more is None else K.add(g, rows(more))
            for g, more in zip(results, g_before, strict=False)
        ]
        grads = [_with_head(K, g, new) for g, new in zip(grads, before, strict=True)]
        kept.append(results[len(grads) :])
    if not reverse:
        kept.reverse()
    return grads, [K.cat(list(parts), 0) for parts in zip(*kept, strict=True)]


def _or_zeros(K: Any, g: Any, like: Any) -> Any:
    return K.zeros_like(like) if g is None else g


def _product(K: Any, g: Any, x: Any) -> Any:
    """The gradient of a matrix W of ``x W^T``."""
    return K.matmul(K.transpose(g, 0, 1), x)


def _in_columns(K: Any, g: Any, factors: Any) -> Any:
    """`g` times each of the parts of `factors`, which are (rows, parts, width)."""
    rows, parts, width = factors.shape
    return K.reshape(K.mul(K.unsqueeze(g, 1), factors), (rows, parts * width))


def _beside(K: Any, parts: list[Any]) -> Any:
    """Arrays (rows, width) as (rows, parts, width)."""
    return K.reshape(K.cat(parts, 1), (parts[0].shape[0], len(parts), parts[0].shape[1]))


# ---- Plain ----


def _rnn(K: Any, input: Any, hx: Any, weight_hh: Any, bias_hh: Any, *how: Any) -> tuple[Any, ...]:
    batch_sizes, reverse, nonlinearity = how
    activation = K.tanh if nonlinearity == "tanh" else K.relu

    def step(x: Any, h: Any) -> tuple[Any, ...]:
        return (activation(K.add(x, K.linear(h, weight_hh, bias_hh))),)

    return _scan(K, step, (hx,), input, batch_sizes, reverse)


def _rnn_backward(K: Any, g: Any, needs: Any, hx: Any, weight_hh: Any, *saved: Any) -> Any:
    out, before, batch_sizes, reverse, nonlinearity = saved
    g_out, g_state, g_before = g
    slope = K.tanh_backward if nonlinearity == "tanh" else K.relu_backward

    def step(rows: Callable[[Any], Any], gh: Any) -> tuple[Any, ...]:
        g_sum = slope(gh, rows(out))
        return K.matmul(g_sum, weight_hh), g_sum

    start = [_or_zeros(K, g_state, hx)]
    (g_hx,), (g_sum,) = _scan_back(K, step, start, g_out, (g_before,), batch_sizes, reverse)
    return g_sum, g_hx, _product(K, g_sum, before) if needs[2] else None, g_sum


@op(
    joint=lambda K, g, needs, hx, weight_hh, out, before, batch_sizes, reverse, nonlinearity: (
        _rnn_backward(K, g, needs, hx, weight_hh, out, before, batch_sizes, reverse, nonlinearity)
    ),
    forward=lambda K, input, hx, weight_hh, bias_hh, batch_sizes, reverse, nonlinearity: _rnn(
        K, input, hx, weight_hh, bias_hh, batch_sizes, reverse, nonlinearity
    ),
    outputs=("out", "state", "before"),
    method=False,
)
def rnn_layer(
    input: Tensor,
    hx: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor | None,
    batch_sizes: Sizes,
    reverse: bool,
    nonlinearity: str,
) -> Tensor:
    """``h' = act(x + W h + b)`` for all steps; see NOTE [Rows of a sequence batch].

    Args:
        input: x of all steps, (rows, hidden).
        hx: the first state, (batch, hidden).
        weight_hh: W, (hidden, hidden).
        bias_hh: b, (hidden).
        batch_sizes: rows of the steps.
        reverse: whether the last step is taken first.
        nonlinearity: 'tanh' or 'relu'.

    Returns:
        The states after each step as rows, the last state, the states before each step as rows.
    """


# ---- LSTM ----


def _lstm(
    K: Any,
    input: Any,
    hx: Any,
    cx: Any,
    weight_hh: Any,
    bias_hh: Any,
    weight_hr: Any,
    batch_sizes: Sizes,
    reverse: bool,
) -> tuple[Any, ...]:
    width = cx.shape[1]

    def step(x: Any, h: Any, c: Any) -> tuple[Any, ...]:
        sums = K.add(x, K.linear(h, weight_hh, bias_hh))
        ways = K.sigmoid(K.narrow(sums, 1, 0, 2 * width))
        new = K.tanh(K.narrow(sums, 1, 2 * width, width))
        way_out = K.sigmoid(K.narrow(sums, 1, 3 * width, width))
        way_in, keep = _parts(K, ways, 2)
        c = K.add(K.mul(keep, c), K.mul(way_in, new))
        h = K.mul(way_out, K.tanh(c))
        if weight_hr is not None:
            h = K.linear(h, weight_hr, None)
        return h, c, K.cat([ways, new, way_out], 1)

    return _scan(K, step, (hx, cx), input, batch_sizes, reverse)


def _lstm_backward(
    K: Any, g: Any, needs: Any, hx: Any, cx: Any, weight_hh: Any, weight_hr: Any, *saved: Any
) -> Any:
    gates, h_before, c_before, batch_sizes, reverse = saved
    g_out, g_h, g_c, g_gates, *g_before = g
    way_in, keep, new, way_out = _parts(K, gates, 4)
    squashed = K.tanh(K.add(K.mul(keep, c_before), K.mul(way_in, new)))
    from_c = _beside(
        K,
        [
            K.sigmoid_backward(new, way_in),
            K.sigmoid_backward(c_before, keep),
            K.tanh_backward(way_in, new),
        ],
    )
    from_h = K.sigmoid_backward(squashed, way_out)
    c_from_h = K.tanh_backward(way_out, squashed)
    more = None if g_gates is None else _slopes(K, g_gates, gates, 2)

    def step(rows: Callable[[Any], Any], gh: Any, gc: Any) -> tuple[Any, ...]:
        gu = gh if weight_hr is None else K.matmul(gh, weight_hr)
        gc = K.add(gc, K.mul(gu, rows(c_from_h)))
        sums = K.cat([_in_columns(K, gc, rows(from_c)), K.mul(gu, rows(from_h))], 1)
        if more is not None:
            sums = K.add(sums, rows(more))
        return K.matmul(sums, weight_hh), K.mul(gc, rows(keep)), sums, gh

    grads, (g_sums, g_rows) = _scan_back(
        K,
        step,
        [_or_zeros(K, g_h, hx), _or_zeros(K, g_c, cx)],
        g_out,
        tuple(g_before),
        batch_sizes,
        reverse,
    )
    g_hh = _product(K, g_sums, h_before) if needs[3] else None
    g_hr = _product(K, g_rows, K.mul(way_out, squashed)) if needs[5] else None
    return g_sums, *grads, g_hh, g_sums, g_hr


def _slopes(K: Any, g: Any, gates: Any, sigmoids: int) -> Any:
    """The gradient of the sums whose sigmoids are the first, and the last, of four gates.

    The third is a tanh.
    """
    ways, new, way_out = (K.narrow(gates, 1, *span) for span in _gate_spans(gates, sigmoids))
    g_ways, g_new, g_way_out = (K.narrow(g, 1, *span) for span in _gate_spans(gates, sigmoids))
    return K.cat(
        [
            K.sigmoid_backward(g_ways, ways),
            K.tanh_backward(g_new, new),
            K.sigmoid_backward(g_way_out, way_out),
        ],
        1,
    )


def _gate_spans(gates: Any, sigmoids: int) -> list[tuple[int, int]]:
    width = gates.shape[1] // 4
    return [(0, sigmoids * width), (sigmoids * width, width), (3 * width, width)]


@op(
    joint=lambda K, g, needs, hx, cx, weight_hh, weight_hr, gates, h_before, c_before, batch_sizes, reverse: (  # noqa: E501
        _lstm_backward(
            K,
            g,
            needs,
            hx,
            cx,
            weight_hh,
            weight_hr,
            gates,
            h_before,
            c_before,
            batch_sizes,
            reverse,
        )
    ),
    forward=lambda K, input, hx, cx, weight_hh, bias_hh, weight_hr, batch_sizes, reverse: _lstm(
        K, input, hx, cx, weight_hh, bias_hh, weight_hr, batch_sizes, reverse
    ),
    outputs=("out", "h", "c", "gates", "h_before", "c_before"),
    method=False,
)
def lstm_layer(
    input: Tensor,
    hx: Tensor,
    cx: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor | None,
    weight_hr: Tensor | None,
    batch_sizes: Sizes,
    reverse: bool,
) -> Tensor:
    """Long short-term memory for all steps; see NOTE [Rows of a sequence batch].

    With the four parts of ``x + W h + b``, ``c' = s(2nd) c + s(1st) tanh(3rd)`` and
    ``h' = s(4th) tanh(c')``, where s is the sigmoid.

    Args:
        input: x of all steps, (rows, 4 hidden).
        hx: the first h, (batch, projected).
        cx: the first c, (batch, hidden).
        weight_hh: W, (4 hidden, projected).
        bias_hh: b, (4 hidden).
        weight_hr: projects h', (projected, hidden), or None.
        batch_sizes: rows of the steps.
        reverse: whether the last step is taken first.

    Returns:
        h after each step as rows, the last h and c, and rows of the gates, and of h and c before
        each step.

    Source: Hochreiter and Schmidhuber (1997); Gers et al. (2000).
    """


# ---- GRU ----


def _gru(
    K: Any,
    input: Any,
    hx: Any,
    weight_hh: Any,
    bias_hh: Any,
    batch_sizes: Sizes,
    reverse: bool,
) -> tuple[Any, ...]:
    width = hx.shape[1]

    def step(x: Any, h: Any) -> tuple[Any, ...]:
        hidden = K.linear(h, weight_hh, bias_hh)
        both = 2 * width
        ways = K.sigmoid(K.add(K.narrow(x, 1, 0, both), K.narrow(hidden, 1, 0, both)))
        reset, keep = _parts(K, ways, 2)
        memory = K.narrow(hidden, 1, both, width)
        new = K.tanh(K.add(K.narrow(x, 1, both, width), K.mul(reset, memory)))
        return K.add(new, K.mul(keep, K.sub(h, new))), K.cat([ways, new, memory], 1)

    return _scan(K, step, (hx,), input, batch_sizes, reverse)


def _gru_backward(K: Any, g: Any, needs: Any, hx: Any, weight_hh: Any, *saved: Any) -> Any:
    gates, before, batch_sizes, reverse = saved
    g_out, g_state, g_gates, g_before = g
    reset, keep, new, memory = _parts(K, gates, 4)
    to_new = K.tanh_backward(K.sub(1, keep), new)
    factors = _beside(
        K,
        [
            K.sigmoid_backward(K.mul(to_new, memory), reset),
            K.sigmoid_backward(K.sub(before, new), keep),
            K.mul(to_new, reset),
        ],
    )
    more = more_new = None
    if g_gates is not None:
        g_reset, g_keep, g_new, g_memory = _parts(K, g_gates, 4)
        more_new = K.tanh_backward(g_new, new)
        more = K.cat(
            [
                K.sigmoid_backward(K.add(g_reset, K.mul(more_new, memory)), reset),
                K.sigmoid_backward(g_keep, keep),
                K.add(g_memory, K.mul(more_new, reset)),
            ],
            1,
        )

    def step(rows: Callable[[Any], Any], gh: Any) -> tuple[Any, ...]:
        hidden = _in_columns(K, gh, rows(factors))
        if more is not None:
            hidden = K.add(hidden, rows(more))
        return K.add(K.mul(gh, rows(keep)), K.matmul(hidden, weight_hh)), hidden, gh

    start = [_or_zeros(K, g_state, hx)]
    (g_hx,), (g_hidden, g_rows) = _scan_back(
        K, step, start, g_out, (g_before,), batch_sizes, reverse
    )
    g_new = K.mul(g_rows, to_new)
    if more_new is not None:
        g_new = K.add(g_new, more_new)
    g_input = K.cat([K.narrow(g_hidden, 1, 0, 2 * hx.shape[1]), g_new], 1)
    return g_input, g_hx, _product(K, g_hidden, before) if needs[2] else None, g_hidden


@op(
    joint=lambda K, g, needs, hx, weight_hh, gates, before, batch_sizes, reverse: _gru_backward(
        K, g, needs, hx, weight_hh, gates, before, batch_sizes, reverse
    ),
    forward=lambda K, input, hx, weight_hh, bias_hh, batch_sizes, reverse: _gru(
        K, input, hx, weight_hh, bias_hh, batch_sizes, reverse
    ),
    outputs=("out", "state", "gates", "before"),
    method=False,
)
def gru_layer(
    input: Tensor,
    hx: Tensor,
    weight_hh: Tensor,
    bias_hh: Tensor | None,
    batch_sizes: Sizes,
    reverse: bool,
) -> Tensor:
    """Gated recurrent units for all steps; see NOTE [Rows of a sequence batch].

    With the three parts of x and of ``m = W h + b``: ``n = tanh(x3 + s(x1 + m1) m3)`` and
    ``h' = n + s(x2 + m2) (h - n)``, where s is the sigmoid.

    Args:
        input: x of all steps, (rows, 3 hidden).
        hx: the first state, (batch, hidden).
        weight_hh: W, (3 hidden, hidden).
        bias_hh: b, (3 hidden).
        batch_sizes: rows of the steps.
        reverse: whether the last step is taken first.

    Returns:
        The states after each step as rows, the last state, and rows of both sigmoids, n and m3, and
        of the states before each step.

    Source: Cho et al. (2014), with the reset gate after the product as in cuDNN.
    """
