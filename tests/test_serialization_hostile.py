"""Checkpoints that are damaged or mean harm: refused with a word, at once, without running code."""

from __future__ import annotations

import io
import os
import pickle
import random
import struct
import sys
import zipfile

import numpy as np
import pytest

import rushlight
from rushlight import nn, serialization
from tests.checkpoints import archive_of, rezipped, saved

SIXTEEN = {"data/0": bytes(16)}  # bytes of the storage that the pickles below name


def text(s):
    raw = s.encode()
    return b"X" + struct.pack("<I", len(raw)) + raw


def number(n):
    raw = n.to_bytes(n.bit_length() // 8 + 1, "little", signed=True)
    return b"\x8a" + bytes([len(raw)]) + raw


def many(*parts):
    return b"(" + b"".join(parts) + b"t"


def called(module, name, *args):
    return f"c{module}\n{name}\n".encode() + many(*args) + b"R"


def numbers(values):
    return many(*map(number, values))


def storage(kind="FloatStorage", key="0", size=4, place="cpu", word="storage"):
    return (
        many(text(word), f"ctorch\n{kind}\n".encode(), text(key), text(place), number(size)) + b"Q"
    )


def tensor(size=(2, 2), stride=(2, 1), offset=0, of=None, requires_grad=b"\x89"):
    of = storage() if of is None else of
    hooks = called("collections", "OrderedDict")
    parts = (of, number(offset), numbers(size), numbers(stride), requires_grad, hooks)
    return called("torch._utils", "_rebuild_tensor_v2", *parts)


def load_pickle(body, records=None, **kwargs):
    return rushlight.load(archive_of(b"\x80\x02" + body + b".", records or SIXTEEN), **kwargs)


def test_the_pieces_above_make_a_checkpoint():
    assert load_pickle(tensor()).tolist() == [[0, 0], [0, 0]]
    assert load_pickle(tensor((0, 2**60), (1, 1))).shape == (0, 2**60)
    assert load_pickle(b"]" + tensor() + b"a")[0].shape == (2, 2)


marker = os.path.join(os.sep, "tmp", f"rushlight-hostile-{os.getpid()}")
touch = text(f"touch {marker}")

PICKLES = {
    # Programs
    "os.system": (called("os", "system", touch), "module os is blocked"),
    "posix.system": (called("posix", "system", touch), "module posix is blocked"),
    "eval": (called("builtins", "eval", text("1")), "GLOBAL eval was not an allowed"),
    "exec of Python 2": (called("__builtin__", "execfile", touch), "was not an allowed global"),
    "getattr": (called("builtins", "getattr", text("a"), text("b")), "GLOBAL getattr was not"),
    "import": (called("importlib", "import_module", text("os")), "was not an allowed global"),
    "subprocess": (called("subprocess", "Popen", touch), "GLOBAL subprocess.Popen was not"),
    "own internals": (called("rushlight.random", "manual_seed", number(0)), "was not an allowed"),
    "dotted name": (b"ctorch\nTensor.__init__\n", "was not an allowed global"),
    "numpy loader": (called("numpy", "load", text("x")), "GLOBAL numpy.load was not"),
    "a class": (b"ctorch.nn.modules.linear\nLinear\n)\x81", "was not an allowed global"),
    "protocol 4": (b"\x8c\x02os\x8c\x06system\x93", "Unsupported operand 140"),
    "extension": (b"\x82\x01", "Unsupported operand 130"),
    "instance of protocol 0": (b"(i__main__\nX\n", "Unsupported operand 105"),
    "object of protocol 1": (b"(ctorch\nSize\no", "Unsupported operand 111"),
    # What is allowed, turned against its purpose
    "constructor of tensors": (called("torch", "Tensor", number(2**45)), "unrecognized function"),
    "call of a dtype": (called("torch", "float32"), "unrecognized function"),
    "call of a value": (text("x") + b")R", "unrecognized function"),
    "new object": (b"ctorch\nTensor\n)\x81", "Can only create new object"),
    "huge bytearray": (called("builtins", "bytearray", number(2**45)), "encoding"),
    "codec": (called("_codecs", "encode", text("a"), text("zlib")), "encoding 'zlib'"),
    "state of a class": (b"ctorch\nTensor\n}" + text("a") + b"Nsb", "Can only build"),
    "state of a function": (b"ctorch._utils\n_rebuild_tensor\n}b", "Can only build"),
    "attribute over a method": (tensor() + b"}" + text("backward") + b"Nsb", "no attribute"),
    "attribute of no name": (tensor() + b"}N" + b"Nsb", "no attribute"),
    "append to a tuple": (b")Na", "Can only append to lists"),
    "item of a list": (b"]" + text("a") + b"Ns", "Can only set items of dicts"),
    "parameter of a string": (
        called("torch._utils", "_rebuild_parameter", text("x"), b"\x88", b"N"),
        "a parameter needs a tensor",
    ),
    "type of another kind": (
        called("torch._tensor", "_rebuild_from_type_v2", b"ctorch\nSize\n", b"ctorch\nTensor\n",
               b")", b"N"),
        "a tensor of type",
    ),
    "unhashable key": (b"}]Ns", "a key of type"),
    "key that takes for ever to hash": (b")" + b"q\x01h\x01\x86" * 64 + b"q\x02}h\x02Ns", "a key"),
    "copies without end": (
        b"]" + text("x" * 2**16) + b"q\x01"
        + called("_codecs", "encode", b"h\x01", text("latin1")) * 5000,
        "makes much more than it holds",
    ),
    # Tensors out of their storages
    "too large": (tensor((3, 2)), "does not lie within its storage"),
    "offset": (tensor(offset=1), "does not lie within its storage"),
    "negative offset": (tensor(offset=-1), "must not be negative"),
    "negative stride": (tensor(stride=(-2, 1), offset=2), "must not be negative"),
    "negative size": (tensor(size=(-1, 2)), "must not be negative"),
    "huge size": (tensor((2**62, 2**62), (0, 0)), "cannot exist"),
    "huge stride": (tensor(stride=(2**63, 1)), "above 2\\^63"),
    "product that wraps round": (tensor((2**33, 2**31), (1, 1)), "cannot exist"),
    "strides too few": (tensor(stride=(1,)), "2 sizes, but 1 strides"),
    "too many dimensions": (tensor((1,) * 100, (1,) * 100), "a tensor of size"),
    "size of floats": (
        called("torch._utils", "_rebuild_tensor", storage(), number(0), many(b"G" + bytes(8)),
               numbers([1])),
        "must be ints",
    ),
    "no storage": (tensor(of=text("x")), "a tensor needs a storage"),
    "gradients of integers": (
        tensor(of=storage("LongStorage", size=2), size=(2,), stride=(1,), requires_grad=b"\x88"),
        "cannot require gradients",
    ),
    "bytes without dtype": (
        tensor(of=many(text("storage"), b"ctorch.storage\nUntypedStorage\n", text("0"),
                       text("cpu"), number(16)) + b"Q"),
        "needs a dtype",
    ),
    "two types": (
        b"]" + storage() + b"a" + storage("IntStorage") + b"a", "storage 0 has two types"
    ),
    # Storages
    "longer than its record": (tensor(of=storage(size=2**50)), "it has 16 bytes, expected"),
    "shorter than its record": (tensor(of=storage(size=3)), "it has 16 bytes, expected 12"),
    "negative length": (tensor(of=storage(size=-1)), "it has 16 bytes"),
    "name of a path": (tensor(of=storage(key="../../../etc/passwd")), "file not found"),
    "name of another record": (tensor(of=storage(key="../data.pkl")), "file not found"),
    "absent": (tensor(of=storage(key="7")), "file not found"),
    "another word": (storage(word="module"), "Only persistent_load of storage is allowed"),
    "no tuple": (text("storage") + b"Q", "Only persistent_load of storage is allowed"),
    "few words": (many(text("storage")) + b"Q", "a storage needs a type"),
    "location no string": (
        many(text("storage"), b"ctorch\nFloatStorage\n", text("0"), b"N", number(4)) + b"Q",
        "are strings",
    ),
    "unknown storage": (storage("SecretStorage"), "GLOBAL torch.SecretStorage was not"),
    # Pickles that end or go wrong
    "empty": (b"", "IndexError"),
    "marks": (b"t", "IndexError"),
    "memo": (b"h\x07", "KeyError"),
    "text that is no UTF-8": (b"X\x01\0\0\0\xff", "UnicodeDecodeError"),
    "text longer than the file": (b"X\xff\xff\xff\xff", "expected"),
    "odd items": (b"}(Nu", "ValueError"),
}  # fmt: skip


@pytest.mark.parametrize("name", PICKLES)
def test_hostile_pickles(name):
    body, words = PICKLES[name]
    state = rushlight.get_rng_state()
    with pytest.raises((pickle.UnpicklingError, RuntimeError), match=words) as caught:
        load_pickle(body)
    assert isinstance(caught.value, RuntimeError) or "Weights only load failed. " in str(
        caught.value
    )
    assert not os.path.exists(marker)
    assert rushlight.equal(rushlight.get_rng_state(), state)


def good():
    return saved(
        rushlight, {"x": rushlight.arange(4.0), "s": nn.Linear(2, 2).state_dict()}
    ).getvalue()


def with_byte(data, position, value):
    return data[:position] + bytes([value]) + data[position + 1 :]


def named(names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in names:
            archive.writestr(zipfile.ZipInfo(name), body)
    return out.getvalue()


def compressed():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02N.")
        archive.writestr("archive/data/0", bytes(10_000_000))
        archive.writestr("archive/version", b"3\n" * 50)
    return out.getvalue()


def overlapping():
    """Ten entries of the directory for one record: it would be read ten times."""
    data = named([("archive/version", b"3\n"), ("archive/data.pkl", bytes(50_000))])
    end = data.rindex(b"PK\x05\x06")
    start = data.index(b"PK\x01\x02")
    second = data.index(b"PK\x01\x02", start + 4)
    entries = data[start:second]
    for i in range(10):
        entries += data[second:end].replace(b"data.pkl", b"data.pk%d" % i)
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 11, 11, len(entries), start, 0)
    return data[:start] + entries + tail


ARCHIVES = {
    "empty": (lambda: b"", "Ran out of input"),
    "text": (lambda: b"hello world", "no checkpoint"),
    "truncated": (lambda: good()[:-30], "failed reading zip archive"),
    "half": (lambda: good()[: len(good()) // 2], "failed reading zip archive"),
    "head only": (lambda: b"PK\x03\x04", "failed reading zip archive"),
    "no records": (lambda: b"PK\x03\x04" + named([]), "failed reading zip archive"),
    "wrong checksum": (
        lambda: with_byte(good(), good().index(b"data/0") + 100, 9), "CRC-32 check failed|reading"
    ),
    "local header gone": (
        lambda: with_byte(good(), good().rindex(b"PK\x03\x04", 0, good().index(b"data/0")), 0),
        "no header where the directory says",
    ),
    "no pickle": (lambda: named([("archive/version", b"3\n")]), "data.pkl: file not found"),
    "no version": (lambda: named([("archive/data.pkl", b"N.")]), "version: file not found"),
    "version of the future": (
        lambda: named([("archive/data.pkl", b"N."), ("archive/version", b"99")]),
        "Attempted to read a PyTorch file with version 99",
    ),
    "version no number": (
        lambda: named([("archive/data.pkl", b"N."), ("archive/version", b"x" * 50)]),
        "Attempted to read a PyTorch file",
    ),
    "a record twice": (
        lambda: duplicate(), "twice"
    ),
    "compressed": (compressed, "larger than the file"),
    "compressed pickle": (
        lambda: rezip_compressed(good()), "compressed or encrypted|larger than the file"
    ),
    "overlapping records": (overlapping, "larger than the file"),
    "TorchScript": (
        lambda: named([("a/constants.pkl", b""), ("a/version", b"3")]), "TorchScript"
    ),
    "unknown order of bytes": (
        lambda: rezipped(good(), lambda n, b: b"pdp" if "byteorder" in n else b).getvalue(),
        "Unknown endianness type",
    ),
    "legacy of another kind": (lambda: pickle.dumps(7, 2), "Invalid magic number"),
    "legacy, cut": (lambda: legacy()[:-5], "Weights only load failed"),
    "legacy, storage too long": (
        lambda: legacy().replace(b"K\x04N", b"J\0\0\0\x70N"), "in a shorter file"
    ),
    "tar": (lambda: b"sys_info" + bytes(504) + b"\0" * 1024, "no checkpoint"),
}  # fmt: skip


def duplicate():
    with pytest.warns(UserWarning, match="Duplicate name"):
        return named([("a/version", b"3"), ("a/data.pkl", b"N."), ("a/data.pkl", b"I1\n.")])


def rezip_compressed(data):
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w", 8) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))
    return out.getvalue()


def legacy():
    """A float tensor of four, as PyTorch saved it before 1.6."""
    system = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    heads = [pickle.dumps(x, 2) for x in (0x1950A86A20F9469CFC6C, 1001, system)]
    parts = (text("storage"), b"ctorch\nFloatStorage\n", text("7"), text("cpu"), b"K\x04", b"N")
    body = b"\x80\x02" + tensor(of=many(*parts) + b"Q") + b"."
    values = np.arange(4, dtype="<f4").tobytes()
    return b"".join([*heads, body, pickle.dumps(["7"], 2), struct.pack("<q", 4), values])


def test_the_legacy_file_above_is_one():
    assert rushlight.load(io.BytesIO(legacy())).tolist() == [[0, 1], [2, 3]]


@pytest.mark.parametrize("name", ARCHIVES)
def test_damaged_files(name, tmp_path):
    make, words = ARCHIVES[name]
    data = make()
    kinds = (pickle.UnpicklingError, RuntimeError, ValueError, EOFError)
    with pytest.raises(kinds, match=words):
        rushlight.load(io.BytesIO(data))
    (tmp_path / "x.pt").write_bytes(data)
    with pytest.raises(kinds):
        rushlight.load(tmp_path / "x.pt")


@pytest.mark.parametrize("unrestricted", [False, True])
def test_tensors_are_checked_whatever_is_loaded(unrestricted):
    for name in ("too large", "negative stride", "huge size", "longer than its record"):
        with pytest.raises((pickle.UnpicklingError, RuntimeError), match=PICKLES[name][1]):
            load_pickle(PICKLES[name][0], weights_only=not unrestricted)


def test_any_damage_is_an_error_or_no_harm():
    """Bytes changed at random, in the file and, with right checksums, in the pickle."""
    chance = random.Random(0)
    whole, old = good(), legacy()

    def spoilt(data):
        data = bytearray(data)
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        return bytes(data[: chance.randint(1, len(data))] if chance.random() < 0.1 else data)

    outcomes = {"loaded": 0, "refused": 0}
    for i in range(600):
        if i % 3 == 0:
            file = io.BytesIO(spoilt(whole))
        elif i % 3 == 1:
            file = rezipped(whole, lambda name, b: spoilt(b) if name.endswith("pkl") else b)
        else:
            file = io.BytesIO(spoilt(old))
        try:
            rushlight.load(file)
            outcomes["loaded"] += 1
        except (pickle.UnpicklingError, RuntimeError, ValueError) as error:
            assert str(error)
            outcomes["refused"] += 1
    assert min(outcomes.values()) > 20


def test_depth_is_no_danger():
    deep = b"]" * 200_000 + b"a" * 199_999
    found = load_pickle(deep)
    for _ in range(199_999):  # the interpreter would free it by recursion
        found = found.pop()
    assert found == []


def test_memory_is_not_taken_on_trust():
    """A file of a kilobyte that says that it holds gigabytes."""
    resource = pytest.importorskip("resource")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for name in ("longer than its record", "huge size", "huge bytearray", "copies without end"):
        with pytest.raises((pickle.UnpicklingError, RuntimeError)):
            load_pickle(PICKLES[name][0])
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert grown < 600 * (1 if sys.platform != "darwin" else 1024) * 1024


def test_safe_globals_do_not_open_more():
    with serialization.safe_globals([dict]), pytest.raises(pickle.UnpicklingError, match="os"):
        load_pickle(called("os", "system", touch))
