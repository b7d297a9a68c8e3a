"""Products and powers, under the names of ``torch.linalg``."""

from __future__ import annotations

from rushlight.ops._destination import takes_out
from rushlight.ops.joining import stack
from rushlight.ops.linalg import matmul as _matmul
from rushlight.ops.matrices import matrix_power as _matrix_power
from rushlight.ops.matrices import powers_of
from rushlight.ops.products import cross_product
from rushlight.tensor import Tensor


@takes_out
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product; see ``rushlight.matmul``."""
    return _matmul(input, other)


@takes_out
def matrix_power(A: Tensor, n: int) -> Tensor:
    """``A @ ... @ A``, n times; see ``rushlight.matrix_power``."""
    return _matrix_power(A, n)


@takes_out
def cross(input: Tensor, other: Tensor, *, dim: int = -1) -> Tensor:
    """The vector products along a dimension of size 3; the other dimensions broadcast."""
    return cross_product(input, other, dim)


def diagonal(A: Tensor, *, offset: int = 0, dim1: int = -2, dim2: int = -1) -> Tensor:
    """The view of a diagonal of two dimensions, the last two by default."""
    return A.diagonal(offset, dim1, dim2)


def vander(x: Tensor, *, N: int | None = None) -> Tensor:
    """The powers of each element from 0 to ``N - 1``, along a new last dimension.

    Args:
        x: ``(..., n)``.
        N: n by default, at least 2.
    """
    count = (x.shape[-1] if x.ndim else 0) if N is None else N
    if count <= 1:
        raise RuntimeError("N must be greater than 1.")
    return stack(powers_of(x, count), -1)
