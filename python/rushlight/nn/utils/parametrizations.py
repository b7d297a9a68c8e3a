"""Parametrizations: orthogonal weights, weight norm, spectral norm."""

from __future__ import annotations

from typing import Any

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.dtypes import finfo
from rushlight.nn.functional import normalize
from rushlight.nn.modules.module import Module
from rushlight.tensor import Tensor

from .parametrize import register_parametrization
from .spectral_norm import as_matrix, output_dim

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


def _tensor_of(module: Module, name: str) -> Tensor:
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    return weight


# ---- Weight norm ----


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        """Return ``g v / |v|``."""
        weight: Tensor = ops._weight_norm(weight_v, weight_g, self.dim)
        return weight

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Return the norm of `weight`, and it itself."""
        return ops.norm_except_dim(weight, 2, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Make a weight of `module` ``g v / |v|`` with parameters g and v, and return the module.

    Args:
        module: the module.
        name: of the weight.
        dim: each slice along it has a norm of its own; None: there is one norm.

    Source: Salimans and Kingma, "Weight normalization" (2016).
    """
    register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def take_former_names(state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        former = [f"{prefix}{name}_{letter}" for letter in "gv"]
        if all(key in state_dict for key in former):
            for i, key in enumerate(former):
                state_dict[f"{prefix}parametrizations.{name}.original{i}"] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(take_former_names)
    return module


# ---- Spectral norm ----


class _SpectralNorm(Module):
    _u: Tensor
    _v: Tensor

    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        ndim = weight.ndim
        if not -ndim <= dim < ndim:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{ndim}, {ndim - 1}] but got "
                f"{dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim % ndim
        self.eps = eps
        if ndim > 1:
            self.n_power_iterations = n_power_iterations
            matrix = as_matrix(weight.detach(), self.dim)
            for name, size in zip(("_u", "_v"), matrix.shape, strict=True):
                vector = matrix.new_empty(size).normal_(0, 1)
                self.register_buffer(name, normalize(vector, dim=0, eps=eps))
            self._power_method(matrix, 15)

    def _power_method(self, matrix: Tensor, n_power_iterations: int) -> None:
        """Improves the guess of the singular vectors, in place."""
        with no_grad():
            for _ in range(n_power_iterations):
                self._u.copy_(normalize(ops.mv(matrix, self._v), dim=0, eps=self.eps))
                self._v.copy_(normalize(ops.mv(matrix.t(), self._u), dim=0, eps=self.eps))

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight divided by its greatest singular value."""
        if weight.ndim == 1:
            return normalize(weight, dim=0, eps=self.eps)
        matrix = as_matrix(weight, self.dim)
        if self.training:
            self._power_method(matrix, self.n_power_iterations)
        # Two forwards before one backward: the second must not change what the first saved.
        u, v = self._u.clone(), self._v.clone()
        return weight / ops.dot(u, ops.mv(matrix, v))

    def right_inverse(self, value: Tensor) -> Tensor:
        """Return `value`."""
        return value


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight of `module` by its greatest singular value, and return the module.

    Args:
        module: the module.
        name: of the weight.
        n_power_iterations: steps of the power method in each forward in training.
        eps: least norm of the singular vectors.
        dim: the dimension of the outputs; found from the type of the module when None.

    Source: Miyato et al., "Spectral normalization for GANs" (2018).
    """
    weight = _tensor_of(module, name)
    dim = output_dim(module) if dim is None else dim
    return register_parametrization(
        module, name, _SpectralNorm(weight, n_power_iterations, dim, eps)
    )


# ---- Orthogonal ----

MAPS = ("matrix_exp", "cayley", "householder")


class _Orthogonal(Module):
    base: Tensor

    def __init__(self, weight: Tensor, orthogonal_map: str, *, use_trivialization: bool) -> None:
        super().__init__()
        self.shape = weight.shape
        self.orthogonal_map = orthogonal_map
        if use_trivialization:
            self.register_buffer("base", None)

    def forward(self, x: Tensor) -> Tensor:
        """Return a matrix with orthonormal columns, or rows where it is wide."""
        wide = x.shape[-2] < x.shape[-1]
        x = x.mT if wide else x
        q = _householder(x) if self.orthogonal_map == "householder" else self._of_skew(x)
        if hasattr(self, "base"):
            q = self.base @ q
        return q.mT if wide else q

    def _of_skew(self, x: Tensor) -> Tensor:
        """From the skew-symmetric matrix whose lower half is x."""
        n, k = x.shape[-2:]
        x = x.tril()
        if n != k:
            x = ops.cat([x, x.new_zeros(*x.shape[:-1], n - k)], -1)
        skew = x - x.mT
        if self.orthogonal_map == "matrix_exp":
            q = ops.matrix_exp(skew)
        else:
            one = ops.eye(n, dtype=skew.dtype, device=skew.device)
            q = ops.linalg_solve(one - skew * 0.5, one + skew * 0.5)
        columns: Tensor = q[..., :k]
        return columns

    def right_inverse(self, q: Tensor) -> Tensor:
        """Return what the forward makes `q` of; a matrix that is not orthogonal is made so."""
        if q.shape != self.shape:
            raise ValueError(
                f"Expected a matrix or batch of matrices of shape {self.shape}. Got a tensor of "
                f"shape {q.shape}."
            )
        if not hasattr(self, "base"):
            raise NotImplementedError(
                "It is not possible to assign to an orthogonal parametrization when "
                "use_trivialization=False."
            )
        result: Tensor = ops.zeros_like(q)
        tall = q.mT if q.shape[-2] < q.shape[-1] else q
        n, k = tall.shape[-2:]
        if n != k:
            more = ops.randn(*tall.shape[:-2], n, n - k, dtype=q.dtype, device=q.device)
            tall = ops.cat([tall, more], -1)
        self.base = tall.clone() if n == k and _is_orthogonal(tall) else _made_orthogonal(tall)
        result.diagonal(dim1=-2, dim2=-1).fill_(-1.0)
        return result


def _householder(x: Tensor) -> Tensor:
    """The product of the reflections whose vectors are below the diagonal of `x`."""
    n, k = x.shape[-2:]
    vectors = x.tril(-1)
    scale = 2.0 / (1.0 + (vectors * vectors).sum(-2))
    vectors = vectors + ops.eye(n, k, dtype=x.dtype, device=x.device)
    q: Tensor = ops.eye(n, k, dtype=x.dtype, device=x.device)
    for i in reversed(range(k)):
        v = vectors[..., i : i + 1]
        q = q - v @ (v.mT @ q) * scale[..., None, i : i + 1]
    return q * x.detach().diagonal(0, -2, -1).sign().unsqueeze(-2)


def _is_orthogonal(q: Tensor) -> bool:
    n = q.shape[-1]
    one = ops.eye(n, dtype=q.dtype, device=q.device)
    eps = 10.0 * n * finfo(q.dtype).eps
    return bool(((q.mT @ q - one).abs() < eps).all())


def _made_orthogonal(matrix: Tensor) -> Tensor:
    """The orthogonal factor of a matrix, whose triangular factor has a positive diagonal."""
    q, r = ops.linalg_qr(matrix, "reduced")
    result: Tensor = q * r.diagonal(0, -2, -1).sign().unsqueeze(-2)
    return result


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Make a weight of `module` a matrix with orthonormal columns or rows, and return the module.

    Args:
        module: the module.
        name: of the weight.
        orthogonal_map: ``"matrix_exp"``, ``"cayley"`` or ``"householder"``; when None, the first
            for square matrices and the last for others.
        use_trivialization: multiply by the initial weight, made orthogonal.
    """
    weight = _tensor_of(module, name)
    if weight.ndim < 2:
        raise ValueError(
            f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} dimensions."
        )
    if orthogonal_map is None:
        square = weight.size(-2) == weight.size(-1)
        orthogonal_map = "matrix_exp" if square else "householder"
    if orthogonal_map not in MAPS:
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    made = _Orthogonal(weight, orthogonal_map, use_trivialization=use_trivialization)
    return register_parametrization(module, name, made, unsafe=True)
