"""Several tensors into one: the only operations whose number of operands is not fixed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from rushlight.autograd.grad_mode import state as grad_state
from rushlight.autograd.node import Edge, Node, fill_in
from rushlight.autograd.views import edge_of
from rushlight.backend import kernels_of
from rushlight.ops._arguments import written
from rushlight.ops._registry import composed
from rushlight.size import wrap
from rushlight.tensor import Tensor


class CatBackward0(Node):
    """Cuts the gradient of a concatenation into its parts; saves the dimension and the sizes."""

    __slots__ = ()

    op = "cat"

    def backward(
        self, kernels: Any, g: Any, edges: tuple[Edge | None, ...], keep: bool
    ) -> tuple[Any, ...]:
        """The parts that belong to the inputs."""
        assert self.saved is not None
        dim, sizes = self.saved
        gradients, start = [], 0
        for edge, n in zip(edges, sizes, strict=True):
            gradients.append(None if edge is None else kernels.narrow(g, dim, start, n))
            start += n
        return tuple(gradients)

    def backward_recorded(
        self,
        ops: Any,
        g: Any,
        edges: tuple[Edge | None, ...],
        keep: bool,
        tensor: Callable[..., Any],
    ) -> tuple[Any, ...]:
        """The same over tensors."""
        return self.backward(ops, g, edges, keep)


@composed(method=False)
def cat(
    tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None, axis: int | None = None
) -> Tensor:
    """The tensors one after the other along `dim`; all other sizes must agree.

    Raises:
        ValueError: for an empty list.
        RuntimeError: for sizes that do not agree.
        TypeError: for what is no sequence of tensors.
    """
    if isinstance(tensors, Tensor):
        raise TypeError(
            "cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"
        )
    for i, tensor in enumerate(tensors):
        if not isinstance(tensor, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 0, but got {type(tensor).__name__}"
            )
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    for i, tensor in enumerate(tensors):
        if tensor.ndim == 0:
            raise RuntimeError(f"zero-dimensional tensor (at position {i}) cannot be concatenated")
    # A 1-d tensor without elements joins with anything; only its type counts.
    parts = [t for t in tensors if t._array.shape != (0,)] or list(tensors[:1])
    dim = wrap(dim if axis is None else axis, parts[0].ndim)
    _check_sizes(parts, dim)
    arrays = [t._array for t in parts]
    kernels = kernels_of(*arrays)
    if len(parts) < len(tensors):
        dtype = kernels.result_type(*(t._array for t in tensors))
        arrays[0] = arrays[0] if arrays[0].dtype == dtype else kernels.cast(arrays[0], dtype)
    result = Tensor._wrap(kernels.cat(arrays, dim))
    edges = tuple(map(edge_of, parts))
    if grad_state.enabled and any(e is not None for e in edges):
        saved = (dim, [a.shape[dim] for a in arrays])
        result._edge = (fill_in(CatBackward0(), edges, saved, result._array), 0)
    return result if out is None else written("cat", out, result)


@composed(method=False)
def joined(
    parts: Sequence[Tensor | None], shape: Sequence[int], dim: int, sizes: Sequence[int]
) -> Tensor:
    """A tensor of `shape` of which each part, or zeros where it is None, fills a size of `dim`."""
    known = next(p for p in parts if p is not None)
    filled = [
        known.new_zeros((*shape[:dim], n, *shape[dim + 1 :])) if p is None else p
        for p, n in zip(parts, sizes, strict=True)
    ]
    return cat(filled, dim)


def _check_sizes(parts: Sequence[Tensor], dim: int) -> None:
    first = parts[0]._array.shape
    for i, tensor in enumerate(parts):
        shape = tensor._array.shape
        if len(shape) != len(first):
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {len(first)} and {len(shape)}"
            )
        for d, (n, m) in enumerate(zip(first, shape, strict=True)):
            if n != m and d != dim:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {dim}. Expected size {n} but "
                    f"got size {m} for tensor number {i} in the list."
                )


@composed(method=False)
def stack(tensors: Sequence[Tensor], dim: int = 0, *, out: Tensor | None = None) -> Tensor:
    """The tensors, all of one shape, along a new dimension `dim`."""
    if isinstance(tensors, Tensor):
        raise TypeError(
            "stack(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"
        )
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    first = tensors[0].shape
    for i, tensor in enumerate(tensors):
        if tensor.shape != first:
            raise RuntimeError(
                f"stack expects each tensor to be equal size, but got {list(first)} at entry 0 "
                f"and {list(tensor.shape)} at entry {i}"
            )
    dim = wrap(dim, len(first) + 1)
    return cat([t.unsqueeze(dim) for t in tensors], dim, out=out)
