"""Layers without state: the functions behind `rushlight.nn`, with PyTorch's signatures."""

# ruff: noqa: F403 - the lists of names are those of the families

from typing import TYPE_CHECKING, Any

from rushlight import ops
from rushlight.autograd.autocast import NAMES, casting

from ._activation import *
from ._adaptive import *
from ._attention import *
from ._ctc import *
from ._dropout import *
from ._embedding import *
from ._likelihood import *
from ._loss import *
from ._margin import *
from ._normalization import *
from ._padding import *
from ._pooling import *
from ._resampling import *

if TYPE_CHECKING:
    from rushlight.ops.activation import celu_ as celu_
    from rushlight.ops.activation import hardshrink as hardshrink
    from rushlight.ops.activation import prelu as prelu
    from rushlight.ops.activation import relu_ as relu_
    from rushlight.ops.activation import rrelu_ as rrelu_
    from rushlight.ops.activation import selu_ as selu_
    from rushlight.ops.activation import softshrink as softshrink
    from rushlight.ops.activation import threshold_ as threshold_
    from rushlight.ops.adaptive import adaptive_avg_pool1d as adaptive_avg_pool1d
    from rushlight.ops.conv import conv1d as conv1d
    from rushlight.ops.conv import conv2d as conv2d
    from rushlight.ops.conv import conv3d as conv3d
    from rushlight.ops.conv import conv_tbc as conv_tbc
    from rushlight.ops.conv import conv_transpose1d as conv_transpose1d
    from rushlight.ops.conv import conv_transpose2d as conv_transpose2d
    from rushlight.ops.conv import conv_transpose3d as conv_transpose3d
    from rushlight.ops.distances import bilinear as bilinear
    from rushlight.ops.distances import cosine_similarity as cosine_similarity
    from rushlight.ops.distances import pairwise_distance as pairwise_distance
    from rushlight.ops.distances import pdist as pdist
    from rushlight.ops.linalg import linear as linear
    from rushlight.ops.nn import gelu as gelu
    from rushlight.ops.nn import sigmoid as sigmoid
    from rushlight.ops.nn import softplus as softplus
    from rushlight.ops.pooling import avg_pool1d as avg_pool1d
    from rushlight.ops.shuffling import channel_shuffle as channel_shuffle
    from rushlight.ops.shuffling import native_channel_shuffle as native_channel_shuffle
    from rushlight.ops.shuffling import pixel_shuffle as pixel_shuffle
    from rushlight.ops.shuffling import pixel_unshuffle as pixel_unshuffle
    from rushlight.ops.trigonometry import tanh as tanh

# Operations that have PyTorch's signature already; each is built at its first use.
_OPS = (
    "adaptive_avg_pool1d", "avg_pool1d", "bilinear", "celu_", "channel_shuffle", "conv1d", "conv2d",
    "conv3d", "conv_tbc",
    "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "cosine_similarity", "gelu",
    "hardshrink", "linear", "native_channel_shuffle", "pairwise_distance", "pdist", "pixel_shuffle",
    "pixel_unshuffle", "prelu", "relu_", "rrelu_", "selu_", "sigmoid", "softplus", "softshrink",
    "tanh", "threshold_",
)  # fmt: skip


# Inside of autocast these cast their operands, and the operations they are made of do not.
globals().update({name: casting(globals()[name]) for name in NAMES & globals().keys()})


def __getattr__(name: str) -> Any:
    if name not in _OPS:
        raise AttributeError(f"rushlight has no torch.nn.functional.{name}")
    function = getattr(ops, name)
    globals()[name] = function
    return function
