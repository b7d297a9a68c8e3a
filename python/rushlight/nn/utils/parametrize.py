"""Parametrizations: a parameter of a module as a function of other tensors.

The module gets a class of its own, with a property in place of the parameter, whose value is
computed at each access; ``module.parametrizations.<name>`` holds the functions, which are modules,
and the tensors that they are applied to.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

from rushlight.autograd.grad_mode import no_grad
from rushlight.nn.modules.container import ModuleDict, ModuleList
from rushlight.nn.modules.module import Module
from rushlight.nn.parameter import Parameter
from rushlight.tensor import Tensor

__all__ = [
    "ParametrizationList",
    "cached",
    "is_parametrized",
    "register_parametrization",
    "remove_parametrizations",
    "transfer_parametrizations_and_params",
    "type_before_parametrizations",
]


class _Cache:
    """Values of parametrized tensors, while `cached` is in force."""

    def __init__(self) -> None:
        self.depth = 0
        self.values: dict[tuple[int, str], Tensor] = {}


_cache = _Cache()


@contextmanager
def cached() -> Iterator[None]:
    """Compute each parametrized tensor once at most, within a ``with`` block."""
    _cache.depth += 1
    try:
        yield
    finally:
        _cache.depth -= 1
        if not _cache.depth:
            _cache.values = {}


def _put(target: Tensor, source: Tensor) -> None:
    """Makes `source` the data of `target`, which stays the same object for the optimizer."""
    target.data = source.detach()


def _register(module: Module, name: str, tensor: Tensor) -> None:
    if isinstance(tensor, Parameter):
        module.register_parameter(name, tensor)
    else:
        module.register_buffer(name, tensor)


def _check(what: str, tensor: Any, dtype: Any, shape: Any) -> None:
    """Raises ValueError for the result of a parametrization that is not like the tensor was."""
    if not isinstance(tensor, Tensor):
        raise ValueError(f"{what} must return a tensor. Got {type(tensor).__name__}.")
    for name, found, expected in (("dtype", tensor.dtype, dtype), ("shape", tensor.shape, shape)):
        if found != expected:
            raise ValueError(
                f"Registering a parametrization may not change the {name} of the tensor, unless "
                f"`unsafe` flag is enabled.\nunparametrized {name}: {expected}\n"
                f"parametrized {name}: {found}"
            )


class ParametrizationList(ModuleList):
    """The parametrizations of one tensor, applied one after another to ``original``.

    Args:
        modules: the parametrizations.
        original: the tensor as it was; what their inverses make of it is kept.
        unsafe: do not check that type and shape stay.

    Raises:
        ValueError: a parametrization or its inverse gives what it must not.
    """

    original: Tensor

    def __init__(self, modules: Sequence[Module], original: Tensor, unsafe: bool = False) -> None:
        if len(modules) == 0:
            raise ValueError("ParametrizationList requires one or more modules.")
        super().__init__(modules)
        self.unsafe = unsafe
        dtype, shape = original.dtype, original.shape
        new = _inverse(self, original, strict=False)
        self.is_tensor = isinstance(new, Tensor)
        self.ntensors = 1 if self.is_tensor else len(new)
        if self.is_tensor:
            if new.dtype != dtype:
                raise ValueError(
                    "When `right_inverse` outputs one tensor, it may not change the dtype.\n"
                    f"original.dtype: {dtype}\nright_inverse(original).dtype: {new.dtype}"
                )
            _put(original, new)
            _register(self, "original", original)
        else:
            for i, tensor in enumerate(new):
                if not isinstance(tensor, Tensor):
                    raise ValueError(
                        "'right_inverse' must return a Tensor or a Sequence of tensors (list, "
                        f"tuple...). Got element {i} of the sequence with type "
                        f"{type(tensor).__name__}."
                    )
                needs = original.requires_grad
                kept = Parameter(tensor, needs) if isinstance(original, Parameter) else tensor
                _register(self, f"original{i}", kept)
        if not unsafe:
            _check("A parametrization", self(), dtype, shape)

    def _originals(self) -> list[Tensor]:
        if self.is_tensor:
            return [self.original]
        return [getattr(self, f"original{i}") for i in range(self.ntensors)]

    def right_inverse(self, value: Tensor) -> None:
        """Set the originals so that the parametrized tensor is `value`."""
        new = _inverse(self, value, strict=True)
        values = [new] if self.is_tensor else list(new)
        if len(values) != self.ntensors:
            raise ValueError(
                "'right_inverse' must return a sequence of tensors of length "
                f"{self.ntensors}. Got a sequence of length {len(values)}."
            )
        for i, (original, tensor) in enumerate(zip(self._originals(), values, strict=True)):
            if original.dtype != tensor.dtype:
                raise ValueError(
                    f"Tensor {i} returned by `right_inverse` has dtype {tensor.dtype} while "
                    f"`original{i}` has dtype {original.dtype}"
                )
            _put(original, tensor)

    def forward(self) -> Tensor:
        """Return the parametrized tensor."""
        first, *others = self._modules.values()
        value: Tensor = first(*self._originals())  # type: ignore[misc]
        for module in others:
            value = module(value)  # type: ignore[misc]
        return value


def _inverse(modules: ParametrizationList, value: Any, strict: bool) -> Any:
    """The inverses of all, the last first; where one has none it is the identity, or an error."""
    with no_grad():
        for module in reversed(list(modules)):
            if hasattr(module, "right_inverse"):
                try:
                    value = module.right_inverse(value)
                except NotImplementedError:
                    if strict:
                        raise
            elif strict:
                raise RuntimeError(
                    f"parametrization {type(module).__name__} does not implement right_inverse."
                )
    if not isinstance(value, Tensor | Sequence):
        raise ValueError(
            "'right_inverse' must return a Tensor or a Sequence of tensors (list, tuple...). Got "
            f"{type(value).__name__}"
        )
    return value


# ---- Classes with properties ----


def _no_state(self: Module) -> NoReturn:
    raise RuntimeError(
        "Serialization of parametrized modules is only supported through state_dict(). See:\n"
        "https://pytorch.org/tutorials/beginner/saving_loading_models.html"
        "#saving-loading-a-general-checkpoint-for-inference-and-or-resuming-training"
    )


def _deepcopy(self: Module, memo: dict[int, Any]) -> Module:
    replica = object.__new__(type(self))
    memo[id(self)] = replica
    state = copy.deepcopy(Module.__getstate__(self), memo)
    Module.__setstate__(replica, state)
    return replica


def _give_own_class(module: Module) -> None:
    """Puts a subclass in place of the module's class, which properties can be added to."""
    cls = type(module)
    members: dict[str, Any] = {"__getstate__": _no_state}
    if not hasattr(cls, "__deepcopy__"):
        members["__deepcopy__"] = _deepcopy
    module.__class__ = type(f"Parametrized{cls.__name__}", (cls,), members)


def _add_property(module: Module, name: str) -> None:
    def read(self: Module) -> Tensor:
        compute = self.parametrizations[name]
        if not _cache.depth:
            return compute()  # type: ignore[no-any-return]
        key = (id(self), name)
        if key not in _cache.values:
            _cache.values[key] = compute()
        return _cache.values[key]

    def write(self: Module, value: Tensor) -> None:
        self.parametrizations[name].right_inverse(value)

    setattr(type(module), name, property(read, write))


def register_parametrization(
    module: Module, tensor_name: str, parametrization: Module, *, unsafe: bool = False
) -> Module:
    """Make a parameter or buffer of `module` a function of another tensor; return the module.

    Args:
        module: the module.
        tensor_name: of the parameter or buffer.
        parametrization: a module: its forward is the function; its ``right_inverse``, where there
            is one, gives what the function is applied to, from the tensor's value.
        unsafe: do not check that type and shape stay.

    Raises:
        ValueError: there is no such tensor, or a check fails.
    """
    parametrization.train(module.training)
    if is_parametrized(module, tensor_name):
        if not unsafe:
            former = getattr(module, tensor_name)
            value = parametrization(former)
            _check("A parametrization", value, former.dtype, former.shape)
        found = module.parametrizations[tensor_name]
        found.append(parametrization)
        found.unsafe |= unsafe
    elif tensor_name in module._buffers or tensor_name in module._parameters:
        original = getattr(module, tensor_name)
        made = ParametrizationList([parametrization], original, unsafe=unsafe)
        delattr(module, tensor_name)
        if not is_parametrized(module):
            _give_own_class(module)
            module.parametrizations = ModuleDict()
        _add_property(module, tensor_name)
        module.parametrizations[tensor_name] = made
    else:
        raise ValueError(
            f"Module '{module}' does not have a parameter, a buffer, or a parametrized element "
            f"with name '{tensor_name}'"
        )
    return module


def is_parametrized(module: Module, tensor_name: str | None = None) -> bool:
    """Return whether `module` has a parametrization, of the tensor of that name if one is given."""
    found = module.__dict__.get("_modules", {}).get("parametrizations")
    if not isinstance(found, ModuleDict):
        return False
    return len(found) > 0 if tensor_name is None else tensor_name in found


def remove_parametrizations(
    module: Module, tensor_name: str, leave_parametrized: bool = True
) -> Module:
    """Make a parametrized tensor of `module` an ordinary one again; return the module.

    Args:
        module: the module.
        tensor_name: of the tensor.
        leave_parametrized: keep its present value, rather than the original one.

    Raises:
        ValueError: the tensor is not parametrized, or had several originals and is to keep them.
    """
    if not is_parametrized(module, tensor_name):
        raise ValueError(f"Module {module} does not have a parametrization on {tensor_name}")
    found = module.parametrizations[tensor_name]
    if found.is_tensor:
        original = found.original
        if leave_parametrized:
            with no_grad():
                _put(original, getattr(module, tensor_name))
    elif leave_parametrized:
        value = getattr(module, tensor_name)
        original = Parameter(value.detach()) if value.requires_grad else value
    else:
        raise ValueError(
            "Cannot leave unparametrized (`leave_parametrized=False`) a tensor that is "
            "parametrized in terms of a sequence of tensors."
        )
    delattr(type(module), tensor_name)
    del module.parametrizations[tensor_name]
    _register(module, tensor_name, original)
    if not is_parametrized(module):
        del module.parametrizations
        module.__class__ = type(module).__bases__[0]
    return module


def type_before_parametrizations(module: Module) -> type:
    """Return the class that `module` had before it was parametrized."""
    return type(module).__bases__[0] if is_parametrized(module) else type(module)


def transfer_parametrizations_and_params(
    from_module: Module, to_module: Module, tensor_name: str | None = None
) -> Module:
    """Give `to_module` the parametrizations of `from_module`, and their originals; return it.

    Args:
        from_module: where they are.
        to_module: where they go.
        tensor_name: only those of this tensor.
    """
    if not is_parametrized(from_module):
        return to_module
    for name in list(from_module.parametrizations) if tensor_name is None else [tensor_name]:
        if not hasattr(to_module, name):
            setattr(to_module, name, Parameter(getattr(from_module, name).detach()))
        source = from_module.parametrizations[name]
        for parametrization in source:
            register_parametrization(to_module, name, parametrization)
        target = to_module.parametrizations[name]
        names = (
            ["original"] if source.is_tensor else [f"original{i}" for i in range(source.ntensors)]
        )
        for original in names:
            setattr(target, original, getattr(source, original))
    return to_module
