"""The report of a run: results.json, report.md and chart.png in one folder."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from benchmarks.footprint import Footprint
from benchmarks.harness import Result, Spread
from benchmarks.machine import Limits

MEGABYTE = 1e6


def write(
    folder: Path,
    results: list[Result],
    footprints: list[Footprint],
    facts: dict[str, Any],
    command: str,
) -> None:
    """Write the report into `folder`, which is made where it does not exist."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "command": command,
        "environment": facts,
        "results": [result.as_dict() for result in results],
        "footprints": [footprint.as_dict() for footprint in footprints],
    }
    (folder / "results.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / "report.md").write_text(markdown(results, footprints, facts, command))
    if any(result.ratio for result in results):
        from benchmarks import chart

        chart.draw(results, facts, folder / "chart.png")


def markdown(
    results: list[Result], footprints: list[Footprint], facts: dict[str, Any], command: str
) -> str:
    """The report as a Markdown page."""
    parts = [_head(results, facts, command)]
    limits = Limits(**facts["limits"])
    for group in dict.fromkeys(result.group for result in results):
        rows = [_row(result, limits) for result in results if result.group == group]
        header = [group, "rushlight", "PyTorch", "ratio", "quartiles", "rate", "of limit"]
        parts.append(_table(header, rows))
    if footprints:
        header = ["Footprint", "import", "memory", "installed", "with dependencies", "wheel"]
        parts.append(_table(header, map(_footprint_row, footprints)))
    return "\n\n".join(parts) + "\n"


def _head(results: list[Result], facts: dict[str, Any], command: str) -> str:
    limits = Limits(**facts["limits"])
    changes = " with uncommitted changes" if facts["uncommitted_changes"] else ""
    names = [name for name in ("rushlight", "torch", "numpy", "python") if name in facts]
    versions = ", ".join(f"{name} {facts[name]}" for name in names)
    lines = [
        f"# Benchmarks of {facts['date']}",
        "",
        f"`{command}` on {facts['cpu']}, {facts['cores']} cores, {threads(facts)}; "
        f"{versions}; commit {facts['commit']}{changes}.",
        "",
        "Medians; both libraries ran in turn in one process, after their numbers were compared. "
        "A ratio below 1 means that rushlight is faster; **bold** marks where it is "
        f"slower. The limits measured here are {limits.flops / 1e9:.0f} GFLOP/s (NumPy matrix "
        f"products) and {limits.bandwidth / 1e9:.1f} GB/s (NumPy sums into existing memory).",
    ]
    noisy = [result.name for result in results if result.noisy]
    if noisy:
        lines += ["", f"The machine was noisy (~) during: {'; '.join(noisy)}."]
    return "\n".join(lines)


def _row(result: Result, limits: Limits) -> list[str]:
    if result.ours is None or result.torch is None or result.ratio is None:
        return [result.name, f"**{_cell(result.error or 'not measured')}**", *[""] * 5]
    share = limits.share(result.ours.median, result.flops, result.nbytes)
    return [
        result.name,
        duration(result.ours.median),
        duration(result.torch.median),
        ratio_cell(result.ratio) + (" ~" if result.noisy else ""),
        f"{result.ratio.lower:.2f}-{result.ratio.upper:.2f}",
        rate(result.ours.median, result.flops, result.nbytes),
        "" if share is None else f"{share:.0%}",
    ]


def _footprint_row(footprint: Footprint) -> list[str]:
    sizes = [footprint.resident, footprint.installed, footprint.with_dependencies, footprint.wheel]
    return [
        footprint.name,
        duration(footprint.import_seconds.median),
        *("" if size is None else f"{size / MEGABYTE:.1f} MB" for size in sizes),
    ]


def threads(facts: dict[str, Any]) -> str:
    """How many threads each library had, in words."""
    return "1 thread" if facts["threads"] == 1 else f"{facts['threads']} threads"


def duration(seconds: float) -> str:
    """A time with the unit that suits it."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds * 1e6:.3g} µs"


def rate(seconds: float, flops: float, nbytes: float) -> str:
    """GFLOP/s, GB/s or nothing."""
    if flops:
        return f"{flops / seconds / 1e9:.1f} GFLOP/s"
    return f"{nbytes / seconds / 1e9:.1f} GB/s" if nbytes else ""


def ratio_cell(ratio: Spread) -> str:
    """The ratio, bold where it is a loss."""
    text = f"{ratio.median:.2f}"
    return f"**{text}**" if ratio.median > 1.0 else text


def _table(header: list[str], rows: Iterable[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    """Text that may stand in a table."""
    return " ".join(text.split()).replace("|", "\\|")
