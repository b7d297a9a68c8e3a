"""Modules that take sizes from their first input."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any, ClassVar

from rushlight.nn.parameter import is_lazy

if TYPE_CHECKING:
    from .module import Module

__all__ = ["LazyModuleMixin"]


class LazyModuleMixin:
    """Part of a lazy module: at its first forward it makes its parameters, and is lazy no more.

    A class puts `UninitializedParameter` in place of what it cannot make yet, and defines
    ``initialize_parameters(*inputs)``.

    Attributes:
        cls_to_become: the class that the module has after its first forward; None keeps it.
    """

    cls_to_become: ClassVar[type[Module] | None] = None

    if TYPE_CHECKING:
        _parameters: dict[str, Any]
        _buffers: dict[str, Any]
        register_forward_pre_hook: Any
        _register_load_state_dict_pre_hook: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # Functions of the class: they hold no reference to the module.
        load = self._register_load_state_dict_pre_hook(_take_shapes, with_module=True)
        infer = self.register_forward_pre_hook(_initialize, with_kwargs=True)
        self._load_hook, self._initialize_hook = load, infer
        warnings.warn(
            "Lazy modules are a new feature under heavy development so changes to the API or "
            "functionality can happen at any moment.",
            stacklevel=2,
        )

    def initialize_parameters(self, *args: Any, **kwargs: Any) -> None:
        """Make the parameters for these inputs."""
        raise NotImplementedError(
            f"initialize_parameters is not implemented for {type(self).__name__}"
        )

    def has_uninitialized_params(self) -> bool:
        """Return whether a parameter or a buffer is still to be made."""
        return any(map(is_lazy, (*self._parameters.values(), *self._buffers.values())))

    def _replicate_for_data_parallel(self) -> None:
        raise RuntimeError("Modules with uninitialized parameters can't be used with DataParallel")


def _take_shapes(module: Any, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
    """Makes what is still to be made, of the shapes that the state has."""
    for name, member in (*module._parameters.items(), *module._buffers.items()):
        given = state_dict.get(prefix + name)
        if is_lazy(member) and given is not None and not is_lazy(given):
            member.materialize(given.shape)


def _initialize(module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Makes the parameters for the first inputs; from then on the module is not lazy."""
    module.initialize_parameters(*args, **kwargs)
    if module.has_uninitialized_params():
        raise RuntimeError(f"module {module._get_name()} has not been fully initialized")
    module._initialize_hook.remove()
    module._load_hook.remove()
    del module._initialize_hook, module._load_hook
    if module.cls_to_become is not None:
        module.__class__ = module.cls_to_become
