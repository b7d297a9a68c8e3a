"""`Optimizer`, the base class: parameter groups, state, hooks, exchange of state."""

from __future__ import annotations

import functools
import warnings
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from copy import deepcopy
from itertools import chain
from typing import Any

from rushlight import ops
from rushlight.autograd.grad_mode import enable_grad
from rushlight.autograd.node import RemovableHandle, next_hook
from rushlight.backend import kernels_of
from rushlight.dtypes import float32, float64, get_default_dtype
from rushlight.tensor import Tensor

__all__ = [
    "Optimizer",
    "register_optimizer_step_post_hook",
    "register_optimizer_step_pre_hook",
    "required",
]

ParamsT = Iterable[Any]
Group = dict[str, Any]
Hook = Callable[..., Any]


class _Required:
    def __repr__(self) -> str:
        return "<required parameter>"


# The default of an option that each group must give itself.
required = _Required()

_global_pre_hooks: OrderedDict[int, Hook] = OrderedDict()
_global_post_hooks: OrderedDict[int, Hook] = OrderedDict()

_HOOKS = (
    "_optimizer_step_pre_hooks",
    "_optimizer_step_post_hooks",
    "_optimizer_state_dict_pre_hooks",
    "_optimizer_state_dict_post_hooks",
    "_optimizer_load_state_dict_pre_hooks",
    "_optimizer_load_state_dict_post_hooks",
)


def _register(hooks: OrderedDict[int, Hook], hook: Hook, prepend: bool = False) -> RemovableHandle:
    key = next_hook()
    hooks[key] = hook
    if prepend:
        hooks.move_to_end(key, last=False)
    return RemovableHandle(hooks, key)


def register_optimizer_step_pre_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` before each step of every optimizer."""
    return _register(_global_pre_hooks, hook)


def register_optimizer_step_post_hook(hook: Hook) -> RemovableHandle:
    """Call ``hook(optimizer, args, kwargs)`` after each step of every optimizer."""
    return _register(_global_post_hooks, hook)


def _with_hooks(step: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a subclass's `step` so that it runs the hooks, and schedulers see that it was called."""

    @functools.wraps(step)
    def hooked(self: Optimizer, *args: Any, **kwargs: Any) -> Any:
        self._opt_called = True
        if not (
            self._optimizer_step_pre_hooks
            or self._optimizer_step_post_hooks
            or _global_pre_hooks
            or _global_post_hooks
        ):
            return step(self, *args, **kwargs)
        for hook in (*_global_pre_hooks.values(), *self._optimizer_step_pre_hooks.values()):
            result = hook(self, args, kwargs)
            if result is None:
                continue
            if not (isinstance(result, tuple) and len(result) == 2):
                raise RuntimeError(
                    f"{step} must return None or a tuple of (new_args, new_kwargs), "
                    f"but got {result}."
                )
            args, kwargs = result
        out = step(self, *args, **kwargs)
        for hook in (*self._optimizer_step_post_hooks.values(), *_global_post_hooks.values()):
            hook(self, args, kwargs)
        return out

    return hooked


class Optimizer:
    """Base class of optimizers: changes parameters by their gradients when `step` is called.

    A subclass defines `_update`, which steps one group, or a `step` of its own.

    Args:
        params: tensors, or pairs of name and tensor, or dicts that each make one group: its
            tensors under ``"params"`` and options that differ from the defaults.
        defaults: options of groups that do not give them.

    Attributes:
        param_groups: the groups, as dicts; options in them may be changed between steps.
        state: for each parameter a dict of what the optimizer remembers.
    """

    _optimizer_step_pre_hooks: OrderedDict[int, Hook]
    _optimizer_step_post_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_state_dict_post_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_pre_hooks: OrderedDict[int, Hook]
    _optimizer_load_state_dict_post_hooks: OrderedDict[int, Hook]
    _opt_called = False

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "step" in cls.__dict__:
            cls.step = _with_hooks(cls.step)  # type: ignore[method-assign]

    def __init__(self, params: ParamsT, defaults: dict[str, Any]) -> None:
        self.defaults = defaults
        for hooks in _HOOKS:
            setattr(self, hooks, OrderedDict())
        if isinstance(params, Tensor):
            raise TypeError(
                "params argument given to the optimizer should be an iterable of Tensors or "
                f"dicts, but got {type(params).__name__}"
            )
        self.state: defaultdict[Any, Any] = defaultdict(dict)
        self.param_groups: list[Group] = []
        groups = list(params)
        if not groups:
            raise ValueError("optimizer got an empty parameter list")
        if not isinstance(groups[0], dict):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)

    # ----------------------------------------------------------------------------------- stepping

    @_with_hooks
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Change the parameters once.

        Args:
            closure: called first, with gradients enabled: computes the loss anew and returns it.

        Returns:
            What the closure returned, None without one.
        """
        loss = None
        if closure is not None:
            with enable_grad():
                loss = closure()
        for group in self.param_groups:
            params, grads = [], []
            for parameter in group["params"]:
                grad = parameter.grad
                if grad is not None:
                    params.append(parameter)
                    grads.append(grad._array)
            if params:
                self._update(kernels_of(grads[0]), group, params, grads)
                for parameter in params:
                    parameter._changed()
        return loss

    def _update(self, kernels: Any, group: Group, params: list[Tensor], grads: list[Any]) -> None:
        """Step the parameters that have gradients, given as raw arrays, by one call of a kernel."""
        raise NotImplementedError

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Drop the gradients, or with ``set_to_none=False`` fill them with zeros."""
        for group in self.param_groups:
            for parameter in group["params"]:
                grad = parameter.grad
                if grad is None or set_to_none:
                    parameter.grad = None
                    continue
                if grad.requires_grad:
                    grad = parameter.grad = grad.detach()
                grad.zero_()

    # ------------------------------------------------------------------------------------- groups

    def add_param_group(self, param_group: Group) -> None:
        """Add a group: a dict of tensors under ``"params"`` and of options.

        Raises:
            TypeError: it is no dict, its tensors come as a set, or one is no tensor.
            ValueError: a tensor is no leaf or is in another group, an option is missing, or some
                parameters have names and others have not.
        """
        if not isinstance(param_group, dict):
            raise TypeError(f"param_group must be a dict, but got {type(param_group)}")
        _list_params(param_group)
        for parameter in param_group["params"]:
            if not isinstance(parameter, Tensor):
                raise TypeError(
                    "optimizer can only optimize Tensors, but one of the params is "
                    f"{type(parameter).__name__}"
                )
            if not (parameter.is_leaf or parameter.retains_grad):
                raise ValueError("can't optimize a non-leaf Tensor")
        for name, default in self.defaults.items():
            if default is required and name not in param_group:
                raise ValueError(
                    "parameter group didn't specify a value of required optimization parameter "
                    f"{name}"
                )
            param_group.setdefault(name, default)
        self._check_against_others(param_group)
        self.param_groups.append(param_group)

    def _check_against_others(self, param_group: Group) -> None:
        ids = [id(parameter) for parameter in param_group["params"]]
        if len(ids) != len(set(ids)):
            warnings.warn(
                "optimizer contains a parameter group with duplicate parameters; in future, "
                "this will cause an error",
                stacklevel=4,
            )
        named = "param_names" in param_group
        for other in self.param_groups:
            if named != ("param_names" in other):
                raise ValueError(
                    "all optimizer param groups should be with/without names. cannot add param "
                    f"group {'with' if named else 'without'} names to the optimizer"
                )
            if not set(ids).isdisjoint(id(parameter) for parameter in other["params"]):
                raise ValueError("some parameters appear in more than one parameter group")

    def __repr__(self) -> str:
        text = f"{type(self).__name__} ("
        for i, group in enumerate(self.param_groups):
            text += f"\nParameter Group {i}\n"
            for key in sorted(group):
                if key != "params":
                    text += f"    {key}: {group[key]}\n"
        return text + ")"

    # -------------------------------------------------------------------------------------- state

    def state_dict(self) -> dict[str, Any]:
        """Return ``{"state": ..., "param_groups": ...}`` with parameters numbered in order.

        The tensors are those of the state itself, not copies.
        """
        for hook in self._optimizer_state_dict_pre_hooks.values():
            hook(self)
        numbers: dict[int, int] = {}
        for parameter in chain.from_iterable(group["params"] for group in self.param_groups):
            numbers.setdefault(id(parameter), len(numbers))
        result: dict[str, Any] = {
            "state": {
                numbers[id(key)] if isinstance(key, Tensor) else key: value
                for key, value in self.state.items()
            },
            "param_groups": [
                {
                    **{key: value for key, value in group.items() if key != "params"},
                    "params": [numbers[id(parameter)] for parameter in group["params"]],
                }
                for group in self.param_groups
            ],
        }
        for hook in self._optimizer_state_dict_post_hooks.values():
            changed = hook(self, result)
            result = result if changed is None else changed
        return result

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over state and options that `state_dict` returned, PyTorch's as well.

        Parameters are matched by their order. Tensors of the state take the dtype and device of
        their parameter, except the step counts.

        Raises:
            ValueError: the groups differ in number or in size.
        """
        state_dict = state_dict.copy()
        for hook in self._optimizer_load_state_dict_pre_hooks.values():
            changed = hook(self, state_dict)
            state_dict = state_dict if changed is None else changed
        saved = deepcopy(state_dict["param_groups"])
        if len(saved) != len(self.param_groups):
            raise ValueError("loaded state dict has a different number of parameter groups")
        sizes = [len(group["params"]) for group in self.param_groups]
        if sizes != [len(group["params"]) for group in saved]:
            raise ValueError(
                "loaded state dict contains a parameter group that doesn't match the size of "
                "optimizer's group"
            )
        by_number: dict[Any, Tensor] = {}
        for group, new_group in zip(self.param_groups, saved, strict=True):
            by_number.update(zip(new_group["params"], group["params"], strict=True))
            new_group["params"] = group["params"]
            if "param_names" in group:
                new_group.setdefault("param_names", group["param_names"])
        state: defaultdict[Any, Any] = defaultdict(dict)
        for number, value in state_dict["state"].items():
            if number in by_number:
                state[by_number[number]] = _fit(by_number[number], value)
            else:
                state[number] = value
        self.__setstate__({"state": state, "param_groups": saved})
        for hook in self._optimizer_load_state_dict_post_hooks.values():
            hook(self)

    def __getstate__(self) -> dict[str, Any]:
        return {
            "defaults": self.defaults,
            "state": self.state,
            "param_groups": self.param_groups,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        for hooks in _HOOKS:
            self.__dict__.setdefault(hooks, OrderedDict())
        for group in self.param_groups:  # saved before an option existed
            for key, default in self.defaults.items():
                group.setdefault(key, default)

    # -------------------------------------------------------------------------------------- hooks

    def register_step_pre_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` before each step; it may return new ones."""
        return _register(self._optimizer_step_pre_hooks, hook)

    def register_step_post_hook(self, hook: Hook) -> RemovableHandle:
        """Call ``hook(optimizer, args, kwargs)`` after each step."""
        return _register(self._optimizer_step_post_hooks, hook)

    def register_state_dict_pre_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer)`` before `state_dict`."""
        return _register(self._optimizer_state_dict_pre_hooks, hook, prepend)

    def register_state_dict_post_hook(self, hook: Hook, prepend: bool = False) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` after it; it may return another dict."""
        return _register(self._optimizer_state_dict_post_hooks, hook, prepend)

    def register_load_state_dict_pre_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer, state_dict)`` before loading; it may return another dict."""
        return _register(self._optimizer_load_state_dict_pre_hooks, hook, prepend)

    def register_load_state_dict_post_hook(
        self, hook: Hook, prepend: bool = False
    ) -> RemovableHandle:
        """Call ``hook(optimizer)`` after loading."""
        return _register(self._optimizer_load_state_dict_post_hooks, hook, prepend)


def _list_params(group: Group) -> None:
    """Make ``group["params"]`` a list of tensors, with their names under ``"param_names"``."""
    params = group["params"]
    if isinstance(params, set):
        raise TypeError(
            "optimizer parameters need to be organized in ordered collections, but the ordering "
            "of tensors in sets will change between runs. Please use a list instead."
        )
    params = [params] if isinstance(params, Tensor) else list(params)
    named = [param for param in params if isinstance(param, tuple)]
    if named and len(named) != len(params):
        raise ValueError(
            "all optimizer params should be with/without names. Some param names are missing"
        )
    group["params"] = [tensor for _, tensor in named] if named else params
    if named:
        group["param_names"] = [name for name, _ in named]


def _fit(parameter: Tensor, value: Any, key: Any = None) -> Any:
    """Give the tensors in `value` the parameter's dtype and device."""
    if isinstance(value, Tensor):
        if key == "step":
            return value
        dtype = parameter.dtype if parameter.is_floating_point() else value.dtype
        return value.to(dtype=dtype, device=parameter.device)
    if isinstance(value, dict):
        return {k: _fit(parameter, v, k) for k, v in value.items()}
    if isinstance(value, Iterable) and not isinstance(value, str):
        return type(value)(_fit(parameter, v) for v in value)  # type: ignore[call-arg]
    return value


# ------------------------------------------------------------------- what the subclasses share


def check_options(options: dict[str, Any]) -> None:
    """Raise ValueError for the first option that is negative or NaN, or a rate of several."""
    for name, value in options.items():
        _check_single("lr", value)
        if not value >= 0.0:
            raise ValueError(f"Invalid {name}: {value}")


def check_rate(lr: Any) -> None:
    """Raise ValueError for a negative rate, in the words of the newer optimizers."""
    _check_single("lr", lr)
    if not lr >= 0.0:
        raise ValueError(f"Learning rate should be >= 0 but is: {lr}")


def check_betas(betas: tuple[Any, Any]) -> None:
    """Raise ValueError for a beta that is not in [0, 1)."""
    for i, beta in enumerate(betas):
        _check_single(f"betas[{i}]", beta)
        if not 0.0 <= beta < 1.0:
            raise ValueError(f"Invalid beta parameter at index {i}: {beta}")


def _check_single(name: str, value: Any) -> None:
    if isinstance(value, Tensor) and value.numel() != 1:
        raise ValueError(f"Tensor {name} must be 1-element")


def check_implementation(name: str, group: Group) -> None:
    """Refuse the options that choose an implementation which does not exist here.

    `foreach`, `fused` and `capturable` choose between PyTorch's implementations of the same step;
    all stand for the one here.
    """
    if group.get("fused") and group.get("differentiable"):
        raise RuntimeError("`fused` does not support `differentiable`")
    if group.get("differentiable"):
        raise NotImplementedError(f"{name}: differentiable=True is not supported")
    if group.get("fused") and group.get("foreach"):
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")


def count_as_tensors(optimizer: Optimizer) -> None:
    """Make step counts tensors, which old checkpoints hold as numbers."""
    for state in optimizer.state.values():
        if "step" in state and not isinstance(state["step"], Tensor):
            state["step"] = step_count(float(state["step"]))


def arrays(tensors: list[Tensor]) -> list[Any]:
    """Return the raw arrays of `tensors`."""
    return [tensor._array for tensor in tensors]


def column(states: list[dict[str, Any]], name: str) -> list[Any]:
    """Return the raw arrays of one entry of each state."""
    return [state[name]._array for state in states]


def step_count(steps: float = 0.0) -> Tensor:
    """Return a count of steps, or another number of a state that is not the parameter's.

    It is of float32, which counts to 2^24, unless the default is float64.
    """
    wide = get_default_dtype() is float64
    return ops.tensor(steps, dtype=float64 if wide else float32)
