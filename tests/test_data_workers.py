"""The DataLoader with worker processes."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight.utils import data
from rushlight.utils.data import DataLoader, Dataset, IterableDataset, TensorDataset

# Python 3.12 and later warn of every fork of a process with threads.
pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")


class Calls(Dataset[Any]):
    """A sample is what a function gives for its index; at module level, so that it pickles."""

    def __init__(self, function: Callable[[int], Any], n: int = 8) -> None:
        self.function = function
        self.n = n

    def __getitem__(self, index: int) -> Any:
        return self.function(index)

    def __len__(self) -> int:
        return self.n


class Shares(IterableDataset[int]):
    """Worker i yields 3 + 2 * i numbers from 10 * i on."""

    def __init__(self, utils: Any = data) -> None:
        self.utils = utils

    def __iter__(self) -> Iterator[int]:
        worker = self.utils.get_worker_info()
        start = 10 * worker.id
        return iter(range(start, start + 3 + 2 * worker.id))


def identity(index: int) -> int:
    return index


def pid(index: int) -> int:
    return os.getpid()


def failing(index: int) -> int:
    if index == 3:
        raise KeyError("index three")
    return index


def dying(index: int) -> int:
    if index == 5:
        os._exit(3)
    return index


def sleeping(index: int) -> int:
    time.sleep(30 if index == 3 else 0)
    return index


def slow_first(index: int) -> int:
    time.sleep(0.5 if index == 0 else 0)
    return index


def unpicklable(index: int) -> Any:
    return lambda: index


def worker_facts(index: int) -> tuple[Any, ...]:
    info = data.get_worker_info()
    assert info is not None
    return info.id, info.num_workers, info.seed, len(info.dataset), os.environ.get("RUSH_TEST_INIT")


def mark_environment(number: int) -> None:
    os.environ["RUSH_TEST_INIT"] = f"worker {number}"


def failing_init(number: int) -> None:
    raise ValueError("no init")


def values(loader: Any) -> list[Any]:
    return [batch.tolist() for batch in loader]


def assert_no_children() -> None:
    assert multiprocessing.active_children() == []


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
def test_batches_in_order(method: str) -> None:
    loader = DataLoader(Calls(slow_first), 2, num_workers=2, multiprocessing_context=method)
    assert values(loader) == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert_no_children()


def test_batches_out_of_order_on_request() -> None:
    loader = DataLoader(Calls(slow_first), 2, num_workers=2, in_order=False)
    batches = values(loader)
    assert sorted(batches) == [[0, 1], [2, 3], [4, 5], [6, 7]] and batches[0] != [0, 1]


def test_work_is_done_in_the_workers() -> None:
    pids = {p for batch in values(DataLoader(Calls(pid), 1, num_workers=2)) for p in batch}
    assert len(pids) == 2 and os.getpid() not in pids


def test_persistent_workers_stay() -> None:
    def pids(**options: Any) -> list[set[int]]:
        loader = DataLoader(Calls(pid), 4, num_workers=2, **options)
        return [{p for batch in values(loader) for p in batch} for _ in range(2)]

    first, second = pids()
    assert not first & second
    first, second = pids(persistent_workers=True)
    assert first == second
    assert_no_children()


def test_a_persistent_pass_that_was_broken_off() -> None:
    loader = DataLoader(Calls(identity, 50), 2, num_workers=2, persistent_workers=True)
    for _ in range(3):
        assert next(iter(loader)).tolist() == [0, 1]
    assert values(loader) == [[i, i + 1] for i in range(0, 50, 2)]


def test_large_batches_and_many_indices() -> None:
    # Both directions of the link hold more than a pipe's buffer.
    tensor = rushlight.arange(3_000_000)
    loader = DataLoader(TensorDataset(tensor), 500_000, num_workers=1, prefetch_factor=3)
    starts = [batch[0].tolist() for (batch,) in loader]
    assert starts == list(range(0, 3_000_000, 500_000))


def test_worker_info_and_init() -> None:
    rushlight.manual_seed(0)
    loader = DataLoader(Calls(worker_facts), None, num_workers=2, worker_init_fn=mark_environment)
    facts = [tuple(sample) for sample in loader]
    seeds = {number: seed for number, _, seed, _, _ in facts}
    assert seeds[1] == seeds[0] + 1
    assert facts == [(i % 2, 2, seeds[i % 2], 8, f"worker {i % 2}") for i in range(8)]
    assert data.get_worker_info() is None


def test_an_exception_brings_the_workers_traceback() -> None:
    iterator = iter(DataLoader(Calls(failing), 2, num_workers=2))
    assert next(iterator).tolist() == [0, 1]
    # Not pytest.raises: what it returns keeps the iterator alive, through the traceback.
    try:
        text = str(next(iterator))
    except KeyError as error:
        text = str(error)
    assert text.startswith("Caught KeyError in DataLoader worker process 1.\nOriginal Traceback")
    assert "in failing" in text and "index three" in text
    assert next(iterator).tolist() == [4, 5]
    del iterator
    assert_no_children()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"worker_init_fn": failing_init}, ValueError, "no init"),
        ({"collate_fn": unpicklable}, Exception, "pickle"),
    ],
)
def test_other_exceptions_in_workers(
    options: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=f"(?s)in DataLoader worker process 0.*{words}"):
        values(DataLoader(Calls(identity), 2, num_workers=1, **options))
    assert_no_children()


def test_a_dying_worker() -> None:
    iterator = iter(DataLoader(Calls(dying), 2, num_workers=2))
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpect"):
        list(iterator)
    assert_no_children()
    assert list(iterator) == []


@pytest.mark.parametrize("in_order", [True, False])
def test_timeout(in_order: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    workers = importlib.import_module("rushlight.utils.data._utils.workers")
    monkeypatch.setattr(workers, "_GRACE_S", 0.1)
    dataset = Calls(sleeping, 4)
    iterator = iter(DataLoader(dataset, 2, num_workers=2, timeout=0.5, in_order=in_order))
    assert next(iterator).tolist() == [0, 1]
    with pytest.raises(RuntimeError, match=r"DataLoader timed out after 0\.5 seconds"):
        next(iterator)
    del iterator
    assert_no_children()


def test_a_dropped_iterator_stops_its_workers() -> None:
    iterator = iter(DataLoader(Calls(identity, 1000), 2, num_workers=2))
    next(iterator)
    assert len(multiprocessing.active_children()) == 2
    del iterator
    assert_no_children()


def test_streams() -> None:
    loader = DataLoader(Shares(), 2, num_workers=2)
    assert values(loader) == [[0, 1], [10, 11], [2], [12, 13], [14]]
    loader = DataLoader(Shares(), 2, num_workers=2, drop_last=True, persistent_workers=True)
    assert [values(loader) for _ in range(2)] == [[[0, 1], [10, 11], [12, 13]]] * 2


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"prefetch_factor": -1}, ValueError),
        ({"multiprocessing_context": "teleport"}, ValueError),
        ({"multiprocessing_context": 3}, TypeError),
    ],
)
def test_options_refused(options: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error, match=next(iter(options))):
        DataLoader(Calls(identity), num_workers=2, **options)


class Draws(Dataset[Any]):
    """A sample holds numbers from the three generators that a worker seeds."""

    def __init__(self, torch: Any) -> None:
        self.torch = torch

    def __getitem__(self, index: int) -> Any:
        return index, self.torch.rand(1).item(), random.random(), float(np.random.rand())

    def __len__(self) -> int:
        return 11


def drawn(torch: Any, utils: Any) -> list[Any]:
    torch.manual_seed(5)
    found: list[Any] = []
    for options in ({"shuffle": True}, {"persistent_workers": True, "shuffle": True}, {}):
        loader = utils.DataLoader(Draws(torch), 3, num_workers=2, **options)
        for _ in range(2):
            found.append([[column.tolist() for column in batch] for batch in loader])
        found.append(torch.rand(1).item())
    found.append(values(utils.DataLoader(stream(utils), 2, num_workers=2)))
    return found


def stream(utils: Any) -> Any:
    # PyTorch knows a stream by its own base class.
    return type("Stream", (utils.IterableDataset,), {"__iter__": Shares.__iter__, "utils": utils})()


@pytest.mark.skipif(
    multiprocessing.get_start_method(allow_none=False) != "fork", reason="modules do not pickle"
)
def test_draws_are_pytorchs() -> None:
    torch = pytest.importorskip("torch")
    utils = importlib.import_module("torch.utils.data")
    assert drawn(rushlight, data) == drawn(torch, utils)
