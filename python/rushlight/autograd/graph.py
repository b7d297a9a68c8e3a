"""Looking at the graph, and taking part in what it saves."""

from __future__ import annotations

from rushlight.autograd.node import GradientEdge, Node
from rushlight.autograd.saved import (
    disable_saved_tensors_hooks,
    save_on_cpu,
    saved_tensors_hooks,
)

__all__ = [
    "GradientEdge",
    "Node",
    "disable_saved_tensors_hooks",
    "save_on_cpu",
    "saved_tensors_hooks",
]
