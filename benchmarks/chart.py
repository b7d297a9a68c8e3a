"""The bar chart of a run: rushlight's time over PyTorch's for each case, on a log axis."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from benchmarks.harness import Result
from benchmarks.report import threads

WIN, LOSS, INK = "#2a7f62", "#c8553d", "#333333"
ROW_INCHES = 0.27
TICKS = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8, 16, 32]


def draw(results: list[Result], facts: dict[str, Any], path: Path) -> None:
    """Draw the cases that were timed, grouped as in the tables, into a PNG file."""
    rows = _rows(results)
    ratios = [result.ratio.median for _, result in rows if result and result.ratio]
    figure, axes = plt.subplots(figsize=(9.5, ROW_INCHES * len(rows) + 1.3), layout="constrained")
    for y, (label, result) in enumerate(rows):
        if result is None:
            axes.text(0, y, label, transform=axes.get_yaxis_transform(), weight="bold", va="center")
        elif result.ratio:
            _bar(axes, y, result)
    axes.axvline(1.0, color=INK, linewidth=1)
    axes.set_xscale("log", base=2)
    # Room at both ends for the figures beside the longest bars.
    axes.set_xlim(min([*ratios, 0.5]) / 1.7, max([*ratios, 2.0]) * 1.7)
    axes.set_ylim(len(rows) - 0.4, -0.8)
    axes.xaxis.set_major_locator(FixedLocator(TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(_fraction))
    axes.set_yticks([y for y, (_, result) in enumerate(rows) if result])
    axes.set_yticklabels([label for label, result in rows if result])
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color="#dddddd")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.set_xlabel(
        "time of rushlight / time of PyTorch (left of 1: rushlight is faster; ~: noisy machine)"
    )
    axes.set_title(
        f"rushlight against PyTorch {facts['torch']}\n{facts['cpu']}, {threads(facts)}",
        fontsize=11,
    )
    figure.savefig(path, dpi=120)
    plt.close(figure)


def _rows(results: list[Result]) -> list[tuple[str, Result | None]]:
    """The chart's rows from the top: a group's title, then its cases."""
    rows: list[tuple[str, Result | None]] = []
    timed = [result for result in results if result.ratio]
    for group in dict.fromkeys(result.group for result in timed):
        rows.append((group, None))
        rows += [(result.name, result) for result in timed if result.group == group]
    return rows


def _fraction(value: float, _: int) -> str:
    """A power of two as people write it: 1/4, 1, 4."""
    return f"{value:g}" if value >= 1.0 else f"1/{1.0 / value:g}"


def _bar(axes: Any, y: int, result: Result) -> None:
    assert result.ratio is not None
    ratio = result.ratio.median
    won = ratio <= 1.0
    axes.barh(y, ratio - 1.0, left=1.0, height=0.7, color=WIN if won else LOSS)
    axes.annotate(
        f"{ratio:.2f}" + (" ~" if result.noisy else ""),
        (ratio, y),
        xytext=(-4 if won else 4, 0),
        textcoords="offset points",
        ha="right" if won else "left",
        va="center",
        fontsize=8,
        color=INK,
    )
