"""Gradients and directional derivatives as functions of functions.

NOTE [Levels] A transform differentiates with respect to new tensors that stand for its arguments.
Where an argument belongs to a graph already, of an outer transform or of the user, the new tensor
belongs to it too, and the derivatives are recorded, so that they can be differentiated further.
Where nothing outside takes part they are not: results require grad only if something outside does.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from rushlight import ops
from rushlight.autograd.differentiate import grad as graph_gradients
from rushlight.autograd.grad_mode import enable_grad, is_grad_enabled
from rushlight.backend.batched.array import Batched, Shape
from rushlight.backend.levels import Level
from rushlight.tensor import Tensor
from rushlight.utils._pytree import TreeSpec, tree_flatten, tree_map, tree_unflatten

__all__ = ["grad", "grad_and_value", "jvp", "linearize", "vjp"]

Argnums = int | tuple[int, ...]


def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that gives the gradient of the scalar `func` with respect to some arguments.

    Args:
        func: returns a tensor without dimensions.
        argnums: the position of the argument, which may be nested, or a tuple of positions.
        has_aux: `func` returns ``(output, aux)``, and the gradient function ``(gradient, aux)``.

    Returns:
        A function of the arguments of `func`; its result is like the argument, or a tuple for a
        tuple of positions. What the output does not depend on has a gradient of zeros.

    Raises:
        RuntimeError: when called, for an output that is no scalar, and for positions that are not
            there.

    Example:
        >>> import rushlight as torch
        >>> torch.func.grad(torch.sin)(torch.tensor(0.0))
        tensor(1.)
    """

    @functools.wraps(func, assigned=())
    def gradient(*args: Any, **kwargs: Any) -> Any:
        found, value = grad_and_value(func, argnums, has_aux)(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """As `grad`, with the output too: ``(gradient, output)``, or ``(gradient, (output, aux))``."""

    @functools.wraps(func, assigned=())
    def gradient_and_value(*args: Any, **kwargs: Any) -> Any:
        with Transform() as transform:
            given, xs, spec = transform.substituted(args, argnums)
            results = func(*given, **kwargs)
            output, aux = _split(results, has_aux, "grad_and_value(f)(*args)")
            _check_scalar(output)
            gradients = transform.gradients([output], xs, None)
            found = tree_unflatten(transform.released(gradients), spec)
            output = transform.released_tree(output)
            value = (output, transform.released_tree(aux)) if has_aux else output
        return found, value

    return gradient_and_value


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> tuple[Any, ...]:
    """The outputs of ``func(*primals)``, and the function ``v -> v @ J`` with its Jacobian.

    Args:
        func: returns tensors, nested or not.
        primals: tensors, nested or not.
        has_aux: `func` returns ``(output, aux)``.

    Returns:
        ``(output, vjp_fn)`` or ``(output, vjp_fn, aux)``. ``vjp_fn`` takes cotangents, nested as
        the output is; its result is a tuple with an entry for each primal.

    Raises:
        RuntimeError: for outputs that are no floating tensors, and, in ``vjp_fn``, for cotangents
            nested in another way.
    """
    return vjp_of(func, primals, tuple(range(len(primals))), has_aux)


def vjp_of(
    func: Callable[..., Any], primals: tuple[Any, ...], argnums: Argnums, has_aux: bool
) -> tuple[Any, ...]:
    """As `vjp`, with respect to some of the arguments only."""
    transform = Transform()
    with transform:
        given, xs, spec = transform.substituted(primals, argnums)
        output, aux = _split(func(*given), has_aux, "vjp(f, *primals)")
        ys, out_spec = tree_flatten(output)
        for y in ys:
            if not isinstance(y, Tensor):
                raise RuntimeError(
                    f"vjp(f, *primals): Expected output of f to be a Tensor or Tensors, got "
                    f"{type(y)}"
                )
            if not y.is_floating_point():
                raise RuntimeError(
                    "vjp(f, ...): All outputs of f must be floating-point or complex Tensors, got "
                    f"Tensor with dtype {y.dtype}"
                )

    def vjp_fn(cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None) -> Any:
        vs, given_spec = tree_flatten(cotangents)
        if given_spec != out_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {given_spec}, primal output: {out_spec}"
            )
        with transform:
            gradients = transform.gradients(ys, xs, vs, retain_graph, create_graph)
            return tree_unflatten(transform.released(gradients), spec)

    released = tree_unflatten(transform.released(ys), out_spec)
    return (released, vjp_fn, transform.released_tree(aux)) if has_aux else (released, vjp_fn)


def jvp(
    func: Callable[..., Any],
    primals: Any,
    tangents: Any,
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> tuple[Any, ...]:
    """The outputs of ``func(*primals)``, and their derivative along `tangents`, ``J @ v``.

    Computed from two backward passes: see NOTE [Forward products from two backward passes] in
    `rushlight.autograd.functional`.

    Args:
        func: returns tensors, nested or not.
        primals: a tuple of tensors, nested or not.
        tangents: nested as the primals are, with their sizes.
        strict: raise an error for an output that does not depend on the primals.
        has_aux: `func` returns ``(output, aux)``.

    Returns:
        ``(output, derivative)`` or ``(output, derivative, aux)``.

    Raises:
        RuntimeError: for arguments of other structure, and as `strict` says.
    """
    _check_pair(primals, tangents)
    output, push, aux = _pushforward(func, primals, has_aux, strict)
    result = (output, push(*tangents))
    return (*result, aux) if has_aux else result


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The outputs of ``func(*primals)``, and the linear function ``v -> J @ v`` of tangents.

    `func` runs once; the function can be called many times.
    """
    output, push, _ = _pushforward(func, primals, False, False)
    return output, push


def _pushforward(
    func: Callable[..., Any], primals: tuple[Any, ...], has_aux: bool, strict: bool
) -> tuple[Any, Callable[..., Any], Any]:
    """The outputs, the derivative as a function of the tangents, and what else `func` gave."""
    transform = Transform()
    with transform:
        given, xs, spec = transform.substituted(primals, tuple(range(len(primals))))
        output, aux = _split(func(*given), has_aux, _JVP)
        ys, out_spec = tree_flatten(output)
        for y in ys:
            if not isinstance(y, Tensor):
                raise RuntimeError(
                    f"{_JVP}: Expected output of f to be a Tensor or Tensors, got {type(y)}"
                )
            if strict and not y.requires_grad:
                raise RuntimeError(
                    "jvp(f, primals, tangents, strict=True): The output of f is independent of "
                    "the inputs. This is not allowed with strict=True."
                )
        us = [transform.leaf(ops.zeros_like(y)) for y in ys]
        gradients: list[Any] = transform.gradients(ys, xs, us, create_graph=True)

    def push(*tangents: Any) -> Any:
        vs, given_spec = tree_flatten(tangents)
        if given_spec != spec:
            raise RuntimeError(
                f"Expected the tangents {given_spec} to have the same argspec as the primals {spec}"
            )
        with transform:
            found = transform.gradients(gradients, us, vs, retain_graph=True)
            return tree_unflatten(transform.released(found), out_spec)

    released = tree_unflatten(transform.released(ys), out_spec)
    return released, push, transform.released_tree(aux)


_JVP = "jvp(f, primals, tangents)"


def _check_pair(primals: Any, tangents: Any) -> None:
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{_JVP}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    xs, spec = tree_flatten(primals)
    vs, other = tree_flatten(tangents)
    if spec != other:
        raise RuntimeError(
            f"{_JVP}: Expected primals and tangents to have the same python structure. For "
            "example, if primals is a tuple of 3 tensors, tangents also must be. Got primals with "
            f"structure {spec} and tangents with structure {other}"
        )
    for name, values in (("primals", xs), ("tangents", vs)):
        if not values:
            raise RuntimeError(f"{_JVP}: Expected {name} to contain at least one Tensor.")
        for value in values:
            if not isinstance(value, Tensor):
                raise RuntimeError(
                    f"{_JVP}: Expected {name} to only contain Tensors, got {type(value)}"
                )


def _split(results: Any, has_aux: bool, call: str) -> tuple[Any, Any]:
    if not has_aux:
        return results, None
    if not (isinstance(results, tuple) and len(results) == 2):
        raise RuntimeError(
            f"{call}: output of function f should be a tuple: (output, aux) if has_aux is True"
        )
    return results


def _check_scalar(output: Any) -> None:
    if not isinstance(output, Tensor):
        raise RuntimeError(
            f"grad_and_value(f)(*args): Expected f(*args) to return a Tensor, got {type(output)}"
        )
    if output.dim() != 0:
        raise RuntimeError(
            "grad_and_value(f)(*args): Expected f(*args) to return a scalar Tensor, got tensor "
            f"with {output.dim()} dims. Maybe you wanted to use the vjp or jacrev APIs instead?"
        )


# ---- Arguments by position ----


def positions(argnums: Argnums, count: int) -> list[int]:
    """The positions, counted from the front.

    Raises:
        RuntimeError: for one that is not there, twice the same, or none.
    """
    several = isinstance(argnums, tuple)
    if not several and not isinstance(argnums, int):
        raise RuntimeError(f"argnums must be int or Tuple[int, ...], got: {type(argnums)}")
    wrapped = []
    for argnum in argnums if isinstance(argnums, tuple) else (argnums,):
        if not isinstance(argnum, int):
            raise RuntimeError(f"argnum must be int, got: {type(argnum)}")
        if not -count <= argnum < count:
            raise RuntimeError(f"Got argnum={argnum}, but only {count} positional inputs")
        wrapped.append(argnum % count)
    if not wrapped:
        raise RuntimeError("argnums must be non-empty")
    if len(set(wrapped)) != len(wrapped):
        raise RuntimeError(f"argnums elements must be unique, got {argnums}")
    return wrapped


class Transform:
    """One use of a transform: its stand-ins for arguments, and what lies outside of it.

    As a context it records operations; see NOTE [Levels].
    """

    def __init__(self) -> None:
        self._own: set[Any] = set()  # the nodes of the leaves made here
        self._outside = is_grad_enabled()
        self._mode: list[enable_grad] = []

    def __enter__(self) -> Transform:
        self._mode.append(enable_grad())
        self._mode[-1].__enter__()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._mode.pop().__exit__(*exception)

    def substituted(
        self, args: tuple[Any, ...], argnums: Argnums
    ) -> tuple[list[Any], list[Tensor], TreeSpec]:
        """The arguments with stand-ins, these, and the structure of the arguments they are for."""
        chosen = positions(argnums, len(args))
        wanted = tuple(args[i] for i in chosen) if isinstance(argnums, tuple) else args[chosen[0]]
        leaves, spec = tree_flatten(wanted)
        xs = [self.stand_in(x) for x in leaves]
        replaced = tree_unflatten(xs, spec)
        given = list(args)
        for i, value in zip(
            chosen, replaced if isinstance(argnums, tuple) else (replaced,), strict=True
        ):
            given[i] = value
        return given, xs, spec

    def stand_in(self, x: Any) -> Tensor:
        """A new tensor of the same values, of the graph of `x` if it has one."""
        if not isinstance(x, Tensor):
            raise ValueError(f"Thing passed to transform API must be Tensor, got {type(x)}")
        if x.requires_grad and self._outside:
            return x.view_as(x)
        return self.leaf(x)

    def leaf(self, x: Tensor) -> Tensor:
        """A new leaf of the same values."""
        leaf: Tensor = x.detach().requires_grad_()
        self._own.update(_nodes_above(leaf))
        return leaf

    def gradients(
        self,
        ys: Sequence[Tensor | None],
        xs: Sequence[Tensor],
        weights: Sequence[Tensor] | None,
        retain_graph: bool | None = None,
        create_graph: bool | None = None,
    ) -> list[Tensor]:
        """The gradients of the weighted outputs; zeros where they do not depend on an input."""
        roots: list[Tensor] = []
        given: list[Any] = []
        for i, y in enumerate(ys):
            if y is not None and y.requires_grad:
                roots.append(y)
                given.append(None if weights is None else weights[i])
        if not roots:
            return [ops.zeros_like(x) for x in xs]
        if weights is not None:
            given = _alike(given, roots)
        if create_graph is None:
            create_graph = self._outside and any(
                self._leads_outside(t) for t in (*roots, *given) if t is not None
            )
        retain = create_graph if retain_graph is None else retain_graph
        found = graph_gradients(roots, xs, given, retain, create_graph, allow_unused=True)
        return [ops.zeros_like(x) if g is None else g for g, x in zip(found, xs, strict=True)]

    def released(self, tensors: Sequence[Any]) -> list[Any]:
        """The tensors as the caller gets them: in a graph only if something outside is in it."""
        return [self._released(t) for t in tensors]

    def released_tree(self, tree: Any) -> Any:
        """The same for nested tensors."""
        return tree_map(self._released, tree)

    def _released(self, value: Any) -> Any:
        if not isinstance(value, Tensor) or not value.requires_grad:
            return value
        return value if self._outside and self._leads_outside(value) else value.detach()

    def _leads_outside(self, tensor: Tensor) -> bool:
        """Whether the graph above a tensor has leaves that were not made here."""
        if not tensor.requires_grad:
            return False
        return not _nodes_above(tensor) <= self._own


def _nodes_above(tensor: Tensor) -> set[Any]:
    """The leaves' nodes above a tensor."""
    root = tensor.grad_fn
    if root is None:
        root = tensor.view_as(tensor).grad_fn
    seen, leaves, stack = {root}, set(), [root]
    while stack:
        following = stack.pop().next_functions  # type: ignore[union-attr]
        for node, _ in following:
            if node is not None and node not in seen:
                seen.add(node)
                stack.append(node)
                if not node.next_functions:
                    leaves.add(node)
    return leaves


def _alike(weights: list[Any], outputs: list[Tensor]) -> list[Tensor]:
    """The weights as batches of all the samples that any weight or output is a batch of."""
    levels: set[Level] = set()
    for tensor in (*weights, *outputs):
        if isinstance(tensor._array, Batched):
            levels |= tensor._array.shape.levels
    levels = {level for level in levels if not level.ended}
    if not levels:
        return weights
    return [ops.spread(w, _batched_shape(tuple(w.shape), levels)) for w in weights]


def _batched_shape(sizes: tuple[int, ...], levels: set[Level]) -> tuple[int, ...]:
    if not levels:
        return sizes
    last = max(levels, key=lambda level: level.order)
    return Shape(_batched_shape((last.size, *sizes), levels - {last}), last)
