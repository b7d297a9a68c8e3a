"""Spectral norm through a hook; see `parametrizations.spectral_norm` for its successor."""

from __future__ import annotations

from typing import Any, TypeVar

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.nn.functional import normalize
from rushlight.nn.parameter import Parameter, is_lazy
from rushlight.tensor import Tensor

__all__ = ["SpectralNorm", "remove_spectral_norm", "spectral_norm"]

M = TypeVar("M", bound=Any)


def as_matrix(weight: Tensor, dim: int) -> Tensor:
    """Return the weight as a matrix whose rows are its slices along `dim`."""
    order = (dim, *(d for d in range(weight.dim()) if d != dim))
    return weight.permute(order).flatten(1)


def output_dim(module: Any) -> int:
    """Return the dimension of a module's weight that its outputs are along."""
    return 1 if type(module).__name__.removeprefix("Lazy").startswith("ConvTranspose") else 0


class SpectralNorm:
    """Divides a weight by its greatest singular value before each forward of a module.

    Attributes:
        name: of the weight; ``<name>_orig`` is the parameter, ``<name>_u`` and ``<name>_v`` are the
            approximate singular vectors.
        n_power_iterations: steps that improve these in each forward in training.
        dim: the dimension of the outputs.
        eps: least norm of the vectors.
    """

    def __init__(
        self, name: str = "weight", n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.name = name
        self.n_power_iterations = n_power_iterations
        self.dim = dim
        self.eps = eps

    def compute_weight(self, module: Any, do_power_iteration: bool) -> Tensor:
        """Return the weight of `module`, after a better guess of the singular vectors."""
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = as_matrix(weight, self.dim)
        if do_power_iteration:
            with no_grad():
                for _ in range(self.n_power_iterations):
                    v.copy_(normalize(ops.mv(matrix.t(), u), dim=0, eps=self.eps))
                    u.copy_(normalize(ops.mv(matrix, v), dim=0, eps=self.eps))
                # Two forwards before one backward: the second must not change what the first saved.
                u, v = u.clone(), v.clone()
        normalized: Tensor = weight / ops.dot(u, ops.mv(matrix, v))
        return normalized

    @staticmethod
    def apply(
        module: Any, name: str, n_power_iterations: int, dim: int, eps: float
    ) -> SpectralNorm:
        """Take the weight of `module` apart, and register the hook."""
        for hook in module._forward_pre_hooks.values():
            if isinstance(hook, SpectralNorm) and hook.name == name:
                raise RuntimeError(
                    f"Cannot register two spectral_norm hooks on the same parameter {name}"
                )
        made = SpectralNorm(name, n_power_iterations, dim, eps)
        weight = module._parameters[name]
        if weight is None:
            raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
        if is_lazy(weight):
            raise ValueError(
                "The module passed to `SpectralNorm` can't have uninitialized parameters. Make "
                "sure to run the dummy forward before applying spectral normalization"
            )
        with no_grad():
            vectors = [
                normalize(weight.new_empty(n).normal_(0, 1), dim=0, eps=eps)
                for n in as_matrix(weight, dim).shape
            ]
        delattr(module, name)
        module.register_parameter(name + "_orig", weight)
        setattr(module, name, weight.data)  # initialisers look for it
        for letter, vector in zip("uv", vectors, strict=True):
            module.register_buffer(f"{name}_{letter}", vector)
        module.register_forward_pre_hook(made)
        return made

    def remove(self, module: Any) -> None:
        """Make the weight a parameter again."""
        with no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        for name in (self.name, self.name + "_u", self.name + "_v", self.name + "_orig"):
            delattr(module, name)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Any, inputs: Any) -> None:
        """Compute the weight anew."""
        setattr(module, self.name, self.compute_weight(module, module.training))


def spectral_norm(
    module: M,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> M:
    """Divide a weight of `module` by its greatest singular value, and return the module.

    Args:
        module: the module.
        name: of the weight.
        n_power_iterations: steps of the power method in each forward in training.
        eps: least norm of the singular vectors.
        dim: the dimension of the outputs; found from the type of the module when None.

    Source: Miyato et al., "Spectral normalization for GANs" (2018).
    """
    dim = output_dim(module) if dim is None else dim
    SpectralNorm.apply(module, name, n_power_iterations, dim, eps)
    return module


def remove_spectral_norm(module: M, name: str = "weight") -> M:
    """Undo `spectral_norm`, and return the module."""
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"spectral_norm of '{name}' not found in {module}")
