"""Named results, printed as PyTorch prints them."""

from __future__ import annotations

import collections
import functools
from typing import Any


def named(name: str, **fields: Any) -> Any:
    """A named tuple ``torch.return_types.<name>`` of these fields."""
    return _type(name, tuple(fields))(**fields)


@functools.cache
def _type(name: str, fields: tuple[str, ...]) -> Any:
    base = collections.namedtuple(name, fields)  # type: ignore[misc]

    def text(self: Any) -> str:
        parts = ",\n".join(f"{field}={value!r}" for field, value in self._asdict().items())
        return f"torch.return_types.{name}(\n{parts})"

    return type(name, (base,), {"__slots__": (), "__repr__": text, "__module__": __name__})
