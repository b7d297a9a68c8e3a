"""Checkpoints: what either library saves the other one loads, bit for bit, and in all forms."""

from __future__ import annotations

import contextlib
import copy
import io
import multiprocessing
import os
import pathlib
import pickle
import random
import signal
import stat
import time
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest

import rushlight
from rushlight import nn, optim, serialization
from rushlight.dtypes import ALL
from tests.checkpoints import archive_of, rezipped, saved


def through(writer, reader, obj, **kwargs):
    return reader.load(saved(writer, obj), **kwargs)


def assert_same(mine, other):
    """Equal types by name, values and bits, in two libraries."""
    assert type(mine).__name__ == type(other).__name__
    if hasattr(mine, "requires_grad"):
        assert str(mine.dtype) == str(other.dtype)
        assert mine.requires_grad == other.requires_grad
        assert tuple(mine.shape) == tuple(other.shape)
        assert mine.stride() == other.stride() or mine.numel() < 2
        assert mine.tolist() == other.tolist() or mine.isnan().any()
    elif isinstance(mine, dict):
        assert list(map(str, mine)) == list(map(str, other))
        for a, b in zip(mine.values(), other.values(), strict=True):
            assert_same(a, b)
        if hasattr(mine, "_metadata"):
            assert_same(mine._metadata, other._metadata)
    elif isinstance(mine, (list, tuple)):
        assert len(mine) == len(other)
        for a, b in zip(mine, other, strict=True):
            assert_same(a, b)
    else:
        assert str(mine) == str(other)


# ------------------------------------------------------------------------------ both libraries


def trained(name, kwargs, lib, scheduler=None):
    layer = lib.nn.Linear(3, 2)
    optimizer = getattr(lib.optim, name)(layer.parameters(), **kwargs)
    for _ in range(3):
        optimizer.zero_grad()
        layer(lib.ones(4, 3)).square().mean().backward()
        optimizer.step()
    return {"model": layer.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 3}


def views(lib):
    x = lib.arange(24.0).reshape(4, 6)
    return {"x": x, "rows": x[1:3], "turned": x.t(), "one": x[2, 3], "step": x[:, ::2]}


def attributed(lib):
    p = lib.nn.Parameter(lib.ones(2), requires_grad=False)
    p.note = "kept"
    x = lib.zeros(1)
    x.note = [1, 2]
    return [p, x]


MAKERS = {
    "float": lambda lib: lib.tensor([1.5, float("inf"), -0.0, float("nan")]),
    "empty": lambda lib: [lib.empty(0), lib.empty(3, 0, 2)],
    "scalar": lambda lib: lib.tensor(3, dtype=lib.int64),
    "views": views,
    "expanded": lambda lib: lib.ones(1, 3).expand(4, 3),
    "leaf": lambda lib: lib.ones(2, requires_grad=True),
    "parameter": lambda lib: lib.nn.Parameter(lib.ones(2, 2).t()),
    "attributes": attributed,
    "plain": lambda lib: {"a": [1, -(2**70), 2.5, True, None, "é"], "b": (1, (2,)), 3: {}},
    "bytes": lambda lib: [b"\x00\xff", bytearray(b"ab"), {1, 2}, 1 + 2j, Counter("aab")],
    "ordered": lambda lib: OrderedDict(z=lib.ones(1), a=OrderedDict()),
    "types": lambda lib: [lib.float32, lib.int64, lib.Size([2, 3]), lib.device("cpu")],
    "linear": lambda lib: lib.nn.Linear(3, 2).state_dict(),
    "deep": lambda lib: lib.nn.Sequential(
        lib.nn.Conv2d(1, 2, 3), lib.nn.Sequential(lib.nn.Embedding(4, 2))
    ).state_dict(),
    "sgd": lambda lib: trained("SGD", {"lr": 0.1, "momentum": 0.9}, lib),
    "adam": lambda lib: trained("Adam", {"lr": 0.1, "amsgrad": True}, lib),
    "adamw": lambda lib: trained("AdamW", {}, lib),
    "rmsprop": lambda lib: trained("RMSprop", {"centered": True, "momentum": 0.5}, lib),
    "adagrad": lambda lib: trained("Adagrad", {}, lib),
    "nadam": lambda lib: trained("NAdam", {}, lib),
    "adafactor": lambda lib: trained("Adafactor", {}, lib),
    "asgd": lambda lib: trained("ASGD", {}, lib),
    "schedule": lambda lib: lib.optim.lr_scheduler.MultiStepLR(
        lib.optim.SGD([lib.ones(1, requires_grad=True)], 0.1), [2, 2, 5]
    ).state_dict(),
    "rng": lambda lib: lib.get_rng_state(),
}


@pytest.mark.parametrize("name", MAKERS)
def test_crossing(torch, name):
    for writer, reader in ((rushlight, torch), (torch, rushlight)):
        obj = MAKERS[name](writer)
        assert_same(through(writer, reader, obj), obj)
        if writer is torch:
            old = saved(torch, obj, _use_new_zipfile_serialization=False)
            assert_same(rushlight.load(old), obj)
    assert_same(through(rushlight, rushlight, obj := MAKERS[name](rushlight)), obj)


@pytest.mark.parametrize("dtype", ALL, ids=str)
def test_every_dtype(torch, dtype):
    values = np.array([0, 1, 2, 1, 0], np.float64).astype(dtype.numpy)
    x = rushlight.from_numpy(values)
    there = through(rushlight, torch, {"x": x, "d": dtype})
    assert str(there["x"].dtype) == str(there["d"]) == str(dtype)
    back = through(torch, rushlight, there)
    assert back["d"] is dtype and back["x"].dtype is dtype
    assert back["x"].numpy().tobytes() == values.tobytes()


def test_sharing_survives(torch):
    for writer, reader in ((rushlight, torch), (torch, rushlight), (rushlight, rushlight)):
        found = through(writer, reader, views(writer))
        found["x"][2, 3] = 100
        assert found["one"].item() == found["turned"][3, 2].item() == 100
        assert found["rows"][1, 3].item() == 100
        x = writer.zeros(2, 2)
        tied = through(writer, reader, [x.detach(), x])
        tied[0][0, 0] = 7
        assert tied[1][0, 0].item() == 7


def test_the_records_are_pytorch_s(torch):
    x = rushlight.ones(3)
    names = []
    for lib in (rushlight, torch):
        with zipfile.ZipFile(saved(lib, {"x": lib.ones(3)})) as archive:
            names.append([name.partition("/")[2] for name in archive.namelist()])
            assert archive.read("archive/byteorder") == b"little"
            assert archive.testzip() is None
    assert names[0] == names[1]
    assert saved(rushlight, x).getvalue() == saved(rushlight, x).getvalue()


def test_training_goes_on_elsewhere(torch):
    """Five steps here, five there from the checkpoint: ten steps."""
    layer = nn.Linear(3, 2)
    optimizer = optim.Adam(layer.parameters(), 0.1)
    other = torch.nn.Linear(3, 2)
    x = np.random.default_rng(0).standard_normal((4, 3)).astype(np.float32)

    def five(lib, layer, optimizer):
        for _ in range(5):
            optimizer.zero_grad()
            layer(lib.from_numpy(x)).square().sum().backward()
            optimizer.step()

    five(rushlight, layer, optimizer)
    state = {"model": layer.state_dict(), "optimizer": optimizer.state_dict()}
    there = through(rushlight, torch, state)
    other.load_state_dict(there["model"])
    other_optimizer = torch.optim.Adam(other.parameters(), 0.1)
    other_optimizer.load_state_dict(there["optimizer"])
    five(rushlight, layer, optimizer)
    five(torch, other, other_optimizer)
    np.testing.assert_allclose(
        layer.weight.detach().numpy(), other.weight.detach().numpy(), rtol=1e-5
    )


# --------------------------------------------------------------------------------- whole objects


def test_whole_modules(torch):
    model = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.ReLU())
    file = saved(torch, model)
    with pytest.raises(pickle.UnpicklingError, match=r"^Weights only load failed") as caught:
        rushlight.load(file)
    assert "GLOBAL torch.nn.modules.container.Sequential was not an allowed" in str(caught.value)
    file.seek(0)
    found = rushlight.load(file, weights_only=False)
    x = np.ones((1, 2), np.float32)
    np.testing.assert_allclose(
        found(rushlight.from_numpy(x)).detach().numpy(),
        model(torch.from_numpy(x)).detach().numpy(),
        rtol=1e-6,
    )
    file.seek(0)
    with serialization.safe_globals([nn.Sequential, nn.Linear, nn.ReLU]):
        assert repr(rushlight.load(file)) == repr(found)
    assert serialization.get_safe_globals() == []
    with pytest.raises(AttributeError, match=r"rushlight has no torch\.nope\.X"):
        rushlight.load(archive_of(b"ctorch.nope\nX\n."), weights_only=False)


def test_own_modules():
    model = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))
    file = saved(rushlight, model)
    found = rushlight.load(file, weights_only=False)
    assert repr(found) == repr(model)
    np.testing.assert_array_equal(found[0].weight.detach(), model[0].weight.detach())


class Config:
    def __init__(self, width):
        self.width = width


def make_config(width):
    return Config(width)


def test_what_the_user_calls_safe():
    file = saved(rushlight, {"config": Config(3), "x": rushlight.ones(1)})
    with pytest.raises(pickle.UnpicklingError, match=r"test_serialization\.Config"):
        rushlight.load(file)
    file.seek(0)
    serialization.add_safe_globals([Config])
    try:
        assert rushlight.load(file)["config"].width == 3
    finally:
        serialization.clear_safe_globals()
    file.seek(0)
    with serialization.safe_globals([(Config, f"{__name__}.Config")]):
        assert rushlight.load(file)["config"].width == 3
    with serialization.safe_globals([(Config,)]), pytest.raises(ValueError, match="length 2"):
        rushlight.load(file)


def test_numpy_arrays_when_they_are_safe():
    array = np.arange(3.0)
    file = saved(rushlight, array)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        rushlight.load(file)
    file.seek(0)
    reconstruct = array.__reduce__()[0]
    names = [np.ndarray, np.dtype, type(np.dtype("f8")), reconstruct]
    names += [(reconstruct, f"numpy.{part}.multiarray._reconstruct") for part in ("core", "_core")]
    with serialization.safe_globals(names):
        np.testing.assert_array_equal(rushlight.load(file), array)


@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_plain_pickle(protocol):
    p = nn.Parameter(rushlight.ones(2))
    for x in (rushlight.arange(3), rushlight.ones(2, requires_grad=True), p, rushlight.Size([1])):
        twin = pickle.loads(pickle.dumps(x, protocol))
        assert type(twin) is type(x) and list(twin) == list(x)
        assert getattr(twin, "requires_grad", 0) == getattr(x, "requires_grad", 0)
    assert pickle.loads(pickle.dumps(rushlight.float32)) is rushlight.float32


# ----------------------------------------------------------------------------------- how to load


def test_files(tmp_path):
    obj = {"x": rushlight.arange(6).reshape(2, 3)}
    for path in (str(tmp_path / "a.pt"), tmp_path / "b é.pt"):
        rushlight.save(obj, path)
        assert rushlight.load(path)["x"].tolist() == [[0, 1, 2], [3, 4, 5]]
        with open(path, "rb") as file:
            assert rushlight.load(file, encoding="utf-8")["x"].tolist() == obj["x"].tolist()
    assert sorted(os.listdir(tmp_path)) == ["a.pt", "b é.pt"]
    with open(tmp_path / "c.pt", "wb") as file:
        rushlight.save(obj, file)
    assert (tmp_path / "c.pt").read_bytes() == (tmp_path / "a.pt").read_bytes()


def test_a_file_that_only_writes(torch):
    class Sink:
        def __init__(self):
            self.parts = []

        def write(self, data):
            self.parts.append(bytes(data))
            return len(data)

    sink = Sink()
    rushlight.save(views(rushlight), sink)
    for lib in (rushlight, torch):
        assert lib.load(io.BytesIO(b"".join(sink.parts)))["one"].item() == 15


def test_mmap(tmp_path, torch):
    path = tmp_path / "big.pt"
    for lib in (rushlight, torch):
        lib.save({"x": lib.arange(1000.0), "empty": lib.empty(0)}, path)
        found = rushlight.load(path, mmap=True)
        assert found["x"].sum().item() == 499500
        found["x"][0] = 5  # in memory only
        assert rushlight.load(path)["x"][0].item() == 0
        assert found["x"].data_ptr() % 64 == 0 or lib is torch
        del found
    with pytest.raises(ValueError, match="f must be a file path"):
        rushlight.load(io.BytesIO(), mmap=True)
    torch.save(1, path, _use_new_zipfile_serialization=False)
    with pytest.raises(RuntimeError, match="mmap can only be used with files saved with"):
        rushlight.load(path, mmap=True)


@pytest.mark.parametrize(
    "map_location",
    [
        "cpu",
        rushlight.device("cpu"),
        {"cuda:0": "cpu"},
        lambda storage, location: storage,
        lambda storage, location: storage.cpu(),
    ],
)
def test_map_location(map_location, torch):
    data = saved(rushlight, rushlight.ones(2)).getvalue()
    assert rushlight.load(io.BytesIO(data), map_location).tolist() == [1, 1]
    elsewhere = rezipped(
        data, lambda name, body: body.replace(b"\x03\0\0\0cpu", b"\x06\0\0\0cuda:0")
    )
    assert rushlight.load(elsewhere, map_location).tolist() == [1, 1]
    with pytest.raises(RuntimeError, match=r"^Attempting to deserialize object on a CUDA device"):
        rushlight.load(elsewhere)
    old = saved(torch, torch.ones(2), _use_new_zipfile_serialization=False)
    assert rushlight.load(old, map_location).tolist() == [1, 1]


def test_map_location_misused():
    data = saved(rushlight, rushlight.ones(2)).getvalue()
    seen = []
    rushlight.load(
        io.BytesIO(data), lambda s, place: seen.append((s.nbytes(), place, str(s.device)))
    )
    assert seen == [(8, "cpu", "cpu")]
    with pytest.raises(TypeError, match="map_location must be None"):
        rushlight.load(io.BytesIO(data), 3)
    with pytest.raises(TypeError, match="map_location must return"):
        rushlight.load(io.BytesIO(data), lambda s, place: "cpu")
    with pytest.raises(RuntimeError, match="don't know how to restore data location"):
        rushlight.load(io.BytesIO(data), {"cpu": "moon"})


def test_big_endian_files():
    x = rushlight.arange(3, dtype=rushlight.int32)
    body = x.numpy().astype(">i4").tobytes()
    swapped = rezipped(
        saved(rushlight, x).getvalue(),
        lambda name, b: {"byteorder": b"big", "0": body}.get(name.rpartition("/")[2], b),
    )
    assert rushlight.load(swapped).tolist() == [0, 1, 2]


@pytest.mark.parametrize(
    "kwargs",
    [
        {"pickle_protocol": 4},
        {"_use_new_zipfile_serialization": False},
        {"pickle_module": copy},
        {"_disable_byteorder_record": True},
    ],
)
def test_save_refuses_by_name(kwargs):
    with pytest.raises(NotImplementedError, match=next(iter(kwargs))):
        rushlight.save(1, io.BytesIO(), **kwargs)


def test_misuse(tmp_path):
    with pytest.raises(NotImplementedError, match="pickle_module"):
        rushlight.load(io.BytesIO(), pickle_module=copy)
    with pytest.raises(NotImplementedError, match="encoding='latin1'"):
        rushlight.load(io.BytesIO(), encoding="latin1")
    with pytest.raises(FileNotFoundError):
        rushlight.load(tmp_path / "none.pt")
    with pytest.raises(AttributeError, match=r"You can only torch\.load from a file that is seek"):
        rushlight.load(object())
    with pytest.raises(AttributeError, match="expected 'f' to be string, path"):
        rushlight.save(1, 3)
    with pytest.raises(RuntimeError, match=r"Parent directory .* does not exist"):
        rushlight.save(1, tmp_path / "no" / "x.pt")
    x = rushlight.ones(4)
    y = rushlight.from_numpy(x.numpy().view(np.int32))
    with pytest.raises(RuntimeError, match="view the same data as different types"):
        rushlight.save([x, y], io.BytesIO())


def test_views_that_cannot_be_shared_are_copied():
    reversed_ = rushlight.Tensor._wrap(np.arange(5.0, dtype=np.float32)[::-1])
    gaps = np.lib.stride_tricks.as_strided(np.arange(9, dtype=np.int32), (3,), (12,))
    found = through(rushlight, rushlight, [reversed_, rushlight.from_numpy(gaps)])
    assert [x.tolist() for x in found] == [[4, 3, 2, 1, 0], [0, 3, 6]]


def test_only_what_is_viewed_is_saved():
    big = rushlight.zeros(100_000)
    assert len(saved(rushlight, [big[5:10], big[7:9]]).getvalue()) < 4000


def test_no_copy_of_what_is_made_while_pickling():
    class Lazy:
        def __reduce__(self):
            return rushlight.Tensor.clone, (rushlight.arange(3),)

    assert through(rushlight, rushlight, Lazy(), weights_only=False).tolist() == [0, 1, 2]


# ------------------------------------------------------------------------------------- atomicity


def test_saving_replaces_the_file_at_once(tmp_path):
    path = tmp_path / "x.pt"
    rushlight.save(1, path)
    os.chmod(path, 0o640)
    link = tmp_path / "link.pt"
    link.symlink_to(path)

    class Fails:
        def __reduce__(self):
            raise KeyError("no")

    with pytest.raises(KeyError):
        rushlight.save(Fails(), path)
    assert rushlight.load(path) == 1
    rushlight.save(2, link)
    assert link.is_symlink() and rushlight.load(path) == 2
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert len(list(tmp_path.iterdir())) == 2
    rushlight.save(3, os.devnull)


def save_for_ever(path):
    for i in range(10**9):
        rushlight.save({"i": i, "x": rushlight.full((20_000,), float(i))}, path)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_killed_save_leaves_a_whole_file(tmp_path):
    path = pathlib.Path(tmp_path) / "x.pt"
    rushlight.save({"i": -1, "x": rushlight.full((20_000,), -1.0)}, path)
    chance, context = random.Random(0), multiprocessing.get_context("fork")
    numbers = []
    for _ in range(12):
        process = context.Process(target=save_for_ever, args=(path,))
        process.start()
        time.sleep(chance.uniform(0.005, 0.06))
        process.kill()
        process.join()
        found = rushlight.load(path)
        assert (found["x"] == found["i"]).all()
        numbers.append(found["i"])
    assert max(numbers) > 0


# ----------------------------------------------------------------------------------- safetensors


def test_safetensors(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "x.safetensors"
    x = rushlight.arange(6.0).reshape(2, 3)
    serialization.save_safetensors({"x": x.t(), "n": rushlight.arange(3)}, path, {"a": "b"})
    found = serialization.load_safetensors(path)
    assert found["x"].tolist() == x.t().tolist() and found["n"].tolist() == [0, 1, 2]
    with pytest.raises(RuntimeError, match="Some tensors share memory"):
        serialization.save_safetensors({"x": x, "y": x[:1]}, path)


def test_safetensors_missing(tmp_path, monkeypatch):
    with contextlib.suppress(ImportError):
        import safetensors  # noqa: F401
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    with pytest.raises(ImportError, match="pip install safetensors"):
        serialization.load_safetensors(tmp_path / "x")
