"""Recurrent layers, cells and packed sequences against PyTorch, to second order."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rushlight

RNG = np.random.default_rng(0)

OPTIONS = [
    (kind, layers, both_ways, batch_first, bias)
    for kind in ("RNN", "relu", "LSTM", "GRU", "projected")
    for layers, both_ways, batch_first, bias in [
        (1, False, False, True),
        (2, True, True, False),
        (2, True, False, True),
    ]
]


def network(
    lib: Any, kind: str, layers: int, both_ways: bool, batch_first: bool, bias: bool
) -> Any:
    lib.manual_seed(3)
    options = {
        "num_layers": layers,
        "bidirectional": both_ways,
        "batch_first": batch_first,
        "bias": bias,
    }
    if kind == "projected":
        return lib.nn.LSTM(5, 4, proj_size=3, **options)
    if kind == "relu":
        return lib.nn.RNN(5, 4, nonlinearity="relu", **options)
    return getattr(lib.nn, kind)(5, 4, **options)


def close(mine: Any, theirs: Any, tolerance: float = 1e-9) -> None:
    assert str(mine.dtype) == str(theirs.dtype)
    np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), tolerance, tolerance)


def agree(torch: Any, run: Any, tolerance: float = 1e-9) -> None:
    """The same list of tensors in both libraries."""
    for found, expected in zip(run(rushlight), run(torch), strict=True):
        close(found, expected, tolerance)


def derivatives(lib: Any, module: Any, out: Any, state: Any, *inputs: Any) -> list[Any]:
    """Results, first gradients and the gradients of a function of these."""
    states = list(state) if isinstance(state, tuple) else [state]
    total = (out * out).sum() + sum(s.sin().sum() for s in states)
    leaves = [*inputs, *module.parameters()]
    first = lib.autograd.grad(total, leaves, create_graph=True)
    second = lib.autograd.grad(sum((g * g).sum() for g in first), leaves)
    return [out, *states, *first, *second]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_networks(torch: Any, options: Any) -> None:
    x = RNG.standard_normal((3, 6, 5))

    def run(lib: Any) -> Any:
        module = network(lib, *options)
        initial = [p.detach().clone() for p in module.parameters()]
        module = module.double()
        given = lib.tensor(x, requires_grad=True)
        return [*initial, *derivatives(lib, module, *module(given), given)]

    agree(torch, run)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_packed_sequences(torch: Any, options: Any) -> None:
    batch_first = options[3]
    x = RNG.standard_normal((3, 6, 5))
    lengths = [6, 2, 4] if batch_first else [1, 3, 3, 2, 1, 2]

    def run(lib: Any) -> Any:
        rnn = lib.nn.utils.rnn
        module = network(lib, *options).double()
        given = lib.tensor(x, requires_grad=True)
        packed = rnn.pack_padded_sequence(given, lengths, batch_first, enforce_sorted=False)
        out, state = module(packed)
        padded, counts = rnn.pad_packed_sequence(out, batch_first)
        return [counts, packed.batch_sizes, *derivatives(lib, module, padded, state, given)]

    agree(torch, run)


@pytest.mark.parametrize("kind", ["RNN", "LSTM", "GRU"])
def test_given_states_and_no_batch(torch: Any, kind: str) -> None:
    x, h, c = (RNG.standard_normal(s) for s in ((6, 5), (2, 4), (2, 4)))

    def run(lib: Any) -> Any:
        module = network(lib, kind, 2, False, False, True).double()
        tensors = [lib.tensor(a, requires_grad=True) for a in (x, h, c)]
        xs, state = tensors[:2], tensors[1]
        if kind == "LSTM":
            xs, state = tensors, tuple(tensors[1:])
        return derivatives(lib, module, *module(tensors[0], state), *xs)

    agree(torch, run)


@pytest.mark.parametrize("kind", ["RNN", "relu", "LSTM", "GRU"])
@pytest.mark.parametrize("batched", [True, False])
def test_cells(torch: Any, kind: str, batched: bool) -> None:
    x, h, c = (RNG.standard_normal((3, n)[not batched :]) for n in (5, 4, 4))

    def run(lib: Any) -> Any:
        lib.manual_seed(3)
        options = {"nonlinearity": "relu"} if kind == "relu" else {}
        name = "RNN" if kind == "relu" else kind
        cell = getattr(lib.nn, name + "Cell")(5, 4, **options).double()
        given, *states = (lib.tensor(a, requires_grad=True) for a in (x, h, c))
        if kind == "LSTM":
            out, state = cell(given, tuple(states))
            return [*derivatives(lib, cell, out, state, given, *states), *cell(given)]
        out = cell(given, states[0])
        return [*derivatives(lib, cell, out, out, given, states[0]), cell(given)]

    agree(torch, run)


def test_dropout_between_layers_draws_pytorchs_numbers(torch: Any) -> None:
    x = RNG.standard_normal((6, 3, 5)).astype("float32")

    def run(lib: Any) -> Any:
        lib.manual_seed(1)
        module = lib.nn.LSTM(5, 4, 3, dropout=0.4)
        return [module(lib.tensor(x))[0], module.eval()(lib.tensor(x))[0]]

    agree(torch, run, 1e-5)


def test_names_and_words(torch: Any) -> None:
    for options in OPTIONS:
        mine, theirs = network(rushlight, *options), network(torch, *options)
        assert repr(mine) == repr(theirs)
        assert list(mine.state_dict()) == list(theirs.state_dict())
        assert [len(w) for w in mine.all_weights] == [len(w) for w in theirs.all_weights]
        assert mine.flatten_parameters() is None
    for name in ("RNNCell", "LSTMCell", "GRUCell"):
        mine, theirs = (getattr(lib.nn, name)(2, 3, False) for lib in (rushlight, torch))
        assert repr(mine) == repr(theirs)


def ones(lib: Any, *size: int) -> Any:
    return lib.ones(size)


ERRORS = [
    lambda t: t.nn.LSTM(3, 4)(ones(t, 2, 2, 5)),
    lambda t: t.nn.LSTM(3, 4)(ones(t, 3)),
    lambda t: t.nn.RNN(3, 4)(ones(t, 3)),
    lambda t: t.nn.GRU(3, 4)(ones(t, 1, 1, 1, 3)),
    lambda t: t.nn.LSTM(3, 4)(ones(t, 0, 2, 3)),
    lambda t: t.nn.LSTM(3, 4)(ones(t, 2, 2, 3).double()),
    lambda t: t.nn.LSTM(3, 4)(ones(t, 2, 2, 3), (ones(t, 1, 2, 4), ones(t, 1, 2, 5))),
    lambda t: t.nn.LSTM(3, 4)(ones(t, 2, 2, 3), (ones(t, 1, 4), ones(t, 1, 2, 4))),
    lambda t: t.nn.GRU(3, 4)(ones(t, 2, 2, 3), ones(t, 2, 2, 4)),
    lambda t: t.nn.GRU(3, 4)(ones(t, 2, 3), ones(t, 1, 2, 4)),
    lambda t: t.nn.GRU(3, 4, proj_size=2),
    lambda t: t.nn.LSTM(3, 4, proj_size=4),
    lambda t: t.nn.LSTM(3, 4, dropout=2),
    lambda t: t.nn.LSTM(3, 0),
    lambda t: t.nn.LSTM(3, 4, bias=1),
    lambda t: t.nn.RNN(3, 4, nonlinearity="gelu"),
    lambda t: t.nn.LSTMCell(3, 4)(ones(t, 2, 5)),
    lambda t: t.nn.LSTMCell(3, 4)(ones(t, 2, 3), (ones(t, 2, 5), ones(t, 2, 4))),
    lambda t: t.nn.GRUCell(3, 4)(ones(t, 2, 3), ones(t, 1, 4)),
    lambda t: t.nn.GRUCell(3, 4)(ones(t, 1, 2, 3)),
    lambda t: t.nn.RNNCell(3, 4)(ones(t, 2, 3), ones(t, 1, 2, 4)),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 3, 2), [1, 2, 3]),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 3, 2), [3, 2]),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 4, 3, 2), [3, 2, 0]),
    lambda t: t.nn.utils.rnn.pack_padded_sequence(ones(t, 0, 3, 2), [1, 1, 1]),
    lambda t: t.nn.utils.rnn.pad_sequence([]),
    lambda t: t.nn.utils.rnn.pad_sequence([ones(t, 2), ones(t, 3)], padding_side="up"),
    lambda t: t.nn.utils.rnn.pad_packed_sequence(
        t.nn.utils.rnn.pack_sequence([ones(t, 3), ones(t, 2)]), total_length=2
    ),
]


@pytest.mark.parametrize("index", range(len(ERRORS)))
def test_errors(torch: Any, index: int) -> None:
    with pytest.raises(Exception) as theirs:
        ERRORS[index](torch)
    with pytest.raises(theirs.type) as mine:
        ERRORS[index](rushlight)
    words = str(theirs.value).replace("torch.", "").split(". You")[0]
    assert words in str(mine.value).replace("rushlight.", "").replace("torch.", "")


def test_dropout_of_one_layer_warns(torch: Any) -> None:
    with pytest.warns(UserWarning, match="dropout option adds dropout after all but last"):
        rushlight.nn.GRU(2, 3, dropout=0.5)


def test_sequences(torch: Any) -> None:
    parts = [RNG.standard_normal((n, 2)) for n in (2, 4, 1)]

    def run(lib: Any) -> Any:
        rnn = lib.nn.utils.rnn
        xs = [lib.tensor(a, requires_grad=True) for a in parts]
        packed = rnn.pack_sequence(xs, enforce_sorted=False)
        back = rnn.unpack_sequence(packed)
        padded, lengths = rnn.pad_packed_sequence(packed, True, -1.0, total_length=6)
        left = rnn.pad_sequence(xs, True, 2.0, "left")
        gradients = lib.autograd.grad((padded * padded).sum() + left.sin().sum(), xs)
        return [*packed, *back, padded, lengths, left, rnn.pad_sequence(xs), *gradients]

    agree(torch, run)


def test_packed_sequences_convert() -> None:
    rnn = rushlight.nn.utils.rnn
    packed = rnn.pack_sequence([rushlight.ones(3), rushlight.ones(2)])
    assert packed.to(rushlight.float32) is packed
    assert packed.double().data.dtype is rushlight.float64
    assert packed.cpu() is packed
    assert not packed.is_cuda
    assert rnn.invert_permutation(rushlight.tensor([2, 0, 1])).tolist() == [1, 2, 0]
    assert rnn.invert_permutation(None) is None
    with pytest.raises(AssertionError, match="Expected data to be a list or tuple"):
        rnn.PackedSequence(rushlight.ones(3))


@pytest.mark.parametrize("name", ["rnn_tanh", "rnn_relu", "gru", "lstm"])
def test_functions_of_layers(torch: Any, name: str) -> None:
    gates = {"gru": 3, "lstm": 4}.get(name, 1) * 3
    arrays = [RNG.standard_normal(s) for s in ((gates, 2), (gates, 3), (gates,), (gates,))]
    x, h = RNG.standard_normal((2, 4, 2)), RNG.standard_normal((1, 2, 3))

    def run(lib: Any) -> Any:
        params, state = list(map(lib.tensor, arrays)), lib.tensor(h)
        hx = (state, state) if name == "lstm" else state
        function = getattr(lib, name)
        whole = function(lib.tensor(x), hx, params, True, 1, 0.0, False, False, True)
        sizes = lib.tensor([2, 1, 1])
        packed = function(lib.tensor(x[0]), sizes, hx, params, True, 1, 0.0, False, False)
        step = getattr(lib, name + "_cell")
        first = (state[0], state[0]) if name == "lstm" else state[0]
        after = step(lib.tensor(x[0, :2]), first, *params)
        return [*whole, *packed, *(after if name == "lstm" else [after])]

    agree(torch, run)
