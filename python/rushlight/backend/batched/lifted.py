"""How a kernel is lifted to all samples, for the families of kernels that are alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from rushlight import _kernels
from rushlight.backend import kernels_of
from rushlight.backend.batched.array import Batched, Unsupported
from rushlight.backend.levels import DifferentForEachSample, Level

Array = Any
Kernel = Callable[..., Any]

# Kernels with a generator that return what they drew; the others fill their first argument.
_DRAWING = frozenset(("multinomial", "poisson"))
_GENERATORS = (_kernels.Generator, DifferentForEachSample)


# ---- Operands ----


def level_of(*values: Any) -> Level | None:
    """The latest level among arguments, also inside of tuples and lists; None: no batches."""
    found: Level | None = None
    for value in values:
        if isinstance(value, Batched):
            level: Level | None = value.level
        elif isinstance(value, tuple | list):
            level = level_of(*value)
        else:
            continue
        if level is not None and (found is None or level.order > found.order):
            found = level
    return found


def full_of(value: Any, level: Level) -> Any:
    """All samples at a level; what is no batch there as it is."""
    return value.full if isinstance(value, Batched) and value.level is level else value


def is_at(value: Any, level: Level) -> bool:
    """Whether a value is a batch at a level."""
    return isinstance(value, Batched) and value.level is level


def lined_up(value: Any, level: Level, ndim: int) -> Any:
    """All samples with as many dimensions each as `ndim`, so that they broadcast as one would."""
    if not is_at(value, level):
        return value
    full = value.full
    for _ in range(ndim - value.ndim):
        full = kernels_of(full).unsqueeze(full, 1)
    return full


def expanded(value: Array, level: Level) -> Array:
    """All samples; what is shared by them is repeated, without a copy."""
    if is_at(value, level):
        return value.full
    return kernels_of(value).expand(value, (level.size, *value.shape))


def dims_of(x: Array, dim: Any) -> tuple[int, ...]:
    """Dimensions of a sample, None for all, as dimensions of all samples."""
    if dim is None or (isinstance(dim, Sequence) and not dim):
        return tuple(range(1, x.ndim + 1))
    return tuple(counted(x.ndim, d) for d in ([dim] if isinstance(dim, int) else dim))


def counted(ndim: int, dim: int) -> int:
    """A dimension of a sample of `ndim` dimensions as one of all samples."""
    bound = max(ndim, 1)
    if not -bound <= dim < bound:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-bound}, {bound - 1}], but got "
            f"{dim})"
        )
    return dim % bound + 1


def with_dimension(x: Batched) -> Array:
    """All samples, those without dimensions with one of size 1."""
    return x.full if x.ndim else kernels_of(x.full).unsqueeze(x.full, 1)


def cannot_hold(name: str) -> RuntimeError:
    """A batch is written into an array that all samples share."""
    return RuntimeError(
        f"vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a "
        f"Tensor `other` in extra_args that has more elements than `self`: {name} would write what "
        "differs from sample to sample into a tensor that they share. Please use out-of-place "
        "operators instead, or compute the tensor from a batched one, as in x * 0."
    )


# ---- Families ----


def unless_plain(name: str, kernel: Kernel) -> Kernel:
    """The kernel, or that of the arrays' own backend where none is a batch."""

    def chosen(*args: Any, **options: Any) -> Any:
        if level_of(*args, *options.values()) is None:
            return getattr(kernels_for(args), name)(*args, **options)
        return kernel(*args, **options)

    return chosen


def pointwise(name: str, arity: int) -> Kernel:
    """Lines up the operands' dimensions; types promote as those of the samples would."""

    def kernel(*args: Any) -> Any:
        level = level_of(*args)
        assert level is not None
        operands, out = args[:arity], args[arity] if len(args) > arity else None
        ndim = max(x.ndim for x in operands if hasattr(x, "ndim"))
        fulls = [lined_up(x, level, ndim) for x in operands]
        _promote(operands, fulls, level, name)
        call = getattr(kernels_of(*fulls), name)
        if out is None:
            return Batched(call(*fulls), level)
        if not is_at(out, level):
            raise cannot_hold(name)
        call(*fulls, out.full)
        return out

    return kernel


def _promote(operands: Sequence[Any], fulls: list[Any], level: Level, name: str) -> None:
    """Converts what counts for less among types as a sample of no dimensions than as a batch."""
    first = 1 if name == "where" else 0  # a condition takes no part
    arrays = [x for x in operands[first:] if hasattr(x, "ndim")]
    if len(arrays) == len(operands) - first and len({x.dtype for x in arrays}) == 1:
        return
    wanted = _kernels.result_type(*(plain(x) for x in operands[first:]))
    if wanted == _kernels.result_type(*(plain(x) for x in fulls[first:])):
        return
    for i in range(first, len(operands)):
        if is_at(operands[i], level) and not operands[i].ndim:
            fulls[i] = kernels_of(fulls[i]).cast(fulls[i], wanted)


def plain(x: Any) -> Any:
    """For an array one of its type and number of dimensions; other values as they are."""
    return np.empty((1,) * x.ndim, x.dtype) if hasattr(x, "ndim") else x


def reduction(name: str) -> Kernel:
    """``f(x, dim, ..., keepdim)``: over all dimensions but the first when `dim` is None."""

    def kernel(x: Batched, dim: Any = None, *rest: Any, **options: Any) -> Any:
        full = with_dimension(x)
        call = getattr(kernels_of(full), name)
        if x.ndim:
            return Batched(call(full, dims_of(x, dim), *rest, **options), x.level)
        dims_of(x, dim)
        out = call(full, (1,), *rest, **options)
        return Batched(out.reshape((x.level.size,)), x.level)

    return kernel


def position(name: str) -> Kernel:
    """``f(x, dim, keepdim)``, where None counts through all elements of a sample."""

    def kernel(x: Batched, dim: int | None = None, keepdim: bool = False) -> Any:
        size = x.level.size
        full = x.full.reshape((size, -1)) if dim is None or not x.ndim else x.full
        call = getattr(kernels_of(full), name)
        if dim is not None and x.ndim:
            return Batched(call(full, counted(x.ndim, dim), keepdim), x.level)
        out = call(full, 1, False)
        return Batched(out.reshape((size, *(1,) * (x.ndim if keepdim else 0))), x.level)

    return kernel


def along(name: str, arrays: int) -> Kernel:
    """``f(<arrays of one shape>, dim)``."""

    def kernel(*args: Any) -> Any:
        level = level_of(*args)
        assert level is not None
        ndim = args[0].ndim
        fulls = [expanded(x, level) for x in args[:arrays]]
        if not ndim:
            fulls = [kernels_of(x).unsqueeze(x, 1) for x in fulls]
        out = getattr(kernels_of(*fulls), name)(*fulls, counted(ndim, args[arrays]))
        return Batched(out if ndim else out.reshape((level.size,)), level)

    return kernel


def indexed(name: str, elements: bool) -> Kernel:
    """``f(x, dim, index, ...)``: an index for each of the elements, or a vector for the slices."""
    each = each_sample(name)

    def kernel(x: Array, dim: int, index: Array, *rest: Any, **options: Any) -> Any:
        level = level_of(x, index, *rest, *options.values())
        assert level is not None
        operands = (x, index, *rest)
        varying = [a for a in (*operands, *options.values()) if is_at(a, level)]
        alike = all(a.ndim == x.ndim for a in varying) and (elements or not is_at(index, level))
        if not (x.ndim and alike and level.size):
            return each(x, dim, index, *rest, **options)
        if name.endswith("_") and not is_at(x, level):
            raise cannot_hold(name)

        def lifted(value: Any) -> Any:
            same = getattr(value, "ndim", None) == x.ndim and (elements or value is not index)
            return expanded(value, level) if same else value

        full, places, *others = map(lifted, operands)
        chosen = {key: lifted(value) for key, value in options.items()}
        call = getattr(kernels_for((full, places, *others, *chosen.values())), name)
        out = call(full, counted(x.ndim, dim), places, *others, **chosen)
        return None if out is None else Batched(out, level)

    return kernel


def each_sample(name: str) -> Kernel:
    """Runs a kernel once for each sample; random ones as vmap's `randomness` says."""

    def kernel(*args: Any, **options: Any) -> Any:
        level = level_of(*args, *options.values())
        assert level is not None
        if level.size == 0:
            raise Unsupported(f"vmap: {name} has no form for a batch without samples")
        if any(isinstance(a, _GENERATORS) for a in args):
            if name not in _DRAWING:
                return _fill(name, level, *args)
            args = tuple(_generator_for(name, level, a) for a in args)
        results = []
        for i in range(level.size):
            given = _sample(args, level, i)
            chosen = {key: _sample(value, level, i) for key, value in options.items()}
            result = getattr(kernels_for(given), name)(*given, **chosen)
            if result is None and not is_at(args[0], level):
                raise cannot_hold(name)
            results.append(result)
        return _stacked(results, level, name)

    return kernel


def _generator_for(name: str, level: Level, value: Any) -> Any:
    """The generator that every sample draws from in turn; other values as they are."""
    if isinstance(value, _kernels.Generator):
        raise _same_of_batch(name)
    if not isinstance(value, DifferentForEachSample):
        return value
    if value.level is not level:
        raise cannot_hold(name)
    return value.generator


def kernels_for(args: Sequence[Any]) -> Any:
    """The kernels for the arrays among arguments, also inside of tuples and lists."""
    flat: list[Any] = []
    for a in args:
        flat.extend(a if isinstance(a, tuple | list) else [a])
    return kernels_of(*[a for a in flat if hasattr(a, "shape") and not isinstance(a, np.dtype)])


def _sample(value: Any, level: Level, i: int) -> Any:
    if is_at(value, level):
        return value.full[i, ...]
    if type(value) in (tuple, list):
        return type(value)(_sample(v, level, i) for v in value)
    return value


def _stacked(results: list[Any], level: Level, name: str) -> Any:
    first = results[0] if results else None
    if first is None:
        return None
    if isinstance(first, tuple | list):
        return type(first)(_stacked(list(r), level, name) for r in zip(*results, strict=True))
    if not hasattr(first, "shape") or isinstance(first, np.dtype):
        if all(r == first for r in results):
            return first
        raise Unsupported(f"vmap: {name} gives each sample another number")
    if any(r.shape != first.shape for r in results):
        raise Unsupported(f"vmap: {name} gives samples results of different shapes")
    K = kernels_of(*results)
    return Batched(K.cat([K.unsqueeze(r, 0) for r in results], 0), level)


def _same_of_batch(name: str) -> RuntimeError:
    return RuntimeError(
        "Vmap does not currently support same randomness with a batched tensor input: the numbers "
        f"of {name} depend on their parameters, which differ from sample to sample."
    )


def _fill(name: str, level: Level, out: Array, generator: Any, *rest: Any) -> None:
    """Fills a batch with random numbers: for each sample its own, or the same for all."""
    if isinstance(generator, DifferentForEachSample):
        if generator.level is not level or not is_at(out, level):
            raise cannot_hold(name)
        full = [full_of(a, level) for a in rest]
        draw = getattr(kernels_for((out.full, *full)), name)
        for part in out.full if name == "randperm" else [out.full]:
            draw(part, generator.generator, *full)
        return
    if level_of(*rest) is level:
        raise _same_of_batch(name)
    sample = out.full[0].copy()
    K = kernels_of(sample)
    getattr(K, name)(sample, generator, *rest)
    K.assign(out.full, sample)
