"""Turn a list of samples into one batch of tensors, whatever containers the samples are."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from typing import Any

import numpy as np

from rushlight import ops
from rushlight.dtypes import float64
from rushlight.tensor import Tensor

CollateMap = dict[type | tuple[type, ...], Callable[..., Any]]


def default_convert(data: Any) -> Any:
    """Convert NumPy arrays and numbers to tensors, inside containers too; leave the rest alone.

    It is what a `DataLoader` without automatic batching does to every sample.

    Args:
        data: a sample: an array, a mapping, a named tuple, a sequence, or anything else.

    Returns:
        The same structure; a plain tuple becomes a list, as in PyTorch.

    Example:
        >>> import numpy as np
        >>> from rushlight.utils.data import default_convert
        >>> default_convert({"x": np.array([0, 1]), "name": "a"})
        {'x': tensor([0, 1]), 'name': 'a'}
    """
    if isinstance(data, np.ndarray | np.generic) and data.dtype.kind not in "SUO":
        return ops.as_tensor(data)
    if isinstance(data, Mapping):
        return _with_values(data, {key: default_convert(value) for key, value in data.items()})
    if isinstance(data, Sequence) and not isinstance(data, str | bytes):
        return _with_items(data, [default_convert(item) for item in data])
    return data


def default_collate(batch: Any) -> Any:
    """Stack samples along a new first dimension, inside containers too.

    It is what a `DataLoader` does to every batch.

    Args:
        batch: a list of equally structured samples.

    Returns:
        A tensor for tensors, arrays and numbers (float64 for Python floats); for a mapping or a
        named tuple the same container of collated values; a list for a sequence; the list itself
        for strings and bytes.

    Raises:
        TypeError: the samples are of a kind that cannot be collated.
        RuntimeError: sequences of unequal lengths, or tensors of unequal shapes.

    Example:
        >>> from rushlight.utils.data import default_collate
        >>> default_collate([(0, "a"), (1, "b")])
        [tensor([0, 1]), ('a', 'b')]
    """
    return collate(batch, collate_fn_map=default_collate_fn_map)


def collate(batch: Any, *, collate_fn_map: CollateMap | None = None) -> Any:
    """`default_collate` with a table of one's own.

    Args:
        batch: a list of equally structured samples.
        collate_fn_map: for a type of sample, or a tuple of types, a function called as
            ``function(batch, collate_fn_map=collate_fn_map)``. An exact match goes before a
            subclass's, and the table before the rules for containers.

    Returns:
        The batch.

    Raises:
        TypeError: no rule fits the samples.
    """
    sample = batch[0]
    table = collate_fn_map or {}
    function = table.get(type(sample)) or next(
        (entry for kind, entry in table.items() if isinstance(sample, kind)), None
    )
    if function is not None:
        return function(batch, collate_fn_map=collate_fn_map)

    def again(samples: Any) -> Any:
        return collate(samples, collate_fn_map=collate_fn_map)

    if isinstance(sample, Mapping):
        return _with_values(sample, {key: again([other[key] for other in batch]) for key in sample})
    if isinstance(sample, Sequence):
        if any(len(other) != len(sample) for other in batch):
            raise RuntimeError("each element in list of batch should be of equal size")
        return _with_items(sample, [again(column) for column in zip(*batch, strict=True)])
    raise _unsupported(type(sample))


def _with_values(mapping: Mapping[Any, Any], values: dict[Any, Any]) -> Any:
    """A mapping of the same kind with new values; a dict where the kind cannot be rebuilt."""
    try:
        if not isinstance(mapping, MutableMapping):
            return type(mapping)(values)  # type: ignore[call-arg]
        # A copy keeps what the kind holds besides its items, such as a default factory.
        clone = copy.copy(mapping)
        clone.update(values)
        return clone
    except TypeError:
        return values


def _with_items(sequence: Sequence[Any], items: list[Any]) -> Any:
    """A sequence of the same kind with new items; a list for tuples and for what cannot be."""
    if isinstance(sequence, tuple):
        return type(sequence)(*items) if hasattr(sequence, "_fields") else items
    try:
        if not isinstance(sequence, MutableSequence):
            return type(sequence)(items)  # type: ignore[call-arg]
        clone = copy.copy(sequence)
        for i, item in enumerate(items):
            clone[i] = item
        return clone
    except TypeError:
        return items


def _unsupported(kind: Any) -> TypeError:
    return TypeError(
        "default_collate: batch must contain tensors, numpy arrays, numbers, "
        f"dicts or lists; found {kind}"
    )


def _stack(batch: Sequence[Tensor], *, collate_fn_map: CollateMap | None) -> Any:
    return ops.stack(list(batch), 0)


def _stack_arrays(batch: Sequence[Any], *, collate_fn_map: CollateMap | None) -> Any:
    if batch[0].dtype.kind in "SUO":
        raise _unsupported(batch[0].dtype)
    return collate([ops.as_tensor(array) for array in batch], collate_fn_map=collate_fn_map)


def _from_scalars(batch: Sequence[Any], *, collate_fn_map: CollateMap | None) -> Any:
    return ops.as_tensor(np.array(batch))


def _from_floats(batch: Sequence[float], *, collate_fn_map: CollateMap | None) -> Any:
    return ops.tensor(batch, dtype=float64)


def _from_integers(batch: Sequence[int], *, collate_fn_map: CollateMap | None) -> Any:
    return ops.tensor(batch)


def _unchanged(batch: Any, *, collate_fn_map: CollateMap | None) -> Any:
    return batch


default_collate_fn_map: CollateMap = {
    Tensor: _stack,
    np.ndarray: _stack_arrays,
    # Before float: np.float64 is one, and keeps its own dtype.
    (np.bool_, np.number, np.object_): _from_scalars,
    float: _from_floats,
    int: _from_integers,
    str: _unchanged,
    bytes: _unchanged,
}
