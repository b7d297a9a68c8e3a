"""All operations, by family; the namespace that derivative rows see under ``create_graph=True``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight.ops import (  # noqa: F401 - imported for what they declare
    aliases,
    batching,
    bitwise,
    choice,
    comparison,
    copies,
    creation,
    exponential,
    facts,
    gathering,
    index,
    interchange,
    joining,
    layout,
    linalg,
    loss,
    nn,
    pointwise,
    polynomials,
    random,
    ranges,
    rearrange,
    reduction,
    rounding,
    scattering,
    shape,
    special,
    stacking,
    strided,
    trigonometry,
    views,
    windows,
)
from rushlight.ops._registry import find, names

if TYPE_CHECKING:
    from rushlight.ops.batching import *  # noqa: F403
    from rushlight.ops.bitwise import *  # noqa: F403
    from rushlight.ops.choice import *  # noqa: F403
    from rushlight.ops.comparison import *  # noqa: F403
    from rushlight.ops.copies import *  # noqa: F403
    from rushlight.ops.creation import *  # noqa: F403
    from rushlight.ops.exponential import *  # noqa: F403
    from rushlight.ops.facts import *  # noqa: F403
    from rushlight.ops.gathering import *  # noqa: F403
    from rushlight.ops.index import *  # noqa: F403
    from rushlight.ops.interchange import *  # noqa: F403
    from rushlight.ops.joining import *  # noqa: F403
    from rushlight.ops.layout import *  # noqa: F403
    from rushlight.ops.linalg import *  # noqa: F403
    from rushlight.ops.loss import *  # noqa: F403
    from rushlight.ops.nn import *  # noqa: F403
    from rushlight.ops.pointwise import *  # noqa: F403
    from rushlight.ops.polynomials import *  # noqa: F403
    from rushlight.ops.random import *  # noqa: F403
    from rushlight.ops.ranges import *  # noqa: F403
    from rushlight.ops.rearrange import *  # noqa: F403
    from rushlight.ops.reduction import *  # noqa: F403
    from rushlight.ops.rounding import *  # noqa: F403
    from rushlight.ops.scattering import *  # noqa: F403
    from rushlight.ops.shape import *  # noqa: F403
    from rushlight.ops.special import *  # noqa: F403
    from rushlight.ops.stacking import *  # noqa: F403
    from rushlight.ops.strided import *  # noqa: F403
    from rushlight.ops.trigonometry import *  # noqa: F403
    from rushlight.ops.views import *  # noqa: F403
    from rushlight.ops.windows import *  # noqa: F403

__all__ = ["find", "names"]


def __getattr__(name: str) -> Any:
    function = find(name)
    if function is None:
        raise AttributeError(f"module 'rushlight.ops' has no operation {name!r}")
    globals()[name] = function
    return function
