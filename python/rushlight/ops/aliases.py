"""PyTorch's second names: the same functions, methods and in-place forms."""

from __future__ import annotations

from typing import Any

from rushlight.ops import (  # noqa: F401 - declare what has a second name
    choice,
    comparison,
    pointwise,
    rounding,
    special,
    trigonometry,
)
from rushlight.ops._registry import _composed, registry
from rushlight.tensor import Tensor

ALIASES = {
    "absolute": "abs",
    "arccos": "acos",
    "arccosh": "acosh",
    "arcsin": "asin",
    "arcsinh": "asinh",
    "arctan": "atan",
    "arctan2": "atan2",
    "arctanh": "atanh",
    "clip": "clamp",
    "conj_physical": "conj",
    "divide": "div",
    "fix": "trunc",
    "greater": "gt",
    "greater_equal": "ge",
    "less": "lt",
    "less_equal": "le",
    "multiply": "mul",
    "negative": "neg",
    "not_equal": "ne",
    "resolve_conj": "conj",
    "resolve_neg": "conj",
    "subtract": "sub",
    "true_divide": "div",
}
# Methods that have no function of the name.
METHODS = {
    "__div__": "__truediv__",
    "__idiv__": "__itruediv__",
    "__pos__": "positive",
    "__rdiv__": "__rtruediv__",
    "polygamma": "_polygamma",
    "polygamma_": "_polygamma_",
}


class _Alias:
    """Stands for the method of another name until its first use, and then for its function."""

    def __init__(self, name: str, target: str) -> None:
        self._name = name
        self._target = target

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        function = getattr(Tensor, self._target)
        setattr(Tensor, self._name, function)
        return function if instance is None else function.__get__(instance, owner)


for _name, _target in ALIASES.items():
    _table: dict[str, Any] = registry if _target in registry else _composed
    _table[_name] = _table[_target]
    METHODS |= {_name + _: _target + _ for _ in ("", "_") if _target + _ in vars(Tensor)}
for _name, _target in METHODS.items():
    setattr(Tensor, _name, _Alias(_name, _target))
