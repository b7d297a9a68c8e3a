"""Looking at the graph, and taking part in what it saves."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from typing import Any

from rushlight.autograd.engine import running
from rushlight.autograd.node import GradientEdge, Node, RemovableHandle
from rushlight.autograd.saved import (
    disable_saved_tensors_hooks,
    save_on_cpu,
    saved_tensors_hooks,
)
from rushlight.autograd.views import edge_of
from rushlight.tensor import Tensor

__all__ = [
    "GradientEdge",
    "Node",
    "allow_mutation_on_saved_tensors",
    "disable_saved_tensors_hooks",
    "get_gradient_edge",
    "increment_version",
    "register_multi_grad_hook",
    "save_on_cpu",
    "saved_tensors_hooks",
]


def get_gradient_edge(tensor: Tensor) -> GradientEdge:
    """Where the gradient of a tensor goes; stands for it in ``backward()`` and ``grad()``.

    It keeps the graph above the tensor, and not its data.

    Raises:
        RuntimeError: for a tensor that does not require grad.
    """
    edge = edge_of(tensor)
    if edge is None:
        raise RuntimeError(
            "It is not possible to get the gradient edge for a Tensor that does not require "
            "gradients"
        )
    return GradientEdge(*edge)


def increment_version(tensor: Tensor | Iterable[Tensor]) -> None:
    """Notes that the memory of tensors was changed without autograd's seeing it.

    What was saved of it before is then found to be out of date.
    """
    for changed in (tensor,) if isinstance(tensor, Tensor) else tensor:
        changed._changed()


# ---- Hooks on several gradients ----


class _Handles(RemovableHandle):
    """Removes several hooks at once."""

    def __init__(self, handles: Sequence[RemovableHandle]) -> None:
        self._handles = handles

    def remove(self) -> None:
        """Removes the hooks."""
        for handle in self._handles:
            handle.remove()


def register_multi_grad_hook(
    tensors: Sequence[Tensor],
    fn: Callable[..., Any],
    *,
    mode: str = "all",
) -> RemovableHandle:
    """Calls `fn` once in each backward pass that computes gradients of `tensors`.

    Args:
        tensors: that require grad.
        fn: given, when the last gradient is there, all of them as a list, None for tensors that
            the pass does not reach; in mode 'any' given the first that is there.
        mode: 'all' or 'any'.

    Returns:
        A handle that removes the hook.

    Raises:
        ValueError: for another mode.
    """
    if mode not in ("all", "any"):
        raise ValueError(f"Expects mode to be one of ('all', 'any') but got {mode}")
    seen = _Seen(tensors, fn, mode == "any")
    return _Handles([t.register_hook(seen.hook(i)) for i, t in enumerate(tensors)])


class _Seen:
    """The gradients that have come in one backward pass.

    Attributes:
        backward: the pass they belong to.
        gradients: one for each tensor, None where none has come.
        waiting: how many the pass has yet to compute.
    """

    def __init__(self, tensors: Sequence[Tensor], fn: Callable[..., Any], first: bool) -> None:
        self.edges = [get_gradient_edge(t) for t in tensors]
        self.fn = fn
        self.first = first
        self.lock = threading.Lock()
        self.backward: Any = None
        self.gradients: list[Tensor | None] = []
        self.waiting = 0

    def hook(self, i: int) -> Callable[[Tensor], None]:
        """The hook for the tensor at a position."""

        def come(gradient: Tensor) -> None:
            with self.lock:
                if running.backward is not self.backward:
                    self.backward = running.backward
                    self.gradients = [None] * len(self.edges)
                    self.waiting = sum(self.backward.reaches(edge.node) for edge in self.edges)
                    begins = True
                else:
                    begins = False
                self.gradients[i] = gradient
                self.waiting -= 1
                ends, gradients = self.waiting == 0, self.gradients
                if ends:
                    self.backward, self.gradients = None, []
            if self.first and begins:
                self.fn(gradient)
            elif not self.first and ends:
                self.fn(gradients)

        return come


# ---- Changing what was saved ----


class _SavedCopies:
    """What `allow_mutation_on_saved_tensors` gives: whether its copies may still be used."""

    def __init__(self) -> None:
        self.open = True

    def clear(self) -> None:
        """Gives the copies up: no backward pass can use them any more."""
        self.open = False

    def pack(self, tensor: Tensor) -> Tensor:
        """A copy of a tensor that is saved."""
        return tensor.detach().clone()

    def unpack(self, copy: Tensor) -> Tensor:
        """The copy, while that is allowed."""
        if not self.open:
            raise AssertionError(
                "Trying to backward outside of the 'allow_mutation_on_saved_tensors' context in "
                "which the graph was originally recorded."
            )
        return copy


_mutation = threading.local()


@contextlib.contextmanager
def allow_mutation_on_saved_tensors() -> Generator[_SavedCopies, None, None]:
    """Inside, tensors that are saved for backward may be changed in place.

    Forward and backward pass must both run inside. Every saved tensor is copied when it is saved,
    where PyTorch waits for the first change: the same results, for more memory.

    Raises:
        RuntimeError: for a block inside of another.

    Example:
        >>> import rushlight as torch
        >>> x = torch.ones(2, requires_grad=True)
        >>> with torch.autograd.graph.allow_mutation_on_saved_tensors():
        ...     y = x.clone()
        ...     loss = (y**2).sum()
        ...     _ = y.sin_()
        ...     loss.backward()
        >>> x.grad
        tensor([2., 2.])
    """
    if getattr(_mutation, "inside", False):
        raise RuntimeError("allow_mutation_on_saved_tensors contexts cannot be nested")
    _mutation.inside = True
    copies = _SavedCopies()
    try:
        with saved_tensors_hooks(copies.pack, copies.unpack):
            yield copies
    finally:
        copies.clear()
        _mutation.inside = False
