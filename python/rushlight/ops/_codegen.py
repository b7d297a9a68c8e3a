"""Writes the functions of an op: forward with recording, in-place, operators.

What is generated for ``mul``, much shortened::

    def mul(input, other, *, out=None):
        if isinstance(input, Tensor):
            a_input, c_input = input._array, input._counter
            e_input = input._edge if input._view is None else edge_of(input)
        ...
        o_out = (cpu if type(a_input) is ndarray else kernels_of(...)).mul(a_input, a_other)
        if (e_input is not None or e_other is not None) and grad_state.enabled:
            saved = ((a_other, c_other, c_other[0]) if e_input is not None else UNSAVED, ...)
            return record(MulBackward0, o_out, (e_input, e_other), saved, None)
        return wrap(o_out)

Prefixes of local names: ``a_`` array, ``e_`` edge, ``c_`` version counter, ``v_`` view of an
argument; ``o_`` array and ``r_`` tensor of a result.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from rushlight import errors
from rushlight._kernels import new_node, record, wrap
from rushlight.autograd import autocast
from rushlight.autograd.grad_mode import INFERENCE, observed, watch
from rushlight.autograd.grad_mode import state as grad_state
from rushlight.autograd.node import AccumulateGrad
from rushlight.autograd.views import check_in_place, edge_of, new_view, rebase
from rushlight.backend import cpu, kernels_of
from rushlight.ops import _arguments
from rushlight.ops._declaration import (
    MANY,
    arguments,
    differentiable,
    formula_names,
    parameters,
    result_names,
    saved_by,
    saved_names,
    tensor_arguments,
)
from rushlight.ops._nodes import NO_COUNTER, UNSAVED
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from rushlight.ops._registry import Op

NUMBERS = frozenset((int, float, bool))
NUMBERS_OR_NONE = NUMBERS | {type(None)}
# NumPy's names of arguments, which PyTorch takes as well.
ALIASES = (("axis", "dim"), ("keepdims", "keepdim"))

# What every generated function can name.
_SCOPE: dict[str, Any] = {
    "Tensor": Tensor,
    "ndarray": np.ndarray,
    "new": object.__new__,
    "AccumulateGrad": AccumulateGrad,
    "INFERENCE": INFERENCE,
    "NO_COUNTER": NO_COUNTER,
    "NUMBERS": NUMBERS,
    "NUMBERS_OR_NONE": NUMBERS_OR_NONE,
    "UNSAVED": UNSAVED,
    "arguments": _arguments,
    "as_operand": _arguments.as_operand,
    "autocast": autocast,
    "check_in_place": check_in_place,
    "cpu": cpu,
    "edge_of": edge_of,
    "errors": errors,
    "fitting": _arguments.fitting,
    "grad_state": grad_state,
    "kernels_of": kernels_of,
    "new_view": new_view,
    "new_node": new_node,
    "observed": observed,
    "rebase": rebase,
    "record": record,
    "sizes": _arguments.sizes_of,
    "watch": watch,
    "wrap": wrap,
}


def build(op: Op, form: str) -> Callable[..., Any]:
    """One of an op's functions: function, inplace, operator, reflected, inplace operator."""
    inplace = form.startswith("inplace")
    name = op.name + "_" if inplace else op.name
    lines = [f"def {name}({_signature(op, form)}):"]
    lines += _casts(op, form)
    lines += _read_arguments(op, form)
    lines += _call_kernel(op, form)
    lines += _change(op) if inplace else _make_results(op, form)
    scope = {
        **_SCOPE,
        "NodeType": op.node_type,
        "forward": op.forward,
        "defaults": {p.name: p.default for p in parameters(op)},
    }
    exec(compile("\n    ".join(lines), f"<rushlight {form} {op.name}>", "exec"), scope)
    function: Callable[..., Any] = scope[name]
    function.__doc__ = op.declaration.__doc__
    function.__module__ = op.declaration.__module__
    return function


# ---- Arguments ----


def _signature(op: Op, form: str) -> str:
    if "operator" in form:
        return ", ".join(tensor_arguments(op))
    if form == "reflected":
        return ", ".join(reversed(tensor_arguments(op)))
    parts: list[str] = []
    keyword = False
    for p in parameters(op):
        if p.kind is p.VAR_POSITIONAL:
            parts.append("*" + p.name)
            keyword = True
            continue
        if p.kind is p.KEYWORD_ONLY and not keyword:
            parts.append("*")
            keyword = True
        parts.append(p.name if p.default is p.empty else f"{p.name}=defaults[{p.name!r}]")
    names = arguments(op)
    further = [alias for alias, target in ALIASES if target in names]
    further += ["out"] * _has_destination(op, form)
    if further and not keyword:
        parts.append("*")
    return ", ".join([*parts, *(f"{name}=None" for name in further)])


def _has_destination(op: Op, form: str) -> bool:
    return form == "function" and not op.view and op.outputs != MANY


def _casts(op: Op, form: str) -> list[str]:
    """Lines that cast the operands inside of autocast."""
    if op.name not in autocast.NAMES or form.startswith("inplace"):
        return []
    names = ", ".join(tensor_arguments(op))
    return ["if autocast.blocks.open:", f"    {names}, = autocast.cast({op.name!r}, {names})"]


def _read_arguments(op: Op, form: str) -> list[str]:
    """Lines that take the arrays, edges and version counters out of the tensors."""
    operator = form in ("operator", "reflected", "inplace operator")
    inplace = form.startswith("inplace")
    lines = []
    for name in tensor_arguments(op):
        edge = name in differentiable(op)
        counter = name in saved_names(op) or (name == _first(op) and (op.view or inplace))
        lines += [f"if isinstance({name}, Tensor):", f"    a_{name} = {name}._array"]
        if inplace and name == _first(op):
            lines.append(f"    v_{name} = {name}._view")
        if edge:
            lines.append(
                f"    e_{name} = {name}._edge if {name}._view is None else edge_of({name})"
            )
        lines += [f"    c_{name} = {name}._counter"] * counter
        lines.append("else:")
        lines += [f"    {line}" for line in _read_other(op, name, operator)]
        lines += [f"    e_{name} = None"] * edge
        lines += [f"    c_{name} = NO_COUNTER"] * counter
    return lines + _read_options(op, operator)


def _first(op: Op) -> str:
    return tensor_arguments(op)[0]


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
    lines = [f"{p.name} = sizes({p.name})" for p in parameters(op) if p.kind is p.VAR_POSITIONAL]
    for alias, target in ALIASES:
        if target in names:
            lines += [f"if {alias} is not None:", f"    {target} = {alias}"]
    return lines


# ---- The kernel ----


def _call_kernel(op: Op, form: str) -> list[str]:
    tensors = tensor_arguments(op)
    values = {n: f"a_{n}" if n in tensors else n for n in arguments(op)}
    arrays = ", ".join(values[n] for n in tensors)
    first = values[tensors[-1 if form == "reflected" else 0]]
    lines = [f"K = cpu if type({first}) is ndarray else kernels_of({arrays})"]
    if op.forward is not None and "operator" not in form:
        names = formula_names(op.forward, 1)
        call = f"forward(K, {', '.join(values[n] for n in names)})"
    elif "operator" in form or form == "reflected":
        call = f"K.{op.name}({arrays})"
    else:
        call = f"K.{op.name}({', '.join(values.values())})"
    if not form.startswith("inplace"):
        results = [f"o_{n}" for n in (*(result_names(op) or ("many",)), *op.extras)]
        return lines + _retried(op, f"{', '.join(results)} = {call}")
    if hasattr(cpu, op.name + "_"):
        call = f"K.{op.name}_({', '.join(values.values())})"
    elif op.name in cpu.DESTINED and not call.startswith("forward"):
        call = f"{call[:-1]}, a_{_first(op)})"
    else:
        call = f"K.assign(a_{_first(op)}, fitting({call}, a_{_first(op)}))"
        options = [n for n in arguments(op) if n not in tensors]
        if cpu.DESTINED.get(op.name) == len(tensors) and options:
            plain = " and ".join(f"{n} == defaults[{n!r}]" for n in options)
            call = f"K.{op.name}({arrays}, a_{_first(op)}) if {plain} else {call}"
    return [*lines, *_before_change(op), *_retried(op, call)]


def _retried(op: Op, statement: str) -> list[str]:
    """The statement, tried with the first argument's kernels, then with those of them all."""
    tensors = tensor_arguments(op)
    given = ", ".join(f"a_{n}" for n in tensors)
    return [
        "try:",
        f"    {statement}",
        "except Exception as error:",
        f"    K = arguments.other_kernels(error, K, {op.name!r}, {tuple(tensors)!r}, ({given},))",
        f"    {statement}",
    ]


# ---- The result ----


def _any_edge(names: list[str]) -> str:
    return " or ".join(f"e_{n} is not None" for n in names)


def _edges(op: Op) -> str:
    wanted = differentiable(op)
    return ", ".join(f"e_{n}" if n in wanted else "None" for n in tensor_arguments(op)) + ","


def _make_results(op: Op, form: str) -> list[str]:
    if op.outputs:
        return _make_several(op, form)
    wanted = differentiable(op)
    lines = []
    if wanted:
        counter = "c_out" if "out" in saved_names(op) else "None"
        lines += [f"if ({_any_edge(wanted)}) and grad_state.enabled:"]
        lines += ["    c_out = [0]"] * (counter == "c_out")
        lines += [
            f"    r_out = record(NodeType, o_out, ({_edges(op)}), ({_saved_values(op)}), {counter})"
        ]
        lines += ["    if watch.nodes:", "        observed(r_out._edge[0])"]
        lines += ["else:", "    r_out = wrap(o_out)"]
    else:
        lines += ["r_out = wrap(o_out)"]
    if op.view:
        lines += _note_view(_first(op))
    lines += [f"r_{name} = wrap(o_{name})" for name in op.extras]
    tensors = ", ".join(f"r_{name}" for name in ("out", *op.extras))
    return [*lines, *_deliver(op, form, tensors)]


def _deliver(op: Op, form: str, results: str) -> list[str]:
    if not _has_destination(op, form):
        return [f"return {results}"]
    return [
        "if out is not None:",
        f"    return arguments.written({op.name!r}, out, ({results}))",
        f"return {results}",
    ]


def _note_view(source: str) -> list[str]:
    return [
        f"if {source}._view is None and grad_state.enabled and c_{source} is not INFERENCE:",
        f"    r_out._counter = c_{source}",
        f"    r_out._view = ({source}, c_{source}[0], None)",
        "else:",
        f"    new_view(r_out, {source})",
    ]


def _make_several(op: Op, form: str) -> list[str]:
    """Lines for several results, of which one need not be the gradient's only source."""
    source, wanted = _first(op), differentiable(op)
    arrays = "o_many" if op.outputs == MANY else f"({', '.join(f'o_{n}' for n in op.outputs)},)"
    lines = ["node = edges = saved = counters = None"]
    if wanted:
        lines += [f"if ({_any_edge(wanted)}) and grad_state.enabled:"]
        lines += [f"    c_{name} = [0]" for name in result_names(op)]
        lines += ["    node = new(NodeType)", f"    edges = ({_edges(op)})"]
        lines += [f"    saved = ({_saved_values(op)})"]
        lines += [f"    counters = ({''.join(f'c_{name}, ' for name in result_names(op))})"]
    lines += [
        f"results = arguments.several({arrays}, {source}, {op.view}, node, edges, saved, counters)",
        "if watch.nodes and node is not None:",
        "    observed(node)",
    ]
    lines += [f"results += (wrap(o_{name}),)" for name in op.extras]
    return [*lines, *_deliver(op, form, "results")]


def _saved_values(op: Op, inplace: bool = False) -> str:
    """The tuple that a node saves: (array, counter, version) for tensors, plain values else."""
    wanted = differentiable(op)
    parts = []
    for name in saved_names(op):
        if name in result_names(op):
            counter = f"c_{_first(op)}" if inplace else f"c_{name}"
            value = f"(o_{name}, {counter}, {counter}[0])"
        elif name in op.extras:
            value = f"(o_{name}, [0], 0)"
        elif name in tensor_arguments(op):
            value = f"(a_{name}, c_{name}, c_{name}[0])"
            if inplace:
                first = name == _first(op)
                value = "(s_input, [0], 0)" if first else f"(a_{name}, c_{name}, n_{name})"
            users = [a for a in wanted if name in saved_by(op, op.derivatives[a])]
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


# ---- In place ----


def _before_change(op: Op) -> list[str]:
    """Lines that refuse what is not allowed, and keep what the derivative needs of before."""
    first, wanted = _first(op), differentiable(op)
    lines = [
        f"if c_{first} is INFERENCE and not grad_state.inference:",
        "    raise arguments.inference_in_place()",
    ]
    if not wanted:
        return lines
    edge = f"e_{first}" if first in wanted else f"{first}._edge"
    lines += [
        f"recording = ({_any_edge(wanted)}) and grad_state.enabled",
        "if recording:",
        f"    if v_{first} is not None or ({edge} is not None"
        f" and type({edge}[0]) is AccumulateGrad):",
        f"        check_in_place({first}, {op.name + '_'!r})",
    ]
    for name in saved_names(op):
        if name == first:
            lines.append(f"    s_input = K.copy(a_{first})")
        elif name in tensor_arguments(op):
            lines.append(f"    n_{name} = c_{name}[0]")
    return lines


def _change(op: Op) -> list[str]:
    """Lines after the kernel wrote into the first argument: its version, its history."""
    first, wanted = _first(op), differentiable(op)
    lines = [f"if c_{first} is not INFERENCE:", f"    c_{first}[0] += 1"]
    if wanted:
        edge = f"e_{first}" if first in wanted else f"{first}._edge"
        lines += ["if recording:", f"    o_out = a_{first}"]
        saved = _saved_values(op, True)
        lines += [f"    node = new_node(NodeType, o_out, ({_edges(op)}), ({saved}))"]
        lines += [
            f"    if v_{first} is None and ({edge} is None or {edge}[0].extras is None):",
            f"        {first}._edge = (node, 0)",
            "    else:",
            f"        rebase({first}, node)",
            "    if watch.nodes:",
            "        observed(node)",
        ]
    return [*lines, f"return {first}"]
