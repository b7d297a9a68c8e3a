"""Jacobians, Hessians and their products with vectors, of functions of tensors.

The functions and their arguments are PyTorch's. A function of several arguments takes a tuple of
them, and then gives a tuple; the same holds for its outputs.

NOTE [Forward products from two backward passes] A backward pass gives ``u @ J``, which is linear in
the weights ``u`` of the outputs. So its own derivative with respect to ``u``, weighted by ``v``, is
``J @ v``, whatever ``u`` was.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

from rushlight import ops
from rushlight.autograd.differentiate import grad
from rushlight.autograd.grad_mode import enable_grad, is_grad_enabled, set_grad_enabled
from rushlight.backend.levels import Level
from rushlight.tensor import Tensor

__all__ = ["hessian", "hvp", "jacobian", "jvp", "vhp", "vjp"]

Function = Callable[..., Any]
Tensors = tuple[Tensor, ...]


# ---- The public functions ----


def vjp(
    func: Function,
    inputs: Tensor | Tensors,
    v: Tensor | Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The outputs of `func`, and the product ``v @ J`` of a vector and its Jacobian.

    Args:
        func: takes the inputs, returns a tensor or a tuple of them.
        inputs: a tensor, or a tuple of the arguments.
        v: like the outputs; None where the only output has one element: 1.
        create_graph: record the computation, so that the results can be differentiated.
        strict: raise an error where the result is zero because of independence.

    Returns:
        The outputs, and the product, which is like the inputs.

    Raises:
        TypeError: for inputs, outputs or `v` that are no tensors.
        RuntimeError: for a `v` of other sizes, and as `strict` says.
    """
    with enable_grad():
        xs, several = _tensors(inputs, "inputs", "vjp")
        xs = _attached(xs, create_graph)
        ys, several_out = _outputs(func, xs, "vjp", strict)
        if v is None:
            if len(ys) != 1 or ys[0].numel() != 1:
                raise RuntimeError(
                    "The vector v can only be None if the user-provided function returns a single "
                    "Tensor with a single element."
                )
            vs = None
        else:
            vs = _vectors(v, ys, several_out, "vjp", create_graph)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        products = _weighted_gradients(ys, xs, vs, create_graph)
        filled = _filled(products, xs, strict, create_graph, "jacobian", _NO_PATH)
    return _given(ys, several_out, create_graph), _given(filled, several, create_graph)


def jvp(
    func: Function,
    inputs: Tensor | Tensors,
    v: Tensor | Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The outputs of `func`, and the product ``J @ v`` of its Jacobian and a vector.

    Computed as NOTE [Forward products from two backward passes] says.

    Args:
        func: as for `vjp`.
        inputs: as for `vjp`.
        v: like the inputs; None where the only input has one element: 1.
        create_graph: as for `vjp`.
        strict: as for `vjp`.

    Returns:
        The outputs, and the product, which is like the outputs.

    Raises:
        TypeError: as `vjp`.
        RuntimeError: as `vjp`.
    """
    with enable_grad():
        xs, several = _tensors(inputs, "inputs", "jvp")
        xs = _attached(xs, create_graph)
        vs = _directions(v, xs, several, "jvp", create_graph)
        ys, several_out = _outputs(func, xs, "jvp", strict)
        us = tuple(ops.zeros_like(y).requires_grad_() for y in ys)
        gradients = _weighted_gradients(ys, xs, us, create_graph=True)
        if strict:
            _check_dependent(gradients)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        products = _weighted_gradients(gradients, us, vs, create_graph)
        filled = _filled(products, ys, strict, create_graph, "jacobian", _NO_WEIGHT)
    return _given(ys, several_out, create_graph), _given(filled, several_out, create_graph)


def vhp(
    func: Function,
    inputs: Tensor | Tensors,
    v: Tensor | Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The value of a scalar `func`, and the product ``v @ H`` of a vector and its Hessian.

    Args:
        func: as for `vjp`, with one output of one element.
        inputs: as for `vjp`.
        v: like the inputs; None where the only input has one element: 1.
        create_graph: as for `vjp`.
        strict: as for `vjp`.

    Returns:
        The value, and the product, which is like the inputs.

    Raises:
        TypeError: as `vjp`.
        RuntimeError: as `vjp`, and for another output.
    """
    with enable_grad():
        ys, xs, vs, gradients, several = _first_derivatives(
            func, inputs, v, create_graph, strict, "vhp"
        )
    with set_grad_enabled(create_graph or is_grad_enabled()):
        products = _weighted_gradients(gradients, xs, vs, create_graph)
        filled = _filled(products, xs, strict, create_graph, "hessian", _NO_SLOPE)
    return _given(ys, False, create_graph), _given(filled, several, create_graph)


def hvp(
    func: Function,
    inputs: Tensor | Tensors,
    v: Tensor | Tensors | None = None,
    create_graph: bool = False,
    strict: bool = False,
) -> tuple[Any, Any]:
    """The value of a scalar `func`, and the product ``H @ v`` of its Hessian and a vector.

    A Hessian is symmetric, so `vhp` gives the same with one backward pass less.

    Args:
        func: as for `vhp`.
        inputs: as for `vhp`.
        v: as for `vhp`.
        create_graph: as for `vhp`.
        strict: as for `vhp`.

    Returns:
        The value, and the product, which is like the inputs.

    Raises:
        TypeError: as `vhp`.
        RuntimeError: as `vhp`.
    """
    with enable_grad():
        ys, xs, vs, gradients, several = _first_derivatives(
            func, inputs, v, create_graph, strict, "hvp"
        )
        us = tuple(ops.zeros_like(x).requires_grad_() for x in xs)
        twice = _weighted_gradients(gradients, xs, us, create_graph=True)
    with set_grad_enabled(create_graph or is_grad_enabled()):
        products = _weighted_gradients(twice, us, vs, create_graph)
        filled = _filled(products, xs, strict, create_graph, "hessian", _NO_SLOPE_WEIGHT)
    return _given(ys, False, create_graph), _given(filled, several, create_graph)


def jacobian(
    func: Function,
    inputs: Tensor | Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    strategy: str = "reverse-mode",
) -> Any:
    """The Jacobian of `func`: for each output and input the sizes of both, one after the other.

    Args:
        func: as for `vjp`.
        inputs: as for `vjp`.
        create_graph: as for `vjp`.
        strict: as for `vjp`.
        vectorize: compute all rows in one backward pass under vmap, instead of one pass for each
            element of the outputs.
        strategy: 'reverse-mode'; forward mode is not supported.

    Returns:
        A tensor; for several inputs a tuple of them; for several outputs a tuple of these.

    Raises:
        TypeError: as `vjp`.
        RuntimeError: as `vjp`, and for `strict` together with `vectorize`.
        NotImplementedError: for ``strategy="forward-mode"``.
    """
    _check_strategy("jacobian", "strategy", strategy)
    with enable_grad():
        xs, several = _tensors(inputs, "inputs", "jacobian")
        xs = _attached(xs, create_graph)
        ys, several_out = _outputs(func, xs, "jacobian", strict)
        if vectorize and strict:
            raise RuntimeError(
                "torch.autograd.functional.jacobian: `strict=True` and `vectorized=True` are not "
                "supported together. Please either set `strict=False` or `vectorize=False`."
            )
        rows = [
            _given(
                _vectorized_jacobians(y, xs, create_graph)
                if vectorize
                else _jacobians(i, y, xs, create_graph, strict),
                several,
                create_graph,
            )
            for i, y in enumerate(ys)
        ]
    return tuple(rows) if several_out else rows[0]


def hessian(
    func: Function,
    inputs: Tensor | Tensors,
    create_graph: bool = False,
    strict: bool = False,
    vectorize: bool = False,
    outer_jacobian_strategy: str = "reverse-mode",
) -> Any:
    """The Hessian of a scalar `func`: for each pair of inputs the sizes of both.

    Args:
        func: as for `vhp`.
        inputs: as for `vjp`.
        create_graph: as for `vjp`.
        strict: as for `vjp`.
        vectorize: as for `jacobian`.
        outer_jacobian_strategy: 'reverse-mode'; forward mode is not supported.

    Returns:
        A tensor; for several inputs a tuple of tuples of them.

    Raises:
        TypeError: as `vjp`.
        RuntimeError: as `vhp`.
        NotImplementedError: for ``outer_jacobian_strategy="forward-mode"``.
    """
    _check_strategy("hessian", "outer_jacobian_strategy", outer_jacobian_strategy)
    _, several = _tensors(inputs, "inputs", "hessian")

    def scalar(*xs: Tensor) -> Tensor:
        (y,), several_out = _outputs(func, xs, "hessian", strict, at_most_one=True)
        _check_scalar(y, several_out, "hessian")
        return y.reshape(())

    def gradients(*xs: Tensor) -> Any:
        found = jacobian(scalar, xs, create_graph=True)
        if strict:
            _check_curved(found)
        return found

    inputs = inputs if isinstance(inputs, tuple) else (inputs,)
    found = jacobian(gradients, inputs, create_graph, strict, vectorize)
    return found if several else found[0][0]


# ---- Arguments and results ----


def _tensors(values: Any, name: str, function: str) -> tuple[Tensors, bool]:
    """The values as a tuple, and whether they were one."""
    several = isinstance(values, tuple)
    found = values if several else (values,)
    for i, value in enumerate(found):
        if not isinstance(value, Tensor):
            which = f"value at index {i}" if several else f"given {name}"
            raise TypeError(
                f"The {name} given to {function} must be either a Tensor or a tuple of Tensors but "
                f"the {which} has type {type(value)}."
            )
    return found, several


def _attached(tensors: Tensors, create_graph: bool, need_graph: bool = True) -> Tensors:
    """New tensors of the same values, so that uses outside of the function do not count.

    Under `create_graph` they belong to the graph of those that require grad.
    """
    return tuple(
        x.view_as(x)
        if create_graph and x.requires_grad
        else x.detach().requires_grad_(need_graph and x.is_floating_point())
        for x in tensors
    )


def _outputs(
    func: Function, xs: Tensors, function: str, strict: bool, at_most_one: bool = False
) -> tuple[Tensors, bool]:
    ys, several = _tensors(func(*xs), "outputs of the user-provided function", function)
    if strict:
        for i, y in enumerate(ys):
            if not y.requires_grad:
                raise RuntimeError(
                    f"Output {i} of the user-provided function does not require gradients. The "
                    "outputs must be computed in a differentiable manner from the input when "
                    "running in strict mode."
                )
    return (ys[:1] if at_most_one else ys), several


def _vectors(
    v: Tensor | Tensors, like: Tensors, several: bool, function: str, create_graph: bool
) -> Tensors:
    vs, _ = _tensors(v, "v", function)
    vs = _attached(vs, create_graph, need_graph=False)
    if len(vs) != len(like):
        if several:
            raise RuntimeError(
                f"v is a tuple of invalid length: should be {len(like)} but got {len(vs)}."
            )
        raise RuntimeError("The given v should contain a single Tensor.")
    for i, (given, expected) in enumerate(zip(vs, like, strict=True)):
        if given.shape != expected.shape:
            entry = f"Entry {i} in " if several else ""
            raise RuntimeError(
                f"{entry}v has invalid size: should be {expected.shape} but got {given.shape}."
            )
    return vs


def _directions(
    v: Tensor | Tensors | None, xs: Tensors, several: bool, function: str, create_graph: bool
) -> Tensors | None:
    if v is not None:
        return _vectors(v, xs, several, function, create_graph)
    if len(xs) != 1 or xs[0].numel() != 1:
        raise RuntimeError(
            "The vector v can only be None if the input to the user-provided function is a single "
            "Tensor with a single element."
        )
    return None


def _first_derivatives(
    func: Function,
    inputs: Tensor | Tensors,
    v: Tensor | Tensors | None,
    create_graph: bool,
    strict: bool,
    function: str,
) -> tuple[Tensors, Tensors, Tensors | None, Sequence[Tensor | None], bool]:
    """The value of a scalar function, its inputs, the vector, and its recorded gradients."""
    xs, several = _tensors(inputs, "inputs", function)
    xs = _attached(xs, create_graph)
    vs = _directions(v, xs, several, function, create_graph)
    ys, several_out = _outputs(func, xs, function, strict)
    _check_scalar(ys[0], several_out, function)
    gradients = _weighted_gradients(ys, xs, None, create_graph=True)
    if strict:
        _check_curved(gradients)
    return ys, xs, vs, gradients, several


def _given(results: Tensors, several: bool, create_graph: bool) -> Any:
    """The results as the user gets them: outside of the graph unless it was asked for."""
    if not create_graph:
        results = tuple(r.detach() for r in results)
    return results if several else results[0]


def _check_strategy(function: str, name: str, strategy: str) -> None:
    if strategy == "forward-mode":
        raise NotImplementedError(f"{function}(): {name}='forward-mode' is not supported")
    if strategy != "reverse-mode":
        raise AssertionError(
            'Expected strategy to be either "forward-mode" or "reverse-mode". Got: '
            f"{name}={strategy!r}"
        )


def _check_scalar(y: Tensor, several: bool, function: str) -> None:
    if several:
        raise RuntimeError(f"The function given to {function} should return a single Tensor")
    if y.numel() != 1:
        raise RuntimeError(
            f"The Tensor returned by the function given to {function} should contain a single "
            "element"
        )


# ---- Gradients, and what strict mode says of those that are missing ----


def _weighted_gradients(
    ys: Sequence[Tensor | None],
    xs: Tensors,
    weights: Tensors | None,
    create_graph: bool,
    retain_graph: bool | None = None,
) -> Sequence[Tensor | None]:
    """The gradients of the outputs that have any; None where nothing leads to an input."""
    pairs = [
        (y, weight)
        for y, weight in zip(ys, weights or (None,) * len(ys), strict=True)
        if y is not None and y.requires_grad
    ]
    wanted = [x for x in xs if x.requires_grad]
    if not pairs or not wanted:
        return (None,) * len(xs)
    roots, given = zip(*pairs, strict=True)
    found = iter(grad(roots, wanted, given, retain_graph, create_graph, allow_unused=True))
    return tuple(next(found) if x.requires_grad else None for x in xs)


def _jacobians(i: int, y: Tensor, xs: Tensors, create_graph: bool, strict: bool) -> Tensors:
    """The Jacobians of output `i` with respect to each input."""
    rows: list[list[Tensor]] = [[] for _ in xs]
    for index in itertools.product(*map(range, y.shape)):
        weight = ops.zeros_like(y)
        weight[index] = 1
        gradients = _weighted_gradients((y,), xs, (weight,), create_graph, retain_graph=True)
        for j, (x, g) in enumerate(zip(xs, gradients, strict=True)):
            if g is None and strict:
                raise RuntimeError(
                    f"Output {i} of the user-provided function is independent of input {j}. "
                    "This is not allowed in strict mode."
                )
            if g is not None and strict and create_graph and not g.requires_grad:
                raise _independent("jacobian", i)
            rows[j].append(ops.zeros_like(x) if g is None else g)
    return tuple(
        ops.stack(row).reshape((*y.shape, *x.shape))
        if row
        else ops.zeros((*y.shape, *x.shape), dtype=x.dtype, device=x.device)
        for row, x in zip(rows, xs, strict=True)
    )


def _vectorized_jacobians(y: Tensor, xs: Tensors, create_graph: bool) -> Tensors:
    """The same, with the elements of the output as samples of a batch."""
    count = y.numel()
    rows = ops.eye(count, dtype=y.dtype, device=y.device).reshape(count, *y.shape)
    with Level(count, "error") as level:
        weights = (ops.enter_batch(rows, level, 0),)
        found = _weighted_gradients((y,), xs, weights, create_graph, retain_graph=True)
        filled = [ops.zeros_like(x) if g is None else g for g, x in zip(found, xs, strict=True)]
        blocks = [ops.leave_batch(g, level, 0) for g in filled]
    return tuple(g.reshape((*y.shape, *x.shape)) for g, x in zip(blocks, xs, strict=True))


_NO_PATH = "The output of the user-provided function is independent of input {}. "
_NO_WEIGHT = (
    "The gradient with respect to the input is independent of entry {} in the grad_outputs when "
    "using the double backward trick to compute forward mode gradients. "
)
_NO_SLOPE = "The jacobian of the user-provided function is independent of input {}. "
_NO_SLOPE_WEIGHT = (
    "The hessian of the user-provided function is independent of entry {} in the grad_jacobian. "
)


def _filled(
    gradients: Sequence[Tensor | None],
    like: Tensors,
    strict: bool,
    create_graph: bool,
    derivative: str,
    missing: str,
) -> Tensors:
    """The gradients with zeros for missing ones, which in strict mode are errors."""
    filled = []
    for i, (g, x) in enumerate(zip(gradients, like, strict=True)):
        if g is None and strict:
            raise RuntimeError(missing.format(i) + "This is not allowed in strict mode.")
        if g is not None and strict and create_graph and not g.requires_grad:
            raise _independent(derivative, i)
        filled.append(ops.zeros_like(x) if g is None else g)
    return tuple(filled)


def _independent(derivative: str, i: int) -> RuntimeError:
    return RuntimeError(
        f"The {derivative} of the user-provided function is independent of input {i}. This is not "
        "allowed in strict mode when create_graph=True."
    )


def _check_dependent(gradients: Sequence[Tensor | None]) -> None:
    for i, g in enumerate(gradients):
        if g is None:
            raise RuntimeError(_NO_PATH.format(i) + "This is not allowed in strict mode.")
        if not g.requires_grad:
            raise RuntimeError(
                f"The gradient with respect to input {i} is independent of the inputs of the "
                "user-provided function. This is not allowed in strict mode."
            )


def _check_curved(gradients: Sequence[Tensor | None]) -> None:
    for i, g in enumerate(gradients):
        if g is None:
            raise RuntimeError(_NO_PATH.format(i) + "This is not allowed in strict mode.")
        if not g.requires_grad:
            raise RuntimeError(
                "While computing the hessian, found that the jacobian of the user-provided "
                f"function with respect to input {i} is independent of the input. This is not "
                "allowed in strict mode. You should ensure that your function is twice "
                "differentiable and that the jacobian depends on the inputs (this would be "
                "violated by a linear function for example)."
            )
