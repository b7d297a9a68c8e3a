"""Products beyond those of two matrices: of vectors, of several tensors, over chosen dimensions."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Sequence
from typing import Any

from rushlight.ops._destination import takes_out
from rushlight.ops._registry import composed
from rushlight.ops._words import c_name, same_types, type_name
from rushlight.ops.joining import stack
from rushlight.ops.linalg import broadcast_sizes, dot, mm
from rushlight.size import wrap
from rushlight.tensor import Tensor

# ---- Of vectors ----


@composed()
@takes_out
def outer(input: Tensor, vec2: Tensor) -> Tensor:
    """``out[i, j] = input[i] * vec2[j]``, of the common type of both."""
    for name, vec in (("self", input), ("vec2", vec2)):
        if vec.ndim != 1:
            raise RuntimeError(f"outer: Expected 1-D argument {name}, but got {vec.ndim}-D")
    return input.unsqueeze(1) * vec2


@composed()
@takes_out
def ger(input: Tensor, vec2: Tensor) -> Tensor:
    """The old name of `outer`."""
    return outer(input, vec2)


@composed()
@takes_out
def inner(input: Tensor, other: Tensor) -> Tensor:
    """The sums of products over the last dimension; a 0-dim operand multiplies.

    Raises:
        RuntimeError: for last dimensions of different sizes, and for different types.
    """
    if input.ndim == 0 or other.ndim == 0:
        return input * other
    if input.shape[-1] != other.shape[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(input.shape)} and {list(other.shape)}"
        )
    if input.ndim == 1 and other.ndim == 1:
        return dot(input, other)
    return tensordot(input, other, ([-1], [-1]))


@takes_out
def vecdot(x: Tensor, y: Tensor, *, dim: int = -1) -> Tensor:
    """The sums of products over one dimension, of tensors that broadcast.

    Raises:
        RuntimeError: for a type that is not floating, and shapes that do not broadcast.
    """
    if not x.is_floating_point():
        raise RuntimeError(
            "linalg.vecdot: Expected a floating point or complex tensor as input. "
            f"Got {type_name(x)}"
        )
    broadcast_sizes(x.shape, y.shape)
    return (x * y).sum(dim)


@takes_out
def cross_product(input: Tensor, other: Tensor, dim: int = -1) -> Tensor:
    """``torch.linalg.cross``: the vector products along a dimension of size 3."""
    if input.ndim != other.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    dim = wrap(dim, input.ndim)
    if input.shape[dim] != 3 or other.shape[dim] != 3:
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. "
            f"Got {input.shape[dim]} and {other.shape[dim]}"
        )
    same_types(input, other)
    if input.dtype.name == "bool":
        raise NotImplementedError("\"cross\" not implemented for 'Bool'")
    broadcast_sizes(input.shape, other.shape)
    a, b = input.unbind(dim), other.unbind(dim)
    return stack([a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)], dim)


@composed()
@takes_out
def cross(input: Tensor, other: Tensor, dim: int | None = None) -> Tensor:
    """The vector products along `dim`, by default the first dimension of size 3."""
    if dim is None:
        if 3 not in input.shape:
            raise RuntimeError("no dimension of size 3 in input")
        dim = list(input.shape).index(3)
        if dim != input.ndim - 1:
            warnings.warn(
                "Using torch.cross without specifying the dim arg is deprecated.\nPlease either "
                "pass the dim explicitly or simply use torch.linalg.cross.\nThe default value of "
                "dim will change to agree with that of linalg.cross in a future release.",
                UserWarning,
                stacklevel=2,
            )
    return cross_product(input, other, dim)


# ---- Over chosen dimensions ----


@composed(method=False)
@takes_out
def tensordot(a: Tensor, b: Tensor, dims: Any = 2) -> Tensor:
    """The sums of products over pairs of dimensions, as one product of matrices.

    Args:
        a: the first operand, whose other dimensions come first in the result.
        b: the second operand, of the same type.
        dims: how many of the last dimensions of `a` meet the first ones of `b`; or two sequences
            (or a tensor of two rows) of dimensions that meet pair by pair.

    Raises:
        RuntimeError: for sizes that differ, unless one is 1, and for different types.
    """
    left, right = _contracted(a, b, dims)
    if a.dtype is not b.dtype:
        raise RuntimeError("both inputs should have same dtype")
    left, right = [wrap(d, a.ndim) for d in left], [wrap(d, b.ndim) for d in right]
    for d, e in zip(left, right, strict=True):
        n, m = a.shape[d], b.shape[e]
        if n == 1 != m:
            b = b.sum(e, True, dtype=b.dtype)
        elif m == 1 != n:
            a = a.sum(d, True, dtype=a.dtype)
        elif n != m:
            raise RuntimeError(
                f"contracted dimensions need to match, but first has size {n} in dim {d} and "
                f"second has size {m} in dim {e}"
            )
    rows = [d for d in range(a.ndim) if d not in left]
    columns = [d for d in range(b.ndim) if d not in right]
    count = math.prod(a.shape[d] for d in left)
    sizes = (*(a.shape[d] for d in rows), *(b.shape[d] for d in columns))
    first = a.permute(*rows, *left).reshape(math.prod(sizes[: len(rows)]), count)
    second = b.permute(*right, *columns).reshape(count, math.prod(sizes[len(rows) :]))
    return mm(first, second).reshape(sizes)


def _contracted(a: Tensor, b: Tensor, dims: Any) -> tuple[list[int], list[int]]:
    """The dimensions of both operands that meet."""
    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, int):
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a.ndim, b.ndim):
            raise RuntimeError(f"tensordot expects dims < ndim_a or ndim_b, but got dims={dims}")
        left, right = list(range(-dims, 0)), list(range(dims))
        for d, e in zip(left, right, strict=True):
            if a.shape[d] != b.shape[e] and 1 not in (a.shape[d], b.shape[e]):
                raise RuntimeError(
                    f"contracted dimensions need to match, but first has size {a.shape[d]} in dim "
                    f"{d} and second has size {b.shape[e]} in dim {e}"
                )
        return left, right
    left, right = (list(d) if isinstance(d, Sequence) else [int(d)] for d in dims)
    if len(left) != len(right):
        raise RuntimeError("both dimension lists should have same length")
    return left, right


@composed()
@takes_out
def kron(input: Tensor, other: Tensor) -> Tensor:
    """The Kronecker product; the operand of fewer dimensions gets leading ones of size 1."""
    ndim = max(input.ndim, other.ndim)
    left = (1,) * (ndim - input.ndim) + tuple(input.shape)
    right = (1,) * (ndim - other.ndim) + tuple(other.shape)
    spread = input.reshape([n for size in left for n in (size, 1)])
    product = spread * other.reshape([n for size in right for n in (1, size)])
    return product.reshape([n * m for n, m in zip(left, right, strict=True)])


# ---- Of several matrices ----


@takes_out
def multi_dot(tensors: Sequence[Tensor]) -> Tensor:
    """The product of matrices in the order that multiplies the fewest numbers.

    The first and the last operand may be vectors: a row and a column.

    Raises:
        RuntimeError: for fewer than two operands, other shapes, and different types.
    """
    matrices = list(tensors)
    _check_chain(matrices)
    first, last = matrices[0].ndim, matrices[-1].ndim
    if first == 1:
        matrices[0] = matrices[0].unsqueeze(0)
    if last == 1:
        matrices[-1] = matrices[-1].unsqueeze(1)
    product = _ordered_product(matrices)
    if last == 1:
        product = product.squeeze(1)
    return product.squeeze(0) if first == 1 else product


def _check_chain(tensors: list[Tensor]) -> None:
    if len(tensors) < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {len(tensors)}")
    for name, tensor in (("first", tensors[0]), ("last", tensors[-1])):
        if tensor.ndim not in (1, 2):
            raise RuntimeError(
                f"multi_dot(): the {name} tensor must be 1D or 2D but got {tensor.ndim}D"
            )
    for i, tensor in enumerate(tensors[1:-1], 1):
        if tensor.ndim != 2:
            raise RuntimeError(f"multi_dot(): tensor {i} must be 2D but got {tensor.ndim}D")
    for i, tensor in enumerate(tensors):
        if tensor.dtype is not tensors[0].dtype:
            raise RuntimeError(
                "multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{c_name(tensors[0])} and tensor {i} {c_name(tensor)}"
            )
    for i, (left, right) in enumerate(itertools.pairwise(tensors)):
        if left.shape[-1] != right.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {i} and {i + 1} with shapes {list(left.shape)} and "
                f"{list(right.shape)} cannot be multiplied"
            )


def _ordered_product(matrices: list[Tensor]) -> Tensor:
    """The product in the order of least cost, by dynamic programming over the sub-chains."""
    count = len(matrices)
    sizes = [*(m.shape[0] for m in matrices), matrices[-1].shape[1]]
    cost = [[0] * count for _ in range(count)]
    cut = [[0] * count for _ in range(count)]
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            cost[i][j], cut[i][j] = min(
                (cost[i][k] + cost[k + 1][j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            )

    def product(i: int, j: int) -> Tensor:
        if i == j:
            return matrices[i]
        return mm(product(i, cut[i][j]), product(cut[i][j] + 1, j))

    return product(0, count - 1)


@composed(method=False)
@takes_out
def chain_matmul(*matrices: Any) -> Tensor:
    """The old name of `multi_dot`, for matrices only, which also takes a single one."""
    warnings.warn(
        "torch.chain_matmul is deprecated and will be removed in a future PyTorch release. Use "
        "torch.linalg.multi_dot instead, which accepts a list of two or more tensors rather than "
        "multiple parameters.",
        UserWarning,
        stacklevel=2,
    )
    chain = list(matrices[0] if isinstance(matrices[0], Sequence) else matrices)
    for matrix in chain:
        if matrix.ndim != 2:
            raise RuntimeError(f"Tensor dimension is {matrix.ndim}, expected 2 instead.")
    return chain[0] if len(chain) == 1 else multi_dot(chain)


@composed()
def trace(input: Tensor) -> Tensor:
    """The sum of a matrix's main diagonal.

    Raises:
        RuntimeError: for what is no matrix.
    """
    if input.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input.ndim}")
    if input.dtype.name == "bool":
        raise NotImplementedError("\"trace\" not implemented for 'Bool'")
    return input.diagonal().sum()
