"""Hooks around a module's ``forward`` and around its backward pass."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from rushlight.autograd.node import RemovableHandle, next_hook

from ._backward_hooks import BackwardHooks, hook_last_operation

Hook = Callable[..., Any]
Hooks = OrderedDict[int, Hook]


def add_hook(hooks: Hooks, hook: Hook, prepend: bool = False) -> RemovableHandle:
    """Add a hook, last or first, and return the handle that removes it."""
    key = next_hook()
    hooks[key] = hook
    if prepend:
        hooks.move_to_end(key, last=False)
    return RemovableHandle(hooks, key)


class GlobalHooks:
    """The hooks of all modules; see `register_module_forward_hook` and its neighbours."""

    def __init__(self) -> None:
        self.forward_pre: Hooks = OrderedDict()
        self.forward: Hooks = OrderedDict()
        self.with_kwargs: set[int] = set()
        self.always_called: set[int] = set()
        self.backward_pre: Hooks = OrderedDict()
        self.backward: Hooks = OrderedDict()
        self.registration: dict[str, Hooks] = {
            kind: OrderedDict() for kind in ("_parameters", "_buffers", "_modules")
        }

    def on_call(self) -> bool:
        """Whether a call must look for them."""
        return bool(self.forward_pre or self.forward or self.backward_pre or self.backward)


everywhere = GlobalHooks()


class HookedCall:
    """Part of `Module`: registering hooks, and the call that runs them."""

    _forward_hooks: OrderedDict[int, Hook]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Hook]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
    _backward_hooks: OrderedDict[int, Hook]
    _backward_pre_hooks: OrderedDict[int, Hook]
    _is_full_backward_hook: bool | None = None
    forward: Hook

    def register_forward_pre_hook(
        self, hook: Hook, *, prepend: bool = False, with_kwargs: bool = False
    ) -> RemovableHandle:
        """Call ``hook(module, args)`` before each forward; what it returns replaces the arguments.

        Args:
            hook: may return None (no change), the new arguments as a tuple, or one new argument.
            prepend: run before the hooks that stand already.
            with_kwargs: call ``hook(module, args, kwargs)``, which returns None or both.
        """
        handle = add_hook(self._forward_pre_hooks, hook, prepend)
        if with_kwargs:
            self._forward_pre_hooks_with_kwargs[handle.id] = True
        return handle

    def register_forward_hook(
        self,
        hook: Hook,
        *,
        prepend: bool = False,
        with_kwargs: bool = False,
        always_call: bool = False,
    ) -> RemovableHandle:
        """Call ``hook(module, args, output)`` after each forward; what it returns replaces output.

        Args:
            hook: may return None (no change) or a new output.
            prepend: run before the hooks that stand already.
            with_kwargs: call ``hook(module, args, kwargs, output)``.
            always_call: run the hook even when forward raises.
        """
        handle = add_hook(self._forward_hooks, hook, prepend)
        if with_kwargs:
            self._forward_hooks_with_kwargs[handle.id] = True
        if always_call:
            self._forward_hooks_always_called[handle.id] = True
        return handle

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` when the inputs' gradients are there.

        Both are tuples, with None for what has no gradient; what the hook returns replaces the
        gradients of the inputs.

        Args:
            hook: must not change its arguments in place.
            prepend: run before the hooks that stand already.
        """
        if self._is_full_backward_hook is False:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module."
                " Please use only one of them."
            )
        self.__dict__["_is_full_backward_hook"] = True
        return add_hook(self._backward_hooks, hook, prepend)

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(module, grad_output)`` when the gradients of the outputs are there.

        What the hook returns replaces them.

        Args:
            hook: must not change its arguments in place.
            prepend: run before the hooks that stand already.
        """
        return add_hook(self._backward_pre_hooks, hook, prepend)

    def register_backward_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, grad_input, grad_output)`` around the last operation of forward.

        PyTorch's former hook: `grad_input` is that of the operation that made the output, not of
        the module. Use `register_full_backward_hook`.

        Raises:
            RuntimeError: the module has hooks of the other kind.
        """
        if self._is_full_backward_hook is True:
            raise RuntimeError(
                "Cannot use both regular backward hooks and full backward hooks on a single Module."
                " Please use only one of them."
            )
        self.__dict__["_is_full_backward_hook"] = False
        return add_hook(self._backward_hooks, hook)

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        output = None
        called: set[int] = set()
        backward = None
        try:
            args, kwargs = self._run_pre_hooks(args, kwargs)
            hooks = (*everywhere.backward.values(), *self._hooks_on_inputs())
            pre_hooks = (*everywhere.backward_pre.values(), *self._backward_pre_hooks.values())
            if hooks or pre_hooks:
                backward = BackwardHooks(self, hooks, pre_hooks)
                args = backward.on_inputs(args)
            output = self.forward(*args, **kwargs)
            for key, hook in self._after_forward():
                called.add(key)
                output = self._run_forward_hook(key, hook, args, kwargs, output)
            output = output if backward is None else backward.on_outputs(output)
            if self._is_full_backward_hook is False:
                hook_last_operation(self, output, self._backward_hooks.values())
            return output
        except Exception:
            for key, hook in self._after_forward():
                if key in called or not self._is_always_called(key):
                    continue
                try:
                    self._run_forward_hook(key, hook, args, kwargs, output)
                except Exception as error:
                    warnings.warn(
                        "module forward hook with ``always_call=True`` raised an exception that "
                        f"was silenced as another error was raised in forward: {error}",
                        stacklevel=3,
                    )
            raise

    def _hooks_on_inputs(self) -> tuple[Hook, ...]:
        return tuple(self._backward_hooks.values()) if self._is_full_backward_hook else ()

    def _after_forward(self) -> tuple[tuple[int, Hook], ...]:
        return (*everywhere.forward.items(), *self._forward_hooks.items())

    def _is_always_called(self, key: int) -> bool:
        return key in self._forward_hooks_always_called or key in everywhere.always_called

    def _run_pre_hooks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        before = (*everywhere.forward_pre.items(), *self._forward_pre_hooks.items())
        for key, hook in before:
            if key in self._forward_pre_hooks_with_kwargs:
                result = hook(self, args, kwargs)
                if result is None:
                    continue
                if not (isinstance(result, tuple) and len(result) == 2):
                    raise RuntimeError(
                        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), "
                        f"but got {result}."
                    )
                args, kwargs = result
            else:
                result = hook(self, args)
                if result is not None:
                    args = result if isinstance(result, tuple) else (result,)
        return args, kwargs

    def _run_forward_hook(
        self, key: int, hook: Hook, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any
    ) -> Any:
        if key in self._forward_hooks_with_kwargs or key in everywhere.with_kwargs:
            result = hook(self, args, kwargs, output)
        else:
            result = hook(self, args, output)
        return output if result is None else result


# ---- Hooks of all modules ----


def register_module_forward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, args)`` before the forward of every module."""
    return add_hook(everywhere.forward_pre, hook)


def register_module_forward_hook(
    hook: Hook, *, with_kwargs: bool = False, always_call: bool = False
) -> RemovableHandle:
    """Call ``hook(module, args, output)`` after the forward of every module.

    Args:
        hook: may return None (no change) or a new output.
        with_kwargs: call ``hook(module, args, kwargs, output)``.
        always_call: run the hook even when forward raises.
    """
    handle = add_hook(everywhere.forward, hook)
    if with_kwargs:
        everywhere.with_kwargs.add(handle.id)
    if always_call:
        everywhere.always_called.add(handle.id)
    return handle


def register_module_full_backward_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, grad_output)`` in the backward pass of every module."""
    return add_hook(everywhere.backward_pre, hook)


def register_module_full_backward_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, grad_input, grad_output)`` in the backward pass of every module."""
    return add_hook(everywhere.backward, hook)


def register_module_parameter_registration_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, name, param)`` when a parameter is added; a result replaces it."""
    return add_hook(everywhere.registration["_parameters"], hook)


def register_module_buffer_registration_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, name, buffer)`` when a buffer is added; a result replaces it."""
    return add_hook(everywhere.registration["_buffers"], hook)


def register_module_module_registration_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(module, name, submodule)`` when a module is added; a result replaces it."""
    return add_hook(everywhere.registration["_modules"], hook)
