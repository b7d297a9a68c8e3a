"""Fetchers: from the indices of a batch to the batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rushlight.tensor import Tensor
from rushlight.utils.data._utils.collate import default_collate
from rushlight.utils.data.dataset import IterableDataset, Subset, TensorDataset, fetch_samples


@dataclass(frozen=True)
class FetchPlan:
    """How a loader reads its dataset: all that a worker process must know of the loader.

    Args:
        dataset: map-style or iterable-style.
        batched: whether an index is a list, to be collated, or a single sample's.
        collate_fn: applied to the list of samples, or to the sample.
        drop_last: leave out an incomplete last batch of an iterable-style dataset.
    """

    dataset: Any
    batched: bool
    collate_fn: Callable[[Any], Any]
    drop_last: bool

    def fetcher(self) -> Callable[[Any], Any]:
        """Start reading: a function from an index (or a list of them) to a batch.

        For an iterable-style dataset it raises StopIteration at the end.
        """
        if isinstance(self.dataset, IterableDataset):
            return self._iterable_fetcher()
        return self._fetch

    def _fetch(self, index: Any) -> Any:
        if not self.batched:
            return self.collate_fn(self.dataset[index])
        if self.collate_fn is default_collate:
            batch = _gather(self.dataset, index)
            if batch is not None:
                return batch
        return self.collate_fn(fetch_samples(self.dataset, index))

    def _iterable_fetcher(self) -> Callable[[Any], Any]:
        samples = iter(self.dataset)
        ended = False

        def fetch(index: Any) -> Any:
            nonlocal ended
            if ended:
                raise StopIteration
            if not self.batched:
                return self.collate_fn(next(samples))
            batch = [sample for _, sample in zip(index, samples, strict=False)]
            ended = len(batch) < len(index)
            if not batch or (ended and self.drop_last):
                raise StopIteration
            return self.collate_fn(batch)

        return fetch


def _gather(dataset: Any, indices: Sequence[Any]) -> list[Tensor] | None:
    """The collated batch of a plain `TensorDataset` by one indexing a tensor; None for others.

    Equal to collating the samples one by one, which costs two small ops a sample and tensor.
    Exact types only: a subclass may do more in ``__getitem__``.
    """
    while type(dataset) is Subset:
        indices = [dataset.indices[i] for i in indices]
        dataset = dataset.dataset
    if type(dataset) is not TensorDataset or any(type(i) is not int for i in indices):
        return None
    return [tensor[list(indices)] for tensor in dataset.tensors]
