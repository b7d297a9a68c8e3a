"""The rows of losses, convolution and pooling; see op_cases.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import product
from typing import Any

import numpy as np
from case import case, distinct, signed, uniform

# ---- Losses ----

PAIRS = (((3, 4), (3, 4)), ((5,), (5,)), ((), ()))
REDUCTIONS: dict[str, Callable[..., Any]] = {
    "mean": np.mean,
    "sum": np.sum,
    "none": lambda x: x,
}


def huber(x: Any, y: Any) -> Any:
    """With delta 0.7."""
    d = np.abs(x - y)
    return np.where(d <= 0.7, 0.5 * d * d, 0.7 * (d - 0.35))


def cross_entropy(p: Any, t: Any) -> Any:
    """Of probabilities."""
    return -(t * np.log(p) + (1 - t) * np.log(1 - p))


for reduction, reduce in REDUCTIONS.items():
    for name, reference, options in [
        ("mse_loss", lambda x, y: (x - y) ** 2, {}),
        ("l1_loss", lambda x, y: np.abs(x - y), {}),
        ("huber_loss", huber, {"delta": 0.7}),
        ("binary_cross_entropy", cross_entropy, {}),
        (
            "binary_cross_entropy_with_logits",
            lambda x, t: cross_entropy(1 / (1 + np.exp(-x)), t),
            {},
        ),
    ]:
        # Values and targets keep apart, by more than the kinks of l1 and Huber need.
        domains = (uniform(0.1, 0.4), uniform(0.6, 0.9))
        case(
            name,
            lambda x, y, reduce=reduce, loss=reference: reduce(loss(x, y)),
            PAIRS,
            *domains,
            torch=f"nn.functional.{name}",
            kwargs={**options, "reduction": reduction},
        )

CLASSES = {
    (5, 4): np.array([0, 3, -100, 1, 3]),
    (4,): np.array(2),
    (2, 4, 3): np.array([[0, 1, 2], [3, -100, 0]]),
}
WEIGHTS = np.array([0.5, 2.0, 1.0, 1.5])


def nll(x: Any, target: Any, weight: Any, reduction: str) -> Any:
    """Class by class; ignored targets are -100."""
    rows = np.moveaxis(x, 1, -1) if x.ndim > 1 else x
    counts = target != -100
    chosen = np.where(counts, target, 0)
    w = weight[chosen] * counts
    losses = -np.take_along_axis(rows, chosen[..., None], -1)[..., 0] * w
    if reduction == "none":
        return losses
    return losses.sum() / (w.sum() if reduction == "mean" else 1)


for (shape, target), weighted, reduction in product(CLASSES.items(), (False, True), REDUCTIONS):

    def run(t: Any, x: Any, target: Any = target, weighted: Any = weighted, r: Any = reduction) -> Any:
        weight = t.tensor(WEIGHTS.tolist(), dtype=x.dtype) if weighted else None
        return t.nll_loss(x, t.from_numpy(np.asarray(target)), weight, -100, r)[0]

    def oracle(t: Any, x: Any, target: Any = target, weighted: Any = weighted, r: Any = reduction) -> Any:
        weight = t.tensor(WEIGHTS, dtype=x.dtype) if weighted else None
        return t.nn.functional.nll_loss(x, t.tensor(target), weight, reduction=r)

    weight = WEIGHTS if weighted else np.ones(4)
    case(
        "nll_loss",
        lambda x, t=target, w=weight, r=reduction: nll(x, t, w, r),
        ((shape,),),
        run=run,
        torch=oracle,
        label=f"{len(shape)}-dim, {'weighted, ' if weighted else ''}{reduction}",
    )


def nll_slope(g: Any) -> Any:
    """The gradient for the sum over rows 0, 3, none, 1, 3 of 4 classes."""
    out = np.zeros((5, 4))
    for row, c in enumerate(CLASSES[5, 4]):
        if c >= 0:
            out[row, c] = -g.item() * WEIGHTS[c]
    return out


case(
    "nll_loss_backward",
    nll_slope,
    (((),),),
    run=lambda t, g: t.nll_loss_backward(
        g, (5, 4), t.tensor(CLASSES[5, 4]), t.tensor(WEIGHTS, dtype=g.dtype), -100, "sum",
        t.tensor(6.5, dtype=g.dtype),
    ),
    torch=None,
)  # fmt: skip

# ---- Convolution ----


def correlate(x: Any, w: Any, b: Any, stride: Any, padding: Any, dilation: Any, groups: int) -> Any:
    """By the definition, window by window."""
    (ph, pw), (dh, dw) = padding, dilation
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    outputs, inner, kh, kw = w.shape
    h = (x.shape[2] - dh * (kh - 1) - 1) // stride[0] + 1
    width = (x.shape[3] - dw * (kw - 1) - 1) // stride[1] + 1
    out = np.zeros((x.shape[0], outputs, h, width))
    for o, i, j in product(range(outputs), range(h), range(width)):
        group = o // (outputs // groups)
        top, left = i * stride[0], j * stride[1]
        window = x[
            :,
            group * inner : (group + 1) * inner,
            top : top + dh * (kh - 1) + 1 : dh,
            left : left + dw * (kw - 1) + 1 : dw,
        ]
        out[:, o, i, j] = (window * w[o]).sum((1, 2, 3))
    return out if b is None else out + b[:, None, None]


def adjoint(forward: Callable[[Any], Any], shape: tuple[int, ...], g: Any) -> Any:
    """What a linear function's transpose makes of `g`, by trying each unit."""
    units = np.eye(math.prod(shape)).reshape(-1, *shape)
    return np.array([(forward(unit) * g).sum() for unit in units]).reshape(shape)


# input, weight, stride, padding, dilation, groups
CONVOLUTIONS = [
    ((2, 3, 5, 6), (4, 3, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((1, 2, 6, 5), (3, 2, 3, 2), (2, 1), (1, 2), (1, 1), 1),
    ((2, 4, 7, 7), (4, 2, 3, 3), (1, 2), (2, 2), (2, 1), 2),
    ((1, 3, 4, 4), (3, 1, 1, 1), (1, 1), (0, 0), (1, 1), 3),
    ((3, 1, 8, 8), (16, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1),
]
for index, (x_shape, w_shape, *geometry) in enumerate(CONVOLUTIONS):
    stride, padding, dilation, groups = geometry
    out_shape = correlate(np.zeros(x_shape), np.zeros(w_shape), None, *geometry).shape
    for bias in (False, True):
        shapes = (x_shape, w_shape, (w_shape[0],)) if bias else (x_shape, w_shape)
        case(
            "conv2d",
            lambda x, w, b=None, geometry=geometry: correlate(x, w, b, *geometry),
            (shapes,),
            run=lambda t, x, w, b=None, geometry=geometry: t.conv2d(x, w, b, *geometry),
            label=f"{index}{', bias' if bias else ''}",
        )
    if index == 4:
        continue
    case(
        "conv2d_input_grad",
        lambda g, w, shape=x_shape, geometry=geometry: adjoint(
            lambda x: correlate(x, w, None, *geometry), shape, g
        ),
        ((out_shape, w_shape),),
        run=lambda t, g, w, shape=x_shape, a=geometry: t.conv2d_input_grad(g, w, shape, *a),
        torch=lambda t, g, w, shape=x_shape, a=geometry: t.nn.grad.conv2d_input(shape, w, g, *a),
        label=str(index),
    )
    case(
        "conv2d_weight_grad",
        lambda g, x, shape=w_shape, geometry=geometry: adjoint(
            lambda w: correlate(x, w, None, *geometry), shape, g
        ),
        ((out_shape, x_shape),),
        run=lambda t, g, x, shape=w_shape, a=geometry: t.conv2d_weight_grad(g, x, shape, *a),
        torch=lambda t, g, x, shape=w_shape, a=geometry: t.nn.grad.conv2d_weight(x, shape, g, *a),
        label=str(index),
    )

# ---- Pooling ----


def windows(x: Any, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil: bool) -> Any:
    """Yields position and elements of each window; what is padded is left out."""
    round_up = math.ceil if ceil else math.floor
    counts = []
    for d in (0, 1):
        reach = dilation[d] * (kernel[d] - 1) + 1
        n = round_up((x.shape[2 + d] + 2 * padding[d] - reach) / stride[d]) + 1
        # The last window must start inside of the image or its left padding.
        counts.append(n - (ceil and (n - 1) * stride[d] >= x.shape[2 + d] + padding[d]))
    for i, j in product(*map(range, counts)):
        rows = [i * stride[0] - padding[0] + a * dilation[0] for a in range(kernel[0])]
        columns = [j * stride[1] - padding[1] + a * dilation[1] for a in range(kernel[1])]
        rows = [r for r in rows if 0 <= r < x.shape[2]]
        columns = [c for c in columns if 0 <= c < x.shape[3]]
        yield (i, j), tuple(counts), x[:, :, rows][..., columns]


def pooled(reduce: Callable[..., Any], x: Any, *geometry: Any) -> Any:
    """Each window reduced over its two dimensions."""
    out = None
    for (i, j), counts, window in windows(x, *geometry):
        out = np.zeros((*x.shape[:2], *counts)) if out is None else out
        out[:, :, i, j] = reduce(window, (2, 3))
    return out


POOLS = [
    ((2, 2), (2, 2), (0, 0), (1, 1), False),
    ((3, 2), (2, 1), (1, 1), (1, 1), True),
    ((2, 2), (1, 2), (1, 0), (2, 1), False),
]
for index, geometry in enumerate(POOLS):
    case(
        "max_pool2d_with_indices",
        lambda x, geometry=geometry: pooled(np.max, x, *geometry),
        (((2, 3, 6, 7),),),
        distinct,
        run=lambda t, x, a=geometry: t.max_pool2d_with_indices(x, *a)[0],
        torch=lambda t, x, a=geometry: t.nn.functional.max_pool2d(x, *a),
        label=str(index),
    )
PLACES = np.array([[[[0, 5], [10, 11]], [[4, 4], [0, 8]]]])  # of planes of 3 by 4


def scattered(g: Any) -> Any:
    """`g` added at PLACES of zero planes."""
    out = np.zeros((1, 2, 12))
    for plane, place in np.ndindex(2, 4):
        out[0, plane, PLACES.reshape(2, 4)[plane, place]] += g.reshape(2, 4)[plane, place]
    return out.reshape(1, 2, 3, 4)


case(
    "max_pool2d_backward",
    scattered,
    (((1, 2, 2, 2),),),
    run=lambda t, g: t.max_pool2d_backward(g, t.from_numpy(PLACES), (1, 2, 3, 4)),
    torch=None,
)
case(
    "plane_gather",
    lambda x: np.take_along_axis(x.reshape(1, 2, 12), PLACES.reshape(1, 2, 4), 2).reshape(
        1, 2, 2, 2
    ),
    (((1, 2, 3, 4),),),
    signed(0.1, 2),
    run=lambda t, x: t.plane_gather(x, t.from_numpy(PLACES)),
    torch=None,
)
