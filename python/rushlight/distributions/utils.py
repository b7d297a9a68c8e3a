"""What the distributions share: parameters that broadcast, and the two forms of probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.dtypes import finfo
from rushlight.tensor import Tensor

__all__ = [
    "broadcast_all",
    "clamp_probs",
    "lazy_property",
    "logits_to_probs",
    "probs_to_logits",
    "sum_rightmost",
    "tril_matrix_to_vec",
    "vec_to_tril_matrix",
]

euler_constant = 0.57721566490153286060  # Euler and Mascheroni's


def broadcast_all(*values: Any) -> tuple[Tensor, ...]:
    """Numbers and tensors as tensors of one shape; numbers take the type of the first tensor.

    Raises:
        ValueError: for what is neither.
    """
    if not all(isinstance(v, Tensor | int | float) for v in values):
        raise ValueError(
            "Input arguments must all be instances of Number, torch.Tensor or objects "
            "implementing __torch_function__."
        )
    like = next((v for v in values if isinstance(v, Tensor)), None)
    if like is None:
        tensors = [ops.tensor(float(v)) for v in values]
    else:
        tensors = [
            v if isinstance(v, Tensor) else ops.tensor(v, dtype=like.dtype, device=like.device)
            for v in values
        ]
    shape = broadcast_shapes(*(t.shape for t in tensors))
    return tuple(t.expand(shape) for t in tensors)


def broadcast_shapes(*shapes: Any) -> tuple[int, ...]:
    """The shape that shapes broadcast to.

    Raises:
        RuntimeError: where they do not.
    """
    result: tuple[int, ...] = ()
    for shape in shapes:
        result = ops.linalg.broadcast_sizes(result, shape)
    return result


def clamp_probs(probs: Tensor) -> Tensor:
    """Probabilities moved away from 0 and 1 by the type's eps."""
    eps = finfo(probs.dtype).eps
    return probs.clamp(eps, 1 - eps)


def logits_to_probs(logits: Tensor, is_binary: bool = False) -> Tensor:
    """Probabilities from log-odds (binary), or from logarithms up to a constant."""
    return logits.sigmoid() if is_binary else logits.softmax(-1)


def probs_to_logits(probs: Tensor, is_binary: bool = False) -> Tensor:
    """The inverse of `logits_to_probs`, finite also for 0 and 1."""
    clamped = clamp_probs(probs)
    return clamped.log() - (-clamped).log1p() if is_binary else clamped.log()


class lazy_property:  # noqa: N801 - PyTorch's name
    """A property that is computed at its first use, with gradients, and kept."""

    def __init__(self, wrapped: Callable[[Any], Any]) -> None:
        self.wrapped = wrapped
        self.__doc__ = wrapped.__doc__

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        if instance is None:
            return self
        with ops_enable_grad():
            value = self.wrapped(instance)
        setattr(instance, self.wrapped.__name__, value)
        return value


def ops_enable_grad() -> Any:
    """Recording, also inside of ``no_grad()``."""
    from rushlight.autograd.grad_mode import enable_grad

    return enable_grad()


def one_of(probs: Any, logits: Any) -> tuple[str, Any]:
    """The one of the two forms that was given, with its name.

    Raises:
        ValueError: for both, and for none.
    """
    if (probs is None) == (logits is None):
        raise ValueError("Either `probs` or `logits` must be specified, but not both.")
    return ("logits", logits) if probs is None else ("probs", probs)


class Odds:
    """What the distributions with one parameter, `probs` or `logits`, have in common."""

    is_binary = True

    @lazy_property
    def logits(self: Any) -> Tensor:
        """Log-odds, or logarithms of probabilities."""
        return probs_to_logits(self.probs, self.is_binary)

    @lazy_property
    def probs(self: Any) -> Tensor:
        """Probabilities."""
        return logits_to_probs(self.logits, self.is_binary)

    @property
    def _param(self) -> Tensor:
        """The parameter that was given."""
        given: Tensor = self.__dict__["probs" if self._from_probs else "logits"]
        return given

    _from_probs = True

    @property
    def param_shape(self) -> Any:
        """Of the parameter."""
        return self._param.shape


def sum_rightmost(value: Any, dims: int) -> Any:
    """The sum over the last `dims` dimensions."""
    if dims == 0 or not isinstance(value, Tensor):
        return value
    return value.sum(tuple(range(-dims, 0)))


def vec_to_tril_matrix(vec: Tensor, diag: int = 0) -> Tensor:
    """Vectors ``(..., n (n + 1) / 2)`` as the lower triangles of matrices, row by row."""
    n = int(
        (
            -(1 + 2 * diag)
            + ((1 + 2 * diag) ** 2 + 8 * vec.shape[-1] + 4 * abs(diag) * (diag + 1)) ** 0.5
        )
        / 2
    )
    rows, columns = _triangle(n, diag)
    matrix = vec.new_zeros((*vec.shape[:-1], n, n))
    matrix[..., rows, columns] = vec
    return matrix


def tril_matrix_to_vec(mat: Tensor, diag: int = 0) -> Tensor:
    """The lower triangles of matrices as vectors, row by row."""
    n = mat.shape[-1]
    if not -n <= diag < n:
        raise ValueError(f"diag ({diag}) provided is outside [{-n}, {n - 1}].")
    rows, columns = _triangle(n, diag)
    return mat[..., rows, columns]


def _triangle(n: int, diag: int) -> Any:
    import numpy as np

    return np.tril_indices(n, diag)
