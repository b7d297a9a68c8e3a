"""Random numbers in place: the methods that fill a tensor.

All draw as PyTorch does on the CPU, element for element: see NOTE [Same seed, same numbers] in
csrc/kernels/random.cpp. The elements are drawn in the order of their addresses.
"""

from __future__ import annotations

import functools
import operator
import warnings
from typing import Any

import numpy as np

from rushlight.autograd.grad_mode import state as grad_state
from rushlight.autograd.views import check_in_place
from rushlight.backend import cpu, kernels_of, levels
from rushlight.dtypes import dtype as DType  # noqa: N812 - `dtype` is an argument's name
from rushlight.dtypes import finfo, float32
from rushlight.random import Generator, default_generator
from rushlight.tensor import Tensor

_INT64_MIN = -(1 << 63)
# The integers of each type; of a floating one, those without gaps.
_INTEGERS = {
    "bool": (0, 1),
    "uint8": (0, 255),
    "int8": (-128, 127),
    "int16": (-(1 << 15), (1 << 15) - 1),
    "int32": (-(1 << 31), (1 << 31) - 1),
    "int64": (_INT64_MIN, (1 << 63) - 1),
    "uint16": (0, (1 << 16) - 1),
    "uint32": (0, (1 << 32) - 1),
    "uint64": (0, (1 << 64) - 1),
    "float16": (-(1 << 11), 1 << 11),
    "bfloat16": (-(1 << 8), 1 << 8),
    "float32": (-(1 << 24), 1 << 24),
    "float64": (-(1 << 53), 1 << 53),
}
# Names of the element types in PyTorch's messages about bounds.
_C_NAMES = {
    "bool": "bool",
    "uint8": "unsigned char",
    "int8": "signed char",
    "int16": "short int",
    "int32": "int",
    "int64": "long",
    "uint16": "short unsigned int",
    "uint32": "unsigned int",
    "uint64": "long unsigned int",
    "float16": "c10::Half",
    "bfloat16": "c10::BFloat16",
    "float32": "float",
    "float64": "double",
}


def kernels_for(array: Any) -> Any:
    """The kernels of the array's device."""
    return cpu if type(array) is np.ndarray else kernels_of(array)


def source(generator: Generator | None) -> Any:
    """The kernel's generator."""
    if generator is None:
        generator = default_generator
    elif not isinstance(generator, Generator):
        kind = type(generator).__name__
        raise TypeError(f"argument 'generator' must be torch.Generator, not {kind}")
    return levels.drawing(generator._kernel) if levels.state.stack else generator._kernel


def _begin_fill(tensor: Tensor, name: str) -> Any:
    """Notes the change of `tensor` in its graph; returns the kernels for it."""
    if levels.state.stack:
        levels.check_fill(tensor._array)
    if grad_state.enabled and tensor.requires_grad:
        check_in_place(tensor, name)
        tensor.zero_()  # a recorded op: the old values get a gradient of zero
    tensor._changed()
    return kernels_for(tensor._array)


def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with values from the uniform distribution over [from_, to).

    Raises:
        RuntimeError: unless ``from_ <= to``, both and their difference finite in the tensor's type.
        NotImplementedError: for a type that is not floating.
    """
    array = self._array
    limit = _largest_float(self.dtype)
    if not (-limit <= from_ <= to <= limit and to - from_ <= limit):
        raise _bad_uniform(self.dtype, from_, to, limit)
    K = _begin_fill(self, "uniform_")
    K.uniform(array, source(generator), from_, to)
    return self


@functools.cache
def _largest_float(dtype: DType) -> float:
    """The largest number of a floating type; of float32 for others, which the kernel refuses."""
    return float(finfo(dtype if dtype.is_floating_point else float32).max)


def _bad_uniform(dtype: DType, low: float, high: float, limit: float) -> RuntimeError:
    for name, value in (("from", low), ("to", high)):
        if not -limit <= value <= limit:
            return RuntimeError(f"{name} is out of bounds for {_C_NAMES[dtype.name]}")
    if low > high:
        return RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={low:g} > to={high:g}"
        )
    return RuntimeError(
        f"uniform_ expects to-from <= std::numeric_limits<{dtype.name}>::max(), but found "
        f"to={high:g} and from={low:g} which result in to-from to exceed the limit"
    )


def normal_(
    self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with values from the normal distribution of `mean` and `std`.

    Raises:
        RuntimeError: for a negative `std`.
        NotImplementedError: for a type that is not floating.

    Source: G. Box and M. Muller, "A Note on the Generation of Random Normal Deviates", Annals of
    Mathematical Statistics 29 (1958).
    """
    check_deviation(std)
    K = _begin_fill(self, "normal_")
    K.normal(self._array, source(generator), mean, std)
    return self


def check_deviation(std: float) -> None:
    """Raises RuntimeError for a negative standard deviation."""
    if not std >= 0.0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {std:g}")


def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with ``exp`` of values from the normal distribution of `mean` and `std`.

    Raises:
        RuntimeError: unless `std` is positive.
        NotImplementedError: for a type that is not floating.
    """
    if not std > 0.0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={std:g}")
    K = _begin_fill(self, "log_normal_")
    K.log_normal(self._array, source(generator), mean, std)
    return self


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with values from the exponential distribution of rate `lambd`.

    Raises:
        RuntimeError: unless `lambd` is positive and the type floating.
    """
    if not lambd > 0.0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={lambd:g}")
    _check_continuous(self, "Exponential")
    K = _begin_fill(self, "exponential_")
    K.exponential(self._array, source(generator), lambd)
    return self


def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with values from the Cauchy distribution of `median` and scale `sigma`.

    Raises:
        RuntimeError: unless `sigma` is positive and the type floating.
    """
    if not sigma > 0.0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={sigma:g}")
    _check_continuous(self, "Cauchy")
    K = _begin_fill(self, "cauchy_")
    K.cauchy(self._array, source(generator), median, sigma)
    return self


def _check_continuous(tensor: Tensor, distribution: str) -> None:
    if not tensor.is_floating_point():
        raise RuntimeError(
            f"{distribution} distribution is a continuous probability distribution. dtype must be "
            f"a floating point but you specified {tensor.dtype}"
        )


def geometric_(self: Tensor, p: float, *, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with numbers of trials until the first success, each of probability `p`.

    Raises:
        RuntimeError: unless `p` is inside (0, 1).
        NotImplementedError: for bool.
    """
    if not 0.0 < p < 1.0:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={p:g}")
    K = _begin_fill(self, "geometric_")
    K.geometric(self._array, source(generator), p)
    return self


def bernoulli_(
    self: Tensor, p: float | Tensor = 0.5, *, generator: Generator | None = None
) -> Tensor:
    """Fills the tensor with 1 with probability `p`, else 0.

    `p` is in [0, 1]: one number, or a floating tensor that broadcasts to this one.

    Raises:
        RuntimeError: for a probability outside of [0, 1].
        NotImplementedError: for a `p` of a type that is not floating.
    """
    if isinstance(p, Tensor):
        K = _begin_fill(self, "bernoulli_")
        K.bernoulli_each(self._array, source(generator), p._array)
        return self
    check_probability(p)
    K = _begin_fill(self, "bernoulli_")
    K.bernoulli(self._array, source(generator), p, 1.0)
    return self


def check_probability(p: float) -> None:
    """Raises RuntimeError for a number outside of [0, 1]."""
    if not 0.0 <= p <= 1.0:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={p:g}")


def random_(self: Tensor, *bounds: int | None, generator: Generator | None = None) -> Tensor:
    """Fills the tensor with integers, each as likely.

    ``random_()`` draws up to the largest integer of the type (for floating types, up to which all
    integers can be held), ``random_(to)`` from [0, to), ``random_(from, to)`` from [from, to);
    a `to` of None is one past the largest.

    Raises:
        RuntimeError: for an empty range, or bounds outside of the type.
    """
    if len(bounds) > 2:
        raise TypeError(f"random_() takes at most 2 bounds, got {len(bounds)}")
    if not bounds:
        K = _begin_fill(self, "random_")
        K.any_integer(self._array, source(generator))
        return self
    low, high = (0, bounds[0]) if len(bounds) == 1 else bounds
    base, size = _integer_range(self.dtype, operator.index(low), high)  # type: ignore[arg-type]
    K = _begin_fill(self, "random_")
    K.randint(self._array, source(generator), size, base)
    return self


def _integer_range(dtype: DType, low: int, high: int | None) -> tuple[int, int]:
    """The first integer and the count; the kernels' 0 for 2^64."""
    if high is None:
        if low == _INT64_MIN:
            if dtype.name not in ("int64", "bfloat16", "float32", "float64"):
                raise RuntimeError(
                    "random_full_64_bits_range_kernel_cpu handles only int64, double, float and "
                    "bfloat16"
                )
            return 0, 0
        high = largest_integer(dtype) + 1
    else:
        high = operator.index(high)
        if low >= high:
            raise RuntimeError(
                f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
            )
        if dtype.is_floating_point:
            low, high = _representable(dtype, low, high)
    _check_bounds(dtype, low, high)
    return low, high - low


def largest_integer(dtype: DType) -> int:
    """The largest integer of a type; for a floating one, of those without gaps."""
    return _INTEGERS[dtype.name][1]


def _representable(dtype: DType, low: int, high: int) -> tuple[int, int]:
    """Moves bounds that the floating type would round outwards to its next value inside."""
    digits = largest_integer(dtype).bit_length() - 1

    def gap(value: int) -> int:
        return 1 << abs(value).bit_length() - digits

    first, last = int(dtype.numpy.type(low + 1)), int(dtype.numpy.type(high - 1))
    if first < low:
        low = first + gap(low + 1)
    if last >= high:
        high = last - gap(high - 1)
    if low >= high:
        raise RuntimeError(
            "random_ expects 'from' casted to dtype to be less than 'to' casted to dtype, but got "
            f"from={low} >= to={high}"
        )
    return low, high


def _check_bounds(dtype: DType, low: int, high: int) -> None:
    smallest, largest = _INTEGERS[dtype.name]
    for name, value in (("from", low), ("to - 1", high - 1)):
        if smallest <= value <= largest:
            continue
        if not dtype.is_floating_point:
            raise RuntimeError(f"{name} is out of bounds for {_C_NAMES[dtype.name]}")
        digits = largest.bit_length() - 1
        warnings.warn(
            f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision limitations "
            f"{_C_NAMES[dtype.name]} can support discrete uniform distribution only within this "
            "range.",
            stacklevel=4,
        )


for _method in (
    bernoulli_,
    cauchy_,
    exponential_,
    geometric_,
    log_normal_,
    normal_,
    random_,
    uniform_,
):
    setattr(Tensor, _method.__name__, _method)
