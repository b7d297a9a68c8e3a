"""Tensors from data, from a rule, or from nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np

from rushlight import dtypes, errors
from rushlight.backend import cpu, device_kernels, kernels_of
from rushlight.devices import device as Device  # noqa: N812 - `device` is an argument's name
from rushlight.ops._arguments import sizes_of
from rushlight.ops._registry import composed
from rushlight.tensor import Tensor, refuse


def finish(
    array: Any,
    device: Any = None,
    requires_grad: bool = False,
    **options: Any,
) -> Tensor:
    """A tensor over a new array: moved to its device, with the options every constructor takes.

    Raises:
        NotImplementedError: for an option with a value that is not supported.
    """
    _check_options(options)
    if device is not None and Device(device).type != "cpu":
        array = device_kernels(device).asarray(array)
    tensor = Tensor._wrap(array)
    if requires_grad:
        if not tensor.is_floating_point():
            raise errors.integers_with_grad()
        tensor.requires_grad = True
    return tensor


def _check_options(options: dict[str, Any]) -> None:
    for name, value in options.items():
        if name in ("pin_memory", "memory_format", "generator", "names"):
            if value:
                refuse(name, value)
        elif name == "layout":
            if value is not None and "strided" not in str(value):
                refuse(name, value)
        elif name == "out":
            if value is not None:
                refuse(name, "Tensor")
        else:
            raise TypeError(f"got an unexpected keyword argument '{name}'")


def _kind(dtype: dtypes.dtype | None) -> np.dtype[Any]:
    return (dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)).numpy


def _full(
    size: tuple[int, ...], value: Any, kind: np.dtype[Any], options: dict[str, Any]
) -> Tensor:
    device = options.pop("device", None)
    kernels = device_kernels("cpu" if device is None else device)
    requires_grad = options.pop("requires_grad", False)
    return finish(kernels.full(size, value, kind), None, requires_grad, **options)


@composed(method=False)
def zeros(*size: int | Sequence[int], dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
    """A tensor of zeros; options: device, requires_grad."""
    return _full(sizes_of(size), 0, _kind(dtype), options)


@composed(method=False)
def ones(*size: int | Sequence[int], dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
    """A tensor of ones; options: device, requires_grad."""
    return _full(sizes_of(size), 1, _kind(dtype), options)


@composed(method=False)
def full(
    size: Sequence[int], fill_value: Any, *, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """A tensor of one value, whose type is the dtype's default."""
    value = fill_value.item() if isinstance(fill_value, Tensor) else fill_value
    kind = _kind(dtype) if dtype is not None else _type_of_number(value)
    return _full(tuple(size), value, kind, options)


def _type_of_number(value: Any) -> np.dtype[Any]:
    if isinstance(value, bool):
        return dtypes.bool.numpy
    return dtypes.int64.numpy if isinstance(value, int) else _kind(None)


@composed(method=False)
def empty(*size: int | Sequence[int], dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
    """A tensor of undefined contents; options: device, requires_grad."""
    device = options.pop("device", None)
    kernels = device_kernels("cpu" if device is None else device)
    return finish(kernels.empty(sizes_of(size), _kind(dtype)), None, **options)


def _like(name: str, value: Any) -> None:
    def like(input: Tensor, *, dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
        options.setdefault("device", input.device)
        kind = input._array.dtype if dtype is None else _kind(dtype)
        return _full(input._array.shape, value, kind, options)

    like.__name__ = like.__qualname__ = f"{name}_like"
    like.__doc__ = f"A tensor of {name}, with the shape, dtype and device of `input`."
    composed(method=False)(like)

    def new(
        self: Tensor, *size: int | Sequence[int], dtype: dtypes.dtype | None = None, **options: Any
    ) -> Tensor:
        options.setdefault("device", self.device)
        kind = self._array.dtype if dtype is None else _kind(dtype)
        return _full(sizes_of(size), value, kind, options)

    new.__name__ = f"new_{name}"
    new.__doc__ = f"A tensor of {name}, with the dtype and device of this one."
    setattr(Tensor, new.__name__, new)


_like("zeros", 0)
_like("ones", 1)


@composed(method=False)
def empty_like(input: Tensor, *, dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
    """A tensor of undefined contents, with the shape, dtype and device of `input`."""
    options.setdefault("device", input.device)
    return empty(input.shape, dtype=input.dtype if dtype is None else dtype, **options)


@composed(method=False)
def full_like(
    input: Tensor, fill_value: Any, *, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """A tensor of one value, with the shape, dtype and device of `input`."""
    options.setdefault("device", input.device)
    return full(input.shape, fill_value, dtype=input.dtype if dtype is None else dtype, **options)


@composed(name="new_full")
def new_full(
    input: Tensor,
    size: Sequence[int],
    fill_value: Any,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """A tensor of one value, with the dtype and device of this one."""
    options.setdefault("device", input.device)
    return full(size, fill_value, dtype=input.dtype if dtype is None else dtype, **options)


@composed()
def new_tensor(
    input: Tensor, data: Any, *, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """A tensor of `data`, with the dtype and device of this one."""
    options.setdefault("device", input.device)
    return tensor(data, dtype=input.dtype if dtype is None else dtype, **options)


@composed()
def new_empty(
    input: Tensor, *size: int | Sequence[int], dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """A tensor of undefined contents, with the dtype and device of this one."""
    options.setdefault("device", input.device)
    return empty(*size, dtype=input.dtype if dtype is None else dtype, **options)


# ---- From data ----


def _array_of(data: Any, dtype: dtypes.dtype | None) -> np.ndarray[Any, Any]:
    """A new array of nested sequences, numbers, tensors or NumPy arrays."""
    kind = None if dtype is None else _kind(dtype)
    if isinstance(data, Tensor):
        data = data.detach().numpy(force=True)
    if isinstance(data, np.ndarray | np.generic):
        array = np.array(data)
        dtypes.of_numpy(array.dtype)
        return array if kind in (None, array.dtype) else cpu.cast(array, kind)
    data = _plain(data)
    try:
        array = np.array(data)
    except ValueError as error:
        raise ValueError(f"expected sequence of equal length: {error}") from None
    if array.dtype.kind not in "biufV":
        _refuse_data(data, array.dtype.kind)
    if dtype is not None:
        return _fitting(array, dtypes.of(dtype))
    if array.dtype.kind in "fV":
        return _converted(array, _kind(None))
    return _fitting(array, dtypes.bool if array.dtype.kind == "b" else dtypes.int64)


def _refuse_data(data: Any, kind: str) -> NoReturn:
    """Raises for data that NumPy takes for no numbers."""
    if kind == "c":
        raise NotImplementedError("tensor(): complex data is not supported")
    if kind in "US":
        if isinstance(data, list):
            raise ValueError(f"too many dimensions '{type(_first(data)).__name__}'")
        raise TypeError(f"new(): invalid data type '{type(data).__name__}'")
    raise RuntimeError(f"Could not infer dtype of {type(_first(data)).__name__}")


def _converted(array: np.ndarray[Any, Any], kind: np.dtype[Any]) -> np.ndarray[Any, Any]:
    """The array in another type, by the kernels' rules; in memory of its own."""
    return array if array.dtype == kind else cpu.cast(array, kind)


def _fitting(array: np.ndarray[Any, Any], dtype: dtypes.dtype) -> np.ndarray[Any, Any]:
    """Python's numbers in a given type.

    Raises:
        RuntimeError: for one that an integer type cannot hold; a negative one wraps in an unsigned
            type.
        ValueError: for one of more than 63 bits, but in uint64.
    """
    if array.dtype == dtypes.uint64.numpy and dtype.numpy.kind in "iu" and dtype.name != "uint64":
        raise ValueError("Overflow when unpacking long long")
    if dtype.numpy.kind in "iu" and array.size and array.dtype != dtype.numpy:
        limits = dtypes.iinfo(dtype)
        least = limits.min if dtype.is_signed else -limits.max
        if not least <= array.min().item() <= array.max().item() <= limits.max:
            raise RuntimeError(f"value cannot be converted to type {dtype.name} without overflow")
    return _converted(array, dtype.numpy)


def _plain(data: Any) -> Any:
    """Nested sequences with the tensors among them as numbers or lists."""
    if isinstance(data, Tensor):
        return data.detach().numpy(force=True)
    if isinstance(data, list | tuple | range):
        return [_plain(item) for item in data]
    return data


def _first(data: Any) -> Any:
    while isinstance(data, list) and data:
        data = data[0]
    return data


@composed(method=False)
def tensor(
    data: Any,
    *,
    dtype: dtypes.dtype | None = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor with a copy of `data`: numbers, nested sequences, NumPy arrays or tensors.

    Python floats give the default dtype, ints int64, bools bool; arrays keep their type.
    """
    return finish(_array_of(data, dtype), device, requires_grad, pin_memory=pin_memory)


@composed(method=False)
def as_tensor(data: Any, dtype: dtypes.dtype | None = None, device: Any = None) -> Tensor:
    """`data` as a tensor, sharing its memory where that is possible."""
    if isinstance(data, np.ndarray):
        data = from_numpy(data)
    elif not isinstance(data, Tensor):
        return tensor(data, dtype=dtype, device=device)
    return data.to(dtype=dtype, device=device)  # type: ignore[no-any-return]


@composed(method=False)
def from_numpy(ndarray: np.ndarray[Any, Any]) -> Tensor:
    """A tensor that shares the memory of a NumPy array.

    Raises:
        TypeError: for what is no array, and for a type that no tensor can have.
        ValueError: for negative strides, or a byte order that is not the machine's.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if any(s < 0 for s in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
    if not ndarray.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. "
            "Conversion between byte orders is currently not supported."
        )
    dtypes.of_numpy(ndarray.dtype)
    if not ndarray.flags.aligned:
        raise ValueError("given numpy array is not aligned; make a copy with array.copy()")
    return Tensor._wrap(ndarray.view(np.ndarray))


@composed(method=False)
def arange(
    start: Any,
    end: Any = None,
    step: Any = 1,
    *,
    dtype: dtypes.dtype | None = None,
    **options: Any,
) -> Tensor:
    """``start + i * step`` for every i that stays before `end`; int64 unless a bound is a float."""
    if end is None:
        start, end = 0, start
    bounds = [b.item() if isinstance(b, Tensor) else b for b in (start, end, step)]
    if bounds[2] == 0:
        raise RuntimeError("step must be nonzero")
    if (bounds[1] - bounds[0]) * bounds[2] < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is None:
        floating = any(isinstance(b, float) for b in bounds)
        dtype = dtypes.get_default_dtype() if floating else dtypes.int64
    dtype = dtypes.of(dtype)
    first, step = bounds[0], bounds[2]
    count = int(np.ceil((bounds[1] - first) / step))
    if dtype.is_floating_point:
        array = first + np.arange(count, dtype=np.float64) * step
    else:
        array = int(first) + np.arange(count) * int(step)
    array = _converted(array, dtype.numpy)
    return finish(array, **options)


@composed(method=False)
def linspace(
    start: float, end: float, steps: int, *, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """`steps` numbers at equal distances from `start` to `end`, both included."""
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    kind = _kind(dtype)
    # From both ends inwards, in the result's type, as PyTorch computes it.
    step = kind.type(end - start) / kind.type(max(steps - 1, 1))
    index = _converted(np.arange(steps), kind)
    upper = kind.type(end) - step * kind.type(1) * (steps - 1 - index)
    lower = kind.type(start) + step * index
    array = np.where(index < steps // 2, lower, upper) if steps > 1 else np.full(steps, start)
    return finish(_converted(array, kind), **options)


@composed(method=False)
def eye(
    n: int, m: int | None = None, *, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """The ``(n, m)`` matrix with ones on its diagonal, zeros elsewhere."""
    return finish(np.eye(n, m, dtype=_kind(dtype)), **options)


@composed(method=False)
def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


@composed(method=False)
def numel(input: Tensor) -> int:
    """The number of elements."""
    return input.numel()


@composed(method=False)
def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype of arithmetic between two operands, tensors or numbers."""
    operands = [x._array if isinstance(x, Tensor) else x for x in (tensor1, tensor2)]
    return dtypes.of_numpy(kernels_of(*operands).result_type(*operands))
