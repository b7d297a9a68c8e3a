"""Memory shared with other libraries: DLPack, buffers, NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from rushlight import dtypes
from rushlight.backend import device_kernels
from rushlight.devices import device as Device  # noqa: N812 - `device` is an argument's name
from rushlight.ops._registry import composed
from rushlight.ops.creation import from_numpy, tensor
from rushlight.tensor import Tensor

# ---- DLPack ----

_CPU = 1  # of the protocol's device types


class _Capsule:
    """A capsule as an object that gives it away."""

    def __init__(self, capsule: Any) -> None:
        self._capsule = capsule

    def __dlpack__(self, **_: Any) -> Any:
        return self._capsule

    def __dlpack_device__(self) -> tuple[int, int]:
        return _CPU, 0


@composed(method=False)
def from_dlpack(ext_tensor: Any, *, device: Any = None, copy: bool | None = None) -> Tensor:
    """A tensor that shares the memory of another library's array.

    Args:
        ext_tensor: an object with ``__dlpack__``, or a capsule, which can be used once, of memory
            on the CPU.
        device: where the result is wanted; elsewhere than the array, it is a copy.
        copy: True: always a copy, False: never one.

    Raises:
        BufferError: for an array that the protocol cannot describe.
        ValueError: for a copy that is needed and ruled out.
    """
    if type(ext_tensor).__name__ == "PyCapsule":
        ext_tensor = _Capsule(ext_tensor)
    if not hasattr(ext_tensor, "__dlpack__"):
        raise RuntimeError(
            "from_dlpack received an invalid capsule. Note that DLTensor capsules can be consumed "
            "only once, so you might have already constructed a tensor from it once."
        )
    kind, _ = ext_tensor.__dlpack_device__()
    if kind == _CPU:
        array = np.from_dlpack(ext_tensor)
        dtypes.of_numpy(array.dtype)
    else:
        array = device_kernels("cuda").from_dlpack(ext_tensor)
    result = Tensor._wrap(array)
    if device is not None and Device(device).type != result.device.type:
        if copy is False:
            raise ValueError(f"cannot move (i.e. copy) tensor from {result.device} to {device}")
        return result.to(device)
    return result.clone() if copy else result


def _dlpack(
    self: Tensor,
    *,
    stream: Any = None,
    max_version: tuple[int, int] | None = None,
    dl_device: tuple[int, int] | None = None,
    copy: bool | None = None,
) -> Any:
    """A capsule of the DLPack protocol over this tensor's memory.

    Raises:
        BufferError: for a tensor that requires grad, and for a type that the protocol lacks.
    """
    if self.requires_grad:
        raise BufferError("Can't export tensors that require gradient, use tensor.detach()")
    return self._array.__dlpack__(
        stream=stream, max_version=max_version, dl_device=dl_device, copy=copy
    )


def _dlpack_device(self: Tensor) -> Any:
    """The device type and ordinal by DLPack's numbers."""
    return self._array.__dlpack_device__()


@composed(method=False)
def to_dlpack(tensor: Tensor) -> Any:
    """A capsule over the tensor's memory, which can be used once."""
    return _dlpack(tensor)


Tensor.__dlpack__ = _dlpack  # type: ignore[attr-defined]
Tensor.__dlpack_device__ = _dlpack_device  # type: ignore[attr-defined]


# ---- Buffers ----


@composed(method=False)
def frombuffer(
    buffer: Any,
    *,
    dtype: dtypes.dtype,
    count: int = -1,
    offset: int = 0,
    requires_grad: bool = False,
) -> Tensor:
    """A vector that shares the memory of an object with Python's buffer protocol.

    Args:
        buffer: the object; where its memory is read-only, so is the tensor's.
        dtype: what its bytes are read as.
        count: of elements; -1: all that follow.
        offset: of the first element, in bytes.
        requires_grad: of the result.

    Raises:
        ValueError: for an object without the protocol, and for bounds outside of it.
    """
    try:
        size = memoryview(buffer).nbytes
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    item = dtype.itemsize
    if size == 0 or count == 0:
        raise ValueError(f"both buffer length ({size}) and count ({count}) must not be 0")
    if not 0 <= offset < size:
        raise ValueError(
            f"offset ({offset} bytes) must be non-negative and no greater than buffer length "
            f"({size} bytes) minus 1"
        )
    if count < 0 and (size - offset) % item:
        raise ValueError(
            f"buffer length ({size - offset} bytes) after offset ({offset} bytes) must be a "
            f"multiple of element size ({item})"
        )
    if count > 0 and count * item > size - offset:
        raise ValueError(
            f"requested buffer length ({count} * {item} bytes) after offset ({offset} bytes) must "
            f"not be greater than actual buffer length ({size} bytes)"
        )
    result = Tensor._wrap(np.frombuffer(buffer, dtype.numpy, count, offset))
    result.requires_grad = requires_grad
    return result


def _has_buffer(obj: Any) -> bool:
    try:
        memoryview(obj)
    except TypeError:
        return False
    return True


# ---- Anything ----


@composed(method=False)
def asarray(
    obj: Any,
    *,
    dtype: dtypes.dtype | None = None,
    device: Any = None,
    copy: bool | None = None,
    requires_grad: bool | None = None,
) -> Tensor:
    """`obj` as a tensor, sharing its memory where that is possible.

    Args:
        obj: a tensor, a NumPy array, an object with DLPack or a buffer, a number or a sequence.
        dtype: another type is a copy.
        device: another device is a copy.
        copy: True: always a copy, False: never one.
        requires_grad: of the result; None: that of `obj`.

    Raises:
        ValueError: for a copy that is needed and ruled out.
    """
    shared = True
    if isinstance(obj, Tensor):
        result = obj
    elif isinstance(obj, np.ndarray):
        result = from_numpy(obj)
    elif hasattr(obj, "__dlpack__") and not isinstance(obj, np.generic):
        result = from_dlpack(obj)
    elif _has_buffer(obj) and not isinstance(obj, np.generic):
        kind = dtypes.get_default_dtype() if dtype is None else dtype
        result = frombuffer(obj, dtype=kind)
    else:
        if copy is False:
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        result, shared = tensor(obj, dtype=dtype), False
    if copy is False:
        _check_aliasing(result, dtype, device)
    moved = result.to(dtype=dtype, device=device)
    if copy and shared and moved is result:
        moved = result.clone()
    if requires_grad is False and moved.requires_grad:
        return moved.detach()
    if requires_grad and not moved.requires_grad:
        moved.requires_grad_()
    return moved


def _check_aliasing(source: Tensor, dtype: dtypes.dtype | None, device: Any) -> None:
    if device is not None and Device(device).type != source.device.type:
        raise ValueError(f"can't alias tensor from device '{source.device}' to '{Device(device)}'.")
    if dtype is not None and dtype is not source.dtype:
        names = [dtypes.LEGACY_NAMES[d.name] for d in (source.dtype, dtype)]
        raise ValueError(f"can't alias tensor with dtype '{names[0]}' into dtype '{names[1]}'.")


def _array_wrap(
    self: Tensor, array: Any, context: Any = None, return_scalar: bool = False
) -> Tensor:
    """The result of a function of NumPy as a tensor."""
    return from_numpy(np.asarray(array))


Tensor.__array_wrap__ = _array_wrap  # type: ignore[attr-defined]
