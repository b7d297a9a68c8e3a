"""What a worker process knows of itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class WorkerInfo:
    """One worker process of a `DataLoader`.

    Args:
        id: its number, from 0.
        num_workers: how many there are.
        seed: what its generators were seeded with: the loader's base seed plus `id`.
        dataset: its own copy of the dataset.
    """

    id: int
    num_workers: int
    seed: int
    dataset: Any


current: WorkerInfo | None = None


def get_worker_info() -> WorkerInfo | None:
    """What the current worker process knows of itself; None in the main process."""
    return current
