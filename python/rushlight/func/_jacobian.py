"""Jacobians and Hessians: products with all unit vectors, under vmap."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.func._grad import Argnums, _pushforward, positions, vjp_of
from rushlight.func._vmap import vmap
from rushlight.tensor import Tensor
from rushlight.utils._pytree import tree_flatten, tree_unflatten

__all__ = ["hessian", "jacfwd", "jacrev"]


def jacrev(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    *,
    has_aux: bool = False,
    chunk_size: int | None = None,
    _preallocate_and_copy: bool = False,
) -> Callable[..., Any]:
    """A function that gives the Jacobian of `func`, from backward passes.

    Args:
        func: returns tensors, nested or not.
        argnums: the position of the argument to differentiate, or a tuple of positions.
        has_aux: `func` returns ``(output, aux)``, and the new function ``(jacobian, aux)``.
        chunk_size: compute so many rows at a time, to save memory; None: all at once.

    Returns:
        A function of the arguments of `func`. Its result is nested as the output is, in that as
        the argument is; each tensor has the sizes of both, one after the other.
    """
    if chunk_size is not None and chunk_size <= 0:
        raise ValueError("jacrev: `chunk_size` should be greater than 0.")

    @functools.wraps(func, assigned=())
    def jacobian(*args: Any) -> Any:
        chosen = _as_given(argnums, positions(argnums, len(args)))
        results = vjp_of(func, args, chosen, has_aux)
        ys, out_spec = tree_flatten(results[0])
        wanted = tuple(args[i] for i in chosen) if isinstance(chosen, tuple) else args[chosen]
        xs, in_spec = tree_flatten(wanted)
        basis = _unit_vectors(ys)

        def row(*vs: Tensor) -> Any:
            return tuple(tree_flatten(results[1](tree_unflatten(vs, out_spec)))[0])

        rows = vmap(row, chunk_size=chunk_size)(*basis)
        blocks = []  # of each output, for each input
        start = 0
        for y in ys:
            parts = [r.narrow(0, start, y.numel()) for r in rows]
            cells = [p.reshape((*y.shape, *x.shape)) for p, x in zip(parts, xs, strict=True)]
            blocks.append(tree_unflatten(cells, in_spec))
            start += y.numel()
        jacobians = tree_unflatten(blocks, out_spec)
        return (jacobians, results[2]) if has_aux else jacobians

    return jacobian


def jacfwd(
    func: Callable[..., Any],
    argnums: Argnums = 0,
    has_aux: bool = False,
    *,
    randomness: str = "error",
) -> Callable[..., Any]:
    """As `jacrev`, but one column at a time: better where there are few inputs.

    A column is a product ``J @ v``, which takes two backward passes, as in `jvp`.
    """

    @functools.wraps(func, assigned=())
    def jacobian(*args: Any) -> Any:
        chosen = positions(argnums, len(args))
        several = isinstance(argnums, tuple)
        wanted = tuple(args[i] for i in chosen)

        def of_chosen(*values: Any) -> Any:
            given = list(args)
            for i, value in zip(chosen, values, strict=True):
                given[i] = value
            return func(*given)

        output, push, aux = _pushforward(of_chosen, wanted, has_aux, False)
        ys, out_spec = tree_flatten(output)
        xs, spec = tree_flatten(wanted)

        def column(*vs: Tensor) -> Any:
            return tuple(tree_flatten(push(*tree_unflatten(vs, spec)))[0])

        columns = vmap(column, randomness=randomness, out_dims=-1)(*_unit_vectors(xs))
        blocks = []
        for y, c in zip(ys, columns, strict=True):
            cells, start = [], 0
            for x in xs:
                cells.append(c.narrow(-1, start, x.numel()).reshape((*y.shape, *x.shape)))
                start += x.numel()
            nested = tree_unflatten(cells, spec)
            blocks.append(nested if several else nested[0])
        jacobians = tree_unflatten(blocks, out_spec)
        return (jacobians, aux) if has_aux else jacobians

    return jacobian


def hessian(func: Callable[..., Any], argnums: Argnums = 0) -> Callable[..., Any]:
    """A function that gives the second derivatives of `func`: ``jacrev(jacrev(func))``."""
    return jacrev(jacrev(func, argnums), argnums)


def _as_given(argnums: Argnums, found: list[int]) -> Argnums:
    return tuple(found) if isinstance(argnums, tuple) else found[0]


def _unit_vectors(tensors: list[Tensor]) -> list[Tensor]:
    """For each element of all tensors one sample: 1 there, 0 elsewhere."""
    total = sum(t.numel() for t in tensors)
    vectors, start = [], 0
    for t in tensors:
        count = t.numel()
        rows = ops.zeros(total, count, dtype=t.dtype, device=t.device)
        rows[start : start + count] = ops.eye(count, dtype=t.dtype, device=t.device)
        vectors.append(rows.reshape((total, *t.shape)))
        start += count
    return vectors
