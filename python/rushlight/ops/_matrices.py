"""What the functions of linear algebra check, in PyTorch's words."""

from __future__ import annotations

from typing import Any

from rushlight.errors import LinAlgError
from rushlight.ops._words import type_name
from rushlight.tensor import Tensor


def check_matrices(name: str, A: Tensor, argument: str = "A") -> None:
    """Raises RuntimeError for fewer than two dimensions."""
    if A.ndim < 2:
        raise RuntimeError(f"{name}: The input tensor {argument} must have at least 2 dimensions.")


def check_square(name: str, A: Tensor, argument: str = "A") -> None:
    """Raises RuntimeError for what are no square matrices."""
    check_matrices(name, A, argument)
    rows, columns = A.shape[-2:]
    if rows != columns:
        raise RuntimeError(
            f"{name}: {argument} must be batches of square matrices, but they are {rows} by "
            f"{columns} matrices"
        )


def check_floating(name: str, A: Tensor) -> None:
    """Raises RuntimeError for a type that is not floating, or of half precision."""
    if not A.is_floating_point():
        raise RuntimeError(
            f"{name}: Expected a floating point or complex tensor as input. Got {type_name(A)}"
        )
    if A.dtype.itemsize < 4:
        raise RuntimeError(f"{name}: Low precision dtypes not supported. Got {type_name(A)}")


def check_implemented(kernel: str, A: Tensor) -> None:
    """Raises NotImplementedError for a type that is not floating, as PyTorch's dispatch does."""
    if not A.is_floating_point() or A.dtype.itemsize < 4:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{type_name(A)}'")


def check_system(name: str, A: Tensor, B: Tensor, left: bool) -> None:
    """Raises RuntimeError where ``A X = B``, or ``X A = B``, has shapes that do not fit."""
    check_matrices(name, B, "B")
    check_square(name, A)
    if A.shape[-2] != B.shape[-2 if left else -1]:
        rows, columns = B.shape[-2:]
        raise RuntimeError(
            f"{name}: Incompatible shapes of A and B for the equation "
            f"{'AX = B' if left else 'XA = B'} ({A.shape[-2]}x{A.shape[-1]} and {rows}x{columns})"
        )


def check_info(name: str, info: Any, words: str) -> None:
    """Raises LinAlgError, its text from `words` and the number, where `info` is not 0.

    Raises:
        LinAlgError: for the first matrix of the batch that failed.
    """
    array = info._array
    if not array.any():
        return
    values = array.reshape(-1).tolist()
    i = next(i for i, value in enumerate(values) if value)
    batch = f"(Batch element {i}): " if array.ndim else ""
    raise LinAlgError(f"{name}: {batch}{words.format(values[i])}")


SINGULAR = (
    "The diagonal element {} is zero, the inversion could not be completed because the input "
    "matrix is singular."
)
UNSOLVABLE = "The solver failed because the input matrix is singular."
INDEFINITE = (
    "The factorization could not be completed because the input is not positive-definite (the "
    "leading minor of order {} is not positive-definite)."
)
