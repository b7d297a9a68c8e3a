"""Generators of random numbers, and the default one that a seed sets.

The streams are PyTorch's on the CPU, and so are the bytes of the states: a state taken from one
library continues in the other.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

from rushlight import _kernels
from rushlight.devices import CPU, device
from rushlight.tensor import Tensor, refuse

__all__ = [
    "Generator",
    "default_generator",
    "fork_rng",
    "get_rng_state",
    "initial_seed",
    "manual_seed",
    "seed",
    "set_rng_state",
]

_DEFAULT_SEED = 67280421310721  # PyTorch's, for generators that nobody seeded


class Generator:
    """A stream of random numbers (MT19937) that a call can draw from with ``generator=``.

    Args:
        device: where tensors filled from it are; only the CPU.

    Raises:
        NotImplementedError: for another device.

    Source: M. Matsumoto and T. Nishimura, "Mersenne Twister", ACM TOMACS 8 (1998); seeding, order
    of draws and bytes of the state by comparison with PyTorch 2.13.

    Example:
        >>> import rushlight
        >>> g = rushlight.Generator().manual_seed(0)
        >>> rushlight.rand(2, generator=g)
        tensor([0.4963, 0.7682])
    """

    __slots__ = ("_kernel",)

    def __init__(self, device: str | device = "cpu") -> None:
        if str(device) != "cpu":
            refuse("Generator: device", str(device))
        self._kernel = _kernels.Generator(_DEFAULT_SEED)

    @property
    def device(self) -> device:
        """The CPU."""
        return CPU

    def manual_seed(self, seed: int) -> Generator:
        """Starts the stream of `seed` and returns the generator.

        Args:
            seed: from -2^63 to 2^64 - 1; a negative one stands for 2^64 + seed. The stream depends
                on the low 32 bits only.

        Raises:
            RuntimeError: for what is no int.
            ValueError: for an int out of this range.
        """
        if type(seed) is not int:
            raise RuntimeError(f"manual_seed expected a long, but got {type(seed).__name__}")
        if not -(1 << 63) <= seed < 1 << 64:
            raise ValueError("Overflow when unpacking long long")
        self._kernel.manual_seed(seed % (1 << 64))
        return self

    def seed(self) -> int:
        """Starts a stream that cannot be foretold and returns its seed."""
        value = int.from_bytes(os.urandom(8), "little")
        self._kernel.manual_seed(value)
        return value

    def initial_seed(self) -> int:
        """The seed that the stream started from, as an unsigned number."""
        return int(self._kernel.initial_seed())

    def get_state(self) -> Tensor:
        """The state, a uint8 tensor of 5056 bytes."""
        return Tensor._wrap(self._kernel.get_state())

    def set_state(self, new_state: Tensor) -> None:
        """Continues from a state that `get_state` gave, here or in PyTorch.

        Raises:
            TypeError: for what is no uint8 tensor.
            RuntimeError: for a tensor of another size, or bytes that are no state.
        """
        if not isinstance(new_state, Tensor):
            raise TypeError(f"expected a torch.ByteTensor, but got {type(new_state).__name__}")
        self._kernel.set_state(new_state._array)

    def clone_state(self) -> Generator:
        """A second generator that continues as this one will."""
        clone = Generator()
        clone._kernel.set_state(self._kernel.get_state())
        return clone

    def __deepcopy__(self, memo: dict[int, Any]) -> Generator:
        return self.clone_state()

    def __reduce__(self) -> tuple[Any, ...]:
        return _restored, (self.get_state(),)


def _restored(state: Tensor) -> Generator:
    generator = Generator()
    generator.set_state(state)
    return generator


default_generator = Generator()
default_generator.seed()


def manual_seed(seed: Any) -> Generator:
    """Starts the stream of `seed` in the default generator, and returns it.

    Args:
        seed: what ``int()`` takes, from -2^63 to 2^64 - 1.

    Raises:
        ValueError: for a number out of this range.
    """
    return default_generator.manual_seed(int(seed))


def seed() -> int:
    """Starts a stream that cannot be foretold in the default generator and returns its seed."""
    return default_generator.seed()


def initial_seed() -> int:
    """The seed that the default generator's stream started from."""
    return default_generator.initial_seed()


def get_rng_state() -> Tensor:
    """The state of the default generator, a uint8 tensor of 5056 bytes."""
    return default_generator.get_state()


def set_rng_state(new_state: Tensor) -> None:
    """Continues the default generator from `new_state`; see `Generator.set_state`."""
    default_generator.set_state(new_state)


@contextlib.contextmanager
def fork_rng(
    devices: Iterable[Any] | None = None, enabled: bool = True, device_type: str | None = None
) -> Iterator[None]:
    """Draws inside the block leave the default generator as it was before.

    Args:
        devices: CUDA devices whose generators to keep as well; they draw from the CPU's, so none.
        enabled: False makes the block an ordinary one.
        device_type: ``"cpu"`` or ``"cuda"``; nothing depends on it.

    Raises:
        NotImplementedError: for another device type.
    """
    if device_type not in (None, "cpu", "cuda"):
        refuse("fork_rng: device_type", device_type)
    if not enabled:
        yield
        return
    state = default_generator.get_state()
    try:
        yield
    finally:
        default_generator.set_state(state)
