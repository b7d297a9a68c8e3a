"""Functions of layers against PyTorch: values, first and second derivatives, random streams."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rushlight

RNG = np.random.default_rng(0)

# name, call(torch, tensors...), shapes of the tensors, each of which requires grad
FUNCTIONS: list[tuple[str, Any, list[tuple[int, ...]]]] = [
    # activations
    ("celu", lambda t, x: t.nn.functional.celu(x, 0.5), [(3, 4)]),
    ("selu", lambda t, x: t.nn.functional.selu(x), [(3, 4)]),
    ("glu", lambda t, x: t.nn.functional.glu(x, 1), [(3, 4)]),
    ("prelu", lambda t, x, w: t.prelu(x, w), [(2, 3, 4), (3,)]),
    ("prelu of one", lambda t, x, w: t.nn.functional.prelu(x, w), [(3, 4), (1,)]),
    ("prelu 0-dim", lambda t, x, w: t.nn.functional.prelu(x, w), [(3,), ()]),
    ("rrelu", lambda t, x: t.nn.functional.rrelu(x, 0.1, 0.4), [(3, 4)]),
    ("hardshrink", lambda t, x: t.hardshrink(x, 0.6), [(3, 4)]),
    ("softshrink", lambda t, x: t.nn.functional.softshrink(x, 0.6), [(3, 4)]),
    ("threshold", lambda t, x: t.threshold(x, 0.2, 7.0), [(3, 4)]),
    ("logsigmoid", lambda t, x: t.nn.functional.logsigmoid(x * 30), [(3, 4)]),
    # in place, of a copy
    *[(f"{name}", lambda t, x, name=name, args=args: getattr(t, name)(x * 1, *args), [(3, 4)])
      for name, args in [("relu_", ()), ("celu_", (0.5,)), ("selu_", ()), ("threshold_", (0.2, 7.0)), ("rrelu_", (0.1, 0.4))]],
    # norms
    ("layer_norm", lambda t, x, w, b: t.layer_norm(x, (3, 4), w, b, 0.1), [(2, 3, 4), (3, 4), (3, 4)]),
    ("layer_norm, weight", lambda t, x, w: t.layer_norm(x, (4,), w), [(2, 3, 4), (4,)]),
    ("layer_norm, bias", lambda t, x, b: t.layer_norm(x, (4,), None, b), [(2, 3, 4), (4,)]),
    ("rms_norm", lambda t, x, w: t.rms_norm(x, (4,), w), [(2, 3, 4), (4,)]),
    ("group_norm", lambda t, x, w, b: t.group_norm(x, 2, w, b), [(2, 4, 3), (4,), (4,)]),
    ("native_group_norm", lambda t, x: t.native_group_norm(x, None, None, 2, 4, 3, 2, 0.1)[0], [(2, 4, 3)]),
    ("native_layer_norm", lambda t, x: t.native_layer_norm(x, (4,), None, None, 0.1)[0], [(3, 4)]),
    ("batch_norm", lambda t, x, w, b: t.batch_norm(x, w, b, None, None, True, 0.1, 0.01, False), [(5, 3, 2), (3,), (3,)]),
    ("batch_norm, weight", lambda t, x, w: t.nn.functional.batch_norm(x, None, None, w, training=True), [(5, 3), (3,)]),
    ("batch_norm, running", lambda t, x, w, b: t.nn.functional.batch_norm(
        x, t.arange(3.0, dtype=x.dtype), t.arange(1.0, 4.0, dtype=x.dtype), w, b), [(5, 3, 2), (3,), (3,)]),
    ("instance_norm", lambda t, x, w, b: t.nn.functional.instance_norm(x, None, None, w, b), [(2, 3, 5), (3,), (3,)]),
    ("local_response_norm", lambda t, x: t.nn.functional.local_response_norm(x, 3, 0.5), [(2, 5, 3)]),
    ("normalize", lambda t, x: t.nn.functional.normalize(x, 3.0, -1), [(3, 4)]),
    ("native_batch_norm", lambda t, x, w: t.native_batch_norm(x, w, None, None, None, True, 0.1, 0.01)[0], [(5, 3, 2), (3,)]),
    ("_native_batch_norm_legit", lambda t, x: t._native_batch_norm_legit(x, None, None, True, 0.1, 0.01)[0], [(5, 3, 2)]),
    ("norm_except_dim", lambda t, x: t.norm_except_dim(x, 2, 1), [(2, 3, 4)]),
    ("weight norm", lambda t, v, g: t._weight_norm(v, g, 1), [(2, 3, 4), (1, 3, 1)]),
    # frames
    *[(f"pad {mode} {n}d", lambda t, x, mode=mode, n=n: t.nn.functional.pad(x, (1, 2, 2, 0, 1, 1)[: 2 * n], mode),
       [(2, 4, 5, 4)[: n + 1]]) for mode in ("reflect", "replicate", "circular") for n in (1, 2, 3)],
    ("pad, negative", lambda t, x: t.nn.functional.pad(x, (-1, 2, 1, -2), "reflect"), [(2, 5, 6)]),
    ("pad, circular negative", lambda t, x: t.nn.functional.pad(x, (-1, 2), "circular"), [(2, 5)]),
    ("pad, constant", lambda t, x: t.nn.functional.pad(x, (1, -1, 0, 2), value=3.0), [(3, 4)]),
    # convolutions
    ("conv1d", lambda t, x, w, b: t.conv1d(x, w, b, 2, 1), [(2, 2, 7), (4, 2, 3), (4,)]),
    ("conv1d, groups", lambda t, x, w: t.conv1d(x, w, None, 1, "same", 2, 2), [(4, 7), (4, 2, 3)]),
    ("conv3d", lambda t, x, w, b: t.conv3d(x, w, b, (1, 2, 1), (1, 0, 1), (2, 1, 1)), [(2, 2, 5, 4, 4), (3, 2, 2, 3, 2), (3,)]),
    ("conv3d, groups", lambda t, x, w: t.conv3d(x, w, None, 1, "same", 1, 2), [(4, 3, 3, 4), (2, 2, 2, 3, 1)]),
    ("conv_transpose1d", lambda t, x, w, b: t.conv_transpose1d(x, w, b, 3, 1, 2), [(2, 2, 4), (2, 3, 3), (3,)]),
    ("conv_transpose2d", lambda t, x, w, b: t.conv_transpose2d(x, w, b, 2, 1, 1, 2, 2), [(2, 4, 3, 4), (4, 2, 3, 2), (4,)]),
    ("conv_transpose2d, extra", lambda t, x, w: t.conv_transpose2d(x, w, None, (3, 2), 1, (2, 3), 1, 4), [(2, 3, 4), (2, 1, 2, 3)]),
    ("conv_transpose3d", lambda t, x, w, b: t.conv_transpose3d(x, w, b, (2, 1, 2), 1, (1, 0, 1), 2), [(1, 4, 3, 3, 2), (4, 1, 3, 2, 3), (2,)]),
    ("conv_transpose3d, dilated", lambda t, x, w: t.conv_transpose3d(x, w, None, 1, 0, 1, 1, 2), [(2, 2, 3, 2), (2, 2, 2, 2, 2)]),
    ("conv_tbc", lambda t, x, w, b: t.conv_tbc(x, w, b, 1), [(5, 2, 3), (2, 3, 4), (4,)]),
    ("convolution", lambda t, x, w: t.convolution(x, w, None, [2], [1], [1], True, [1], 1), [(2, 2, 5), (2, 3, 3)]),
    # pooling
    ("max_pool1d_with_indices", lambda t, x: t.max_pool1d_with_indices(x, 3)[0], [(2, 3, 8)]),
    ("max_pool1d", lambda t, x: t.max_pool1d(x, 3, 2, 1), [(2, 3, 8)]),
    ("max_pool3d", lambda t, x: t.nn.functional.max_pool3d(x, (2, 3, 2), 2, (1, 1, 0), 1, True), [(2, 2, 5, 6, 5)]),
    ("max_pool3d, dilated", lambda t, x: t.max_pool3d(x, 2, 1, 0, (2, 1, 3)), [(2, 5, 4, 6)]),
    ("avg_pool1d", lambda t, x: t.nn.functional.avg_pool1d(x, 3, 2, 1, True, False), [(2, 3, 8)]),
    ("avg_pool3d", lambda t, x: t.nn.functional.avg_pool3d(x, (2, 3, 2), 2, (1, 1, 0), True, False), [(2, 2, 5, 6, 5)]),
    ("avg_pool3d, padded", lambda t, x: t.nn.functional.avg_pool3d(x, 3, 2, 1, True), [(2, 5, 4, 6)]),
    ("avg_pool3d, divisor", lambda t, x: t.nn.functional.avg_pool3d(x, 2, divisor_override=3), [(2, 5, 4, 6)]),
    ("lp_pool2d", lambda t, x: t.nn.functional.lp_pool2d(x.abs(), 3.0, (2, 3), 2), [(2, 3, 5, 6)]),
    ("lp_pool3d", lambda t, x: t.nn.functional.lp_pool3d(x.abs(), 2.0, 2, ceil_mode=True), [(2, 3, 5, 3)]),
    ("adaptive_avg_pool1d", lambda t, x: t.adaptive_avg_pool1d(x, 3), [(2, 3, 7)]),
    ("adaptive_avg_pool2d", lambda t, x: t.nn.functional.adaptive_avg_pool2d(x, (3, None)), [(2, 3, 7, 5)]),
    ("adaptive_avg_pool3d", lambda t, x: t.nn.functional.adaptive_avg_pool3d(x, (2, 5, 3)), [(2, 4, 7, 8)]),
    ("adaptive_max_pool1d", lambda t, x: t.nn.functional.adaptive_max_pool1d(x, 3), [(2, 3, 7)]),
    ("adaptive_max_pool2d", lambda t, x: t.nn.functional.adaptive_max_pool2d(x, (3, 4)), [(2, 3, 7, 5)]),
    ("adaptive_max_pool3d", lambda t, x: t.nn.functional.adaptive_max_pool3d(x, (2, 3, 1)), [(2, 3, 7, 4)]),
    ("max_unpool2d", lambda t, x: t.nn.functional.max_unpool2d(
        *t.nn.functional.max_pool2d(x, 2, return_indices=True), 2, output_size=(5, 6)), [(2, 3, 5, 6)]),
    ("max_unpool3d", lambda t, x: t.nn.functional.max_unpool3d(
        *t.nn.functional.max_pool3d(x, 2, return_indices=True), 2), [(2, 4, 4, 4)]),
    # other sizes
    *[(f"interpolate {mode} {options}", lambda t, x, mode=mode, o=options: t.nn.functional.interpolate(x, mode=mode, **o),
       [(2, 2, 5, 4, 3)[: n + 2]])
      for mode, n, align in [("nearest", 2, False), ("nearest-exact", 1, False), ("area", 2, False), ("linear", 1, True),
                             ("bilinear", 2, True), ("bicubic", 2, True), ("trilinear", 3, True)]
      for options in [{"scale_factor": 2.3}, {"size": (7, 3, 6)[:n]},
                      *([{"size": (7, 3, 1)[:n], "align_corners": True}] if align else ()),
                      {"scale_factor": 0.6, "recompute_scale_factor": True}]],
    *[(f"interpolate antialias {mode}", lambda t, x, mode=mode: t.nn.functional.interpolate(x, (4, 9), mode=mode, antialias=True), [(2, 2, 11, 7)])
      for mode in ("bilinear", "bicubic")],
    *[(f"grid_sample {mode} {padding} {align}", lambda t, x, g, m=mode, p=padding, a=align: t.nn.functional.grid_sample(x, g, m, p, a),
       [(2, 3, 4, 5), (2, 3, 2, 2)])
      for mode in ("bilinear", "bicubic") for padding in ("zeros", "border", "reflection") for align in (False, True)],
    ("grid_sample nearest", lambda t, x, g: t.nn.functional.grid_sample(x, g, "nearest", align_corners=False) + 0 * g.sum(), [(2, 3, 4, 5), (2, 3, 2, 2)]),
    ("grid_sample 3d", lambda t, x, g: t.nn.functional.grid_sample(x, g, padding_mode="reflection", align_corners=False), [(1, 2, 4, 5, 3), (1, 2, 3, 2, 3)]),
    ("grid_sampler_2d", lambda t, x, g: t.grid_sampler_2d(x, g, 0, 1, True), [(2, 3, 4, 5), (2, 3, 2, 2)]),
    ("grid_sampler_3d", lambda t, x, g: t.grid_sampler_3d(x, g, 0, 0, True), [(1, 2, 4, 5, 3), (1, 2, 3, 2, 3)]),
    ("affine_grid_generator", lambda t, m: t.affine_grid_generator(m, [2, 1, 3, 4], True), [(2, 2, 3)]),
    ("affine_grid", lambda t, m: t.nn.functional.affine_grid(m, [2, 1, 3, 4], align_corners=False), [(2, 2, 3)]),
    ("affine_grid 3d", lambda t, m: t.nn.functional.affine_grid(m, [2, 1, 3, 2, 4], align_corners=True), [(2, 3, 4)]),
    ("unfold", lambda t, x: t.nn.functional.unfold(x, (2, 3), 2, 1, (1, 2)), [(2, 3, 6, 7)]),
    ("fold", lambda t, x: t.nn.functional.fold(x, (5, 6), (2, 3), 1, 1, 2), [(2, 12, 9)]),
    ("pixel_shuffle", lambda t, x: t.pixel_shuffle(x, 2), [(2, 8, 3, 2)]),
    ("pixel_unshuffle", lambda t, x: t.pixel_unshuffle(x, 2), [(2, 2, 4, 6)]),
    ("channel_shuffle", lambda t, x: t.channel_shuffle(x, 3), [(2, 6, 3)]),
    # distances
    ("cosine_similarity", lambda t, x, y: t.cosine_similarity(x, y, 1), [(3, 4), (1, 4)]),
    ("pairwise_distance", lambda t, x, y: t.pairwise_distance(x, y, 3.0, keepdim=True), [(3, 4), (4,)]),
    ("pdist", lambda t, x: t.pdist(x, 2.0), [(4, 3)]),
    ("bilinear", lambda t, x, y, w, b: t.bilinear(x, y, w, b), [(4, 2), (4, 3), (5, 2, 3), (5,)]),
]  # fmt: skip

ONE_ORDER = (
    "native_",
    "_native",
    "pdist",
    "layer_norm, bias",
    "grid_sample bicubic",
    "lp_pool",
    "interpolate antialias",
    "interpolate area",
)


def derivatives(lib: Any, call: Any, arrays: Any, second: bool) -> list[Any]:
    """Value, gradients, and the gradients of a function of these."""
    xs = [lib.tensor(a, requires_grad=True) for a in arrays]
    out = call(lib, *xs)
    result = [out]
    weights = lib.tensor(np.cos(np.arange(out.numel())).reshape(tuple(out.shape)))
    first = lib.autograd.grad((out * weights).sum(), xs, create_graph=second, allow_unused=True)
    result += first
    if second:
        total = sum(
            (g * lib.tensor(np.sin(np.arange(g.numel()) + 1.0).reshape(tuple(g.shape)))).sum()
            for g in first
            if g is not None
        )
        if total.requires_grad:
            result += lib.autograd.grad(total, xs, allow_unused=True)
    return [None if r is None else r.detach().numpy() for r in result]


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize(("name", "call", "shapes"), FUNCTIONS, ids=[f[0] for f in FUNCTIONS])
def test_function(torch: Any, name: str, call: Any, shapes: Any) -> None:
    arrays = [RNG.standard_normal(shape) for shape in shapes]
    second = not name.startswith(ONE_ORDER)
    mine = derivatives(rushlight, call, arrays, second)
    theirs = derivatives(torch, call, arrays, second)
    for i, expected in enumerate(theirs):
        # What is None in one library may be zeros in the other.
        found = mine[i] if i < len(mine) else None
        found = 0 if found is None else found
        expected = 0 if expected is None else expected
        np.testing.assert_allclose(found, expected, 1e-8, 1e-10, err_msg=f"{name}: {i}")


INTEGERS = [
    ("native_channel_shuffle", lambda t, x: t.native_channel_shuffle(x, 2), [(2, 6, 3)]),
    ("conv2d", lambda t, x, w: t.conv2d(x, w, None, 1, 1), [(2, 4, 5, 5), (4, 2, 3, 3)]),
    ("conv_transpose2d", lambda t, x, w: t.conv_transpose2d(x, w, None, 2, 1, 1), [(2, 4, 3, 3), (4, 2, 3, 3)]),
    ("max_pool2d", lambda t, x: t.nn.functional.max_pool2d(x, 3, 2, 1, 1, True, True)[1], [(2, 2, 6, 5)]),
    ("max_pool3d", lambda t, x: t.max_pool3d(x, 2, 1, 1), [(2, 2, 6, 5, 4)]),
    ("avg_pool2d", lambda t, x: t.nn.functional.avg_pool2d(x, 3, 2, 1, True, False), [(2, 2, 6, 5)]),
    ("pad", lambda t, x: t.nn.functional.pad(x, (1, 2), "reflect"), [(2, 5)]),
    ("one_hot", lambda t, x: t.nn.functional.one_hot(x.abs()), [(3, 2)]),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call", "shapes"), INTEGERS, ids=[f[0] for f in INTEGERS])
def test_function_of_integers(torch: Any, name: str, call: Any, shapes: Any) -> None:
    if name.startswith("conv2d"):
        shapes = [(2, 2, 5, 5), (4, 2, 3, 3)]
    arrays = [RNG.integers(-5, 6, shape) for shape in shapes]
    mine, theirs = (call(lib, *map(lib.tensor, arrays)) for lib in (rushlight, torch))
    assert str(mine.dtype) == str(theirs.dtype)
    np.testing.assert_array_equal(mine.numpy(), theirs.numpy())


# Draws random numbers: the same stream gives the same values and gradients.
RANDOM = [
    ("rrelu", lambda t, x: t.nn.functional.rrelu(x, 0.1, 0.4, training=True)),
    ("alpha_dropout", lambda t, x: t.nn.functional.alpha_dropout(x, 0.3, True)),
    ("feature_alpha_dropout", lambda t, x: t.feature_alpha_dropout(x, 0.3, True)),
    ("feature_dropout", lambda t, x: t.feature_dropout(x, 0.3, True)),
    ("dropout1d", lambda t, x: t.nn.functional.dropout1d(x[0], 0.4)),
    ("dropout2d", lambda t, x: t.nn.functional.dropout2d(x, 0.4)),
    ("dropout3d", lambda t, x: t.nn.functional.dropout3d(x, 0.4)),
    ("dropout, in place", lambda t, x: t.nn.functional.dropout(x * 1, 0.4, inplace=True)),
    *[(name, lambda t, x, name=name: getattr(t, name)(x * 1, 0.3, True))
      for name in ("dropout_", "alpha_dropout_", "feature_dropout_", "feature_alpha_dropout_")],
    ("native_dropout", lambda t, x: t.native_dropout(x, 0.4, True)[0]),
    ("gumbel_softmax", lambda t, x: t.nn.functional.gumbel_softmax(x, 0.7)),
    ("gumbel_softmax, hard", lambda t, x: t.nn.functional.gumbel_softmax(x, hard=True, dim=1)),
    ("fractional_max_pool2d", lambda t, x: t.nn.functional.fractional_max_pool2d(x, 2, 3)),
    ("fractional_max_pool3d", lambda t, x: t.nn.functional.fractional_max_pool3d(
        x, 2, output_ratio=(0.7, 0.5, 0.4))),
]  # fmt: skip


@pytest.mark.parametrize(("name", "call"), RANDOM, ids=[f[0] for f in RANDOM])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_function(torch: Any, name: str, call: Any, dtype: str) -> None:
    x = RNG.standard_normal((3, 4, 6, 5)).astype(dtype)

    def run(lib: Any) -> Any:
        lib.manual_seed(3)
        leaf = lib.tensor(x, requires_grad=True)
        out = call(lib, leaf)
        out.square().sum().backward()
        return out.detach().numpy(), leaf.grad.numpy(), lib.rand(2).numpy()

    for found, expected in zip(run(rushlight), run(torch), strict=True):
        np.testing.assert_allclose(found, expected, 2e-5, 1e-6)


# ---- Embeddings ----

BAGS = [
    ({}, np.array([[0, 2, 2], [5, 1, 0]]), None),
    ({}, np.array([0, 2, 2, 5, 1]), [0, 2, 2, 4]),
    ({"include_last_offset": True}, np.array([0, 2, 2, 5, 1]), [0, 3, 5]),
    ({"padding_idx": 2}, np.array([0, 2, 2, 5, 1]), [0, 1, 3]),
    # PyTorch takes the counts of other rows, unless rows that come again are the last.
    ({"scale_grad_by_freq": True}, np.array([0, 2, 5, 5, 1]), [0, 2]),
    ({"max_norm": 1.2, "norm_type": 1.0}, np.array([0, 2, 2, 5, 1]), [0, 2]),
]


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
@pytest.mark.parametrize(("options", "indices", "offsets"), BAGS)
def test_embedding_bag(torch: Any, mode: str, options: Any, indices: Any, offsets: Any) -> None:
    if mode == "max" and "scale_grad_by_freq" in options:
        pytest.skip("not for maxima")

    def run(lib: Any) -> Any:
        lib.manual_seed(0)
        bag = lib.nn.EmbeddingBag(6, 4, mode=mode, **options)
        out = bag(lib.tensor(indices), None if offsets is None else lib.tensor(offsets))
        out.square().sum().backward()
        return repr(bag), out.detach().numpy(), bag.weight.detach().numpy(), bag.weight.grad.numpy()

    (text, *mine), (text2, *theirs) = run(rushlight), run(torch)
    assert text == text2
    for found, expected in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(found, expected, 1e-5, 1e-6)


def test_embedding_bag_with_weights(torch: Any) -> None:
    def run(lib: Any) -> Any:
        table = lib.tensor(np.arange(12.0).reshape(4, 3), requires_grad=True)
        factors = lib.tensor(np.array([0.5, -1.0, 2.0]), requires_grad=True)
        out = lib.nn.functional.embedding_bag(
            lib.tensor([3, 1, 1]), table, lib.tensor([0, 1]), mode="sum",
            per_sample_weights=factors,
        )  # fmt: skip
        out.square().sum().backward()
        return out.detach().numpy(), table.grad.numpy(), factors.grad.numpy()

    for found, expected in zip(run(rushlight), run(torch), strict=True):
        np.testing.assert_allclose(found, expected)


@pytest.mark.parametrize("options", [
    {"padding_idx": 1}, {"max_norm": 1.0}, {"scale_grad_by_freq": True},
    {"scale_grad_by_freq": True, "padding_idx": -2, "max_norm": 0.5},
])  # fmt: skip
def test_embedding_options(torch: Any, options: Any) -> None:
    table = RNG.standard_normal((5, 3))

    def run(lib: Any) -> Any:
        weight = lib.tensor(table, requires_grad=True)
        index = lib.tensor([[0, 3, 3], [1, 3, 4]])
        lib.nn.functional.embedding(index, weight, **options).square().sum().backward()
        return weight.detach().numpy(), weight.grad.numpy()

    for found, expected in zip(run(rushlight), run(torch), strict=True):
        np.testing.assert_allclose(found, expected)


# ---- Refusals ----

REFUSED = [
    lambda t, F: F.conv2d(t.zeros(1, 3, 4, 4), t.zeros(2, 1, 2, 2)),
    lambda t, F: F.conv1d(t.zeros(1, 1, 4), t.zeros(2, 1, 2), stride=0),
    lambda t, F: F.conv1d(t.zeros(1, 1, 4), t.zeros(2, 1, 7)),
    lambda t, F: F.conv3d(t.zeros(1, 1, 4), t.zeros(2, 1, 2, 2, 2)),
    lambda t, F: F.conv_transpose2d(t.zeros(1, 3, 4, 4), t.zeros(1, 1, 2, 2)),
    lambda t, F: F.max_pool2d(t.zeros(1, 1, 4, 4), 2, padding=2),
    lambda t, F: F.max_pool3d(t.zeros(4, 4), 2),
    lambda t, F: F.avg_pool2d(t.zeros(1, 1, 4, 4), 2, 0),
    lambda t, F: F.pad(t.zeros(1, 1, 3), (4, 1), "reflect"),
    lambda t, F: F.pad(t.zeros(1, 1, 3), (4, 1), "circular"),
    lambda t, F: F.pad(t.zeros(1, 1, 3), (1,)),
    lambda t, F: F.pad(t.zeros(1, 1, 3), (1, 1), "mirror"),
    lambda t, F: F.layer_norm(t.zeros(2, 3), (4,)),
    lambda t, F: F.layer_norm(t.zeros(2, 3), (3,), t.zeros(2)),
    lambda t, F: F.group_norm(t.zeros(2, 3), 2),
    lambda t, F: F.instance_norm(t.zeros(1, 2, 1)),
    lambda t, F: F.batch_norm(t.zeros(1, 3), None, None, training=True),
    lambda t, F: F.batch_norm(t.zeros(2, 3), None, None),
    lambda t, F: F.batch_norm(t.zeros(2, 3), t.zeros(2), t.zeros(2)),
    lambda t, F: F.embedding(t.tensor([5]), t.zeros(3, 2)),
    lambda t, F: F.embedding(t.tensor([-1]), t.zeros(3, 2)),
    lambda t, F: F.embedding_bag(t.tensor([1]), t.zeros(3, 2), t.tensor([1])),
    lambda t, F: F.softshrink(t.zeros(2), -0.5),
    lambda t, F: F.rrelu(t.zeros(2), 0.5, 0.1),
    lambda t, F: F.glu(t.zeros(3)),
    lambda t, F: F.prelu(t.zeros(2, 3), t.zeros(2)),
    lambda t, F: F.interpolate(t.zeros(1, 1, 4), 2, 2),
    lambda t, F: F.interpolate(t.zeros(1, 1, 4), 2, mode="bilinear"),
    lambda t, F: F.interpolate(t.zeros(1, 1, 4), 2, align_corners=True),
    lambda t, F: F.interpolate(t.zeros(1, 1, 4), (2, 2)),
    lambda t, F: F.unfold(t.zeros(1, 1, 4, 4), 5),
    lambda t, F: F.fold(t.zeros(1, 3, 9), (4, 4), 2),
    lambda t, F: F.pixel_shuffle(t.zeros(1, 3, 2, 2), 2),
    lambda t, F: F.channel_shuffle(t.zeros(1, 3, 2), 2),
    lambda t, F: F.grid_sample(t.zeros(1, 1, 3, 3), t.zeros(2, 3, 3, 2), align_corners=False),
    lambda t, F: F.bilinear(t.zeros(2, 3), t.zeros(3, 4), t.zeros(5, 3, 4)),
    lambda t, F: F.max_unpool2d(t.zeros(1, 1, 2, 2), t.full((1, 1, 2, 2), 99), 2),
    lambda t, F: F.adaptive_avg_pool2d(t.zeros(1, 1, 2, 2), -1),
    lambda t, F: F.fractional_max_pool2d(t.zeros(1, 1, 4, 4), 2),
    lambda t, F: F.dropout1d(t.zeros(2)),
    lambda t, F: F.local_response_norm(t.zeros(3, 3), 2),
]


@pytest.mark.parametrize("call", REFUSED)
def test_refusals_are_pytorchs(torch: Any, call: Any) -> None:
    """The same type, and the same opening words."""
    with pytest.raises((RuntimeError, ValueError, IndexError)) as theirs:
        call(torch, torch.nn.functional)
    with pytest.raises(type(theirs.value)) as mine:
        call(rushlight, rushlight.nn.functional)
    assert str(mine.value)[:24] == str(theirs.value)[:24]


def test_backward_of_native_dropout() -> None:
    mask = rushlight.tensor([True, False])
    out = rushlight.native_dropout_backward(rushlight.ones(2), mask, 2.0)
    assert out.tolist() == [2.0, 0.0]
