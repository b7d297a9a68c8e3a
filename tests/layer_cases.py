"""What test_layers.py calls in both libraries: functions of layers, and their arguments."""

from __future__ import annotations

from typing import Any

# name, call(torch, torch.nn.functional, tensors...), shapes of the tensors, which require grad
FUNCTIONS: list[tuple[str, Any, list[tuple[int, ...]]]] = [
    # activations
    ("celu", lambda t, F, x: F.celu(x, 0.5), [(3, 4)]),
    ("selu", lambda t, F, x: F.selu(x), [(3, 4)]),
    ("glu", lambda t, F, x: F.glu(x, 1), [(3, 4)]),
    ("prelu", lambda t, F, x, w: t.prelu(x, w), [(2, 3, 4), (3,)]),
    ("prelu of one", lambda t, F, x, w: F.prelu(x, w), [(3, 4), (1,)]),
    ("prelu 0-dim", lambda t, F, x, w: F.prelu(x, w), [(3,), ()]),
    ("rrelu", lambda t, F, x: F.rrelu(x, 0.1, 0.4), [(3, 4)]),
    ("hardshrink", lambda t, F, x: t.hardshrink(x, 0.6), [(3, 4)]),
    ("softshrink", lambda t, F, x: F.softshrink(x, 0.6), [(3, 4)]),
    ("threshold", lambda t, F, x: t.threshold(x, 0.2, 7.0), [(3, 4)]),
    ("logsigmoid", lambda t, F, x: F.logsigmoid(x * 30), [(3, 4)]),
    # in place, of a copy
    *[
        (f"{name}", lambda t, F, x, name=name, args=args: getattr(t, name)(x * 1, *args), [(3, 4)])
        for name, args in [
            ("relu_", ()),
            ("celu_", (0.5,)),
            ("selu_", ()),
            ("threshold_", (0.2, 7.0)),
            ("rrelu_", (0.1, 0.4)),
        ]
    ],
    # norms
    (
        "layer_norm",
        lambda t, F, x, w, b: t.layer_norm(x, (3, 4), w, b, 0.1),
        [(2, 3, 4), (3, 4), (3, 4)],
    ),
    ("layer_norm, weight", lambda t, F, x, w: t.layer_norm(x, (4,), w), [(2, 3, 4), (4,)]),
    ("layer_norm, bias", lambda t, F, x, b: t.layer_norm(x, (4,), None, b), [(2, 3, 4), (4,)]),
    ("rms_norm", lambda t, F, x, w: t.rms_norm(x, (4,), w), [(2, 3, 4), (4,)]),
    ("group_norm", lambda t, F, x, w, b: t.group_norm(x, 2, w, b), [(2, 4, 3), (4,), (4,)]),
    (
        "native_group_norm",
        lambda t, F, x: t.native_group_norm(x, None, None, 2, 4, 3, 2, 0.1)[0],
        [(2, 4, 3)],
    ),
    (
        "native_layer_norm",
        lambda t, F, x: t.native_layer_norm(x, (4,), None, None, 0.1)[0],
        [(3, 4)],
    ),
    (
        "batch_norm",
        lambda t, F, x, w, b: t.batch_norm(x, w, b, None, None, True, 0.1, 0.01, False),
        [(5, 3, 2), (3,), (3,)],
    ),
    (
        "batch_norm, weight",
        lambda t, F, x, w: F.batch_norm(x, None, None, w, training=True),
        [(5, 3), (3,)],
    ),
    (
        "batch_norm, running",
        lambda t, F, x, w, b: F.batch_norm(
            x, t.arange(3.0, dtype=x.dtype), t.arange(1.0, 4.0, dtype=x.dtype), w, b
        ),
        [(5, 3, 2), (3,), (3,)],
    ),
    (
        "instance_norm",
        lambda t, F, x, w, b: F.instance_norm(x, None, None, w, b),
        [(2, 3, 5), (3,), (3,)],
    ),
    ("local_response_norm", lambda t, F, x: F.local_response_norm(x, 3, 0.5), [(2, 5, 3)]),
    ("normalize", lambda t, F, x: F.normalize(x, 3.0, -1), [(3, 4)]),
    (
        "native_batch_norm",
        lambda t, F, x, w: t.native_batch_norm(x, w, None, None, None, True, 0.1, 0.01)[0],
        [(5, 3, 2), (3,)],
    ),
    (
        "_native_batch_norm_legit",
        lambda t, F, x: t._native_batch_norm_legit(x, None, None, True, 0.1, 0.01)[0],
        [(5, 3, 2)],
    ),
    ("norm_except_dim", lambda t, F, x: t.norm_except_dim(x, 2, 1), [(2, 3, 4)]),
    ("weight norm", lambda t, F, v, g: t._weight_norm(v, g, 1), [(2, 3, 4), (1, 3, 1)]),
    # frames
    *[
        (
            f"pad {mode} {n}d",
            lambda t, F, x, mode=mode, n=n: F.pad(x, (1, 2, 2, 0, 1, 1)[: 2 * n], mode),
            [(2, 4, 5, 4)[: n + 1]],
        )
        for mode in ("reflect", "replicate", "circular")
        for n in (1, 2, 3)
    ],
    ("pad, negative", lambda t, F, x: F.pad(x, (-1, 2, 1, -2), "reflect"), [(2, 5, 6)]),
    ("pad, circular negative", lambda t, F, x: F.pad(x, (-1, 2), "circular"), [(2, 5)]),
    ("pad, constant", lambda t, F, x: F.pad(x, (1, -1, 0, 2), value=3.0), [(3, 4)]),
    # convolutions
    ("conv1d", lambda t, F, x, w, b: t.conv1d(x, w, b, 2, 1), [(2, 2, 7), (4, 2, 3), (4,)]),
    (
        "conv1d, groups",
        lambda t, F, x, w: t.conv1d(x, w, None, 1, "same", 2, 2),
        [(4, 7), (4, 2, 3)],
    ),
    (
        "conv3d",
        lambda t, F, x, w, b: t.conv3d(x, w, b, (1, 2, 1), (1, 0, 1), (2, 1, 1)),
        [(2, 2, 5, 4, 4), (3, 2, 2, 3, 2), (3,)],
    ),
    (
        "conv3d, groups",
        lambda t, F, x, w: t.conv3d(x, w, None, 1, "same", 1, 2),
        [(4, 3, 3, 4), (2, 2, 2, 3, 1)],
    ),
    (
        "conv_transpose1d",
        lambda t, F, x, w, b: t.conv_transpose1d(x, w, b, 3, 1, 2),
        [(2, 2, 4), (2, 3, 3), (3,)],
    ),
    (
        "conv_transpose2d",
        lambda t, F, x, w, b: t.conv_transpose2d(x, w, b, 2, 1, 1, 2, 2),
        [(2, 4, 3, 4), (4, 2, 3, 2), (4,)],
    ),
    (
        "conv_transpose2d, extra",
        lambda t, F, x, w: t.conv_transpose2d(x, w, None, (3, 2), 1, (2, 3), 1, 4),
        [(2, 3, 4), (2, 1, 2, 3)],
    ),
    (
        "conv_transpose3d",
        lambda t, F, x, w, b: t.conv_transpose3d(x, w, b, (2, 1, 2), 1, (1, 0, 1), 2),
        [(1, 4, 3, 3, 2), (4, 1, 3, 2, 3), (2,)],
    ),
    (
        "conv_transpose3d, dilated",
        lambda t, F, x, w: t.conv_transpose3d(x, w, None, 1, 0, 1, 1, 2),
        [(2, 2, 3, 2), (2, 2, 2, 2, 2)],
    ),
    ("conv_tbc", lambda t, F, x, w, b: t.conv_tbc(x, w, b, 1), [(5, 2, 3), (2, 3, 4), (4,)]),
    (
        "convolution",
        lambda t, F, x, w: t.convolution(x, w, None, [2], [1], [1], True, [1], 1),
        [(2, 2, 5), (2, 3, 3)],
    ),
    # pooling
    ("max_pool1d_with_indices", lambda t, F, x: t.max_pool1d_with_indices(x, 3)[0], [(2, 3, 8)]),
    ("max_pool1d", lambda t, F, x: t.max_pool1d(x, 3, 2, 1), [(2, 3, 8)]),
    (
        "max_pool3d",
        lambda t, F, x: F.max_pool3d(x, (2, 3, 2), 2, (1, 1, 0), 1, True),
        [(2, 2, 5, 6, 5)],
    ),
    ("max_pool3d, dilated", lambda t, F, x: t.max_pool3d(x, 2, 1, 0, (2, 1, 3)), [(2, 5, 4, 6)]),
    ("avg_pool1d", lambda t, F, x: F.avg_pool1d(x, 3, 2, 1, True, False), [(2, 3, 8)]),
    (
        "avg_pool3d",
        lambda t, F, x: F.avg_pool3d(x, (2, 3, 2), 2, (1, 1, 0), True, False),
        [(2, 2, 5, 6, 5)],
    ),
    ("avg_pool3d, padded", lambda t, F, x: F.avg_pool3d(x, 3, 2, 1, True), [(2, 5, 4, 6)]),
    ("avg_pool3d, divisor", lambda t, F, x: F.avg_pool3d(x, 2, divisor_override=3), [(2, 5, 4, 6)]),
    ("lp_pool2d", lambda t, F, x: F.lp_pool2d(x.abs(), 3.0, (2, 3), 2), [(2, 3, 5, 6)]),
    ("lp_pool3d", lambda t, F, x: F.lp_pool3d(x.abs(), 2.0, 2, ceil_mode=True), [(2, 3, 5, 3)]),
    ("adaptive_avg_pool1d", lambda t, F, x: t.adaptive_avg_pool1d(x, 3), [(2, 3, 7)]),
    ("adaptive_avg_pool2d", lambda t, F, x: F.adaptive_avg_pool2d(x, (3, None)), [(2, 3, 7, 5)]),
    ("adaptive_avg_pool3d", lambda t, F, x: F.adaptive_avg_pool3d(x, (2, 5, 3)), [(2, 4, 7, 8)]),
    ("adaptive_max_pool1d", lambda t, F, x: F.adaptive_max_pool1d(x, 3), [(2, 3, 7)]),
    ("adaptive_max_pool2d", lambda t, F, x: F.adaptive_max_pool2d(x, (3, 4)), [(2, 3, 7, 5)]),
    ("adaptive_max_pool3d", lambda t, F, x: F.adaptive_max_pool3d(x, (2, 3, 1)), [(2, 3, 7, 4)]),
    (
        "max_unpool2d",
        lambda t, F, x: F.max_unpool2d(
            *F.max_pool2d(x, 2, return_indices=True), 2, output_size=(5, 6)
        ),
        [(2, 3, 5, 6)],
    ),
    (
        "max_unpool3d",
        lambda t, F, x: F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2),
        [(2, 4, 4, 4)],
    ),
    # other sizes
    *[
        (
            f"interpolate {mode} {options}",
            lambda t, F, x, mode=mode, o=options: F.interpolate(x, mode=mode, **o),
            [(2, 2, 5, 4, 3)[: n + 2]],
        )
        for mode, n, align in [
            ("nearest", 2, False),
            ("nearest-exact", 1, False),
            ("area", 2, False),
            ("linear", 1, True),
            ("bilinear", 2, True),
            ("bicubic", 2, True),
            ("trilinear", 3, True),
        ]
        for options in [
            {"scale_factor": 2.3},
            {"size": (7, 3, 6)[:n]},
            *([{"size": (7, 3, 1)[:n], "align_corners": True}] if align else ()),
            {"scale_factor": 0.6, "recompute_scale_factor": True},
        ]
    ],
    *[
        (
            f"interpolate antialias {mode}",
            lambda t, F, x, mode=mode: F.interpolate(x, (4, 9), mode=mode, antialias=True),
            [(2, 2, 11, 7)],
        )
        for mode in ("bilinear", "bicubic")
    ],
    *[
        (
            f"grid_sample {mode} {padding} {align}",
            lambda t, F, x, g, m=mode, p=padding, a=align: F.grid_sample(x, g, m, p, a),
            [(2, 3, 4, 5), (2, 3, 2, 2)],
        )
        for mode in ("bilinear", "bicubic")
        for padding in ("zeros", "border", "reflection")
        for align in (False, True)
    ],
    (
        "grid_sample nearest",
        lambda t, F, x, g: F.grid_sample(x, g, "nearest", align_corners=False) + 0 * g.sum(),
        [(2, 3, 4, 5), (2, 3, 2, 2)],
    ),
    (
        "grid_sample 3d",
        lambda t, F, x, g: F.grid_sample(x, g, padding_mode="reflection", align_corners=False),
        [(1, 2, 4, 5, 3), (1, 2, 3, 2, 3)],
    ),
    (
        "grid_sampler_2d",
        lambda t, F, x, g: t.grid_sampler_2d(x, g, 0, 1, True),
        [(2, 3, 4, 5), (2, 3, 2, 2)],
    ),
    (
        "grid_sampler_3d",
        lambda t, F, x, g: t.grid_sampler_3d(x, g, 0, 0, True),
        [(1, 2, 4, 5, 3), (1, 2, 3, 2, 3)],
    ),
    (
        "affine_grid_generator",
        lambda t, F, m: t.affine_grid_generator(m, [2, 1, 3, 4], True),
        [(2, 2, 3)],
    ),
    (
        "affine_grid",
        lambda t, F, m: F.affine_grid(m, [2, 1, 3, 4], align_corners=False),
        [(2, 2, 3)],
    ),
    (
        "affine_grid 3d",
        lambda t, F, m: F.affine_grid(m, [2, 1, 3, 2, 4], align_corners=True),
        [(2, 3, 4)],
    ),
    ("unfold", lambda t, F, x: F.unfold(x, (2, 3), 2, 1, (1, 2)), [(2, 3, 6, 7)]),
    ("fold", lambda t, F, x: F.fold(x, (5, 6), (2, 3), 1, 1, 2), [(2, 12, 9)]),
    ("pixel_shuffle", lambda t, F, x: t.pixel_shuffle(x, 2), [(2, 8, 3, 2)]),
    ("pixel_unshuffle", lambda t, F, x: t.pixel_unshuffle(x, 2), [(2, 2, 4, 6)]),
    ("channel_shuffle", lambda t, F, x: t.channel_shuffle(x, 3), [(2, 6, 3)]),
    # distances
    ("cosine_similarity", lambda t, F, x, y: t.cosine_similarity(x, y, 1), [(3, 4), (1, 4)]),
    (
        "pairwise_distance",
        lambda t, F, x, y: t.pairwise_distance(x, y, 3.0, keepdim=True),
        [(3, 4), (4,)],
    ),
    ("pdist", lambda t, F, x: t.pdist(x, 2.0), [(4, 3)]),
    (
        "bilinear",
        lambda t, F, x, y, w, b: t.bilinear(x, y, w, b),
        [(4, 2), (4, 3), (5, 2, 3), (5,)],
    ),
]

# Of integers.
INTEGERS = [
    ("native_channel_shuffle", lambda t, F, x: t.native_channel_shuffle(x, 2), [(2, 6, 3)]),
    ("conv2d", lambda t, F, x, w: t.conv2d(x, w, None, 1, 1), [(2, 4, 5, 5), (4, 2, 3, 3)]),
    (
        "conv_transpose2d",
        lambda t, F, x, w: t.conv_transpose2d(x, w, None, 2, 1, 1),
        [(2, 4, 3, 3), (4, 2, 3, 3)],
    ),
    ("max_pool2d", lambda t, F, x: F.max_pool2d(x, 3, 2, 1, 1, True, True)[1], [(2, 2, 6, 5)]),
    ("max_pool3d", lambda t, F, x: t.max_pool3d(x, 2, 1, 1), [(2, 2, 6, 5, 4)]),
    ("avg_pool2d", lambda t, F, x: F.avg_pool2d(x, 3, 2, 1, True, False), [(2, 2, 6, 5)]),
    ("pad", lambda t, F, x: F.pad(x, (1, 2), "reflect"), [(2, 5)]),
    ("one_hot", lambda t, F, x: F.one_hot(x.abs()), [(3, 2)]),
]

# Draws random numbers: the same stream gives the same values and gradients.
RANDOM = [
    ("rrelu", lambda t, F, x: F.rrelu(x, 0.1, 0.4, training=True)),
    ("alpha_dropout", lambda t, F, x: F.alpha_dropout(x, 0.3, True)),
    ("feature_alpha_dropout", lambda t, F, x: t.feature_alpha_dropout(x, 0.3, True)),
    ("feature_dropout", lambda t, F, x: t.feature_dropout(x, 0.3, True)),
    ("dropout1d", lambda t, F, x: F.dropout1d(x[0], 0.4)),
    ("dropout2d", lambda t, F, x: F.dropout2d(x, 0.4)),
    ("dropout3d", lambda t, F, x: F.dropout3d(x, 0.4)),
    ("dropout, in place", lambda t, F, x: F.dropout(x * 1, 0.4, inplace=True)),
    *[
        (name, lambda t, F, x, name=name: getattr(t, name)(x * 1, 0.3, True))
        for name in ("dropout_", "alpha_dropout_", "feature_dropout_", "feature_alpha_dropout_")
    ],
    ("native_dropout", lambda t, F, x: t.native_dropout(x, 0.4, True)[0]),
    ("gumbel_softmax", lambda t, F, x: F.gumbel_softmax(x, 0.7)),
    ("gumbel_softmax, hard", lambda t, F, x: F.gumbel_softmax(x, hard=True, dim=1)),
    ("fractional_max_pool2d", lambda t, F, x: F.fractional_max_pool2d(x, 2, 3)),
    (
        "fractional_max_pool3d",
        lambda t, F, x: F.fractional_max_pool3d(x, 2, output_ratio=(0.7, 0.5, 0.4)),
    ),
]
