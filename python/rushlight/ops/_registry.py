"""The op decorator: an op is data, its functions are derived.

    @op(input=lambda K, g, other: K.mul(g, other), other=lambda K, g, input: K.mul(g, input))
    def mul(input: Tensor, other: Tensor | Number) -> Tensor:
        "Elementwise product ``input * other``, with broadcasting."

A row for each tensor argument gives its gradient: a formula over the kernel namespace `K`, the
gradient `g` of the output and what else it names, which is exactly what the node saves: arguments,
``out``, further outputs, or ``<argument>_shape``. A row of None: not differentiable. `K` is a
backend (raw arrays) in an ordinary backward pass and `rushlight.ops` (tensors, recorded) under
``create_graph=True``.

NOTE [Specialised functions] From a declaration, `_codegen` writes a function without any loop over
a signature; it is compiled when the op is first used, since compiling all of them would take longer
than the import may. Until then an `Op` stands in its place, in its module and as Tensor method, and
is replaced by the function at the first call.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

from rushlight.autograd.autocast import NAMES, casting
from rushlight.ops import _codegen
from rushlight.ops._declaration import check_rows, node_name
from rushlight.ops._nodes import build_node
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight.autograd.node import Node

__all__ = ["Op", "op", "registry"]

F = TypeVar("F", bound=Callable[..., Any])

registry: dict[str, Op] = {}
_composed: dict[str, Callable[..., Any]] = {}


class Op:
    """A declared operation.

    Attributes:
        name: of the function, of the kernel and of the derivative's node.
        derivatives: for each tensor argument its formula, or None.
        forward: the kernels to call, where these are not just the one of the op's name.
        outputs: names of the results where there are several that have gradients.
        extras: names of further, not differentiable results of the kernel.
        view: whether the result shares the memory of the first argument.
    """

    def __init__(
        self,
        declaration: Callable[..., Any],
        derivatives: dict[str, Callable[..., Any] | None],
        *,
        forward: Callable[..., Any] | None,
        joint: Callable[..., Any] | None,
        outputs: tuple[str, ...],
        extras: tuple[str, ...],
        view: bool,
        node: str | None,
    ) -> None:
        self.declaration = declaration
        self.name = declaration.__name__
        self.derivatives = derivatives
        self.forward = forward
        self.joint = joint
        self.outputs = outputs
        self.extras = extras
        self.view = view
        self.node = node or node_name(self.name)
        self.methods: list[tuple[str, str]] = []
        check_rows(self)
        functools.update_wrapper(self, declaration)

    @functools.cached_property
    def function(self) -> Callable[..., Any]:
        """The specialised function; it takes the place of this object."""
        function = _codegen.build(self, "function")
        self.declaration.__globals__[self.name] = function
        return function

    @functools.cached_property
    def node_type(self) -> type[Node]:
        """The type of the nodes that record this op."""
        return build_node(self)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.function(*args, **kwargs)


class Method:
    """Stands for a Tensor method until its first use."""

    def __init__(self, op: Op, name: str, form: str) -> None:
        self._op = op
        self._name = name
        self._form = form

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        op, form = self._op, self._form
        function = op.function if form == "function" else _codegen.build(op, form)
        setattr(Tensor, self._name, function)
        return function if instance is None else function.__get__(instance, owner)


def op(
    *,
    forward: Callable[..., Any] | None = None,
    joint: Callable[..., Any] | None = None,
    outputs: tuple[str, ...] = (),
    extras: tuple[str, ...] = (),
    view: bool = False,
    node: str | None = None,
    method: bool = True,
    inplace: bool = False,
    operator: str | None = None,
    **derivatives: Callable[..., Any] | None,
) -> Callable[[F], F]:
    """Declares an operation; see the module's text.

    Args:
        forward: ``f(K, <arguments>)``, the kernels that compute the result, where this is not
            ``K.<name>`` of all arguments.
        joint: instead of rows: ``f(K, g, needs, <saved>)`` gives the gradients of all tensor
            arguments, None where `needs` is False.
        outputs: names of the results, where there are several that have gradients: `g` is then a
            sequence of gradients, None where nothing arrived. ``MANY``: the kernel returns a list.
        extras: names of further results of the kernel, which are returned but not differentiable.
        view: the result shares the memory of the first argument.
        node: PyTorch's name of the node, ``<Name>Backward0`` by default.
        method: bind as Tensor method.
        inplace: bind the in-place form ``<name>_`` as Tensor method.
        operator: the Python operator, such as ``"add"`` for ``__add__``, ``__radd__`` (for two
            operands) and, with `inplace`, ``__iadd__``.
        derivatives: the rows.

    Raises:
        TypeError: where a row is missing or names what the op does not have.
    """

    def declare(declaration: F) -> F:
        declared = Op(
            declaration,
            derivatives,
            forward=forward,
            joint=joint,
            outputs=outputs,
            extras=extras,
            view=view,
            node=node,
        )
        registry[declared.name] = declared
        _bind(declared, method, inplace, operator)
        return declared  # type: ignore[return-value]

    return declare


def _bind(declared: Op, method: bool, inplace: bool, operator: str | None) -> None:
    forms: list[tuple[str, str]] = []
    if method:
        forms.append((declared.name, "function"))
    if inplace:
        forms.append((declared.name + "_", "inplace"))
    if operator is not None:
        forms.append((f"__{operator}__", "operator"))
        if len(declared.derivatives) == 2 and operator not in _COMPARISONS:
            forms.append((f"__r{operator}__", "reflected"))
            if inplace:
                forms.append((f"__i{operator}__", "inplace operator"))
    for name, form in forms:
        setattr(Tensor, name, Method(declared, name, form))
        declared.methods.append((name, form))


_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")


def composed(*, method: bool = True, name: str | None = None) -> Callable[[F], F]:
    """Declares an operation whose body calls other operations; its derivative follows from them."""

    def declare(function: F) -> F:
        if function.__name__ in NAMES:
            function = casting(function)
        _composed[function.__name__] = function
        if method:
            setattr(Tensor, name or function.__name__, function)
        return function

    return declare


def find(name: str) -> Callable[..., Any] | None:
    """The function of an op, built if it was not yet; None for an unknown name."""
    if name in registry:
        return registry[name].function
    return _composed.get(name)


def names() -> list[str]:
    """All operations."""
    return sorted({*registry, *_composed})
