"""The format safetensors, through its own library."""

from __future__ import annotations

import os
from typing import Any

from rushlight import ops
from rushlight.tensor import Tensor

__all__ = ["load_safetensors", "save_safetensors"]


def _library() -> Any:
    try:
        import safetensors.numpy
    except ImportError as error:
        raise ImportError(
            "the format safetensors needs its library: pip install safetensors"
        ) from error
    return safetensors.numpy


def save_safetensors(
    tensors: dict[str, Tensor],
    filename: str | os.PathLike[str],
    metadata: dict[str, str] | None = None,
) -> None:
    """Save named tensors, as ``safetensors.torch.save_file`` does.

    Args:
        tensors: by name; no two may share memory, which the format cannot say.
        filename: path.
        metadata: texts to keep beside them.

    Raises:
        ImportError: the library safetensors is not installed.
        RuntimeError: two tensors share memory.
    """
    arrays = {name: tensor.detach().numpy(force=True) for name, tensor in tensors.items()}
    places: dict[int, str] = {}
    for name, array in arrays.items():
        other = places.setdefault(array.ctypes.data, name) if array.size else name
        if other != name:
            raise RuntimeError(
                f"Some tensors share memory, this will lead to duplicate memory on disk: {other} "
                f"and {name}"
            )
    _library().save_file(
        {name: array.copy("C") for name, array in arrays.items()}, filename, metadata
    )


def load_safetensors(filename: str | os.PathLike[str], device: Any = "cpu") -> dict[str, Tensor]:
    """Load named tensors, as ``safetensors.torch.load_file`` does.

    Args:
        filename: path.
        device: where the tensors go.

    Raises:
        ImportError: the library safetensors is not installed.
    """
    arrays = _library().load_file(filename)
    return {name: ops.from_numpy(array).to(device) for name, array in arrays.items()}
