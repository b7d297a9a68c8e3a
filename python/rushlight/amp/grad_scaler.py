"""`GradScaler`: losses scaled up, so that small gradients do not vanish in float16."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.optim import Optimizer
from rushlight.tensor import Tensor

__all__ = ["GradScaler"]


class GradScaler:
    """Scales losses, takes the scale out of gradients, and leaves out steps that overflowed.

    A pass is ``scale(loss).backward(); step(optimizer); update()``; call `unscale_` between them to
    see the gradients themselves.

    Args:
        device: ``"cuda"`` or ``"cpu"``.
        init_scale: the first scale.
        growth_factor: by which it grows after `growth_interval` passes without overflow.
        backoff_factor: by which it shrinks after an overflow.
        growth_interval: see above.
        enabled: False makes all methods do nothing but pass on.

    Raises:
        AssertionError: a factor is out of its range.
        NotImplementedError: for another device.
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ) -> None:
        if device not in ("cuda", "cpu"):
            raise NotImplementedError(f"GradScaler: device={device!r} is not supported")
        self._device = device
        self._enabled = enabled and _is_there(device)
        if self._enabled:
            if not growth_factor > 1.0:
                raise AssertionError("The growth factor must be > 1.0.")
            if not backoff_factor < 1.0:
                raise AssertionError("The backoff factor must be < 1.0.")
        self._scale = float(init_scale)
        self._growth_factor = growth_factor
        self._backoff_factor = backoff_factor
        self._growth_interval = growth_interval
        self._growth_tracker = 0
        # By the identity of each optimizer: what was done to it in this pass, and whether the
        # gradients overflowed.
        self._stages: dict[int, str] = {}
        self._overflowed: dict[int, bool] = {}

    def scale(self, outputs: Any) -> Any:
        """Return the outputs times the scale: a tensor, or a list or tuple of them.

        Raises:
            ValueError: for anything else.
        """
        if not self._enabled:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs * self._scale
        if isinstance(outputs, (list, tuple)):
            parts = [self.scale(part) for part in outputs]
            return type(outputs)(*parts) if hasattr(outputs, "_fields") else type(outputs)(parts)
        raise ValueError("outputs must be a Tensor or an iterable of Tensors")

    def unscale_(self, optimizer: Optimizer) -> None:
        """Divide the optimizer's gradients by the scale, in place.

        Raises:
            RuntimeError: it was done before in this pass.
            ValueError: a gradient is of float16, which the parameters should not be of.
        """
        if not self._enabled:
            return
        stage = self._stages.get(id(optimizer))
        if stage == "unscaled":
            raise RuntimeError(
                "unscale_() has already been called on this optimizer since the last update()."
            )
        if stage == "stepped":
            raise RuntimeError("unscale_() is being called after step().")
        inverse = float(np.float32(1.0 / self._scale))
        finite: dict[Any, list[Tensor]] = {}  # by device, each of which is waited for once
        with no_grad():
            for group in optimizer.param_groups:
                for parameter in group["params"]:
                    grad = parameter.grad
                    if grad is None:
                        continue
                    if str(grad.dtype) == "torch.float16":
                        raise ValueError("Attempting to unscale FP16 gradients.")
                    finite.setdefault(grad.device, []).append(grad.isfinite().all())
                    grad.mul_(inverse)
        well = all(bool(ops.stack(flags).all().item()) for flags in finite.values())
        self._overflowed[id(optimizer)] = not well
        self._stages[id(optimizer)] = "unscaled"

    def step(self, optimizer: Optimizer, *args: Any, **kwargs: Any) -> Any:
        """Unscale the gradients, unless that is done, and step if none of them overflowed.

        Returns:
            What the optimizer's step returns, or None.

        Raises:
            RuntimeError: it has stepped in this pass already, or a closure is given.
            AssertionError: it has no gradients.
        """
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs or args:
            raise RuntimeError("Closure use is not currently supported if GradScaler is enabled.")
        if self._stages.get(id(optimizer)) == "stepped":
            raise RuntimeError("step() has already been called since the last update().")
        if id(optimizer) not in self._stages:
            self.unscale_(optimizer)
        if all(p.grad is None for group in optimizer.param_groups for p in group["params"]):
            raise AssertionError("No inf checks were recorded for this optimizer.")
        self._stages[id(optimizer)] = "stepped"
        return None if self._overflowed[id(optimizer)] else optimizer.step(**kwargs)

    def update(self, new_scale: float | Tensor | None = None) -> None:
        """End the pass: grow or shrink the scale, or set it.

        Raises:
            AssertionError: no optimizer was unscaled in this pass.
        """
        if not self._enabled:
            return
        if new_scale is not None:
            self._scale = float(new_scale)
        else:
            if not self._overflowed:
                raise AssertionError("No inf checks were recorded prior to update.")
            self._adapt(any(self._overflowed.values()))
        self._stages.clear()
        self._overflowed.clear()

    def _adapt(self, overflowed: bool) -> None:
        if overflowed:
            self._scale *= self._backoff_factor
            self._growth_tracker = 0
            return
        self._growth_tracker += 1
        if self._growth_tracker == self._growth_interval:
            grown = float(np.float32(self._scale * self._growth_factor))
            self._scale = grown if math.isfinite(grown) else self._scale
            self._growth_tracker = 0

    # ---- Settings ----

    def get_scale(self) -> float:
        """Return the scale, 1 when not enabled."""
        return self._scale if self._enabled else 1.0

    def get_growth_factor(self) -> float:
        """Return the factor by which the scale grows."""
        return self._growth_factor

    def set_growth_factor(self, new_factor: float) -> None:
        """Set the factor by which the scale grows."""
        self._growth_factor = new_factor

    def get_backoff_factor(self) -> float:
        """Return the factor by which the scale shrinks."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor: float) -> None:
        """Set the factor by which the scale shrinks."""
        self._backoff_factor = new_factor

    def get_growth_interval(self) -> int:
        """Return after how many passes the scale grows."""
        return self._growth_interval

    def set_growth_interval(self, new_interval: int) -> None:
        """Set after how many passes the scale grows."""
        self._growth_interval = new_interval

    def is_enabled(self) -> bool:
        """Whether it scales."""
        return self._enabled

    def state_dict(self) -> dict[str, Any]:
        """Return the scale and the settings, an empty dict when not enabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self._scale,
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._growth_tracker,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take back what `state_dict` returned.

        Raises:
            RuntimeError: it is empty.
        """
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(
                "The source state dict is empty, possibly because it was saved from a disabled "
                "instance of GradScaler."
            )
        self._scale = float(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._growth_tracker = int(state_dict["_growth_tracker"])


def _is_there(device: str) -> bool:
    if device == "cpu":
        return True
    from rushlight import cuda

    if not cuda.is_available():
        warnings.warn(
            "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling.",
            stacklevel=3,
        )
        return False
    return True
