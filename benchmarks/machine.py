"""The machine: what it is, and the most that it does for NumPy, against which the figures stand."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.harness import Libraries

ROOT = Path(__file__).resolve().parent.parent
MATRIX_SIDE = 1024
STREAM_ELEMENTS = 16_000_000


@dataclass(frozen=True)
class Limits:
    """The machine's measured limits with the threads in use.

    Attributes:
        flops: Float32 operations a second, of a single-threaded NumPy matrix product per thread.
        bandwidth: Bytes a second, of NumPy sums of two large arrays into existing memory.
    """

    flops: float
    bandwidth: float

    def share(self, seconds: float, flops: float, nbytes: float) -> float | None:
        """The part of the limit that a call of so many operations or bytes reached, or None."""
        if flops:
            return flops / seconds / self.flops
        return nbytes / seconds / self.bandwidth if nbytes else None


def measure_limits(threads: int, repeats: int = 7) -> Limits:
    """The best of `repeats` for each limit; NumPy must have been told to use one thread."""
    side, chunk = MATRIX_SIDE, STREAM_ELEMENTS // threads
    matrices = np.random.default_rng(0).random((threads, 3, side, side), dtype=np.float32)
    streams = np.ones((threads, 3, chunk), dtype=np.float32)

    def multiply(worker: int) -> None:
        np.matmul(matrices[worker, 0], matrices[worker, 1], out=matrices[worker, 2])

    def stream(worker: int) -> None:
        np.add(streams[worker, 0], streams[worker, 1], out=streams[worker, 2])

    return Limits(
        flops=2.0 * side**3 * threads / _best_seconds(multiply, threads, repeats),
        bandwidth=float(streams.nbytes) / _best_seconds(stream, threads, repeats),
    )


def _best_seconds(work: Callable[[int], None], threads: int, repeats: int) -> float:
    """The least time in which every thread does its share of `work` once."""
    best = float("inf")
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeats):
            start = time.perf_counter()
            list(pool.map(work, range(threads)))
            best = min(best, time.perf_counter() - start)
    return best


def environment(libraries: Libraries, limits: Limits) -> dict[str, Any]:
    """What a reader needs to judge the figures or repeat them."""
    return {
        "date": date.today().isoformat(),
        "commit": _git("rev-parse", "--short=12", "HEAD") or "unknown",
        "uncommitted_changes": bool(_git("status", "--porcelain", "--untracked-files=no")),
        "cpu": cpu_name(),
        "cores": available_cores(),
        "threads": libraries.threads,
        "instruction_set": instruction_set(libraries.ours),
        "load_average": os.getloadavg()[0],
        "platform": " ".join([platform.system(), platform.machine(), *platform.libc_ver()]),
        "python": sys.version.split()[0],
        "numpy": np.__version__,
        "torch": libraries.torch.__version__,
        libraries.ours.__name__: libraries.ours.__version__,
        "limits": asdict(limits),
    }


def instruction_set(library: Any) -> str:
    """What rushlight's kernels were chosen for; empty for another library."""
    kernels = getattr(library, "_kernels", None)
    return str(kernels.isa()) if kernels else ""


def available_cores() -> int:
    """The cores that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_name() -> str:
    """The processor's name as the system gives it."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        found = re.search(r"^model name\s*:\s*(.+)$", cpuinfo.read_text(), re.MULTILINE)
        if found:
            return found[1]
    return platform.processor() or platform.machine()


def slug(text: str) -> str:
    """The text as a part of a file name: lower case, words joined by hyphens."""
    words = re.sub(r"\((r|tm)\)|@|\bcpu\b|\bprocessor\b", " ", text.lower())
    return re.sub(r"[^a-z0-9.]+", "-", words).strip("-")


def _git(*arguments: str) -> str:
    """The output of a git command in the project, or nothing where that cannot be had."""
    try:
        run = subprocess.run(
            ["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return run.stdout.strip()
