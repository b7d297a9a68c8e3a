"""Attention and transformers against PyTorch, to second order."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

import rushlight

RNG = np.random.default_rng(0)
CAUSAL = np.triu(np.ones((4, 4), bool), 1)


def results(lib: Any, out: Any, leaves: Any, *more: Any) -> list[Any]:
    """Values, first gradients, and the gradients of a function of these."""
    first = lib.autograd.grad((out * out.sin()).sum(), leaves, create_graph=True, allow_unused=True)
    known = [g for g in first if g is not None]
    second = lib.autograd.grad(sum((g * g).sum() for g in known), leaves, allow_unused=True)
    return [out, *more, *first, *second]


def agree(torch: Any, run: Any) -> None:
    for mine, theirs in zip(run(rushlight), run(torch), strict=True):
        assert (mine is None) == (theirs is None)
        if theirs is not None:
            assert mine.shape == theirs.shape
            np.testing.assert_allclose(mine.detach().numpy(), theirs.detach().numpy(), 1e-8, 1e-9)


# ---- Scaled dot products ----

ALIVE = np.array(
    [[True, False, True], [False, False, False], [True, True, True], [False] * 2 + [True]]
)
PRODUCTS: list[tuple[Any, dict[str, Any]]] = [
    ([(2, 4, 3), (2, 3, 3), (2, 3, 5)], {}),
    ([(2, 3, 4, 3), (2, 3, 3, 3), (2, 3, 3, 3)], {"is_causal": True}),
    ([(2, 3, 4, 3), (2, 3, 3, 3), (2, 3, 3, 3)], {"scale": 0.3}),
    ([(2, 3, 4, 3), (2, 3, 3, 3), (2, 3, 3, 3)], {"attn_mask": ALIVE}),
    ([(2, 3, 4, 3), (2, 3, 3, 3), (2, 3, 3, 3)], {"attn_mask": np.where(ALIVE, 0.5, -np.inf)}),
    ([(2, 4, 4, 3), (2, 2, 3, 3), (2, 2, 3, 3)], {"enable_gqa": True}),
]


@pytest.mark.parametrize(("shapes", "options"), PRODUCTS)
def test_products(torch: Any, shapes: Any, options: Any) -> None:
    arrays = [RNG.standard_normal(shape) for shape in shapes]

    def run(lib: Any) -> Any:
        xs = [lib.tensor(a, requires_grad=True) for a in arrays]
        given = {k: lib.tensor(v) if isinstance(v, np.ndarray) else v for k, v in options.items()}
        with lib.nn.attention.sdpa_kernel(lib.nn.attention.SDPBackend.MATH):
            return results(lib, lib.nn.functional.scaled_dot_product_attention(*xs, **given), xs)

    agree(torch, run)


def test_a_query_that_sees_nothing_gives_zero_and_no_gradient() -> None:
    q, k = (rushlight.ones(1, 2, 3, requires_grad=True) for _ in range(2))
    mask = rushlight.tensor([[True, False], [False, False]])
    out = rushlight.nn.functional.scaled_dot_product_attention(q, k, k, mask)
    out.sum().backward()
    assert out[0, 1].tolist() == [0, 0, 0]
    assert np.isfinite(q.grad.numpy()).all()
    assert np.isfinite(k.grad.numpy()).all()


def test_dropout_of_weights() -> None:
    q, v = rushlight.zeros(1, 1, 64, 4), rushlight.ones(1, 1, 64, 4)
    out = rushlight.nn.functional.scaled_dot_product_attention(q, q, v, dropout_p=0.5)
    assert out.std().item() > 0
    assert out.mean().item() == pytest.approx(1, abs=0.15)


# ---- Several heads ----

LAYERS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"bias": False}, {"need_weights": False}),
    ({"batch_first": True}, {"average_attn_weights": False}),
    ({"kdim": 3, "vdim": 5}, {}),
    ({"add_bias_kv": True, "add_zero_attn": True}, {"attn_mask": CAUSAL}),
    ({"add_zero_attn": True}, {"key_padding_mask": np.array([[False] * 4, [False, True] * 2])}),
    ({}, {"attn_mask": np.where(CAUSAL, -np.inf, 0.0), "is_causal": True, "need_weights": False}),
    (
        {},
        {
            "attn_mask": CAUSAL,
            "key_padding_mask": np.array([[False] * 4, [False, False, True, True]]),
            "need_weights": False,
        },
    ),
]


@pytest.mark.parametrize(("options", "call"), LAYERS, ids=str)
@pytest.mark.parametrize("inputs", [1, 2, 3])
def test_heads(torch: Any, options: Any, call: Any, inputs: int) -> None:
    sizes = (6, options.get("kdim", 6), options.get("vdim", 6))
    if "kdim" in options and inputs < 3:
        return
    arrays = [
        RNG.standard_normal((2, 4, n) if "batch_first" in options else (4, 2, n)) for n in sizes
    ]

    def run(lib: Any) -> Any:
        lib.manual_seed(3)
        module = lib.nn.MultiheadAttention(6, 2, **options)
        initial = [p.detach().clone() for p in module.parameters()]
        module = module.double()
        xs = [lib.tensor(a, requires_grad=True) for a in arrays[:inputs]]
        given = {k: lib.tensor(v) if isinstance(v, np.ndarray) else v for k, v in call.items()}
        out, weights = module(*xs, *[xs[-1]] * (3 - inputs), **given)
        named = [lib.tensor(len(name)) for name in module.state_dict()]
        return results(lib, out, [*xs, *module.parameters()], weights, *initial, *named)

    agree(torch, run)


@pytest.mark.parametrize("masked", [False, True])
def test_heads_without_a_batch(torch: Any, masked: bool) -> None:
    x = RNG.standard_normal((4, 6))

    def run(lib: Any) -> Any:
        lib.manual_seed(3)
        module = lib.nn.MultiheadAttention(6, 2).double()
        given = lib.tensor(x)
        mask = lib.tensor([False, True, False, False]) if masked else None
        return module(given, given, given, key_padding_mask=mask)

    agree(torch, run)


# ---- Transformers ----


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"norm_first": True, "activation": "gelu"},
        {"batch_first": True, "bias": False, "dropout": 0.3},
    ],
    ids=str,
)
def test_transformers(torch: Any, options: Any) -> None:
    source, target = RNG.standard_normal((2, 4, 6)), RNG.standard_normal((2, 4, 6))

    def run(lib: Any) -> Any:
        lib.manual_seed(3)
        module = lib.nn.Transformer(6, 2, 2, 1, 8, **{"dropout": 0.0, **options})
        module = module.double().eval()
        xs = [lib.tensor(a, requires_grad=True) for a in (source, target)]
        mask = module.generate_square_subsequent_mask(4 if "batch_first" in options else 2)
        out = module(*xs, tgt_mask=mask.double())
        return results(lib, out, [*xs, *module.parameters()], mask)

    agree(torch, run)
    mine, theirs = (lib.nn.Transformer(6, 2, 1, 1, 8, **options) for lib in (rushlight, torch))
    assert list(mine.state_dict()) == list(theirs.state_dict())
    assert repr(mine) == repr(theirs)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
def test_masks_of_encoder_and_decoder(torch: Any) -> None:
    source, target = RNG.standard_normal((2, 4, 6)), RNG.standard_normal((2, 4, 6))
    padding = np.array([[False] * 4, [False, False, False, True]])

    def run(lib: Any) -> Any:
        lib.manual_seed(3)
        made = {"dropout": 0.0, "batch_first": True, "dtype": lib.float64}
        encoder = lib.nn.TransformerEncoderLayer(6, 2, 8, activation=lib.nn.SiLU(), **made)
        decoder = lib.nn.TransformerDecoderLayer(6, 2, 8, **made)
        encoder = lib.nn.TransformerEncoder(encoder, 2)
        decoder = lib.nn.TransformerDecoder(decoder, 2, lib.nn.LayerNorm(6, dtype=lib.float64))
        masks = {"src_key_padding_mask": lib.tensor(padding)}
        memory = encoder(lib.tensor(source), lib.tensor(CAUSAL), **masks)
        return [
            memory,
            decoder(
                lib.tensor(target),
                memory,
                lib.tensor(np.where(CAUSAL, -np.inf, 0.0)),
                memory_key_padding_mask=lib.tensor(padding),
            ),
        ]

    agree(torch, run)


def test_layers_are_copied() -> None:
    layer = rushlight.nn.TransformerEncoderLayer(4, 2, 8)
    encoder = rushlight.nn.TransformerEncoder(layer, 2)
    first, second = encoder.layers
    assert first.linear1.weight is not second.linear1.weight
    assert copy.deepcopy(encoder).num_layers == 2


# ---- Words ----


def ones(lib: Any, *size: int) -> Any:
    return lib.ones(size)


def attend(lib: Any, *shapes: Any, **options: Any) -> Any:
    tensors = [ones(lib, *shape) for shape in shapes]
    return lib.nn.functional.scaled_dot_product_attention(*tensors, **options)


def heads(lib: Any, *shapes: Any, **options: Any) -> Any:
    return lib.nn.MultiheadAttention(6, 2)(*(ones(lib, *shape) for shape in shapes), **options)


X = (4, 2, 6)
ERRORS = [
    lambda t: attend(t, (3,), (2, 3), (2, 3)),
    lambda t: attend(t, *[(1, 2, 3)] * 3, attn_mask=ones(t, 2, 2), is_causal=True),
    lambda t: attend(t, *[(2, 3)] * 3, dropout_p=2.0),
    lambda t: attend(t, (1, 3, 2, 3), *[(1, 2, 2, 3)] * 2, enable_gqa=True),
    lambda t: t.nn.MultiheadAttention(6, 4),
    lambda t: t.nn.MultiheadAttention(0, 4),
    lambda t: heads(t, (4,), (4,), (4,)),
    lambda t: heads(t, X, (4, 6), X),
    lambda t: heads(t, X, X, (3, 2, 6)),
    lambda t: heads(t, *[(4, 2, 5)] * 3),
    lambda t: heads(t, X, X, X, attn_mask=ones(t, 3, 3)),
    lambda t: heads(t, X, X, X, attn_mask=ones(t, 3, 3, 3)),
    lambda t: heads(t, X, X, X, attn_mask=ones(t, 3)),
    lambda t: heads(t, X, X, X, attn_mask=ones(t, 4, 4).long()),
    lambda t: heads(t, X, X, X, key_padding_mask=ones(t, 4)),
    lambda t: heads(t, X, X, X, key_padding_mask=ones(t, 3, 4)),
    lambda t: heads(t, X, X, X, is_causal=True),
    lambda t: t.nn.TransformerEncoderLayer(6, 2, activation="tanh"),
    lambda t: t.nn.Transformer(6, 2, 1, 1, 8, batch_first=True)(ones(t, 2, 3, 6), ones(t, 3, 3, 6)),
    lambda t: t.nn.Transformer(6, 2, 1, 1, 8, batch_first=True)(ones(t, 2, 3, 5), ones(t, 2, 3, 5)),
]


@pytest.mark.parametrize("index", range(len(ERRORS)))
def test_errors(torch: Any, index: int) -> None:
    with pytest.raises(Exception) as theirs:
        ERRORS[index](torch)
    with pytest.raises(theirs.type) as mine:
        ERRORS[index](rushlight)
    words = str(theirs.value).rstrip(". ").replace("torch.", "").removesuffix("but got 2")
    assert words in str(mine.value).replace("torch.", "").replace("rushlight.", "")


def test_mismatched_masks_warn(torch: Any) -> None:
    for lib in (torch, rushlight):
        with pytest.warns(UserWarning, match="mismatched key_padding_mask and attn_mask"):
            heads(lib, X, X, X, attn_mask=ones(lib, 4, 4), key_padding_mask=ones(lib, 2, 4).bool())


def test_kernels_are_chosen_among_names_only() -> None:
    attention = rushlight.nn.attention
    with attention.sdpa_kernel([attention.SDPBackend.FLASH_ATTENTION]):
        pass
    with pytest.raises(AssertionError, match="Backend must be"), attention.sdpa_kernel("math"):
        pass
