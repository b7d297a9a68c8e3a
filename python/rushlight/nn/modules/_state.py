"""The state_dict of a module: writing it and reading it back."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from rushlight.autograd.grad_mode import no_grad
from rushlight.autograd.node import RemovableHandle
from rushlight.nn.parameter import Parameter, is_lazy
from rushlight.tensor import Tensor

from ._hooks import Hook, add_hook

EXTRA_STATE = "_extra_state"


class _IncompatibleKeys(NamedTuple):
    """What `Module.load_state_dict` found missing and unexpected."""

    missing_keys: list[str]
    unexpected_keys: list[str]

    def __repr__(self) -> str:
        if not self.missing_keys and not self.unexpected_keys:
            return "<All keys matched successfully>"
        return (
            f"_IncompatibleKeys(missing_keys={self.missing_keys}, "
            f"unexpected_keys={self.unexpected_keys})"
        )

    def __str__(self) -> str:
        return repr(self)


class _PassModule:
    """A hook that takes its module first; it does not hold the module, which would be a cycle."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook

    def __call__(self, *args: Any) -> Any:
        return self.hook(*args)


class StateDict:
    """Part of `Module`: `state_dict`, `load_state_dict` and their hooks."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]
    _modules: dict[str, Any]
    _non_persistent_buffers_set: set[str]
    _version: int
    _state_dict_hooks: OrderedDict[int, Hook]
    _state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _load_state_dict_post_hooks: OrderedDict[int, Hook]

    def get_extra_state(self) -> Any:
        """Return further state for the state_dict; a subclass defines it with `set_extra_state`."""
        raise RuntimeError("Module.get_extra_state() is called where a subclass defines it only")

    def set_extra_state(self, state: Any) -> None:
        """Take back what `get_extra_state` returned."""
        raise RuntimeError("Module.set_extra_state() is called where a subclass defines it only")

    # ------------------------------------------------------------------------------------ writing

    def state_dict(
        self, *args: Any, destination: Any = None, prefix: str = "", keep_vars: bool = False
    ) -> Any:
        """Return the parameters and persistent buffers by dotted path, as an OrderedDict.

        The tensors share memory with the module's.

        Args:
            args: `destination`, `prefix` and `keep_vars` by position, deprecated in PyTorch.
            destination: write into this dict.
            prefix: put before every key.
            keep_vars: give the parameters themselves, not detached from the graph.
        """
        if args:
            destination, prefix, keep_vars = (*args, destination, prefix, keep_vars)[:3]
        if destination is None:
            destination = OrderedDict()
            destination._metadata = OrderedDict()
        metadata = {"version": self._version}
        if hasattr(destination, "_metadata"):
            destination._metadata[prefix[:-1]] = metadata
        for hook in self._state_dict_pre_hooks.values():
            hook(self, prefix, keep_vars)
        self._save_to_state_dict(destination, prefix, keep_vars)
        for name, module in self._modules.items():
            if module is not None:
                module.state_dict(
                    destination=destination, prefix=f"{prefix}{name}.", keep_vars=keep_vars
                )
        for hook in self._state_dict_hooks.values():
            result = hook(self, destination, prefix, metadata)
            if result is None:
                continue
            if getattr(hook, "_from_public_api", False):
                raise RuntimeError("state_dict post-hook must return None")
            destination = result
        return destination

    def _save_to_state_dict(self, destination: Any, prefix: str, keep_vars: bool) -> None:
        for name, tensor in self._persistent_state():
            destination[prefix + name] = tensor if keep_vars else tensor.detach()
        if type(self).get_extra_state is not StateDict.get_extra_state:
            destination[prefix + EXTRA_STATE] = self.get_extra_state()

    def _persistent_state(self) -> Iterator[tuple[str, Tensor]]:
        for name, parameter in self._parameters.items():
            if parameter is not None:
                yield name, parameter
        for name, buffer in self._buffers.items():
            if buffer is not None and name not in self._non_persistent_buffers_set:
                yield name, buffer

    # ------------------------------------------------------------------------------------ reading

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> _IncompatibleKeys:
        """Copy parameters and buffers from `state_dict` into this module and all below.

        Args:
            state_dict: tensors by dotted path, as `state_dict` returns them.
            strict: the keys must be exactly those of this module's own state_dict.
            assign: put the tensors themselves in place of the module's, with their dtype and
                device, rather than copying values.

        Returns:
            The missing and the unexpected keys, as a named tuple.

        Raises:
            RuntimeError: a shape differs, or with `strict` a key is missing or unexpected; one
                message lists everything found.
            TypeError: `state_dict` is no mapping.
        """
        if not isinstance(state_dict, Mapping):
            raise TypeError(f"Expected state_dict to be dict-like, got {type(state_dict)}.")
        keys = _IncompatibleKeys([], [])
        errors: list[str] = []
        metadata = getattr(state_dict, "_metadata", None) or {}
        _load(self, OrderedDict(state_dict), "", metadata, assign, keys, errors)
        if strict:
            for what, found in (("Unexpected", keys[1]), ("Missing", keys[0])):
                if found:
                    names = ", ".join(f'"{key}"' for key in found)
                    errors.insert(0, f"{what} key(s) in state_dict: {names}. ")
        if errors:
            lines = "\n\t".join(errors)
            raise RuntimeError(
                f"Error(s) in loading state_dict for {type(self).__name__}:\n\t{lines}"
            )
        return keys

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: dict[str, Any],
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        """Load this module's own entries, those of its children excepted.

        Layers override it to read older forms of their state. The lists are added to.
        """
        lists = (missing_keys, unexpected_keys, error_msgs)
        for hook in self._load_state_dict_pre_hooks.values():
            owner = (self,) if isinstance(hook, _PassModule) else ()
            hook(*owner, state_dict, prefix, local_metadata, strict, *lists)
        own = dict(self._persistent_state())
        assign = local_metadata.get("assign_to_params_buffers", False)
        for name, tensor in own.items():
            key = prefix + name
            if key in state_dict:
                self._load_tensor(name, key, tensor, state_dict[key], assign, error_msgs)
            elif strict:
                missing_keys.append(key)
        extra = prefix + EXTRA_STATE
        takes_extra = type(self).set_extra_state is not StateDict.set_extra_state
        if takes_extra and extra in state_dict:
            self.set_extra_state(state_dict[extra])
        elif takes_extra and strict:
            missing_keys.append(extra)
        if strict:
            expected = {*own, *([EXTRA_STATE] if takes_extra else ())}
            unexpected_keys.extend(self._unexpected(state_dict, prefix, expected))

    def _unexpected(
        self, state_dict: Iterable[str], prefix: str, expected: set[str]
    ) -> Iterator[str]:
        for key in state_dict:
            if key.startswith(prefix):
                head, dot, _ = key[len(prefix) :].partition(".")
                if head not in (self._modules if dot else expected):
                    yield key

    def _load_tensor(
        self, name: str, key: str, own: Tensor, given: Any, assign: bool, errors: list[str]
    ) -> None:
        if not isinstance(given, Tensor):
            errors.append(
                f'While copying the parameter named "{key}", expected torch.Tensor or '
                f"Tensor-like object from checkpoint but received {type(given)}"
            )
            return
        if is_lazy(own) and is_lazy(given):
            return
        if own.dim() == 0 and tuple(given.shape) == (1,):  # PyTorch before 0.4 saved scalars so
            given = given[0]
        if own.shape != given.shape:
            errors.append(
                f"size mismatch for {key}: copying a param with shape {given.shape} from "
                f"checkpoint, the shape in current model is {own.shape}."
            )
            return
        try:
            with no_grad():
                if assign:
                    if isinstance(own, Parameter) and not isinstance(given, Parameter):
                        given = Parameter(given, own.requires_grad)
                    setattr(self, name, given.requires_grad_(own.requires_grad))
                else:
                    own.copy_(given)
        except Exception as error:
            errors.append(
                f'While copying the parameter named "{key}", whose dimensions in the model are '
                f"{own.size()} and whose dimensions in the checkpoint are {given.size()}, "
                f"an exception occurred : {error.args}."
            )

    # -------------------------------------------------------------------------------------- hooks

    def register_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, prefix, keep_vars)`` before `state_dict` writes this module."""
        return add_hook(self._state_dict_pre_hooks, hook)

    def register_state_dict_post_hook(self, hook: Any) -> RemovableHandle:
        """Call ``hook(module, state_dict, prefix, metadata)`` after it; it may edit the dict."""
        hook._from_public_api = True
        return add_hook(self._state_dict_hooks, hook)

    def _register_state_dict_hook(self, hook: Hook) -> RemovableHandle:
        if getattr(hook, "_from_public_api", False):
            raise RuntimeError(
                "Cannot register the same function as the state dict post hook that was "
                "previously registered via register_state_dict_post_hook"
            )
        return add_hook(self._state_dict_hooks, hook)

    def register_load_state_dict_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, ...)`` with the arguments of `_load_from_state_dict` before it."""
        return self._register_load_state_dict_pre_hook(hook, with_module=True)

    def _register_load_state_dict_pre_hook(
        self, hook: Hook, with_module: bool = False
    ) -> RemovableHandle:
        wanted = _PassModule(hook) if with_module else hook
        return add_hook(self._load_state_dict_pre_hooks, wanted)

    def register_load_state_dict_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(module, incompatible_keys)`` after loading; it may edit the two lists."""
        return add_hook(self._load_state_dict_post_hooks, hook)


def _load(
    module: Any,
    state_dict: dict[str, Any],
    prefix: str,
    metadata: dict[str, dict[str, Any]],
    assign: bool,
    keys: _IncompatibleKeys,
    errors: list[str],
) -> None:
    """Load `module` and all below from the entries under `prefix`."""
    local_metadata = dict(metadata.get(prefix[:-1], {}))
    if assign:
        local_metadata["assign_to_params_buffers"] = True
    module._load_from_state_dict(state_dict, prefix, local_metadata, True, *keys, errors)
    for name, child in module._modules.items():
        if child is not None:
            path = f"{prefix}{name}."
            below = {key: value for key, value in state_dict.items() if key.startswith(path)}
            _load(child, below, path, metadata, assign, keys, errors)
    for hook in module._load_state_dict_post_hooks.values():
        if hook(module, keys) is not None:
            raise AssertionError(
                "Hooks registered with ``register_load_state_dict_post_hook`` are not expected "
                "to return new values, if incompatible_keys need to be modified, it should be "
                "done inplace."
            )
