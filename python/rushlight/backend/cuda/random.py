"""Random numbers: those of the CPU's generators.

They are drawn on the CPU, in the order of the elements' addresses, and copied: so a seed gives the
same numbers on both devices. A generator of the device's own would be faster.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from rushlight import _kernels
from rushlight.backend.cuda.arrays import asarray, to_cpu
from rushlight.backend.cuda.pointwise import assign
from rushlight.backend.cuda.runtime import cp

_FILLS = (
    "any_integer",
    "bernoulli",
    "bernoulli_each",
    "cauchy",
    "exponential",
    "geometric",
    "log_normal",
    "normal",
    "randint",
    "randperm",
    "uniform",
)

__all__ = [*_FILLS, "binomial", "multinomial", "poisson", "standard_gamma"]


def _twin(x: Any) -> np.ndarray[Any, Any]:
    """An array on the CPU whose elements lie in memory as those of `x` do."""
    if x.size == 0:
        nothing: np.ndarray[Any, Any] = _kernels.empty(x.shape, x.dtype)
        return nothing
    reach = sum((n - 1) * abs(step) for n, step in zip(x.shape, x.strides, strict=True))
    memory = np.empty(reach // x.itemsize + 1, x.dtype)
    return np.lib.stride_tricks.as_strided(memory, x.shape, x.strides)


def _on_cpu(x: Any) -> Any:
    return to_cpu(x) if isinstance(x, cp.ndarray) else x


def _build(name: str) -> Callable[..., None]:
    draw = getattr(_kernels, name)

    def fill(out: Any, generator: Any, *parameters: Any) -> None:
        drawn = _twin(out)
        draw(drawn, generator, *map(_on_cpu, parameters))
        assign(out, asarray(drawn))

    fill.__name__ = fill.__qualname__ = name
    fill.__doc__ = f"Fills `out` as the CPU's kernel {name} does."
    return fill


for _name in _FILLS:
    globals()[_name] = _build(_name)


def poisson(rate: Any, generator: Any) -> Any:
    """A new array of values from the Poisson distribution of each rate."""
    return asarray(_kernels.poisson(to_cpu(rate), generator))


def standard_gamma(alpha: Any, generator: Any) -> Any:
    """A new array of values from the gamma distribution of each shape, with rate 1."""
    return asarray(_kernels.standard_gamma(to_cpu(alpha), generator))


def binomial(count: Any, prob: Any, generator: Any) -> Any:
    """A new array of numbers of successes in `count` trials, each of probability `prob`."""
    return asarray(_kernels.binomial(to_cpu(count), to_cpu(prob), generator))


def multinomial(weights: Any, generator: Any, samples: int, replacement: bool) -> Any:
    """Positions in each row of weights, each as likely as its weight."""
    return asarray(_kernels.multinomial(to_cpu(weights), generator, samples, replacement))
