"""Sequences of different lengths: padded to one, or packed without padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from rushlight import ops
from rushlight.dtypes import float64
from rushlight.tensor import Tensor

__all__ = [
    "PackedSequence",
    "invert_permutation",
    "pack_padded_sequence",
    "pack_sequence",
    "pad_packed_sequence",
    "pad_sequence",
    "unpack_sequence",
    "unpad_sequence",
]


class _Packed(NamedTuple):
    data: Tensor
    batch_sizes: Tensor
    sorted_indices: Tensor | None
    unsorted_indices: Tensor | None


class PackedSequence(_Packed):
    """Sequences without padding, step after step; `pack_padded_sequence` makes one.

    Attributes:
        data: (rows, ...): of each step the elements of the sequences that reach it, the longest
            sequence first.
        batch_sizes: the rows of each step, int64, on the CPU.
        sorted_indices: where each sequence, the longest first, stood before, or None.
        unsorted_indices: where each sequence stands now, or None.
    """

    __slots__ = ()

    def __new__(
        cls,
        data: Any,
        batch_sizes: Tensor | None = None,
        sorted_indices: Tensor | None = None,
        unsorted_indices: Tensor | None = None,
    ) -> PackedSequence:
        """Check the device of `batch_sizes`; they may be given in a pair with `data`."""
        if unsorted_indices is None:
            unsorted_indices = invert_permutation(sorted_indices)
        if batch_sizes is None:
            if not (isinstance(data, list | tuple) and len(data) == 2):
                raise AssertionError("Expected data to be a list or tuple of length 2")
            data, batch_sizes = data
        if batch_sizes.device.type != "cpu":
            raise ValueError(
                "batch_sizes should always be on CPU. Instances of PackedSequence should never be "
                "created manually. They should be instantiated by functions like pack_sequence "
                "and pack_padded_sequences in nn.utils.rnn."
            )
        return super().__new__(cls, data, batch_sizes, sorted_indices, unsorted_indices)

    def to(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return one with converted data, itself where nothing changes; see `Tensor.to`."""
        data = self.data.to(*args, **kwargs)
        if data is self.data:
            return self
        moved = [
            None if i is None else i.to(data.device)
            for i in (self.sorted_indices, self.unsorted_indices)
        ]
        return type(self)(data, self.batch_sizes, *moved)

    def cpu(self) -> PackedSequence:
        """Return one on the CPU."""
        return self.to("cpu")

    def cuda(self, *args: Any, **kwargs: Any) -> PackedSequence:
        """Return one on a GPU."""
        return self.to("cuda", *args, **kwargs)

    def double(self) -> PackedSequence:
        """Return one of float64."""
        return self.to(dtype=float64)

    @property
    def is_cuda(self) -> bool:
        """Whether the data lie on a GPU."""
        return self.data.device.type == "cuda"

    def is_pinned(self) -> bool:
        """Whether the data lie in pinned memory."""
        pinned: bool = bool(self.data.is_pinned())
        return pinned


def invert_permutation(permutation: Tensor | None) -> Tensor | None:
    """The permutation that takes back what `permutation` does."""
    if permutation is None:
        return None
    out = ops.empty_like(permutation)
    out[permutation] = ops.arange(permutation.numel(), device=permutation.device)
    return out


def pack_padded_sequence(
    input: Tensor,
    lengths: Tensor | Sequence[int],
    batch_first: bool = False,
    enforce_sorted: bool = True,
) -> PackedSequence:
    """A padded batch without its padding.

    Args:
        input: (steps, batch, ...), or (batch, steps, ...).
        lengths: of the sequences, on the CPU.
        batch_first: whether the batch is the first dimension of `input`.
        enforce_sorted: whether the longest sequence must stand first, and so on; if not, the
            sequences are sorted, and the result remembers their order.

    Raises:
        RuntimeError: for lengths that do not fit, and for ones not sorted with `enforce_sorted`.
    """
    if isinstance(lengths, Tensor) and lengths.dim() != 1:
        raise RuntimeError(
            "'lengths' argument should be a 1D CPU int64 tensor, but got "
            f"{lengths.dim()}D {lengths.device.type} tensor"
        )
    sizes = [int(n) for n in (lengths.tolist() if isinstance(lengths, Tensor) else lengths)]
    order = None
    if not enforce_sorted:
        places = sorted(range(len(sizes)), key=lambda i: -sizes[i])
        sizes = [sizes[i] for i in places]
        order = ops.tensor(places, device=input.device)
    x = input.transpose(0, 1) if batch_first else input
    _check_lengths(x, sizes)
    if order is not None:
        x = x[:, order]
    steps = ops.arange(x.shape[0], device=input.device).unsqueeze(1)
    present = steps < ops.tensor(sizes, device=input.device)
    counts = present.sum(1)[: sizes[0]].to("cpu")
    return PackedSequence(x[present], counts, order, None)


def _check_lengths(x: Tensor, sizes: list[int]) -> None:
    if x.numel() == 0:
        raise RuntimeError("Cannot pack empty tensors.")
    if len(sizes) != x.shape[1]:
        raise RuntimeError(
            "Expected `len(lengths)` to be equal to batch_size, but got "
            f"{len(sizes)} (batch_size={x.shape[1]})"
        )
    if min(sizes) <= 0:
        raise RuntimeError(
            "Length of all samples has to be greater than 0, but found an element in 'lengths' "
            "that is <= 0"
        )
    if sizes != sorted(sizes, reverse=True):
        raise RuntimeError(
            "`lengths` array must be sorted in decreasing order when `enforce_sorted` is True. You "
            "can pass `enforce_sorted=False` to pack_padded_sequence and/or pack_sequence to "
            "sidestep this requirement if you do not need ONNX exportability."
        )
    if sizes[0] > x.shape[0]:
        raise RuntimeError(
            f"Expected the lengths to be at most the number of steps, {x.shape[0]}; got {sizes[0]}"
        )


def pad_packed_sequence(
    sequence: PackedSequence,
    batch_first: bool = False,
    padding_value: float = 0.0,
    total_length: int | None = None,
) -> tuple[Tensor, Tensor]:
    """The padded batch of a packed sequence, and the lengths.

    Args:
        sequence: a packed sequence.
        batch_first: whether to return (batch, steps, ...), not (steps, batch, ...).
        padding_value: stands behind the ends.
        total_length: the steps to return, those of the longest sequence when None.

    Raises:
        ValueError: `total_length` is less than the longest sequence.
    """
    data, sizes, _, unsorted_indices = sequence
    steps = sizes.shape[0]
    if total_length is not None and total_length < steps:
        raise ValueError(
            "Expected total_length to be at least the length of the longest sequence in input, "
            f"but got total_length={total_length} and max sequence length being {steps}"
        )
    counts = sizes.tolist() + [0] * ((total_length or steps) - steps)
    starts = [sum(counts[:t]) for t in range(len(counts))]
    column = ops.arange(counts[0]).unsqueeze(0)
    present = column < ops.tensor(counts).unsqueeze(1)
    # One more row, of padding, stands at the end.
    rows = ops.where(present, ops.tensor(starts).unsqueeze(1) + column, data.shape[0])
    padding = ops.full((1, *data.shape[1:]), padding_value, dtype=data.dtype, device=data.device)
    padded = ops.cat([data, padding])[rows.to(data.device)]
    lengths = present.sum(0)
    if unsorted_indices is not None:
        padded, lengths = padded[:, unsorted_indices], lengths[unsorted_indices.to("cpu")]
    return padded.transpose(0, 1) if batch_first else padded, lengths


def pad_sequence(
    sequences: Tensor | Iterable[Tensor],
    batch_first: bool = False,
    padding_value: float = 0.0,
    padding_side: str = "right",
) -> Tensor:
    """Sequences (length, ...) as one batch (steps, batch, ...), padded to the longest.

    Args:
        sequences: whose sizes but the first agree.
        batch_first: whether to return (batch, steps, ...).
        padding_value: stands in place of what is missing.
        padding_side: ``"right"``, behind the ends, or ``"left"``, before the beginnings.

    Raises:
        RuntimeError: for anything but sequences, for none, and for another side.
    """
    if not isinstance(sequences, Iterable):
        raise RuntimeError(
            "pad_sequence: Expected iterable for input sequences, but got arg of type: "
            f"{type(sequences)}"
        )
    parts = list(sequences)
    if not parts:
        raise RuntimeError("received an empty list of sequences")
    if padding_side not in ("left", "right"):
        raise RuntimeError(
            f"Expected padding_side to be one of left or right, but got {padding_side}."
        )
    steps = max(part.shape[0] for part in parts)

    def padded(part: Tensor) -> Tensor:
        missing = steps - part.shape[0]
        if not missing:
            return part
        shape = (missing, *part.shape[1:])
        padding = ops.full(shape, padding_value, dtype=part.dtype, device=part.device)
        return ops.cat([part, padding] if padding_side == "right" else [padding, part])

    return ops.stack([padded(part) for part in parts], 0 if batch_first else 1)


def unpad_sequence(
    padded_sequences: Tensor, lengths: Tensor, batch_first: bool = False
) -> list[Tensor]:
    """The sequences of a padded batch, each of its length.

    Unlike in PyTorch, `padded_sequences` itself is not transposed.
    """
    x = padded_sequences if batch_first else padded_sequences.transpose(0, 1)
    return [part[:n] for part, n in zip(x, lengths.tolist(), strict=True)]


def pack_sequence(sequences: Sequence[Tensor], enforce_sorted: bool = True) -> PackedSequence:
    """Sequences (length, ...), packed; see `pack_padded_sequence`."""
    lengths = [part.shape[0] for part in sequences]
    return pack_padded_sequence(pad_sequence(sequences), lengths, enforce_sorted=enforce_sorted)


def unpack_sequence(packed_sequences: PackedSequence) -> list[Tensor]:
    """The sequences of a packed one, in their first order."""
    padded, lengths = pad_packed_sequence(packed_sequences, batch_first=True)
    return unpad_sequence(padded, lengths, batch_first=True)
