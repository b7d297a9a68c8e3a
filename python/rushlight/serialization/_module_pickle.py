"""The unrestricted unpickler: any object, with PyTorch's classes found here."""

from __future__ import annotations

import importlib
import pickle
from collections.abc import Callable
from typing import Any

from ._globals import CONSTANTS, FUNCTIONS

__all__ = ["ModuleUnpickler"]


class ModuleUnpickler(pickle.Unpickler):
    """Reads a pickle as Python does: it calls whatever the pickle names.

    Args:
        file: where the pickle begins.
        storage_of: gives the storage for an identification.
    """

    def __init__(self, file: Any, storage_of: Callable[[tuple[Any, ...]], Any]) -> None:
        super().__init__(file, encoding="utf-8")
        self._storage_of = storage_of

    def persistent_load(self, pid: Any) -> Any:
        """The storage, or for files of before PyTorch 1.6 the class whose source they hold."""
        if not isinstance(pid, tuple) or not pid or pid[0] not in ("storage", "module"):
            raise pickle.UnpicklingError(f"unknown persistent identification {pid!r:.80}")
        return self._storage_of(pid[1:]) if pid[0] == "storage" else pid[1]

    def find_class(self, module: str, name: str) -> Any:
        """What a name stands for; ``torch.x.y`` is ``rushlight.x.y``.

        Raises:
            AttributeError: rushlight has no such class.
        """
        root, dot, rest = module.partition(".")
        if root != "torch":
            return super().find_class(module, name)
        full = f"{module}.{name}"
        for table in (FUNCTIONS, CONSTANTS):
            if full in table:
                return table[full]
        try:
            found: Any = importlib.import_module(f"rushlight{dot}{rest}")
            for part in name.split("."):
                found = getattr(found, part)
        except (ImportError, AttributeError):
            raise AttributeError(f"rushlight has no {full}") from None
        return found
