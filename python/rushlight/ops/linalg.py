"""Products of matrices and vectors, with a term added or without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rushlight.ops._destination import takes_out
from rushlight.ops._registry import composed, op
from rushlight.ops._words import c_name, sizes_text, type_name
from rushlight.tensor import Tensor

# ---- Products ----


@op(
    input=lambda K, g, mat2: K.matmul(g, K.transpose(mat2, -2, -1)),
    mat2=lambda K, g, input: K.matmul(K.transpose(input, -2, -1), g),
    forward=lambda K, input, mat2: _matrix_product(K, input, mat2),
)
def mm(input: Tensor, mat2: Tensor) -> Tensor:
    """The product of two matrices, ``(n, k) x (k, m) -> (n, m)``.

    Raises:
        RuntimeError: for other shapes, and for different types.
    """


def _matrix_product(K: Any, input: Any, mat2: Any) -> Any:
    if input.ndim != 2 or mat2.ndim != 2:
        raise RuntimeError(f"{'self' if input.ndim != 2 else 'mat2'} must be a matrix")
    return K.matmul(input, mat2)


@op(
    input=lambda K, g, mat2: K.matmul(g, K.transpose(mat2, -2, -1)),
    mat2=lambda K, g, input: K.matmul(K.transpose(input, -2, -1), g),
    forward=lambda K, input, mat2: _batch_product(K, input, mat2),
)
def bmm(input: Tensor, mat2: Tensor) -> Tensor:
    """The products of two batches of matrices, ``(b, n, k) x (b, k, m) -> (b, n, m)``.

    Raises:
        RuntimeError: for other shapes, and for different types.
    """


def _batch_product(K: Any, batch1: Any, batch2: Any) -> Any:
    if batch1.ndim != 3 or batch2.ndim != 3:
        raise RuntimeError(f"batch{1 if batch1.ndim != 3 else 2} must be a 3D tensor")
    if batch1.shape[0] != batch2.shape[0]:  # the kernel would broadcast
        raise RuntimeError(
            "Expected size for first two dimensions of batch2 tensor to be: "
            f"[{batch1.shape[0]}, {batch1.shape[2]}] but got: {list(batch2.shape[:2])}."
        )
    return K.matmul(batch1, batch2)


def _rows(K: Any, x: Any) -> Any:
    """The rows of all matrices as one matrix."""
    return K.reshape(x, (math.prod(x.shape[:-1]), x.shape[-1]))


def _of_other(K: Any, g: Any, input: Any, other_shape: tuple[int, ...]) -> Any:
    """The gradient of a second operand: one product, without a sum, where it is one matrix."""
    if len(other_shape) == 2:
        input, g = _rows(K, input), _rows(K, g)
    return K.matmul(K.transpose(input, -2, -1), g)


@op(
    input=lambda K, g, other: K.matmul(g, K.transpose(other, -2, -1)),
    other=_of_other,
    forward=lambda K, input, other: K.matmul(input, other),
    node="UnsafeViewBackward0",
    method=False,
)
def batched_product(input: Tensor, other: Tensor) -> Tensor:
    """Products of matrices over broadcast leading dimensions."""


@op(
    input=lambda K, g, vec: K.mul(K.unsqueeze(g, -1), vec),
    vec=lambda K, g, input: K.matmul(K.transpose(_rows(K, input), 0, 1), K.reshape(g, (-1,))),
    forward=lambda K, input, vec: K.matmul(input, vec),
    node="UnsafeViewBackward0",
    method=False,
)
def batched_mv(input: Tensor, vec: Tensor) -> Tensor:
    """Products of matrices with one vector."""


def broadcast_sizes(a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
    """The shape that two shapes broadcast to.

    Raises:
        RuntimeError: where they do not, with PyTorch's words.
    """
    ndim = max(len(a), len(b))
    a, b = (1,) * (ndim - len(a)) + tuple(a), (1,) * (ndim - len(b)) + tuple(b)
    for d, (n, m) in enumerate(zip(a, b, strict=True)):
        if n != m and 1 not in (n, m):
            raise RuntimeError(
                f"The size of tensor a ({n}) must match the size of tensor b ({m}) at "
                f"non-singleton dimension {d}"
            )
    return tuple(m if n == 1 else n for n, m in zip(a, b, strict=True))


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
    return K.matmul(input, tensor)


@composed()
@takes_out
def vdot(input: Tensor, other: Tensor) -> Tensor:
    """The inner product of two vectors: `dot`, since there are no complex tensors."""
    return dot(input, other)


@op(
    input=lambda K, g, vec: K.matmul(K.unsqueeze(g, 1), K.unsqueeze(vec, 0)),
    vec=lambda K, g, input: K.matmul(K.transpose(input, 0, 1), g),
    forward=lambda K, input, vec: _matrix_times_vector(K, input, vec),
)
def mv(input: Tensor, vec: Tensor) -> Tensor:
    """The product of a matrix and a vector, ``(n, k) x (k) -> (n)``."""


def _matrix_times_vector(K: Any, mat: Any, vec: Any) -> Any:
    if mat.ndim != 2 or vec.ndim != 1:
        raise RuntimeError(f"vector + matrix @ vector expected, got 1, {mat.ndim}, {vec.ndim}")
    return K.matmul(mat, vec)


@composed()
@takes_out
def matmul(input: Tensor, other: Tensor) -> Tensor:
    """The matrix product, with NumPy's rules for vectors and for batches.

    Vectors count as a row (first operand) or a column (second); leading dimensions broadcast.

    Raises:
        RuntimeError: for a 0-dim operand, and where inner sizes or types differ.
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
        rows = input.unsqueeze(0)
        return (mm if b == 2 else batched_product)(rows, other).squeeze(-2)
    if b == 1:
        return batched_mv(input, other)
    if a == 3 and b == 3 and input._array.shape[0] == other._array.shape[0]:
        return bmm(input, other)
    return batched_product(input, other)


def _matmul_operator(self: Tensor, other: Any) -> Tensor:
    """``self @ other``; see `matmul`."""
    return matmul(self, other) if isinstance(other, Tensor) else NotImplemented


def _reflected_operator(self: Tensor, other: Any) -> Tensor:
    """``other @ self``; see `matmul`."""
    return matmul(other, self) if isinstance(other, Tensor) else NotImplemented


Tensor.__matmul__ = _matmul_operator  # type: ignore[method-assign]
Tensor.__rmatmul__ = _reflected_operator  # type: ignore[attr-defined]


# ---- Products with a term added ----


def _affine(K: Any, input: Any, product: Any, beta: Any, alpha: Any) -> Any:
    """``beta * input + alpha * product``; with ``beta = 0``, what `input` holds does not matter."""
    if product.dtype.kind in "iu":  # as PyTorch converts the factors
        beta, alpha = int(beta), int(alpha)
    if input.shape != product.shape:
        input = expanded(K, input, product.shape)
    product = product if alpha == 1 else K.mul(product, alpha)
    if beta == 0:
        return product
    return K.add(input if beta == 1 else K.mul(input, beta), product)


def expanded(K: Any, input: Any, shape: tuple[int, ...]) -> Any:
    """`input` as a view of a shape, with PyTorch's words where that cannot be.

    Raises:
        RuntimeError: for more dimensions, and for sizes that are neither 1 nor the wanted ones.
    """
    own = tuple(input.shape)
    added = len(shape) - len(own)
    if added < 0:
        raise RuntimeError(
            f"expand(torch.{type_name(input)}Tensor{{{list(own)}}}, size={list(shape)}): the "
            f"number of sizes provided ({len(shape)}) must be greater or equal to the number of "
            f"dimensions in the tensor ({len(own)})"
        )
    for d in reversed(range(len(own))):
        if own[d] not in (1, shape[d + added]):
            raise RuntimeError(
                f"The expanded size of the tensor ({shape[d + added]}) must match the existing "
                f"size ({own[d]}) at non-singleton dimension {d + added}.  Target sizes: "
                f"{list(shape)}.  Tensor sizes: {list(own)}"
            )
    return K.expand(input, shape)


def _scaled(K: Any, x: Any, factor: float) -> Any:
    return x if factor == 1 else K.mul(x, factor)


def _addmm(K: Any, input: Any, mat1: Any, mat2: Any, beta: Any, alpha: Any) -> Any:
    if mat1.ndim != 2 or mat2.ndim != 2:
        name, mat = ("mat1", mat1) if mat1.ndim != 2 else ("mat2", mat2)
        raise RuntimeError(f"{name} must be a matrix, got {mat.ndim}-D tensor")
    if beta == 1 and alpha == 1 and input.ndim == 1:
        return K.linear(mat1, K.transpose(mat2, 0, 1), input)
    if mat1.dtype != mat2.dtype or input.dtype != mat2.dtype:
        x, name = (mat1, "mat1") if mat1.dtype != mat2.dtype == input.dtype else (input, "self")
        raise RuntimeError(
            f"{name} and mat2 must have the same dtype, but got {type_name(x)} and "
            f"{type_name(mat2)}"
        )
    return _affine(K, input, K.matmul(mat1, mat2), beta, alpha)


@op(
    input=lambda K, g, beta: _scaled(K, g, beta),
    mat1=lambda K, g, mat2, alpha: _scaled(K, K.matmul(g, K.transpose(mat2, 0, 1)), alpha),
    # Transposed twice: `mat2` of a linear layer is a transposed weight, whose gradient should lie
    # in memory as the weight does.
    mat2=lambda K, g, mat1, alpha: _scaled(
        K, K.transpose(K.matmul(K.transpose(g, 0, 1), mat1), 0, 1), alpha
    ),
    forward=_addmm,
    inplace=True,
)
def addmm(
    input: Tensor, mat1: Tensor, mat2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """``beta * input + alpha * (mat1 @ mat2)``, `input` broadcast to the product's shape."""


def _addmv(K: Any, input: Any, mat: Any, vec: Any, beta: Any, alpha: Any) -> Any:
    if input.ndim > 1 or mat.ndim != 2 or vec.ndim != 1:
        raise RuntimeError(
            f"vector + matrix @ vector expected, got {input.ndim}, {mat.ndim}, {vec.ndim}"
        )
    if mat.shape[1] != vec.shape[0] or (input.size != 1 and input.shape[0] != mat.shape[0]):
        raise RuntimeError(
            f"size mismatch, got input ({input.shape[0] if input.ndim else 1}), mat "
            f"({sizes_text(mat)}), vec ({vec.shape[0]})"
        )
    if mat.dtype != vec.dtype or input.dtype != mat.dtype:
        raise RuntimeError(
            "addmv input tensors must have the same dtype, but got "
            f"{type_name(input)}, {type_name(mat)}, and {type_name(vec)}"
        )
    return _affine(K, input, K.matmul(mat, vec), beta, alpha)


@op(
    input=lambda K, g, beta: _scaled(K, g, beta),
    mat=lambda K, g, vec, alpha: _scaled(
        K, K.matmul(K.unsqueeze(g, 1), K.unsqueeze(vec, 0)), alpha
    ),
    vec=lambda K, g, mat, alpha: _scaled(K, K.matmul(K.transpose(mat, 0, 1), g), alpha),
    forward=_addmv,
    inplace=True,
)
def addmv(input: Tensor, mat: Tensor, vec: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * (mat @ vec)``, `input` broadcast to the product's shape."""


def _baddbmm(K: Any, input: Any, batch1: Any, batch2: Any, beta: Any, alpha: Any) -> Any:
    shape = (*batch1.shape[:2], batch2.shape[-1])
    if batch2.ndim < 3:
        raise IndexError("Dimension out of range (expected to be in range of [-2, 1], but got 2)")
    input = input if input.shape == shape else expanded(K, input, shape)
    if input.dtype != batch1.dtype:
        raise RuntimeError(
            f"Input dtypes must be the same, got: input {c_name(input)}, "
            f"batch1: {c_name(batch1)}, batch2: {c_name(batch2)}"
        )
    return _affine(K, input, _batch_product(K, batch1, batch2), beta, alpha)


@op(
    input=lambda K, g, beta: _scaled(K, g, beta),
    batch1=lambda K, g, batch2, alpha: _scaled(K, K.matmul(g, K.transpose(batch2, -2, -1)), alpha),
    batch2=lambda K, g, batch1, alpha: _scaled(K, K.matmul(K.transpose(batch1, -2, -1), g), alpha),
    forward=_baddbmm,
    inplace=True,
)
def baddbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """``beta * input + alpha * (batch1 @ batch2)`` for two batches of matrices."""


def _addbmm(K: Any, input: Any, batch1: Any, batch2: Any, beta: Any, alpha: Any) -> Any:
    if batch2.ndim < 3:
        raise IndexError("Dimension out of range (expected to be in range of [-2, 1], but got 2)")
    shape = (batch1.shape[1], batch2.shape[2])
    input = input if input.shape == shape else expanded(K, input, shape)
    if batch1.ndim != 3 or batch2.ndim != 3:
        raise RuntimeError(f"batch{1 if batch1.ndim != 3 else 2} must be a 3D tensor")
    (n, rows, inner), (m, depth, columns) = batch1.shape, batch2.shape
    if n != m:
        raise RuntimeError(f"batch1 and batch2 must have same number of batches, got {n} and {m}")
    if inner != depth:
        raise RuntimeError(
            f"Incompatible matrix sizes for bmm ({rows}x{inner} and {depth}x{columns})"
        )
    # The sum over the batch is part of one product: (rows, n * inner) x (n * inner, columns).
    left = K.reshape(K.permute(batch1, (1, 0, 2)), (rows, n * inner))
    return _addmm(K, input, left, K.reshape(batch2, (n * inner, columns)), beta, alpha)


@op(
    input=lambda K, g, beta: _scaled(K, g, beta),
    batch1=lambda K, g, batch2, alpha: _scaled(K, K.matmul(g, K.transpose(batch2, -2, -1)), alpha),
    batch2=lambda K, g, batch1, alpha: _scaled(K, K.matmul(K.transpose(batch1, -2, -1), g), alpha),
    forward=_addbmm,
    inplace=True,
)
def addbmm(
    input: Tensor, batch1: Tensor, batch2: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """``beta * input + alpha * sum of (batch1 @ batch2)`` over the batch."""


def _addr(K: Any, input: Any, vec1: Any, vec2: Any, beta: Any, alpha: Any) -> Any:
    for name, vec in (("vec1", vec1), ("vec2", vec2)):
        if vec.ndim != 1:
            raise RuntimeError(f"addr: Expected 1-D argument {name}, but got {vec.ndim}-D")
    product = K.mul(K.unsqueeze(vec1, 1), K.unsqueeze(vec2, 0))
    kind = (K.result_type(input, product)).kind
    for name, factor in (("beta", beta), ("alpha", alpha)):
        if kind in "iub" and isinstance(factor, float):
            raise RuntimeError(
                f"For integral input tensors, argument {name} must not be a floating point number."
            )
    if kind == "b":
        beta, alpha = bool(beta), bool(alpha)
    return _affine(K, input, product, beta, alpha)


@op(
    input=lambda K, g, beta: _scaled(K, g, beta),
    vec1=lambda K, g, vec2, alpha: _scaled(K, K.matmul(g, vec2), alpha),
    vec2=lambda K, g, vec1, alpha: _scaled(K, K.matmul(K.transpose(g, 0, 1), vec1), alpha),
    forward=_addr,
    inplace=True,
)
def addr(input: Tensor, vec1: Tensor, vec2: Tensor, *, beta: float = 1, alpha: float = 1) -> Tensor:
    """``beta * input + alpha * outer(vec1, vec2)``, `input` broadcast to the product's shape."""


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
