"""`autocast`: a block in which operations choose the type they compute in."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from rushlight.autograd.autocast import blocks, lower_type, state
from rushlight.devices import device
from rushlight.dtypes import dtype
from rushlight.tensor import Tensor

__all__ = [
    "autocast",
    "clear_autocast_cache",
    "custom_bwd",
    "custom_fwd",
    "get_autocast_cpu_dtype",
    "get_autocast_dtype",
    "get_autocast_gpu_dtype",
    "is_autocast_available",
    "is_autocast_cache_enabled",
    "is_autocast_cpu_enabled",
    "is_autocast_enabled",
    "set_autocast_cache_enabled",
    "set_autocast_dtype",
    "set_autocast_enabled",
]

F = TypeVar("F", bound=Callable[..., Any])
_LOWER_TYPES = ("bfloat16", "float16")


class autocast:  # noqa: N801 - PyTorch's name
    """A ``with`` block, or a decorator, in which products take a shorter type and losses float32.

    Args:
        device_type: ``"cpu"`` or ``"cuda"``.
        dtype: ``bfloat16`` or ``float16``; when None the first for the CPU, the second for CUDA.
        enabled: False makes a block without casts, also inside of another.
        cache_enabled: keep the casts of parameters until the outermost block ends.

    Raises:
        ValueError: `device_type` is no str.
        RuntimeError: for another device.
    """

    def __init__(
        self,
        device_type: str,
        dtype: dtype | None = None,
        enabled: bool = True,
        cache_enabled: bool | None = None,
    ) -> None:
        _check_kind(device_type)
        self.device = device_type
        self.fast_dtype = lower_type(device_type) if enabled and dtype is None else dtype
        self._enabled = bool(enabled) and self._can_be_enabled()
        self._cache_enabled = cache_enabled
        self._outer: list[tuple[Any, ...]] = []

    def _can_be_enabled(self) -> bool:
        name = getattr(self.fast_dtype, "name", None)
        if self.device == "cuda":
            from rushlight import cuda

            if not cuda.is_available():
                warnings.warn(
                    "User provided device_type of 'cuda', but CUDA is not available. Disabling",
                    stacklevel=3,
                )
                return False
        if name not in _LOWER_TYPES:
            where = "CPU" if self.device == "cpu" else "CUDA"
            warnings.warn(
                f"In {where} autocast, but the target dtype is not supported. Disabling autocast.\n"
                f"{where} Autocast only supports dtype of torch.bfloat16, torch.float16 currently.",
                stacklevel=3,
            )
            return False
        return True

    def __enter__(self) -> autocast:
        kind = self.device
        self._outer.append((state.enabled[kind], state.types[kind], state.cache_enabled))
        state.enabled[kind] = self._enabled
        if self.fast_dtype is not None:
            state.types[kind] = self.fast_dtype.name
        if self._cache_enabled is not None:
            state.cache_enabled = self._cache_enabled
        state.depth += 1
        blocks.add(1)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        blocks.add(-1)
        state.depth -= 1
        if state.depth == 0:
            state.cache.clear()
        outer = self._outer.pop()
        state.enabled[self.device], state.types[self.device], state.cache_enabled = outer

    def __call__(self, func: F) -> F:
        """Decorate a function, so that it runs in the block."""

        @functools.wraps(func)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self:
                return func(*args, **kwargs)

        return decorated  # type: ignore[return-value]


def _check_kind(device_type: Any) -> None:
    if not isinstance(device_type, str):
        raise ValueError(f"Expected `device_type` of type `str`, got: `{type(device_type)}`")
    if device_type not in state.enabled:
        raise RuntimeError(f"User specified an unsupported autocast device_type '{device_type}'")


# ---- The state, as functions ----


def is_autocast_available(device_type: str) -> bool:
    """Whether there is autocast for a kind of device."""
    return device_type in state.enabled


def is_autocast_enabled(device_type: str = "cuda") -> bool:
    """Whether operations cast on a kind of device."""
    _check_kind(device_type)
    return state.enabled[device_type]


def set_autocast_enabled(device_type: str, enabled: bool) -> None:
    """Make operations cast on a kind of device, or not; `autocast` takes it back at its end."""
    _check_kind(device_type)
    blocks.add(int(enabled) - int(state.enabled[device_type]))
    state.enabled[device_type] = bool(enabled)


def get_autocast_dtype(device_type: str) -> dtype:
    """The type that products take on a kind of device."""
    _check_kind(device_type)
    return lower_type(device_type)


def set_autocast_dtype(device_type: str, dtype: dtype) -> None:
    """Set the type that products take on a kind of device."""
    _check_kind(device_type)
    state.types[device_type] = dtype.name


def is_autocast_cpu_enabled() -> bool:
    """Whether operations cast on the CPU."""
    return state.enabled["cpu"]


def get_autocast_cpu_dtype() -> dtype:
    """The type that products take on the CPU."""
    return lower_type("cpu")


def get_autocast_gpu_dtype() -> dtype:
    """The type that products take on CUDA devices."""
    return lower_type("cuda")


def is_autocast_cache_enabled() -> bool:
    """Whether casts of parameters are kept."""
    return state.cache_enabled


def set_autocast_cache_enabled(enabled: bool) -> None:
    """Keep casts of parameters, or not."""
    state.cache_enabled = enabled


def clear_autocast_cache() -> None:
    """Drop the casts that are kept."""
    state.cache.clear()


# ---- For functions with derivatives of their own ----


def custom_fwd(
    fwd: Any = None, *, device_type: str = "cuda", cast_inputs: dtype | None = None
) -> Any:
    """Decorate the forward method of an ``autograd.Function``.

    Args:
        fwd: the method; None makes a decorator.
        device_type: the kind of device it is for.
        cast_inputs: inside of autocast give it floating tensors of this type, and do not cast; None
            leaves it as the block says.
    """
    if fwd is None:
        return functools.partial(custom_fwd, device_type=device_type, cast_inputs=cast_inputs)

    @functools.wraps(fwd)
    def decorated(ctx: Any, *args: Any, **kwargs: Any) -> Any:
        ctx._dtype = get_autocast_dtype(device_type)
        ctx._fwd_used_autocast = is_autocast_enabled(device_type)
        if cast_inputs is None or not ctx._fwd_used_autocast:
            return fwd(ctx, *args, **kwargs)
        ctx._fwd_used_autocast = False
        with autocast(device_type, enabled=False):
            return fwd(
                ctx,
                *(_floating_to(cast_inputs, arg, device_type) for arg in args),
                **{k: _floating_to(cast_inputs, arg, device_type) for k, arg in kwargs.items()},
            )

    return decorated


def custom_bwd(bwd: Any = None, *, device_type: str = "cuda") -> Any:
    """Decorate the backward method, which then casts as the forward method did."""
    if bwd is None:
        return functools.partial(custom_bwd, device_type=device_type)

    @functools.wraps(bwd)
    def decorated(ctx: Any, *args: Any) -> Any:
        with autocast(device_type, enabled=ctx._fwd_used_autocast, dtype=ctx._dtype):
            return bwd(ctx, *args)

    return decorated


def _floating_to(target: dtype, value: Any, kind: str) -> Any:
    if isinstance(value, Tensor):
        fits = value.is_floating_point() and device(value.device).type == kind
        return value.to(target) if fits and str(value.dtype) != "torch.float64" else value
    if isinstance(value, (list, tuple)):
        return type(value)(_floating_to(target, part, kind) for part in value)
    if isinstance(value, dict):
        return {key: _floating_to(target, part, kind) for key, part in value.items()}
    return value
