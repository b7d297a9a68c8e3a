"""Modules as functions of their parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rushlight import ops
from rushlight.nn import Module
from rushlight.tensor import Tensor

__all__ = ["functional_call", "stack_module_state"]


def functional_call(
    module: Module,
    parameter_and_buffer_dicts: Mapping[str, Tensor] | Sequence[Mapping[str, Tensor]],
    args: Any = None,
    kwargs: Mapping[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """Calls a module with other tensors in place of its parameters and buffers.

    The module itself stays as it is; what it writes into its buffers goes to the given ones.

    Args:
        module: the module.
        parameter_and_buffer_dicts: tensors by dotted name, or several such dicts.
        args: of the call: a tuple, or the only argument.
        kwargs: of the call.
        tie_weights: what the module uses under several names is replaced under all of them.
        strict: every parameter and buffer must be given, and nothing else.

    Raises:
        ValueError: for a name in several dicts, and different tensors for tied names.
        KeyError: for a name that the module does not have.
        RuntimeError: for names that are missing or unknown, when `strict`.
    """
    given = _merged(parameter_and_buffer_dicts)
    names = {
        **dict(module.named_parameters(remove_duplicate=False)),
        **dict(module.named_buffers(remove_duplicate=False)),
    }
    if strict:
        _check_names(given, names)
    if tie_weights:
        given = _tied(given, names)
    places = [_place(module, name) for name in given]
    before = [slots[key] for slots, key in places]
    try:
        for (slots, key), tensor in zip(places, given.values(), strict=True):
            slots[key] = tensor
        args = () if args is None else args if isinstance(args, tuple) else (args,)
        return module(*args, **(kwargs or {}))
    finally:
        for (slots, key), tensor in zip(places, before, strict=True):
            slots[key] = tensor


def _merged(dicts: Any) -> dict[str, Tensor]:
    if isinstance(dicts, Mapping):
        return dict(dicts)
    if not isinstance(dicts, Sequence):
        raise ValueError(
            "Expected parameter_and_buffer_dicts to be a dict, or a list/tuple of dicts, but got "
            f"{type(dicts)}"
        )
    if not all(isinstance(d, Mapping) for d in dicts):
        raise ValueError("Expected all elements of parameter_and_buffer_dicts to be dictionaries")
    merged: dict[str, Tensor] = {}
    repeated = []
    for d in dicts:
        repeated += [key for key in d if key in merged]
        merged.update(d)
    if repeated:
        raise ValueError(
            f"{repeated} appeared in multiple dictionaries; behavior of functional call is "
            "ambiguous"
        )
    return merged


def _check_names(given: Mapping[str, Tensor], names: Mapping[str, Any]) -> None:
    unexpected = [name for name in given if name not in names]
    missing = [name for name in names if name not in given]
    if unexpected or missing:
        parts = []
        if unexpected:
            parts.append(f"Unexpected key(s): {', '.join(unexpected)}.")
        if missing:
            parts.append(f"Missing key(s): {', '.join(missing)}.")
        raise RuntimeError("Error(s) in reparametrizing: " + " ".join(parts))


def _tied(given: dict[str, Tensor], names: Mapping[str, Any]) -> dict[str, Tensor]:
    """The tensors under all names of what they replace."""
    by_tensor: dict[int, list[str]] = {}
    for name, tensor in names.items():
        by_tensor.setdefault(id(tensor), []).append(name)
    tied = dict(given)
    for group in by_tensor.values():
        named = [name for name in group if name in given]
        if any(given[name] is not given[named[0]] for name in named):
            raise ValueError(f"functional_call got multiple values for keys {named}")
        if named:
            tied.update(dict.fromkeys(group, given[named[0]]))
    return tied


def _place(module: Module, name: str) -> tuple[dict[str, Any], str]:
    """The dict of a submodule that holds a parameter or buffer, and its key."""
    path, _, key = name.rpartition(".")
    owner = module.get_submodule(path) if path else module
    for slots in (owner._parameters, owner._buffers):
        if key in slots:
            return slots, key
    raise KeyError(f"functional_call: the module has no parameter or buffer {name!r}")


def stack_module_state(
    models: Sequence[Module],
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """The parameters and the buffers of equal modules, each stacked along a new dimension 0.

    The stacked parameters are new leaves. With `functional_call` and `vmap` the modules run as
    one; see the example.

    Raises:
        RuntimeError: for no module, and for modules of different classes, modes or
            ``requires_grad``.

    Example:
        >>> import rushlight as torch
        >>> models = [torch.nn.Linear(3, 2) for _ in range(5)]
        >>> params, buffers = torch.func.stack_module_state(models)
        >>> def run(params, buffers, x):
        ...     return torch.func.functional_call(models[0], (params, buffers), x)
        >>> torch.vmap(run, (0, 0, None))(params, buffers, torch.ones(4, 3)).shape
        torch.Size([5, 4, 2])
    """
    if len(models) == 0:
        raise RuntimeError("stack_module_state: Expected at least one model, got 0.")
    if len({model.training for model in models}) > 1:
        raise RuntimeError(
            "stack_module_state: Expected all models to have the same training/eval mode."
        )
    if any(type(model) is not type(models[0]) for model in models):
        raise RuntimeError("stack_module_state: Expected all models to be of the same class.")
    parameters = [dict(model.named_parameters()) for model in models]
    buffers = [dict(model.named_buffers()) for model in models]
    return _stacked(parameters), _stacked(buffers)


def _stacked(states: Sequence[Mapping[str, Tensor]]) -> dict[str, Tensor]:
    stacked = {}
    for name in states[0]:
        tensors = [state[name] for state in states]
        if len({t.requires_grad for t in tensors}) > 1:
            raise RuntimeError(f"Expected {name} from each model to have the same .requires_grad")
        result = ops.stack([t.detach() for t in tensors])
        stacked[name] = result.requires_grad_() if tensors[0].requires_grad else result
    return stacked
