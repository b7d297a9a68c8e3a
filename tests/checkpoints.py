"""Checkpoints in memory, good and bad."""

from __future__ import annotations

import io
import zipfile


def saved(lib, obj, **kwargs):
    file = io.BytesIO()
    lib.save(obj, file, **kwargs)
    file.seek(0)
    return file


def rezipped(data, change):
    """The archive with other contents of its records, and right checksums."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for name in old.namelist():
            new.writestr(zipfile.ZipInfo(name), change(name, old.read(name)))
    out.seek(0)
    return out


def archive_of(pickle_bytes, records=()):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, body in {"data.pkl": pickle_bytes, "version": "3\n", **dict(records)}.items():
            archive.writestr(f"archive/{name}", body)
    out.seek(0)
    return out
