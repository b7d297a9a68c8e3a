"""A stand-in for CuPy over NumPy, so that the CUDA backend's Python runs on any machine.

It has what the backend uses and nothing else, and is as strict as CuPy: an array is no NumPy array
and does not become one by itself, kernels take the types that they declare, writing through
overlapping memory is an error here where it would be a race there. What a kernel computes is read
from its operation: the CPU's kernel of the same functor. Whether the text compiles is test_nvrtc's
question.
"""

from __future__ import annotations

import importlib.machinery
import math
import operator
import re
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import scipy.special

from rushlight import _kernels

TOTAL_MEMORY = 1 << 34
_UNIT = 512  # CuPy's granularity

ARITIES = {name: arity for name, arity, _ in _kernels.POINTWISE}
_FUNCTOR = re.compile(r"out = rush::device::op::(\w+)\{\}\(([\w, ]+)\)")
_OPTIMIZER = re.compile(r"rush::device::optim::(\w+)<(float|double)>\{(.+)\}([.(].+)")
_C_NAMES = {"float32": "float", "float64": "double"}

# Names of the kernels that were launched, in order.
launches: list[str] = []


# ---- Memory ----


class OutOfMemoryError(MemoryError):
    """Of the pool, as CuPy's."""


class _Memory:
    """A block of the pool, given back when nobody refers to it."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __del__(self) -> None:
        pool.used -= self.size


class _Pool:
    """A pool that keeps every byte it ever had."""

    def __init__(self) -> None:
        self.used = self.held = self.limit = 0

    def malloc(self, size: int) -> _Memory:
        size = -(-size // _UNIT) * _UNIT
        if self.used + size > (self.limit or TOTAL_MEMORY):
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
        self.used += size
        self.held = max(self.held, self.used)
        return _Memory(size)

    def used_bytes(self) -> int:
        return self.used

    def total_bytes(self) -> int:
        return self.held

    def get_limit(self) -> int:
        return self.limit

    def set_limit(self, size: int) -> None:
        self.limit = size

    def free_all_blocks(self) -> None:
        self.held = self.used


pool = _Pool()
_allocate: Callable[[int], Any] = pool.malloc


# ---- Arrays ----


class ndarray:  # noqa: N801 - CuPy's name
    """An array "on the device": a NumPy array that nobody can take it for."""

    __slots__ = ("__weakref__", "_host", "_memory", "base")
    __array_ufunc__ = None

    def __init__(self, host: np.ndarray, base: ndarray | None = None, memory: Any = None) -> None:
        self.base = base
        self._memory = memory if base is None else base._memory
        self._memory = self._memory or _allocate(host.nbytes)
        self._host = host

    def __array__(self, *args: Any, **kwargs: Any) -> Any:
        raise TypeError("Implicit conversion to a NumPy array is not allowed.")

    shape = property(lambda self: self._host.shape)
    dtype = property(lambda self: self._host.dtype)
    ndim = property(lambda self: self._host.ndim)
    size = property(lambda self: self._host.size)
    strides = property(lambda self: self._host.strides)
    itemsize = property(lambda self: self._host.itemsize)
    nbytes = property(lambda self: self._host.nbytes)
    T = property(lambda self: self.transpose())
    device = property(lambda self: _Device(0))

    @property
    def data(self) -> Any:
        return types.SimpleNamespace(ptr=self._host.__array_interface__["data"][0], device_id=0)

    @property
    def flags(self) -> Any:
        flags = self._host.flags  # CuPy's have no `writeable`
        return types.SimpleNamespace(
            c_contiguous=flags.c_contiguous,
            f_contiguous=flags.f_contiguous,
            owndata=self.base is None,
        )

    def __array_namespace__(self) -> Any:
        return sys.modules["cupy"]

    def get(self) -> np.ndarray:
        return self._host.copy()

    def item(self) -> Any:
        return self._host.item()

    def tolist(self) -> Any:
        return self._host.tolist()

    def __len__(self) -> int:
        return len(self._host)

    def __bool__(self) -> bool:
        return bool(self._host)

    def __int__(self) -> int:
        return int(self._host)

    def __getitem__(self, index: Any) -> ndarray:
        index = _bare_index(index)
        result = self._host[index]
        if not isinstance(result, np.ndarray):  # CuPy gives a 0-dim view, never a number
            result = self._host[(*index, ...) if isinstance(index, tuple) else (index, ...)]
        return _wrapped(result, self)

    def __setitem__(self, index: Any, value: Any) -> None:
        with np.errstate(all="ignore"):
            self._host[_bare_index(index)] = _bare(value)


def _bare(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        raise TypeError("Unsupported type <class 'numpy.ndarray'>")
    return x._host if isinstance(x, ndarray) else x


def _bare_index(index: Any) -> Any:
    """CuPy converts NumPy arrays among the indices by itself."""
    if isinstance(index, tuple):
        return tuple(x._host if isinstance(x, ndarray) else x for x in index)
    return index._host if isinstance(index, ndarray) else index


def _wrapped(result: Any, *operands: Any) -> ndarray:
    """A result of NumPy's: a view where it shares memory with an operand."""
    host = np.asarray(result)
    for x in operands:
        if isinstance(x, ndarray) and np.may_share_memory(host, x._host):
            return ndarray(host, x if x.base is None else x.base)
    return ndarray(host)


def _method(name: str) -> Callable[..., ndarray]:
    def method(self: ndarray, *args: Any, **kwargs: Any) -> ndarray:
        with np.errstate(all="ignore"):
            return _wrapped(getattr(self._host, name)(*args, **kwargs), self)

    return method


def _operator(function: Callable[[Any, Any], Any]) -> Callable[..., ndarray]:
    def method(self: ndarray, other: Any) -> ndarray:
        with np.errstate(all="ignore"):
            return _wrapped(function(self._host, _bare(other)))

    return method


def _operator_1(function: Callable[[Any], Any]) -> Callable[..., ndarray]:
    return lambda self: _wrapped(function(self._host))


def _inplace_add(self: ndarray, other: Any) -> ndarray:
    self._host += _bare(other)
    return self


def _inplace_mul(self: ndarray, other: Any) -> ndarray:
    self._host *= _bare(other)
    return self


for _name in (
    *("all", "any", "argmax", "argmin", "astype", "copy", "cumprod", "cumsum", "max", "min"),
    *("prod", "reshape", "squeeze", "sum", "swapaxes", "transpose", "view"),
):
    setattr(ndarray, _name, _method(_name))
for _name in (
    *("add", "and", "eq", "floordiv", "ge", "gt", "le", "lt", "mod", "mul", "ne", "or", "sub"),
    "truediv",
):
    setattr(ndarray, f"__{_name}__", _operator(getattr(operator, f"__{_name}__")))
ndarray.__imul__ = _inplace_mul  # type: ignore[attr-defined]
ndarray.__iadd__ = _inplace_add  # type: ignore[attr-defined]
ndarray.__rmul__ = _operator(lambda x, y: y * x)  # type: ignore[attr-defined]
ndarray.__rsub__ = _operator(lambda x, y: y - x)  # type: ignore[attr-defined]
ndarray.__abs__ = _operator_1(abs)  # type: ignore[attr-defined]
ndarray.__array_namespace__ = lambda self: sys.modules["cupy"]  # type: ignore[attr-defined]


def _function(name: str, library: Any = np) -> Callable[..., ndarray]:
    def function(*args: Any, **kwargs: Any) -> ndarray:
        bare = [list(map(_bare, x)) if isinstance(x, list) else _bare(x) for x in args]
        return _wrapped(getattr(library, name)(*bare, **kwargs), *args)

    return function


def empty(shape: tuple[int, ...], dtype: np.dtype) -> ndarray:
    memory = _allocate(math.prod(shape) * dtype.itemsize)  # before the host's memory is taken
    return ndarray(np.empty(shape, dtype), memory=memory)


def asarray(x: Any, dtype: Any = None) -> ndarray:
    if isinstance(x, ndarray):
        return x if dtype is None else x.astype(dtype)
    return ndarray(np.array(x, dtype))


def unique(x: ndarray, return_index: bool = False) -> Any:
    assert return_index
    return tuple(map(ndarray, np.unique(x._host, return_index=True)))


def nonzero(self: ndarray) -> tuple[ndarray, ...]:
    return tuple(map(ndarray, self._host.nonzero()))


def argsort(x: ndarray, axis: int = -1) -> ndarray:
    return ndarray(np.argsort(x._host, axis, kind="stable"))  # CuPy knows no other sort


def take(self: ndarray, index: ndarray, axis: int | None = None) -> ndarray:
    return ndarray(self._host.take(_bare_index(index), axis))


def diagonal(self: ndarray, *args: int) -> ndarray:
    view = self._host.diagonal(*args)
    view.flags.writeable = True  # as CuPy's
    return _wrapped(view, self)


ndarray.nonzero = nonzero  # type: ignore[attr-defined]
ndarray.take = take  # type: ignore[attr-defined]
ndarray.diagonal = diagonal  # type: ignore[attr-defined]


def as_strided(x: ndarray, shape: Sequence[int], strides: Sequence[int]) -> ndarray:
    return _wrapped(np.lib.stride_tricks.as_strided(x._host, shape, strides), x)


def may_share_memory(x: ndarray, y: ndarray) -> bool:
    return np.may_share_memory(x._host, y._host)


class add:  # noqa: N801 - CuPy's name
    """The universal function; ``at`` takes few types, and other functions have none."""

    def __new__(cls, x: Any, y: Any, out: ndarray | None = None) -> Any:
        if out is None:
            return _wrapped(np.add(_bare(x), _bare(y)))
        np.add(_bare(x), _bare(y), out._host)
        return out

    @staticmethod
    def at(x: ndarray, index: Any, value: ndarray) -> None:
        assert x.dtype.kind == "f"
        np.add.at(x._host, _bare_index(index), _bare(value))


def frexp(x: ndarray) -> tuple[ndarray, ndarray]:
    mantissa, exponent = np.frexp(x._host)
    return _wrapped(mantissa), _wrapped(exponent)


def broadcast_arrays(*arrays: ndarray) -> list[ndarray]:
    shape = np.broadcast_shapes(*(x.shape for x in arrays))
    return [_wrapped(np.broadcast_to(x._host, shape), x) for x in arrays]


def special() -> types.ModuleType:
    """The module ``cupyx.scipy.special``: what of SciPy's CuPy has."""
    names = ("gammainc", "gammaincc", "j0", "j1", "y0", "y1", "entr", "erfcx", "log_ndtr", "ndtri")
    module = types.ModuleType("cupyx.scipy.special")
    for name in (*names, "i0", "i0e", "i1", "i1e", "zeta"):
        setattr(module, name, _function(name, scipy.special))
    return module


# ---- Kernels ----


class ElementwiseKernel:
    """A kernel whose operation names a functor of scalar.h or optim.h."""

    def __init__(
        self,
        in_params: str,
        out_params: str,
        operation: str,
        name: str = "kernel",
        reduce_dims: bool = True,
        preamble: str = "",
        no_return: bool = False,
    ) -> None:
        self.name = name
        self.inputs = [tuple(p.split()) for p in in_params.split(", ")]
        self.outputs = [tuple(p.split()) for p in out_params.split(", ")]
        names = [x for _, x in self.inputs]
        if found := _FUNCTOR.fullmatch(operation):
            self.functor, operands = found.groups()
            assert operands.split(", ") == names
            assert len(names) == ARITIES[self.functor]
            self._compute = self._pointwise
        else:
            optimizer = _OPTIMIZER.search(operation)
            assert optimizer is not None, operation
            self.functor, kind, members, self.call = optimizer.groups()
            assert kind == _C_NAMES[self.inputs[0][0]]
            assert ["grad", *re.findall(r"\w+", members)] == names
            self._compute = self._optimizer_step
        assert re.search(rf"(struct |RUSH_\w+\(){self.functor}\b", preamble)
        assert "#include" not in preamble

    def __call__(self, *args: Any) -> ndarray:
        count = len(self.inputs)
        if len(args) not in (count, count + len(self.outputs)):
            raise TypeError(f"Wrong number of arguments for {self.name!r}")
        operands = [self._typed(x, p) for x, p in zip(args, self.inputs, strict=False)]
        if not any(isinstance(x, ndarray) for x in args):
            raise ValueError("Loop size is undecided.")
        launches.append(self.name)
        shape = np.broadcast_shapes(*(x.shape for x in operands))
        outputs = list(args[count:])
        for out, (dtype, _) in zip(outputs, self.outputs, strict=False):
            if out.dtype != dtype:
                raise TypeError(f"Type is mismatched: {out.dtype} {dtype}")
            if out.shape != np.broadcast_shapes(shape, out.shape):
                raise ValueError("Out shape is mismatched")
            for x in operands:
                layout = (out._host.__array_interface__["data"], out.shape, out.strides)
                same = layout == (x.__array_interface__["data"], x.shape, x.strides)
                assert same or not np.may_share_memory(out._host, x), "a race"
        return self._compute(operands, outputs)

    def _typed(self, x: Any, parameter: tuple[str, ...]) -> np.ndarray:
        dtype, name = parameter
        if isinstance(x, np.ndarray):
            raise TypeError("Unsupported type <class 'numpy.ndarray'>")
        if not isinstance(x, ndarray):
            return np.asarray(x, dtype)
        if x.dtype != dtype:
            raise TypeError(f"Type is mismatched. {name} {x.dtype} {dtype}")
        return x._host

    def _pointwise(self, operands: list[np.ndarray], outputs: list[ndarray]) -> ndarray:
        result = getattr(_kernels, self.functor)(*operands)
        assert result.dtype == self.outputs[0][0]
        if not outputs:
            return ndarray(result)
        outputs[0]._host[...] = result
        return outputs[0]

    def _optimizer_step(self, operands: list[np.ndarray], outputs: list[ndarray]) -> ndarray:
        grad, *coefficients = operands
        names = [name for _, name in self.inputs[1:]]
        c = types.SimpleNamespace(**dict(zip(names, coefficients, strict=True)))
        arrays = {p[1]: x._host for p, x in zip(self.outputs, outputs, strict=True)}
        param = arrays.pop("param")
        grad = c.sign * grad + c.decay * param
        param[...] = _STEPS[self.functor](c, "<true" in self.call, param, grad, **arrays)
        return outputs[0]


# ---- The optimizers' formulas, from their papers ----


def _sgd(c: Any, first: bool, param: Any, grad: Any, buffer: Any = None) -> Any:
    if buffer is None:
        return param - c.rate * grad
    buffer[...] = grad if first else buffer * c.momentum + c.intake * grad
    return param - c.rate * (grad + c.momentum * buffer if c.nesterov else buffer)


def _adam(
    c: Any, _: bool, param: Any, grad: Any, mean: Any, square: Any, largest: Any = None
) -> Any:
    param = param * c.keep
    mean += c.weight1 * (grad - mean)
    square[...] = square * c.beta2 + c.weight2 * grad * grad
    if largest is not None:
        np.maximum(largest, square, out=largest)
    root = np.sqrt(square if largest is None else largest)
    return param - c.step_size * mean / (root / c.correction + c.eps)


def _rmsprop(
    c: Any, _: bool, param: Any, grad: Any, square: Any, mean: Any = None, buffer: Any = None
) -> Any:
    square[...] = square * c.alpha + c.weight * grad * grad
    if mean is not None:
        mean += c.weight * (grad - mean)
    step = grad / (np.sqrt(square if mean is None else square - mean * mean) + c.eps)
    if buffer is None:
        return param - c.rate * step
    buffer[...] = buffer * c.momentum + step
    return param - c.rate * buffer


def _adagrad(c: Any, _: bool, param: Any, grad: Any, total: Any) -> Any:
    total += grad * grad
    return param - c.rate * grad / (np.sqrt(total) + c.eps)


_STEPS = {"Sgd": _sgd, "Adam": _adam, "Rmsprop": _rmsprop, "Adagrad": _adagrad}


# ---- The module ----


class _Device:
    def __init__(self, id: int) -> None:
        if id != 0:
            raise CUDARuntimeError("cudaErrorInvalidDevice: invalid device ordinal")
        self.id = id

    def use(self) -> None:
        """Makes this the current device, which it is."""

    def synchronize(self) -> None:
        """Nothing is ever under way."""


class CUDARuntimeError(RuntimeError):
    """Of the CUDA runtime."""


def _set_allocator(allocate: Callable[[int], Any]) -> None:
    global _allocate
    _allocate = allocate


FUNCTIONS = (
    *("arange", "argwhere", "broadcast_to", "concatenate", "matmul", "maximum", "minimum"),
    *("arccos", "clip", "cos", "multiply", "ones", "ones_like", "roll", "sin", "tile", "tril"),
    *("triu", "trunc", "where", "zeros", "zeros_like", "array", "take"),
    *("bincount", "isin", "lexsort", "logaddexp", "searchsorted", "take_along_axis"),
)


def make() -> types.ModuleType:
    """The module ``cupy``, with an empty pool and no launches."""
    launches.clear()
    pool.__init__()  # type: ignore[misc]
    _set_allocator(pool.malloc)
    properties = {
        "name": b"Stand-in",
        "major": 9,
        "minor": 0,
        "totalGlobalMem": TOTAL_MEMORY,
        "multiProcessorCount": 1,
    }
    runtime = types.SimpleNamespace(
        CUDARuntimeError=CUDARuntimeError,
        getDevice=lambda: 0,
        getDeviceCount=lambda: 1,
        getDeviceProperties=lambda device: properties,
        memGetInfo=lambda: (TOTAL_MEMORY - pool.held, TOTAL_MEMORY),
    )
    module = types.ModuleType("cupy")
    module.__spec__ = importlib.machinery.ModuleSpec("cupy", None)
    module.__dict__.update(
        ElementwiseKernel=ElementwiseKernel,
        add=add,
        argsort=argsort,
        **{name: _function(name) for name in FUNCTIONS},
        asarray=asarray,
        broadcast_arrays=broadcast_arrays,
        cuda=types.SimpleNamespace(
            Device=_Device,
            get_allocator=lambda: _allocate,
            memory=types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError),
            runtime=runtime,
            set_allocator=_set_allocator,
        ),
        empty=empty,
        full=_function("full"),
        frexp=frexp,
        get_default_memory_pool=lambda: pool,
        isfinite=_function("isfinite"),
        isnan=_function("isnan"),
        lib=types.SimpleNamespace(stride_tricks=types.SimpleNamespace(as_strided=as_strided)),
        may_share_memory=may_share_memory,
        nan=math.nan,
        ndarray=ndarray,
        nonzero=nonzero,
        unique=unique,
    )
    return module
