"""Random numbers: new tensors, and values from distributions whose parameters are tensors.

All draw as PyTorch does on the CPU, element for element: see NOTE [Same seed, same numbers] in
csrc/kernels/random.cpp. The methods that fill a tensor in place stand in random_fill.py.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight import dtypes
from rushlight.backend import cpu, levels
from rushlight.dtypes import dtype as DType  # noqa: N812 - `dtype` is an argument's name
from rushlight.ops._arguments import sizes_of
from rushlight.ops._registry import composed, op
from rushlight.ops.creation import empty, finish
from rushlight.ops.random_fill import (
    check_deviation,
    check_probability,
    kernels_for,
    largest_integer,
    normal_,
    random_,
    source,
    uniform_,
)
from rushlight.random import Generator
from rushlight.tensor import Tensor, refuse

Number = int | float


def _drawn(
    fill: Callable[[Tensor], Any],
    size: tuple[Any, ...],
    dtype: DType | None,
    options: dict[str, Any],
) -> Tensor:
    """A new tensor that `fill` has filled, from the arguments of a constructor."""
    requires_grad = options.pop("requires_grad", False)
    if "size" in options:
        size = (*size, options.pop("size"))
    if not size:
        raise TypeError("received an invalid combination of arguments - got (), but expected sizes")
    kind = dtypes.get_default_dtype() if dtype is None else dtypes.of(dtype)
    if options:
        tensor = empty(*size, dtype=kind, **options)
    else:
        tensor = Tensor._wrap(cpu.empty(sizes_of(size), kind.numpy))
    if levels.state.stack:
        tensor._array = levels.own(tensor._array)
    fill(tensor)
    return tensor.requires_grad_(True) if requires_grad else tensor


@composed(method=False)
def rand(
    *size: Any, generator: Generator | None = None, dtype: DType | None = None, **options: Any
) -> Tensor:
    """A new tensor of values from the uniform distribution over [0, 1).

    Args:
        size: the shape, as ints or as one sequence, also by name.
        generator: to draw from, instead of the default one.
        dtype: floating; the default dtype when None.
        options: ``device``, ``requires_grad``.

    Example:
        >>> import rushlight
        >>> _ = rushlight.manual_seed(0)
        >>> rushlight.rand(2)
        tensor([0.4963, 0.7682])
    """
    return _drawn(lambda x: uniform_(x, generator=generator), size, dtype, options)


@composed(method=False)
def randn(
    *size: Any, generator: Generator | None = None, dtype: DType | None = None, **options: Any
) -> Tensor:
    """A new tensor of values from the normal distribution of mean 0 and variance 1.

    Arguments as for `rand`.

    Example:
        >>> import rushlight
        >>> _ = rushlight.manual_seed(0)
        >>> rushlight.randn(2)
        tensor([ 1.5410, -0.2934])
    """
    return _drawn(lambda x: normal_(x, generator=generator), size, dtype, options)


@composed(method=False)
def randint(
    *args: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    **options: Any,
) -> Tensor:
    """``randint([low,] high, size)``: integers from [low, high), each as likely; low is 0.

    Args:
        args: `low`, `high` and `size`, also by name.
        generator: to draw from, instead of the default one.
        dtype: int64 when None.
        options: ``device``, ``requires_grad``.

    Raises:
        RuntimeError: for an empty range, or bounds outside of the type.
    """
    given, size = (args, ()) if "size" in options else (args[:-1], args[-1:])
    if size and isinstance(size[0], int):
        raise _invalid("randint", args)
    low, high = _bounds("randint", given, options)
    kind = dtypes.int64 if dtype is None else dtypes.of(dtype)
    return _drawn(lambda x: random_(x, low, high, generator=generator), size, kind, options)


def _bounds(op: str, given: tuple[Any, ...], options: dict[str, Any]) -> tuple[int, int]:
    """`low` and `high` of a call that may leave out `low`."""
    named = [options.pop(name) for name in ("low", "high") if name in options]
    bounds = (*given, *named)
    if not 1 <= len(bounds) <= 2 or not all(hasattr(b, "__index__") for b in bounds):
        raise _invalid(op, bounds)
    return (0, bounds[0]) if len(bounds) == 1 else (bounds[0], bounds[1])


def _invalid(op: str, args: tuple[Any, ...]) -> TypeError:
    kinds = ", ".join(type(a).__name__ for a in args)
    return TypeError(
        f"{op}() received an invalid combination of arguments - got ({kinds}), but expected "
        "ints low (0 by default) and high, and a sequence of ints size where there is no input"
    )


@composed(method=False)
def randperm(
    n: int, *, generator: Generator | None = None, dtype: DType | None = None, **options: Any
) -> Tensor:
    """A random permutation of the integers from 0 to n - 1, int64 unless `dtype` says otherwise.

    Raises:
        RuntimeError: for an `n` that the type cannot hold.
    """
    kind = dtypes.int64 if dtype is None else dtypes.of(dtype)
    largest = largest_integer(kind)
    if kind.is_floating_point and n > largest + 1:
        raise RuntimeError(
            f"n cannot be greater than 2^{largest.bit_length() - 1}+1 for {kind.name} type."
        )
    if n > largest and not kind.is_floating_point and kind is not dtypes.bool:
        raise RuntimeError(f"value cannot be converted to type {kind.name} without overflow")

    def fill(x: Tensor) -> None:
        kernels_for(x._array).randperm(x._array, source(generator))

    return _drawn(fill, (n,), kind, options)


def _empty_like(array: Any, kind: np.dtype[Any]) -> Any:
    """A new array with the shape of `array`, and its order of addresses, which is that of draws."""
    K = kernels_for(array)
    if array.flags.c_contiguous:
        new = K.empty(array.shape, kind)
    else:
        strides = array.strides
        order = sorted(range(len(strides)), key=lambda d: -abs(strides[d]))
        new = K.empty([array.shape[d] for d in order], kind).transpose(np.argsort(order))
    return levels.own(new) if levels.state.stack else new


def _drawn_like(
    input: Tensor, fill: Callable[[Tensor], Any], dtype: DType | None, options: dict[str, Any]
) -> Tensor:
    """A new tensor like `input` that `fill` has filled."""
    requires_grad = options.pop("requires_grad", False)
    kind = input._array.dtype if dtype is None else dtypes.of(dtype).numpy
    tensor = finish(_empty_like(input._array, kind), **options)
    fill(tensor)
    return tensor.requires_grad_(True) if requires_grad else tensor


@composed(method=False)
def rand_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    **options: Any,
) -> Tensor:
    """`rand` with the shape, dtype and device of `input`."""
    return _drawn_like(input, lambda x: uniform_(x, generator=generator), dtype, options)


@composed(method=False)
def randn_like(
    input: Tensor,
    *,
    generator: Generator | None = None,
    dtype: DType | None = None,
    **options: Any,
) -> Tensor:
    """`randn` with the shape, dtype and device of `input`."""
    return _drawn_like(input, lambda x: normal_(x, generator=generator), dtype, options)


@composed(method=False)
def randint_like(
    input: Tensor,
    *args: Any,
    generator: Generator | None = None,
    dtype: DType | None = None,
    **options: Any,
) -> Tensor:
    """``randint_like(input, [low,] high)``: `randint` with the shape, dtype, device of `input`."""
    low, high = _bounds("randint_like", args, options)
    return _drawn_like(input, lambda x: random_(x, low, high, generator=generator), dtype, options)


# ---- From parameters of a distribution ----

# Where the values do not depend on a tensor through arithmetic, its gradient is zero.
_ZERO = lambda K, g: K.zeros_like(g)  # noqa: E731 - a derivative row


@op(
    input=_ZERO,
    forward=lambda K, input, p, generator: _bernoulli(K, input, p, generator),
)
def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Generator | None = None
) -> Tensor:
    """1 with the probability that `input` gives, else 0; with `p` for all elements instead.

    Raises:
        RuntimeError: for a probability outside of [0, 1].
        NotImplementedError: for probabilities of a type that is not floating.

    Gradient: zero.
    """


def _bernoulli(K: Any, probabilities: Any, p: float | None, generator: Generator | None) -> Any:
    out = K.empty(probabilities.shape, probabilities.dtype)
    if p is None:
        K.bernoulli_each(out, source(generator), probabilities)
    else:
        check_probability(p)
        K.bernoulli(out, source(generator), p, 1.0)
    return out


@op(
    input=_ZERO,
    forward=lambda K, input, generator: K.poisson(input, source(generator)),
    method=False,
)
def poisson(input: Tensor, generator: Generator | None = None) -> Tensor:
    """Values from the Poisson distributions of the rates in `input`, which is floating.

    Raises:
        RuntimeError: for a negative rate.

    Gradient: zero.
    """


@composed(method=False)
def normal(
    mean: Tensor | float,
    std: Tensor | float = 1.0,
    size: Sequence[int] | None = None,
    *,
    generator: Generator | None = None,
    **options: Any,
) -> Tensor:
    """Values from normal distributions.

    Args:
        mean: one number, or a tensor.
        std: one number, or a tensor; the two broadcast.
        size: the shape, where both are numbers.
        generator: to draw from, instead of the default one.
        options: with `size`: ``dtype``, ``device``, ``requires_grad``.

    Raises:
        RuntimeError: for a negative deviation.

    Gradient: zero.
    """
    if isinstance(mean, Tensor) or isinstance(std, Tensor):
        for name, value in options.items():
            refuse(f"normal: {name}", value)
        return normal_around(mean, std, generator)
    if size is None:
        raise TypeError(
            "normal() received an invalid combination of arguments - got (float, float), but "
            "expected a size with them"
        )
    dtype = options.pop("dtype", None)
    return _drawn(lambda x: normal_(x, mean, std, generator=generator), (size,), dtype, options)


@op(
    mean=_ZERO,
    std=_ZERO,
    forward=lambda K, mean, std, generator: _normal_around(K, mean, std, generator),
    node="NormalBackward3",
    method=False,
)
def normal_around(
    mean: Tensor | Number, std: Tensor | Number, generator: Generator | None
) -> Tensor:
    """`normal` where a parameter is a tensor."""


def _normal_around(K: Any, mean: Any, std: Any, generator: Generator | None) -> Any:
    tensors = [x for x in (mean, std) if hasattr(x, "shape")]
    out = K.empty(np.broadcast_shapes(*(x.shape for x in tensors)), tensors[0].dtype)
    if not hasattr(std, "shape"):
        check_deviation(std)
        K.normal(out, source(generator), 0.0, std)
    else:
        if not (std >= 0).all():
            raise RuntimeError("normal expects all elements of std >= 0.0")
        K.normal(out, source(generator), 0.0, 1.0)
        K.mul(out, std, out)
    return K.add(out, mean, out)


@composed()
def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Generator | None = None,
) -> Tensor:
    """Indices drawn with probabilities in proportion to the weights in each row of `input`.

    Args:
        input: weights, not negative, of shape (categories,) or (rows, categories); floating.
        num_samples: indices for each row.
        replacement: whether an index may come twice.
        generator: to draw from, instead of the default one.

    Returns:
        int64, of shape (num_samples,) or (rows, num_samples).

    Raises:
        RuntimeError: for other shapes and types, too many samples, and weights that are negative,
            not finite, or all zero in a row.
    """
    _check_multinomial(input, num_samples, replacement)
    K = kernels_for(input._array)
    indices = K.multinomial(input._array, source(generator), num_samples, bool(replacement))
    return Tensor._wrap(indices)


def _check_multinomial(input: Tensor, num_samples: int, replacement: bool) -> None:
    if not 1 <= input.ndim <= 2:
        raise RuntimeError("prob_dist must be 1 or 2 dim")
    if not input.is_floating_point():
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {input.dtype}"
        )
    if num_samples <= 0:
        raise RuntimeError("cannot sample n_sample <= 0 samples")
    if not replacement and num_samples > input.shape[-1]:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement"
        )
    if input.shape[-1] > 1 << 24:
        raise RuntimeError("number of categories cannot exceed 2^24")


@composed(method=False)
def dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """With `train`, zeroes each element with probability `p` and divides the others by ``1 - p``.

    Raises:
        RuntimeError: for a `p` outside of [0, 1], and a type that is not floating.

    Source: N. Srivastava et al., "Dropout", JMLR 15 (2014).
    """
    if not 0.0 <= p <= 1.0:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p:g}")
    if p == 0.0 or not train or input.numel() == 0:
        return input
    if p == 1.0:
        return input * 0.0
    kind = input._array.dtype
    if not dtypes.is_floating(kind):
        raise RuntimeError(
            f"result type Float can't be cast to the desired output type {input.dtype}"
        )
    computed = np.float64 if kind == np.float64 else np.float32
    scale = float(computed(1) / computed(1.0 - p))  # rounded as PyTorch divides the mask

    mask = _empty_like(input._array, kind)
    kernels_for(mask).bernoulli(mask, source(None), 1.0 - p, scale)
    return input * Tensor._wrap(mask)
