"""The tensor: an array, and where its gradient goes.

Operations are not defined here: the op registry binds them as methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from rushlight import dtypes
from rushlight._kernels import set_tensor, wrap
from rushlight.autograd.node import AccumulateGrad, Node
from rushlight.autograd.variable import Variable
from rushlight.backend import array_device, device_kernels
from rushlight.backend.common import address
from rushlight.backend.strided import memory_of
from rushlight.devices import device
from rushlight.size import Size
from rushlight.size import wrap as wrap_dim

__all__ = ["Size", "Tensor"]


class Tensor(Variable):
    """A multi-dimensional array that takes part in automatic differentiation.

    The data, `_array`, is a numpy.ndarray, or a cupy.ndarray on a CUDA device.
    """

    __slots__ = ()

    __array_priority__ = 1000  # so that `ndarray * tensor` asks the tensor

    def __new__(cls, *args: Any, **kwargs: Any) -> Tensor:
        """The legacy constructor: ``Tensor(2, 3)`` is uninitialised, ``Tensor([1, 2])`` a copy.

        Floating-point data of the default dtype; prefer ``tensor()`` and ``empty()``.
        """
        if kwargs.pop("device", None) not in (None, "cpu") or kwargs:
            raise NotImplementedError("Tensor(): only positional sizes or data are supported")
        kind = dtypes.get_default_dtype().numpy
        if not args:
            return cls._wrap(np.empty(0, kind))
        if all(isinstance(a, int) for a in args):
            return cls._wrap(np.empty(args, kind))
        if len(args) > 1:
            raise TypeError("new(): data must be a sequence (got several arguments)")
        data = args[0]
        if isinstance(data, Size):
            return cls._wrap(np.empty(data, kind))
        return cls._wrap(np.array(data._array if isinstance(data, Tensor) else data, kind))

    # A tensor over an array, outside of any graph.
    _wrap: Callable[[Any], Tensor] = staticmethod(wrap)

    # ---- Data ----

    @property
    def shape(self) -> Size:
        """The sizes of the dimensions."""
        return Size(self._array.shape)

    @property
    def dtype(self) -> dtypes.dtype:
        """The element type."""
        return dtypes.of_numpy(self._array.dtype)

    @property
    def device(self) -> device:
        """Where the memory is."""
        return array_device(self._array)

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim  # type: ignore[no-any-return]

    def dim(self) -> int:
        """The number of dimensions."""
        return self._array.ndim  # type: ignore[no-any-return]

    def size(self, dim: int | None = None) -> Any:
        """The shape, or the size of dimension `dim`."""
        if dim is None:
            return self.shape
        return self._array.shape[wrap_dim(dim, self.ndim, scalar=False)]

    def numel(self) -> int:
        """The number of elements."""
        return self._array.size  # type: ignore[no-any-return]

    nelement = numel

    def type(self, dtype: Any = None, non_blocking: bool = False) -> Any:
        """The legacy name of the type, such as 'torch.FloatTensor', or a tensor of another dtype.

        `non_blocking` is accepted and has no effect.
        """
        if dtype is None:
            module = "torch.cuda" if self.is_cuda else "torch"
            return f"{module}.{dtypes.LEGACY_NAMES[self.dtype.name]}Tensor"
        if isinstance(dtype, str):
            dtype = dtypes.of_legacy_name(dtype)
        return self.to(dtypes.of(getattr(dtype, "dtype", dtype)))  # of a class: FloatTensor

    def element_size(self) -> int:
        """Bytes of one element."""
        return self._array.itemsize  # type: ignore[no-any-return]

    @property
    def itemsize(self) -> int:
        """Bytes of one element."""
        return self._array.itemsize  # type: ignore[no-any-return]

    @property
    def nbytes(self) -> int:
        """Bytes of all elements."""
        return self._array.nbytes  # type: ignore[no-any-return]

    def data_ptr(self) -> int:
        """The address of the first element."""
        return address(self._array)

    def storage_offset(self) -> int:
        """The position of the first element in the memory that it belongs to, in elements."""
        return memory_of(self._array)[2]

    def is_floating_point(self) -> bool:
        """Whether the element type is floating."""
        return dtypes.is_floating(self._array.dtype)

    def is_complex(self) -> bool:
        """False: there are no complex tensors."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Whether the memory is a CUDA device's."""
        return self.device.type == "cuda"

    is_sparse = False
    is_quantized = False

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The data as a NumPy array that shares its memory.

        Args:
            force: detach, and copy from the device, where that is needed.

        Raises:
            RuntimeError: for a tensor that requires grad, unless `force`.
            TypeError: for a tensor on a CUDA device, unless `force`.
        """
        if self.requires_grad and not force:
            raise RuntimeError(
                "Can't call numpy() on Tensor that requires grad. "
                "Use tensor.detach().numpy() instead."
            )
        if self.is_cuda:
            if not force:
                raise TypeError(
                    f"can't convert {self.device} device type tensor to numpy. "
                    "Use Tensor.cpu() to copy the tensor to host memory first."
                )
            return self._array.get()  # type: ignore[no-any-return]
        return self._array  # type: ignore[no-any-return]

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        array = self.numpy()
        return np.array(array, dtype, copy=copy) if dtype is not None or copy else array

    def item(self) -> Any:
        """The only element, as a Python number.

        Raises:
            RuntimeError: unless there is exactly one element.
        """
        if self._array.size != 1:
            raise RuntimeError(
                f"a Tensor with {self._array.size} elements cannot be converted to Scalar"
            )
        return dtypes.plain(self._array).item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return dtypes.plain(self._array).tolist()

    def __len__(self) -> int:
        if self._array.ndim == 0:
            raise TypeError("len() of a 0-d tensor")
        return len(self._array)

    def __iter__(self) -> Iterator[Tensor]:
        if self._array.ndim == 0:
            raise TypeError("iteration over a 0-d tensor")
        return iter([self[i] for i in range(len(self._array))])

    def __bool__(self) -> bool:
        if self._array.size != 1:
            words = "no values" if self._array.size == 0 else "more than one value"
            raise RuntimeError(f"Boolean value of Tensor with {words} is ambiguous")
        return bool(self._array.item())

    def __int__(self) -> int:
        return int(self._scalar())

    def __float__(self) -> float:
        return float(self._scalar())

    def _scalar(self) -> Any:
        if self._array.size != 1:
            raise ValueError("only one element tensors can be converted to Python scalars")
        return dtypes.plain(self._array).item()

    def __index__(self) -> int:
        if self._array.dtype.kind not in "iub" or self._array.size != 1:
            raise TypeError("only integer tensors of a single element can be converted to an index")
        return int(self._array.item())

    def __contains__(self, value: Any) -> bool:
        array = value._array if isinstance(value, Tensor) else value
        return bool((self._array == array).any())

    __hash__ = object.__hash__

    def __format__(self, spec: str) -> str:
        if self._array.ndim == 0 and type(self) is Tensor:
            return format(self.item(), spec)
        return object.__format__(self, spec)

    def __repr__(self) -> str:
        from rushlight.printing import dtype_suffix, tensor_text

        array = self.detach().numpy(force=True)
        suffixes = []
        if self.is_cuda:
            suffixes.append(f"device='{self.device}'")
        suffixes.extend(dtype_suffix(array, dtypes.get_default_dtype().numpy))
        if self.grad_fn is not None:
            suffixes.append(f"grad_fn=<{self.grad_fn.name()}>")
        elif self.requires_grad:
            suffixes.append("requires_grad=True")
        return tensor_text(array, suffixes=suffixes)

    def __reduce_ex__(self, protocol: Any) -> Any:
        return _rebuild, (self.detach().numpy(force=True), self.requires_grad, self.device)

    def __deepcopy__(self, memo: dict[int, Any]) -> Tensor:
        if self.grad_fn is not None:
            raise RuntimeError(
                "Only Tensors created explicitly by the user (graph leaves) support the deepcopy "
                "protocol at the moment."
            )
        if id(self) in memo:
            return memo[id(self)]  # type: ignore[no-any-return]
        copy = Tensor._wrap(self._array.copy())
        copy.requires_grad = self.requires_grad
        if self.grad is not None:
            copy.grad = self.grad.__deepcopy__(memo)
        copy.__dict__.update(self.__dict__)
        memo[id(self)] = copy
        return copy

    # ---- Out of the graph ----

    @property
    def data(self) -> Tensor:
        """The same memory outside of the graph; changes to it are not noticed by autograd."""
        return Tensor._wrap(self._array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        node = self._edge[0] if self._edge is not None else None
        if node is not None and not dtypes.is_floating(value._array.dtype):
            raise RuntimeError(
                "data set to a tensor that requires gradients must be floating point"
            )
        self._array = value._array
        if isinstance(node, AccumulateGrad):
            node.shape, node.dtype = value._array.shape, value._array.dtype

    def detach(self) -> Tensor:
        """The same memory, outside of the graph; in-place changes are seen by both."""
        return Tensor._over(self._array, self._counter)  # type: ignore[no-any-return]

    def detach_(self) -> Tensor:
        """Takes this tensor out of its graph: it becomes a leaf that does not require grad.

        Raises:
            RuntimeError: for a view.
        """
        if self._view is not None:
            raise RuntimeError("Can't detach views in-place. Use detach() instead.")
        self._edge = None
        return self

    if TYPE_CHECKING:
        # Bound by the op registry and by autograd.engine.
        T: Tensor
        mT: Tensor  # noqa: N815 - PyTorch's name
        backward: Callable[..., None]
        split: Callable[..., tuple[Tensor, ...]]
        chunk: Callable[..., tuple[Tensor, ...]]
        unbind: Callable[..., tuple[Tensor, ...]]
        max: Callable[..., Any]
        min: Callable[..., Any]

        is_contiguous: Callable[..., bool]
        stride: Callable[..., Any]

        def __getattr__(self, name: str) -> Callable[..., Tensor]: ...
        def __getitem__(self, index: Any) -> Tensor: ...
        def __setitem__(self, index: Any, value: Any) -> None: ...
        def __add__(self, other: Any) -> Tensor: ...
        def __radd__(self, other: Any) -> Tensor: ...
        def __sub__(self, other: Any) -> Tensor: ...
        def __rsub__(self, other: Any) -> Tensor: ...
        def __mul__(self, other: Any) -> Tensor: ...
        def __rmul__(self, other: Any) -> Tensor: ...
        def __truediv__(self, other: Any) -> Tensor: ...
        def __rtruediv__(self, other: Any) -> Tensor: ...
        def __floordiv__(self, other: Any) -> Tensor: ...
        def __mod__(self, other: Any) -> Tensor: ...
        def __pow__(self, other: Any) -> Tensor: ...
        def __matmul__(self, other: Any) -> Tensor: ...
        def __neg__(self) -> Tensor: ...
        def __invert__(self) -> Tensor: ...
        def __and__(self, other: Any) -> Tensor: ...
        def __or__(self, other: Any) -> Tensor: ...
        def __xor__(self, other: Any) -> Tensor: ...
        def __lt__(self, other: Any) -> Tensor: ...
        def __le__(self, other: Any) -> Tensor: ...
        def __gt__(self, other: Any) -> Tensor: ...
        def __ge__(self, other: Any) -> Tensor: ...


set_tensor(Tensor)
# Nodes stand below tensors, but show their saved arrays as such.
Node.as_tensor = staticmethod(Tensor._wrap)


def _rebuild(array: Any, requires_grad: bool, place: device) -> Tensor:
    tensor = Tensor._wrap(device_kernels(place).asarray(array))
    tensor.requires_grad = requires_grad
    return tensor


def refuse(name: str, value: Any) -> NoReturn:
    """Raises NotImplementedError that names an option and its value."""
    raise NotImplementedError(f"{name}={value!r} is not supported")
