"""The names in a checkpoint's pickle, and what they stand for here.

A checkpoint names PyTorch's functions and classes. Nothing of these names is imported: each stands
in this table, or among those that the user has called safe, or is refused.
"""

from __future__ import annotations

import pickle
from _compat_pickle import IMPORT_MAPPING, NAME_MAPPING
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from rushlight import dtypes
from rushlight.devices import device
from rushlight.nn.parameter import Parameter
from rushlight.size import Size
from rushlight.tensor import Tensor

from ._storage import STORAGE_NAMES, StorageType, tensor_over

__all__ = ["CONSTANTS", "FUNCTIONS", "full_name", "safe_objects"]

_BLOCKED = frozenset({"sys", "os", "posix", "nt"})


# ---- How tensors are rebuilt ----


def rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any) -> Tensor:
    """A tensor over a storage, as PyTorch before 0.4 saved it."""
    return tensor_over(storage, offset, size, stride)


def rebuild_tensor_v2(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    backward_hooks: Any,
    metadata: Any = None,
) -> Tensor:
    """A tensor over a storage."""
    return _marked(tensor_over(storage, offset, size, stride), requires_grad)


def rebuild_tensor_v3(
    storage: Any,
    offset: Any,
    size: Any,
    stride: Any,
    requires_grad: Any,
    backward_hooks: Any,
    dtype: Any,
    metadata: Any = None,
) -> Tensor:
    """A tensor over a storage of bytes."""
    return _marked(tensor_over(storage, offset, size, stride, dtype), requires_grad)


def rebuild_parameter(data: Any, requires_grad: Any, backward_hooks: Any) -> Parameter:
    """A parameter over the memory of a tensor."""
    if not isinstance(data, Tensor):
        raise pickle.UnpicklingError(f"a parameter needs a tensor, got {type(data).__name__}")
    return Parameter(data, bool(requires_grad))


def rebuild_parameter_with_state(
    data: Any, requires_grad: Any, backward_hooks: Any, state: Any
) -> Parameter:
    """A parameter with attributes."""
    parameter: Parameter = set_state(rebuild_parameter(data, requires_grad, backward_hooks), state)
    return parameter


def rebuild_from_type(function: Any, kind: Any, args: Any, state: Any) -> Any:
    """A tensor with attributes."""
    if function not in (rebuild_tensor_v2, rebuild_tensor_v3) or kind not in (Tensor, Parameter):
        raise pickle.UnpicklingError(f"a tensor of type {kind!r:.80} is not supported")
    result = function(*args)
    if kind is Parameter:
        result = Parameter(result, result.requires_grad)
    return set_state(result, state)


def set_state(tensor: Any, state: Any) -> Any:
    """Give a tensor its attributes back."""
    if isinstance(state, tuple) and len(state) == 2 and not state[1]:
        state = state[0]
    if state is not None and not isinstance(state, dict):
        raise pickle.UnpicklingError("a tensor's attributes must be a dict")
    for key, value in (state or {}).items():
        if not isinstance(key, str) or key == "_grad" or hasattr(type(tensor), key):
            raise pickle.UnpicklingError(f"a tensor has no attribute {key!r:.80} of its own")
        tensor.__dict__[key] = value
    return tensor


def _marked(tensor: Tensor, requires_grad: Any) -> Tensor:
    if requires_grad:
        if not tensor.is_floating_point():
            raise pickle.UnpicklingError(f"a tensor of {tensor.dtype} cannot require gradients")
        tensor.requires_grad = True
    return tensor


# ---- Plain objects ----


_KEYS = (bool, bytes, complex, dtypes.dtype, float, int, str, type(None))


def check_keys(keys: Any) -> None:
    """Raise for keys whose hash might not end: tuples of tuples, shared, may double each time."""
    for key in keys:
        parts = key if type(key) is tuple else (key,)
        if not all(isinstance(part, _KEYS) for part in parts):
            raise pickle.UnpicklingError(f"a key of type {type(key)} is not supported")


def _encoded(text: Any, encoding: Any) -> bytes:
    """How protocol 2 spells bytes."""
    if encoding not in ("latin1", "latin-1") or not isinstance(text, str):
        raise pickle.UnpicklingError(f"encoding {encoding!r:.80} is not supported")
    return text.encode("latin1")


def _bytearray(text: Any = "", encoding: Any = "latin-1") -> bytearray:
    return bytearray(text if isinstance(text, bytes) else _encoded(text, encoding))


def _set(items: Any = ()) -> set[Any]:
    check_keys(items)
    return set(items)


def _ordered_dict(items: Any = ()) -> OrderedDict[Any, Any]:
    result: OrderedDict[Any, Any] = OrderedDict()
    for key, value in items:
        check_keys([key])
        result[key] = value
    return result


def _counter(counts: Any = None) -> Counter[Any]:
    if not isinstance(counts, dict | None):
        raise pickle.UnpicklingError("a Counter needs a dict")
    return Counter(counts)


# What a checkpoint may call.
FUNCTIONS: dict[str, Any] = {
    "collections.OrderedDict": _ordered_dict,
    "collections.Counter": _counter,
    "builtins.bytearray": _bytearray,
    "builtins.complex": complex,
    "builtins.set": _set,
    "_codecs.encode": _encoded,
    "torch.Size": Size,
    "torch.device": device,
    "torch._utils._rebuild_tensor": rebuild_tensor,
    "torch._utils._rebuild_tensor_v2": rebuild_tensor_v2,
    "torch._utils._rebuild_tensor_v3": rebuild_tensor_v3,
    "torch._utils._rebuild_parameter": rebuild_parameter,
    "torch._utils._rebuild_parameter_with_state": rebuild_parameter_with_state,
    "torch._tensor._rebuild_from_type_v2": rebuild_from_type,
}
# What it may name besides.
CONSTANTS: dict[str, Any] = {
    "torch.Tensor": Tensor,
    "torch.nn.parameter.Parameter": Parameter,
    "torch.storage.UntypedStorage": StorageType(None),
    **{f"torch.{d.name}": d for d in dtypes.ALL},
    **{
        f"torch.{STORAGE_NAMES[d.name]}": StorageType(d)
        for d in dtypes.ALL
        if d.name in STORAGE_NAMES
    },
}


# ---- What the user calls safe ----

_safe: list[Any] = []


def add_safe_globals(safe_globals: Iterable[Any]) -> None:
    """Let checkpoints that are loaded with ``weights_only=True`` name these as well.

    Args:
        safe_globals: functions and classes, or pairs of one and the full name that stands for it.
            What a checkpoint makes of them is not restricted: only trust what can do no harm.
    """
    for entry in safe_globals:
        if entry not in _safe:
            _safe.append(entry)


def get_safe_globals() -> list[Any]:
    """Return what `add_safe_globals` was given."""
    return list(_safe)


def clear_safe_globals() -> None:
    """Forget what `add_safe_globals` was given."""
    _safe.clear()


@contextmanager
def safe_globals(safe_globals: Iterable[Any]) -> Iterator[None]:
    """Do what `add_safe_globals` does, inside of a ``with`` block."""
    before = list(_safe)
    add_safe_globals(safe_globals)
    try:
        yield
    finally:
        _safe[:] = before


def safe_objects() -> dict[str, Any]:
    """Return what the user calls safe, by its full name.

    Raises:
        ValueError: for a tuple that is no pair.
        TypeError: for a name that is no str.
    """
    named = {}
    for entry in _safe:
        if not isinstance(entry, tuple):
            name = f"{entry.__module__}.{entry.__qualname__}"
            named[name] = entry
            if name.startswith("rushlight."):  # what PyTorch has saved names PyTorch's
                named[f"torch.{name.removeprefix('rushlight.')}"] = entry
            continue
        if len(entry) != 2:
            raise ValueError(
                "Expected tuple of length 2 (global, str of callable full path), but got tuple of "
                f"length: {len(entry)}"
            )
        if not isinstance(entry[1], str):
            raise TypeError(
                "Expected second item in tuple to be str of callable full path, but got: "
                f"{type(entry[1])}"
            )
        named[entry[1]] = entry[0]
    return named


def full_name(module: str, name: str) -> str:
    """The full name that Python 3 gives to what a pickle of protocol 2 names.

    Raises:
        UnpicklingError: for a name in a module that runs programs.
    """
    module, name = NAME_MAPPING.get((module, name), (IMPORT_MAPPING.get(module, module), name))
    if module in _BLOCKED:
        raise pickle.UnpicklingError(
            f"Trying to load unsupported GLOBAL {module}.{name} whose module {module} is blocked."
        )
    return f"{module}.{name}"
