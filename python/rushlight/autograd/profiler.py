"""The older interface of the profiler; `rushlight.profiler` has schedules and more."""

from __future__ import annotations

from typing import Any

from rushlight.profiler._profile import begin, finish, refuse
from rushlight.profiler._record import Recorder, record_function
from rushlight.profiler._summary import EventAverage, EventList

__all__ = ["emit_itt", "emit_nvtx", "profile", "record_function"]


class profile:  # noqa: N801 - PyTorch's name
    """Measures what runs inside of the ``with`` block; see `rushlight.profiler.profile`.

    Args:
        enabled: False makes it do nothing.
        use_cuda: not supported.
        use_device: not supported.
        record_shapes: record the shapes of arguments.
        with_flops: not supported.
        profile_memory: record the bytes that kernels allocate and free.
        with_stack: not supported.
        with_modules: not supported.
        use_kineto: of no effect.
        use_cpu: must stay True.

    Raises:
        NotImplementedError: for an option that is not supported.
    """

    def __init__(
        self,
        enabled: bool = True,
        *,
        use_cuda: bool = False,
        use_device: str | None = None,
        record_shapes: bool = False,
        with_flops: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_modules: bool = False,
        use_kineto: bool = False,
        use_cpu: bool = True,
    ) -> None:
        refuse(
            use_cuda=use_cuda,
            use_device=use_device,
            with_flops=with_flops,
            with_stack=with_stack,
            with_modules=with_modules,
        )
        if not use_cpu:
            raise NotImplementedError("profile(): use_cpu=False is not supported")
        self.enabled = enabled
        self.record_shapes = record_shapes
        self.profile_memory = profile_memory
        self._recorder: Recorder | None = None
        self._entered = False
        self._events: EventList | None = None

    def __enter__(self) -> profile:
        if self.enabled:
            if self._entered:
                raise RuntimeError("Profiler context manager is not reentrant")
            self._entered = True
            self._recorder = begin(Recorder(self.record_shapes, self.profile_memory))
        return self

    def __exit__(self, *exception: object) -> None:
        if self._recorder is not None:
            finish()
            recorder, self._recorder = self._recorder, None
            self._events = EventList(recorder.events, self.profile_memory, recorder.process)

    @property
    def function_events(self) -> EventList:
        """The events, in the order of their ends.

        Raises:
            RuntimeError: before the block has ended.
        """
        if self._events is None:
            raise RuntimeError("Profiler didn't finish running")
        return self._events

    def key_averages(
        self, group_by_input_shape: bool = False, group_by_stack_n: int = 0
    ) -> EventList:
        """The sums over the events of each name."""
        return self.function_events.key_averages(group_by_input_shape, group_by_stack_n)

    def total_average(self) -> EventAverage:
        """The sums over everything."""
        return self.function_events.total_average()

    @property
    def self_cpu_time_total(self) -> float:
        """Microseconds of all events."""
        return self.function_events.self_cpu_time_total

    def table(self, *args: Any, **kwargs: Any) -> str:
        """The events as a table; see `EventList.table`."""
        return self.function_events.table(*args, **kwargs)

    def export_chrome_trace(self, path: str) -> None:
        """Writes the events as JSON for chrome://tracing."""
        self.function_events.export_chrome_trace(path)

    def __str__(self) -> str:
        return "<unfinished torch.autograd.profile>" if self._events is None else self.table()

    __repr__ = __str__


class emit_nvtx:  # noqa: N801 - PyTorch's name
    """Not supported."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        raise NotImplementedError("torch.autograd.profiler.emit_nvtx is not supported")


class emit_itt:  # noqa: N801 - PyTorch's name
    """Not supported."""

    def __init__(self, enabled: bool = True, record_shapes: bool = False) -> None:
        raise NotImplementedError("torch.autograd.profiler.emit_itt is not supported")
