"""A line search for the strong Wolfe conditions."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

from rushlight.tensor import Tensor

__all__ = ["Point", "strong_wolfe"]

_DECREASE = 1e-4  # of the loss, as a part of what the slope at the start promises
_SLOPE = 0.9  # how much of that slope may be left
_TOLERANCE = 1e-9  # the smallest change of a parameter worth a further look


class Point(NamedTuple):
    """A point of the line.

    Attributes:
        t: how far along the direction it is.
        loss: there.
        grad: the gradient there.
        slope: the derivative of the loss by t.
    """

    t: float
    loss: float
    grad: Tensor
    slope: float


def strong_wolfe(
    at: Callable[[float], Point], start: Point, t: float, size: float, most: int
) -> tuple[Point, int]:
    """Look for a point where the loss has fallen enough and the slope is flat enough.

    Args:
        at: computes a point of the line.
        start: the point at 0; its slope is negative.
        t: where to look first.
        size: the largest element of the direction.
        most: how many points may be computed after the first.

    Returns:
        A point with both properties, or the best one seen; how many points were computed.

    Source: Nocedal and Wright, Numerical optimization (2006), algorithms 3.5 and 3.6.
    """
    line = _Line(at, start)
    found, bracket = line.bracket(t, most)
    return found or line.zoom(bracket, size, most), line.calls


class _Line:
    """The search along one line; `calls` counts the points computed."""

    def __init__(self, at: Callable[[float], Point], start: Point) -> None:
        self._at = at
        self.start = start
        self.calls = 0

    def at(self, t: float) -> Point:
        self.calls += 1
        return self._at(t)

    def too_high(self, point: Point) -> bool:
        return point.loss > self.start.loss + _DECREASE * point.t * self.start.slope

    def flat(self, point: Point) -> bool:
        return abs(point.slope) <= -_SLOPE * self.start.slope

    def bracket(self, t: float, most: int) -> tuple[Point | None, list[Point]]:
        """Go on until a point is good, or a good one lies between the last two."""
        former, point = self.start, self.at(t)
        while self.calls <= most:
            early = self.calls <= 2  # as in PyTorch, a rise ends the search only after these
            if self.too_high(point) or (point.loss >= former.loss and not early):
                return None, [former, point]
            if self.flat(point):
                return point, []
            if point.slope >= 0:
                return None, [former, point]
            bounds = (point.t + 0.01 * (point.t - former.t), point.t * 10)
            former, point = point, self.at(_lowest(former, point, bounds))
        return None, [self.start, point]

    def zoom(self, bracket: list[Point], size: float, most: int) -> Point:
        """Narrow the bracket, whose lower end is the best point so far."""
        low, stuck = _lower_end(bracket), False
        while self.calls <= most and abs(bracket[1].t - bracket[0].t) * size >= _TOLERANCE:
            t, stuck = _inside(bracket, stuck)
            point = self.at(t)
            if self.too_high(point) or point.loss >= bracket[low].loss:
                bracket[1 - low] = point
                low = _lower_end(bracket)
                continue
            if self.flat(point):
                return point
            if point.slope * (bracket[1 - low].t - bracket[low].t) >= 0:
                bracket[1 - low] = bracket[low]
            bracket[low] = point
        return bracket[low]


def _lower_end(bracket: list[Point]) -> int:
    return 0 if bracket[0].loss <= bracket[1].loss else 1


def _inside(bracket: list[Point], stuck: bool) -> tuple[float, bool]:
    """Return where to look next, and whether that is near an end, which is let pass only once."""
    first, last = sorted(point.t for point in bracket)
    t = _lowest(bracket[0], bracket[1], (first, last))
    margin = 0.1 * (last - first)
    if min(last - t, t - first) >= margin:
        return t, False
    if not stuck and first < t < last:
        return t, True
    return (last - margin if last - t < t - first else first + margin), False


def _lowest(a: Point, b: Point, bounds: tuple[float, float]) -> float:
    """Return where the cubic with these two losses and slopes is least, held in the bounds.

    Source: Nocedal and Wright, Numerical optimization (2006), equation 3.59.
    """
    a, b = (a, b) if a.t <= b.t else (b, a)
    middle = (bounds[0] + bounds[1]) / 2
    if a.t == b.t:
        return middle
    mean = a.slope + b.slope - 3 * (a.loss - b.loss) / (a.t - b.t)
    square = mean**2 - a.slope * b.slope
    if not square >= 0:  # no minimum, or not a number
        return middle
    root = math.sqrt(square)
    width = b.slope - a.slope + 2 * root
    if width == 0:
        return middle
    t = b.t - (b.t - a.t) * ((b.slope + root - mean) / width)
    return min(max(t, bounds[0]), bounds[1])
