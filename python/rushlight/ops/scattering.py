"""Elements read and written one by one, each at an index of its own."""

from __future__ import annotations

from typing import Any

from rushlight.backend.common import named, outside
from rushlight.backend.indexing import check_source
from rushlight.ops._arguments import written
from rushlight.ops._registry import composed, op
from rushlight.ops.pointwise import Number
from rushlight.ops.views import broadcast_shapes
from rushlight.size import wrap
from rushlight.tensor import Tensor


def _gathered(K: Any, input: Any, dim: int, index: Any, sparse_grad: bool) -> Any:
    if sparse_grad:
        raise NotImplementedError("gather(): sparse_grad=True is not supported")
    return K.gather(input, dim, index)


@op(
    input=lambda K, g, input_shape, dim, index: K.scatter_add(
        K.new_zeros(g, input_shape), dim, index, g
    ),
    index=None,
    forward=_gathered,
)
def gather(input: Tensor, dim: int, index: Tensor, *, sparse_grad: bool = False) -> Tensor:
    """``out[i][j] = input[index[i][j]][j]`` for ``dim = 0``, and likewise for other dimensions.

    Args:
        input: the source.
        dim: the dimension that `index` counts along.
        index: int32 or int64, of as many dimensions as `input`, nowhere larger apart from `dim`.
        sparse_grad: not supported.

    Raises:
        RuntimeError: for an index of another type or number of dimensions, or out of bounds.
    """


def _refuse_reduce(reduce: str | None) -> None:
    if reduce is not None:
        raise NotImplementedError(
            "the derivative for 'scatter' with reduce is not implemented; use scatter_reduce"
        )


def _scatter_input(K: Any, g: Any, dim: int, index: Any, reduce: str | None) -> Any:
    _refuse_reduce(reduce)
    return K.scatter(g, dim, index, 0)


def _scatter_src(K: Any, g: Any, dim: int, index: Any, src_shape: Any, reduce: str | None) -> Any:
    _refuse_reduce(reduce)
    return _padded(K, K.gather(g, dim, index), src_shape)


def _padded(K: Any, g: Any, shape: tuple[int, ...]) -> Any:
    """The gradient of a source that is larger than its index: zeros behind."""
    if g.shape == shape:
        return g
    return K.replaced(K.new_zeros(g, shape), tuple(slice(n) for n in g.shape), None, g)


@op(input=_scatter_input, index=None, src=_scatter_src, inplace=True)
def scatter(
    input: Tensor,
    dim: int,
    index: Tensor,
    src: Tensor | Number | None = None,
    value: Number | None = None,
    reduce: str | None = None,
) -> Tensor:
    """A copy in which ``out[index[i][j]][j] = src[i][j]`` for ``dim = 0``.

    Where an index is repeated, any of its values may win, and gradients are right only without.

    Args:
        input: what is copied.
        dim: the dimension that `index` counts along.
        index: int32 or int64, nowhere larger than `src` nor, apart from `dim`, than `input`.
        src: the values, of the dtype of `input`, or one number for all.
        value: another name of `src` for a number.
        reduce: ``"add"`` or ``"multiply"``: combine with what is there; without gradient.

    Raises:
        RuntimeError: for an index that does not fit or is out of bounds.
    """


@op(
    input=lambda K, g: g,
    index=None,
    src=lambda K, g, dim, index, src_shape: _padded(K, K.gather(g, dim, index), src_shape),
    inplace=True,
)
def scatter_add(input: Tensor, dim: int, index: Tensor, src: Tensor) -> Tensor:
    """A copy in which ``out[index[i][j]][j] += src[i][j]`` for ``dim = 0``; see `scatter`."""


# ---- scatter_reduce ----
#
# The gradients of `input` and `src`, from g, input, dim, index, the part of src that the index
# reaches, out, and whether `input` takes part.


def _sum_gradients(
    K: Any, g: Any, x: Any, dim: int, index: Any, src: Any, out: Any, own: bool
) -> Any:
    return g, K.gather(g, dim, index)


def _mean_gradients(
    K: Any, g: Any, x: Any, dim: int, index: Any, src: Any, out: Any, own: bool
) -> Any:
    zeros = K.new_zeros(g, g.shape)
    counts = K.scatter_add(K.add(zeros, own), dim, index, K.add(K.new_zeros(g, index.shape), 1))
    each = K.div(g, K.add(counts, K.eq(counts, 0)))
    return each, K.gather(each, dim, index)


def _extreme_gradients(
    K: Any, g: Any, x: Any, dim: int, index: Any, src: Any, out: Any, own: bool
) -> Any:
    """Shared evenly by all that equal the extreme."""
    zeros = K.new_zeros(g, g.shape)
    own_hits = K.add(zeros, K.eq(x, out))
    if not own:
        own_hits = K.scatter(own_hits, dim, index, 0)
    hits = K.add(K.new_zeros(g, src.shape), K.eq(src, K.gather(out, dim, index)))
    shares = K.scatter_add(own_hits, dim, index, hits)
    each = K.div(g, K.add(shares, K.eq(shares, 0)))
    return K.mul(each, own_hits), K.mul(K.gather(each, dim, index), hits)


def _product_gradients(
    K: Any, g: Any, x: Any, dim: int, index: Any, src: Any, out: Any, own: bool
) -> Any:
    zeros = K.new_zeros(g, g.shape)
    is_zero = K.eq(src, 0)
    other_factors = K.where(is_zero, 1.0, src)
    # A factor that is not 0: the product by this factor. One that is: the product of the others,
    # without zeros, times the other zero if there is one more; its derivative is not 0.
    product = K.div(K.gather(K.mul(g, out), dim, index), other_factors)
    rest = K.scatter_reduce(x, dim, index, other_factors, "prod", include_self=own)
    counts = K.gather(
        K.scatter_add(zeros, dim, index, K.add(K.new_zeros(g, src.shape), is_zero)), dim, index
    )
    others = K.gather(K.scatter_add(zeros, dim, index, K.where(is_zero, src, 0.0)), dim, index)
    factor = K.where(K.lt(counts, 2), 1.0, K.where(K.lt(counts, 3), K.sub(others, src), 0.0))
    at_zero = K.mul(K.gather(K.mul(g, rest), dim, index), factor)
    of_sources = K.scatter_reduce(K.add(zeros, 1), dim, index, src, "prod", include_self=True)
    return K.mul(g, of_sources), K.where(is_zero, at_zero, product)


_GRADIENTS = {
    "sum": _sum_gradients,
    "mean": _mean_gradients,
    "prod": _product_gradients,
    "amax": _extreme_gradients,
    "amin": _extreme_gradients,
}


def _reduce_gradients(
    K: Any,
    g: Any,
    needs: tuple[bool, ...],
    input: Any,
    dim: int,
    index: Any,
    src: Any,
    out: Any,
    reduce: str,
    include_self: bool,
) -> Any:
    terms = src
    if src.shape != index.shape:
        terms = K.getitem(src, tuple(slice(n) for n in index.shape))
    gx, gs = _GRADIENTS[reduce](K, g, input, dim, index, terms, out, include_self)
    if not include_self:
        gx = K.scatter(gx, dim, index, 0)
    return gx if needs[0] else None, None, _padded(K, gs, src.shape) if needs[2] else None


@op(joint=_reduce_gradients, inplace=True)
def scatter_reduce(
    input: Tensor, dim: int, index: Tensor, src: Tensor, reduce: str, *, include_self: bool = True
) -> Tensor:
    """A copy in which the values of `src` with one place are reduced to one; see `scatter`.

    Gradient: extremes share it evenly; in a product, a factor's is the product of the others.

    Args:
        input: what is copied.
        dim: the dimension that `index` counts along.
        index: as `scatter` takes it.
        src: the values, of the dtype of `input`.
        reduce: ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``.
        include_self: whether the element of `input` takes part.
    """


@composed()
def index_reduce(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
    out: Tensor | None = None,
) -> Tensor:
    """A copy in which slices of `source` with one place along `dim` are reduced to one.

    Args:
        input: what is copied.
        dim: the dimension that `index` counts along.
        index: a vector of int32 or int64: the places of the slices.
        source: of the shape of `input`, but as long along `dim` as `index`.
        reduce: ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``.
        include_self: whether the slices of `input` take part.
        out: where to write the result.
    """
    places = _slice_places(input, dim, index, source, reduce)
    result = scatter_reduce(input, dim, places, source, reduce, include_self=include_self)
    return result if out is None else written("index_reduce", out, result)


@composed(name="index_reduce_")
def index_reduce_in_place(
    input: Tensor,
    dim: int,
    index: Tensor,
    source: Tensor,
    reduce: str,
    *,
    include_self: bool = True,
) -> Tensor:
    """`index_reduce` in place."""
    places = _slice_places(input, dim, index, source, reduce)
    return input.scatter_reduce_(dim, places, source, reduce, include_self=include_self)


def _slice_places(input: Tensor, dim: int, index: Tensor, source: Tensor, reduce: str) -> Tensor:
    """The index of every element of `source`, for `scatter_reduce`."""
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"index_reduce(): Expected reduce to be one of prod, mean, amax or amin but got "
            f"{reduce}."
        )
    x, places = input._array, index._array
    dim = wrap(dim, x.ndim)
    check_source("index_reduce_", x, dim, places, source._array)
    size = x.shape[dim] if x.ndim else 1
    if outside(places, size) is not None:
        raise IndexError("index out of range in self")
    shape = [1] * source.ndim
    if shape:
        shape[dim] = -1
    return index.reshape(shape).expand(source.shape)


# ---- Places counted over all elements ----


@op(
    input=lambda K, g, input_shape, index: K.put(K.new_zeros(g, input_shape), index, g, True),
    index=None,
)
def take(input: Tensor, index: Tensor) -> Tensor:
    """The elements of `input`, taken as one row, at `index`; negative ones count from the end.

    Raises:
        IndexError: for an index that is out of range.
        RuntimeError: for an index that is not int64.
    """


@op(
    input=lambda K, g, index, index_shape, accumulate: (
        g if accumulate else K.put(g, index, K.new_zeros(g, index_shape), False)
    ),
    index=None,
    source=lambda K, g, index, source_shape: K.reshape(K.take(g, index), source_shape),
    inplace=True,
)
def put(input: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with `source` written, or added, at `index`, counted over all elements."""


@composed()
def take_along_dim(
    input: Tensor, indices: Tensor, dim: int | None = None, *, out: Tensor | None = None
) -> Tensor:
    """The elements whose positions along `dim` are `indices`; the other sizes broadcast."""
    if indices._array.dtype.name != "int64":
        raise RuntimeError(
            f"torch.take_along_dim(): dtype of indices should be Long but got "
            f"{named(indices._array.dtype)}"
        )
    if dim is None:
        input, indices, dim = input.reshape(-1), indices.reshape(-1), 0
    if input.ndim != indices.ndim:
        raise RuntimeError(
            "torch.take_along_dim(): input and indices should have the same number of dimensions, "
            f"but got {input.ndim} dimensions for input, and {indices.ndim} dimensions for indices"
        )
    dim = wrap(dim, input.ndim)
    sizes = list(broadcast_shapes(_without(dim, input), _without(dim, indices)))
    own, taken = input._array.shape[dim], indices._array.shape[dim]
    source = input.expand(*sizes[:dim], own, *sizes[dim:])
    places = indices.expand(*sizes[:dim], taken, *sizes[dim:])
    result = gather(source, dim, (places < 0) * own + places)
    return result if out is None else written("take_along_dim", out, result)


def _without(dim: int, tensor: Tensor) -> tuple[int, ...]:
    shape: tuple[int, ...] = tensor.shape
    return shape[:dim] + shape[dim + 1 :]
