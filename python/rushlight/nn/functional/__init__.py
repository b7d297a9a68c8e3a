"""Layers without state: the functions behind `rushlight.nn`, with PyTorch's signatures."""

# ruff: noqa: F403 - the lists of names are those of the families

from typing import TYPE_CHECKING, Any

from rushlight import ops
from rushlight.autograd.autocast import NAMES, casting
from rushlight.ops._boundary import explaining

from . import _activation, _convolution, _dropout, _linear, _loss, _pooling

if TYPE_CHECKING:
    from rushlight.ops.linalg import linear as linear
    from rushlight.ops.nn import gelu as gelu
    from rushlight.ops.nn import sigmoid as sigmoid
    from rushlight.ops.nn import softplus as softplus
    from rushlight.ops.trigonometry import tanh as tanh

    from ._activation import *
    from ._convolution import *
    from ._dropout import *
    from ._linear import *
    from ._loss import *
    from ._pooling import *

# Operations that have PyTorch's signature already.
_OPS = ("gelu", "linear", "sigmoid", "softplus", "tanh")
_FAMILIES = (_activation, _convolution, _dropout, _linear, _loss, _pooling)
_HOMES = {name: family for family in _FAMILIES for name in family.__all__}

__all__ = [*_OPS, *_HOMES]


def __getattr__(name: str) -> Any:
    """Each function as users call it, built at its first use."""
    if name in _OPS:
        function = getattr(ops, name)
    elif name in _HOMES:
        function = getattr(_HOMES[name], name)
        # Inside of autocast these cast their operands, and what they are made of does not.
        function = explaining(casting(function) if name in NAMES else function, name)
    else:
        raise AttributeError(f"rushlight has no torch.nn.functional.{name}")
    globals()[name] = function
    return function


def __dir__() -> list[str]:
    return __all__
