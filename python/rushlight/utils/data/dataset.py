"""Datasets: what a `DataLoader` reads samples from, and the ways to combine and split them.

A *map-style* dataset answers ``dataset[index]`` and ``len(dataset)``; an *iterable-style* one only
``iter(dataset)``. A map-style dataset may also define ``__getitems__(indices)``, which returns the
samples of a whole batch at once.
"""

from __future__ import annotations

import math
import warnings
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any, Generic, TypeVar

from rushlight import ops
from rushlight.random import Generator
from rushlight.tensor import Tensor

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class Dataset(Generic[T_co]):
    """A map-style dataset: subclasses define ``__getitem__``, and as a rule ``__len__``."""

    # No __len__ here: `list(dataset)` would call it, and an absent one is what len() reports best.

    def __getitem__(self, index: Any) -> T_co:
        raise NotImplementedError("Subclasses of Dataset should implement __getitem__.")

    def __add__(self, other: Dataset[T_co]) -> Dataset[T_co]:
        return ConcatDataset([self, other])


class IterableDataset(Dataset[T_co], Iterable[T_co]):
    """An iterable-style dataset: subclasses define ``__iter__``.

    With worker processes every worker iterates over its own copy; `get_worker_info` tells the copy
    which share of the samples is its own.
    """

    def __add__(self, other: Dataset[T_co]) -> ChainDataset[T_co]:
        return ChainDataset([self, other])


class TensorDataset(Dataset[tuple[Tensor, ...]]):
    """Samples are the slices of some tensors along their first dimension.

    Args:
        *tensors: tensors of any shape and dtype, equally long in dimension 0.

    Raises:
        AssertionError: the tensors differ in length.

    Example:
        >>> import rushlight as torch
        >>> from rushlight.utils.data import TensorDataset
        >>> dataset = TensorDataset(torch.arange(3), torch.arange(3) * 2)
        >>> len(dataset), dataset[2]
        (3, (tensor(2), tensor(4)))
    """

    tensors: tuple[Tensor, ...]

    def __init__(self, *tensors: Tensor) -> None:
        if any(tensor.size(0) != tensors[0].size(0) for tensor in tensors):
            raise AssertionError("Size mismatch between tensors")
        self.tensors = tensors

    def __getitem__(self, index: Any) -> tuple[Tensor, ...]:
        return tuple(tensor[index] for tensor in self.tensors)

    def __len__(self) -> int:
        return int(self.tensors[0].size(0))


class StackDataset(Dataset[Any]):
    """Samples of several equally long datasets side by side, as a tuple or as a dict.

    Args:
        *args: datasets whose samples form a tuple.
        **kwargs: datasets whose samples form a dict with these keys.

    Raises:
        ValueError: both forms are mixed, none is given, or the lengths differ.
    """

    datasets: tuple[Any, ...] | dict[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        if args and kwargs:
            raise ValueError(
                "Supported either ``tuple``- (via ``args``) or"
                "``dict``- (via ``kwargs``) like input/output, but both types are given."
            )
        parts = args or tuple(kwargs.values())
        if not parts:
            raise ValueError("At least one dataset should be passed")
        self._length = len(parts[0])
        if any(len(part) != self._length for part in parts):
            raise ValueError("Size mismatch between datasets")
        self.datasets = args or kwargs

    def __getitem__(self, index: Any) -> Any:
        if isinstance(self.datasets, dict):
            return {key: dataset[index] for key, dataset in self.datasets.items()}
        return tuple(dataset[index] for dataset in self.datasets)

    def __getitems__(self, indices: list[Any]) -> list[Any]:
        if isinstance(self.datasets, dict):
            columns = [_equally_many(part, indices) for part in self.datasets.values()]
            return [
                dict(zip(self.datasets, row, strict=True)) for row in zip(*columns, strict=True)
            ]
        return list(zip(*(_equally_many(part, indices) for part in self.datasets), strict=True))

    def __len__(self) -> int:
        return self._length


class ConcatDataset(Dataset[T_co]):
    """The samples of several map-style datasets, one dataset after the other.

    Args:
        datasets: at least one dataset with a length.

    Raises:
        AssertionError: there is no dataset, or one of them is iterable-style.
    """

    datasets: list[Dataset[T_co]]
    cumulative_sizes: list[int]

    def __init__(self, datasets: Iterable[Dataset[T_co]]) -> None:
        self.datasets = list(datasets)
        if not self.datasets:
            raise AssertionError("datasets should not be an empty iterable")
        if any(isinstance(dataset, IterableDataset) for dataset in self.datasets):
            raise AssertionError("ConcatDataset does not support IterableDataset")
        self.cumulative_sizes = list(accumulate(_length(dataset) for dataset in self.datasets))

    def __getitem__(self, index: int) -> T_co:
        if index < 0:
            if -index > len(self):
                raise ValueError("absolute value of index should not exceed dataset length")
            index += len(self)
        part = bisect_right(self.cumulative_sizes, index)
        start = self.cumulative_sizes[part - 1] if part else 0
        return self.datasets[part][index - start]

    def __len__(self) -> int:
        return self.cumulative_sizes[-1]


class ChainDataset(IterableDataset[T_co]):
    """The samples of several iterable-style datasets, one dataset after the other.

    Args:
        datasets: iterable-style datasets; one of another kind is reported when it is reached.
    """

    def __init__(self, datasets: Iterable[Dataset[T_co]]) -> None:
        self.datasets = datasets

    def _iterables(self) -> Iterator[IterableDataset[T_co]]:
        for dataset in self.datasets:
            if not isinstance(dataset, IterableDataset):
                raise AssertionError("ChainDataset only supports IterableDataset")
            yield dataset

    def __iter__(self) -> Iterator[T_co]:
        for dataset in self._iterables():
            yield from dataset

    def __len__(self) -> int:
        return sum(_length(dataset) for dataset in self._iterables())


class Subset(Dataset[T_co]):
    """The samples of a dataset at some indices, in their order.

    Args:
        dataset: a map-style dataset.
        indices: which of its samples; may repeat.

    Raises:
        NotImplementedError: a subclass overrides ``__getitem__`` but not ``__getitems__``, so that
            a `DataLoader` would pass it by.
    """

    dataset: Dataset[T_co]
    indices: Sequence[int]

    def __init__(self, dataset: Dataset[T_co], indices: Sequence[int]) -> None:
        self.dataset = dataset
        self.indices = indices
        kind = type(self)
        if kind.__getitem__ is not Subset.__getitem__ and kind.__getitems__ is Subset.__getitems__:
            raise NotImplementedError(
                f"{kind.__name__} overrides __getitem__ but not __getitems__. Define both, for "
                "example: def __getitems__(self, indices): return [self[i] for i in indices]"
            )

    def __getitem__(self, index: Any) -> T_co:
        if isinstance(index, list):
            return self.dataset[[self.indices[i] for i in index]]
        return self.dataset[self.indices[index]]

    def __getitems__(self, indices: list[int]) -> list[T_co]:
        return fetch_samples(self.dataset, [self.indices[i] for i in indices])

    def __len__(self) -> int:
        return len(self.indices)


def random_split(
    dataset: Dataset[T],
    lengths: Sequence[int | float],
    generator: Generator | None = None,
) -> list[Subset[T]]:
    """Split a dataset into disjoint random subsets.

    Args:
        dataset: a dataset with a length.
        lengths: sizes that sum to ``len(dataset)``; or fractions that sum to 1, each rounded down,
            where the samples left over go to the first subsets, one each.
        generator: source of the one permutation drawn; None is the default generator.

    Returns:
        One `Subset` for each entry of `lengths`.

    Raises:
        ValueError: the lengths do not sum to the dataset's, or a fraction is not in [0, 1].

    Example:
        >>> from rushlight.utils.data import random_split
        >>> [len(part) for part in random_split(range(10), [0.75, 0.25])]
        [8, 2]
    """
    total = _length(dataset)
    if math.isclose(sum(lengths), 1) and sum(lengths) <= 1:
        sizes = _sizes_of_fractions(lengths, total)
    else:
        sizes = list(lengths)  # type: ignore[arg-type]  # their sum is checked next
    if sum(sizes) != total:
        raise ValueError("Sum of input lengths does not equal the length of the input dataset!")
    indices = ops.randperm(total, generator=generator).tolist()
    ends = accumulate(sizes)
    return [
        Subset(dataset, indices[end - size : end]) for end, size in zip(ends, sizes, strict=True)
    ]


def fetch_samples(dataset: Any, indices: Sequence[Any]) -> list[Any]:
    """The samples of a map-style dataset at `indices`, by ``__getitems__`` where it has one."""
    if callable(getattr(dataset, "__getitems__", None)):
        return dataset.__getitems__(indices)  # type: ignore[no-any-return]
    return [dataset[index] for index in indices]


def _equally_many(dataset: Any, indices: list[Any]) -> list[Any]:
    items = fetch_samples(dataset, indices)
    if len(items) != len(indices):
        raise ValueError(
            f"Nested dataset's output size mismatch. Expected {len(indices)}, got {len(items)}"
        )
    return items


def _sizes_of_fractions(fractions: Sequence[float], total: int) -> list[int]:
    for i, fraction in enumerate(fractions):
        if not 0 <= fraction <= 1:
            raise ValueError(f"Fraction at index {i} is not between 0 and 1")
    sizes = [math.floor(total * fraction) for fraction in fractions]
    for i in range(total - sum(sizes)):
        sizes[i % len(sizes)] += 1
    for i, size in enumerate(sizes):
        if size == 0:
            warnings.warn(
                f"Length of split at index {i} is 0. This might result in an empty dataset.",
                stacklevel=3,
            )
    return sizes


def _length(dataset: Any) -> int:
    # Dataset has no __len__ for the type checker to see.
    return len(dataset)
