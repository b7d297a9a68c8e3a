"""How an answer gets from a worker to the main process: pickled, large tensors apart.

The memory of large tensors goes through an anonymous file in memory, whose descriptor the link
carries. It has no name and is no part of ``/dev/shm``: when both processes have closed it, or died,
it is gone. Where the system has no such files, everything goes through the link.
"""

from __future__ import annotations

import os
import pickle
import struct
from dataclasses import dataclass
from io import BytesIO
from multiprocessing import reduction
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from rushlight import _kernels
from rushlight.dtypes import dtype
from rushlight.tensor import Tensor

__all__ = ["Packed", "receive"]

_APART = 1 << 16  # bytes from which on a tensor's memory does not go through the link
_ALIGNMENT = 64
_CAN_SHARE = hasattr(os, "memfd_create")


@dataclass
class Packed:
    """A message, ready to be sent.

    Args:
        body: the pickle.
        sizes: of the memory blocks that lie in the file, in bytes.
        file: the descriptor of the file, None where there is none.
    """

    body: Any
    sizes: list[int]
    file: int | None = None

    @classmethod
    def of(cls, message: Any) -> Packed:
        """Pickle a message.

        Raises:
            Exception: it cannot be pickled.
            OSError: there is not enough memory for the file.
        """
        body = BytesIO()
        blocks: list[memoryview] = []

        def stays(buffer: pickle.PickleBuffer) -> bool:
            memory = buffer.raw()
            if len(memory) < _APART:
                return True
            blocks.append(memory)
            return False

        _Pickler(body, 5, True, stays if _CAN_SHARE else None).dump(message)
        file = _file_of(blocks) if blocks else None
        return cls(body.getbuffer(), [len(block) for block in blocks], file)

    def send(self, link: Connection) -> None:
        """Send it; `receive` takes it at the other end."""
        link.send_bytes(struct.pack(f"{len(self.sizes)}q", *self.sizes))
        link.send_bytes(self.body)
        if self.file is not None:
            reduction.send_handle(link, self.file, None)
            os.close(self.file)


def receive(link: Connection) -> Any:
    """The next message of a link.

    Raises:
        EOFError: the other end is closed.
        OSError: it broke off, or there is not enough memory.
    """
    head = link.recv_bytes()
    body = link.recv_bytes()
    if not head:
        return pickle.loads(body)
    sizes = struct.unpack(f"{len(head) // 8}q", head)
    file = reduction.recv_handle(link)
    try:
        whole = _kernels.empty((sum(map(_padded, sizes)),), np.dtype(np.uint8))
        _read(file, whole.data)
    finally:
        os.close(file)
    starts = np.cumsum([0, *map(_padded, sizes)]).tolist()
    blocks = [whole[start : start + size] for start, size in zip(starts, sizes, strict=False)]
    return pickle.loads(body, buffers=blocks)


class _Pickler(reduction.ForkingPickler):
    """Takes the memory of large tensors out of the pickle."""

    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, Tensor) and obj.grad_fn is not None:
            raise RuntimeError(
                "Cowardly refusing to serialize non-leaf tensor which requires_grad, since "
                "autograd does not support crossing process boundaries.  If you just want to "
                "transfer the data, call detach() on the tensor before serializing."
            )
        if type(obj) is not Tensor or obj.is_cuda:
            return NotImplemented
        array = obj._array
        memory = np.ascontiguousarray(array).reshape(-1).view(np.uint8).data
        return _rebuilt, (pickle.PickleBuffer(memory), obj.dtype, array.shape, obj.requires_grad)


def _rebuilt(memory: Any, kind: dtype, shape: tuple[int, ...], requires_grad: bool) -> Tensor:
    if isinstance(memory, bytes):  # it was read-only there
        memory = bytearray(memory)
    tensor = Tensor._wrap(np.ndarray(shape, kind.numpy, memory))
    tensor.requires_grad = requires_grad
    return tensor


def _padded(size: int) -> int:
    return size + -size % _ALIGNMENT


def _file_of(blocks: list[memoryview]) -> int:
    file = os.memfd_create("rushlight")
    try:
        start = 0
        for block in blocks:
            _write(file, block, start)
            start += _padded(len(block))
        os.ftruncate(file, start)
    except BaseException:
        os.close(file)
        raise
    return file


def _write(file: int, block: memoryview, start: int) -> None:
    while len(block):  # one call takes 2 GiB at most
        done = os.pwrite(file, block, start)
        block, start = block[done:], start + done


def _read(file: int, memory: memoryview) -> None:
    start = 0
    while len(memory):
        done = os.preadv(file, [memory], start)
        if not done:
            raise OSError("the memory of a batch ends too early")
        memory, start = memory[done:], start + done
