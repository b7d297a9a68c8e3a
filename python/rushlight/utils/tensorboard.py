"""Logs for TensorBoard, through the library tensorboardX."""

from __future__ import annotations

import functools
from typing import Any

from rushlight.tensor import Tensor

__all__ = ["SummaryWriter"]


class SummaryWriter:
    """Writes what TensorBoard shows: tensorboardX's class of this name, which takes tensors.

    Args:
        log_dir: the folder; one of the time and the machine when None.
        args: those of tensorboardX.
        kwargs: those of tensorboardX.

    Raises:
        ImportError: tensorboardX is not installed.
    """

    def __init__(self, log_dir: str | None = None, *args: Any, **kwargs: Any) -> None:
        try:
            import tensorboardX
        except ImportError as error:
            raise ImportError(
                "torch.utils.tensorboard needs tensorboardX here: pip install tensorboardX"
            ) from error
        self._writer = tensorboardX.SummaryWriter(log_dir, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        if name == "_writer":
            raise AttributeError(name)
        value = getattr(self._writer, name)
        if not name.startswith("add_"):
            return value

        @functools.wraps(value)
        def method(*args: Any, **kwargs: Any) -> Any:
            return value(*_arrays(args), **_arrays(kwargs))

        return method

    def __enter__(self) -> SummaryWriter:
        return self

    def __exit__(self, *exception: Any) -> None:
        self._writer.close()


def _arrays(value: Any) -> Any:
    """Return the value with arrays in the place of tensors, in containers too."""
    if isinstance(value, Tensor):
        return value.detach().numpy(force=True)
    if isinstance(value, dict):
        return {key: _arrays(item) for key, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_arrays(item) for item in value)
    return value
