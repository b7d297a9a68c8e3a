"""The worker's side of loading: what runs in a worker process.

Two threads keep the link to the main process flowing in both directions, so that neither side can
wait for the other: the worker goes on computing while its batches are not fetched yet.
"""

from __future__ import annotations

import multiprocessing
import pickle
import random
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import Any

import numpy as np

from rushlight._kernels import set_num_threads
from rushlight.random import manual_seed
from rushlight.utils.data._utils import info
from rushlight.utils.data._utils.fetch import FetchPlan
from rushlight.utils.data._utils.transport import Packed
from rushlight.utils.data.dataset import IterableDataset


@dataclass(frozen=True)
class WorkerSetup:
    """What a worker process is told at its start.

    Args:
        plan: how to read the dataset.
        number: which worker it is, from 0.
        num_workers: how many there are.
        base_seed: the loader's draw; the worker's seed is ``base_seed + number``.
        init_fn: called with `number` after seeding.
    """

    plan: FetchPlan
    number: int
    num_workers: int
    base_seed: int
    init_fn: Callable[[int], None] | None


STOP = None


@dataclass(frozen=True)
class Ended:
    """The answer of a worker whose share of an iterable-style dataset is read."""


@dataclass(frozen=True)
class Failure:
    """The answer of a worker that met an exception.

    Args:
        kind: the exception's type.
        message: what the main process will say: the type, the worker, the worker's traceback.
    """

    kind: type[Exception]
    message: str

    @classmethod
    def of(cls, error: Exception, number: int) -> Failure:
        """The failure for an exception just caught in worker `number`."""
        kind = type(error)
        message = (
            f"Caught {kind.__name__} in DataLoader worker process {number}.\n"
            f"Original {''.join(traceback.format_exception(error))}"
        )
        try:
            pickle.dumps(kind)
        except Exception:  # a local class: the main process could not find it
            kind = RuntimeError
        return cls(kind, message)

    def exception(self) -> Exception:
        """It again, as a RuntimeError where its type takes more than a message."""
        try:
            return self.kind(_Verbatim(self.message))
        except Exception:
            return RuntimeError(self.message)


class _Verbatim(str):
    """Text that KeyError, which shows its argument's repr, prints as it is."""

    def __repr__(self) -> str:
        return str(self)


def serve(setup: WorkerSetup, link: Connection) -> None:
    """Answer tasks until the main process says stop, or is gone.

    Args:
        setup: what to do.
        link: brings tasks ``(epoch, index)`` and `STOP`; takes answers ``(epoch, batch)`` in the
            order of the tasks, where a batch may be `Ended` or a `Failure`. A new epoch starts the
            dataset anew.
    """
    tasks: SimpleQueue[Any] = SimpleQueue()
    answers: SimpleQueue[Any] = SimpleQueue()
    stopped = threading.Event()
    threading.Thread(target=_receive, args=(link, tasks, stopped), daemon=True).start()
    threading.Thread(target=_send, args=(link, answers), daemon=True).start()
    try:
        read = _reader(setup)
        while True:
            task = tasks.get()
            if stopped.is_set():
                return
            epoch, index = task
            answers.put(_packed(epoch, read(epoch, index), setup.number))
    except KeyboardInterrupt:
        pass  # the main process has received it too, and reports it


def _receive(link: Connection, tasks: SimpleQueue[Any], stopped: threading.Event) -> None:
    # The end of the link cannot say that the main process is gone: forked processes, this one too,
    # hold copies of the other end.
    main = multiprocessing.parent_process()
    assert main is not None
    while link in wait([link, main.sentinel]) and (task := link.recv()) != STOP:
        tasks.put(task)
    stopped.set()
    tasks.put(STOP)  # wakes the loop of `serve` up


def _send(link: Connection, answers: SimpleQueue[Any]) -> None:
    try:
        while True:
            answers.get().send(link)
    except OSError:
        pass  # the main process has closed the link: nobody wants the rest


def _packed(epoch: int, answer: Any, number: int) -> Packed:
    # Packed here and not while sending, so that what cannot be packed is an answer too.
    try:
        return Packed.of((epoch, answer))
    except Exception as error:
        return Packed.of((epoch, Failure.of(error, number)))


def _reader(setup: WorkerSetup) -> Callable[[int, Any], Any]:
    """Seed and initialise this process; the function that answers a task."""
    failure: Failure | None = None
    try:
        _initialise(setup)
    except Exception as error:
        failure = Failure.of(error, setup.number)
    current = 0
    fetch: Callable[[Any], Any]

    def read(epoch: int, index: Any) -> Any:
        nonlocal current, fetch
        if failure is not None:
            return failure
        try:
            if epoch != current:
                fetch = setup.plan.fetcher()
                current = epoch
            return fetch(index)
        except Exception as error:
            if type(error) is StopIteration and isinstance(setup.plan.dataset, IterableDataset):
                return Ended()
            return Failure.of(error, setup.number)

    return read


def _initialise(setup: WorkerSetup) -> None:
    set_num_threads(1)
    seed = setup.base_seed + setup.number
    random.seed(seed)
    manual_seed(seed)
    words = [setup.number, setup.base_seed & 0xFFFFFFFF, setup.base_seed >> 32, 0]
    np.random.seed(np.random.SeedSequence(words).generate_state(4))  # as PyTorch's workers
    info.current = info.WorkerInfo(setup.number, setup.num_workers, seed, setup.plan.dataset)
    if setup.init_fn is not None:
        setup.init_fn(setup.number)
