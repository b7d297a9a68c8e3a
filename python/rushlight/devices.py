"""Where a tensor's memory is."""

from __future__ import annotations

from typing import Any

__all__ = ["device"]

_TYPES = ("cpu", "cuda")


class device:  # noqa: N801 - PyTorch's name
    """``device("cpu")``, ``device("cuda", 1)`` or ``device("cuda:1")``.

    Attributes:
        type: ``"cpu"`` or ``"cuda"``.
        index: the ordinal of the card, or None for the current one.

    Raises:
        RuntimeError: for a name that is no device.
        NotImplementedError: for the other devices PyTorch knows.
    """

    __slots__ = ("index", "type")

    index: int | None
    type: str

    def __init__(self, type: str | int | device, index: int | None = None) -> None:
        name: Any = type
        if isinstance(name, device):
            name, index = name.type, name.index if index is None else index
        elif isinstance(name, int):
            name, index = "cuda", name
        elif not isinstance(name, str):
            raise TypeError(f"device(): argument 'type' must be str, not {name.__class__.__name__}")
        elif ":" in name:
            name, _, number = name.partition(":")
            if index is not None or not number.isdigit():
                raise RuntimeError(f"Invalid device string: '{type}'")
            index = int(number)
        if name in ("mps", "xpu", "xla", "meta", "hip", "mtia", "hpu", "vulkan"):
            raise NotImplementedError(f"device '{name}' is not supported; use 'cpu' or 'cuda'")
        if name not in _TYPES:
            raise RuntimeError(
                f"Expected one of {', '.join(_TYPES)} device type at start of device string: {name}"
            )
        self.type = name
        self.index = index

    def __repr__(self) -> str:
        index = "" if self.index is None else f", index={self.index}"
        return f"device(type='{self.type}'{index})"

    def __str__(self) -> str:
        return self.type if self.index is None else f"{self.type}:{self.index}"

    def __eq__(self, other: Any) -> bool:
        same = isinstance(other, device)
        return same and (self.type, self.index) == (other.type, other.index)

    def __hash__(self) -> int:
        return hash((self.type, self.index))

    def __reduce__(self) -> tuple[Any, ...]:
        return device, (self.type, self.index)


CPU = device("cpu")
