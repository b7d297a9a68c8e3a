"""vmap: a function of one sample as a function of a batch.

The function runs once, over tensors that look like one sample each and hold the batch. That is
the work of their arrays, for which see `rushlight.backend.batched`: an operation on a tensor, its
record in the graph and its derivative are the same inside of vmap as outside.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.backend.batched.array import Batched
from rushlight.backend.levels import Level
from rushlight.random import get_rng_state, set_rng_state
from rushlight.tensor import Tensor
from rushlight.utils._pytree import (
    TreeSpec,
    broadcast_to_and_flatten,
    tree_flatten,
    tree_leaves,
    tree_unflatten,
)

__all__ = ["vmap"]


def vmap(
    func: Callable[..., Any],
    in_dims: Any = 0,
    out_dims: Any = 0,
    randomness: str = "error",
    *,
    chunk_size: int | None = None,
) -> Callable[..., Any]:
    """A function that applies `func` to all slices of its arguments at once.

    Inside of `func` a tensor has the sizes of one slice. Its values cannot be asked for, since they
    differ from sample to sample: no ``item()``, no ``if`` on them, no result whose sizes depend on
    them. In-place operations work on tensors that are batched: computed from an argument, as
    ``x.clone()`` and ``x * 0`` are; PyTorch's ``zeros_like(x)`` is batched too, here it is shared.
    An operation without a batched form runs once for each sample.

    Args:
        func: takes tensors, or nested tuples, lists and dicts of them, and returns tensors alike.
        in_dims: for each argument the dimension to slice along; None: all samples share it. An int
            is for all arguments; a tuple names each, nested as the arguments are if need be.
            All samples share keyword arguments.
        out_dims: where the dimension of the batch goes in the outputs.
        randomness: of random numbers drawn inside: 'error' refuses them, 'same' gives all samples
            the same ones, 'different' each its own.
        chunk_size: compute so many samples at a time, to save memory; None: all at once.

    Raises:
        ValueError: for dimensions that do not fit the arguments or the outputs, and, when called,
            for batches of different sizes.
        RuntimeError: for random numbers, when `randomness` is 'error', and for what needs values.

    Example:
        >>> import rushlight as torch
        >>> rows = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
        >>> torch.vmap(torch.dot)(rows, rows)
        tensor([ 5., 25.])
    """
    if randomness not in ("error", "different", "same"):
        raise RuntimeError(
            "Only allowed values for randomness are 'error', 'different', or 'same'. "
            f"Got {randomness}"
        )
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError(f"vmap: chunk_size should be None or greater than 0. (got {chunk_size})")

    @functools.wraps(func, assigned=_present(func))
    def mapped(*args: Any, **kwargs: Any) -> Any:
        _check_out_dims(func, out_dims)
        dims, leaves, spec, size = _inputs(func, in_dims, args)
        if chunk_size is None or size <= chunk_size:
            return _run(func, dims, leaves, spec, out_dims, randomness, size, kwargs)
        state = get_rng_state()
        results = []
        for start in range(0, size, chunk_size):
            count = min(chunk_size, size - start)
            parts = [
                x if dim is None else x.narrow(dim, start, count)
                for x, dim in zip(leaves, dims, strict=True)
            ]
            if randomness == "same":
                set_rng_state(state)
            part = _run(func, dims, parts, spec, out_dims, randomness, count, kwargs)
            results.append(tree_flatten(part))
        return _joined(results, out_dims)

    return mapped


def _present(func: Callable[..., Any]) -> tuple[str, ...]:
    return tuple(a for a in functools.WRAPPER_ASSIGNMENTS if hasattr(func, a))


def _run(
    func: Callable[..., Any],
    dims: list[int | None],
    leaves: list[Any],
    spec: TreeSpec,
    out_dims: Any,
    randomness: str,
    size: int,
    kwargs: dict[str, Any],
) -> Any:
    with Level(size, randomness) as level:
        samples = [
            x if dim is None else ops.enter_batch(x, level, dim)
            for x, dim in zip(leaves, dims, strict=True)
        ]
        results = func(*tree_unflatten(samples, spec), **kwargs)
        outputs, out_spec = tree_flatten(results)
        where = _output_dims(func, out_dims, results, out_spec)
        full = [_left(func, y, level, dim) for y, dim in zip(outputs, where, strict=True)]
    return tree_unflatten(full, out_spec)


def _left(func: Callable[..., Any], output: Any, level: Level, dim: int | None) -> Any:
    """An output with the batch as a dimension."""
    name = _name(func)
    if dim is None:
        if isinstance(output, Tensor) and _is_batch(output, level):
            raise ValueError(
                f"vmap({name}, ...): `{name}` can not return a BatchedTensor when out_dim is None"
            )
        return output
    if not isinstance(output, Tensor):
        raise ValueError(
            f"vmap({name}, ...): `{name}` must only return Tensors, got type {type(output)}. "
            "Did you mean to set out_dims= to None for output?"
        )
    rank = output.dim() + 1
    if not -rank <= dim < rank:
        raise IndexError(
            f"Dimension out of range (expected to be in range of [{-rank}, {rank - 1}], but got "
            f"{dim})"
        )
    return ops.leave_batch(output, level, dim % rank)


def _is_batch(tensor: Tensor, level: Level) -> bool:
    array = tensor._array
    while isinstance(array, Batched):
        if array.level is level:
            return True
        array = array.full
    return False


# ---- Dimensions ----


def _name(func: Callable[..., Any]) -> str:
    if hasattr(func, "__name__"):
        return str(func.__name__)
    if isinstance(func, functools.partial):
        return f"functools.partial({_name(func.func)}, ...)"
    return repr(func)


def _inputs(
    func: Callable[..., Any], in_dims: Any, args: tuple[Any, ...]
) -> tuple[list[int | None], list[Any], TreeSpec, int]:
    """For each leaf of the arguments its dimension, the leaves, their structure, and the size."""
    call = f"vmap({_name(func)}, in_dims={in_dims}, ...)(<inputs>): "
    if not isinstance(in_dims, int | tuple):
        raise ValueError(
            f"{call}expected `in_dims` to be int or a (potentially nested) tuple matching the "
            f"structure of inputs, got: {type(in_dims)}."
        )
    if not args:
        raise ValueError(
            f"vmap({_name(func)})(<inputs>): got no inputs. Maybe you forgot to add inputs, or you "
            "are trying to vmap over a function with no inputs. The latter is unsupported."
        )
    leaves, spec = tree_flatten(args)
    dims = broadcast_to_and_flatten(in_dims, spec)
    if dims is None:
        raise ValueError(
            f"{call}in_dims is not compatible with the structure of `inputs`. in_dims has "
            f"structure {tree_flatten(in_dims)[1]} but inputs has structure {spec}."
        )
    checked = [_input_dim(call, x, dim) for x, dim in zip(leaves, dims, strict=True)]
    sizes = [x.size(dim) for x, dim in zip(leaves, checked, strict=True) if dim is not None]
    if not sizes:
        raise ValueError("vmap: Expected at least one Tensor to vmap over")
    if any(size != sizes[0] for size in sizes):
        raise ValueError(
            "vmap: Expected all tensors to have the same size in the mapped dimension, got sizes "
            f"{sizes} for the mapped dimension"
        )
    return checked, leaves, spec, sizes[0]


def _input_dim(call: str, x: Any, dim: Any) -> int | None:
    if dim is None:
        return None
    if not isinstance(dim, int):
        raise ValueError(
            f"{call}Got in_dim={dim} for an input but in_dim must be either an integer dimension "
            "or None."
        )
    if not isinstance(x, Tensor):
        raise ValueError(
            f"{call}Got in_dim={dim} for an input but the input is of type {type(x)}. We cannot "
            "vmap over non-Tensor arguments, please use None as the respective in_dim"
        )
    if not -x.dim() <= dim < x.dim():
        raise ValueError(
            f"{call}Got in_dim={dim} for some input, but that input is a Tensor of dimensionality "
            f"{x.dim()} so expected in_dim to satisfy -{x.dim()} <= in_dim < {x.dim()}."
        )
    return dim % x.dim()


def _check_out_dims(func: Callable[..., Any], out_dims: Any) -> None:
    if any(dim is not None and not isinstance(dim, int) for dim in tree_leaves(out_dims)):
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims}): `out_dims` must be an int, None or a "
            "python collection of ints representing where in the outputs the vmapped dimension "
            "should appear."
        )


def _output_dims(
    func: Callable[..., Any], out_dims: Any, results: Any, spec: TreeSpec
) -> list[int | None]:
    # One output in no tuple also goes with a tuple of one dimension.
    single = isinstance(results, Tensor) and isinstance(out_dims, tuple) and len(out_dims) == 1
    dims = list(out_dims) if single else broadcast_to_and_flatten(out_dims, spec)
    if dims is None:
        raise ValueError(
            f"vmap({_name(func)}, ..., out_dims={out_dims})(<inputs>): out_dims is not compatible "
            f"with the structure of `outputs`. out_dims has structure {tree_flatten(out_dims)[1]} "
            f"but outputs has structure {spec}."
        )
    return dims


def _joined(results: list[tuple[list[Any], TreeSpec]], out_dims: Any) -> Any:
    """The outputs of all chunks, one after the other along the dimension of the batch."""
    spec = results[0][1]
    single = spec.type is None and isinstance(out_dims, tuple)
    dims = list(out_dims) if single else broadcast_to_and_flatten(out_dims, spec)
    assert dims is not None
    columns = zip(*(leaves for leaves, _ in results), strict=True)
    joined = [
        parts[0] if dim is None else ops.cat(parts, dim)
        for parts, dim in zip(columns, dims, strict=True)
    ]
    return tree_unflatten(joined, spec)
