"""The part of a tensor that belongs to the graph: edges, gradients, hooks, versions."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from rushlight import dtypes
from rushlight.autograd.grad_mode import INFERENCE, fresh_counter, state
from rushlight.autograd.node import AccumulateGrad, Edge, Extras, Node, RemovableHandle
from rushlight.autograd.views import edge_of
from rushlight.errors import explained

__all__ = ["Variable"]

new = object.__new__


class Variable:
    """What `Tensor` is to automatic differentiation.

    Attributes:
        _array: the data.
        _edge: where the gradient of this tensor goes, None when it does not require grad. Of a
            view it may be out of date: ask `edge_of`.
        _counter: ``[version]``, shared by all views of the same memory; in-place changes add 1.
        _view: of a view: its base, and more, see `autograd.views`.
    """

    __slots__ = ("__dict__", "__weakref__", "_array", "_counter", "_edge", "_view")

    _array: Any
    _edge: Edge | None
    _counter: list[int]
    _view: tuple[Any, int, str | None] | None

    @classmethod
    def _over(cls, array: Any, counter: list[int] | None = None) -> Any:
        """An object of this class over `array`, outside of any graph."""
        self = new(cls)
        self._array = array
        self._edge = None
        self._view = None
        self._counter = fresh_counter() if counter is None else counter
        return self

    # ---- Versions and views ----

    @property
    def _version(self) -> int:
        """How often the memory was changed in place.

        Raises:
            RuntimeError: for a tensor of inference mode.
        """
        if self._counter is INFERENCE:
            raise explained(
                RuntimeError("Inference tensors do not track version counter."), "_version", self
            )
        return self._counter[0]

    def _changed(self) -> None:
        """Notes that the memory was written to."""
        if self._counter is not INFERENCE:
            self._counter[0] += 1

    def is_inference(self) -> bool:
        """Whether the tensor was made in inference mode."""
        return self._counter is INFERENCE

    @property
    def _base(self) -> Any:
        """The tensor that this one is a view of, or None."""
        return None if self._view is None else self._view[0]

    def _is_view(self) -> bool:
        """Whether this is a view that autograd follows."""
        return self._view is not None

    # ---- Leaf or not ----

    @property
    def requires_grad(self) -> bool:
        """Whether gradients are computed for this tensor."""
        if self._view is None or self._edge is not None:
            return self._edge is not None
        return self._view[0].requires_grad  # type: ignore[no-any-return]

    @requires_grad.setter
    def requires_grad(self, value: bool) -> None:
        edge = edge_of(self)
        if value == (edge is not None):
            return
        if not value:
            if self.grad_fn is not None:
                raise explained(
                    RuntimeError(
                        "you can only change requires_grad flags of leaf variables. If you want "
                        "to use a computed variable in a subgraph that doesn't require "
                        "differentiation use var_no_grad = var.detach()."
                    ),
                    "requires_grad",
                    self,
                )
            grad = self.grad
            self._edge = None
            if grad is not None:
                self.__dict__["_grad"] = grad
            return
        if not dtypes.is_floating(self._array.dtype):
            raise explained(
                RuntimeError("only Tensors of floating point dtype can require gradients"),
                "requires_grad",
                self,
            )
        if self._counter is INFERENCE and not state.inference:
            raise explained(
                RuntimeError(
                    "Setting requires_grad=True on inference tensor outside InferenceMode is not "
                    "allowed."
                ),
                "requires_grad",
                self,
            )
        node = AccumulateGrad(self)
        node.grad = self.__dict__.pop("_grad", None)
        self._edge = (node, 0)

    def requires_grad_(self, requires_grad: bool = True) -> Any:
        """Sets whether gradients are computed for this leaf, and returns it."""
        self.requires_grad = requires_grad
        return self

    @property
    def is_leaf(self) -> bool:
        """Whether the tensor was not made by a recorded operation."""
        edge = edge_of(self)
        return edge is None or type(edge[0]) is AccumulateGrad

    @property
    def grad_fn(self) -> Node | None:
        """The node of the operation that made this tensor, None for a leaf."""
        edge = edge_of(self)
        return None if edge is None or type(edge[0]) is AccumulateGrad else edge[0]

    @property
    def output_nr(self) -> int:
        """Which output of `grad_fn` this tensor is."""
        edge = edge_of(self)
        return 0 if edge is None else edge[1]

    # ---- The gradient ----

    @property
    def grad(self) -> Any:
        """The gradient that backward() accumulated here, None before the first.

        Of a tensor that is no leaf only where `retain_grad` asked for it; else a UserWarning.
        """
        edge = edge_of(self)
        if edge is None:
            return self.__dict__.get("_grad")
        node, port = edge
        if type(node) is AccumulateGrad:
            return node.grad
        if node.extras is not None and port in node.extras.retained:
            return node.extras.retained[port]
        if "_grad" not in self.__dict__:
            warnings.warn(
                "The .grad attribute of a Tensor that is not a leaf Tensor is being accessed. Its "
                ".grad attribute won't be populated during autograd.backward(). If you indeed "
                "want the .grad field to be populated for a non-leaf Tensor, use .retain_grad() "
                "on the non-leaf Tensor. If you access the non-leaf Tensor by mistake, make sure "
                "you access the leaf Tensor instead.",
                stacklevel=2,
            )
        return self.__dict__.get("_grad")

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is not None:
            try:
                _check_grad(self, value)
            except Exception as error:
                explained(error, "grad", self)
                raise
        edge = edge_of(self)
        if edge is not None and type(edge[0]) is AccumulateGrad:
            edge[0].grad = value
        elif self.retains_grad:
            assert edge is not None
            edge[0].with_extras().retained[edge[1]] = value
        else:
            self.__dict__["_grad"] = value

    @grad.deleter
    def grad(self) -> None:
        self.grad = None

    def retain_grad(self) -> None:
        """Makes backward() keep the gradient of this tensor in ``.grad`` although it is no leaf.

        Raises:
            RuntimeError: for a tensor that does not require grad.
        """
        if not self.requires_grad:
            raise explained(
                RuntimeError("can't retain_grad on Tensor that has requires_grad=False"),
                "retain_grad",
                self,
            )
        if not self.is_leaf:
            extras, port = self._extras()
            extras.retained.setdefault(port, None)

    @property
    def retains_grad(self) -> bool:
        """Whether this is no leaf and its gradient is kept."""
        edge = edge_of(self)
        extras = None if edge is None else edge[0].extras
        return edge is not None and extras is not None and edge[1] in extras.retained

    def _extras(self) -> tuple[Extras, int]:
        edge = edge_of(self)
        assert edge is not None
        return edge[0].with_extras(), edge[1]

    # ---- Hooks ----

    def register_hook(self, hook: Callable[[Any], Any]) -> RemovableHandle:
        """Calls `hook` with the gradient of this tensor whenever one is computed.

        A result that is not None replaces the gradient. Returns a handle with ``remove()``.

        Raises:
            RuntimeError: for a tensor that does not require grad.
        """
        self._check_hook("register_hook")
        extras, port = self._extras()
        return RemovableHandle.added(extras.hooks.setdefault(port, {}), hook)

    def register_post_accumulate_grad_hook(self, hook: Callable[[Any], None]) -> RemovableHandle:
        """Calls `hook` with this leaf whenever a gradient was added to its ``.grad``.

        Raises:
            RuntimeError: for a tensor that does not require grad, and for one that is no leaf.
        """
        self._check_hook("register_post_accumulate_grad_hook")
        if self.grad_fn is not None:
            raise explained(
                RuntimeError("post accumulate grad hooks cannot be registered on non-leaf tensors"),
                "register_post_accumulate_grad_hook",
                self,
            )
        return RemovableHandle.added(self._extras()[0].accumulated, hook)

    def _check_hook(self, method: str) -> None:
        if not self.requires_grad:
            raise explained(
                RuntimeError("cannot register a hook on a tensor that doesn't require gradient"),
                method,
                self,
            )


def _check_grad(tensor: Any, grad: Any) -> None:
    if not isinstance(grad, Variable):
        raise TypeError(
            "assigned grad expected to be a Tensor or None but got grad of type "
            f"{type(grad).__name__}"
        )
    if grad is tensor:
        raise RuntimeError("can't assign Variable as its own grad")
    given: Any = grad
    if given.dtype != tensor.dtype:
        raise RuntimeError(
            f"attempting to assign a gradient with dtype '{given.dtype}' to a tensor with "
            f"grad_dtype '{tensor.dtype}'. The gradient must match the tensor's grad_dtype."
        )
    if given.device != tensor.device:
        raise RuntimeError(
            f"attempting to assign a gradient with device type '{given.device.type}' to a tensor "
            f"with device type '{tensor.device.type}'. Please ensure that the gradient and the "
            "tensor are on the same device"
        )
    if given.shape != tensor.shape:
        raise RuntimeError(
            f"attempting to assign a gradient of size '{list(given.shape)}' to a tensor of size "
            f"'{list(tensor.shape)}'. Please ensure that the gradient and the tensor are the same "
            "size"
        )
