"""Two runs side by side: ``python -m benchmarks.compare BEFORE.json AFTER.json``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

# Below this a difference between two runs is no news on a shared machine.
NEWS = 0.05


def main() -> None:
    """Print rushlight's time in both runs for every case that both timed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.compare", description=__doc__)
    parser.add_argument("before", type=Path, help="results.json of the first run")
    parser.add_argument("after", type=Path, help="results.json of the second run")
    arguments = parser.parse_args()
    before, after = ratios(arguments.before), ratios(arguments.after)
    print(f"{'ratio to PyTorch':60} {'before':>8} {'after':>8} {'change':>8}")
    for name in before.keys() & after.keys():
        change = after[name] / before[name] - 1.0
        mark = "" if abs(change) < NEWS else ("  slower" if change > 0 else "  faster")
        print(f"{name:60.60} {before[name]:8.2f} {after[name]:8.2f} {change:+8.0%}{mark}")
    for name in before.keys() ^ after.keys():
        print(f"{name:60.60} only {'before' if name in before else 'after'}")


def ratios(path: Path) -> dict[str, float]:
    """The median ratio to PyTorch of every case of a run that was timed.

    Ratios, not times: PyTorch ran beside both, so the machine's own speed drops out.
    """
    results: list[dict[str, Any]] = json.loads(path.read_text())["results"]
    return {f"{r['group']}: {r['name']}": r["ratio"]["median"] for r in results if r["ratio"]}


if __name__ == "__main__":
    main()
