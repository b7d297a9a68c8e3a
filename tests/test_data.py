"""Datasets, samplers, collating and the DataLoader."""

from __future__ import annotations

import importlib
import subprocess
import sys
from collections import OrderedDict, defaultdict, namedtuple
from typing import Any

import numpy as np
import pytest

import rushlight
from rushlight.datasets import load_digits
from rushlight.utils import data
from rushlight.utils.data import (
    BatchSampler,
    ChainDataset,
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    StackDataset,
    Subset,
    SubsetRandomSampler,
    TensorDataset,
    WeightedRandomSampler,
    default_collate,
    default_convert,
    get_worker_info,
    random_split,
)

Point = namedtuple("Point", "x y")


def plain(value: Any) -> Any:
    """A batch with lists in the place of tensors, and each tensor's dtype beside it."""
    if hasattr(value, "tolist"):
        return str(value.dtype), value.tolist()
    if isinstance(value, dict):
        return type(value).__name__, {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return type(value).__name__, [plain(item) for item in value]
    return value


class Squares(Dataset[int]):
    def __init__(self, n: int) -> None:
        self.n = n

    def __getitem__(self, index: int) -> int:
        return index * index

    def __len__(self) -> int:
        return self.n


class Stream(IterableDataset[int]):
    def __init__(self, n: int) -> None:
        self.n = n

    def __iter__(self) -> Any:
        return iter(range(self.n))

    def __len__(self) -> int:
        return self.n


# ---- Datasets ----


def test_load_digits() -> None:
    images, labels = load_digits()
    assert images.shape == (1797, 1, 8, 8) and images.dtype is rushlight.float32
    assert labels.shape == (1797,) and labels.dtype is rushlight.int64
    assert float(images.min()) == 0 and float(images.max()) == 1
    assert float((images * 16).double().sum()) == 561718
    counts = [int((labels == digit).sum()) for digit in range(10)]
    assert counts == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_dataset_without_getitem() -> None:
    with pytest.raises(NotImplementedError, match="should implement __getitem__"):
        Dataset()[0]


def test_tensor_dataset() -> None:
    dataset = TensorDataset(rushlight.arange(4), rushlight.arange(8.0).reshape(4, 2))
    assert len(dataset) == 4
    assert plain(dataset[1]) == ("tuple", [("torch.int64", 1), ("torch.float32", [2.0, 3.0])])
    assert [t.shape for t in dataset[1:3]] == [(2,), (2, 2)]
    with pytest.raises(AssertionError, match="Size mismatch between tensors"):
        TensorDataset(rushlight.arange(4), rushlight.arange(3))


def test_stack_dataset() -> None:
    pair = StackDataset(Squares(3), Subset(Squares(9), [5, 6, 7]))
    assert len(pair) == 3 and pair[2] == (4, 49)
    assert pair.__getitems__([0, 2]) == [(0, 25), (4, 49)]
    named = StackDataset(a=Squares(3), b=range(3))
    assert named[1] == {"a": 1, "b": 1}
    assert named.__getitems__([2, 1]) == [{"a": 4, "b": 2}, {"a": 1, "b": 1}]
    for arguments in ({"args": ()}, {"args": (Squares(2), Squares(3))}):
        with pytest.raises(ValueError):
            StackDataset(*arguments["args"])
    with pytest.raises(ValueError, match="Supported either"):
        StackDataset(Squares(2), b=Squares(2))


def test_concat_dataset() -> None:
    dataset = Squares(2) + Squares(0) + Squares(3)
    assert isinstance(dataset, ConcatDataset) and len(dataset) == 5
    assert [dataset[i] for i in range(-5, 5)] == [0, 1, 0, 1, 4] * 2
    with pytest.raises(ValueError, match="absolute value of index"):
        dataset[-6]
    with pytest.raises(AssertionError, match="should not be an empty iterable"):
        ConcatDataset([])
    with pytest.raises(AssertionError, match="does not support IterableDataset"):
        ConcatDataset([Stream(1)])


def test_chain_dataset() -> None:
    chain = Stream(2) + Stream(3)
    assert isinstance(chain, ChainDataset) and list(chain) == [0, 1, 0, 1, 2] and len(chain) == 5
    with pytest.raises(AssertionError, match="only supports IterableDataset"):
        list(ChainDataset([Squares(2)]))


def test_subset() -> None:
    subset = Subset(Squares(10), [7, 1, 1])
    assert len(subset) == 3 and [subset[i] for i in range(3)] == [49, 1, 1]
    assert Subset(subset, [2, 0]).__getitems__([1, 0]) == [49, 1]

    class Half(Subset[int]):
        def __getitem__(self, index: Any) -> Any:
            return super().__getitem__(index) / 2

    with pytest.raises(NotImplementedError, match="Half overrides __getitem__ but not"):
        Half(Squares(3), [0])


def test_random_split() -> None:
    parts = random_split(Squares(10), [0.5, 0.25, 0.25])
    assert [len(part) for part in parts] == [6, 2, 2]
    assert sorted(i for part in parts for i in part.indices) == list(range(10))
    assert [len(part) for part in random_split(Squares(10), [7, 3])] == [7, 3]
    with pytest.raises(ValueError, match="Sum of input lengths does not equal"):
        random_split(Squares(10), [7, 2])
    with pytest.raises(ValueError, match="Fraction at index 0 is not between 0 and 1"):
        random_split(Squares(10), [1.5, -0.5])
    with pytest.warns(UserWarning, match="Length of split at index 2 is 0"):
        random_split(Squares(2), [0.5, 0.5, 0.0])


# ---- Samplers ----


@pytest.mark.parametrize("drop_last", [True, False])
@pytest.mark.parametrize("shuffle", [True, False])
def test_distributed_sampler(shuffle: bool, drop_last: bool) -> None:
    theirs = pytest.importorskip("torch").utils.data.DistributedSampler
    for n, replicas in ((10, 3), (12, 4), (2, 5), (1, 1), (7, 2)):
        for rank in range(replicas):
            orders = []
            for kind in (data.DistributedSampler, theirs):
                sampler = kind(range(n), replicas, rank, shuffle, seed=3, drop_last=drop_last)
                sampler.set_epoch(2)
                orders.append(list(sampler))
                assert len(sampler) == len(orders[-1])
            assert orders[0] == orders[1]


def test_distributed_sampler_misused() -> None:
    with pytest.raises(ValueError, match="Invalid rank 2, rank should be in the interval"):
        data.DistributedSampler(range(3), 2, 2)
    with pytest.raises(RuntimeError, match="Requires distributed package to be available"):
        data.DistributedSampler(range(3))


def test_samplers_without_randomness() -> None:
    assert list(SequentialSampler(Squares(3))) == [0, 1, 2]
    assert list(BatchSampler(range(5), 2, False)) == [[0, 1], [2, 3], [4]]
    assert list(BatchSampler(range(5), 2, True)) == [[0, 1], [2, 3]]
    assert len(BatchSampler(range(5), 2, False)) == 3 and len(BatchSampler(range(5), 2, True)) == 2


def test_random_samplers_are_permutations() -> None:
    assert sorted(RandomSampler(Squares(50))) == list(range(50))
    assert list(RandomSampler(Squares(50))) != list(range(50))
    longer = list(RandomSampler(Squares(4), num_samples=10))
    assert sorted(longer[:4]) == sorted(longer[4:8]) == [0, 1, 2, 3] and len(longer) == 10
    assert set(RandomSampler(Squares(3), replacement=True, num_samples=100)) == {0, 1, 2}
    assert sorted(SubsetRandomSampler([3, 5, 8])) == [3, 5, 8]


def test_a_generator_leaves_the_default_stream_alone() -> None:
    state = rushlight.get_rng_state()
    drawn = [
        list(RandomSampler(Squares(20), generator=rushlight.Generator().manual_seed(1)))
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1]
    assert rushlight.get_rng_state().tolist() == state.tolist()


@pytest.mark.parametrize(
    ("error", "make"),
    [
        (TypeError, lambda: RandomSampler(Squares(3), replacement=1)),
        (ValueError, lambda: RandomSampler(Squares(3), num_samples=0)),
        (ValueError, lambda: RandomSampler(Squares(0))),
        (ValueError, lambda: BatchSampler(range(3), 0, False)),
        (ValueError, lambda: BatchSampler(range(3), True, False)),
        (ValueError, lambda: BatchSampler(range(3), 2, 1)),
        (ValueError, lambda: WeightedRandomSampler([1.0], 0)),
        (ValueError, lambda: WeightedRandomSampler([[1.0]], 1)),
        (ValueError, lambda: WeightedRandomSampler([1.0], 1, replacement=1)),
    ],
)
def test_sampler_errors(error: type[Exception], make: Any) -> None:
    with pytest.raises(error):
        make()


# ---- Collating ----

BATCHES = {
    "integers": [1, 2],
    "bools": [True, False],
    "floats": [0.5, 1.5],
    "strings": ["a", "b"],
    "bytes": [b"a", b"b"],
    "tuples": [(1, 0.5), (2, 1.5)],
    "lists": [[1, "a"], [2, "b"]],
    "dicts": [{"a": 1, "b": (1.0, 2)}, {"a": 3, "b": (4.0, 5)}],
    "ordered": [OrderedDict(a=1, b=2), OrderedDict(a=3, b=4)],
    "default dicts": [defaultdict(int, a=1), defaultdict(int, a=2)],
    "named tuples": [Point(1, 2.0), Point(3, 4.0)],
    "arrays": [np.arange(3, dtype=np.float32), np.ones(3, np.float32)],
    "integer arrays": [np.arange(3), np.ones(3, np.int64)],
    "NumPy floats": [np.float32(1), np.float32(2)],
    "NumPy doubles": [np.float64(1), np.float64(2)],
    "NumPy integers": [np.int32(1), np.int32(2)],
    "ranges": [range(2), range(2)],
}


@pytest.mark.parametrize("name", BATCHES)
def test_collate_and_convert_as_pytorch(name: str) -> None:
    theirs = pytest.importorskip("torch.utils.data")
    batch = BATCHES[name]
    assert plain(default_collate(batch)) == plain(theirs.default_collate(batch))
    assert plain(default_convert(batch)) == plain(theirs.default_convert(batch))


def test_collate() -> None:
    tensors = [rushlight.arange(2), rushlight.arange(2) + 5]
    assert plain(default_collate(tensors)) == ("torch.int64", [[0, 1], [5, 6]])
    assert plain(default_collate([(1, 0.5), (2, 1.5)])) == (
        "list",
        [("torch.int64", [1, 2]), ("torch.float64", [0.5, 1.5])],
    )
    point = default_collate([Point(1, "a"), Point(2, "b")])
    assert type(point) is Point and point.x.tolist() == [1, 2] and point.y == ("a", "b")
    assert type(default_collate([defaultdict(int, a=1)])) is defaultdict


def test_collate_errors() -> None:
    with pytest.raises(TypeError, match="default_collate: batch must contain tensors"):
        default_collate([object()])
    with pytest.raises(TypeError, match="found <U1"):
        default_collate([np.array("a")])
    with pytest.raises(RuntimeError, match="each element in list of batch should be of equal"):
        default_collate([[1], [1, 2]])
    with pytest.raises(RuntimeError, match="stack expects each tensor to be equal size"):
        default_collate([rushlight.ones(2), rushlight.ones(3)])


# ---- DataLoader ----


def test_loader_batches() -> None:
    dataset = TensorDataset(rushlight.arange(5), rushlight.arange(5.0))
    loader = DataLoader(dataset, batch_size=2)
    batches = list(loader)
    assert len(loader) == 3 and all(type(batch) is list for batch in batches)
    assert [batch[0].tolist() for batch in batches] == [[0, 1], [2, 3], [4]]
    assert [batch[1].dtype for batch in batches] == [rushlight.float32] * 3
    assert len(DataLoader(dataset, 2, drop_last=True)) == 2
    assert [b[0].tolist() for b in DataLoader(dataset, 2, drop_last=True)] == [[0, 1], [2, 3]]


def test_plain_tensor_datasets_are_gathered_whole() -> None:
    tensors = rushlight.arange(12.0).reshape(6, 2), rushlight.arange(6)

    class Shifted(TensorDataset):
        def __getitem__(self, index: Any) -> Any:
            x, y = super().__getitem__(index)
            return x + 100, y

    whole = TensorDataset(*tensors)
    for dataset in (whole, Subset(whole, [5, 1, 1, 0]), Subset(Subset(whole, [5, 3, 0]), [2, 1])):
        expected = default_collate([dataset[i] for i in range(len(dataset))])
        (batch,) = DataLoader(dataset, batch_size=len(dataset))
        assert plain(batch) == plain(expected)
    (batch,) = DataLoader(Shifted(*tensors), batch_size=6)
    assert float(batch[0].min()) == 100


def test_loader_without_batching() -> None:
    loader = DataLoader(Squares(3), batch_size=None)
    assert list(loader) == [0, 1, 4] and len(loader) == 3
    arrays = DataLoader([np.arange(2)], batch_size=None)
    assert plain(list(arrays)) == ("list", [("torch.int64", [0, 1])])


def test_loader_with_samplers_and_collate_fn() -> None:
    def batches(**options: Any) -> list[Any]:
        return list(DataLoader(Squares(6), collate_fn=sum, **options))

    assert batches(batch_size=2, sampler=[5, 4, 0]) == [41, 0]
    assert batches(batch_sampler=[[1, 2], [3]]) == [5, 9]
    assert sum(batches(batch_size=4, shuffle=True)) == 55


def test_loader_over_a_stream() -> None:
    def batches(**options: Any) -> list[Any]:
        return [plain(batch) for batch in DataLoader(Stream(5), **options)]

    assert [values for _, values in batches(batch_size=2)] == [[0, 1], [2, 3], [4]]
    assert [values for _, values in batches(batch_size=2, drop_last=True)] == [[0, 1], [2, 3]]
    assert batches(batch_size=None) == [0, 1, 2, 3, 4]
    assert len(DataLoader(Stream(5), batch_size=2)) == 3
    loader = DataLoader(Stream(4), batch_size=4)
    assert len(list(loader)) == len(list(loader)) == 1


def test_batches_of_a_dataset_with_getitems() -> None:
    class Batched(Squares):
        def __getitems__(self, indices: list[int]) -> list[int]:
            return [1000 + index for index in indices]

    (batch,) = DataLoader(Batched(3), batch_size=3)
    assert batch.tolist() == [1000, 1001, 1002]


def test_an_error_of_the_dataset_reaches_the_caller() -> None:
    class Broken(Squares):
        def __getitem__(self, index: int) -> int:
            raise KeyError("broken")

    with pytest.raises(KeyError, match="broken"):
        next(iter(DataLoader(Broken(3))))


def test_loader_is_frozen() -> None:
    loader = DataLoader(Squares(3))
    with pytest.raises(ValueError, match="batch_size attribute should not be set after DataLoader"):
        loader.batch_size = 2
    loader.collate_fn = sum
    assert list(loader) == [0, 1, 4]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"num_workers": -1}, "num_workers option should be non-negative"),
        ({"timeout": -1}, "timeout option should be non-negative"),
        ({"prefetch_factor": 2}, "prefetch_factor option could only be specified"),
        ({"persistent_workers": True}, "persistent_workers option needs num_workers > 0"),
        ({"multiprocessing_context": "fork"}, "multiprocessing_context can only be used"),
        ({"sampler": [0], "shuffle": True}, "sampler option is mutually exclusive with shuffle"),
        ({"batch_sampler": [[0]], "batch_size": 2}, "batch_sampler option is mutually exclusive"),
        ({"batch_sampler": [[0]], "drop_last": True}, "batch_sampler option is mutually exclusive"),
        ({"batch_size": None, "drop_last": True}, "batch_size=None option disables auto-batching"),
        ({"batch_size": 0}, "batch_size should be a positive integer value"),
    ],
)
def test_loader_refuses(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        DataLoader(Squares(3), **options)


@pytest.mark.parametrize("options", [{"shuffle": True}, {"sampler": [0]}, {"batch_sampler": [[0]]}])
def test_loader_refuses_orders_of_a_stream(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"expected unspecified {next(iter(options))} option"):
        DataLoader(Stream(3), **options)


def test_pin_memory_without_cuda_warns() -> None:
    if rushlight.cuda.is_available():
        pytest.skip("the warning is about its absence")
    with pytest.warns(UserWarning, match="no accelerator is found"):
        assert len(list(DataLoader(Squares(3), pin_memory=True))) == 3


def test_no_worker_info_here() -> None:
    assert get_worker_info() is None


# ---- The random draws are PyTorch's ----


def orders(torch: Any, utils: Any, seed: int) -> list[Any]:
    """What the random parts yield after one seed; the last entry shows where the stream is."""
    torch.manual_seed(seed)
    dataset = utils.TensorDataset(torch.arange(23))
    loader = utils.DataLoader(dataset, batch_size=5, shuffle=True)
    found = [[batch.tolist() for (batch,) in loader] for _ in range(2)]
    first = iter(utils.DataLoader(dataset, batch_size=5))
    found.append(torch.rand(2).tolist())
    found.append(next(first)[0].tolist())
    own = torch.Generator().manual_seed(seed + 1)
    found.append([b.tolist() for (b,) in utils.DataLoader(dataset, 4, shuffle=True, generator=own)])
    found.append([list(part.indices) for part in utils.random_split(dataset, [0.6, 0.3, 0.1])])
    found.append([list(part.indices) for part in utils.random_split(dataset, [20, 3], own)])
    for options in ({}, {"num_samples": 50}, {"replacement": True, "num_samples": 70}):
        found.append(list(utils.RandomSampler(dataset, **options)))
        found.append(list(utils.RandomSampler(dataset, generator=own, **options)))
    found.append(list(utils.SubsetRandomSampler([3, 1, 4, 1, 5])))
    for replacement in (True, False):
        found.append(list(utils.WeightedRandomSampler([0.2, 0.5, 0.3, 1], 4, replacement)))
    found.append(torch.rand(2).tolist())
    return found


@pytest.mark.parametrize("seed", [0, 42, 2**31 + 5])
def test_draws_are_pytorchs(seed: int) -> None:
    torch = pytest.importorskip("torch")
    theirs = importlib.import_module("torch.utils.data")
    assert orders(rushlight, data, seed) == orders(torch, theirs, seed)


def test_shuffled_order_after_a_seed() -> None:
    rushlight.manual_seed(3)
    loader = DataLoader(TensorDataset(rushlight.arange(10)), batch_size=3, shuffle=True)
    # PyTorch 2.13's, written down so that it is tested without PyTorch as well.
    assert [b.tolist() for (b,) in loader] == [[6, 2, 0], [1, 8, 3], [5, 4, 7], [9]]


def test_importing_rushlight_imports_no_tools() -> None:
    code = (
        "import sys, rushlight; "
        "print([m for m in ('tqdm', 'multiprocessing', 'rushlight.cli', 'rushlight.utils.data', "
        "'rushlight.datasets', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "[]\n", done.stderr
