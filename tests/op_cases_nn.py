"""The rows of losses, convolution and pooling; see op_cases.py."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
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

    def run(t: Any, x: Any, target: Any = target, w: Any = weighted, r: Any = reduction) -> Any:
        weight = t.tensor(WEIGHTS, dtype=x.dtype) if w else None
        return t.nll_loss(x, t.tensor(target), weight, -100, r)[0]

    def oracle(t: Any, x: Any, target: Any = target, w: Any = weighted, r: Any = reduction) -> Any:
        weight = t.tensor(WEIGHTS, dtype=x.dtype) if w else None
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


def each_window(x_shape: Any, w_shape: Any, geometry: Any) -> Iterator[tuple[Any, Any]]:
    """Yields the index of each output and that of its window in the padded images."""
    (sh, sw), (ph, pw), (dh, dw), groups = geometry
    outputs, inner, kh, kw = w_shape
    rows = range((x_shape[2] + 2 * ph - dh * (kh - 1) - 1) // sh + 1)
    columns = range((x_shape[3] + 2 * pw - dw * (kw - 1) - 1) // sw + 1)
    for o, i, j in product(range(outputs), rows, columns):
        first = o // (outputs // groups) * inner
        yield (
            (slice(None), o, i, j),
            (
                slice(None),
                slice(first, first + inner),
                slice(i * sh, i * sh + dh * (kh - 1) + 1, dh),
                slice(j * sw, j * sw + dw * (kw - 1) + 1, dw),
            ),
        )


def padded(x: Any, geometry: Any) -> Any:
    """The images with zeros around them."""
    return np.pad(x, ((0, 0), (0, 0), *((p, p) for p in geometry[1])))


def correlate(x: Any, w: Any, b: Any, *geometry: Any) -> Any:
    """By the definition, window by window."""
    places = list(each_window(x.shape, w.shape, geometry))
    out = np.zeros((x.shape[0], *(n + 1 for n in places[-1][0][1:])))
    for place, window in places:
        out[place] = (padded(x, geometry)[window] * w[place[1]]).sum((1, 2, 3))
    return out if b is None else out + b[:, None, None]


def input_slope(g: Any, w: Any, shape: Any, *geometry: Any) -> Any:
    """Each output's gradient, spread over its window."""
    out = padded(np.zeros(shape), geometry)
    for place, window in each_window(shape, w.shape, geometry):
        out[window] += g[place][:, None, None, None] * w[place[1]]
    ph, pw = geometry[1]
    return out[:, :, ph : ph + shape[2], pw : pw + shape[3]]


def weight_slope(g: Any, x: Any, shape: Any, *geometry: Any) -> Any:
    """Each window, weighted by its output's gradient."""
    out = np.zeros(shape)
    for place, window in each_window(x.shape, shape, geometry):
        out[place[1]] += (g[place][:, None, None, None] * padded(x, geometry)[window]).sum(0)
    return out


TERMS = uniform(-1, 1)
# input, weight, stride, padding, dilation, groups
CONVOLUTIONS = [
    ((2, 3, 5, 6), (4, 3, 3, 3), (1, 1), (0, 0), (1, 1), 1),
    ((1, 2, 6, 5), (3, 2, 3, 2), (2, 1), (1, 2), (1, 1), 1),
    ((2, 4, 7, 7), (4, 2, 3, 3), (1, 2), (2, 2), (2, 1), 2),
    ((1, 3, 4, 4), (3, 1, 1, 1), (1, 1), (0, 0), (1, 1), 3),
    ((3, 1, 8, 8), (6, 1, 3, 3), (1, 1), (1, 1), (1, 1), 1),
]
for index, (x_shape, w_shape, *geometry) in enumerate(CONVOLUTIONS):
    stride, padding, dilation, groups = geometry
    out_shape = correlate(np.zeros(x_shape), np.zeros(w_shape), None, *geometry).shape
    for bias in (False, True):
        shapes = (x_shape, w_shape, (w_shape[0],)) if bias else (x_shape, w_shape)
        case(
            "correlate2d",
            lambda x, w, b=None, geometry=geometry: correlate(x, w, b, *geometry),
            (shapes,),
            TERMS,
            run=lambda t, x, w, b=None, geometry=geometry: t.correlate2d(x, w, b, *geometry),
            torch=lambda t, x, w, b=None, geometry=geometry: t.conv2d(x, w, b, *geometry),
            label=f"{index}{', bias' if bias else ''}",
        )
    if index == 4:
        continue
    case(
        "correlate2d_input_grad",
        lambda g, w, shape=x_shape, a=geometry: input_slope(g, w, shape, *a),
        ((out_shape, w_shape),),
        TERMS,
        run=lambda t, g, w, shape=x_shape, a=geometry: t.correlate2d_input_grad(g, w, shape, *a),
        torch=lambda t, g, w, shape=x_shape, a=geometry: t.nn.grad.conv2d_input(shape, w, g, *a),
        label=str(index),
    )
    case(
        "correlate2d_weight_grad",
        lambda g, x, shape=w_shape, a=geometry: weight_slope(g, x, shape, *a),
        ((out_shape, x_shape),),
        TERMS,
        run=lambda t, g, x, shape=w_shape, a=geometry: t.correlate2d_weight_grad(g, x, shape, *a),
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


def adjoint(forward: Callable[[Any], Any], shape: tuple[int, ...], g: Any) -> Any:
    """What a linear function's transpose makes of `g`, by trying each unit."""
    units = np.eye(math.prod(shape)).reshape(-1, *shape)
    return np.array([(forward(unit) * g).sum() for unit in units]).reshape(shape)


def averages(
    x: Any, kernel: Any, stride: Any, padding: Any, ceil: bool, pads: bool, by: Any
) -> Any:
    """Sums of the windows, by their size, by what of them is inside, or by a number."""
    geometry = (kernel, stride, padding, (1, 1), ceil)
    sums = pooled(np.sum, x, *geometry)
    if by is not None:
        return sums / by
    if not pads:
        return sums / pooled(np.sum, np.ones_like(x), *geometry)
    height, width = (n + 2 * p for n, p in zip(x.shape[2:], padding, strict=True))
    ones = np.ones((*x.shape[:2], height, width))
    counts = pooled(np.sum, ones, kernel, stride, (0, 0), (1, 1), ceil)
    return sums / counts[:, :, : sums.shape[2], : sums.shape[3]]


# kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
AVERAGES = [
    ((2, 2), (2, 2), (0, 0), False, True, None),
    ((3, 2), (2, 1), (1, 1), False, True, None),
    ((3, 2), (2, 1), (1, 1), False, False, None),
    ((2, 3), (2, 3), (0, 1), True, False, None),
    ((2, 2), (1, 2), (0, 0), False, True, 3),
]
for index, geometry in enumerate(AVERAGES):
    case(
        "avg_pool2d",
        lambda x, geometry=geometry: averages(x, *geometry),
        (((2, 3, 6, 7),),),
        run=lambda t, x, a=geometry: t.avg_pool2d(x, *a),
        torch=lambda t, x, a=geometry: t.nn.functional.avg_pool2d(x, *a),
        label=str(index),
    )
    out_shape = averages(np.zeros((1, 1, 6, 7)), *geometry).shape
    case(
        "avg_pool2d_backward",
        lambda g, geometry=geometry: adjoint(lambda x: averages(x, *geometry), (1, 1, 6, 7), g),
        ((out_shape,),),
        run=lambda t, g, a=geometry: t.avg_pool2d_backward(g, (1, 1, 6, 7), *a[:3], *a[4:]),
        torch=None,
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
