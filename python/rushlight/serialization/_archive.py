"""The zip archive of a checkpoint: ``data.pkl``, and one stored record for each storage."""

from __future__ import annotations

import hashlib
import io
import os
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO

import numpy as np

__all__ = ["Reader", "is_zip", "write_archive"]

_ROOT = "archive"
_ALIGNMENT = 64  # of the records in the file, so that they can be mapped
_NEWEST = 10  # version of the format
_LOCAL_HEADER = struct.Struct("<4s5H3L2H")
_DAMAGE = (
    EOFError,
    IndexError,
    LookupError,
    NotImplementedError,
    OverflowError,
    UnicodeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)


def is_zip(file: BinaryIO) -> bool:
    """Whether the file goes on, from its position, as a zip archive does."""
    start = file.tell()
    head = file.read(4)
    file.seek(start)
    return head == b"PK\x03\x04"


def _failed(what: str, reason: Any) -> RuntimeError:
    return RuntimeError(f"PytorchStreamReader failed {what}: {reason}")


class Reader:
    """The records of an archive.

    Args:
        file: binary and seekable.
        path: where it is, to map records into memory; None to read them.

    Raises:
        RuntimeError: it is damaged, or no checkpoint.
    """

    def __init__(self, file: BinaryIO, path: str | None = None) -> None:
        self._file = file
        self._path = path
        try:
            infos = zipfile.ZipFile(file).infolist()
            size = file.seek(0, os.SEEK_END)
        except _DAMAGE as error:
            raise _failed("reading zip archive", error) from error
        names = [info.filename for info in infos]
        if not infos or len(set(names)) != len(names):
            raise _failed("reading zip archive", "it is empty or names a record twice")
        if sum(info.file_size for info in infos) > size:
            raise _failed("reading zip archive", "the records are larger than the file")
        self._root = names[0].split("/")[0]
        self._infos = dict(zip(names, infos, strict=True))
        self._check_version()

    def _check_version(self) -> None:
        if "constants.pkl" in self:
            raise NotImplementedError("load: TorchScript archives are not supported")
        version = self.text(".data/version" if ".data/version" in self else "version").strip()
        if not (version.isdecimal() and 1 <= int(version) <= _NEWEST):
            raise RuntimeError(
                f"Attempted to read a PyTorch file with version {version[:20]}, but the maximum "
                f"supported version for reading is {_NEWEST}."
            )
        order = self.text("byteorder") if "byteorder" in self else sys.byteorder
        if order not in ("little", "big"):
            raise ValueError(f"Unknown endianness type: {order[:20]}")
        self.swapped = order != sys.byteorder

    def __contains__(self, name: str) -> bool:
        return f"{self._root}/{name}" in self._infos

    def open(self, name: str) -> BinaryIO:
        """A record as a file in memory."""
        return io.BytesIO(self.read(name).tobytes())

    def text(self, name: str) -> str:
        """A short record as text."""
        return str(self.read(name, most=1000).tobytes(), "ascii", "replace")

    def read(self, name: str, size: int | None = None, most: int | None = None) -> Any:
        """The bytes of a record, as a writable array of uint8.

        Args:
            name: without the archive's folder.
            size: how many bytes it must have.
            most: how many it may have.

        Raises:
            RuntimeError: there is no such record, or it is damaged or of another size.
        """
        what = f"reading file {name[:100]}"
        info = self._infos.get(f"{self._root}/{name}")
        if info is None:
            raise _failed("locating file", f"{name[:100]}: file not found")
        if size not in (None, info.file_size) or info.file_size > (most or info.file_size):
            raise _failed(what, f"it has {info.file_size} bytes, expected {size or most}")
        if info.compress_type != zipfile.ZIP_STORED or info.compress_size != info.file_size:
            raise _failed(what, "it is compressed or encrypted, which checkpoints are not")
        try:
            start = self._start(info)
            if self._path is not None and info.file_size and name.startswith("data/"):
                mapped = np.memmap(self._path, np.uint8, "c", start, info.file_size)
                return mapped.view(np.ndarray)
            self._file.seek(start)
            data = np.empty(info.file_size, np.uint8)
            fill(self._file, data)
        except _DAMAGE as error:
            raise _failed(what, error) from error
        if zlib.crc32(data.data) != info.CRC:
            raise _failed(what, "CRC-32 check failed")
        return data

    def _start(self, info: zipfile.ZipInfo) -> int:
        self._file.seek(info.header_offset)
        fields = _LOCAL_HEADER.unpack(self._file.read(_LOCAL_HEADER.size))
        signature, name_size, extra_size = fields[0], fields[-2], fields[-1]
        if signature != b"PK\x03\x04" or fields[2] & 1:
            raise ValueError("no header where the directory says")
        if self._file.read(name_size) != info.orig_filename.encode("utf-8"):
            raise ValueError("another name than in the directory")
        return info.header_offset + _LOCAL_HEADER.size + int(name_size) + int(extra_size)


def fill(file: BinaryIO, data: np.ndarray[Any, Any]) -> None:
    """Read as many bytes as the array has.

    Raises:
        EOFError: the file ends before.
    """
    view = data.data
    while len(view):
        if hasattr(file, "readinto"):
            count = file.readinto(view)
        else:  # a file object may have no more than read()
            part = file.read(len(view))
            count = len(part)
            view[:count] = part
        if not count:
            raise EOFError("the file ends too early")
        view = view[count:]


def write_archive(
    file: BinaryIO, data: bytes, storages: dict[str, Callable[[], np.ndarray[Any, Any]]]
) -> None:
    """Write a checkpoint.

    Args:
        file: binary; need not be seekable.
        data: the pickle.
        storages: for each key what gives the bytes, as an array of uint8 on the CPU.
    """
    digest = hashlib.blake2b(digest_size=16)
    with zipfile.ZipFile(_Counted(file), "w", zipfile.ZIP_STORED) as archive:

        def write(name: str, content: Any) -> None:
            info = zipfile.ZipInfo(f"{_ROOT}/{name}")
            info.file_size = len(content)
            info.extra = _padding(archive.fp.tell(), info)  # type: ignore[union-attr]
            with archive.open(info, "w") as record:
                record.write(content)
            digest.update(f"{name}:{info.CRC};".encode())

        write("data.pkl", data)
        write(".format_version", b"1")
        write(".storage_alignment", str(_ALIGNMENT).encode())
        write("byteorder", sys.byteorder.encode())
        for key, content in storages.items():
            write(f"data/{key}", content().data)
        write("version", b"3\n")
        write(".data/serialization_id", f"{int(digest.hexdigest(), 16):040d}".encode())


def _padding(position: int, info: zipfile.ZipInfo) -> bytes:
    """An extra field that moves the record to a multiple of the alignment."""
    start = position + _LOCAL_HEADER.size + len(info.filename) + 4
    if info.file_size * 1.05 > zipfile.ZIP64_LIMIT:
        start += 20  # zipfile puts the sizes into a field of their own
    size = -start % _ALIGNMENT
    return struct.pack("<2sH", b"FB", size) + b"Z" * size


class _Counted(io.RawIOBase):
    """A file that is only written to: zipfile seeks in others, also where they cannot."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._position = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def write(self, data: Any) -> int:
        self._file.write(data)
        self._position += len(data)
        return len(data)
