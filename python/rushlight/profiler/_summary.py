"""Tables and traces of recorded events."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable
from typing import Any

from rushlight.profiler._record import Event

__all__ = ["EventAverage", "EventList"]

_SORTABLE = (
    "count",
    "cpu_memory_usage",
    "cpu_time",
    "cpu_time_total",
    "self_cpu_memory_usage",
    "self_cpu_time_total",
)


class EventAverage:
    """The sums over the events of one name.

    Attributes:
        key: the name.
        count: the number of events.
        cpu_time_total: microseconds, with the events below.
        self_cpu_time_total: microseconds, without them.
        cpu_memory_usage: bytes, with the events below.
        self_cpu_memory_usage: bytes, without them.
        input_shapes: the arguments' shapes, where these were to be told apart.
        is_user_annotation: whether the user marked them with `record_function`.
    """

    def __init__(self, key: str, input_shapes: str = "") -> None:
        self.key = key
        self.count = 0
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0
        self.cpu_memory_usage = 0
        self.self_cpu_memory_usage = 0
        self.input_shapes = input_shapes
        self.is_user_annotation = False

    @property
    def cpu_time(self) -> float:
        """Microseconds of one call."""
        return self.cpu_time_total / self.count if self.count else 0.0

    def add(self, event: Any) -> EventAverage:
        """Adds an event, or the sums of another average."""
        if not isinstance(event, EventAverage) and _is_nested(event):
            # What runs within itself counts once.
            total, memory = 0.0, 0
        else:
            total, memory = event.cpu_time_total, event.cpu_memory_usage
        self.count += event.count
        self.cpu_time_total += total
        self.cpu_memory_usage += memory
        self.self_cpu_time_total += event.self_cpu_time_total
        self.self_cpu_memory_usage += event.self_cpu_memory_usage
        self.is_user_annotation |= event.is_user_annotation
        return self

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={duration(self.self_cpu_time_total)} "
            f"cpu_time={duration(self.cpu_time)} count={self.count} "
            f"cpu_memory_usage={self.cpu_memory_usage}>"
        )


def _is_nested(event: Event) -> bool:
    parent = event.parent
    while parent is not None:
        if parent.name == event.name:
            return True
        parent = parent.parent
    return False


class EventList(list[Any]):
    """Events, or averages over them."""

    def __init__(
        self, events: Iterable[Any] = (), profile_memory: bool = False, process: int = 0
    ) -> None:
        super().__init__(events)
        self._profile_memory = profile_memory
        self._process = process or os.getpid()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all."""
        return float(sum(event.self_cpu_time_total for event in self))

    def key_averages(
        self, group_by_input_shapes: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        """The sums over the events of each name, in the order in which they first ended.

        Args:
            group_by_input_shapes: tell calls apart by their arguments' shapes.
            group_by_stack_n: not supported.
        """
        if group_by_stack_n:
            raise NotImplementedError("key_averages(): group_by_stack_n is not supported")
        averages: dict[tuple[str, str], EventAverage] = {}
        for event in self:
            shapes = str(event.input_shapes or []) if group_by_input_shapes else ""
            key = (event.key, shapes)
            if key not in averages:
                averages[key] = EventAverage(*key)
            averages[key].add(event)
        return EventList(averages.values(), self._profile_memory, self._process)

    def total_average(self) -> EventAverage:
        """The sums over everything."""
        total = EventAverage("Total")
        for event in self:
            total.add(event)
        return total

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
        time_unit: str | None = None,
    ) -> str:
        """The rows as text.

        Args:
            sort_by: 'count', 'cpu_time', 'cpu_time_total', 'self_cpu_time_total',
                'cpu_memory_usage' or 'self_cpu_memory_usage', the greatest first; None: as they
                are.
            row_limit: the number of rows; -1: all.
            max_src_column_width: of no effect: there are no stacks.
            max_name_column_width: longer names are cut.
            max_shapes_column_width: longer shapes are cut.
            header: a line above the table.
            top_level_events_only: only events that were not part of another.
            time_unit: 's', 'ms' or 'us'; None: each as fits.

        Raises:
            AttributeError: for another `sort_by`.
            NotImplementedError: for times of a device.
        """
        if not self:
            return ""
        rows = list(self)
        if top_level_events_only:
            rows = [row for row in rows if getattr(row, "parent", None) is None]
        if sort_by is not None:
            rows.sort(key=_sort_key(sort_by), reverse=True)
        if row_limit >= 0:
            rows = rows[:row_limit]
        columns = self._columns(rows, max_name_column_width, max_shapes_column_width, time_unit)
        width = [max(12, *map(len, [title, *cells])) for title, cells in columns.items()]
        rule = "  ".join("-" * n for n in width)
        lines = [] if header is None else ["=" * len(rule), header]
        lines += [rule, _line(columns, width), rule]
        lines += [_line(cells, width) for cells in zip(*columns.values(), strict=True)]
        total = duration(self.self_cpu_time_total, time_unit)
        return "\n".join([*lines, rule, f"Self CPU time total: {total}", ""])

    def _columns(
        self, rows: list[Any], name_width: int, shapes_width: int, unit: str | None
    ) -> dict[str, list[str]]:
        whole = self.self_cpu_time_total
        columns = {
            "Name": [_cut(row.key, name_width) for row in rows],
            "Self CPU %": [_share(row.self_cpu_time_total, whole) for row in rows],
            "Self CPU": [duration(row.self_cpu_time_total, unit) for row in rows],
            "CPU total %": [_share(row.cpu_time_total, whole) for row in rows],
            "CPU total": [duration(row.cpu_time_total, unit) for row in rows],
            "CPU time avg": [duration(row.cpu_time, unit) for row in rows],
        }
        if self._profile_memory:
            columns["CPU Mem"] = [_bytes(row.cpu_memory_usage) for row in rows]
            columns["Self CPU Mem"] = [_bytes(row.self_cpu_memory_usage) for row in rows]
        columns["# of Calls"] = [str(row.count) for row in rows]
        if any(row.input_shapes for row in rows):
            columns["Input Shapes"] = [_cut(str(row.input_shapes), shapes_width) for row in rows]
        return columns

    def export_chrome_trace(self, path: str) -> None:
        """Writes the events as JSON that chrome://tracing and Perfetto show.

        Args:
            path: of the file.
        """
        events: list[dict[str, Any]] = [
            {
                "ph": "M", "name": "process_name", "pid": self._process, "tid": 0, "ts": 0,
                "args": {"name": "python"},
            }
        ]  # fmt: skip
        for event in sorted(self, key=lambda event: event.start):
            details: dict[str, Any] = {"External id": event.id}
            if event.input_shapes is not None:
                details["Input Dims"] = event.input_shapes
            if self._profile_memory:
                details["Bytes"] = event.cpu_memory_usage
            events.append(
                {
                    "ph": "X",
                    "cat": "user_annotation" if event.kind == "user" else "cpu_op",
                    "name": event.name,
                    "pid": self._process,
                    "tid": event.thread,
                    "ts": event.start / 1000,
                    "dur": event.cpu_time_total,
                    "args": details,
                }
            )
        trace = {
            "schemaVersion": 1,
            "deviceProperties": [],
            "displayTimeUnit": "ms",
            "traceEvents": events,
        }
        with open(path, "w", encoding="utf-8") as file:
            json.dump(trace, file)

    def __str__(self) -> str:
        return self.table()


def _sort_key(name: str) -> Callable[[Any], Any]:
    if "cuda" in name or "device" in name:
        raise NotImplementedError(f"table(): sort_by={name!r} is not supported")
    if name not in _SORTABLE:
        known = ", ".join(_SORTABLE)
        raise AttributeError(f"table(): sort_by must be one of {known}, got {name!r}")
    return lambda row: getattr(row, name)


def _line(cells: Iterable[str], width: list[int]) -> str:
    return "  ".join(cell.rjust(n) for cell, n in zip(cells, width, strict=True))


def _cut(text: str, width: int) -> str:
    return text if width < 4 or len(text) <= width else text[: width - 3] + "..."


def _share(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f}%" if whole else "NaN"


def duration(microseconds: float, unit: str | None = None) -> str:
    """A time in the unit that fits, or in a given one."""
    if unit == "s" or (unit is None and microseconds >= 1e6):
        return f"{microseconds / 1e6:.3f}s"
    if unit == "ms" or (unit is None and microseconds >= 1e3):
        return f"{microseconds / 1e3:.3f}ms"
    return f"{microseconds:.3f}us"


def _bytes(count: int) -> str:
    for unit, size in (("GB", 1 << 30), ("MB", 1 << 20), ("KB", 1 << 10)):
        if abs(count) >= size:
            return f"{count / size:.2f} {unit}"
    return f"{count} B"
