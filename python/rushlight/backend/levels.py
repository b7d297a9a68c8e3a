"""The vmap calls that are running in this thread, innermost last."""

from __future__ import annotations

import itertools
import threading
from typing import Any

__all__ = ["DifferentForEachSample", "Level", "check_fill", "drawing", "own", "state"]

_next_order = itertools.count(1).__next__


class Level:
    """One call of vmap.

    Attributes:
        size: the number of samples.
        randomness: 'error', 'same' or 'different'.
        order: greater than that of every call that began before.
        depth: 1 for the outermost call.
        ended: whether the call is over; its graph may outlive it.
    """

    __slots__ = ("depth", "ended", "order", "randomness", "size")

    def __init__(self, size: int, randomness: str) -> None:
        self.size = size
        self.randomness = randomness
        self.order = _next_order()
        self.depth = len(state.stack) + 1
        self.ended = False

    def __enter__(self) -> Level:
        state.stack = (*state.stack, self)
        return self

    def __exit__(self, *exception: object) -> None:
        state.stack = state.stack[:-1]
        self.ended = True


class _State(threading.local):
    stack: tuple[Level, ...] = ()


state = _State()


class DifferentForEachSample:
    """A generator that only kernels over batches take, where the samples' numbers must differ."""

    __slots__ = ("generator", "level")

    def __init__(self, generator: Any, level: Level) -> None:
        self.generator = generator
        self.level = level


def drawing(generator: Any) -> Any:
    """What to draw from inside of vmap.

    Raises:
        RuntimeError: where `randomness` is 'error'.
    """
    level = state.stack[-1]
    if level.randomness == "error":
        raise RuntimeError(
            "vmap: called random operation while in randomness error mode. Please either use the "
            "'same' or 'different' randomness flags on vmap or perform the randomness operation "
            "out of vmap"
        )
    return generator if level.randomness == "same" else DifferentForEachSample(generator, level)


def check_fill(array: Any) -> None:
    """Raises RuntimeError for an array that samples share, but whose numbers should differ."""
    if _shared(array):
        raise RuntimeError(
            "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This will "
            "appear like same randomness. Please draw a new tensor instead."
        )


def _shared(array: Any) -> bool:
    level = state.stack[-1]
    return level.randomness == "different" and level not in getattr(array.shape, "levels", ())


def own(array: Any) -> Any:
    """A new array that will be filled with random numbers, or one for each sample in its place."""
    if not _shared(array):
        return array
    from rushlight.backend.batched import rules

    return rules.leading(array, state.stack[-1])
