"""Modules on several devices: there is one, so `DataParallel` calls its module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .modules.module import Module

__all__ = ["DataParallel", "DistributedDataParallel", "data_parallel"]


def _check_devices(device_ids: Sequence[Any] | None) -> None:
    if device_ids is not None and len(device_ids) > 1:
        raise NotImplementedError(
            f"device_ids={list(device_ids)!r} is not supported; there is one device"
        )


class DataParallel(Module):
    """Calls `module`, which the keys of the state_dict name: ``module.<name>``.

    Args:
        module: the module.
        device_ids: at most one.
        output_device: of no effect.
        dim: of no effect.

    Raises:
        NotImplementedError: there are several `device_ids`.
    """

    def __init__(
        self,
        module: Module,
        device_ids: Sequence[Any] | None = None,
        output_device: Any = None,
        dim: int = 0,
    ) -> None:
        super().__init__()
        _check_devices(device_ids)
        self.module = module
        self.device_ids = list(device_ids or ())
        self.output_device = output_device
        self.dim = dim

    def forward(self, *inputs: Any, **kwargs: Any) -> Any:
        """Return what the module makes of the inputs."""
        return self.module(*inputs, **kwargs)


class DistributedDataParallel(Module):
    """Not supported: there is no training over several processes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError("DistributedDataParallel is not supported")


def data_parallel(
    module: Module,
    inputs: Any,
    device_ids: Sequence[Any] | None = None,
    output_device: Any = None,
    dim: int = 0,
    module_kwargs: dict[str, Any] | None = None,
) -> Any:
    """Return what `module` makes of the inputs; the arguments are those of `DataParallel`."""
    _check_devices(device_ids)
    args = inputs if isinstance(inputs, tuple) else (inputs,)
    return module(*args, **(module_kwargs or {}))
