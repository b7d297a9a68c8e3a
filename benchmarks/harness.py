"""Two libraries on one program in one process, in turn: checked first, then timed.

A ratio below 1 means that rushlight is faster. Every figure is a median over at least 20 rounds; a
round runs each library once, in alternating order, so that a change of the machine's speed meets
both, and a control that neither has a part in, whose spread tells how steady the machine was.
"""

from __future__ import annotations

import gc
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

Call = Callable[[], Any]

MIN_ROUNDS = 20
WARM_UP_CALLS = 3
SETTLE_SECONDS = 0.002
# A quiet machine repeats the control within 3 %; beyond this the figures are not worth keeping.
NOISE_LIMIT = 0.10


@dataclass(frozen=True)
class Libraries:
    """The two libraries under test, with equal numbers of threads.

    Attributes:
        ours: The library measured, a module with PyTorch's API.
        torch: PyTorch.
        threads: The threads that each may use.
    """

    ours: Any
    torch: Any
    threads: int

    def __post_init__(self) -> None:
        for library in (self.ours, self.torch):
            library.set_num_threads(self.threads)


@dataclass(frozen=True)
class Case:
    """One program to be timed.

    Attributes:
        group: The table it stands in.
        name: Its row.
        build: Given a library, prepares the program and returns one call of it; what the call
            returns is compared between the libraries, call by call.
        rtol: The relative difference allowed between the two, of the largest value.
        checked_calls: How many calls in a row are compared.
        flops: Floating-point operations of one call; 0 where they do not matter.
        nbytes: Bytes that one call must at least move; 0 where they do not matter.
    """

    group: str
    name: str
    build: Callable[[Any], Call]
    rtol: float = 1e-5
    checked_calls: int = 1
    flops: float = 0.0
    nbytes: float = 0.0


@dataclass(frozen=True)
class Spread:
    """Median and quartiles."""

    median: float
    lower: float
    upper: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Summarise `values`, of any unit."""
        lower, median, upper = np.quantile(np.asarray(values), [0.25, 0.5, 0.75])
        return cls(float(median), float(lower), float(upper))

    @property
    def relative_width(self) -> float:
        """Distance of the quartiles over the median."""
        return (self.upper - self.lower) / self.median


@dataclass(frozen=True)
class Result:
    """What came of one case; times in seconds per call.

    Attributes:
        error: Why the case was not timed, or None.
        control: Noise of the control benchmark while this case ran (quartile distance over median).
    """

    group: str
    name: str
    error: str | None = None
    ours: Spread | None = None
    torch: Spread | None = None
    ratio: Spread | None = None
    rounds: int = 0
    control: float = 0.0
    flops: float = 0.0
    nbytes: float = 0.0

    @property
    def noisy(self) -> bool:
        """Whether the machine was too unsteady for this figure."""
        return self.control > NOISE_LIMIT

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return {**asdict(self), "noisy": self.noisy}


@dataclass(frozen=True)
class Effort:
    """How long to measure: rounds for each case and seconds for each sample."""

    rounds: int
    sample_seconds: float


THOROUGH = Effort(rounds=31, sample_seconds=0.02)
QUICK = Effort(rounds=MIN_ROUNDS, sample_seconds=0.004)


def measure(case: Case, libraries: Libraries, effort: Effort) -> Result:
    """Check `case` in both libraries and time it; a failure becomes the result's `error`."""
    try:
        check(case, libraries)
        calls = [case.build(libraries.ours), case.build(libraries.torch), _control]
        ours, theirs, control = _timed_rounds(calls, effort)
    except Exception as error:
        traceback.print_exc()
        return Result(case.group, case.name, error=f"{type(error).__name__}: {error}")
    return Result(
        case.group,
        case.name,
        ours=Spread.of(ours),
        torch=Spread.of(theirs),
        ratio=Spread.of([a / b for a, b in zip(ours, theirs, strict=True)]),
        rounds=effort.rounds,
        control=Spread.of(control).relative_width,
        flops=case.flops,
        nbytes=case.nbytes,
    )


def check(case: Case, libraries: Libraries) -> None:
    """Compare the results of the first calls.

    Raises:
        AssertionError: The libraries differ by more than the case allows.
    """
    ours, theirs = case.build(libraries.ours), case.build(libraries.torch)
    for call in range(case.checked_calls):
        actual, expected = as_array(ours()), as_array(theirs())
        assert actual.shape == expected.shape, f"shapes {actual.shape} and {expected.shape}"
        scale = float(np.abs(expected).max(initial=0.0)) or 1.0
        worst = float(np.abs(actual - expected).max(initial=0.0)) / scale
        assert worst <= case.rtol, f"call {call}: relative difference {worst:.2e} > {case.rtol:.0e}"


def as_array(tensor: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The tensor's values in float64."""
    return np.array(tensor.detach().numpy(), dtype=np.float64)


def _timed_rounds(calls: list[Call], effort: Effort) -> list[list[float]]:
    """Time the calls in turn; returns the samples of each, in seconds per call."""
    loops = [_calibrate(call, effort.sample_seconds) for call in calls]
    samples: list[list[float]] = [[] for _ in calls]
    # As timeit does: a collection falls on whichever library happens to run.
    gc.collect()
    gc.disable()
    try:
        for round_ in range(effort.rounds):
            order = range(len(calls)) if round_ % 2 == 0 else reversed(range(len(calls)))
            for i in order:
                # The other library's worker threads still spin for a moment after its last call.
                time.sleep(SETTLE_SECONDS)
                calls[i]()
                samples[i].append(_sample(calls[i], loops[i]))
    finally:
        gc.enable()
    return samples


def _calibrate(call: Call, sample_seconds: float) -> int:
    """The number of calls that take about `sample_seconds`, after a warm-up."""
    for _ in range(WARM_UP_CALLS):
        call()
    loops = 1
    while (seconds := _sample(call, loops) * loops) < sample_seconds / 4:
        loops *= 4
    return max(1, round(loops * sample_seconds / seconds))


def _sample(call: Call, loops: int) -> float:
    """Seconds per call over `loops` calls."""
    start = time.perf_counter()
    for _ in range(loops):
        call()
    return (time.perf_counter() - start) / loops


_MATRIX = np.random.default_rng(0).random((256, 256), dtype=np.float32)


def _control() -> Any:
    """A NumPy matrix product: neither library has a part in it, so its spread is the machine's."""
    return _MATRIX @ _MATRIX
