"""``python -m benchmarks``: rushlight against PyTorch, as tables, JSON and a chart."""

from __future__ import annotations

import os

# NumPy's matrix library (the control and the limits) must not keep a thread pool, which would spin
# beside the pools that are measured. It reads this when it is imported.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import importlib
import sys
from pathlib import Path

from benchmarks import footprint, machine, ops, overhead, report, train
from benchmarks.harness import QUICK, THOROUGH, Libraries, Result, measure

PARTS = {"overhead": overhead.CASES, "train": train.CASES, "ops": ops.CASES}
FOOTPRINT = "footprint"
RESULTS = Path(__file__).parent / "results"


def main() -> int:
    """Measure what was asked for and write the report; returns 1 if a case failed its check."""
    arguments = _parser().parse_args()
    libraries = Libraries(
        ours=importlib.import_module(arguments.library),
        torch=importlib.import_module("torch"),
        threads=arguments.threads,
    )
    limits = machine.measure_limits(arguments.threads)
    facts = machine.environment(libraries, limits)
    wanted = arguments.only or [*PARTS, FOOTPRINT]
    effort = QUICK if arguments.quick else THOROUGH
    results = []
    for case in (case for part in PARTS if part in wanted for case in PARTS[part]):
        if arguments.match in case.name:
            results.append(measure(case, libraries, effort))
            print(_line(results[-1]), flush=True)
    footprints = []
    if FOOTPRINT in wanted:
        footprints = footprint.measure_footprints(["numpy", arguments.library, "torch"])
    folder = arguments.output or RESULTS / f"{facts['date']}-{machine.slug(facts['cpu'])}"
    report.write(folder, results, footprints, facts, _command())
    print(f"report: {folder}")
    return int(any(result.error for result in results))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="shorter samples, fewer rounds")
    parser.add_argument(
        "--only", nargs="+", choices=[*PARTS, FOOTPRINT], help="only these parts (default: all)"
    )
    parser.add_argument("--match", default="", help="only cases whose name holds this text")
    parser.add_argument(
        "--threads", type=int, default=machine.available_cores(), help="threads of each library"
    )
    parser.add_argument("--output", type=Path, help="folder (default: benchmarks/results/DATE-CPU)")
    parser.add_argument(
        "--library",
        default="rushlight",
        help="the module to measure; torch shows the harness's own spread (ratios of 1)",
    )
    return parser


def _command() -> str:
    return " ".join(["python -m benchmarks", *sys.argv[1:]])


def _line(result: Result) -> str:
    """One case on the terminal."""
    title = f"{result.group}: {result.name}"
    if result.ours is None or result.torch is None or result.ratio is None:
        return f"{title:70} FAILED {result.error}"
    times = f"{report.duration(result.ours.median):>9} {report.duration(result.torch.median):>9}"
    noise = "  (noisy machine)" if result.noisy else ""
    return f"{title:70} {times} {result.ratio.median:6.2f}{noise}"


if __name__ == "__main__":
    sys.exit(main())
