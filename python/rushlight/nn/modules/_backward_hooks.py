"""Hooks around a module's backward pass: on the gradients of its outputs and of its inputs.

The tensors on either side of a module are made one tensor, of which they are then parts: its
gradient arrives once, when all of theirs are there, and what replaces it reaches them all.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from rushlight import ops
from rushlight.autograd.grad_mode import is_grad_enabled
from rushlight.tensor import Tensor

Hook = Callable[..., Any]
Gradients = tuple[Any, ...]


class Joint:
    """Several tensors as parts of one.

    Attributes:
        whole: the one tensor, whose gradient is that of all parts.
        parts: what stands for the tensors from now on.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        if len({t.dtype for t in tensors}) > 1:
            raise NotImplementedError(
                "backward hooks of a module with tensors of different types are not supported"
            )
        self._shapes = [t.shape for t in tensors]
        if len(tensors) == 1:
            self.whole = tensors[0].view_as(tensors[0])
            self.parts = [self.whole]
        else:
            self.whole = ops.cat([t.reshape(-1) for t in tensors])
            self.parts = self.split(self.whole)

    def split(self, whole: Tensor) -> list[Tensor]:
        """The parts of such a tensor."""
        if len(self._shapes) == 1:
            return [whole]
        sizes = [shape.numel() for shape in self._shapes]
        return [
            part.reshape(shape)
            for part, shape in zip(whole.split(sizes), self._shapes, strict=True)
        ]

    def join(self, parts: Sequence[Tensor]) -> Tensor:
        """One tensor of such parts."""
        return parts[0] if len(parts) == 1 else ops.cat([part.reshape(-1) for part in parts])


class Side:
    """The inputs or the outputs of one call, of which some take part in the graph.

    Attributes:
        values: all of them, those that take part replaced by parts of one tensor.
        joint: that tensor, or None where none takes part.
    """

    def __init__(self, values: Iterable[Any]) -> None:
        self.values = list(values)
        self._places = [
            i for i, v in enumerate(self.values) if isinstance(v, Tensor) and v.requires_grad
        ]
        self.joint = Joint([self.values[i] for i in self._places]) if self._places else None
        for i, part in zip(self._places, self.joint.parts if self.joint else (), strict=True):
            self.values[i] = part

    def gradients(self, whole: Tensor) -> Gradients:
        """One gradient for each value, None for those that take no part."""
        assert self.joint is not None
        result: list[Any] = [None] * len(self.values)
        for i, part in zip(self._places, self.joint.split(whole), strict=True):
            result[i] = part
        return tuple(result)

    def whole(self, gradients: Gradients) -> Tensor:
        """The inverse of `gradients`."""
        assert self.joint is not None
        return self.joint.join([gradients[i] for i in self._places])


class BackwardHooks:
    """The backward hooks of one call of a module."""

    def __init__(self, module: Any, hooks: Sequence[Hook], pre_hooks: Sequence[Hook]) -> None:
        self._module = module
        self._hooks = hooks
        self._pre_hooks = pre_hooks
        self._inputs: Side | None = None
        self._arrived: Gradients | None = None  # the gradients of the outputs

    def on_inputs(self, args: tuple[Any, ...]) -> tuple[Any, ...]:
        """The inputs to call the module with."""
        if not is_grad_enabled():
            return args
        self._inputs = Side(args)
        if self._inputs.joint is None:
            return args
        self._inputs.joint.whole.register_hook(self._reached_inputs)
        return tuple(self._inputs.values)

    def on_outputs(self, output: Any) -> Any:
        """The outputs to return from the call."""
        if not is_grad_enabled() or self._inputs is None:
            return output
        if not isinstance(output, Tensor | tuple):
            warnings.warn(
                "For backward hooks to be called, module output should be a Tensor or a tuple of "
                f"Tensors but received {type(output)}",
                stacklevel=4,
            )
            return output
        side = Side(output if isinstance(output, tuple) else (output,))
        if side.joint is None:
            return output
        side.joint.whole.register_hook(lambda g: self._reached_outputs(side, g))
        if isinstance(output, Tensor):
            return side.values[0]
        if hasattr(output, "_fields"):
            return type(output)(*side.values)
        return type(output)(side.values)

    def _reached_outputs(self, side: Side, whole: Tensor) -> Tensor | None:
        gradients = side.gradients(whole)
        for hook in self._pre_hooks:
            gradients = _replaced(
                "pre hook", "grad_output", hook(self._module, gradients), gradients
            )
        self._arrived = gradients
        assert self._inputs is not None
        if self._inputs.joint is None and self._hooks:
            warnings.warn(
                "Full backward hook is firing when gradients are computed with respect to module "
                "outputs since no inputs require gradients.",
                stacklevel=2,
            )
            nothing = (None,) * len(self._inputs.values)
            for hook in self._hooks:
                if hook(self._module, nothing, gradients) is not None:
                    raise RuntimeError(
                        "Backward hook for Modules where no input requires gradient should always "
                        "return None or None for all gradients."
                    )
        return side.whole(gradients) if self._pre_hooks else None

    def _reached_inputs(self, whole: Tensor) -> Tensor | None:
        assert self._inputs is not None
        if self._arrived is None:  # the gradient came by another way than the outputs
            return None
        gradients = self._inputs.gradients(whole)
        for hook in self._hooks:
            result = hook(self._module, gradients, self._arrived)
            gradients = _replaced("hook", "grad_input", result, gradients)
        self._arrived = None
        return self._inputs.whole(gradients)


def _replaced(kind: str, what: str, result: Any, gradients: Gradients) -> Gradients:
    """What a hook returned instead of the gradients, or these."""
    if result is None:
        return gradients
    replaced: Gradients = result if isinstance(result, tuple) else (result,)
    if len(replaced) != len(gradients):
        raise RuntimeError(
            f"Backward {kind} returned an invalid number of {what}, got {len(replaced)}, but "
            f"expected {len(gradients)}"
        )
    return replaced


def hook_last_operation(module: Any, output: Any, hooks: Iterable[Hook]) -> None:
    """Calls the hooks with what the operation that made the output gets and gives."""
    while not isinstance(output, Tensor):
        if isinstance(output, dict):
            output = next((v for v in output.values() if isinstance(v, Tensor)), ())
        elif not isinstance(output, tuple | list) or not output:
            return
        else:
            output = output[0]
    if output.grad_fn is not None:
        for hook in hooks:
            output.grad_fn.register_hook(partial(hook, module))
