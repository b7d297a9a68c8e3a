"""Functions of functions: gradients, Jacobians, batches; ``torch.func`` of PyTorch.

They compose: ``vmap(grad(loss), (None, 0))`` gives the gradient of each sample.
"""

from __future__ import annotations

from typing import Any, NoReturn

from rushlight.func._grad import grad, grad_and_value, jvp, linearize, vjp
from rushlight.func._jacobian import hessian, jacfwd, jacrev
from rushlight.func._modules import functional_call, stack_module_state
from rushlight.func._vmap import vmap

__all__ = [
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "stack_module_state",
    "vjp",
    "vmap",
]


def functionalize(func: Any, *, remove: str = "mutations") -> NoReturn:
    """Not supported: there is no tracer that could take its result."""
    raise NotImplementedError("torch.func.functionalize is not supported")
