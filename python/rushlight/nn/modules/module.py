"""`Module`, the base class of layers and models."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from rushlight.nn.parameter import Buffer, Parameter
from rushlight.tensor import Tensor

from ._conversion import Conversion
from ._hooks import (
    HookedCall,
    everywhere,
    register_module_buffer_registration_hook,
    register_module_forward_hook,
    register_module_forward_pre_hook,
    register_module_full_backward_hook,
    register_module_full_backward_pre_hook,
    register_module_module_registration_hook,
    register_module_parameter_registration_hook,
)
from ._registry import REGISTRIES, Registry
from ._state import StateDict, _IncompatibleKeys
from ._tree import Tree
from .utils import type_name

__all__ = [
    "Module",
    "_IncompatibleKeys",
    "register_module_buffer_registration_hook",
    "register_module_forward_hook",
    "register_module_forward_pre_hook",
    "register_module_full_backward_hook",
    "register_module_full_backward_pre_hook",
    "register_module_module_registration_hook",
    "register_module_parameter_registration_hook",
]

M = TypeVar("M", bound="Module")

# The dicts of hooks that every module has; ordered ones, since a handle refers to them weakly.
HOOKS = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
    "_state_dict_hooks",
    "_state_dict_pre_hooks",
    "_load_state_dict_pre_hooks",
    "_load_state_dict_post_hooks",
)


def indent(text: str, spaces: int = 2) -> str:
    """Indent all lines of `text` but the first."""
    return text.replace("\n", "\n" + " " * spaces)


def _forward_unimplemented(self: Any, *args: Any) -> None:
    raise NotImplementedError(
        f'Module [{type(self).__name__}] is missing the required "forward" function'
    )


class Module(Tree, HookedCall, StateDict, Conversion):
    """Base class of layers and models: parameters, buffers and child modules under names.

    A subclass calls ``super().__init__()`` first, assigns `Parameter`, `Buffer` and `Module`
    objects as attributes, which registers them, and defines ``forward``.

    Attributes:
        training: whether the module is in training mode; set by `train` and `eval`.

    Differs from torch: a registered member stands in the instance's ``__dict__`` as well, and so
    hides a class attribute of the same name.

    Example:
        >>> from rushlight import nn
        >>> nn.Sequential(nn.Linear(4, 16), nn.ReLU())
        Sequential(
          (0): Linear(in_features=4, out_features=16, bias=True)
          (1): ReLU()
        )
    """

    training: bool
    _parameters: dict[str, Parameter | None]
    _buffers: dict[str, Tensor | None]
    _modules: dict[str, Module | None]
    _non_persistent_buffers_set: set[str]
    dump_patches: bool = False
    _version: int = 1
    call_super_init: bool = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        cls = type(self).__name__
        if not self.call_super_init and kwargs:
            raise TypeError(
                f"{cls}.__init__() got an unexpected keyword argument '{next(iter(kwargs))}'"
            )
        if not self.call_super_init and args:
            raise TypeError(
                f"{cls}.__init__() takes 1 positional argument but {len(args) + 1} were given"
            )
        attributes = self.__dict__
        attributes["training"] = True
        for registry in REGISTRIES:
            attributes[registry] = Registry(self)
        attributes["_non_persistent_buffers_set"] = set()
        for hooks in HOOKS:
            attributes[hooks] = OrderedDict()
        if self.call_super_init:
            super().__init__(*args, **kwargs)

    forward: Callable[..., Any] = _forward_unimplemented

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Return ``forward(*args, **kwargs)``, with the hooks around it where there are any."""
        if (
            self._forward_hooks
            or self._forward_pre_hooks
            or self._backward_hooks
            or self._backward_pre_hooks
            or everywhere.on_call()
        ):
            return self._call_with_hooks(args, kwargs)
        return self.forward(*args, **kwargs)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Do nothing: there is no compiler, and the module runs as it is.

        The arguments are those of ``torch.compile`` and of no effect.
        """

    # ------------------------------------------------------------------- registration, attributes

    def _registry(self, kind: str, what: str) -> Registry:
        registry = self.__dict__.get(kind)
        if registry is None:
            raise AttributeError(f"cannot assign {what} before Module.__init__() call")
        if type(registry) is not Registry:  # set by a subclass's own __setstate__
            registry = self.__dict__[kind] = Registry(self, registry)
        return registry

    def _check_name(self, name: str, what: str, registry: Registry) -> None:
        if not isinstance(name, str):
            raise TypeError(f"{what} name should be a string. Got {type_name(name)}")
        if "." in name:
            got = f", got: {name}" if what == "module" else ""
            raise KeyError(f'{what} name can\'t contain "."{got}')
        if name == "":
            raise KeyError(f'{what} name can\'t be empty string ""')
        if name not in registry and hasattr(self, name):
            raise KeyError(f"attribute '{name}' already exists")

    def register_parameter(self, name: str, param: Parameter | None) -> None:
        """Add a parameter under `name`; None reserves the name and is in no state_dict.

        Raises:
            KeyError: the name is taken, empty or contains a dot.
            TypeError: `param` is neither a `Parameter` nor None.
            ValueError: `param` is the result of recorded operations.
        """
        registry = self._registry("_parameters", "parameter")
        self._check_name(name, "parameter", registry)
        if param is not None:
            if not isinstance(param, Parameter):
                raise TypeError(
                    f"cannot assign '{type_name(param)}' object to parameter '{name}' "
                    "(torch.nn.Parameter or None required)"
                )
            if param.grad_fn is not None:
                raise ValueError(
                    f"Cannot assign non-leaf Tensor to parameter '{name}'. A parameter is created "
                    f"explicitly; compute '{name}' from other tensors in forward() instead."
                )
        registry[name] = self._admitted("_parameters", name, param)

    def register_buffer(self, name: str, tensor: Tensor | None, persistent: bool = True) -> None:
        """Add a tensor that is state but no parameter, such as a running mean.

        Args:
            name: the attribute, and the key in the state_dict.
            tensor: the value; None reserves the name.
            persistent: whether it belongs to the state_dict.

        Raises:
            KeyError: the name is taken, empty or contains a dot.
            TypeError: `tensor` is neither a tensor nor None.
        """
        registry = self._registry("_buffers", "buffer")
        self._check_name(name, "buffer", registry)
        if tensor is not None and not isinstance(tensor, Tensor):
            raise TypeError(
                f"cannot assign '{type_name(tensor)}' object to buffer '{name}' "
                "(torch Tensor or None required)"
            )
        registry[name] = self._admitted("_buffers", name, tensor)
        if persistent:
            self._non_persistent_buffers_set.discard(name)
        else:
            self._non_persistent_buffers_set.add(name)

    def register_module(self, name: str, module: Module | None) -> None:
        """Add a child module under `name`."""
        self.add_module(name, module)

    def add_module(self, name: str, module: Module | None) -> None:
        """Add a child module under `name`.

        Raises:
            KeyError: the name is taken, empty or contains a dot.
            TypeError: `module` is neither a module nor None.
        """
        registry = self._registry("_modules", "module")
        if module is not None and not isinstance(module, Module):
            raise TypeError(f"{type_name(module)} is not a Module subclass")
        self._check_name(name, "module", registry)
        registry[name] = self._admitted("_modules", name, module)

    def _admitted(self, kind: str, name: str, member: Any) -> Any:
        """The member, or what the hooks of all modules put in its place."""
        for hook in everywhere.registration[kind].values():
            replaced = hook(self, name, member)
            if replaced is not None:
                member = replaced
        return member

    def _forget(self, name: str, keep: str) -> None:
        """Drop `name` wherever it stands but in the registry `keep`."""
        for kind in REGISTRIES:
            if kind != keep:
                self.__dict__[kind].pop(name, None)
        if keep != "_buffers":
            self._non_persistent_buffers_set.discard(name)
        if name not in self.__dict__[keep]:
            self.__dict__.pop(name, None)

    def __setattr__(self, name: str, value: Any) -> None:
        attributes = self.__dict__
        if isinstance(value, Parameter):
            self._registry("_parameters", "parameters")
            self._forget(name, keep="_parameters")
            self.register_parameter(name, value)
        elif isinstance(value, Module):
            registry = self._registry("_modules", "module")
            self._forget(name, keep="_modules")
            registry[name] = self._admitted("_modules", name, value)
        elif isinstance(value, Buffer):
            self.register_buffer(name, value, value.persistent)
        elif name in attributes.get("_parameters", ()):
            self._assign_none(name, value, "parameter", "_parameters", "torch.nn.Parameter")
        elif name in attributes.get("_modules", ()):
            self._assign_none(name, value, "child module", "_modules", "torch.nn.Module")
        elif name in attributes.get("_buffers", ()):
            if value is not None and not isinstance(value, Tensor):
                raise TypeError(
                    f"cannot assign '{type_name(value)}' as buffer '{name}' "
                    "(torch.nn.Buffer, torch.Tensor or None expected)"
                )
            self.register_buffer(name, value, name not in self._non_persistent_buffers_set)
        elif name in REGISTRIES:
            self._replace_registry(name, value)
        else:
            object.__setattr__(self, name, value)

    def _assign_none(self, name: str, value: Any, what: str, kind: str, expected: str) -> None:
        if value is not None:
            raise TypeError(
                f"cannot assign '{type_name(value)}' as {what} '{name}' "
                f"({expected} or None expected)"
            )
        self._registry(kind, what)[name] = None

    def _replace_registry(self, kind: str, members: dict[str, Any]) -> None:
        former = self.__dict__.get(kind)
        if isinstance(former, Registry):
            former.release()
        self.__dict__[kind] = Registry(self, members)

    def __getattr__(self, name: str) -> Any:
        # Only reached for what is not an ordinary attribute; see `Registry`.
        for kind in REGISTRIES:
            registry = self.__dict__.get(kind, ())
            if name in registry:
                return registry[name]
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'")

    def __delattr__(self, name: str) -> None:
        for kind in REGISTRIES:
            if name in self.__dict__.get(kind, ()):
                del self.__dict__[kind][name]
                self.__dict__.pop(name, None)
                self._non_persistent_buffers_set.discard(name)
                return
        object.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        names = {*dir(type(self)), *self.__dict__}
        return sorted(name for name in names if not name[:1].isdigit())

    def __getstate__(self) -> dict[str, Any]:
        state = self.__dict__.copy()
        for kind in REGISTRIES:
            members = state[kind] = dict(state[kind])
            for name in members:
                state.pop(name, None)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for kind in REGISTRIES:
            self.__dict__[kind] = Registry(self, self.__dict__.get(kind, {}))
        for hooks in HOOKS:  # a module saved by an earlier version may lack some
            self.__dict__.setdefault(hooks, OrderedDict())
        self.__dict__.setdefault("_non_persistent_buffers_set", set())

    # --------------------------------------------------------------------------- modes, gradients

    def train(self: M, mode: bool = True) -> M:
        """Put this module and all below in training mode, or out of it; dropout asks for it."""
        if not isinstance(mode, bool):
            raise ValueError("training mode is expected to be boolean")
        self.training = mode
        for module in self.children():
            module.train(mode)
        return self

    def eval(self: M) -> M:
        """Put this module and all below in evaluation mode: ``train(False)``."""
        return self.train(False)

    def requires_grad_(self: M, requires_grad: bool = True) -> M:
        """Set whether the parameters get gradients, in place."""
        for parameter in self.parameters():
            parameter.requires_grad_(requires_grad)
        return self

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the parameters' gradients, or with ``set_to_none=False`` fill them with zeros."""
        for parameter in self.parameters():
            grad = parameter.grad
            if grad is None or set_to_none:
                parameter.grad = None
                continue
            if grad.requires_grad:
                grad = parameter.grad = grad.detach()
            grad.zero_()

    # --------------------------------------------------------------------------------------- text

    def _get_name(self) -> str:
        return type(self).__name__

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of the text form, without the children."""
        return ""

    def __repr__(self) -> str:
        own = self.extra_repr()
        children = [f"({name}): {indent(repr(child))}" for name, child in self._modules.items()]
        lines = [*(own.split("\n") if own else ()), *children]
        if not children and len(lines) <= 1:
            return f"{self._get_name()}({own})"
        return f"{self._get_name()}(\n  " + "\n  ".join(lines) + "\n)"
