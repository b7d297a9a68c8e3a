"""Writes the node type of an op: its name is PyTorch's, its backward applies the rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rushlight import errors
from rushlight.autograd.node import ManyOutputs, Node
from rushlight.ops._declaration import (
    differentiable,
    is_array,
    result_names,
    saved_by,
    saved_names,
    tensor_arguments,
)

if TYPE_CHECKING:
    from rushlight.ops._registry import Op

# Stands for the version counter of what has none: a number, None, a value that is not needed.
NO_COUNTER = [0]
UNSAVED = (None, NO_COUNTER, 0)


def build_node(op: Op) -> type[Node]:
    """The node type of an op."""
    scope: dict[str, Any] = {"errors": errors, "NO_COUNTER": NO_COUNTER}
    for argument in differentiable(op):
        scope[f"d_{argument}"] = op.derivatives[argument]
    source = "\n".join([_backward_source(op, False), _backward_source(op, True)])
    exec(compile(source, f"<rushlight backward {op.name}>", "exec"), scope)
    names = saved_names(op)
    members: dict[str, Any] = {
        "__slots__": (),
        "op": op.name,
        "saved_names": tuple(names),
        "saved_arrays": tuple(i for i, n in enumerate(names) if is_array(op, n)),
        "backward": scope["backward"],
        "backward_recorded": scope["backward_recorded"],
    }
    if op.outputs:
        return type(op.node, (ManyOutputs,), members)
    return type(op.node, (Node,), {**members, "view": op.view})


def _backward_source(op: Op, recorded: bool) -> str:
    names = saved_names(op)
    arrays = [n for n in names if is_array(op, n)]
    if recorded:
        lines = ["def backward_recorded(self, K, g, edges, keep, restored):"]
    else:
        lines = ["def backward(self, K, g, edges, keep):"]
    if names:
        targets = [f"({n}, c_{n}, v_{n})" if n in arrays else n for n in names]
        lines += ["    saved = self.saved"]
        lines += ["    if type(saved) is not tuple:"]
        lines += ["        if saved is None:", "            raise errors.freed_graph()"]
        lines += ["        saved = saved.unpacked()"]
        lines += [f"    {', '.join(targets)}, = saved"]
    for name in arrays:
        lines += [f"    if c_{name}[0] != v_{name}:"]
        lines += [
            f"        raise errors.modified_in_place({name!r}, {name}, c_{name}[0], v_{name})"
        ]
        if recorded:
            lines.append(f"    {name} = restored({name}, {_edge(op, name)}, c_{name})")
    if arrays:
        # With no tensor among the saved values nothing is gained by freeing them, and a second
        # backward pass is allowed, as in PyTorch.
        held = " or ".join(f"c_{n} is not NO_COUNTER" for n in arrays)
        lines += [f"    if not keep and ({held}):", "        self.saved = None"]
    lines.append(f"    return {_gradients(op)}")
    return "\n".join(lines)


def _edge(op: Op, name: str) -> str:
    """Where the gradient of a saved value goes in the graph of higher order."""
    if name in result_names(op):
        return f"(self, {result_names(op).index(name)})"
    if name in differentiable(op):
        return f"self.edges[{tensor_arguments(op).index(name)}]"
    return "None"


def _gradients(op: Op) -> str:
    tensors, wanted = tensor_arguments(op), differentiable(op)
    if op.joint is not None:
        needs = ", ".join(f"edges[{i}] is not None" for i in range(len(tensors)))
        given = ", ".join(["K", "g", f"({needs},)", *saved_by(op, op.joint)])
        return f"d_{wanted[0]}({given})"
    parts = []
    for i, name in enumerate(tensors):
        if name not in wanted:
            parts.append("None")
            continue
        call = f"d_{name}({', '.join(['K', 'g', *saved_by(op, op.derivatives[name])])})"
        parts.append(f"{call} if edges[{i}] is not None else None" if len(wanted) > 1 else call)
    return f"({', '.join(parts)},)"
