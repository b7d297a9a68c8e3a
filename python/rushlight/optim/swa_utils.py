"""Averages of a model's parameters over the steps of its training."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

from rushlight import nn, ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.dtypes import int64
from rushlight.tensor import Tensor

from .lr_scheduler._base import LRScheduler, per_group
from .optimizer import Optimizer

__all__ = [
    "SWALR",
    "AveragedModel",
    "get_ema_avg_fn",
    "get_ema_multi_avg_fn",
    "get_swa_avg_fn",
    "get_swa_multi_avg_fn",
    "update_bn",
]

AvgFn = Callable[[Tensor, Tensor, Any], Tensor]
MultiAvgFn = Callable[[Sequence[Tensor], Sequence[Tensor], Any], None]


def get_ema_avg_fn(decay: float = 0.999) -> AvgFn:
    """Return ``f(average, value, n) = decay average + (1 - decay) value``.

    Raises:
        ValueError: `decay` is not in [0, 1].
    """
    _check_decay(decay)

    @no_grad()
    def update(average: Tensor, value: Tensor, n: Any) -> Tensor:
        return average * decay + value * (1 - decay)

    return update


def get_swa_avg_fn() -> AvgFn:
    """Return ``f(average, value, n) = average + (value - average) / (n + 1)``."""

    @no_grad()
    def update(average: Tensor, value: Tensor, n: Any) -> Tensor:
        return average + (value - average) / (n + 1)  # type: ignore[no-any-return]

    return update


def get_ema_multi_avg_fn(decay: float = 0.999) -> MultiAvgFn:
    """Return a function that does what `get_ema_avg_fn` says to lists of tensors, in place.

    Raises:
        ValueError: `decay` is not in [0, 1].
    """
    _check_decay(decay)
    return _in_place(get_ema_avg_fn(decay), lambda n: 1 - decay)


def get_swa_multi_avg_fn() -> MultiAvgFn:
    """Return a function that does what `get_swa_avg_fn` says to lists of tensors, in place."""
    return _in_place(get_swa_avg_fn(), lambda n: 1 / (int(n) + 1))


def _in_place(function: AvgFn, weight: Callable[[Any], float]) -> MultiAvgFn:
    @no_grad()
    def update(averages: Sequence[Tensor], values: Sequence[Tensor], n: Any) -> None:
        for average, value in zip(averages, values, strict=True):
            if average.is_floating_point():
                average.lerp_(value, weight(n))
            else:
                average.copy_(function(average, value, n))

    return update


def _check_decay(decay: float) -> None:
    if not 0.0 <= decay <= 1.0:
        raise ValueError(
            f"Invalid decay value {decay} provided. Please provide a value in [0,1] range."
        )


class AveragedModel(nn.Module):
    """A copy of a model whose parameters are an average of the model's, so far.

    Args:
        model: copied as ``module``.
        device: where the copy is; the model's when None.
        avg_fn: ``f(average, value, n)``, which returns the next average of a parameter after n
            values; the equal one of all values when None.
        multi_avg_fn: the same for lists of parameters of one device and dtype, in place.
        use_buffers: average the buffers too; else they are copied.

    Raises:
        AssertionError: both functions are given.
    """

    n_averaged: Tensor

    def __init__(
        self,
        model: nn.Module,
        device: Any = None,
        avg_fn: AvgFn | None = None,
        multi_avg_fn: MultiAvgFn | None = None,
        use_buffers: bool = False,
    ) -> None:
        super().__init__()
        if avg_fn is not None and multi_avg_fn is not None:
            raise AssertionError("Only one of avg_fn and multi_avg_fn should be provided")
        self.module = deepcopy(model)
        if device is not None:
            self.module = self.module.to(device)
        self.register_buffer("n_averaged", ops.tensor(0, dtype=int64, device=device))
        self.avg_fn = avg_fn
        self.multi_avg_fn = multi_avg_fn
        self.use_buffers = use_buffers

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the copy."""
        return self.module(*args, **kwargs)

    @no_grad()
    def update_parameters(self, model: nn.Module) -> None:
        """Take the model's parameters into the average."""
        averages = [tensor.detach() for tensor in self._averaged(self.module)]
        values = [
            value.detach().to(average.device)
            for average, value in zip(averages, self._averaged(model), strict=True)
        ]
        n = int(self.n_averaged.item())
        if n == 0:
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)
        elif self.multi_avg_fn is not None:
            for kept, new in _by_kind(averages, values):
                self.multi_avg_fn(kept, new, self.n_averaged)
        else:
            function = self.avg_fn or get_swa_avg_fn()
            for average, value in zip(averages, values, strict=True):
                average.copy_(function(average, value, self.n_averaged.to(average.device)))
        if not self.use_buffers:
            for kept_buffer, buffer in zip(self.module.buffers(), model.buffers(), strict=True):
                kept_buffer.detach().copy_(buffer.detach().to(kept_buffer.device))
        self.n_averaged += 1

    def _averaged(self, model: nn.Module) -> Iterable[Tensor]:
        buffers = model.buffers() if self.use_buffers else ()
        return itertools.chain(model.parameters(), buffers)


def _by_kind(
    averages: list[Tensor], values: list[Tensor]
) -> Iterable[tuple[list[Tensor], list[Tensor]]]:
    """Sort pairs into lists of one device and dtype."""
    kinds: dict[Any, tuple[list[Tensor], list[Tensor]]] = {}
    for average, value in zip(averages, values, strict=True):
        kept, new = kinds.setdefault((average.device, average.dtype), ([], []))
        kept.append(average)
        new.append(value)
    return kinds.values()


@no_grad()
def update_bn(loader: Iterable[Any], model: nn.Module, device: Any = None) -> None:
    """Compute the running statistics of the model's batch normalisations anew, over a loader.

    Args:
        loader: yields inputs, or tuples or lists that begin with one.
        model: runs in training mode; nothing happens if it normalises no batches.
        device: where the inputs are sent; None leaves them where they are.
    """
    layers = [m for m in model.modules() if hasattr(m, "reset_running_stats")]
    if not layers:
        return
    momenta = [layer.momentum for layer in layers]
    for layer in layers:
        layer.reset_running_stats()
        layer.momentum = None  # the equal average of all batches
    was_training = model.training
    model.train()
    for batch in loader:
        inputs = batch[0] if isinstance(batch, (list, tuple)) else batch
        model(inputs if device is None else inputs.to(device))
    for layer, momentum in zip(layers, momenta, strict=True):
        layer.momentum = momentum
    model.train(was_training)


class SWALR(LRScheduler):
    """From the rates there are to `swa_lr` within `anneal_epochs` steps.

    Args:
        optimizer: whose groups get the rates.
        swa_lr: the last rate, one number or a list with one for each group.
        anneal_epochs: steps.
        anneal_strategy: ``"cos"`` or ``"linear"``.
        last_epoch: see `LRScheduler`.

    Raises:
        ValueError: an option is out of its range.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        swa_lr: Any,
        anneal_epochs: int = 10,
        anneal_strategy: str = "cos",
        last_epoch: int = -1,
    ) -> None:
        for group, rate in zip(
            optimizer.param_groups, per_group(optimizer, "swa_lr", swa_lr), strict=True
        ):
            group["swa_lr"] = rate
        if anneal_strategy not in ("cos", "linear"):
            raise ValueError(
                f"anneal_strategy must be one of 'cos' or 'linear', instead got {anneal_strategy}"
            )
        if not isinstance(anneal_epochs, int) or anneal_epochs < 0:
            raise ValueError(f"anneal_epochs must be equal or greater than 0, got {anneal_epochs}")
        self._anneal_strategy = anneal_strategy
        self.anneal_epochs = anneal_epochs
        super().__init__(optimizer, last_epoch)

    def get_lr(self) -> list[Any]:
        """Return the next rates, from those that are set."""
        self._warn_outside_step()
        step = self._step_count - 1
        if self.anneal_epochs == 0:
            step = max(1, step)
        former, now = self._done(step - 1), self._done(step)
        return [
            _between(_undone(group["lr"], group["swa_lr"], former), group["swa_lr"], now)
            for group in self.optimizer.param_groups
        ]

    def _done(self, step: int) -> float:
        part = max(0.0, min(1.0, step / max(1, self.anneal_epochs)))
        return (1 - math.cos(math.pi * part)) / 2 if self._anneal_strategy == "cos" else part


def _between(start: Any, end: Any, done: float) -> Any:
    return end * done + start * (1 - done)


def _undone(rate: Any, end: Any, done: float) -> Any:
    """Return where the rate started from, if it has come so far on its way to the end."""
    return end if done == 1 else (rate - done * end) / (1 - done)
