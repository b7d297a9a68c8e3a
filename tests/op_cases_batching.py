"""Rows for the ops at the border of vmap; what vmap does with all others is in test_vmap_ops.py."""

from __future__ import annotations

import numpy as np
from case import ALL, case

from rushlight.backend.levels import Level


def through(ops, x):
    """Into a batch along the last dimension and out of it along the first."""
    with Level(x.shape[-1], "error") as level:
        return ops.leave_batch(ops.enter_batch(x, level, x.dim() - 1), level, 0)


for name in ("enter_batch", "leave_batch"):
    case(
        name,
        lambda x: np.moveaxis(x, -1, 0),
        (((3, 4),), ((5,),), ((2, 0, 3),)),
        run=through,
        torch=lambda torch, x: torch.movedim(x, -1, 0),
        dtypes=ALL,
    )

case(
    "spread",
    lambda x: np.broadcast_to(x, (2, 3, 4)),
    (((3, 4),), ((1, 4),), ((2, 1, 1),), ((),)),
    run=lambda ops, x: ops.spread(x, (2, 3, 4)),
    torch=lambda torch, x: x.expand(2, 3, 4),
    dtypes=ALL,
)
