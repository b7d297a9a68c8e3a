"""Kernels over batched arrays: the backend that vmap computes with.

A backend is a flat namespace of kernels; this one has the names of the others, and serves
`Batched`, many samples that look like one. Each kernel here calls one of the backend below on all
samples, so that operations, their derivatives and the engine need to know nothing of vmap.

A kernel is found, in this order, as
- a rule of `rules`, for what is neither of the following;
- a pointwise kernel: the samples' dimensions are lined up, see `lifted.pointwise`;
- a reduction, softmax, gather and the like along dimensions, which are counted on by one;
- otherwise it runs once for each sample: right for every kernel, without the gain in speed.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rushlight._kernels import POINTWISE
from rushlight.backend.batched import lifted, rules
from rushlight.backend.batched.array import Batched, Shape, Unsupported

__all__ = ["Batched", "Kernels", "Shape", "Unsupported", "over"]

_ARITY = {name: arity for name, arity, _ in POINTWISE} | {"where": 3}
_REDUCTIONS = ("all", "amax", "amin", "any", "mean", "prod", "sum", "var")
_POSITIONS = ("argmax", "argmin")
_OF_SHAPES = ("empty", "full")  # they make an array, from a shape that may be of a batch
_ALONG = {"softmax": 1, "log_softmax": 1, "softmax_backward": 2, "log_softmax_backward": 2}

# With a dimension and, for every element or else for every slice along it, an index.
_OF_ELEMENTS = ("gather", "scatter", "scatter_add", "scatter_reduce")
_OF_SLICES = ("index_add", "index_copy", "index_fill", "index_select")


class Kernels:
    """The kernels over batches whose samples lie in the memory of one backend.

    Attributes:
        base: that backend.
    """

    def __init__(self, base: Any) -> None:
        self.base = base

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        kernel = _kernel(name, self.base)
        setattr(self, name, kernel)
        return kernel


@functools.cache
def over(base: Any) -> Kernels:
    """The kernels over batches in the memory of a backend."""
    return Kernels(base)


def _kernel(name: str, base: Any) -> Callable[..., Any]:
    if name in _OF_SHAPES:
        return functools.partial(getattr(rules, name), base)
    kernel = getattr(rules, name, None)
    if kernel is None:
        if name in _ARITY:
            kernel = lifted.pointwise(name, _ARITY[name])
        elif name in _REDUCTIONS:
            kernel = lifted.reduction(name)
        elif name in _POSITIONS:
            kernel = lifted.position(name)
        elif name in _ALONG:
            kernel = lifted.along(name, _ALONG[name])
        elif (change := name.removesuffix("_")) in (*_OF_ELEMENTS, *_OF_SLICES):
            kernel = lifted.indexed(name, change in _OF_ELEMENTS)
        else:
            kernel = lifted.each_sample(name)
    return kernel if name == "spread" else lifted.unless_plain(name, kernel)
