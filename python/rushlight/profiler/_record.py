"""What is recorded while a profiler runs: one event for each call."""

from __future__ import annotations

import functools
import itertools
import os
import threading
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, TypeVar

from rushlight import _kernels

__all__ = ["Event", "Recorder", "active", "record_function"]

F = TypeVar("F", bound=Callable[..., Any])

_next_id = itertools.count(1).__next__


class Event:
    """One call: of an operation, of a node of the graph, or of what the user marked.

    Attributes:
        name: as PyTorch names it, such as ``"aten::mul"`` and ``"MulBackward0"``.
        kind: 'op', 'kernel', 'node' or 'user'.
        parent: the event during which this one happened, in the same thread.
        start, end: nanoseconds.
        child_time: nanoseconds of the events directly below.
        memory: bytes of kernels' memory that are there at the end and were not at the start.
        child_memory: those of the events directly below.
        input_shapes: of the arguments, empty lists for what has no shape; None: not recorded.
    """

    __slots__ = (
        "child_memory", "child_time", "end", "id", "input_shapes", "kind", "memory", "name",
        "parent", "start", "thread",
    )  # fmt: skip

    def __init__(self, name: str, kind: str, parent: Event | None, thread: int) -> None:
        self.name = name
        self.kind = kind
        self.parent = parent
        self.thread = thread
        self.id = _next_id()
        self.start = self.end = self.child_time = self.memory = self.child_memory = 0
        self.input_shapes: list[Any] | None = None

    @property
    def is_user_annotation(self) -> bool:
        """Whether the user marked it with `record_function`."""
        return self.kind == "user"

    @property
    def count(self) -> int:
        """1: the sums over several are `EventAverage`."""
        return 1

    @property
    def key(self) -> str:
        """What averages are formed over."""
        return self.name

    @property
    def cpu_time_total(self) -> float:
        """Microseconds."""
        return (self.end - self.start) / 1000

    cpu_time = cpu_time_total

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds, without those of the events below."""
        return (self.end - self.start - self.child_time) / 1000

    @property
    def cpu_memory_usage(self) -> int:
        """Bytes."""
        return self.memory

    @property
    def self_cpu_memory_usage(self) -> int:
        """Bytes, without those of the events below."""
        return self.memory - self.child_memory

    def __repr__(self) -> str:
        return (
            f"<FunctionEvent id={self.id} name={self.name} cpu_time={self.cpu_time:.3f}us "
            f"self_cpu_time={self.self_cpu_time_total:.3f}us thread={self.thread}>"
        )


class _Stack(threading.local):
    top: Event | None = None


class Recorder:
    """Collects events from all threads.

    Args:
        shapes: record the arguments' shapes.
        memory: record how the kernels' memory grows.
    """

    def __init__(self, shapes: bool = False, memory: bool = False) -> None:
        self.shapes = shapes
        self.memory = memory
        self.events: list[Event] = []  # in the order of their ends
        self.process = os.getpid()
        self._stack = _Stack()

    def begin(self, name: str, kind: str, args: tuple[Any, ...] = ()) -> Event | None:
        """Starts an event; None where it would only repeat the one around it."""
        parent = self._stack.top
        if kind == "kernel" and parent is not None and parent.kind in ("op", "kernel"):
            return None
        event = Event(name, kind, parent, threading.get_native_id())
        if self.shapes:
            event.input_shapes = [list(getattr(a, "shape", ())) for a in args]
        if self.memory:
            event.memory = -_kernels.memory_stats()["allocated"]
        self._stack.top = event
        event.start = perf_counter_ns()
        return event

    def end(self, event: Event) -> None:
        """Ends the event that was started last in this thread."""
        event.end = perf_counter_ns()
        parent = self._stack.top = event.parent
        if self.memory:
            event.memory += _kernels.memory_stats()["allocated"]
        if parent is not None:
            parent.child_time += event.end - event.start
            parent.child_memory += event.memory
        self.events.append(event)


class _Active:
    recorder: Recorder | None = None


active = _Active()


class record_function:  # noqa: N801 - PyTorch's name
    """Marks a part of the program in the profile: a context manager, or a decorator.

    Without a running profiler it does nothing.

    Args:
        name: what the part is called.
        args: a text that the trace shows with it.

    Example:
        >>> import rushlight as torch
        >>> with torch.profiler.profile() as profile:
        ...     with torch.profiler.record_function("forward"):
        ...         y = torch.ones(3) * 2
        >>> [event.key for event in profile.key_averages() if event.is_user_annotation]
        ['forward']
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name
        self.args = args
        self._running: list[tuple[Recorder, Event]] = []

    def __enter__(self) -> record_function:
        recorder = active.recorder
        if recorder is not None:
            event = recorder.begin(self.name, "user")
            assert event is not None
            self._running.append((recorder, event))
        return self

    def __exit__(self, *exception: object) -> None:
        if self._running:
            recorder, event = self._running.pop()
            recorder.end(event)

    def __call__(self, function: F) -> F:
        """The function, marked at each call."""

        @functools.wraps(function)
        def marked(*args: Any, **kwargs: Any) -> Any:
            with record_function(self.name, self.args):
                return function(*args, **kwargs)

        return marked  # type: ignore[return-value]
