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
from rushlight.autograd import differentiate as _differentiate  # binds Tensor.backward
from rushlight.autograd.grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)
from rushlight.devices import device
from rushlight.dtypes import (
    bfloat16,
    bool,
    can_cast,
    double,
    dtype,
    finfo,
    float,
    float16,
    float32,
    float64,
    get_default_dtype,
    half,
    iinfo,
    int,
    int8,
    int16,
    int32,
    int64,
    long,
    promote_types,
    set_default_dtype,
    short,
    uint8,
    uint16,
    uint32,
    uint64,
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
    from rushlight import (
        accelerator,
        amp,
        autograd,
        backends,
        compiler,
        cuda,
        distributed,
        distributions,
        func,
        hub,
        jit,
        linalg,
        mps,
        multiprocessing,
        nn,
        optim,
        profiler,
        random,
        serialization,
        signal,
        special,
        utils,
        version,
        xpu,
    )
    from rushlight.amp import autocast
    from rushlight.compiler import compile
    from rushlight.func import vmap
    from rushlight.printing import set_printoptions
    from rushlight.serialization import load, save

__all__ = [
    "Generator",
    "OutOfMemoryError",
    "Size",
    "Tensor",
    "__version__",
    "accelerator",
    "amp",
    "autocast",
    "autograd",
    "backends",
    "bfloat16",
    "bool",
    "can_cast",
    "channels_last",
    "channels_last_3d",
    "compile",
    "compiler",
    "contiguous_format",
    "cuda",
    "default_generator",
    "device",
    "distributions",
    "distributed",
    "double",
    "dtype",
    "enable_grad",
    "finfo",
    "float",
    "float16",
    "float32",
    "float64",
    "fork_rng",
    "func",
    "get_default_dtype",
    "get_num_threads",
    "get_rng_state",
    "half",
    "hub",
    "iinfo",
    "inference_mode",
    "initial_seed",
    "int",
    "int16",
    "int32",
    "int64",
    "int8",
    "is_grad_enabled",
    "linalg",
    "is_inference_mode_enabled",
    "jit",
    "layout",
    "load",
    "long",
    "manual_seed",
    "memory_format",
    "mps",
    "multiprocessing",
    "nn",
    "no_grad",
    "optim",
    "preserve_format",
    "profiler",
    "promote_types",
    "random",
    "save",
    "seed",
    "serialization",
    "set_default_dtype",
    "set_grad_enabled",
    "set_num_threads",
    "set_printoptions",
    "set_rng_state",
    "short",
    "signal",
    "special",
    "strided",
    "uint16",
    "uint32",
    "uint64",
    "uint8",
    "utils",
    "version",
    "vmap",
    "xpu",
    *names(),
]

# Imported at first use: a program that does not need them should not wait for them.
_LAZY_MODULES = (
    "accelerator",
    "amp",
    "backends",
    "compiler",
    "cpu",
    "cuda",
    "distributed",
    "distributions",
    "func",
    "hub",
    "jit",
    "linalg",
    "mps",
    "multiprocessing",
    "nn",
    "optim",
    "profiler",
    "serialization",
    "signal",
    "special",
    "utils",
    "version",
    "xpu",
)
_LAZY_NAMES = {
    **dict.fromkeys(("load", "save"), "rushlight.serialization"),
    **dict.fromkeys(
        (
            "autocast",
            "clear_autocast_cache",
            "get_autocast_cpu_dtype",
            "get_autocast_dtype",
            "get_autocast_gpu_dtype",
            "is_autocast_cache_enabled",
            "is_autocast_cpu_enabled",
            "is_autocast_enabled",
            "set_autocast_cache_enabled",
            "set_autocast_dtype",
            "set_autocast_enabled",
        ),
        "rushlight.amp.autocast_mode",
    ),
    **dict.fromkeys(
        (
            "are_deterministic_algorithms_enabled",
            "get_deterministic_debug_mode",
            "get_float32_matmul_precision",
            "get_num_interop_threads",
            "is_deterministic_algorithms_warn_only_enabled",
            "set_deterministic_debug_mode",
            "set_float32_matmul_precision",
            "set_num_interop_threads",
            "use_deterministic_algorithms",
        ),
        "rushlight.settings",
    ),
    "compile": "rushlight.compiler",
    "set_default_tensor_type": "rushlight.legacy",
    "set_printoptions": "rushlight.printing",
    **{f"{name}Tensor": "rushlight.legacy" for name in dtypes.LEGACY_NAMES.values()},
    "vmap": "rushlight.func",
}


def __getattr__(name: str) -> Any:
    value: Any
    if name in _LAZY_MODULES:
        value = importlib.import_module(f"rushlight.{name}")
    elif name in dtypes.UNSUPPORTED:
        value = getattr(dtypes, name)
    elif name in _LAZY_NAMES:
        value = getattr(importlib.import_module(_LAZY_NAMES[name]), name)
    else:
        value = find(name)
        if value is None:
            raise AttributeError(f"rushlight has no torch.{name}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *_LAZY_MODULES, *_LAZY_NAMES})


del _differentiate
