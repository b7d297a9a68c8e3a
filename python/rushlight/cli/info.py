"""``rushlight info``: what this installation is, has and uses."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
from typing import Any

import numpy as np

import rushlight
from rushlight import _kernels


def main(args: argparse.Namespace) -> int:
    """Print the facts, as lines or (``args.json``) as JSON.

    Returns:
        0.
    """
    facts = collect()
    print(json.dumps(facts, indent=2) if args.json else _lines(facts))
    return 0


def collect() -> dict[str, Any]:
    """The facts: versions, instruction set, threads, bytes of memory, and the state of CUDA."""
    return {
        "rushlight": rushlight.__version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "machine": platform.machine(),
        "instruction_set": _kernels.isa(),
        "threads": _kernels.get_num_threads(),
        "memory": dict(_kernels.memory_stats()),
        "cuda": _cuda(),
    }


def _cuda() -> dict[str, Any]:
    try:
        cupy = importlib.import_module("cupy")
    except ImportError as error:
        return {"cupy": None, "devices": [], "problem": str(error)}
    try:
        count = cupy.cuda.runtime.getDeviceCount()
        devices = [cupy.cuda.runtime.getDeviceProperties(i)["name"].decode() for i in range(count)]
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return {"cupy": cupy.__version__, "devices": [], "problem": str(error)}
    return {"cupy": cupy.__version__, "devices": devices, "problem": None}


def _lines(facts: dict[str, Any]) -> str:
    memory, cuda = facts["memory"], facts["cuda"]
    rows = {
        "rushlight": facts["rushlight"],
        "Python": facts["python"],
        "NumPy": facts["numpy"],
        "machine": f"{facts['machine']}, instruction set {facts['instruction_set']}",
        "threads": facts["threads"],
        "memory": ", ".join(f"{name} {_bytes(count)}" for name, count in memory.items()),
        "CuPy": cuda["cupy"] or "not installed: pip install 'rushlight[cuda12]' or [cuda13]",
        "CUDA": ", ".join(cuda["devices"]) or f"not available: {cuda['problem'] or 'no device'}",
    }
    return "\n".join(f"{name:<10} {value}" for name, value in rows.items())


def _bytes(count: int) -> str:
    size = float(count)
    for unit in ("B", "KiB", "MiB"):
        if size < 1024:
            return f"{size:.4g} {unit}"
        size /= 1024
    return f"{size:.4g} GiB"
