"""PyTorch's training contract in a small package: tensors, autograd, nn, optim, data.

``import rushlight as torch`` runs ordinary PyTorch programs; what is missing fails by name.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from rushlight import dtypes
from rushlight import ops as ops
from rushlight._kernels import get_num_threads, set_num_threads
from rushlight._version import __version__
from rushlight.autograd import engine as _engine  # binds Tensor.backward
from rushlight.autograd.grad_mode import (
    enable_grad,
    is_grad_enabled,
    no_grad,
    set_grad_enabled,
)
from rushlight.devices import device
from rushlight.dtypes import (
    bool,
    double,
    dtype,
    finfo,
    float,
    float32,
    float64,
    get_default_dtype,
    iinfo,
    int,
    int32,
    int64,
    long,
    set_default_dtype,
    uint8,
)
from rushlight.errors import OutOfMemoryError
from rushlight.layouts import (
    channels_last,
    channels_last_3d,
    contiguous_format,
    layout,
    memory_format,
    preserve_format,
    strided,
)
from rushlight.ops._registry import find, names
from rushlight.random import (
    Generator,
    default_generator,
    fork_rng,
    get_rng_state,
    initial_seed,
    manual_seed,
    seed,
    set_rng_state,
)
from rushlight.tensor import Size, Tensor

# The function takes the name from the module that was imported above.
globals()["tensor"] = find("tensor")

if TYPE_CHECKING:
    from rushlight import autograd, cuda, nn, optim, random, signal, utils
    from rushlight.printing import set_printoptions

__all__ = [
    "Generator",
    "OutOfMemoryError",
    "Size",
    "Tensor",
    "__version__",
    "autograd",
    "bool",
    "channels_last",
    "channels_last_3d",
    "contiguous_format",
    "cuda",
    "default_generator",
    "device",
    "double",
    "dtype",
    "enable_grad",
    "finfo",
    "float",
    "float32",
    "float64",
    "fork_rng",
    "get_default_dtype",
    "get_num_threads",
    "get_rng_state",
    "iinfo",
    "initial_seed",
    "int",
    "int32",
    "int64",
    "is_grad_enabled",
    "layout",
    "long",
    "manual_seed",
    "memory_format",
    "nn",
    "no_grad",
    "optim",
    "preserve_format",
    "random",
    "seed",
    "set_default_dtype",
    "set_grad_enabled",
    "set_num_threads",
    "set_printoptions",
    "set_rng_state",
    "signal",
    "strided",
    "uint8",
    "utils",
    *names(),
]

# Imported at first use: a program that does not need them should not wait for them.
_LAZY_MODULES = ("cuda", "nn", "optim", "signal", "utils")
_LAZY_NAMES = {"set_printoptions": "rushlight.printing"}


def __getattr__(name: str) -> Any:
    value: Any
    if name in _LAZY_MODULES:
        value = importlib.import_module(f"rushlight.{name}")
    elif name in _LAZY_NAMES:
        value = getattr(importlib.import_module(_LAZY_NAMES[name]), name)
    else:
        value = find(name)
        if value is None:
            raise AttributeError(f"rushlight has no torch.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__


del dtypes, _engine
