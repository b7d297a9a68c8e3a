"""Puts measured forms in the places of operations, nodes and kernels, and takes them out again.

Nothing of this is there while no profiler runs, so it costs nothing then. What a program holds
under names of its own (``from torch import softmax``) is not measured as an operation; its kernels
are.
"""

from __future__ import annotations

import functools
import inspect
import re
import sys
from collections.abc import Callable, Iterator
from typing import Any

from rushlight.autograd.engine import Pass
from rushlight.autograd.node import Node
from rushlight.backend import cpu
from rushlight.ops import _registry
from rushlight.profiler._record import active
from rushlight.tensor import Tensor

__all__ = ["install", "remove"]

# Not worth a line: they compute nothing.
_TRIVIAL = ("asarray", "result_type", "to_cpu", "writable")


def measured(function: Callable[..., Any], name: str, kind: str) -> Callable[..., Any]:
    """The function, recorded at each call while a profiler runs."""

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        recorder = active.recorder
        event = None if recorder is None else recorder.begin(name, kind, args)
        if recorder is None or event is None:
            return function(*args, **kwargs)
        try:
            return function(*args, **kwargs)
        finally:
            recorder.end(event)

    call._measured = function  # type: ignore[attr-defined]
    return call


def measured_node(backward: Callable[..., Any]) -> Callable[..., Any]:
    """A node's backward, recorded under the name of the node."""

    @functools.wraps(backward)
    def call(self: Any, *args: Any) -> Any:
        recorder = active.recorder
        if recorder is None:
            return backward(self, *args)
        event = recorder.begin(self.name(), "node", args[1:2])
        assert event is not None
        try:
            return backward(self, *args)
        finally:
            recorder.end(event)

    call._measured = backward  # type: ignore[attr-defined]
    return call


def _original(value: Any) -> Any:
    return getattr(value, "_measured", None) if inspect.isfunction(value) else None


# ---- Names ----


def aten_name(op: _registry.Op, form: str = "") -> str:
    """PyTorch's name of an op: that of its node, in the spelling of functions."""
    stem = op.node.removesuffix("Backward0").removesuffix("Backward1")
    if op.name.startswith("_") or stem.lower() != op.name.replace("_", "").lower():
        name = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", stem).lower()
    else:
        name = op.name
    return f"aten::{name}" + ("_" if form.startswith("inplace") else "")


# ---- Putting in ----


def install() -> None:
    """Puts measured forms everywhere."""
    replacements = _measure_functions()
    for set_in_place, key, value in _places():
        if id(value) in replacements:
            set_in_place(key, replacements[id(value)])
    for op in _registry.registry.values():
        for name, form in op.methods:
            value = Tensor.__dict__[name]
            if inspect.isfunction(value) and _original(value) is None:
                setattr(Tensor, name, measured(value, aten_name(op, form), "op"))
    for name, value in list(vars(cpu).items()):
        if inspect.isroutine(value) and not name.startswith("_") and name not in _TRIVIAL:
            setattr(cpu, name, measured(value, f"aten::{name}", "kernel"))
    for node_type in _node_types(Node):
        _measure_node_type(node_type)
    for owner, name, form in _HOOKS:
        _saved[owner, name] = vars(owner).get(name)
        setattr(owner, name, form)


def _measure_functions() -> dict[int, Callable[..., Any]]:
    """The measured forms of the operations that are there, by the identity of the plain ones."""
    replacements: dict[int, Callable[..., Any]] = {id(_registry.find): _find}
    for op in _registry.registry.values():
        built = op.__dict__.get("function")
        if built is not None:
            form = op.__dict__["function"] = measured(built, aten_name(op), "op")
            replacements[id(built)] = form
    for name, function in _registry._composed.items():
        form = _registry._composed[name] = measured(function, f"aten::{name}", "op")
        replacements[id(function)] = form
    return replacements


_saved: dict[tuple[type, str], Any] = {}


def _places() -> Iterator[tuple[Callable[[str, Any], None], str, Any]]:
    """Every name in the library's modules, in Tensor and in the nodes: its setter and value."""
    own = __name__.rpartition(".")[0]
    modules = [
        module
        for name, module in list(sys.modules.items())
        if name.split(".")[0] == "rushlight" and not name.startswith(own)
    ]
    for place in (*modules, Tensor, *_node_types(Node)):
        for key, value in list(vars(place).items()):
            yield functools.partial(setattr, place), key, value


def _node_types(above: type[Node]) -> Iterator[type[Node]]:
    for node_type in above.__subclasses__():
        yield node_type
        yield from _node_types(node_type)


def _measure_node_type(node_type: type[Node]) -> None:
    for name in ("backward", "backward_recorded"):
        function = vars(node_type).get(name)
        if function is not None and _original(function) is None:
            setattr(node_type, name, measured_node(function))


def _measured_op(op: _registry.Op) -> Callable[..., Any]:
    """The function of an op, which may only now be built, measured in its place."""
    function = op.function
    if _original(function) is None:
        function = op.__dict__["function"] = measured(function, aten_name(op), "op")
        op.declaration.__globals__[op.name] = function
    return function


def _call_op(op: _registry.Op, *args: Any, **kwargs: Any) -> Any:
    """The first call of an op."""
    return _measured_op(op)(*args, **kwargs)


def _get_method(stub: _registry.Method, instance: Any, owner: Any = None) -> Any:
    """The first use of a Tensor method."""
    if stub._form == "function":
        built = _measured_op(stub._op)
    else:
        _saved[_registry.Method, "__get__"](stub, None, owner)
        built = measured(Tensor.__dict__[stub._name], aten_name(stub._op, stub._form), "op")
    setattr(Tensor, stub._name, built)
    return built if instance is None else built.__get__(instance, owner)


_find_original = _registry.find


def _find(name: str) -> Callable[..., Any] | None:
    """The function that a module asks for by name, for the first time."""
    if name in _registry.registry:
        return _measured_op(_registry.registry[name])
    return _find_original(name)


_find._measured = _find_original  # type: ignore[attr-defined]

# What is changed for as long as a profiler runs, besides the functions that are measured.
_HOOKS: tuple[tuple[type, str, Any], ...] = (
    (Node, "__init_subclass__", classmethod(_measure_node_type)),
    (_registry.Op, "__call__", _call_op),
    (_registry.Method, "__get__", _get_method),
    (
        Pass,
        "accumulate",
        measured(Pass.accumulate, "torch::autograd::AccumulateGrad", "node"),
    ),
)


# ---- Taking out ----


def remove() -> None:
    """Puts everything back."""
    for set_in_place, key, value in _places():
        if _original(value) is not None:
            set_in_place(key, _original(value))
    for op in _registry.registry.values():
        if _original(op.__dict__.get("function")) is not None:
            op.__dict__["function"] = _original(op.__dict__["function"])
    for name, function in _registry._composed.items():
        _registry._composed[name] = _original(function) or function
    for owner, name, _ in _HOOKS:
        if _saved[owner, name] is None:
            delattr(owner, name)
        else:
            setattr(owner, name, _saved[owner, name])
