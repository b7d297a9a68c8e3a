"""`DataLoader`: batches of a dataset, in this process or through worker processes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import repeat
from typing import Any, Generic, TypeVar

from rushlight.random import Generator
from rushlight.utils.data._utils.collate import default_collate, default_convert
from rushlight.utils.data._utils.fetch import FetchPlan
from rushlight.utils.data._utils.pin_memory import can_pin, pinned
from rushlight.utils.data.dataset import Dataset, IterableDataset
from rushlight.utils.data.sampler import (
    BatchSampler,
    RandomSampler,
    Sampler,
    SequentialSampler,
    draw_seed,
)

T_co = TypeVar("T_co", covariant=True)

_FROZEN = ("batch_size", "batch_sampler", "sampler", "drop_last", "dataset", "persistent_workers")


class DataLoader(Generic[T_co]):
    """Iterate over a dataset in batches.

    Every ``iter(loader)`` starts a new pass; a shuffled one draws a new order, the same as
    PyTorch's for the same seed.

    Args:
        dataset: map-style or iterable-style.
        batch_size: samples in a batch; None turns batching off: the samples come one by one.
        shuffle: a new random order in every pass.
        sampler: an iterable of indices, instead of `shuffle`.
        batch_sampler: an iterable of lists of indices, instead of `batch_size`, `shuffle`,
            `sampler` and `drop_last`.
        num_workers: processes that load batches ahead; 0 loads in this process.
        collate_fn: makes a batch of a list of samples; `default_collate` when None.
        pin_memory: put the batches into page-locked memory; a warning and no more without CUDA.
        drop_last: leave out an incomplete last batch.
        timeout: seconds to wait for a batch from the workers; 0 waits forever.
        worker_init_fn: called in every worker with its number, after seeding.
        multiprocessing_context: a start method's name or a context.
        generator: where the order and the base seed are drawn from; None is the default one.
        prefetch_factor: batches that each worker loads ahead; 2 when None.
        persistent_workers: keep the workers from one pass to the next.
        pin_memory_device: deprecated in PyTorch; must be empty.
        in_order: hand out batches in the sampler's order.

    Raises:
        ValueError: options exclude one another or are out of range.
        NotImplementedError: `pin_memory_device` is given.
        TypeError: `multiprocessing_context` is neither a name nor a context.
        RuntimeError: while iterating: a worker died, or none answered within `timeout`.

    Example:
        >>> import rushlight as torch
        >>> from rushlight.utils.data import DataLoader, TensorDataset
        >>> loader = DataLoader(TensorDataset(torch.arange(5)), batch_size=2)
        >>> [batch.tolist() for (batch,) in loader]
        [[0, 1], [2, 3], [4]]
    """

    _initialized = False
    _iterator: Any = None  # of persistent workers, from the first pass on

    def __init__(
        self,
        dataset: Dataset[T_co],
        batch_size: int | None = 1,
        shuffle: bool | None = None,
        sampler: Sampler[Any] | Iterable[Any] | None = None,
        batch_sampler: Sampler[list[Any]] | Iterable[list[Any]] | None = None,
        num_workers: int = 0,
        collate_fn: Callable[[list[Any]], Any] | None = None,
        pin_memory: bool = False,
        drop_last: bool = False,
        timeout: float = 0,
        worker_init_fn: Callable[[int], None] | None = None,
        multiprocessing_context: Any = None,
        generator: Generator | None = None,
        *,
        prefetch_factor: int | None = None,
        persistent_workers: bool = False,
        pin_memory_device: str = "",
        in_order: bool = True,
    ) -> None:
        _check_worker_options(num_workers, timeout, prefetch_factor, persistent_workers)
        _check_batch_options(dataset, batch_size, shuffle, sampler, batch_sampler, drop_last)
        if pin_memory_device:
            raise NotImplementedError("DataLoader: pin_memory_device is not supported")
        if sampler is None:
            sampler = _default_sampler(dataset, bool(shuffle), generator)
        if batch_sampler is not None:
            batch_size = None
        elif batch_size is not None:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        default = default_convert if batch_sampler is None else default_collate

        self.dataset = dataset
        self.batch_size = batch_size
        self.sampler = sampler
        self.batch_sampler = batch_sampler
        self.num_workers = num_workers
        self.collate_fn = collate_fn or default
        self.pin_memory = pin_memory
        self.drop_last = drop_last
        self.timeout = timeout
        self.worker_init_fn = worker_init_fn
        self.multiprocessing_context = _context(multiprocessing_context, num_workers)
        self.generator = generator
        self.prefetch_factor = 2 if num_workers > 0 and prefetch_factor is None else prefetch_factor
        self.persistent_workers = persistent_workers
        self.pin_memory_device = pin_memory_device
        self.in_order = in_order
        self._initialized = True

    def __setattr__(self, name: str, value: Any) -> None:
        if self._initialized and name in _FROZEN:
            raise ValueError(
                f"{name} attribute should not be set after {type(self).__name__} is initialized"
            )
        super().__setattr__(name, value)

    def __iter__(self) -> Iterator[Any]:
        if self.num_workers == 0:
            return SingleProcessIterator(self)
        # multiprocessing takes longer to import than all of this package's tools.
        from rushlight.utils.data._utils.workers import MultiProcessIterator

        if not self.persistent_workers:
            return MultiProcessIterator(self)
        if self._iterator is None:
            self._iterator = MultiProcessIterator(self)
        else:
            self._iterator.restart(self)
        return self._iterator  # type: ignore[no-any-return]

    def __len__(self) -> int:
        if not isinstance(self.dataset, IterableDataset):
            return len(self._index_sampler)  # type: ignore[arg-type]  # may lack len()
        count = len(self.dataset)  # type: ignore[arg-type]  # may lack len()
        if self.batch_size is None:
            return count
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)

    @property
    def _index_sampler(self) -> Iterable[Any]:
        """What yields the fetcher's indices: lists of them when samples are batched."""
        return self.sampler if self.batch_sampler is None else self.batch_sampler

    @property
    def _plan(self) -> FetchPlan:
        batched = self.batch_sampler is not None
        return FetchPlan(self.dataset, batched, self.collate_fn, self.drop_last)


class SingleProcessIterator(Iterator[Any]):
    """One pass of a loader without workers.

    Its random draws happen in PyTorch's order: the base seed here, the order of the samples when
    the first batch is asked for.

    Args:
        loader: what to read.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        self._indices = iter(loader._index_sampler)
        # Only workers would use it, but PyTorch's stream moves on by it for every pass.
        draw_seed(loader.generator)
        self._fetch = loader._plan.fetcher()
        self._pin = loader.pin_memory and can_pin()

    def __next__(self) -> Any:
        batch = self._fetch(next(self._indices))
        return pinned(batch) if self._pin else batch


def _default_sampler(dataset: Any, shuffle: bool, generator: Generator | None) -> Iterable[Any]:
    if isinstance(dataset, IterableDataset):
        return repeat(None)
    return RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)


def _context(context: Any, num_workers: int) -> Any:
    """The multiprocessing context for a name, or the one given."""
    if context is None:
        return None
    if num_workers == 0:
        raise ValueError(
            "multiprocessing_context can only be used with multi-process loading "
            f"(num_workers > 0), but got num_workers={num_workers}"
        )
    import multiprocessing

    if isinstance(context, str):
        methods = multiprocessing.get_all_start_methods()
        if context not in methods:
            raise ValueError(
                "multiprocessing_context option should specify a valid start method in "
                f"{methods!r}, but got multiprocessing_context={context!r}"
            )
        return multiprocessing.get_context(context)
    if not isinstance(context, multiprocessing.context.BaseContext):
        raise TypeError(
            "multiprocessing_context option should be a valid context object or a string "
            f"specifying the start method, but got multiprocessing_context={context}"
        )
    return context


def _check_worker_options(
    num_workers: int, timeout: float, prefetch_factor: int | None, persistent_workers: bool
) -> None:
    if num_workers < 0:
        raise ValueError(
            "num_workers option should be non-negative; use num_workers=0 to disable "
            "multiprocessing."
        )
    if timeout < 0:
        raise ValueError("timeout option should be non-negative")
    if num_workers == 0 and prefetch_factor is not None:
        raise ValueError(
            "prefetch_factor option could only be specified in multiprocessing."
            "let num_workers > 0 to enable multiprocessing, otherwise set prefetch_factor to None."
        )
    if prefetch_factor is not None and prefetch_factor < 0:
        raise ValueError("prefetch_factor option should be non-negative")
    if prefetch_factor == 0:
        raise ValueError("prefetch_factor option should be positive when there are workers")
    if persistent_workers and num_workers == 0:
        raise ValueError("persistent_workers option needs num_workers > 0")


def _check_iterable_options(shuffle: bool | None, sampler: Any, batch_sampler: Any) -> None:
    given = {"shuffle": shuffle or None, "sampler": sampler, "batch_sampler": batch_sampler}
    for name, value in given.items():
        if value is not None:
            raise ValueError(
                f"DataLoader with IterableDataset: expected unspecified {name} option, "
                f"but got {name}={value}"
            )


def _check_batch_options(
    dataset: Any,
    batch_size: int | None,
    shuffle: bool | None,
    sampler: Any,
    batch_sampler: Any,
    drop_last: bool,
) -> None:
    if isinstance(dataset, IterableDataset):
        _check_iterable_options(shuffle, sampler, batch_sampler)
    if sampler is not None and shuffle:
        raise ValueError("sampler option is mutually exclusive with shuffle")
    if batch_sampler is not None and (
        batch_size != 1 or shuffle or sampler is not None or drop_last
    ):
        raise ValueError(
            "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and "
            "drop_last"
        )
    if batch_sampler is None and batch_size is None and drop_last:
        raise ValueError(
            "batch_size=None option disables auto-batching and is mutually exclusive with drop_last"
        )
