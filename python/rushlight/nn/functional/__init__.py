"""Layers without state: the functions behind `rushlight.nn`, with PyTorch's signatures."""

# ruff: noqa: F403 - the lists of names are those of the families

from typing import TYPE_CHECKING, Any

from rushlight import ops
from rushlight.autograd.autocast import NAMES, casting

from ._activation import *
from ._convolution import *
from ._dropout import *
from ._linear import *
from ._loss import *
from ._pooling import *

if TYPE_CHECKING:
    from rushlight.ops.linalg import linear as linear
    from rushlight.ops.nn import gelu as gelu
    from rushlight.ops.nn import sigmoid as sigmoid
    from rushlight.ops.nn import softplus as softplus
    from rushlight.ops.trigonometry import tanh as tanh

# Operations that have PyTorch's signature already; each is built at its first use.
_OPS = ("gelu", "linear", "sigmoid", "softplus", "tanh")


# Inside of autocast these cast their operands, and the operations they are made of do not.
globals().update({name: casting(globals()[name]) for name in NAMES & globals().keys()})


def __getattr__(name: str) -> Any:
    if name not in _OPS:
        raise AttributeError(f"rushlight has no torch.nn.functional.{name}")
    function = getattr(ops, name)
    globals()[name] = function
    return function
