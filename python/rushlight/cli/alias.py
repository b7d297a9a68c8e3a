"""Answer ``import torch`` with rushlight.

It imports nothing of rushlight before a script asks for torch: Python's startup loads it by its
path (``startup/sitecustomize.py``).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class TorchFinder(MetaPathFinder):
    """Finds ``torch`` and ``torch.x.y`` as the very modules ``rushlight`` and ``rushlight.x.y``."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module called torch or below it; None leaves others to Python.

        Raises:
            ModuleNotFoundError: rushlight has no such module.
        """
        root, dot, rest = fullname.partition(".")
        if root != "torch":
            return None
        real = f"rushlight{dot}{rest}"
        try:
            module = importlib.import_module(real)
        except ModuleNotFoundError as error:
            if error.name != real:
                raise  # something that the module itself needs is missing
            raise ModuleNotFoundError(f"rushlight has no {fullname}", name=fullname) from None
        return ModuleSpec(fullname, _Ready(module), is_package=hasattr(module, "__path__"))


class _Ready(Loader):
    """Loads a module that is there already."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.spec = module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        module.__spec__ = self.spec  # the import system has just put the alias's spec there


def install() -> None:
    """From now on ``import torch`` gives rushlight, in this process.

    Raises:
        RuntimeError: another torch is already imported.
    """
    if "torch" in sys.modules:
        raise RuntimeError("rushlight: torch is already imported, the alias comes too late")
    sys.meta_path.insert(0, TorchFinder())
