"""Products of matrices and vectors."""

from __future__ import annotations

from typing import Any

from rushlight.ops._registry import composed, op
from rushlight.tensor import Tensor


@op(
    input=lambda K, g, mat2: K.matmul(g, K.transpose(mat2, -2, -1)),
    mat2=lambda K, g, input: K.matmul(K.transpose(input, -2, -1), g),
    forward=lambda K, input, mat2: _matrix_product(K, "mm", 2, input, mat2),
)
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, ``(n, k) x (k, m) -> (n, m)``."""


@op(
    input=lambda K, g, mat2: K.matmul(g, K.transpose(mat2, -2, -1)),
    mat2=lambda K, g, input: K.matmul(K.transpose(input, -2, -1), g),
    forward=lambda K, input, mat2: _matrix_product(K, "bmm", 3, input, mat2),
)
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices, ``(b, n, k) x (b, k, m) -> (b, n, m)``."""


def _matrix_product(K: Any, name: str, ndim: int, input: Any, mat2: Any) -> Any:
    if input.ndim != ndim or mat2.ndim != ndim:
        words = "self must be a matrix" if ndim == 2 else "batch1 must be a 3D tensor"
        raise RuntimeError(f"{words}; {name}: got shapes {input.shape} and {mat2.shape}")
    return K.matmul(input, mat2)


@op(
    input=lambda K, g, other: K.matmul(g, K.transpose(other, -2, -1)),
    other=lambda K, g, input: K.matmul(K.transpose(input, -2, -1), g),
    forward=lambda K, input, other: K.matmul(input, other),
    node="UnsafeViewBackward0",
    method=False,
)
def batched_product(input: Tensor, other: Tensor) -> Tensor:
    """Products of matrices over broadcast leading dimensions."""


@op(
    input=lambda K, g, tensor: K.mul(g, tensor),
    tensor=lambda K, g, input: K.mul(g, input),
    forward=lambda K, input, tensor: _inner_product(K, input, tensor),
)
def dot(input: Tensor, tensor: Tensor) -> Tensor:
    """The inner product of two vectors."""


def _inner_product(K: Any, input: Any, tensor: Any) -> Any:
    if input.ndim != 1 or tensor.ndim != 1:
        raise RuntimeError(f"1D tensors expected, but got {input.ndim}D and {tensor.ndim}D tensors")
    if input.shape != tensor.shape:
        raise RuntimeError(
            f"inconsistent tensor size, expected tensor [{input.shape[0]}] and src "
            f"[{tensor.shape[0]}] to have the same number of elements, but got {input.shape[0]} "
            f"and {tensor.shape[0]} elements respectively"
        )
    return K.matmul(input, tensor)


@op(
    input=lambda K, g, vec: K.matmul(K.unsqueeze(g, 1), K.unsqueeze(vec, 0)),
    vec=lambda K, g, input: K.matmul(K.transpose(input, 0, 1), g),
    forward=lambda K, input, vec: K.matmul(input, vec),
)
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector, ``(n, k) x (k) -> (n)``."""


@composed()
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product, with NumPy's rules for vectors and for batches.

    Vectors count as a row (first operand) or a column (second); leading dimensions broadcast.

    Raises:
        RuntimeError: for a 0-dim operand, and where inner sizes differ.
    """
    a, b = input.ndim, other.ndim
    if a == 2 and b == 2:
        return mm(input, other)
    if a == 0 or b == 0:
        raise RuntimeError(
            f"both arguments to matmul need to be at least 1D, but they are {a}D and {b}D"
        )
    if a == 1 and b == 1:
        return dot(input, other)
    if a == 2 and b == 1:
        return mv(input, other)
    if a == 1:
        return batched_product(input.unsqueeze(0), other).squeeze(-2)
    if b == 1:
        return batched_product(input, other.unsqueeze(1)).squeeze(-1)
    if a == 3 and b == 3 and input._array.shape[0] == other._array.shape[0]:
        return bmm(input, other)
    return batched_product(input, other)


def _matmul_operator(self: Tensor, other: Any) -> Tensor:
    """``self @ other``; see `matmul`."""
    return matmul(self, other) if isinstance(other, Tensor) else NotImplemented


Tensor.__matmul__ = _matmul_operator  # type: ignore[method-assign]


def _affine(K: Any, input: Any, mat1: Any, mat2: Any, beta: Any, alpha: Any) -> Any:
    if beta == 1 and alpha == 1 and input.ndim == 1 and mat1.ndim == 2 and mat2.ndim == 2:
        return K.linear(mat1, K.transpose(mat2, 0, 1), input)
    product = K.matmul(mat1, mat2)
    return K.add(K.mul(input, beta), product if alpha == 1 else K.mul(product, alpha))


@op(
    input=lambda K, g, beta: g if beta == 1 else K.mul(g, beta),
    mat1=lambda K, g, mat2, alpha: _scaled(K, K.matmul(g, K.transpose(mat2, 0, 1)), alpha),
    # Transposed twice: `mat2` of a linear layer is a transposed weight, whose gradient should lie
    # in memory as the weight does.
    mat2=lambda K, g, mat1, alpha: _scaled(
        K, K.transpose(K.matmul(K.transpose(g, 0, 1), mat1), 0, 1), alpha
    ),
    forward=_affine,
)
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """``beta * input + alpha * (mat1 @ mat2)``, `input` broadcast to the product's shape."""


def _scaled(K: Any, x: Any, factor: float) -> Any:
    return x if factor == 1 else K.mul(x, factor)


@composed(method=False)
def linear(input: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """``input @ weight.T + bias`` over the last dimension.

    Args:
        input: ``(..., in_features)``.
        weight: ``(out_features, in_features)`` or ``(in_features)``.
        bias: ``(out_features)``, or None.
    """
    if weight.ndim != 2 or input.ndim < 1:
        product = matmul(input, weight.t())
        return product if bias is None else product + bias
    if input.ndim == 2:
        return mm(input, weight.t()) if bias is None else addmm(bias, input, weight.t())
    shape = input._array.shape
    rows = input.reshape(-1, shape[-1]) if input.ndim > 1 else input.unsqueeze(0)
    product = mm(rows, weight.t()) if bias is None else addmm(bias, rows, weight.t())
    return product.view(*shape[:-1], weight._array.shape[0])
