"""The sampler that shares a dataset out among processes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from rushlight import ops
from rushlight.random import Generator
from rushlight.utils.data.sampler import Sampler

__all__ = ["DistributedSampler"]


class DistributedSampler(Sampler[int]):
    """Every `num_replicas`-th index, from the `rank`-th on, so that each process gets its own.

    The order is that of PyTorch's for the same seed and epoch. Call `set_epoch` before each pass,
    or all passes have the same order.

    Args:
        dataset: with a length.
        num_replicas: how many processes there are. There are no process groups to ask, so it must
            be given.
        rank: which of them this one is; must be given as well.
        shuffle: draw a random order from `seed` and the epoch.
        seed: the same in all processes.
        drop_last: leave out the last samples where they are too few for all processes; otherwise
            some are given out twice.

    Raises:
        RuntimeError: `num_replicas` or `rank` is None.
        ValueError: `rank` is none of the processes.
    """

    def __init__(
        self,
        dataset: Any,
        num_replicas: int | None = None,
        rank: int | None = None,
        shuffle: bool = True,
        seed: int = 0,
        drop_last: bool = False,
    ) -> None:
        if num_replicas is None or rank is None:
            raise RuntimeError("Requires distributed package to be available")
        if not 0 <= rank < num_replicas:
            raise ValueError(
                f"Invalid rank {rank}, rank should be in the interval [0, {num_replicas - 1}]"
            )
        self.dataset = dataset
        self.num_replicas = num_replicas
        self.rank = rank
        self.epoch = 0
        self.drop_last = drop_last
        count = len(dataset)
        self.num_samples = count // num_replicas if drop_last else math.ceil(count / num_replicas)
        self.total_size = self.num_samples * num_replicas
        self.shuffle = shuffle
        self.seed = seed

    def __iter__(self) -> Iterator[int]:
        order = list(range(len(self.dataset)))
        if self.shuffle:
            generator = Generator().manual_seed(self.seed + self.epoch)
            order = ops.randperm(len(order), generator=generator).tolist()
        if order:  # begins again from the front, until there are enough for all
            order *= math.ceil(self.total_size / len(order)) or 1
        return iter(order[self.rank : self.total_size : self.num_replicas])

    def __len__(self) -> int:
        return self.num_samples

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of the next pass."""
        self.epoch = epoch
