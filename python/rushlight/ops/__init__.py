"""All operations, by family; the namespace that derivative rows see under ``create_graph=True``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.ops import (  # noqa: F401 - imported for what they declare
    activation,
    adaptive,
    aliases,
    batching,
    bitwise,
    choice,
    comparison,
    contraction,
    conv,
    copies,
    correlation,
    counting,
    creation,
    ctc,
    distances,
    elimination,
    exponential,
    factorizations,
    facts,
    gathering,
    grid,
    index,
    interchange,
    inverses,
    joining,
    layout,
    linalg,
    lookup,
    loss,
    lowrank,
    matrices,
    nn,
    normalization,
    norms,
    orthogonal,
    pointwise,
    polynomials,
    pooling,
    products,
    random,
    ranges,
    rearrange,
    recurrence,
    recurrent,
    reduction,
    rounding,
    scan,
    scattering,
    shape,
    shuffling,
    sorting,
    spatial,
    special,
    stacking,
    statistics,
    strided,
    trigonometry,
    variates,
    views,
    window_functions,
)
from rushlight.ops._registry import find, names

if TYPE_CHECKING:
    from rushlight.ops.activation import *  # noqa: F403
    from rushlight.ops.adaptive import *  # noqa: F403
    from rushlight.ops.batching import *  # noqa: F403
    from rushlight.ops.bitwise import *  # noqa: F403
    from rushlight.ops.choice import *  # noqa: F403
    from rushlight.ops.comparison import *  # noqa: F403
    from rushlight.ops.contraction import *  # noqa: F403
    from rushlight.ops.conv import *  # noqa: F403
    from rushlight.ops.copies import *  # noqa: F403
    from rushlight.ops.correlation import *  # noqa: F403
    from rushlight.ops.counting import *  # noqa: F403
    from rushlight.ops.creation import *  # noqa: F403
    from rushlight.ops.ctc import *  # noqa: F403
    from rushlight.ops.distances import *  # noqa: F403  # noqa: F403
    from rushlight.ops.elimination import *  # noqa: F403
    from rushlight.ops.exponential import *  # noqa: F403
    from rushlight.ops.factorizations import *  # noqa: F403
    from rushlight.ops.facts import *  # noqa: F403
    from rushlight.ops.gathering import *  # noqa: F403
    from rushlight.ops.grid import *  # noqa: F403
    from rushlight.ops.index import *  # noqa: F403
    from rushlight.ops.interchange import *  # noqa: F403
    from rushlight.ops.inverses import *  # noqa: F403
    from rushlight.ops.joining import *  # noqa: F403
    from rushlight.ops.layout import *  # noqa: F403
    from rushlight.ops.linalg import *  # noqa: F403
    from rushlight.ops.lookup import *  # noqa: F403
    from rushlight.ops.loss import *  # noqa: F403
    from rushlight.ops.lowrank import *  # noqa: F403
    from rushlight.ops.matrices import *  # noqa: F403
    from rushlight.ops.nn import *  # noqa: F403
    from rushlight.ops.normalization import *  # noqa: F403
    from rushlight.ops.norms import *  # noqa: F403
    from rushlight.ops.orthogonal import *  # noqa: F403
    from rushlight.ops.pointwise import *  # noqa: F403
    from rushlight.ops.polynomials import *  # noqa: F403
    from rushlight.ops.pooling import *  # noqa: F403
    from rushlight.ops.products import *  # noqa: F403
    from rushlight.ops.random import *  # noqa: F403
    from rushlight.ops.ranges import *  # noqa: F403
    from rushlight.ops.rearrange import *  # noqa: F403
    from rushlight.ops.recurrence import *  # noqa: F403
    from rushlight.ops.recurrent import *  # noqa: F403
    from rushlight.ops.reduction import *  # noqa: F403
    from rushlight.ops.rounding import *  # noqa: F403
    from rushlight.ops.scan import *  # noqa: F403
    from rushlight.ops.scattering import *  # noqa: F403
    from rushlight.ops.shape import *  # noqa: F403
    from rushlight.ops.shuffling import *  # noqa: F403
    from rushlight.ops.sorting import *  # noqa: F403
    from rushlight.ops.spatial import *  # noqa: F403
    from rushlight.ops.special import *  # noqa: F403
    from rushlight.ops.stacking import *  # noqa: F403
    from rushlight.ops.statistics import *  # noqa: F403
    from rushlight.ops.strided import *  # noqa: F403
    from rushlight.ops.trigonometry import *  # noqa: F403
    from rushlight.ops.variates import *  # noqa: F403
    from rushlight.ops.views import *  # noqa: F403
    from rushlight.ops.window_functions import *  # noqa: F403

__all__ = ["find", "names"]


def __getattr__(name: str) -> Any:
    function = find(name)
    if function is None:
        raise AttributeError(f"module 'rushlight.ops' has no operation {name!r}")
    globals()[name] = function
    return function
