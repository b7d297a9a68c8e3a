"""Writes the functions of an op: forward with recording, in-place, and the node's backward.

What is generated for ``mul``, much shortened::

    def mul(input, other):
        if isinstance(input, Tensor):
            a_input, e_input, c_input = input._array, input._edge, input._counter
        ...
        out = (cpu if type(a_input) is ndarray else kernels_of(...)).mul(a_input, a_other)
        result = new(Tensor)
        ...
        if (e_input is not None or e_other is not None) and grad_state.enabled:
            node = new(MulBackward0)
            node.edges = (e_input, e_other)
            node.saved = ((a_other, c_other, c_other[0]) if e_input is not None else UNSAVED, ...)
            ...
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight import errors
from rushlight.autograd.grad_mode import state as grad_state
from rushlight.autograd.node import AccumulateGrad, Node, next_order
from rushlight.backend import cpu, kernels_of
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight.ops._registry import Op

# Stands for the version counter of what has none: a number, None, a value that is not needed.
NO_COUNTER = [0]
UNSAVED = (None, NO_COUNTER, 0)
NUMBERS = frozenset((int, float, bool))
NUMBERS_OR_NONE = NUMBERS | {type(None)}
CATEGORIES = {"b": 0, "i": 1, "u": 1, "f": 2, "V": 2}  # V: bfloat16
# NumPy's names of arguments, which PyTorch takes as well.
ALIASES = (("axis", "dim"), ("keepdims", "keepdim"))


def node_name(op: str) -> str:
    """``squared_error`` gives ``SquaredErrorBackward0``."""
    return "".join(word.capitalize() for word in op.strip("_").split("_")) + "Backward0"


def tensor_arguments(op: Op) -> list[str]:
    """The arguments that are tensors, by their annotations."""
    annotations = op.declaration.__annotations__
    return [n for n in arguments(op) if str(annotations.get(n, "")).startswith("Tensor")]


def arguments(op: Op) -> tuple[str, ...]:
    """All arguments, in order."""
    code = op.declaration.__code__
    count = code.co_argcount + code.co_kwonlyargcount
    count += bool(code.co_flags & inspect.CO_VARARGS)
    return code.co_varnames[:count]


def formula_names(formula: Callable[..., Any], skip: int) -> tuple[str, ...]:
    """The arguments of a formula after the first `skip`: what it wants to be given."""
    return formula.__code__.co_varnames[skip : formula.__code__.co_argcount]


def check_rows(op: Op) -> None:
    """Raises TypeError for a missing row, and for a formula that names what the op lacks."""
    tensors, known = tensor_arguments(op), arguments(op)
    if op.joint is not None:
        op.derivatives = dict.fromkeys(tensors, op.joint)
    if missing := set(tensors) - set(op.derivatives):
        raise TypeError(f"{op.name}: no derivative row for {sorted(missing)}; write None if so")
    if extra := set(op.derivatives) - set(tensors):
        raise TypeError(f"{op.name}: derivative rows for {sorted(extra)}, which are no tensors")
    values = {*known, *op.extras, "out"}
    for argument, formula in op.derivatives.items():
        for name in _saved_by(op, formula):
            if name not in values and name.removesuffix("_shape") not in tensors:
                raise TypeError(f"{op.name}: the derivative of {argument} names {name!r}")


def _saved_by(op: Op, formula: Callable[..., Any] | None) -> tuple[str, ...]:
    if formula is None:
        return ()
    return formula_names(formula, 3 if op.joint is not None else 2)


def differentiable(op: Op) -> list[str]:
    """The tensor arguments that have a derivative."""
    return [a for a in tensor_arguments(op) if op.derivatives[a] is not None]


def saved_names(op: Op) -> list[str]:
    """What the node saves, in a fixed order."""
    names: list[str] = []
    for formula in op.derivatives.values():
        names += [n for n in _saved_by(op, formula) if n not in names]
    return names


# ---- The forward function ----


def build(op: Op) -> Callable[..., Any]:
    """The specialised function of an op."""
    return build_form(op, "function")


def build_form(op: Op, form: str) -> Callable[..., Any]:
    """One of an op's functions: function, inplace, operator, reflected, inplace operator."""
    if form == "function" and "function" in op.__dict__:
        return op.function
    inplace = form.startswith("inplace")
    name = op.name + "_" if inplace else op.name
    signature = _signature(op, form)
    lines = [f"def {name}({signature}):"]
    lines += _read_arguments(op, form)
    lines += _call_kernel(op, form, inplace)
    lines += _make_result(op, inplace)
    scope = _scope(op)
    exec(compile("\n    ".join(lines), f"<rushlight {form} {op.name}>", "exec"), scope)
    function: Callable[..., Any] = scope[name]
    function.__doc__ = op.declaration.__doc__
    function.__module__ = op.declaration.__module__
    return function


def _scope(op: Op) -> dict[str, Any]:
    node_type = op.__dict__.get("_node_type")
    if node_type is None:
        node_type = op.__dict__["_node_type"] = build_node(op)
    return {
        "Tensor": Tensor,
        "ndarray": np.ndarray,
        "new": object.__new__,
        "NodeType": node_type,
        "AccumulateGrad": AccumulateGrad,
        "grad_state": grad_state,
        "next_order": next_order,
        "cpu": cpu,
        "kernels_of": kernels_of,
        "forward": op.forward,
        "defaults": {p.name: p.default for p in _parameters(op)},
        "NO_COUNTER": NO_COUNTER,
        "UNSAVED": UNSAVED,
        "NUMBERS": NUMBERS,
        "NUMBERS_OR_NONE": NUMBERS_OR_NONE,
        "as_operand": as_operand,
        "sizes": sizes_of,
        "fitting": fitting,
        "errors": errors,
    }


def _parameters(op: Op) -> list[inspect.Parameter]:
    return list(inspect.signature(op.declaration).parameters.values())


def _signature(op: Op, form: str) -> str:
    if "operator" in form:
        return ", ".join(tensor_arguments(op))
    if form == "reflected":
        return ", ".join(reversed(tensor_arguments(op)))
    parts: list[str] = []
    keyword = False
    for p in _parameters(op):
        if p.kind is p.VAR_POSITIONAL:
            parts.append("*" + p.name)
            keyword = True
            continue
        if p.kind is p.KEYWORD_ONLY and not keyword:
            parts.append("*")
            keyword = True
        parts.append(p.name if p.default is p.empty else f"{p.name}=defaults[{p.name!r}]")
    names = arguments(op)
    for alias, target in ALIASES:
        if target in names:
            parts += ([] if keyword else ["*"]) + [f"{alias}=None"]
            keyword = True
    return ", ".join(parts)


def _read_arguments(op: Op, form: str) -> list[str]:
    """Lines that take the arrays, edges and version counters out of the tensors."""
    operator = form in ("operator", "reflected", "inplace operator")
    lines = []
    for name in tensor_arguments(op):
        edge = name in differentiable(op)
        counter = name in saved_names(op) or op.view or form.startswith("inplace")
        lines += [f"if isinstance({name}, Tensor):", f"    a_{name} = {name}._array"]
        lines += [f"    e_{name} = {name}._edge"] * edge
        lines += [f"    c_{name} = {name}._counter"] * counter
        lines.append("else:")
        lines += [f"    {line}" for line in _read_other(op, name, operator)]
        lines += [f"    e_{name} = None"] * edge
        lines += [f"    c_{name} = NO_COUNTER"] * counter
    return lines + _read_options(op, operator)


def _read_other(op: Op, name: str, operator: bool) -> list[str]:
    """Lines that take an argument which is no tensor: a number, None, or an error."""
    kind = str(op.declaration.__annotations__[name])
    if operator:
        return [
            f"if type({name}) not in NUMBERS:",
            f"    {name} = as_operand({op.name!r}, {name!r}, {name}, False)",
            f"    if {name} is NotImplemented:",
            "        return NotImplemented",
            f"a_{name} = {name}",
        ]
    refuse = f"raise errors.wrong_argument({op.name!r}, {name!r}, {name})"
    convert = f"as_operand({op.name!r}, {name!r}, {name})"
    if "Number" in kind:
        numbers = "NUMBERS_OR_NONE" if "None" in kind else "NUMBERS"
        return [f"a_{name} = {name} if type({name}) in {numbers} else {convert}"]
    if "None" in kind:
        return [f"if {name} is not None:", f"    {refuse}", f"a_{name} = None"]
    return [refuse]


def _read_options(op: Op, operator: bool) -> list[str]:
    """Lines for the arguments that are no tensors: defaults, sizes, NumPy's names."""
    names = arguments(op)
    if operator:
        return [f"{n} = defaults[{n!r}]" for n in names if n not in tensor_arguments(op)]
    lines = [f"{p.name} = sizes({p.name})" for p in _parameters(op) if p.kind is p.VAR_POSITIONAL]
    for alias, target in ALIASES:
        if target in names:
            lines += [f"if {alias} is not None:", f"    {target} = {alias}"]
    return lines


def _call_kernel(op: Op, form: str, inplace: bool) -> list[str]:
    tensors = tensor_arguments(op)
    values = {n: f"a_{n}" if n in tensors else n for n in arguments(op)}
    arrays = ", ".join(values[n] for n in tensors)
    first = values[tensors[-1 if form == "reflected" else 0]]
    lines = [f"K = cpu if type({first}) is ndarray else kernels_of({arrays})"]
    if inplace:
        lines += _check_in_place(op)
    if op.forward is not None and "operator" not in form:
        names = formula_names(op.forward, 1)
        call = f"forward(K, {', '.join(values[n] for n in names)})"
    elif "operator" in form or form == "reflected":
        call = f"K.{op.name}({arrays})"
    else:
        call = f"K.{op.name}({', '.join(values.values())})"
    if not inplace:
        return lines + _retried(f"{', '.join(['out', *op.extras])} = {call}", arrays, tensors)
    if hasattr(cpu, op.name + "_"):
        call = f"K.{op.name}_({', '.join(values.values())})"
    elif op.name in cpu.DESTINED and not call.startswith("forward"):
        call = f"{call[:-1]}, a_input)"
    else:
        call = f"K.assign(a_input, fitting({call}, a_input))"
    return [*lines, *_retried(call, arrays, tensors), "out = a_input", "c_input[0] += 1"]


def _retried(statement: str, arrays: str, tensors: list[str]) -> list[str]:
    """The statement, once more where an operand but the first names another backend.

    That is rare, and an exception that is not raised costs nothing.
    """
    if len(tensors) == 1:
        return [statement]
    return [
        "try:",
        f"    {statement}",
        "except TypeError:",
        f"    kernels = kernels_of({arrays})",
        "    if kernels is K:",
        "        raise",
        "    K = kernels",
        f"    {statement}",
    ]


def _check_in_place(op: Op) -> list[str]:
    wanted = differentiable(op)
    if not wanted:
        return []
    lines = [f"if ({_any_edge(wanted)}) and grad_state.enabled:"]
    lines += ["    if e_input is not None and type(e_input[0]) is AccumulateGrad:"]
    lines += [f"        raise errors.leaf_in_place({op.name + '_'!r})"]
    lines += ["    if input._base is not None:"]
    lines += [f"        raise errors.view_in_place({op.name + '_'!r})"]
    if "input" in saved_names(op):  # the derivative needs the value from before
        lines += ["    s_input, c_saved = K.copy(a_input), [0]"]
        lines += ["else:", "    s_input = c_saved = None"]
    return lines


def _any_edge(names: list[str]) -> str:
    return " or ".join(f"e_{n} is not None" for n in names)


def _make_result(op: Op, inplace: bool) -> list[str]:
    lines = ["result = input"] if inplace else _new_tensor("result", "out")
    if op.view:
        lines[2] = "result._counter = c_input"
        lines[3] = "result._base = input if input._base is None else input._base"
    wanted = differentiable(op)
    if wanted:
        lines += [f"if ({_any_edge(wanted)}) and grad_state.enabled:"]
        edges = ", ".join(f"e_{n}" if n in wanted else "None" for n in tensor_arguments(op))
        lines += [
            "    node = new(NodeType)",
            f"    node.edges = ({edges},)",
            f"    node.saved = ({_saved_values(op, inplace)})",
            "    node.order = next_order()",
            "    node.shape = out.shape",
            "    node.dtype = out.dtype",
            "    node.extras = None",
            "    result._edge = (node, 0)",
        ]
        if not inplace:
            lines += ["else:", "    result._edge = None"]
    elif not inplace:
        lines.append("result._edge = None")
    for extra in op.extras:
        lines += [*_new_tensor(f"r_{extra}", extra), f"r_{extra}._edge = None"]
    return [*lines, "return " + ", ".join(["result", *(f"r_{e}" for e in op.extras)])]


def _new_tensor(name: str, array: str) -> list[str]:
    return [
        f"{name} = new(Tensor)",
        f"{name}._array = {array}",
        f"{name}._counter = [0]",
        f"{name}._base = None",
    ]


def _saved_values(op: Op, inplace: bool) -> str:
    """The tuple that a node saves: (array, counter, version) for tensors, plain values else."""
    wanted = differentiable(op)
    parts = []
    for name in saved_names(op):
        if name == "out":
            value = "(out, result._counter, result._counter[0])"
        elif name in op.extras:
            value = f"({name}, [0], 0)"
        elif name in tensor_arguments(op):
            value = f"(a_{name}, c_{name}, c_{name}[0])"
            if inplace and name == "input":
                value = "(s_input, c_saved, 0)"
            users = [a for a in wanted if name in _saved_by(op, op.derivatives[a])]
            if users != wanted:
                value = f"{value} if {_any_edge(users)} else UNSAVED"
        elif name.endswith("_shape") and name not in arguments(op):
            array = f"a_{name.removesuffix('_shape')}"
            value = f"{array}.shape"
            if name != "input_shape":  # a number has no shape
                value = f"getattr({array}, 'shape', ())"
        else:
            value = name
        parts.append(value + ",")
    return " ".join(parts)


# ---- The node ----


def build_node(op: Op) -> type[Node]:
    """The node type of an op: its name is PyTorch's, its backward applies the rows."""
    scope: dict[str, Any] = {
        "errors": errors,
        "NO_COUNTER": NO_COUNTER,
    }
    for argument in differentiable(op):
        scope[f"d_{argument}"] = op.derivatives[argument]
    source = "\n".join([_backward_source(op, False), _backward_source(op, True)])
    exec(compile(source, f"<rushlight backward {op.name}>", "exec"), scope)
    members = {n: scope[n] for n in ("backward", "backward_recorded")}
    return type(op.node, (Node,), {"__slots__": (), "op": op.name, "view": op.view, **members})


def _is_tensor_value(op: Op, name: str) -> bool:
    return name in tensor_arguments(op) or name in op.extras or name == "out"


def _backward_source(op: Op, recorded: bool) -> str:
    names = saved_names(op)
    tensors = [n for n in names if _is_tensor_value(op, n)]
    if recorded:
        lines = ["def backward_recorded(self, K, g, edges, keep, restored):"]
    else:
        lines = ["def backward(self, K, g, edges, keep):"]
    if names:
        targets = [f"({n}, c_{n}, v_{n})" if n in tensors else n for n in names]
        lines += ["    saved = self.saved", "    if saved is None:"]
        lines += [f"        raise errors.freed_graph({op.name!r})"]
        lines += [f"    {', '.join(targets)}, = saved"]
    for name in tensors:
        lines += [f"    if c_{name}[0] != v_{name}:"]
        lines += [f"        raise errors.modified_in_place({op.name!r}, {name!r}, {name},"]
        lines += [f"                                        c_{name}[0], v_{name})"]
        if recorded:
            edge = "None"
            if name == "out":
                edge = "(self, 0)"
            elif name in differentiable(op):
                edge = f"self.edges[{tensor_arguments(op).index(name)}]"
            lines.append(f"    {name} = restored({name}, {edge}, c_{name})")
    if tensors:
        # With no tensor among the saved values nothing is gained by freeing them, and a second
        # backward pass is allowed, as in PyTorch.
        held = " or ".join(f"c_{n} is not NO_COUNTER" for n in tensors)
        lines += [f"    if not keep and ({held}):", "        self.saved = None"]
    lines.append(f"    return {_gradients(op)}")
    return "\n".join(lines)


def _gradients(op: Op) -> str:
    tensors, wanted = tensor_arguments(op), differentiable(op)
    if op.joint is not None:
        needs = ", ".join(f"edges[{i}] is not None" for i in range(len(tensors)))
        given = ", ".join(["K", "g", f"({needs},)", *_saved_by(op, op.joint)])
        return f"d_{wanted[0]}({given})"
    parts = []
    for i, name in enumerate(tensors):
        if name not in wanted:
            parts.append("None")
            continue
        call = f"d_{name}({', '.join(['K', 'g', *_saved_by(op, op.derivatives[name])])})"
        parts.append(f"{call} if edges[{i}] is not None else None" if len(wanted) > 1 else call)
    return f"({', '.join(parts)},)"


# ---- Arguments that are no tensors ----


def as_operand(op: str, name: str, value: Any, required: bool = True) -> Any:
    """A NumPy scalar or array, or an object that is a number, as a kernel takes it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray | bool | int | float):
        return value
    if not required:
        return NotImplemented
    raise errors.wrong_argument(op, name, value)


def fitting(result: Any, out: Any) -> Any:
    """The result of an in-place operation, if `out` can take it.

    Raises:
        RuntimeError: for another shape, and for a type of a higher category.
    """
    if result.shape != out.shape:
        raise errors.wrong_out_shape(out.shape, result.shape)
    if CATEGORIES[result.dtype.kind] > CATEGORIES[out.dtype.kind]:
        raise errors.wrong_out_type(result.dtype, out.dtype)
    return result


def sizes_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    """``f(2, 3)`` and ``f((2, 3))`` alike."""
    if len(size) == 1 and not isinstance(size[0], int | np.integer | Tensor):
        size = size[0]
    return tuple(int(n) for n in size)
