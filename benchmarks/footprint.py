"""What a library costs before it computes anything: import time, memory, and room on the disk."""

from __future__ import annotations

import argparse
import importlib.metadata
import importlib.util
import re
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.harness import Spread
from benchmarks.machine import ROOT

ROUNDS = 10
# Linux's own figure, since ru_maxrss starts there at the size of the process that forked this one.
PEAK_MEMORY = """
import sys
if sys.platform == "linux":
    status = dict(line.split(":") for line in open("/proc/self/status"))
    print(int(status["VmHWM"].split()[0]) * 1024)
else:
    import resource
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@dataclass(frozen=True)
class Footprint:
    """One library's cost.

    Attributes:
        import_seconds: A whole Python process that only imports it.
        resident: Peak resident bytes of that process.
        installed: Bytes of its own files.
        with_dependencies: Bytes of its files and of those of all that it requires.
        wheel: Bytes of its wheel, where one lies in dist/.
    """

    name: str
    import_seconds: Spread
    resident: int
    installed: int
    with_dependencies: int
    wheel: int | None

    def as_dict(self) -> dict[str, Any]:
        """A JSON-ready copy."""
        return asdict(self)


def measure_footprints(names: list[str]) -> list[Footprint]:
    """The cost of each library."""
    # First, since it also brings the libraries into the disk's cache.
    resident = {name: int(_python(f"import {name}\n{PEAK_MEMORY}")) for name in names}
    seconds = import_seconds(names)
    return [
        Footprint(
            name,
            Spread.of(seconds[name]),
            resident[name],
            _size(name),
            sum(map(_size, {name} | _dependencies(name))),
            _wheel_size(name),
        )
        for name in names
    ]


def import_seconds(names: list[str]) -> dict[str, list[float]]:
    """Seconds of whole processes that import each library, ten for each, in turn."""
    seconds: dict[str, list[float]] = {name: [] for name in names}
    for _ in range(ROUNDS):
        for name in names:
            start = time.perf_counter()
            _python(f"import {name}")
            seconds[name].append(time.perf_counter() - start)
    return seconds


def main() -> int:
    """Compare the imports of NumPy and rushlight; returns 1 if the ratio is over the limit."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.footprint", description=main.__doc__
    )
    parser.add_argument("--limit", type=float, required=True, help="the largest ratio of medians")
    limit: float = parser.parse_args().limit
    names = ["numpy", "rushlight"]
    import_seconds(names)
    seconds = import_seconds(names)
    base, ours = (Spread.of(seconds[name]).median for name in names)
    print(f"import: numpy {base:.3f} s, rushlight {ours:.3f} s, ratio {ours / base:.2f} <= {limit}")
    return int(ours / base > limit)


def _python(program: str) -> str:
    """The output of a program in a Python process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return run.stdout


def _size(name: str) -> int:
    """Bytes of the files that a distribution installed, or of a package used from its sources."""
    try:
        files = importlib.metadata.files(name) or []
        paths = [Path(str(file.locate())) for file in files]
    except importlib.metadata.PackageNotFoundError:
        spec = importlib.util.find_spec(name)
        if spec is None or spec.origin is None:
            return 0
        paths = list(Path(spec.origin).parent.rglob("*"))
    return sum(path.stat().st_size for path in paths if path.is_file() and path.suffix != ".pyc")


def _dependencies(name: str) -> set[str]:
    """The installed distributions that `name` requires, directly or not, without its extras."""
    found: set[str] = set()
    waiting = [name]
    while waiting:
        try:
            requirements = importlib.metadata.requires(waiting.pop()) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        for requirement in requirements:
            match = re.match(r"[\w.-]+", requirement)
            if match and "extra ==" not in requirement and match[0] not in found:
                found.add(match[0])
                waiting.append(match[0])
    return {dependency for dependency in found if _is_installed(dependency)}


def _is_installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _wheel_size(name: str) -> int | None:
    """Bytes of the newest wheel of `name` in dist/."""
    wheels = sorted((ROOT / "dist").glob(f"{name}-*.whl"), key=lambda path: path.stat().st_mtime)
    return wheels[-1].stat().st_size if wheels else None


if __name__ == "__main__":
    sys.exit(main())
