"""Tools around training: `rushlight.utils.data`, `.checkpoint`, pictures of graphs in `.viz`.

The submodules are imported when they are first asked for, which keeps ``import rushlight`` quick.
"""

from __future__ import annotations

import importlib
from types import ModuleType

__all__ = ["checkpoint", "data", "dlpack", "tensorboard", "viz"]


def __getattr__(name: str) -> ModuleType:
    if name in __all__:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
