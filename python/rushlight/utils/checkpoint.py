"""Computing again instead of keeping: less memory for a longer backward pass.

NOTE [Recomputation] Without `use_reentrant` a part of a program runs under hooks that put a ticket
in the place of each tensor that a node saves. When the backward pass shows the first ticket, the
part runs once more, and the tensors that it saves then, in the same order, are what the tickets
stand for. A ticket is taken once: a second pass over a retained graph computes again.

The inputs of the part are saved as a node would save them. So inside of another checkpointed part
they are tickets too, and computed again when they are needed (Chen et al., "Training Deep Nets with
Sublinear Memory Cost", 2016).
"""

from __future__ import annotations

import contextlib
import warnings
import weakref
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager
from typing import Any

from rushlight import autograd
from rushlight.autograd.engine import running
from rushlight.autograd.grad_mode import enable_grad, is_grad_enabled, no_grad
from rushlight.autograd.node import Edge, ManyOutputs, fill_in
from rushlight.autograd.saved import current_hooks
from rushlight.autograd.views import edge_of
from rushlight.random import fork_rng, get_rng_state, set_rng_state
from rushlight.tensor import Tensor

__all__ = [
    "CheckpointError",
    "checkpoint",
    "checkpoint_sequential",
    "noop_context_fn",
    "set_checkpoint_early_stop",
]

Contexts = tuple[AbstractContextManager[Any], AbstractContextManager[Any]]


class CheckpointError(RuntimeError):
    """The second run of a checkpointed part was not like the first."""


def noop_context_fn() -> Contexts:
    """Two contexts that do nothing."""
    return contextlib.nullcontext(), contextlib.nullcontext()


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], Contexts] = noop_context_fn,
    determinism_check: str = "default",
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """Runs ``function(*args, **kwargs)`` without keeping what its backward pass needs.

    When the backward pass arrives there, the function runs once more.

    Args:
        function: does the same whenever it runs.
        args: its arguments.
        use_reentrant: False: see NOTE [Recomputation]; True: the older form, which runs a backward
            pass within the backward pass, and needs a tensor that requires grad among `args`.
            None warns and takes True.
        context_fn: gives two contexts: for the first run and for the second. Only with
            ``use_reentrant=False``, and so for the options below.
        determinism_check: 'default' compares shape, dtype and device of what both runs save;
            'none' does not.
        debug: not supported.
        early_stop: end the second run as soon as it has saved all that is needed.
        kwargs: keyword arguments of the function; among them ``preserve_rng_state`` (True):
            the second run draws the random numbers of the first.

    Raises:
        CheckpointError: in the backward pass, where the second run saves something else.
        NotImplementedError: for `debug`.
        ValueError: for options that do not go together.

    Example:
        >>> import rushlight as torch
        >>> from rushlight.utils.checkpoint import checkpoint
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> checkpoint(lambda x: (x * x).exp(), x, use_reentrant=False).sum().backward()
    """
    if use_reentrant is None:
        _warn_of_default("checkpoint")
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs and use_reentrant:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    if use_reentrant:
        if context_fn is not noop_context_fn or debug:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        return _reentrant(function, preserve, args)
    if debug:
        raise NotImplementedError("checkpoint(): debug=True is not supported")
    if determinism_check not in ("default", "none"):
        raise ValueError(
            f"determinism_check should be one of ('default', 'none'), but got {determinism_check}"
        )
    forward, again = context_fn()
    if not is_grad_enabled():
        with forward:
            return function(*args, **kwargs)
    part = _Part(function, args, kwargs, again, preserve, determinism_check == "default")
    part.early_stop = early_stop if _early_stop is None else _early_stop
    with part.hooks(), forward:
        return function(*args, **kwargs)


def checkpoint_sequential(
    functions: Any,
    segments: int,
    input: Tensor,
    use_reentrant: bool | None = None,
    **kwargs: Any,
) -> Any:
    """Runs functions one after the other, in segments of which each but the last is checkpointed.

    Args:
        functions: a `nn.Sequential`, or a list of functions of one tensor.
        segments: how many.
        input: of the first function.
        use_reentrant: as for `checkpoint`.
        kwargs: only ``preserve_rng_state``.
    """
    if use_reentrant is None:
        _warn_of_default("checkpoint_sequential")
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    functions = list(functions.children() if hasattr(functions, "children") else functions)

    def run(steps: Sequence[Callable[[Any], Any]]) -> Callable[[Any], Any]:
        def forward(x: Any) -> Any:
            for step in steps:
                x = step(x)
            return x

        return forward

    size = len(functions) // segments
    last = size * (segments - 1)
    for start in range(0, last, size):
        input = checkpoint(
            run(functions[start : start + size]),
            input,
            use_reentrant=use_reentrant,
            preserve_rng_state=preserve,
        )
    return run(functions[last:])(input)


def _warn_of_default(name: str) -> None:
    warnings.warn(
        f"torch.utils.checkpoint.{name}: the use_reentrant parameter should be passed explicitly. "
        "use_reentrant=False is recommended; without it the default is use_reentrant=True.",
        stacklevel=3,
    )


_early_stop: bool | None = None


@contextlib.contextmanager
def set_checkpoint_early_stop(enable: bool) -> Generator[None, None, None]:
    """Sets `early_stop` of the checkpoints inside of the block, whatever they say."""
    global _early_stop
    previous, _early_stop = _early_stop, enable
    try:
        yield
    finally:
        _early_stop = previous


# ---- Without a second backward pass ----


class _Ticket:
    """Stands for a saved tensor until it is computed again."""

    __slots__ = ("__weakref__",)


class _AllSaved(Exception):  # noqa: N818 - no error: it ends the second run
    """The second run has saved all that is needed."""


class _Input:
    """A tensor among the arguments, kept as a node would keep it."""

    def __init__(self, tensor: Tensor) -> None:
        self.requires_grad = tensor.requires_grad
        self.hooks = current_hooks()
        self.version = tensor._version
        self.kept = tensor if self.hooks is None else self.hooks.pack_hook(tensor)

    def value(self) -> Tensor:
        """The tensor, as a leaf of another graph.

        Raises:
            RuntimeError: where it was changed since.
        """
        tensor = self.kept if self.hooks is None else self.hooks.unpack_hook(self.kept)
        if self.hooks is None and tensor._version != self.version:
            raise RuntimeError(
                "one of the variables needed for gradient computation has been modified by an "
                f"inplace operation: an input of checkpoint(), {tensor.dtype} of shape "
                f"{list(tensor.shape)}, is at version {tensor._version}; expected version "
                f"{self.version} instead."
            )
        leaf: Tensor = tensor.detach().requires_grad_(self.requires_grad)
        return leaf


def _kept(args: tuple[Any, ...]) -> list[Any]:
    return [_Input(a) if isinstance(a, Tensor) else a for a in args]


def _values(kept: list[Any]) -> list[Any]:
    return [a.value() if isinstance(a, _Input) else a for a in kept]


class _Part:
    """One checkpointed part of a graph.

    Attributes:
        tickets: of the saved tensors, in order; those that are still wanted.
        described: shape, dtype and device of the saved tensors.
        tensors: what the second run saved, for tickets that were not shown yet.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        again: AbstractContextManager[Any],
        preserve: bool,
        check: bool,
    ) -> None:
        self.function = function
        self.kwargs = kwargs
        self.again = again
        self.check = check
        self.early_stop = True
        self.random = get_rng_state() if preserve else None
        self.tickets: list[weakref.ref[_Ticket]] = []
        self.described: list[Any] = []
        self.tensors: weakref.WeakKeyDictionary[_Ticket, Tensor] = weakref.WeakKeyDictionary()
        self.args = _kept(args)

    def hooks(self) -> AbstractContextManager[Any]:
        """Under which the first run saves tickets."""

        def pack(tensor: Tensor) -> _Ticket:
            ticket = _Ticket()
            self.tickets.append(weakref.ref(ticket))
            self.described.append(_described(tensor))
            return ticket

        def unpack(ticket: _Ticket) -> Tensor:
            if ticket not in self.tensors:
                self._run_again()
            if ticket not in self.tensors:
                raise CheckpointError(
                    "torch.utils.checkpoint: A different number of tensors was saved during the "
                    "original forward and recomputation."
                )
            return self.tensors.pop(ticket)

        return autograd.graph.saved_tensors_hooks(pack, unpack)

    def _run_again(self) -> None:
        args = _values(self.args)
        found: list[Any] = []

        def pack(tensor: Tensor) -> Tensor:
            # Detached: what a node saves must not hold the node itself.
            kept = tensor.detach()
            ticket = self.tickets[len(found)]() if len(found) < len(self.tickets) else None
            if ticket is not None:
                self.tensors[ticket] = kept
            found.append(_described(tensor))
            if self.early_stop and len(found) == len(self.tickets):
                raise _AllSaved
            return kept

        hooks = autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
        with contextlib.suppress(_AllSaved), fork_rng(enabled=self.random is not None):
            if self.random is not None:
                set_rng_state(self.random)
            with hooks, self.again, enable_grad():
                self.function(*args, **self.kwargs)
        self._check(found)

    def _check(self, found: list[Any]) -> None:
        if len(found) != len(self.described):
            raise CheckpointError(
                "torch.utils.checkpoint: A different number of tensors was saved during the "
                "original forward and recomputation.\nNumber of tensors saved during forward: "
                f"{len(self.described)}\nNumber of tensors saved during recomputation: "
                f"{len(found)}."
            )
        differing = [
            f"tensor at position {i}:\nsaved metadata: {first}\nrecomputed metadata: {second}"
            for i, (first, second) in enumerate(zip(self.described, found, strict=True))
            if first != second
        ]
        if self.check and differing:
            raise CheckpointError(
                "torch.utils.checkpoint: Recomputed values for the following tensors have "
                "different metadata than during the forward pass.\n" + "\n".join(differing)
            )


def _described(tensor: Tensor) -> dict[str, Any]:
    return {"shape": tensor.shape, "dtype": tensor.dtype, "device": tensor.device}


# ---- With a second backward pass ----


class CheckpointFunctionBackward(ManyOutputs):
    """The older form: runs the function again, and a backward pass through that."""

    __slots__ = ("args", "function", "random", "results")

    args: list[Any]
    function: Callable[..., Any]
    random: Tensor | None
    results: list[int]  # which of the function's results are floating tensors

    op = "checkpoint"

    def backward(
        self, kernels: Any, g: Any, edges: tuple[Edge | None, ...], keep: bool
    ) -> tuple[Any, ...]:
        """The gradients of the tensors among the arguments."""
        if running.backward is None or running.backward.captured is not None:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or "
                "passing an `inputs` parameter to .backward(). To resolve this error, you can "
                "either set use_reentrant=False, or call .backward() without passing the `inputs` "
                "argument."
            )
        args = _values(self.args)
        with fork_rng(enabled=self.random is not None):
            if self.random is not None:
                set_rng_state(self.random)
            with enable_grad():
                outputs = _as_tuple(self.function(*args))
        roots, weights = [], []
        for i, gradient in zip(self.results, g, strict=True):
            if outputs[i].requires_grad:
                roots.append(outputs[i])
                array = kernels.full(outputs[i].shape, 0, outputs[i]._array.dtype)
                weights.append(Tensor._wrap(array if gradient is None else gradient))
        if not roots:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        autograd.backward(roots, weights)
        grads = [a.grad if isinstance(a, Tensor) else None for a in args]
        return tuple(None if grad is None else grad._array for grad in grads)

    def backward_recorded(
        self,
        ops: Any,
        g: Any,
        edges: tuple[Edge | None, ...],
        keep: bool,
        tensor: Callable[..., Any],
    ) -> tuple[Any, ...]:
        """Not supported: the pass within records nothing."""
        raise NotImplementedError(
            "checkpoint(): use_reentrant=True is not supported with create_graph=True"
        )


def _reentrant(function: Callable[..., Any], preserve: bool, args: tuple[Any, ...]) -> Any:
    """The result of ``function(*args)`` under no_grad, as one node."""
    edges = tuple(edge_of(a) if isinstance(a, Tensor) else None for a in args)
    if not any(edges):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=3
        )
    node = CheckpointFunctionBackward()
    node.function, node.args = function, _kept(args)
    node.random = get_rng_state() if preserve else None
    with no_grad():
        outputs = function(*args)
    if not (is_grad_enabled() and any(edges)):
        return outputs
    results = _as_tuple(outputs)
    node.results = [
        i for i, y in enumerate(results) if isinstance(y, Tensor) and y.is_floating_point()
    ]
    fill_in(node, edges, None, *[results[i]._array for i in node.results])
    given = list(results)
    for port, i in enumerate(node.results):
        given[i] = results[i].detach()
        given[i]._edge = (node, port)
    return tuple(given) if isinstance(outputs, tuple) else given[0]


def _as_tuple(values: Any) -> tuple[Any, ...]:
    return values if isinstance(values, tuple) else (values,)
