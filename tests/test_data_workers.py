"""The DataLoader with worker processes."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import random
import signal
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


def mixed(index: int) -> Any:
    """Every fiftieth sample is too large for the link."""
    return index, rushlight.full((20_000 if index % 50 == 0 else 1,), float(index))


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0


def test_twenty_thousand_batches() -> None:
    resource = pytest.importorskip("resource")
    loader = DataLoader(Calls(mixed, 20_000), None, num_workers=2, prefetch_factor=8)
    files, peak = open_files(), 0
    for i, (index, values_) in enumerate(loader):
        assert index == i and values_[-1].item() == i
        if i == 2000:
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert i == 19_999
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < peak + 20_000  # kilobytes
    assert open_files() == files
    assert_no_children()


def test_early_exits_leave_nothing() -> None:
    files = open_files()
    shared = set(os.listdir("/dev/shm")) if os.path.isdir("/dev/shm") else set()
    loader = DataLoader(Calls(mixed, 1000), None, num_workers=2)
    for _ in range(5):
        for index, _values in loader:
            if index == 60:
                break
    assert_no_children()
    assert open_files() == files
    assert not shared or set(os.listdir("/dev/shm")) <= shared


def every_kind(index: int) -> Any:
    return {
        "large": rushlight.ones(300, 300),
        "turned": rushlight.arange(60_000).reshape(200, 300).t(),
        "expanded": rushlight.ones(1, 2).expand(40_000, 2),
        "empty": rushlight.empty(0, 3),
        "bool": rushlight.tensor([True, False]),
        "leaf": rushlight.ones(2, requires_grad=True),
        "array": np.arange(50_000.0),
        "small": np.float32(3),
        "text": ["a", b"b", None],
    }


def test_every_kind_of_answer() -> None:
    expected = every_kind(0)
    for found in DataLoader(Calls(every_kind, 4), None, num_workers=1, collate_fn=identity):
        assert list(found) == list(expected)
        for key, value in expected.items():
            np.testing.assert_array_equal(
                found[key].detach() if key == "leaf" else found[key],
                value.detach() if key == "leaf" else value,
            )
        assert found["leaf"].requires_grad
        found["large"][0] = found["bool"][0] = 7  # writable
        found["array"][0] = 7


def graph(index: int) -> Any:
    return rushlight.ones(2, requires_grad=True) * 2


def test_tensors_of_a_graph_do_not_cross() -> None:
    with pytest.raises(RuntimeError, match="Cowardly refusing to serialize non-leaf tensor"):
        next(iter(DataLoader(Calls(graph), None, num_workers=1)))
    assert_no_children()


def no_room(number: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="no files in memory")
def test_no_room_for_a_batch() -> None:
    """What a full memory does: an error, and no wait."""
    loader = DataLoader(Calls(mixed), None, num_workers=1, worker_init_fn=no_room)
    assert next(iter(loader))[0] == 0
    loader = DataLoader(
        Calls(every_kind), None, num_workers=1, worker_init_fn=no_room, collate_fn=identity
    )
    with pytest.raises(OSError, match=r"(?s)Caught OSError in DataLoader worker.*File too large"):
        next(iter(loader))
    assert_no_children()


def killed(index: int) -> int:
    if index == 5:
        os.kill(os.getpid(), signal.SIGKILL)
    return index


def test_a_killed_worker() -> None:
    with pytest.raises(RuntimeError, match=r"DataLoader worker \(pid\(s\) \d+\) exited unexpect"):
        list(DataLoader(Calls(killed), 2, num_workers=2, timeout=20))
    assert_no_children()


def test_without_files_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    transport = importlib.import_module("rushlight.utils.data._utils.transport")
    monkeypatch.setattr(transport, "_CAN_SHARE", False)
    loader = DataLoader(Calls(mixed, 101), None, num_workers=2)
    assert [(i, x[-1].item()) for i, x in loader] == [(i, i) for i in range(101)]


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
