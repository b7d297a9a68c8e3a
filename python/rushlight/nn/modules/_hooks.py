"""Hooks around a module's ``forward``."""

from __future__ import annotations

import warnings
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, NoReturn

from rushlight.autograd.node import RemovableHandle, next_hook

Hook = Callable[..., Any]


def add_hook(hooks: OrderedDict[int, Hook], hook: Hook, prepend: bool = False) -> RemovableHandle:
    """Add a hook, last or first, and return the handle that removes it."""
    key = next_hook()
    hooks[key] = hook
    if prepend:
        hooks.move_to_end(key, last=False)
    return RemovableHandle(hooks, key)


class HookedCall:
    """Part of `Module`: registering hooks, and the call that runs them."""

    _forward_hooks: OrderedDict[int, Hook]
    _forward_hooks_with_kwargs: OrderedDict[int, bool]
    _forward_hooks_always_called: OrderedDict[int, bool]
    _forward_pre_hooks: OrderedDict[int, Hook]
    _forward_pre_hooks_with_kwargs: OrderedDict[int, bool]
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

    def register_full_backward_hook(self, hook: Hook, prepend: bool = False) -> NoReturn:
        """Not supported yet."""
        raise NotImplementedError("Module.register_full_backward_hook is not supported")

    def register_full_backward_pre_hook(self, hook: Hook, prepend: bool = False) -> NoReturn:
        """Not supported yet."""
        raise NotImplementedError("Module.register_full_backward_pre_hook is not supported")

    def register_backward_hook(self, hook: Hook) -> NoReturn:
        """Not supported yet."""
        raise NotImplementedError("Module.register_backward_hook is not supported")

    def _call_with_hooks(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        output = None
        called: set[int] = set()
        try:
            args, kwargs = self._run_pre_hooks(args, kwargs)
            output = self.forward(*args, **kwargs)
            for key, hook in tuple(self._forward_hooks.items()):
                called.add(key)
                output = self._run_forward_hook(key, hook, args, kwargs, output)
            return output
        except Exception:
            for key, hook in tuple(self._forward_hooks.items()):
                if key in called or key not in self._forward_hooks_always_called:
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

    def _run_pre_hooks(
        self, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        for key, hook in tuple(self._forward_pre_hooks.items()):
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
        if key in self._forward_hooks_with_kwargs:
            result = hook(self, args, kwargs, output)
        else:
            result = hook(self, args, output)
        return output if result is None else result
