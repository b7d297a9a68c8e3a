"""Drawing a directed acyclic graph in layers, as SVG: what `viz` does where Graphviz is missing.

The steps are those of Sugiyama, Tagawa and Toda, "Methods for Visual Understanding of Hierarchical
System Structures" (IEEE SMC 11, 1981): a layer for each node, way points where an edge passes a
layer, an order within the layers by the means of the neighbours, then places.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Box", "svg"]

_CHARACTER, _LINE, _MARGIN = 6.6, 14.0, 10.0  # of Helvetica 11, in pixels
_BETWEEN_LAYERS, _BETWEEN_BOXES = 26.0, 16.0
_SWEEPS = 8


class Box(NamedTuple):
    """What a node shows.

    Attributes:
        lines: of text.
        fill: the colour.
    """

    lines: tuple[str, ...]
    fill: str

    @property
    def width(self) -> float:
        """In pixels."""
        return max(map(len, self.lines)) * _CHARACTER + 2 * _MARGIN

    @property
    def height(self) -> float:
        """In pixels."""
        return len(self.lines) * _LINE + _MARGIN


Edge = tuple[int, int]


def svg(boxes: Sequence[Box], edges: Sequence[Edge]) -> str:
    """The picture of a graph without cycles, edges downwards."""
    layers = _layers(len(boxes), edges)
    widths = [box.width for box in boxes]
    routes = []  # each edge as a chain of nodes and way points
    for top, bottom in edges:
        route = [top]
        for layer in range(layers[top] + 1, layers[bottom]):
            route.append(len(layers))
            layers.append(layer)
            widths.append(0.0)
        routes.append([*route, bottom])
    above: list[list[int]] = [[] for _ in layers]
    below: list[list[int]] = [[] for _ in layers]
    for route in routes:
        for top, bottom in pairwise(route):
            above[bottom].append(top)
            below[top].append(bottom)
    rows: list[list[int]] = [[] for _ in range(max(layers) + 1)]
    for node, layer in enumerate(layers):
        rows[layer].append(node)
    _order(rows, above, below)
    xs = _places(rows, widths, above, below)
    heights = [max((boxes[n].height for n in row if n < len(boxes)), default=0.0) for row in rows]
    ys, y, tops = [0.0] * len(layers), _MARGIN, []
    for row, height in zip(rows, heights, strict=True):
        for node in row:
            ys[node] = y + height / 2
        tops.append((y, y + height))
        y += height + _BETWEEN_LAYERS
    return _drawn(boxes, routes, layers, tops, xs, ys)


def _layers(count: int, edges: Sequence[Edge]) -> list[int]:
    """For each node its layer: below all that lead to it, and as near to what it leads to."""
    following: list[list[int]] = [[] for _ in range(count)]
    waiting = [0] * count
    for top, bottom in edges:
        following[top].append(bottom)
        waiting[bottom] += 1
    layers = [0] * count
    order = [node for node in range(count) if not waiting[node]]
    for node in order:  # grows meanwhile
        for child in following[node]:
            layers[child] = max(layers[child], layers[node] + 1)
            waiting[child] -= 1
            if not waiting[child]:
                order.append(child)
    for node in reversed(order):
        if following[node]:
            layers[node] = min(layers[child] for child in following[node]) - 1
    return layers


def _order(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Sorts each row by the mean place of the neighbours, down and up in turn."""
    place: dict[int, float] = {}
    for row in rows:
        place.update((node, i) for i, node in enumerate(row))
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        neighbours = above if down else below
        for row in rows if down else reversed(rows):
            means = {
                node: sum(place[n] for n in neighbours[node]) / len(neighbours[node])
                if neighbours[node]
                else place[node]
                for node in row
            }
            row.sort(key=means.__getitem__)
            place.update((node, i) for i, node in enumerate(row))


def _places(
    rows: list[list[int]], widths: list[float], above: list[list[int]], below: list[list[int]]
) -> list[float]:
    """The centre of each node: as near to the mean of its neighbours as the row allows."""
    xs = [0.0] * len(widths)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        for row in rows if down else reversed(rows):
            wanted = []
            for node in row:
                near = (above if down else below)[node] if sweep else above[node]
                near = near or above[node] or below[node]
                wanted.append(sum(xs[n] for n in near) / len(near) if near else 0.0)
            for node, x in zip(row, _apart(wanted, [widths[n] for n in row]), strict=True):
                xs[node] = x
    return xs


def _apart(wanted: list[float], widths: list[float]) -> list[float]:
    """The places nearest to the wanted ones, in least squares, that keep boxes apart.

    In terms of what is left after the boxes before it, a place must not be less than the one
    before: isotonic regression, solved by pooling neighbours that violate it.
    """
    offsets = [0.0]
    for left, right in pairwise(widths):
        offsets.append(offsets[-1] + (left + right) / 2 + _BETWEEN_BOXES)
    pools: list[tuple[float, int]] = []  # sum and count
    for x, offset in zip(wanted, offsets, strict=True):
        total, count = x - offset, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            total, count = total + pools[-1][0], count + pools[-1][1]
            pools.pop()
        pools.append((total, count))
    levels = [total / count for total, count in pools for _ in range(count)]
    return [level + offset for level, offset in zip(levels, offsets, strict=True)]


# ---- SVG ----


def _drawn(
    boxes: Sequence[Box],
    routes: list[list[int]],
    layers: list[int],
    tops: list[tuple[float, float]],
    xs: list[float],
    ys: list[float],
) -> str:
    left = min(x - box.width / 2 for x, box in zip(xs, boxes, strict=False)) - _MARGIN
    right = max(x + box.width / 2 for x, box in zip(xs, boxes, strict=False)) + _MARGIN
    left, right = min([left, *xs]), max([right, *xs])
    width, height = right - left, tops[-1][1] + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="{left:.1f} 0 {width:.1f} {height:.1f}" font-family="Helvetica, Arial, '
        'sans-serif" font-size="11">',
        '<defs><marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" '
        'markerHeight="7" orient="auto"><path d="M0 0 8 4 0 8z" fill="#777777"/></marker></defs>',
        f'<rect x="{left:.1f}" width="{width:.1f}" height="{height:.1f}" fill="white"/>',
        '<g fill="none" stroke="#777777">',
    ]
    for route in routes:
        parts.append(
            f'<path d="{_curve(boxes, route, layers, tops, xs, ys)}" marker-end="url(#tip)"/>'
        )
    parts.append('</g><g text-anchor="middle">')
    for box, x, y in zip(boxes, xs, ys, strict=False):
        parts.append(
            f'<rect x="{x - box.width / 2:.1f}" y="{y - box.height / 2:.1f}" '
            f'width="{box.width:.1f}" height="{box.height:.1f}" rx="5" fill="{box.fill}" '
            'stroke="#555555"/>'
        )
        first = y - (len(box.lines) - 1) * _LINE / 2 + 4
        for i, line in enumerate(box.lines):
            parts.append(f'<text x="{x:.1f}" y="{first + i * _LINE:.1f}">{escape(line)}</text>')
    return "\n".join([*parts, "</g></svg>"])


def _curve(
    boxes: Sequence[Box],
    route: list[int],
    layers: list[int],
    tops: list[tuple[float, float]],
    xs: list[float],
    ys: list[float],
) -> str:
    """The path of an edge: it bends between layers, and passes them straight."""
    x, y = xs[route[0]], ys[route[0]] + boxes[route[0]].height / 2
    path = [f"M{x:.1f} {y:.1f}"]
    for node in route[1:]:
        last = node == route[-1]
        end = ys[node] - boxes[node].height / 2 if last else tops[layers[node]][0]
        middle = (y + end) / 2
        path.append(f"C{x:.1f} {middle:.1f} {xs[node]:.1f} {middle:.1f} {xs[node]:.1f} {end:.1f}")
        x, y = xs[node], end
        if not last:
            y = tops[layers[node]][1]
            path.append(f"V{y:.1f}")
    return "".join(path)
