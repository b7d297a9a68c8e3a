# ruff: noqa: D102 - the methods are NumPy's and mean what they mean there.
"""The array that vmap's functions compute with: many samples, which look like one."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NoReturn

from rushlight.backend.common import address
from rushlight.backend.levels import Level

__all__ = ["Batched", "Shape", "Unsupported", "inserted"]

Array = Any
_NONE: frozenset[Level] = frozenset()


class Unsupported(NotImplementedError, TypeError):  # noqa: N818 - like NotImplemented
    """What arrays do and batched ones do not; also a TypeError, as operators expect."""


class Shape(tuple[int, ...]):
    """The shape of one sample, which remembers that there are many.

    While vmap runs it equals the plain shape. Afterwards, in the graph that is left, it differs
    from the shape of a tensor that all samples shared: so the engine has `sum_to` add up the
    samples' gradients there, as it does for any dimension that was broadcast.

    Attributes:
        full: the shape of all samples.
        level: the call of vmap that they belong to.
        levels: with the calls around it.
    """

    full: tuple[int, ...]
    level: Level
    levels: frozenset[Level]

    def __new__(cls, full: tuple[int, ...], level: Level) -> Shape:
        """The shape of a sample, from that of all."""
        self = super().__new__(cls, full[1:])
        self.full = full
        self.level = level
        self.levels = getattr(full, "levels", _NONE) | {level}
        return self

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, tuple) or not tuple.__eq__(self, other):
            return False
        differing = self.levels ^ getattr(other, "levels", _NONE)
        return not any(level.ended for level in differing)

    def __ne__(self, other: object) -> bool:
        return not self == other

    __hash__ = tuple.__hash__

    def of(self, sizes: Sequence[int]) -> Shape:
        """The shape of as many samples with other sizes."""
        full = (self.level.size, *sizes)
        return Shape(self.full.of(full) if isinstance(self.full, Shape) else full, self.level)

    def inserted(self, size: int, at: int = 0) -> Shape:
        """The shape with one more size, for each sample."""
        return Shape(inserted(self.full, size, at + 1), self.level)


def inserted(shape: Sequence[int], size: int, at: int = 0) -> tuple[int, ...]:
    """A shape with one more size, which stays the shape of a batch if it was one."""
    if isinstance(shape, Shape):
        return shape.inserted(size, at)
    return (*shape[:at], size, *shape[at:])


class Batched:
    """An array of samples of one shape that behaves as one of them.

    The methods are those of NumPy's arrays that the library's code asks of arrays. What needs the
    values themselves, such as ``item()``, is refused: they differ from sample to sample.

    Attributes:
        full: all samples, along the first dimension; an array, or batched at outer levels.
        level: the call of vmap that the samples belong to, later than those of `full`.
    """

    __slots__ = ("full", "level")
    __array_ufunc__ = None

    def __init__(self, full: Array, level: Level) -> None:
        self.full = full
        self.level = level

    # ---- What is known without the values ----

    @property
    def kernels(self) -> Any:
        """The kernels for such arrays."""
        from rushlight.backend import batched, kernels_of

        samples = self.full
        while isinstance(samples, Batched):
            samples = samples.full
        return batched.over(kernels_of(samples))

    @property
    def shape(self) -> Shape:
        return Shape(self.full.shape, self.level)

    @property
    def ndim(self) -> int:
        return self.full.ndim - 1  # type: ignore[no-any-return]

    @property
    def size(self) -> int:
        count = 1
        for n in self.full.shape[1:]:
            count *= n
        return count

    @property
    def dtype(self) -> Any:
        return self.full.dtype

    @property
    def itemsize(self) -> int:
        return self.full.itemsize  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        return self.size * self.itemsize

    @property
    def strides(self) -> tuple[int, ...]:
        return self.full.strides[1:]  # type: ignore[no-any-return]

    @property
    def flags(self) -> Any:
        return SimpleNamespace(
            c_contiguous=self.full.flags.c_contiguous, writeable=self.full.flags.writeable
        )

    @property
    def data(self) -> Any:
        # Of the first sample: the geometry of views is the same in all.
        return SimpleNamespace(ptr=address(self.full))

    @property
    def base(self) -> Any:
        return self if isinstance(self.full.base, type(self.full)) else None

    def __len__(self) -> int:
        return self.full.shape[1]  # type: ignore[no-any-return]

    # ---- Views and copies ----

    def _of(self, full: Array) -> Batched:
        return Batched(full, self.level)

    def view(self, dtype: Any = None) -> Batched:
        return self._of(self.full.view() if dtype is None else self.full.view(dtype))

    def copy(self) -> Batched:
        return self._of(self.full.copy())

    def reshape(self, *shape: Any, copy: bool | None = None) -> Batched:
        sizes = shape if len(shape) != 1 or isinstance(shape[0], int) else tuple(shape[0])
        target = (self.level.size, *sizes)
        if copy is None:
            return self._of(self.full.reshape(target))
        return self._of(self.full.reshape(target, copy=copy))

    def swapaxes(self, first: int, second: int) -> Batched:
        n = self.ndim
        return self._of(self.full.swapaxes(first % n + 1, second % n + 1))

    def transpose(self, dims: Any = None) -> Batched:
        order = reversed(range(self.ndim)) if dims is None else (d % self.ndim for d in dims)
        return self._of(self.full.transpose((0, *(d + 1 for d in order))))

    def squeeze(self) -> Batched:
        return self.reshape(tuple(n for n in self.full.shape[1:] if n != 1))

    def diagonal(self, offset: int, dim1: int, dim2: int) -> Batched:
        n = self.ndim
        return self._of(self.full.diagonal(offset, dim1 % n + 1, dim2 % n + 1))

    def __getitem__(self, index: Any) -> Batched:
        index = index if isinstance(index, tuple) else (index,)
        if any(hasattr(i, "shape") or isinstance(i, bool | list) for i in index):
            raise Unsupported("vmap: an array as an index is not supported here")
        within = (slice(None), *index)
        return self._of(self.full[within])

    # ---- Refused ----

    def item(self) -> NoReturn:
        raise RuntimeError(
            "vmap: It looks like you're calling .item() on a Tensor. We don't support vmap over "
            "calling .item() on a Tensor, nor over data-dependent control flow: its value differs "
            "from sample to sample. Please use other operations, such as torch.where."
        )

    tolist = item

    # The code of operations asks for them to check bounds, which must hold for every sample.

    def min(self) -> Any:
        return self.full.min()

    def max(self) -> Any:
        return self.full.max()

    def _refused(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise Unsupported("vmap: this operation has no form for a batch of samples")

    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _refused
    __array__ = __array_function__ = __array_namespace__ = _refused
    __hash__ = object.__hash__

    def __getattr__(self, name: str) -> NoReturn:
        if name.startswith("_"):
            raise AttributeError(name)
        raise Unsupported(f"vmap: arrays' .{name} has no form for a batch of samples")
