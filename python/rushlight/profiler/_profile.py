"""The profiler: when to record, and what becomes of it."""

from __future__ import annotations

import enum
import gzip
import json
import os
import shutil
import socket
import time
import warnings
from collections.abc import Callable, Iterable
from typing import Any

from rushlight.profiler import _instrument
from rushlight.profiler._record import Recorder, active, record_function
from rushlight.profiler._summary import EventList

__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]


class ProfilerActivity(enum.Enum):
    """What is measured; here only the CPU."""

    CPU = 0
    XPU = 1
    CUDA = 2


class ProfilerAction(enum.Enum):
    """What the profiler does in one step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


_RECORDING = (ProfilerAction.RECORD, ProfilerAction.RECORD_AND_SAVE)


def supported_activities() -> set[ProfilerActivity]:
    """What can be measured."""
    return {ProfilerActivity.CPU}


def schedule(
    *,
    wait: int,
    warmup: int,
    active: int,
    repeat: int = 0,
    skip_first: int = 0,
    skip_first_wait: int = 0,
) -> Callable[[int], ProfilerAction]:
    """What to do in each step: in cycles of waiting, warming up and recording.

    Args:
        wait: steps of a cycle before it warms up.
        warmup: steps before it records.
        active: steps that it records; after the last the trace is ready.
        repeat: the number of cycles; 0: as long as the program runs.
        skip_first: steps before the first cycle.
        skip_first_wait: if not 0, the first cycle does not wait.

    Raises:
        AssertionError: for negative numbers, and for nothing to record.
    """
    if min(wait, warmup, repeat, skip_first) < 0 or active <= 0:
        raise AssertionError(
            f"Invalid profiler schedule arguments: wait={wait}, warmup={warmup}, active={active}, "
            f"repeat={repeat}, skip_first={skip_first}"
        )
    if warmup == 0:
        warnings.warn(
            "Profiler won't be using warmup, this can skew profiler results", stacklevel=2
        )

    def action(step: int) -> ProfilerAction:
        if step < 0:
            raise AssertionError(f"Step must be non-negative. Got {step}.")
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        cycle = wait + warmup + active
        if repeat > 0 and step // cycle >= repeat:
            return ProfilerAction.NONE
        position = step % cycle
        if position < wait:
            return ProfilerAction.NONE
        if position < wait + warmup:
            return ProfilerAction.WARMUP
        last = position == cycle - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return action


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[Any], None]:
    """For `on_trace_ready`: writes each trace into a folder, under a name of its own.

    Args:
        dir_name: the folder; made where there is none.
        worker_name: opens the file's name; host and process when None.
        use_gzip: compress the file.
    """

    def handler(finished: Any) -> None:
        os.makedirs(dir_name, exist_ok=True)
        worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"
        name = f"{worker}.{time.time_ns()}.pt.trace.json" + (".gz" if use_gzip else "")
        finished.export_chrome_trace(os.path.join(dir_name, name))

    return handler


class profile:  # noqa: N801 - PyTorch's name
    """Measures the operations, the backward pass and what the user marks, on the CPU.

    Events are named as PyTorch's: ``aten::mul`` for an operation, ``MulBackward0`` for its node in
    a backward pass, within that ``aten::...`` for kernels. Measuring costs about a microsecond for
    each event; without a running profiler it costs nothing.

    Args:
        activities: of `ProfilerActivity`; CPU by default.
        schedule: what to do in each step, from `schedule()`; None: record from start to stop.
        on_trace_ready: called with the profiler when a cycle, or everything, was recorded.
        record_shapes: record the shapes of arguments.
        profile_memory: record the bytes that kernels allocate and free.
        with_stack: not supported.
        with_flops: not supported.
        with_modules: not supported.
        experimental_config: not supported.
        execution_trace_observer: not supported.
        acc_events: keep the events of all cycles, not only those of the last.
        use_cuda: the old way to ask for CUDA.
        custom_trace_id_callback: not supported.

    Raises:
        NotImplementedError: for an option that is not supported.
        RuntimeError: when another profiler is running.

    Example:
        >>> import rushlight as torch
        >>> x = torch.ones(3, requires_grad=True)
        >>> with torch.profiler.profile() as profile:
        ...     (x * 2).sum().backward()
        >>> table = profile.key_averages().table(sort_by="self_cpu_time_total", row_limit=10)
        >>> "aten::mul" in table and "MulBackward0" in table
        True
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[[Any], Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        experimental_config: Any = None,
        execution_trace_observer: Any = None,
        acc_events: bool = False,
        use_cuda: bool | None = None,
        custom_trace_id_callback: Any = None,
    ) -> None:
        refuse(
            with_stack=with_stack,
            with_flops=with_flops,
            with_modules=with_modules,
            experimental_config=experimental_config,
            execution_trace_observer=execution_trace_observer,
            custom_trace_id_callback=custom_trace_id_callback,
        )
        wanted = set(supported_activities() if activities is None else activities)
        if use_cuda:
            wanted.add(ProfilerActivity.CUDA)
        check_activities(wanted)
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.acc_events = acc_events
        self.step_num = 0
        self.current_action = self.schedule(0)
        self._marks_steps = schedule is not None
        self._step: record_function | None = None
        self._metadata: dict[str, Any] = {}
        self._recorder: Recorder | None = None
        self._events = EventList()

    # ---- When to record ----

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Begins the first step."""
        if self.current_action in _RECORDING:
            self._begin()
        self._mark()

    def stop(self) -> None:
        """Ends the last step; what was recorded until then is ready."""
        self._unmark()
        if self._recorder is not None:
            self._finish()
            self._hand_over()

    def step(self) -> None:
        """Ends a step and begins the next, as the schedule says."""
        self._unmark()
        before = self.current_action
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        if before is ProfilerAction.RECORD_AND_SAVE:
            self._finish()
            self._hand_over()
        if self.current_action in _RECORDING:
            if self._recorder is None:
                self._begin()
        elif self._recorder is not None:
            self._finish()
        self._mark()

    def _mark(self) -> None:
        if self._marks_steps:
            self._step = record_function(f"ProfilerStep#{self.step_num}")
            self._step.__enter__()

    def _unmark(self) -> None:
        if self._step is not None:
            self._step.__exit__()
            self._step = None

    def _begin(self) -> None:
        self._recorder = begin(Recorder(self.record_shapes, self.profile_memory))

    def _finish(self) -> None:
        assert self._recorder is not None
        recorder, self._recorder = self._recorder, None
        finish()
        earlier = self._events if self.acc_events else []
        self._events = EventList(
            [*earlier, *recorder.events], self.profile_memory, recorder.process
        )

    def _hand_over(self) -> None:
        if self.on_trace_ready is not None:
            self.on_trace_ready(self)

    # ---- What was recorded ----

    def events(self) -> EventList:
        """The events of the last cycle, in the order of their ends."""
        return self._events

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        """The sums over the events of each name; ``.table()`` prints them."""
        return self._events.key_averages(group_by_input_shape, group_by_stack_n)

    def export_chrome_trace(self, path: str) -> None:
        """Writes the events as JSON for chrome://tracing; compressed if `path` ends in ``.gz``."""
        path = os.fspath(path)
        plain = path.removesuffix(".gz")
        self._events.export_chrome_trace(plain)
        if self._metadata:
            with open(plain, encoding="utf-8") as file:
                trace = json.load(file)
            with open(plain, "w", encoding="utf-8") as file:
                json.dump({**trace, **self._metadata}, file)
        if plain != path:
            with open(plain, "rb") as source, gzip.open(path, "wb") as target:
                shutil.copyfileobj(source, target)
            os.remove(plain)

    def add_metadata(self, key: str, value: str) -> None:
        """Adds a text to the trace."""
        self._metadata[key] = value

    def add_metadata_json(self, key: str, value: str) -> None:
        """Adds a value, given as JSON, to the trace."""
        self._metadata[key] = json.loads(value)

    def export_stacks(self, path: str, metric: str = "self_cpu_time_total") -> None:
        """Not supported: stacks are not recorded."""
        raise NotImplementedError("profile.export_stacks is not supported")


def begin(recorder: Recorder) -> Recorder:
    """Starts recording.

    Raises:
        RuntimeError: when another profiler is running.
    """
    if active.recorder is not None:
        raise RuntimeError("Can't start a profiler: another one is running")
    _instrument.install()
    active.recorder = recorder
    return recorder


def finish() -> None:
    """Ends recording."""
    active.recorder = None
    _instrument.remove()


def refuse(**options: Any) -> None:
    """Raises NotImplementedError for the first option that is set."""
    for name, value in options.items():
        if value:
            raise NotImplementedError(f"profile(): {name}={value!r} is not supported")


def check_activities(activities: set[Any]) -> None:
    """Raises NotImplementedError for what cannot be measured; without a GPU only warns of CUDA."""
    from rushlight import cuda

    for activity in activities - supported_activities():
        if activity is ProfilerActivity.CUDA and not cuda.is_available():
            warnings.warn("CUDA is not available, disabling CUDA profiling", stacklevel=3)
        else:
            raise NotImplementedError(f"profile(): {activity} is not supported")
