"""The rows of norms, windows, frames, resampling and lookups; see op_cases.py."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from case import case, uniform

TERMS = uniform(-1, 1)

# ---- Windows and frames ----


def each_window(shape: Any, kernel: Any, stride: Any, dilation: Any) -> Any:
    """Yields the index among the windows, and the index in the array, of each element of each."""
    lead = len(shape) - len(kernel)
    sizes = zip(shape[lead:], kernel, stride, dilation, strict=True)
    counts = [(n - d * (k - 1) - 1) // s + 1 for n, k, s, d in sizes]
    for tap in product(*map(range, kernel)):
        for count in product(*map(range, counts)):
            steps = zip(tap, count, stride, dilation, strict=True)
            yield (..., *tap, *count), (..., *(t * d + c * s for t, c, s, d in steps))


def windows(x: Any, *geometry: Any) -> Any:
    places = list(each_window(x.shape, *geometry))
    out = np.zeros((*x.shape[: x.ndim - len(geometry[0])], *(n + 1 for n in places[-1][0][1:])))
    for place, index in places:
        out[place] = x[index]
    return out


def windows_sum(g: Any, shape: Any, *geometry: Any) -> Any:
    out = np.zeros(shape)
    for place, index in each_window(shape, *geometry):
        out[index] += g[place]
    return out


for index, (shape, *geometry) in enumerate([
    ((2, 7), (3,), (2,), (1,)),
    ((2, 6, 5), (2, 2), (1, 2), (2, 1)),
    ((5, 4, 4), (2, 1, 3), (1, 1, 1), (1, 1, 1)),
]):  # fmt: skip
    out_shape = windows(np.zeros(shape), *geometry).shape
    case(
        "windows",
        lambda x, a=geometry: windows(x, *a),
        ((shape,),),
        run=lambda t, x, a=geometry: t.windows(x, *a),
        torch=None,
        label=str(index),
    )
    case(
        "windows_sum",
        lambda g, s=shape, a=geometry: windows_sum(g, s, *a),
        ((out_shape,),),
        run=lambda t, g, s=shape, a=geometry: t.windows_sum(g, s, *a),
        torch=None,
        label=str(index),
    )


def framed(x: Any, pad: Any, value: float) -> Any:
    widths = [(pad[i], pad[i + 1]) for i in range(0, len(pad), 2)][::-1]
    widths = [(0, 0)] * (x.ndim - len(widths)) + widths
    out = np.pad(x, [(max(b, 0), max(a, 0)) for b, a in widths], constant_values=value)
    cut = tuple(
        slice(max(-b, 0), n - max(-a, 0)) for n, (b, a) in zip(out.shape, widths, strict=True)
    )
    return out[cut]


for pad, value in [((1, 2), 0), ((0, 0, 2, 1), 1.5), ((-1, 2, 1, -1), -0.5), ((-1, -2), 3)]:
    case(
        "constant_pad_nd",
        lambda x, pad=pad, value=value: framed(x, pad, value),
        (((3, 4),), ((2, 3, 5),)),
        kwargs={"pad": pad, "value": value},
    )

# ---- Resampling and rows ----

TAPS = np.array([[0, 1], [1, 1], [3, 0], [2, 3], [0, 0]])
WEIGHTS = np.array([[0.5, 0.5], [1, 0], [0.25, -2], [0.1, 0.3], [0.7, 0.2]])


def matrix(index: Any, weight: Any, size: int) -> Any:
    out = np.zeros((len(index), size))
    for i, t in np.ndindex(*index.shape):
        out[i, index[i, t]] += 1 if weight is None else weight[i, t]
    return out


for index, weight, label in [(TAPS, WEIGHTS, "weighted"), (TAPS[:, :1], None, "chosen")]:
    for dim, (before, after) in {0: ((4, 3), (5, 3)), 1: ((2, 4, 3), (2, 5, 3))}.items():
        m = matrix(index, weight, 4)
        arguments = (dim, index, weight)
        case(
            "resampled",
            lambda x, m=m, dim=dim: np.moveaxis(np.tensordot(m, x, (1, dim)), 0, dim),
            ((before,),),
            run=lambda t, x, a=arguments: t.resampled(x, *a),
            torch=None,
            label=f"{label} along {dim}",
        )
        case(
            "resampled_sum",
            lambda g, m=m, dim=dim: np.moveaxis(np.tensordot(m.T, g, (1, dim)), 0, dim),
            ((after,),),
            run=lambda t, g, a=arguments: t.resampled_sum(g, *a, 4),
            torch=None,
            label=f"{label} along {dim}",
        )

PLACES = np.array([[0, 2, 2], [3, 0, 2]])


def rows_sum(g: Any) -> Any:
    out = np.zeros((5, 4))
    np.add.at(out, PLACES, g)
    return out


case(
    "rows_at", lambda x: x[PLACES], (((5, 4),),),
    run=lambda t, x: t.rows_at(x, PLACES), torch=None,
)  # fmt: skip
case(
    "rows_sum", rows_sum, (((2, 3, 4),),),
    run=lambda t, g: t.rows_sum(g, (5, 4), PLACES), torch=None,
)  # fmt: skip
case(
    "looked_up", lambda x: x[PLACES], (((5, 4),),),
    run=lambda t, x: t.looked_up(x, PLACES, None), torch=None,
)  # fmt: skip

# ---- Norms ----

EPS = 0.5  # so large that the rounding of a constant row is not blown up
SHIFTED = uniform(0.5, 2)


def normalized(x: Any, own: tuple[int, ...], center: bool) -> Any:
    mean = x.mean(own, keepdims=True) if center else 0
    return (x - mean) / np.sqrt(((x - mean) ** 2).mean(own, keepdims=True) + EPS)


def affine(y: Any, w: Any, b: Any) -> Any:
    y = y if w is None else y * w
    return y if b is None else y + b


def slopes(x: Any, g: Any, own: tuple[int, ...], center: bool) -> Any:
    """The gradient of the normalised x, for `g`, from the definition of its derivative."""
    mean = x.mean(own, keepdims=True) if center else 0
    scale = 1 / np.sqrt(((x - mean) ** 2).mean(own, keepdims=True) + EPS)
    d = g * scale - (x - mean) * scale**3 * (g * (x - mean)).mean(own, keepdims=True)
    return d - d.mean(own, keepdims=True) if center else d


def row_statistics(t: Any, x: Any, dims: int, center: bool) -> Any:
    return t.normalized_rows(x, None, None, dims, EPS, center)[1:]


for dims, center in ((1, True), (2, False)):
    shape, own = (3, 4, 5), tuple(range(-dims, 0))
    row = shape[3 - dims :]
    for given in ((), (row,), (row, row)):
        case(
            "normalized_rows",
            lambda x, w=None, b=None, own=own, c=center: affine(normalized(x, own, c), w, b),
            ((shape, *given),),
            TERMS,
            *[SHIFTED] * len(given),
            run=lambda t, x, w=None, b=None, dims=dims, c=center: t.normalized_rows(
                x, w, b, dims, EPS, c
            )[0],
            torch=None,
            label=f"{dims}, {center}, {len(given)}",
        )
    for part, reference in enumerate([
        lambda g, x, w, own=own, c=center: slopes(x, g * w, own, c),
        lambda g, x, w, own=own, c=center: (g * normalized(x, own, c)).sum(
            tuple(range(3 + own[0]))
        ),
        lambda g, x, w, own=own: g.sum(tuple(range(3 + own[0]))),
    ]):  # fmt: skip
        case(
            "normalized_rows_backward",
            reference,
            ((shape, shape, row),),
            TERMS,
            TERMS,
            SHIFTED,
            run=lambda t, g, x, w, dims=dims, c=center, part=part: t.normalized_rows_backward(
                g, x, w, w, *row_statistics(t, x, dims, c), dims, EPS, c, (True, True, True)
            )[part],
            torch=None,
            label=f"{dims}, {center}, {part}",
        )


def per_channel(w: Any, x: Any) -> Any:
    return None if w is None else w.reshape(-1, *(1,) * (x.ndim - 2))


def over(x: Any) -> tuple[int, ...]:
    return (0, *range(2, x.ndim))


for shape in ((6, 3), (4, 3, 5)):
    for given in ((), ((3,),), ((3,), (3,))):
        case(
            "normalized_channels",
            lambda x, w=None, b=None: affine(
                normalized(x, over(x), True), per_channel(w, x), per_channel(b, x)
            ),
            ((shape, *given),),
            TERMS,
            *[SHIFTED] * len(given),
            run=lambda t, x, w=None, b=None: t.normalized_channels(x, w, b, EPS)[0],
            torch=None,
            label=f"{len(shape)}, {len(given)}",
        )
    for part, reference in enumerate([
        lambda g, x, w: slopes(x, g * per_channel(w, x), over(x), True),
        lambda g, x, w: (g * normalized(x, over(x), True)).sum(over(x)),
        lambda g, x, w: g.sum(over(x)),
    ]):  # fmt: skip
        case(
            "normalized_channels_backward",
            reference,
            ((shape, shape, (3,)),),
            TERMS,
            TERMS,
            SHIFTED,
            run=lambda t, g, x, w, part=part: t.normalized_channels_backward(
                g, x, w, w, *t.normalized_channels(x, None, None, EPS)[1:], EPS, (True, True, True)
            )[part],
            torch=None,
            label=f"{len(shape)}, {part}",
        )
