"""Page-locked memory for batches on their way to a CUDA device."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from rushlight.tensor import Tensor


def can_pin() -> bool:
    """Whether there is a device to pin memory for; warns when there is none, as PyTorch does."""
    from rushlight import cuda  # only who asks for pinned memory waits for it

    if cuda.is_available():
        return True
    warnings.warn(
        "'pin_memory' argument is set as true but no accelerator is found, "
        "then device pinned memory won't be used.",
        stacklevel=4,
    )
    return False


def pinned(batch: Any) -> Any:
    """The batch with every tensor in page-locked memory, inside containers too."""
    if isinstance(batch, Tensor):
        return batch.pin_memory()
    if isinstance(batch, Mapping):
        return {key: pinned(value) for key, value in batch.items()}
    if isinstance(batch, tuple) and hasattr(batch, "_fields"):
        return type(batch)(*map(pinned, batch))
    if isinstance(batch, Sequence) and not isinstance(batch, str | bytes):
        return [pinned(item) for item in batch]
    return batch.pin_memory() if hasattr(batch, "pin_memory") else batch
