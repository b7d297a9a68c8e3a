"""The main process's side of loading through worker processes.

Every worker has a link of its own and answers its tasks in order: nothing needs to be sorted.
"""

from __future__ import annotations

import multiprocessing
import os
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import cycle
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, NoReturn

from rushlight.utils.data._utils.pin_memory import can_pin, pinned
from rushlight.utils.data._utils.transport import receive
from rushlight.utils.data._utils.worker import STOP, Ended, Failure, WorkerSetup, serve
from rushlight.utils.data.sampler import draw_seed

if TYPE_CHECKING:
    from rushlight.utils.data.dataloader import DataLoader

_GRACE_S = 5.0  # for a worker to finish the sample it is at


class Worker:
    """A running worker process.

    Args:
        context: the multiprocessing context that starts it.
        setup: what it is told.
    """

    def __init__(self, context: Any, setup: WorkerSetup) -> None:
        self.link, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(setup, theirs), daemon=True)
        self.process.start()
        theirs.close()  # its death is then the end of the link
        self.sentinel: int = self.process.sentinel
        self.active = True


class MultiProcessIterator(Iterator[Any]):
    """One pass of a loader with workers; with persistent workers, one pass after the other.

    Args:
        loader: what to read.
    """

    def __init__(self, loader: DataLoader[Any]) -> None:
        base_seed = draw_seed(loader.generator)
        context = loader.multiprocessing_context or multiprocessing.get_context()
        self._workers = [
            Worker(
                context,
                WorkerSetup(
                    loader._plan, number, loader.num_workers, base_seed, loader.worker_init_fn
                ),
            )
            for number in range(loader.num_workers)
        ]
        self._stop = weakref.finalize(self, _stop, self._workers, os.getpid())
        self._pin = loader.pin_memory and can_pin()
        self._timeout = loader.timeout or None
        self._in_order = loader.in_order
        self._persistent = loader.persistent_workers
        self._epoch = 0
        self.restart(loader)

    def restart(self, loader: DataLoader[Any]) -> None:
        """Begin a pass; what is left of one that was broken off is thrown away when it comes."""
        self._epoch += 1
        self._indices = iter(loader._index_sampler)
        self._turn = cycle(self._workers)
        self._under_way: deque[Worker] = deque()  # the worker of each task, the oldest first
        for worker in self._workers:
            worker.active = True
        for _ in range((loader.prefetch_factor or 0) * len(self._workers)):
            self._assign()

    def __next__(self) -> Any:
        while self._under_way:
            # In order, the next batch is the next answer of the worker that has the oldest task.
            wanted = [self._under_way[0]] if self._in_order else list(self._under_way)
            worker, batch = self._receive(wanted)
            self._under_way.remove(worker)
            if isinstance(batch, Ended):
                worker.active = False
                self._assign()
                continue
            self._assign(None if self._in_order else worker)
            if isinstance(batch, Failure):
                raise batch.exception()
            return pinned(batch) if self._pin else batch
        if not self._persistent:
            self._stop()
        raise StopIteration

    def _assign(self, worker: Worker | None = None) -> None:
        """Give the next task to `worker`, or to the next one in turn that has data left."""
        if worker is None:
            in_turn = (next(self._turn) for _ in self._workers)
            worker = next((other for other in in_turn if other.active), None)
        if worker is None:
            return
        try:
            index = next(self._indices)
        except StopIteration:
            return
        try:
            worker.link.send((self._epoch, index))
        except OSError:
            self._report_death()
        self._under_way.append(worker)

    def _receive(self, wanted: list[Worker]) -> tuple[Worker, Any]:
        """The next answer of this pass from one of some workers."""
        while True:
            worker = self._first_to_answer(wanted)
            try:
                epoch, batch = receive(worker.link)
            except (EOFError, OSError):
                self._report_death()
            except BaseException:  # within a message: what follows on the link cannot be read
                self._abandon()
                raise
            if epoch == self._epoch:
                return worker, batch

    def _first_to_answer(self, wanted: list[Worker]) -> Worker:
        links = {worker.link: worker for worker in wanted}
        ready = wait([*links, *self._sentinels()], self._timeout)
        if not ready:
            raise RuntimeError(f"DataLoader timed out after {self._timeout} seconds")
        for link in ready:
            if link in links:
                return links[link]
        self._report_death()

    def _sentinels(self) -> list[int]:
        return [worker.sentinel for worker in self._workers]

    def _abandon(self) -> None:
        """End the pass, and the workers."""
        self._under_way.clear()
        self._stop()

    def _report_death(self) -> NoReturn:
        """Raise for the workers that are dead, and let the others go."""
        # A link may end a moment before its process does.
        gone = wait(self._sentinels(), _GRACE_S)
        pids = [str(worker.process.pid) for worker in self._workers if worker.sentinel in gone]
        self._abandon()
        raise RuntimeError(f"DataLoader worker (pid(s) {', '.join(pids)}) exited unexpectedly")


def _stop(workers: list[Worker], owner: int) -> None:
    if os.getpid() != owner:
        return  # a forked child has inherited the finalizer, but not the workers
    for worker in workers:
        with suppress(OSError):  # it may be dead
            worker.link.send(STOP)
        worker.link.close()
    for worker in workers:
        worker.process.join(_GRACE_S)
        if worker.process.is_alive():
            worker.process.terminate()
            worker.process.join()
