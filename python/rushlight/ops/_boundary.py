"""Functions as users call them: their errors tell what was called, with which tensors, and where.

Generated operations do so themselves, see `_codegen`; here functions with a body of their own get
the same. Each is called through one of its signature, which costs 25 ns, and is written when it is
first used. The library's own calls go to the body, mostly.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from types import FunctionType
from typing import Any

from rushlight import errors
from rushlight.ops import _registry
from rushlight.tensor import Tensor

__all__ = ["bind", "explaining", "find"]


class _Call:
    """What the errors of one function tell."""

    def __init__(self, name: str, parameters: Sequence[inspect.Parameter]) -> None:
        self._name = name
        self._names = [p.name for p in parameters]
        self._tensors = [i for i, p in enumerate(parameters) if p.annotation == "Tensor"]

    def explain(self, error: Exception, values: Sequence[Any]) -> None:
        """Notes the facts.

        Raises:
            TypeError: where what went wrong is that an argument is no tensor. That is not looked
                at before, since the body fails by itself.
        """
        if isinstance(error, AttributeError | TypeError):
            for i in self._tensors:
                if not isinstance(values[i], Tensor):
                    raise errors.wrong_argument(self._name, self._names[i], values[i]) from error
        errors.explain(error, self._name, self._names, values)


@functools.cache
def explaining(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """The function under a name, its errors explained."""
    parameters = list(inspect.signature(function).parameters.values())
    given, call, keyword = [], [], False
    for p in parameters:
        star = "*" * (p.kind is p.VAR_POSITIONAL) + "**" * (p.kind is p.VAR_KEYWORD)
        if p.kind is p.KEYWORD_ONLY and not keyword:
            given.append("*")
        keyword = keyword or p.kind in (p.KEYWORD_ONLY, p.VAR_POSITIONAL)
        given.append(star + p.name + ("" if p.default is p.empty else f"=_defaults[{p.name!r}]"))
        call.append(f"{p.name}={p.name}" if p.kind is p.KEYWORD_ONLY else star + p.name)
    own = inspect.signature(function, follow_wrapped=False).parameters.values()
    if any(p.kind is p.VAR_KEYWORD for p in own) and not any(
        p.kind is p.VAR_KEYWORD for p in parameters
    ):  # a wrapper that takes more names than what it wraps
        return _named(function, name, parameters)
    lines = [
        f"def {name}({', '.join(given)}):",
        "    try:",
        f"        return _function({', '.join(call)})",
        "    except Exception as _error:",
        f"        _call.explain(_error, ({''.join(p.name + ', ' for p in parameters)}))",
        "        raise",
    ]
    scope: dict[str, Any] = {
        "_function": function,
        "_call": _Call(name, parameters),
        "_defaults": {p.name: p.default for p in parameters},
    }
    exec(compile("\n".join(lines), f"<rushlight call {name}>", "exec"), scope)
    return _named(function, name, parameters, scope[name])


def _named(
    function: Callable[..., Any],
    name: str,
    parameters: Sequence[inspect.Parameter],
    generated: Callable[..., Any] | None = None,
) -> Callable[..., Any]:
    """What takes the function's place: what was generated, or a call of any arguments."""
    told = _Call(name, parameters)

    def call(*args: Any, **kwargs: Any) -> Any:
        try:
            return function(*args, **kwargs)
        except Exception as error:
            values = {p.name: p.default for p in parameters}
            values.update(zip(values, args, strict=False))
            values.update((k, v) for k, v in kwargs.items() if k in values)
            told.explain(error, list(values.values()))
            raise

    public = functools.wraps(function)(generated or call)
    if function.__module__.startswith("rushlight.ops."):
        public.__module__, public.__qualname__ = "rushlight", name  # where pickle finds it
    return public


def find(name: str) -> Callable[..., Any] | None:
    """The function of an op as users call it; None for an unknown name."""
    function = _registry.find(name)
    if function is None or name in _registry.registry:
        return function
    return explaining(function, function.__name__)


class _Method:
    """Stands for a Tensor method until its first use."""

    def __init__(self, name: str, function: Callable[..., Any]) -> None:
        self._name = name
        self._function = function

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        function = explaining(self._function, self._name)
        setattr(Tensor, self._name, function)
        return function if instance is None else function.__get__(instance, owner)


def bind() -> None:
    """Makes the Tensor methods that have a body of their own explain their errors."""
    for name, member in list(vars(Tensor).items()):
        if isinstance(member, FunctionType) and member.__module__.startswith("rushlight.ops."):
            setattr(Tensor, name, _Method(name, member))
