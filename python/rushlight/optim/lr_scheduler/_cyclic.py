"""Schedules that rise and fall, and may move the momentum against the rate."""

from __future__ import annotations

import math
import types
from collections.abc import Callable
from typing import Any

from rushlight.optim.optimizer import Optimizer

from ._base import LRScheduler, per_group, rates, set_rate


class _WithMomentum(LRScheduler):
    """Sets the momentum of each group as well: ``momentum``, or the first of ``betas``."""

    cycle_momentum: bool
    use_beta1: bool

    def _start_momentum(self, lowest: Any, highest: Any, anew: bool) -> tuple[Any, Any]:
        """Return both ends for each group; anew, set the upper one and note both in the groups."""
        optimizer = self.optimizer
        if "momentum" not in optimizer.defaults and "betas" not in optimizer.defaults:
            raise ValueError(
                "optimizer must support momentum or beta1 with `cycle_momentum` option enabled"
            )
        self.use_beta1 = "betas" in optimizer.defaults
        lowest = per_group(optimizer, "base_momentum", lowest)
        highest = per_group(optimizer, "max_momentum", highest)
        if anew:
            for group, low, high in zip(optimizer.param_groups, lowest, highest, strict=True):
                self._set_momentum(group, high)
                group["max_momentum"], group["base_momentum"] = high, low
        return lowest, highest

    def _set_momentum(self, group: dict[str, Any], value: float) -> None:
        if self.use_beta1:
            group["betas"] = (value, *group["betas"][1:])
        else:
            group["momentum"] = value


class CyclicLR(_WithMomentum):
    """``lr = base_lr + (max_lr - base_lr) h s``, with h from 0 to 1 and back in each cycle.

    The momentum goes from `max_momentum` to `base_momentum` and back.

    Args:
        optimizer: whose groups get the rates.
        base_lr: lower end, one number or a list with one for each group; the first rate.
        max_lr: upper end.
        step_size_up: steps of the rise.
        step_size_down: steps of the fall; as many when None.
        mode: s is 1 for ``"triangular"``, halves with each cycle for ``"triangular2"``, and is
            ``gamma^t`` for ``"exp_range"``.
        gamma: see `mode`.
        scale_fn: s as a function, in the place of `mode`.
        scale_mode: whether `scale_fn` takes the number of the ``"cycle"``, from 1, or t, for
            ``"iterations"``.
        cycle_momentum: whether the momentum moves.
        base_momentum: its lower end.
        max_momentum: its upper end.
        last_epoch: see `LRScheduler`.

    Raises:
        ValueError: an unknown mode, a list of the wrong length, or an optimizer without momentum.

    Source: Smith, Cyclical learning rates for training neural networks (2017).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        base_lr: Any,
        max_lr: Any,
        step_size_up: int = 2000,
        step_size_down: int | None = None,
        mode: str = "triangular",
        gamma: float = 1.0,
        scale_fn: Callable[[float], float] | None = None,
        scale_mode: str = "cycle",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.8,
        max_momentum: Any = 0.9,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        base_lrs = per_group(optimizer, "base_lr", base_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, base_lrs, strict=True):
                set_rate(group, rate)
        self.max_lrs = per_group(optimizer, "max_lr", max_lr)
        up = float(step_size_up)
        self.total_size = up + (up if step_size_down is None else float(step_size_down))
        self.step_ratio = up / self.total_size
        if mode not in ("triangular", "triangular2", "exp_range") and scale_fn is None:
            raise ValueError("mode is invalid and scale_fn is None")
        self.mode = mode
        self.gamma = gamma
        self._scale_fn_custom = scale_fn
        self.scale_mode = scale_mode
        if scale_fn is None:
            self.scale_mode = "iterations" if mode == "exp_range" else "cycle"
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self.base_momentums, self.max_momentums = self._start_momentum(
                base_momentum, max_momentum, last_epoch == -1
            )
        super().__init__(optimizer, last_epoch)
        self.base_lrs = base_lrs

    def scale_fn(self, x: float) -> float:
        """Return s for a number of a cycle or of a step, as `scale_mode` says."""
        if self._scale_fn_custom is not None:
            return self._scale_fn_custom(x)
        if self.mode == "exp_range":
            return float(self.gamma**x)
        return float(0.5 ** (x - 1)) if self.mode == "triangular2" else 1.0

    def get_lr(self) -> list[Any]:
        """Return the rates at step `last_epoch`, and set the momentum."""
        self._warn_outside_step()
        cycle = math.floor(1 + self.last_epoch / self.total_size)
        x = 1.0 + self.last_epoch / self.total_size - cycle
        rising = x <= self.step_ratio
        height = x / self.step_ratio if rising else (x - 1) / (self.step_ratio - 1)
        scale = self.scale_fn(cycle if self.scale_mode == "cycle" else self.last_epoch)
        if self.cycle_momentum:
            ends = zip(self.base_momentums, self.max_momentums, strict=True)
            for group, (low, high) in zip(self.optimizer.param_groups, ends, strict=True):
                self._set_momentum(group, high - (high - low) * height * scale)
        return [
            low + (high - low) * height * scale
            for low, high in zip(self.base_lrs, self.max_lrs, strict=True)
        ]

    def state_dict(self) -> dict[str, Any]:
        """Return all attributes but the optimizer and a plain function."""
        state = super().state_dict()
        function = state["_scale_fn_custom"]
        if isinstance(function, types.FunctionType):
            state["_scale_fn_custom"] = None
        elif function is not None:
            state["_scale_fn_custom"] = function.__dict__.copy()
        return state

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned; a plain function stays as it is."""
        others = {key: value for key, value in state_dict.items() if key != "_scale_fn_custom"}
        super().load_state_dict(others)
        if state_dict["_scale_fn_custom"] is not None:
            self._scale_fn_custom.__dict__.update(state_dict["_scale_fn_custom"])


class OneCycleLR(_WithMomentum):
    """From ``max_lr / div_factor`` to `max_lr`, and to nearly 0: one cycle for a whole training.

    The last rate is ``max_lr / div_factor / final_div_factor``. The momentum goes from
    `max_momentum` to `base_momentum` and back.

    Args:
        optimizer: whose groups get the rates.
        max_lr: the highest rate, one number or a list with one for each group.
        total_steps: steps of the cycle; or else `epochs` times `steps_per_epoch`.
        epochs: see `total_steps`.
        steps_per_epoch: see `total_steps`.
        pct_start: the part of the steps in which the rate rises.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        cycle_momentum: whether the momentum moves.
        base_momentum: its lower end.
        max_momentum: its upper end.
        div_factor: see above.
        final_div_factor: see above.
        three_phase: fall to the first rate as fast as it rose, and then to the last one.
        last_epoch: see `LRScheduler`.

    Raises:
        ValueError: an option is out of its range, or the optimizer has no momentum; by `step`,
            after `total_steps`.

    Source: Smith and Topin, Super-convergence: very fast training of neural networks using large
    learning rates (2018).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        max_lr: Any,
        total_steps: int | None = None,
        epochs: int | None = None,
        steps_per_epoch: int | None = None,
        pct_start: float = 0.3,
        anneal_strategy: str = "cos",
        cycle_momentum: bool = True,
        base_momentum: Any = 0.85,
        max_momentum: Any = 0.95,
        div_factor: float = 25.0,
        final_div_factor: float = 1e4,
        three_phase: bool = False,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"{type(optimizer).__name__} is not an Optimizer")
        self.optimizer = optimizer
        self.total_steps = _steps_of_cycle(total_steps, epochs, steps_per_epoch)
        if not (isinstance(pct_start, float) and 0 <= pct_start <= 1):
            raise ValueError(f"Expected float between 0 and 1 pct_start, but got {pct_start}")
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        self._anneal_func_type = anneal_strategy
        self._schedule_phases = _phases(self.total_steps, pct_start, three_phase)
        highest = per_group(optimizer, "max_lr", max_lr)
        if last_epoch == -1:
            for group, rate in zip(optimizer.param_groups, highest, strict=True):
                group["initial_lr"] = rate / div_factor
                group["max_lr"] = rate
                group["min_lr"] = group["initial_lr"] / final_div_factor
        self.cycle_momentum = cycle_momentum
        if cycle_momentum:
            self._start_momentum(base_momentum, max_momentum, last_epoch == -1)
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the rates at step `last_epoch`, and set the momentum."""
        self._warn_outside_step()
        t = self.last_epoch
        if t > self.total_steps:
            raise ValueError(
                f"Tried to step {t} times. The specified number of total steps is "
                f"{self.total_steps}"
            )
        begin: float = 0
        for phase in self._schedule_phases:
            if t <= phase["end_step"] or phase is self._schedule_phases[-1]:
                break
            begin = phase["end_step"]
        done = (t - begin) / (phase["end_step"] - begin)

        def between(group: dict[str, Any], what: str) -> Any:
            start, end = group[phase[f"start_{what}"]], group[phase[f"end_{what}"]]
            if self._anneal_func_type == "linear":
                return (end - start) * done + start
            return end + (start - end) / 2.0 * (math.cos(math.pi * done) + 1)

        groups = self.optimizer.param_groups
        if self.cycle_momentum:
            for group in groups:
                self._set_momentum(group, between(group, "momentum"))
        return [between(group, "lr") for group in groups]


def _steps_of_cycle(total: Any, epochs: Any, steps_per_epoch: Any) -> int:
    named = {"epochs": epochs, "steps_per_epoch": steps_per_epoch}
    if total is not None:
        named = {"total_steps": total}
    elif epochs is None or steps_per_epoch is None:
        raise ValueError("You must define either total_steps OR (epochs AND steps_per_epoch)")
    for name, value in named.items():
        if not isinstance(value, int) or value <= 0:
            raise ValueError(f"Expected positive integer {name}, but got {value}")
    return math.prod(named.values())


def _phases(total: int, rise: float, three_phase: bool) -> list[dict[str, Any]]:
    """Return the phases as PyTorch's state holds them: their last steps, and between what."""
    tops = [("initial_lr", "max_momentum"), ("max_lr", "base_momentum")]
    ends: list[float] = [rise * total - 1]
    if three_phase:
        tops.append(("initial_lr", "max_momentum"))
        ends.append(2 * rise * total - 2)
    tops.append(("min_lr", "max_momentum"))
    ends.append(total - 1)
    return [
        {
            "end_step": end,
            "start_lr": start[0],
            "end_lr": stop[0],
            "start_momentum": start[1],
            "end_momentum": stop[1],
        }
        for end, start, stop in zip(ends, tops, tops[1:], strict=False)
    ]


class CosineAnnealingWarmRestarts(LRScheduler):
    """``lr = eta_min + (base - eta_min) (1 + cos(pi T_cur / T_i)) / 2``.

    T_cur counts the steps since the last restart; T_i, the steps between two restarts, is `T_0` at
    first and grows by the factor `T_mult`.

    Args:
        optimizer: whose groups get the rates.
        T_0: steps until the first restart.
        T_mult: factor.
        eta_min: the lowest rate.
        last_epoch: see `LRScheduler`.

    Raises:
        ValueError: an option is out of its range.

    Source: Loshchilov and Hutter, SGDR: stochastic gradient descent with warm restarts (2017).
    """

    def __init__(
        self,
        optimizer: Optimizer,
        T_0: int,  # noqa: N803 - PyTorch's names
        T_mult: int = 1,  # noqa: N803
        eta_min: float = 0.0,
        last_epoch: int = -1,
    ) -> None:
        if not isinstance(T_0, int) or T_0 <= 0:
            raise ValueError(f"Expected positive integer T_0, but got {T_0}")
        if not isinstance(T_mult, int) or T_mult < 1:
            raise ValueError(f"Expected integer T_mult >= 1, but got {T_mult}")
        if not isinstance(eta_min, (float, int)):
            raise ValueError(
                f"Expected float or int eta_min, but got {eta_min} of type {type(eta_min)}"
            )
        self.T_0 = T_0
        self.T_i = T_0
        self.T_mult = T_mult
        self.eta_min = eta_min
        self.T_cur: float = last_epoch
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the rates at `T_cur`."""
        self._warn_outside_step()
        height = (1 + math.cos(math.pi * self.T_cur / self.T_i)) / 2
        return [self.eta_min + (base - self.eta_min) * height for base in self.base_lrs]

    def step(self, epoch: float | None = None) -> None:
        """Set the next rates; `epoch` goes to that step, which may lie between two whole ones.

        Raises:
            ValueError: `epoch` is negative.
        """
        if epoch is None and self.last_epoch < 0:
            epoch = 0
        if epoch is None:
            epoch = self.last_epoch + 1
            self.T_cur += 1
            if self.T_cur >= self.T_i:
                self.T_cur %= self.T_i
                self.T_i *= self.T_mult
        elif epoch < 0:
            raise ValueError(f"Expected non-negative epoch, but got {epoch}")
        else:
            self._go_to(epoch)
        self.last_epoch = math.floor(epoch)
        self._get_lr_called_within_step = True
        try:
            values = self.get_lr()
        finally:
            self._get_lr_called_within_step = False
        for group, rate in zip(self.optimizer.param_groups, values, strict=True):
            set_rate(group, rate)
        self._last_lr = rates(self.optimizer)

    def _go_to(self, epoch: float) -> None:
        if epoch < self.T_0:
            self.T_i, self.T_cur = self.T_0, epoch
        elif self.T_mult == 1:
            self.T_cur = epoch % self.T_0
        else:
            m = self.T_mult
            restarts = int(math.log(epoch / self.T_0 * (m - 1) + 1, m))
            self.T_cur = epoch - self.T_0 * (m**restarts - 1) / (m - 1)
            self.T_i = self.T_0 * m**restarts
