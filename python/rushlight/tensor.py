"""The tensor: an array, and where its gradient goes.

Operations are not defined here: the op registry binds them as methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from rushlight import dtypes
from rushlight.autograd.node import AccumulateGrad, Edge, Extras, Node
from rushlight.backend import array_device, device_kernels
from rushlight.devices import device
from rushlight.size import Size, wrap

__all__ = ["Size", "Tensor"]

new = object.__new__


class Tensor:
    """A multi-dimensional array that takes part in automatic differentiation.

    Attributes:
        _array: the data: a numpy.ndarray, or a cupy.ndarray on a CUDA device.
        _edge: where the gradient of this tensor goes, None when it does not require grad.
        _counter: ``[version]``, shared by all views of the same memory; in-place changes add 1.
        _base: the tensor that this one is a view of, or None.
    """

    __slots__ = ("__dict__", "__weakref__", "_array", "_base", "_counter", "_edge")

    _array: Any
    _edge: Edge | None
    _counter: list[int]
    _base: Tensor | None

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

    @staticmethod
    def _wrap(array: Any) -> Tensor:
        """A tensor over `array`, outside of any graph."""
        self = new(Tensor)
        self._array = array
        self._edge = None
        self._counter = [0]
        self._base = None
        return self

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
        return self._array.shape[wrap(dim, self.ndim, scalar=False)]

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
        return self.to(dtype)

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

    def stride(self, dim: int | None = None) -> Any:
        """The steps, in elements, from one index to the next, of all dimensions or of `dim`."""
        size = self._array.itemsize
        strides = tuple(s // size for s in self._array.strides)
        return strides if dim is None else strides[wrap(dim, self.ndim, scalar=False)]

    def data_ptr(self) -> int:
        """The address of the first element."""
        return int(self._array.data.ptr if self.is_cuda else self._array.ctypes.data)

    def is_contiguous(self) -> bool:
        """Whether the elements lie in memory without gaps, the last dimension fastest."""
        return self._array.flags.c_contiguous  # type: ignore[no-any-return]

    def is_floating_point(self) -> bool:
        """Whether the element type is floating."""
        return self._array.dtype.kind == "f"  # type: ignore[no-any-return]

    def is_complex(self) -> bool:
        """False: there are no complex tensors."""
        return False

    @property
    def is_cuda(self) -> bool:
        """Whether the memory is a CUDA device's."""
        return self.device.type == "cuda"

    is_sparse = False
    is_quantized = False

    @property
    def _version(self) -> int:
        """How often the memory was changed in place."""
        return self._counter[0]

    def numpy(self, *, force: bool = False) -> np.ndarray[Any, Any]:
        """The data as a NumPy array that shares its memory.

        Args:
            force: detach, and copy from the device, where that is needed.

        Raises:
            RuntimeError: for a tensor that requires grad, unless `force`.
            TypeError: for a tensor on a CUDA device, unless `force`.
        """
        if self._edge is not None and not force:
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
        return self._array.item()

    def tolist(self) -> Any:
        """The elements as nested lists of Python numbers."""
        return self._array.tolist()

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
        return self._array.item()

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
        elif self._edge is not None:
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

    # ---- Graph ----

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for this tensor."""
        return self._edge is not None

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        if value == (self._edge is not None):
            return
        if not value:
            if self.grad_fn is not None:
                raise RuntimeError(
                    "you can only change requires_grad flags of leaf variables. If you want to "
                    "use a computed variable in a subgraph that doesn't require differentiation "
                    "use var_no_grad = var.detach()."
                )
            grad = self.grad
            self._edge = None
            if grad is not None:
                self.__dict__["_grad"] = grad
            return
        if self._array.dtype.kind != "f":
            raise RuntimeError(
                "only Tensors of floating point and complex dtype can require gradients"
            )
        node = AccumulateGrad(self)
        node.grad = self.__dict__.pop("_grad", None)
        self._edge = (node, 0)

    def requires_grad_(self, requires_grad: bool = True) -> Tensor:
        """Sets whether gradients are computed for this leaf, and returns it."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was not made by a recorded operation."""
        return self._edge is None or type(self._edge[0]) is AccumulateGrad

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that made this tensor, None for a leaf."""
        edge = self._edge
        return None if edge is None or type(edge[0]) is AccumulateGrad else edge[0]

    @property
    def output_nr(self) -> int:
        """Which output of `grad_fn` this tensor is."""
        return 0 if self._edge is None else self._edge[1]

    @property
    def grad(self) -> Tensor | None:
        """The gradient that backward() accumulated here, None before the first."""
        if self._edge is None:
            return self.__dict__.get("_grad")
        node = self._edge[0]
        if isinstance(node, AccumulateGrad):
            return node.grad  # type: ignore[no-any-return]
        return node.extras.retained if node.extras is not None else None

    @grad.setter
    def grad(self, value: Tensor | None) -> None:
        if value is not None:
            _check_grad(self, value)
        if self._edge is None:
            self.__dict__["_grad"] = value
            return
        node = self._edge[0]
        if isinstance(node, AccumulateGrad):
            node.grad = value
        else:
            self._extras().retained = value

    def _extras(self) -> Extras:
        assert self._edge is not None
        node = self._edge[0]
        if node.extras is None:
            node.extras = Extras()
        return node.extras

    @property
    def data(self) -> Tensor:
        """The same memory outside of the graph; changes to it are not noticed by autograd."""
        return Tensor._wrap(self._array)

    @data.setter
    def data(self, value: Tensor) -> None:
        if not isinstance(value, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(value).__name__}")
        self._array = value._array
        if self._edge is not None and isinstance(self._edge[0], AccumulateGrad):
            self._edge[0].shape = value._array.shape
            self._edge[0].dtype = value._array.dtype

    def detach(self) -> Tensor:
        """The same memory, outside of the graph; in-place changes are seen by both."""
        view = Tensor._wrap(self._array)
        view._counter = self._counter
        return view

    def detach_(self) -> Tensor:
        """Takes this tensor out of its graph: it becomes a leaf that does not require grad."""
        self._edge = None
        return self

    def retain_grad(self) -> None:
        """Makes backward() keep the gradient of this tensor in ``.grad`` although it is no leaf."""
        if self._edge is None:
            raise RuntimeError("can't retain_grad on Tensor that has requires_grad=False")
        if not self.is_leaf:
            self._extras().retains = True

    @property
    def retains_grad(self) -> bool:
        """Whether this is no leaf and its gradient is kept."""
        extras = None if self._edge is None else self._edge[0].extras
        return extras is not None and extras.retains

    def register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> Any:
        """Calls `hook` with the gradient of this tensor whenever one is computed.

        A result that is not None replaces the gradient. Returns a handle with ``remove()``.

        Raises:
            RuntimeError: for a tensor that does not require grad.
        """
        if self._edge is None:
            raise RuntimeError("cannot register a hook on a tensor that doesn't require gradient")
        return self._extras().add_hook(hook)

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


def _check_grad(tensor: Tensor, grad: Tensor) -> None:
    if not isinstance(grad, Tensor):
        raise TypeError(
            "assigned grad expected to be a Tensor or None but got grad of type "
            f"{type(grad).__name__}"
        )
    if grad is tensor:
        raise RuntimeError("can't assign Variable as its own grad")
    if grad._array.dtype != tensor._array.dtype:
        raise RuntimeError(
            f"assigned grad has data of a different type: expected {tensor.dtype}, got {grad.dtype}"
        )
    if grad.device != tensor.device:
        raise RuntimeError("assigned grad has data located on a different device")
    if grad._array.shape != tensor._array.shape:
        raise RuntimeError(
            f"assigned grad has data of a different size: expected {list(tensor.shape)}, "
            f"got {list(grad.shape)}"
        )


def _rebuild(array: Any, requires_grad: bool, place: device) -> Tensor:
    tensor = Tensor._wrap(device_kernels(place).asarray(array))
    tensor.requires_grad = requires_grad
    return tensor


def refuse(name: str, value: Any) -> NoReturn:
    """Raises NotImplementedError that names an option and its value."""
    raise NotImplementedError(f"{name}={value!r} is not supported")
