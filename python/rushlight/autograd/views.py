"""Views and in-place changes: whose gradient goes where after memory was written to.

A view knows the tensor whose memory it shows, and the version of that memory at which its edge was
right. An in-place operation that is recorded gives the *base* a new history, and with it every view
of the base: a view finds out when its edge is next asked for, since the version has moved on, and
then takes its gradient from the base by its geometry alone, as PyTorch does.

An operation on a view in place is, for the base, one on a part of it: `CopySlices`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rushlight import errors
from rushlight.autograd.grad_mode import INFERENCE, state
from rushlight.autograd.node import AccumulateGrad, Edge, ManyOutputs, Node, fill_in
from rushlight.backend.strided import layout_of

__all__ = [
    "CUSTOM",
    "AsStridedBackward0",
    "CopySlices",
    "check_in_place",
    "creation",
    "edge_of",
    "rebase",
]

# What a tensor's `_view` holds: its base, the version at which its edge was right, and, where the
# view must not be changed in place, the kind of its making: see `_REASONS`.
View = tuple[Any, int, "str | None"]

_NO_GRAD, _INFERENCE, _SEVERAL, CUSTOM = "no_grad", "inference", "several", "custom"

_AMBIGUOUS = (
    "Given that this use case is ambiguous and error-prone, it is forbidden. You can clarify your "
    "code by moving both the view and the inplace either both inside the {mode} block (if you "
    "don't want the inplace to be tracked) or both outside (if you want the inplace to be tracked)."
)
_REASONS = {
    _NO_GRAD: _AMBIGUOUS.format(mode="no_grad"),
    _INFERENCE: _AMBIGUOUS.format(mode="inference_mode"),
    _SEVERAL: (
        "This view is the output of a function that returns multiple views. Such functions do not "
        "allow the output views to be modified inplace. You should replace the inplace operation "
        "by an out-of-place one."
    ),
    CUSTOM: (
        "This view was created inside a custom Function (or because an input was returned as-is) "
        "and the autograd logic to handle view+inplace would override the custom backward "
        "associated with the custom Function, leading to incorrect gradients. This behavior is "
        "forbidden. You can fix this by cloning the output of the custom Function."
    ),
}


def creation() -> str | None:
    """How views are made in this thread just now; None: in the ordinary way."""
    if state.inference:
        return _INFERENCE
    return None if state.enabled else _NO_GRAD


def edge_of(tensor: Any) -> Edge | None:
    """Where the gradient of a tensor goes: the edge it holds, or, of a view, a renewed one."""
    view: View | None = tensor._view
    if view is None:
        return tensor._edge  # type: ignore[no-any-return]
    base, version, made = view
    edge: Edge | None = tensor._edge
    if base._edge is None and (edge is None or type(edge[0]) is AccumulateGrad):
        return edge
    current = tensor._counter[0]
    if version == current:
        if edge is None:
            # Made under no_grad over memory that requires grad: a leaf of its own, as in PyTorch.
            edge = tensor._edge = (AccumulateGrad(tensor), 0)
        return edge
    if made is not None:
        raise _forbidden(tensor, made, indirect=True)
    _renew(tensor)
    return tensor._edge  # type: ignore[no-any-return]


def _renew(tensor: Any) -> None:
    base, _, made = tensor._view
    node = AsStridedBackward0()
    fill_in(
        node,
        (base._edge,),
        (layout_of(base._array), layout_of(tensor._array, base._array)),
        tensor._array,
    )
    tensor._edge = (node, 0)
    tensor._view = (base, tensor._counter[0], made)


def check_in_place(tensor: Any, op: str) -> None:
    """Whether a recorded operation may change a tensor.

    Raises:
        RuntimeError: for a leaf, a view of a leaf, and a view that was made in a way that leaves
            it open what the change would mean.
    """
    edge = edge_of(tensor)
    if tensor._view is not None:
        base, _, made = tensor._view
        if made is not None:
            raise _forbidden(tensor, made, indirect=False)
        if edge is not None and (base._edge is None or type(base._edge[0]) is AccumulateGrad):
            raise errors.noted(
                errors.leaf_in_place(view=True), errors.facts(op, ["input"], [tensor])
            )
    if edge is not None and type(edge[0]) is AccumulateGrad:
        raise errors.noted(errors.leaf_in_place(), errors.facts(op, ["input"], [tensor]))


def _forbidden(tensor: Any, made: str, indirect: bool) -> RuntimeError:
    edge = tensor._edge
    tracked = edge is not None and type(edge[0]) is not AccumulateGrad
    if tracked:
        name = edge[0].name().removesuffix("0").removesuffix("Backward")
        words = f"Output {edge[1]} of {name} is a view"
    else:
        words = f"A view was created in {'inference' if made == _INFERENCE else 'no_grad'} mode"
    words += " and its base or another view of its base has been" if indirect else " and is being"
    words += " modified inplace"
    if not tracked:
        words += " in normal mode" if made == _INFERENCE else " with grad mode enabled"
    error = RuntimeError(f"{words}. {_REASONS[made]}")
    return errors.noted(
        error, errors.facts(edge[0].name() if tracked else "the view", ["input"], [tensor])
    )


def rebase(tensor: Any, node: Node) -> None:
    """Makes `node`, an operation that changed `tensor` in place, part of its history."""
    kept = tensor._edge
    if kept is not None and kept[0].extras is not None and kept[1] in kept[0].extras.retained:
        node.with_extras().retained[0] = kept[0].extras.retained.pop(kept[1])
    if tensor._view is None:
        tensor._edge = (node, 0)
        return
    base = tensor._view[0]
    slices = CopySlices()
    own, part = layout_of(base._array), layout_of(tensor._array, base._array)
    fill_in(slices, (base._edge, *node.edges[1:]), (own, part, node), base._array)
    slices.site = node.site
    base._edge = (slices, 0)
    if node.extras is not None:
        retained, node.extras = node.extras, None
    else:
        retained = None
    _renew(tensor)
    tensor._edge[0].extras = retained


class AsStridedBackward0(Node):
    """The gradient of a view of which only the geometry is known: zeros elsewhere in the base."""

    __slots__ = ()
    op = "as_strided"

    def backward(
        self, kernels: Any, g: Any, edges: tuple[Edge | None, ...], keep: bool
    ) -> tuple[Any, ...]:
        """The gradient of the base."""
        return (kernels.strided_place(g, *self.saved),)

    def backward_recorded(
        self,
        ops: Any,
        g: Any,
        edges: tuple[Edge | None, ...],
        keep: bool,
        tensor: Callable[..., Any],
    ) -> tuple[Any, ...]:
        """The same over tensors."""
        return self.backward(ops, g, edges, keep)


class CopySlices(Node):
    """An in-place operation on a view, as one on its base.

    Outside of the view the gradient passes; inside it goes through the operation.
    """

    __slots__ = ()
    op = "copy_slices"

    def name(self) -> str:
        """PyTorch's name."""
        return "CopySlices"

    def describe(self) -> str:
        """What an error tells: the operation that wrote to the view."""
        return "CopySlices, of " + self.saved[2].describe()  # type: ignore[no-any-return]

    def backward(
        self, kernels: Any, g: Any, edges: tuple[Edge | None, ...], keep: bool
    ) -> tuple[Any, ...]:
        """The gradients of the base and of the operation's other inputs."""
        own, part, node = self.saved
        inside = kernels.strided_take(g, own, part)
        given = [inside] if isinstance(node, ManyOutputs) else inside
        gradients = node.backward(kernels, given, self._inner_edges(edges), keep)
        return self._joined(kernels, g, gradients, edges)

    def backward_recorded(
        self,
        ops: Any,
        g: Any,
        edges: tuple[Edge | None, ...],
        keep: bool,
        tensor: Callable[..., Any],
    ) -> tuple[Any, ...]:
        """The same over tensors."""
        own, part, node = self.saved

        def restored(value: Any, edge: Edge | None, counter: list[int]) -> Any:
            # The operation's result is the view, whose edge leads to this node.
            if edge is not None and edge[0] is node:
                view = AsStridedBackward0()
                fill_in(view, ((self, 0),), (own, part), value)
                edge = (view, 0)
            return tensor(value, edge, counter)

        inside = ops.strided_take(g, own, part)
        inner = self._inner_edges(edges)
        given = [inside] if isinstance(node, ManyOutputs) else inside
        gradients = node.backward_recorded(ops, given, inner, keep, restored)
        return self._joined(ops, g, gradients, edges)

    def _inner_edges(self, edges: tuple[Edge | None, ...]) -> tuple[Edge | None, ...]:
        first = None if edges[0] is None else self.saved[2].edges[0]
        return (first, *edges[1:])

    def _joined(
        self, kernels: Any, g: Any, gradients: Any, edges: tuple[Edge | None, ...]
    ) -> tuple[Any, ...]:
        own, part, _ = self.saved
        if edges[0] is None:
            return (None, *gradients[1:])
        inside = gradients[0]
        if inside is None:
            inside = 0
        elif inside.shape != part[0]:
            inside = kernels.sum_to(inside, part[0])
        return (kernels.strided_replaced(g, inside, own, part), *gradients[1:])


def new_view(tensor: Any, source: Any, several: bool = False) -> None:
    """Notes that `tensor` shows the memory of `source`."""
    counter = source._counter
    tensor._counter = counter
    if counter is INFERENCE:
        tensor._view = None
        return
    made = creation()
    if several and made is None:
        made = _SEVERAL
    if source._view is None:
        tensor._view = (source, counter[0], made)
    else:
        tensor._view = (source._view[0], counter[0], made or source._view[2])
