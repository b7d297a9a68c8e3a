"""Conversions of all parameters and buffers of a module: dtype and device."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from rushlight import ops
from rushlight.autograd.grad_mode import no_grad
from rushlight.dtypes import dtype as DType  # noqa: N812
from rushlight.dtypes import of as dtype_of
from rushlight.tensor import Tensor

if TYPE_CHECKING:
    from .module import Module

C = TypeVar("C", bound="Conversion")


class Conversion:
    """Part of `Module`: conversions in place; parameters stay the same objects."""

    _parameters: dict[str, Any]
    _buffers: dict[str, Any]

    if TYPE_CHECKING:

        def children(self) -> Iterator[Module]: ...

    def _apply(self: C, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> C:
        """Replace the data of each parameter, its gradient, and each buffer by ``fn`` of it."""
        if recurse:
            for module in self.children():
                module._apply(fn)
        with no_grad():
            for parameter in self._parameters.values():
                if parameter is None:
                    continue
                grad = parameter.grad
                parameter.data = fn(parameter)
                if grad is not None:
                    grad.data = fn(grad)
        for name, buffer in self._buffers.items():
            if buffer is not None:
                self._buffers[name] = fn(buffer)
        return self

    def to(self: C, *args: Any, **kwargs: Any) -> C:
        """Move to a device, convert to a floating dtype, or both, in place.

        Called as ``to(device=None, dtype=None, non_blocking=False)``, ``to(dtype)`` or
        ``to(tensor)``. Only floating parameters and buffers change dtype.

        Raises:
            TypeError: the dtype is not a floating one, or an argument is none of these.
        """
        device, dtype, non_blocking = _parse_to(*args, **kwargs)
        if dtype is not None and not dtype.is_floating_point:
            raise TypeError(
                "nn.Module.to only accepts floating point or complex dtypes, "
                f"but got desired dtype={dtype}"
            )

        def convert(tensor: Tensor) -> Tensor:
            wanted = dtype if tensor.is_floating_point() else None
            return tensor.to(device=device, dtype=wanted, non_blocking=non_blocking)

        return self._apply(convert)

    def to_empty(self: C, *, device: Any, recurse: bool = True) -> C:
        """Move to `device` without copying: all values are undefined after it."""
        return self._apply(lambda t: ops.empty_like(t, device=device), recurse)

    def share_memory(self: C) -> C:
        """Put the parameters and buffers where other processes see them.

        Raises:
            NotImplementedError: tensors in shared memory are not supported.
        """
        return self._apply(lambda t: t.share_memory_())

    def xpu(self, device: Any = None) -> NoReturn:
        """Not supported: there are no such devices."""
        raise NotImplementedError("Module.xpu is not supported")

    def ipu(self, device: Any = None) -> NoReturn:
        """Not supported: there are no such devices."""
        raise NotImplementedError("Module.ipu is not supported")

    def mtia(self, device: Any = None) -> NoReturn:
        """Not supported: there are no such devices."""
        raise NotImplementedError("Module.mtia is not supported")

    def cpu(self: C) -> C:
        """Move to the CPU."""
        return self._apply(lambda t: t.cpu())

    def cuda(self: C, device: Any = None) -> C:
        """Move to a CUDA device, the current one when None."""
        return self._apply(lambda t: t.cuda(device))

    def type(self: C, dst_type: Any) -> C:
        """Convert all parameters and buffers, integral ones too, to `dst_type`."""
        return self._apply(lambda t: t.type(dst_type))

    def double(self: C) -> C:
        """Convert floating parameters and buffers to float64."""
        return self._apply(lambda t: t.double() if t.is_floating_point() else t)

    def half(self: C) -> C:
        """Convert floating parameters and buffers to float16."""
        return self._apply(lambda t: t.half() if t.is_floating_point() else t)

    def bfloat16(self: C) -> C:
        """Convert floating parameters and buffers to bfloat16."""
        return self._apply(lambda t: t.bfloat16() if t.is_floating_point() else t)

    def float(self: C) -> C:
        """Convert floating parameters and buffers to float32."""
        return self._apply(lambda t: t.float() if t.is_floating_point() else t)


def _parse_to(
    *args: Any,
    device: Any = None,
    dtype: DType | None = None,
    non_blocking: bool = False,
    tensor: Tensor | None = None,
    memory_format: None = None,
) -> tuple[Any, DType | None, bool]:
    """Sort the arguments of `to` by their types, as all of its forms allow."""
    if memory_format is not None:
        raise NotImplementedError("Module.to: memory_format is not supported")
    for arg in args if tensor is None else (tensor, *args):
        if isinstance(arg, Tensor):
            device, dtype = arg.device, arg.dtype
        elif isinstance(arg, DType | type):
            dtype = dtype_of(arg)
        elif isinstance(arg, bool):
            non_blocking = arg
        elif arg is not None:
            device = arg
    return device, None if dtype is None else dtype_of(dtype), non_blocking
