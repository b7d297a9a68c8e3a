"""Python's multiprocessing, and `spawn`; tensors are copied from process to process."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Callable
from multiprocessing import *  # noqa: F403
from multiprocessing.connection import wait
from typing import Any

__all__ = [
    *multiprocessing.__all__,
    "ProcessContext",
    "ProcessExitedException",
    "ProcessRaisedException",
    "get_all_sharing_strategies",
    "get_sharing_strategy",
    "set_sharing_strategy",
    "spawn",
    "start_processes",
]


def get_all_sharing_strategies() -> set[str]:
    """The names PyTorch has; all stand for copies."""
    return {"file_descriptor", "file_system"}


_strategy = "file_descriptor"


def set_sharing_strategy(new_strategy: str) -> None:
    """Choose a name; nothing depends on it.

    Raises:
        AssertionError: for another name.
    """
    global _strategy
    if new_strategy not in get_all_sharing_strategies():
        raise AssertionError(f"invalid sharing strategy {new_strategy!r}")
    _strategy = new_strategy


def get_sharing_strategy() -> str:
    """Return the name that was chosen."""
    return _strategy


class ProcessRaisedException(Exception):  # noqa: N818 - PyTorch's name
    """A process raised; the message holds its traceback.

    Attributes:
        error_index: which process.
        error_pid: its identification.
    """

    def __init__(self, msg: str, error_index: int, error_pid: int) -> None:
        super().__init__(msg)
        self.error_index = error_index
        self.error_pid = error_pid


class ProcessExitedException(ProcessRaisedException):
    """A process ended by a signal or with an exit code that is not 0.

    Attributes:
        exit_code: minus the signal, or the code.
    """

    def __init__(self, msg: str, error_index: int, error_pid: int, exit_code: int) -> None:
        super().__init__(msg, error_index, error_pid)
        self.exit_code = exit_code


def _run(function: Callable[..., Any], number: int, args: tuple[Any, ...], errors: Any) -> None:
    try:
        function(number, *args)
    except KeyboardInterrupt:
        pass  # the parent has received it too
    except Exception:
        errors.put(traceback.format_exc())
        raise SystemExit(1) from None


class ProcessContext:
    """Processes that `spawn` has started.

    Attributes:
        processes: all of them, in order.
    """

    def __init__(self, processes: list[Any], errors: list[Any]) -> None:
        self.processes = processes
        self._errors = errors
        self._left = dict(enumerate(processes))

    def pids(self) -> list[int]:
        """Their identifications."""
        return [process.pid for process in self.processes]

    def join(self, timeout: float | None = None, grace_period: float | None = None) -> bool:
        """Wait until one or more have ended.

        Args:
            timeout: seconds; None waits for ever.
            grace_period: seconds that the others are given when one has failed.

        Returns:
            Whether all have ended well.

        Raises:
            ProcessRaisedException: one raised.
            ProcessExitedException: one ended in another way.
        """
        ready = wait([process.sentinel for process in self._left.values()], timeout)
        ended = {i: p for i, p in self._left.items() if p.sentinel in ready}
        for number, process in ended.items():
            process.join()
            del self._left[number]
            if process.exitcode != 0:
                self._end(grace_period)
                raise self._failure(number, process)
        return not self._left

    def _end(self, grace_period: float | None) -> None:
        for process in self._left.values():
            if grace_period is not None:
                process.join(grace_period)
            if process.is_alive():
                process.terminate()
        for process in self._left.values():
            process.join()

    def _failure(self, number: int, process: Any) -> ProcessRaisedException:
        errors, code = self._errors[number], process.exitcode
        if code > 0 and not errors.empty():
            text = f"\n\n-- Process {number} terminated with the following error:\n{errors.get()}"
            return ProcessRaisedException(text, number, process.pid)
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        text = f"process {number} terminated with {how}"
        return ProcessExitedException(text, number, process.pid, code)


def start_processes(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Call ``fn(i, *args)`` in `nprocs` processes, i from 0 on.

    Args:
        fn: at the top of a module.
        args: what can be pickled.
        nprocs: how many.
        join: wait until all have ended.
        daemon: end them when this process ends.
        start_method: of multiprocessing.

    Returns:
        None after waiting, else what waits.

    Raises:
        ProcessRaisedException: one raised.
        ProcessExitedException: one ended in another way.
    """
    context: Any = multiprocessing.get_context(start_method)
    processes, errors = [], []
    for i in range(nprocs):
        errors.append(context.SimpleQueue())
        process = context.Process(target=_run, args=(fn, i, args, errors[i]), daemon=daemon)
        process.start()
        processes.append(process)
    running = ProcessContext(processes, errors)
    if not join:
        return running
    while not running.join():
        pass
    return None


def spawn(
    fn: Callable[..., Any],
    args: tuple[Any, ...] = (),
    nprocs: int = 1,
    join: bool = True,
    daemon: bool = False,
    start_method: str = "spawn",
) -> ProcessContext | None:
    """Do what `start_processes` does, in new interpreters."""
    return start_processes(fn, args, nprocs, join, daemon, start_method)
