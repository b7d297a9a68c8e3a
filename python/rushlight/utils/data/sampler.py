"""Samplers: the order in which a `DataLoader` reads a map-style dataset.

The random ones draw exactly as PyTorch's, so that ``manual_seed`` gives the same order of batches.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence, Sized
from itertools import islice
from typing import Any, Generic, TypeVar

from rushlight import ops
from rushlight.dtypes import float64, int64
from rushlight.random import Generator

T_co = TypeVar("T_co", covariant=True)


class Sampler(Generic[T_co]):
    """Base of all samplers: ``__iter__`` yields indices (or lists of them), ``__len__`` counts."""

    # No __len__ here, for the reason given in `Dataset`.

    def __iter__(self) -> Iterator[T_co]:
        raise NotImplementedError


class SequentialSampler(Sampler[int]):
    """The indices 0, 1, ... in order.

    Args:
        data_source: anything with a length.
    """

    def __init__(self, data_source: Sized) -> None:
        self.data_source = data_source

    def __iter__(self) -> Iterator[int]:
        return iter(range(len(self.data_source)))

    def __len__(self) -> int:
        return len(self.data_source)


class RandomSampler(Sampler[int]):
    """Indices in random order.

    Without a generator, every pass draws one 64-bit seed from the default generator and makes its
    permutation with a generator of its own: the default stream moves on equally for every length.

    Args:
        data_source: anything with a length, n.
        replacement: draw every index independently of the others.
        num_samples: how many indices a pass yields; n when None. Without replacement, whole
            permutations follow one another until there are enough.
        generator: where to draw from.

    Raises:
        TypeError: `replacement` is not a bool.
        ValueError: `num_samples` is not a positive integer.
    """

    def __init__(
        self,
        data_source: Sized,
        replacement: bool = False,
        num_samples: int | None = None,
        generator: Generator | None = None,
    ) -> None:
        self.data_source = data_source
        self.replacement = replacement
        self._num_samples = num_samples
        self.generator = generator
        if not isinstance(replacement, bool):
            raise TypeError(
                f"replacement should be a boolean value, but got replacement={replacement}"
            )
        _check_count("num_samples", self.num_samples, allow_bool=True)

    @property
    def num_samples(self) -> int:
        """How many indices a pass yields; follows a dataset that grows."""
        return len(self.data_source) if self._num_samples is None else self._num_samples

    def __iter__(self) -> Iterator[int]:
        n = len(self.data_source)
        generator = self.generator
        if generator is None:
            generator = Generator()
            generator.manual_seed(draw_seed())
        # The blocks PyTorch draws in; the last one is drawn even when nothing of it is wanted.
        block = 32 if self.replacement else n
        whole, rest = divmod(self.num_samples, block)
        for count in [block] * whole + [rest]:
            if self.replacement:
                yield from ops.randint(n, (count,), generator=generator).tolist()
            else:
                yield from ops.randperm(n, generator=generator).tolist()[:count]

    def __len__(self) -> int:
        return self.num_samples


class SubsetRandomSampler(Sampler[int]):
    """Some indices in random order, each once.

    Args:
        indices: what to draw from.
        generator: where to draw from; None is the default generator.
    """

    def __init__(self, indices: Sequence[int], generator: Generator | None = None) -> None:
        self.indices = indices
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        for i in ops.randperm(len(self.indices), generator=self.generator).tolist():
            yield self.indices[i]

    def __len__(self) -> int:
        return len(self.indices)


class WeightedRandomSampler(Sampler[int]):
    """The indices 0 .. n-1, drawn with the probabilities ``weights / sum(weights)``.

    Args:
        weights: n numbers, not negative.
        num_samples: how many indices a pass yields.
        replacement: whether an index may be drawn again.
        generator: where to draw from; None is the default generator.

    Raises:
        ValueError: an argument is of the wrong type, or `weights` is not one-dimensional.
    """

    def __init__(
        self,
        weights: Sequence[float],
        num_samples: int,
        replacement: bool = True,
        generator: Generator | None = None,
    ) -> None:
        _check_count("num_samples", num_samples)
        _check_bool("replacement", replacement)
        self.weights = ops.as_tensor(weights, dtype=float64)
        if self.weights.dim() != 1:
            raise ValueError(
                "weights should be a 1d sequence but given "
                f"weights have shape {tuple(self.weights.shape)}"
            )
        self.num_samples = num_samples
        self.replacement = replacement
        self.generator = generator

    def __iter__(self) -> Iterator[int]:
        drawn = ops.multinomial(
            self.weights, self.num_samples, self.replacement, generator=self.generator
        )
        yield from drawn.tolist()

    def __len__(self) -> int:
        return self.num_samples


class BatchSampler(Sampler[list[int]]):
    """The indices of another sampler in lists of `batch_size`.

    Args:
        sampler: any iterable of indices.
        batch_size: how many indices a list holds.
        drop_last: leave out a last list that would be shorter.

    Raises:
        ValueError: `batch_size` is not a positive integer, or `drop_last` not a bool.

    Example:
        >>> from rushlight.utils.data import BatchSampler
        >>> list(BatchSampler(range(5), batch_size=2, drop_last=False))
        [[0, 1], [2, 3], [4]]
    """

    def __init__(
        self, sampler: Sampler[int] | Iterable[int], batch_size: int, drop_last: bool
    ) -> None:
        _check_count("batch_size", batch_size)
        _check_bool("drop_last", drop_last)
        self.sampler = sampler
        self.batch_size = batch_size
        self.drop_last = drop_last

    def __iter__(self) -> Iterator[list[int]]:
        indices = iter(self.sampler)
        while batch := list(islice(indices, self.batch_size)):
            if self.drop_last and len(batch) < self.batch_size:
                return
            yield batch

    def __len__(self) -> int:
        count = len(self.sampler)  # type: ignore[arg-type]  # a sampler without len() has none here
        return count // self.batch_size if self.drop_last else -(-count // self.batch_size)


def draw_seed(generator: Generator | None = None) -> int:
    """One uniform integer in [0, 2**63), as PyTorch draws the seeds of samplers and workers."""
    return int(ops.empty((), dtype=int64).random_(generator=generator).item())


def _check_count(name: str, value: Any, allow_bool: bool = False) -> None:
    integral = isinstance(value, int) and (allow_bool or not isinstance(value, bool))
    if not integral or value <= 0:
        raise ValueError(f"{name} should be a positive integer value, but got {name}={value}")


def _check_bool(name: str, value: Any) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{name} should be a boolean value, but got {name}={value}")
