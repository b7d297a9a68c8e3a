"""Tensors from data, from a rule, or from nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NoReturn

import numpy as np

from rushlight import dtypes, errors
from rushlight.backend import cpu, device_kernels
from rushlight.backend.common import number_for
from rushlight.devices import device as Device  # noqa: N812 - `device` is an argument's name
from rushlight.layouts import Order, dense_order, inverse, order_of, preserve_format, strided
from rushlight.layouts import memory_format as MemoryFormat  # noqa: N812 - an argument's name
from rushlight.ops._arguments import sizes_of, written
from rushlight.ops._registry import composed
from rushlight.size import Size
from rushlight.tensor import Tensor, refuse


def finish(
    array: Any,
    device: Any = None,
    requires_grad: bool = False,
    out: Tensor | None = None,
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
    if out is not None:
        return written("finish", out, tensor)  # type: ignore[no-any-return]
    if requires_grad:
        if not tensor.is_floating_point():
            raise errors.integers_with_grad()
        tensor.requires_grad = True
    return tensor


def _check_options(options: dict[str, Any]) -> None:
    for name, value in options.items():
        if name in ("pin_memory", "generator"):
            if value:
                refuse(name, value)
        elif name == "layout":
            if value is not None and value is not strided:
                refuse(name, value)
        else:
            raise TypeError(f"got an unexpected keyword argument '{name}'")


def _kind(dtype: dtypes.dtype | None) -> np.dtype[Any]:
    return (dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)).numpy


def _sizes(name: str, size: tuple[Any, ...], keyword: Any = None) -> tuple[int, ...]:
    """``f(2, 3)``, ``f((2, 3))`` and ``f(size=(2, 3))`` alike."""
    if keyword is not None:
        size = (keyword,)
    elif not size:
        raise TypeError(f'{name}() missing 1 required positional arguments: "size"')
    for n in size:
        if isinstance(n, float):
            raise TypeError(
                f"{name}(): argument 'size' (position 1) must be tuple of ints, not float"
            )
    return sizes_of(size)


def _filled(
    size: tuple[int, ...],
    value: Any,
    kind: np.dtype[Any],
    options: dict[str, Any],
    order: Order | None = None,
) -> Tensor:
    """A tensor of one value, None: of any, whose dimensions lie in memory in some order."""
    device = options.pop("device", None)
    kernels = device_kernels("cpu" if device is None else device)
    if hasattr(size, "level"):  # of a batch, inside of vmap
        from rushlight.backend import batched

        kernels, order = batched.over(kernels), None
    shape = size if order is None else tuple(size[d] for d in order)
    if value is None:
        array = kernels.empty(shape, kind)
    else:
        array = kernels.full(shape, number_for(kind, value), kind)
    if order is not None:
        array = kernels.permute(array, inverse(order))
    return finish(array, None, **options)


def _sized(input: Tensor, size: Sequence[int]) -> tuple[int, ...]:
    """A shape for a tensor made from another: inside of vmap that of as many samples."""
    shape = input._array.shape
    return shape.of(size) if hasattr(shape, "level") else tuple(size)


Maker = Callable[..., Tensor]


def _declare(name: str, value: Any, doc: str) -> tuple[Maker, Maker, Maker]:
    """Declares ``<name>(size)``, ``<name>_like(input)`` and ``input.new_<name>(size)``."""

    def function(*size: Any, dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
        shape = _sizes(name, size, options.pop("size", None) if options else None)
        if name != "empty" and min(shape, default=0) < 0:
            raise RuntimeError(f"{name}: Dimension size must be non-negative.")
        order = None
        if name == "empty":
            order = _own_order(options.pop("memory_format", None), len(shape))
        return _filled(shape, value, _kind(dtype), options, order)

    def like(
        input: Tensor,
        *,
        dtype: dtypes.dtype | None = None,
        memory_format: MemoryFormat = preserve_format,
        **options: Any,
    ) -> Tensor:
        options.setdefault("device", input.device)
        kind = input._array.dtype if dtype is None else _kind(dtype)
        return _filled(
            input._array.shape, value, kind, options, kept_order(input._array, memory_format)
        )

    def new(input: Tensor, *size: Any, dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
        options.setdefault("device", input.device)
        kind = input._array.dtype if dtype is None else _kind(dtype)
        shape = _sized(input, _sizes(f"new_{name}", size, options.pop("size", None)))
        return _filled(shape, value, kind, options)

    _name(function, name, f"A tensor of {doc}; options: dtype, device, requires_grad, out.")
    _name(like, f"{name}_like", f"A tensor of {doc}, with the shape, dtype and device of `input`.")
    _name(new, f"new_{name}", f"A tensor of {doc}, with the dtype and device of `input`.")
    return composed(method=False)(function), composed(method=False)(like), composed()(new)


def _name(function: Any, name: str, doc: str) -> None:
    function.__name__ = function.__qualname__ = name
    function.__doc__ = doc


def _own_order(wanted: MemoryFormat | None, ndim: int) -> Order | None:
    if wanted is preserve_format:
        raise RuntimeError("unsupported memory format Preserve")
    return None if wanted is None else order_of(wanted, ndim)


def kept_order(array: Any, wanted: MemoryFormat | None) -> Order | None:
    """How the dimensions of a copy lie in memory; None: as they come."""
    if wanted is None or wanted is preserve_format:
        if array.flags.c_contiguous:
            return None
        return dense_order(array.shape, array.strides)
    return order_of(wanted, array.ndim)


zeros, zeros_like, new_zeros = _declare("zeros", 0, "zeros")
ones, ones_like, new_ones = _declare("ones", 1, "ones")
empty, empty_like, new_empty = _declare("empty", None, "undefined contents")


def _fill_value(value: Any) -> Any:
    if isinstance(value, Tensor):
        if value.ndim:
            raise TypeError("full(): argument 'fill_value' (position 2) must be Number, not Tensor")
        return value.item()
    if isinstance(value, complex):
        refuse("fill_value", value)
    return value


@composed(method=False)
def full(
    size: Sequence[int], fill_value: Any, *, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """A tensor of one value, whose type is the dtype's default."""
    if isinstance(size, int):
        raise TypeError("full(): argument 'size' (position 1) must be tuple of ints, not int")
    value = _fill_value(fill_value)
    kind = _kind(dtype) if dtype is not None else _type_of_number(value)
    return _filled(size if isinstance(size, tuple) else tuple(size), value, kind, options)


def _type_of_number(value: Any) -> np.dtype[Any]:
    if isinstance(value, bool):
        return dtypes.bool.numpy
    return dtypes.int64.numpy if isinstance(value, int) else _kind(None)


@composed(method=False)
def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: dtypes.dtype | None = None,
    memory_format: MemoryFormat = preserve_format,
    **options: Any,
) -> Tensor:
    """A tensor of one value, with the shape, dtype and device of `input`."""
    options.setdefault("device", input.device)
    kind = input._array.dtype if dtype is None else _kind(dtype)
    order = kept_order(input._array, memory_format)
    return _filled(input._array.shape, _fill_value(fill_value), kind, options, order)


@composed()
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
    kind = input.dtype if dtype is None else dtype
    shape = size if isinstance(size, int) else _sized(input, size)
    return full(shape, fill_value, dtype=kind, **options)


@composed()
def new_tensor(
    input: Tensor, data: Any, *, dtype: dtypes.dtype | None = None, **options: Any
) -> Tensor:
    """A tensor of `data`, with the dtype and device of this one."""
    options.setdefault("device", input.device)
    return tensor(data, dtype=input.dtype if dtype is None else dtype, **options)


def _new(self: Tensor, *args: Any) -> Tensor:
    """The legacy constructor with this dtype and device: sizes, or data."""
    if len(args) == 1 and not isinstance(args[0], int | Size):
        return new_tensor(self, args[0])
    return new_empty(self, *(args or (0,)))


Tensor.new = _new  # type: ignore[attr-defined]


@composed(method=False)
def scalar_tensor(s: Any, *, dtype: dtypes.dtype | None = None, **options: Any) -> Tensor:
    """A tensor without dimensions, of the default dtype whatever the number is."""
    return _filled((), _fill_value(s), _kind(dtype), options)


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
    except ValueError:
        _refuse_ragged(data, 0, _depths(data))
        raise
    if array.dtype.kind not in "biufV":
        _refuse_data(data, array.dtype.kind)
    if dtype is not None:
        return _fitting(array, dtypes.of(dtype))
    if isinstance(_first(data), np.generic | np.ndarray):
        return array  # NumPy's numbers keep their type
    if array.dtype.kind in "fV":
        return _converted(array, _kind(None))
    return _fitting(array, dtypes.bool if array.dtype.kind == "b" else dtypes.int64)


def _depths(data: Any) -> list[int]:
    """The lengths of the first sequence at each depth."""
    lengths = []
    while isinstance(data, list):
        lengths.append(len(data))
        data = data[0] if data else None
    return lengths


def _refuse_ragged(data: Any, dim: int, lengths: list[int]) -> None:
    """Raises for a sequence that is not as long as the first one at its depth."""
    if dim == len(lengths):
        return
    if not isinstance(data, list):
        raise TypeError("not a sequence")
    if len(data) != lengths[dim]:
        raise ValueError(
            f"expected sequence of length {lengths[dim]} at dim {dim} (got {len(data)})"
        )
    for item in data:
        _refuse_ragged(item, dim + 1, lengths)


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
    """Nested sequences with the tensors among them as numbers."""
    if isinstance(data, Tensor):
        if data.numel() != 1:
            if data.is_floating_point():
                raise ValueError("only one element tensors can be converted to Python scalars")
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return data.detach().numpy(force=True).reshape(())
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
