"""What a tensor is: questions with a Python answer."""

from __future__ import annotations

from typing import Any

from rushlight import dtypes, errors
from rushlight.backend import kernels_of
from rushlight.ops._registry import composed
from rushlight.tensor import Tensor


@composed(method=False)
def is_tensor(obj: Any) -> bool:
    """Whether `obj` is a tensor."""
    return isinstance(obj, Tensor)


@composed(method=False)
def is_storage(obj: Any) -> bool:
    """Whether `obj` is the storage of a tensor, which is no object of its own here: False."""
    return False


def _asked(name: str, input: Any) -> Tensor:
    if not isinstance(input, Tensor):
        raise errors.wrong_argument(name, "input", input)
    return input


@composed(method=False)
def numel(input: Tensor) -> int:
    """The number of elements."""
    return _asked("numel", input).numel()


@composed(method=False)
def is_floating_point(input: Tensor) -> bool:
    """Whether the element type is floating."""
    return _asked("is_floating_point", input).is_floating_point()


@composed(method=False)
def is_complex(input: Tensor) -> bool:
    """False: there are no complex tensors."""
    return _asked("is_complex", input).is_complex()


@composed()
def is_signed(input: Tensor) -> bool:
    """Whether the element type has negative numbers."""
    return bool(input.dtype.is_signed)


@composed()
def is_nonzero(input: Tensor) -> bool:
    """Whether the only element is not 0.

    Raises:
        RuntimeError: unless there is exactly one element.
    """
    return bool(input)


@composed()
def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether both have the same shape."""
    return input.shape == other.shape


@composed()
def is_set_to(input: Tensor, tensor: Tensor) -> bool:
    """Whether both show the same memory in the same way."""
    same = (input.shape, input.stride()) == (tensor.shape, tensor.stride())
    return same and input.data_ptr() == tensor.data_ptr()


@composed()
def is_conj(input: Tensor) -> bool:
    """False: nothing is conjugated lazily."""
    return False


@composed()
def is_neg(input: Tensor) -> bool:
    """False: nothing is negated lazily."""
    return False


@composed(method=False)
def result_type(tensor1: Any, tensor2: Any) -> dtypes.dtype:
    """The dtype of arithmetic between two operands, tensors or numbers."""
    operands = [x._array if isinstance(x, Tensor) else x for x in (tensor1, tensor2)]
    return dtypes.of_numpy(kernels_of(*operands).result_type(*operands))


# ---- Methods and properties only ----


@composed(method=False)
def real(input: Tensor) -> Tensor:
    """The tensor itself: its numbers are real. Of a tensor, a property."""
    return input


@composed(method=False)
def imag(input: Tensor) -> Tensor:
    """Refused, as in PyTorch: there are no complex tensors. Of a tensor, a property."""
    raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")


Tensor.real = property(real)  # type: ignore[attr-defined]
Tensor.imag = property(imag)  # type: ignore[attr-defined]


@composed()
def get_device(input: Tensor) -> int:
    """The ordinal of the CUDA device, -1 on the CPU."""
    return input.device.index or 0 if input.is_cuda else -1


@composed(method=False)
def is_inference(input: Tensor) -> bool:
    """Whether the tensor was made in inference mode."""
    return input.is_inference()


def _is_shared(self: Tensor) -> bool:
    """Whether the memory is shared between processes: only a CUDA device's is."""
    return self.is_cuda


def _is_pinned(self: Tensor, device: Any = None) -> bool:
    """False: memory on the CPU is never pinned."""
    return False


Tensor.is_shared = _is_shared  # type: ignore[attr-defined]
Tensor.is_pinned = _is_pinned  # type: ignore[attr-defined]
Tensor.is_cpu = property(lambda self: not self.is_cuda)  # type: ignore[attr-defined]
Tensor.ndimension = Tensor.dim  # type: ignore[attr-defined]
Tensor.is_meta = Tensor.is_mkldnn = Tensor.is_sparse_csr = False  # type: ignore[attr-defined]
