"""Operations with a derivative of the user's own: `Function` and its context."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from rushlight import dtypes, errors
from rushlight.autograd.grad_mode import INFERENCE, no_grad, observed, watch
from rushlight.autograd.grad_mode import state as grad_state
from rushlight.autograd.node import AccumulateGrad, Edge, ManyOutputs, fill_in
from rushlight.autograd.views import CUSTOM, edge_of, rebase
from rushlight.backend import kernels_of
from rushlight.tensor import Tensor

__all__ = ["Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]

F = TypeVar("F", bound=Callable[..., Any])


class FunctionCtx:
    """What ``forward`` leaves for ``backward``; the node of the graph at the same time.

    Any attribute may be set. Tensors that `backward` needs belong into `save_for_backward`, which
    notices when they change and frees them when they were used.
    """

    needs_input_grad: tuple[bool, ...] = ()
    _to_save: tuple[Any, ...] = ()
    _dirty: tuple[Any, ...] = ()
    _non_differentiable: tuple[Any, ...] = ()
    _materialize = True

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keeps tensors for ``backward``, where `saved_tensors` gives them.

        Raises:
            TypeError: for what is neither a tensor nor None.
        """
        for i, tensor in enumerate(tensors):
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument {i} is of type "
                    f"{type(tensor).__name__}"
                )
        self._to_save = tensors

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Says which inputs were changed in place; each must be returned."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Says which outputs have no gradient."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` gets zeros, and not None, where no gradient arrived."""
        self._materialize = value

    def save_for_forward(self, *tensors: Tensor) -> None:
        """Refused: there is no forward-mode differentiation."""
        raise NotImplementedError("save_for_forward(): forward-mode AD is not supported")


class _FunctionNode(FunctionCtx, ManyOutputs):
    """The node of a `Function`; each Function class has a subclass of its name.

    Attributes:
        saved: for each saved tensor its array, counter and version, and its edge, or the number of
            the output that it is, so that the node does not hold itself.
        positions: for each edge the position of its argument.
        single: whether ``forward`` returned one tensor and no tuple.
    """

    function: type[Function]
    positions: tuple[int, ...]
    arguments: int

    @property
    def saved_arrays(self) -> tuple[int, ...]:  # type: ignore[override]
        """All that is saved are tensors."""
        return tuple(i for i, entry in enumerate(self.saved) if entry is not None)

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """What `save_for_backward` was given.

        Raises:
            RuntimeError: when they were freed, or changed in place.
        """
        if self.saved is None:
            raise errors.freed_graph()
        saved = self.saved if isinstance(self.saved, tuple) else self.saved.unpacked()
        return tuple(self._restored(i, entry) for i, entry in enumerate(saved))

    saved_variables = saved_tensors

    def _restored(self, i: int, entry: Any) -> Tensor | None:
        if entry is None:
            return None
        array, counter, version, edge = entry
        if counter is not INFERENCE and counter[0] != version:
            raise errors.modified_in_place(f"saved_tensors[{i}]", array, counter[0], version)
        tensor = Tensor._over(array, counter)
        tensor._edge = (self, edge) if isinstance(edge, int) else edge
        return tensor  # type: ignore[no-any-return]

    def name(self) -> str:
        """The Function's name with ``Backward``."""
        return type(self).__name__

    def backward(
        self, kernels: Any, g: Any, edges: tuple[Edge | None, ...], keep: bool
    ) -> tuple[Any, ...]:
        """The gradients that the user's ``backward`` gives, as raw arrays."""
        given = [None if a is None else Tensor._wrap(a) for a in g]
        results = self._call(given, kernels, keep)
        return tuple(None if r is None else r._array for r in results)

    def backward_recorded(
        self,
        ops: Any,
        g: Any,
        edges: tuple[Edge | None, ...],
        keep: bool,
        tensor: Callable[..., Any],
    ) -> tuple[Any, ...]:
        """The same, recorded by the operations that ``backward`` calls."""
        known = next(t for t in g if t is not None)
        return self._call(list(g), kernels_of(known._array), keep)

    def _call(self, gradients: list[Any], kernels: Any, keep: bool) -> tuple[Any, ...]:
        if self._materialize:
            for i, (shape, dtype) in enumerate(self.parts):
                if gradients[i] is None and dtypes.is_floating(dtype):
                    gradients[i] = Tensor._wrap(kernels.full(shape, 0, dtype))
        results = self.function._backward()(self, *gradients)
        if not keep:
            self.saved = None
        return self._checked(results if isinstance(results, tuple) else (results,))

    def _checked(self, results: tuple[Any, ...]) -> tuple[Any, ...]:
        extra = results[self.arguments :]
        if len(results) < self.arguments or any(r is not None for r in extra):
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected "
                f"{self.arguments}, got {len(results)})"
            )
        for i, result in enumerate(results):
            if result is not None and not isinstance(result, Tensor):
                raise RuntimeError(f"expected Variable or None (got {type(result).__name__})")
            if result is not None and i < self.arguments and i not in self.positions:
                raise RuntimeError(
                    f"function {self.name()} returned a gradient different than None at position "
                    f"{i + 1}, but the corresponding forward input was not a Variable"
                )
        for k, (i, edge) in enumerate(zip(self.positions, self.edges, strict=True)):
            if results[i] is not None and edge is not None:
                self._check_shape(k, results[i], edge[0].outputs()[edge[1]][0])
        return tuple(results[i] for i in self.positions)

    def _check_shape(self, index: int, gradient: Tensor, shape: tuple[int, ...]) -> None:
        given = gradient._array.shape
        inner = given[len(given) - len(shape) :] if len(given) >= len(shape) else None
        if inner is None or any(n != m and m != 1 for n, m in zip(inner, shape, strict=True)):
            raise RuntimeError(
                f"Function {self.name()} returned an invalid gradient at index {index} - got "
                f"{list(given)} but expected shape compatible with {list(shape)}"
            )


class _Forward(type):
    """Makes the node type of each Function class."""

    def __init__(cls, name: str, bases: tuple[type, ...], members: dict[str, Any]) -> None:
        super().__init__(name, bases, members)
        cls._node_type = type(name + "Backward", (_FunctionNode,), {"function": cls, "op": name})


class Function(metaclass=_Forward):
    """An operation whose derivative is written by hand.

    Subclasses define two static methods and are called by ``apply``:

    - ``forward(ctx, *args)``, or ``forward(*args)`` with ``setup_context(ctx, inputs, output)``:
      the result, a tensor or a tuple; what it computes is not recorded.
    - ``backward(ctx, *grad_outputs)``: the gradient of each argument of `forward`, None for those
      that are no tensors or need none. It is recorded under ``create_graph=True``, so derivatives
      of higher order follow if it is made of differentiable operations.

    Example:
        >>> import rushlight
        >>> class Cube(rushlight.autograd.Function):
        ...     @staticmethod
        ...     def forward(ctx, x):
        ...         ctx.save_for_backward(x)
        ...         return x**3
        ...     @staticmethod
        ...     def backward(ctx, grad):
        ...         (x,) = ctx.saved_tensors
        ...         return 3 * x**2 * grad
        >>> x = rushlight.tensor([2.0], requires_grad=True)
        >>> Cube.apply(x).backward()
        >>> x.grad
        tensor([12.])
    """

    _node_type: type[_FunctionNode]
    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            "Legacy autograd function with non-static forward method is deprecated. Please use "
            "new-style autograd function with static forward method."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """The operation; subclasses define it."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> Any:
        """Fills the context, where `forward` does not take it."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """The derivative; subclasses define it."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    vjp = backward

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Refused: there is no forward-mode differentiation."""
        raise NotImplementedError("jvp(): forward-mode AD is not supported")

    @classmethod
    def _backward(cls) -> Callable[..., Any]:
        return cls.vjp if cls.backward is Function.backward else cls.backward

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Runs `forward` and records it.

        Raises:
            RuntimeError: for a leaf marked as dirty, and for a dirty input that is not returned.
        """
        own_context = cls.setup_context is Function.setup_context
        if kwargs:
            args = _positional(cls.forward, (None,) if own_context else (), args, kwargs)
        node: _FunctionNode = object.__new__(cls._node_type)
        tensors = [(i, a) for i, a in enumerate(args) if isinstance(a, Tensor)]
        edges = {i: edge_of(t) for i, t in tensors}
        node.needs_input_grad = tuple(edges.get(i) is not None for i in range(len(args)))
        records = grad_state.enabled and any(node.needs_input_grad)
        with no_grad():
            if own_context:
                outputs = cls.forward(node, *args)
            else:
                outputs = cls.forward(*args)
                cls.setup_context(node, args, outputs)
        results = outputs if isinstance(outputs, tuple) else (outputs,)
        _check_dirty(node, results)
        if not records:
            return outputs
        node.positions = tuple(i for i, _ in tensors)
        node.arguments = len(args)
        inputs = {id(t): edges[i] for i, t in tensors}
        results = _recorded(node, results, tuple(edges.values()), inputs)
        return results if isinstance(outputs, tuple) else results[0]


InplaceFunction = Function


def _positional(
    function: Callable[..., Any], first: tuple[Any, ...], args: Any, kwargs: Any
) -> tuple[Any, ...]:
    """All arguments after `first` by position, defaults filled in."""
    bound = inspect.signature(function).bind(*first, *args, **kwargs)
    bound.apply_defaults()
    return bound.args[len(first) :]


def _check_dirty(node: _FunctionNode, results: Sequence[Any]) -> None:
    for tensor in node._dirty:
        if not any(tensor is r for r in results):
            raise RuntimeError(
                "Some elements marked as dirty during the forward method were not returned as "
                "output. The inputs that are modified inplace must all be outputs of the Function."
            )


def _recorded(
    node: _FunctionNode,
    results: Sequence[Any],
    edges: tuple[Edge | None, ...],
    inputs: dict[int, Edge | None],
) -> tuple[Any, ...]:
    """The results as outputs of the node."""
    outputs = [_output(node, r, inputs) if isinstance(r, Tensor) else r for r in results]
    pairs = [(r, t) for r, t in zip(results, outputs, strict=True) if isinstance(t, Tensor)]
    fill_in(node, edges, None, *(t._array for _, t in pairs))
    flat = [id(t) for t in node._non_differentiable]
    for port, (result, tensor) in enumerate(pairs):
        if any(tensor is t for t in node._dirty):
            simple = len(pairs) == 1 and next(iter(inputs)) == id(tensor)
            _change(node, port, tensor, simple)
        elif dtypes.is_floating(tensor._array.dtype) and id(result) not in flat:
            tensor._edge = (node, port)
    ports = {id(t): port for port, pair in enumerate(pairs) for t in pair}
    node.saved = tuple(_saved(t, ports, inputs) for t in node._to_save)
    node._to_save = node._dirty = node._non_differentiable = ()
    if watch.nodes:
        observed(node)
    return tuple(outputs)


def _output(node: _FunctionNode, result: Tensor, inputs: dict[int, Edge | None]) -> Tensor:
    """The tensor to return for a result: another object where it is an input as it was."""
    if any(result is t for t in node._dirty):
        return result
    if id(result) in inputs:
        base = result if result._view is None else result._view[0]
        result = Tensor._over(result._array, result._counter)
        result._view = (base, result._counter[0], CUSTOM)
    elif result._view is not None:
        result._view = (*result._view[:2], CUSTOM)
    return result


def _change(node: _FunctionNode, port: int, tensor: Tensor, simple: bool) -> None:
    """Makes the node part of the history of an input that it changed in place."""
    edge = tensor._edge
    if edge is not None and type(edge[0]) is AccumulateGrad:
        raise RuntimeError(
            "a leaf Variable that requires grad has been used in an in-place operation."
        )
    if tensor._view is None:
        tensor._edge = (node, port)
        return
    if not simple:
        raise NotImplementedError(
            f"{node.op}: a view that is marked as dirty must be the first tensor argument and the "
            "only output"
        )
    rebase(tensor, node)


def _saved(tensor: Tensor | None, ports: dict[int, int], inputs: dict[int, Edge | None]) -> Any:
    if tensor is None:
        return None
    counter = tensor._counter
    version = None if counter is INFERENCE else counter[0]
    edge = ports[id(tensor)] if id(tensor) in ports else inputs.get(id(tensor), edge_of(tensor))
    return tensor._array, counter, version, edge


class _DifferentiatedTwice(ManyOutputs):
    """The end of what `once_differentiable` allows."""

    __slots__ = ()
    op = "once_differentiable"

    def backward(
        self, kernels: Any, g: Any, edges: tuple[Edge | None, ...], keep: bool
    ) -> tuple[Any, ...]:
        """Raises RuntimeError."""
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )

    def backward_recorded(
        self,
        ops: Any,
        g: Any,
        edges: tuple[Edge | None, ...],
        keep: bool,
        tensor: Callable[..., Any],
    ) -> tuple[Any, ...]:
        """Raises RuntimeError."""
        return self.backward(None, g, edges, keep)


def once_differentiable(function: F) -> F:
    """Decorates a ``backward`` that cannot itself be differentiated: a second time is an error."""

    @functools.wraps(function)
    def decorated(ctx: Any, *gradients: Any) -> Any:
        with no_grad():
            outputs = function(ctx, *gradients)
        edges = tuple(edge_of(g) for g in gradients if isinstance(g, Tensor))
        if not grad_state.enabled or not any(edges):
            return outputs
        results = outputs if isinstance(outputs, tuple) else (outputs,)
        tensors = [r.detach() for r in results if isinstance(r, Tensor)]
        node = fill_in(_DifferentiatedTwice(), edges, (), *(t._array for t in tensors))
        for port, tensor in enumerate(tensors):
            tensor._edge = (node, port)
        made = iter(tensors)
        results = tuple(next(made) if isinstance(r, Tensor) else r for r in results)
        return results if isinstance(outputs, tuple) else results[0]

    return decorated  # type: ignore[return-value]
