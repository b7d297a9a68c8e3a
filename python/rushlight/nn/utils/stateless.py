"""Calling a module with other parameters than its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["functional_call"]


@contextmanager
def _swapped(module: Any, values: dict[str, Any]) -> Iterator[None]:
    """Puts `values` in the places their dotted paths name, and at the end what stood there."""
    former: list[tuple[Any, str, Any]] = []
    try:
        for path, value in values.items():
            parent, _, name = path.rpartition(".")
            owner = module.get_submodule(parent)
            registry = next(r for r in (owner._parameters, owner._buffers) if name in r)
            former.append((registry, name, registry[name]))
            registry[name] = value
        yield
    finally:
        for registry, name, value in reversed(former):
            registry[name] = value


def functional_call(
    module: Any,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Return ``module(*args, **kwargs)``, computed with other parameters and buffers.

    Args:
        module: the module, which is as before afterwards.
        parameters_and_buffers: the tensors to compute with, by dotted path.
        args: one argument, or a tuple of them.
        kwargs: arguments by name.
        tie_weights: a tensor that the module has in several places is replaced in all of them.
        strict: all parameters and buffers must be given, and nothing else.

    Raises:
        RuntimeError: with `strict`, for missing or unexpected names.
        KeyError: for a name that the module lacks.
    """
    own = {
        name: id(t)
        for members in (
            module.named_parameters(remove_duplicate=False),
            module.named_buffers(remove_duplicate=False),
        )
        for name, t in members
    }
    given = dict(parameters_and_buffers)
    if tie_weights:
        values = {own[name]: value for name, value in given.items() if name in own}
        given |= {n: values[i] for n, i in own.items() if i in values and n not in given}
    missing, unexpected = [n for n in own if n not in given], [n for n in given if n not in own]
    if strict and (missing or unexpected):
        words = [
            f"{what} key(s): {', '.join(map(repr, names))}."
            for what, names in (("Unexpected", unexpected), ("Missing", missing))
            if names
        ]
        raise RuntimeError(
            f"Error(s) in reparametrizing for {type(module).__name__}:\n\t" + "\n\t".join(words)
        )
    if unexpected:
        raise KeyError(f"{type(module).__name__} has no parameter or buffer {unexpected[0]!r}")
    args = () if args is None else args if isinstance(args, tuple) else (args,)
    with _swapped(module, given):
        return module(*args, **(kwargs or {}))
