"""Nested tuples, lists and dicts as a flat list of leaves and a structure.

The names are those of PyTorch's module. Everything that is no container is a leaf, None as well.
"""

from __future__ import annotations

from collections import OrderedDict, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

__all__ = ["TreeSpec", "tree_flatten", "tree_leaves", "tree_map", "tree_unflatten"]

PyTree = Any


@dataclass(frozen=True)
class TreeSpec:
    """The structure of a tree.

    Attributes:
        type: of the container, None for a leaf.
        context: the keys of a dict, or None.
        children: the structures of the items.
    """

    type: type | None = None
    context: Any = None
    children: tuple[TreeSpec, ...] = ()

    @property
    def num_leaves(self) -> int:
        """The number of leaves."""
        return 1 if self.type is None else sum(child.num_leaves for child in self.children)

    def __repr__(self) -> str:
        if self.type is None:
            return "*"
        items = [repr(child) for child in self.children]
        if self.context is not None:
            items = [f"{key!r}: {i}" for key, i in zip(self.context, items, strict=True)]
        return f"{self.type.__name__}({', '.join(items)})"


_LEAF = TreeSpec()


def _is_namedtuple(kind: type) -> bool:
    return issubclass(kind, tuple) and hasattr(kind, "_fields")


def _items(tree: PyTree) -> tuple[Any, list[PyTree]] | None:
    """The context and the items of a container, None for a leaf."""
    kind = type(tree)
    if kind in (tuple, list) or _is_namedtuple(kind):
        return None, list(tree)
    if kind in (dict, OrderedDict, defaultdict):
        return tuple(tree), list(tree.values())
    return None


def tree_flatten(tree: PyTree) -> tuple[list[Any], TreeSpec]:
    """The leaves of a tree, in order, and its structure."""
    found = _items(tree)
    if found is None:
        return [tree], _LEAF
    context, items = found
    leaves: list[Any] = []
    children = []
    for item in items:
        below, spec = tree_flatten(item)
        leaves += below
        children.append(spec)
    return leaves, TreeSpec(type(tree), context, tuple(children))


def tree_leaves(tree: PyTree) -> list[Any]:
    """The leaves of a tree, in order."""
    return tree_flatten(tree)[0]


def tree_unflatten(leaves: Iterable[Any], spec: TreeSpec) -> PyTree:
    """The tree of a structure with these leaves.

    Raises:
        ValueError: for another number of leaves.
    """
    leaves = list(leaves)
    if len(leaves) != spec.num_leaves:
        raise ValueError(
            f"tree_unflatten(leaves, treespec): `leaves` has length {len(leaves)} but the spec "
            f"refers to a pytree that holds {spec.num_leaves} items ({spec})."
        )
    return _built(iter(leaves), spec)


def _built(leaves: Any, spec: TreeSpec) -> PyTree:
    if spec.type is None:
        return next(leaves)
    items = [_built(leaves, child) for child in spec.children]
    if spec.context is not None:
        pairs = zip(spec.context, items, strict=True)
        return defaultdict(None, pairs) if spec.type is defaultdict else spec.type(pairs)
    return spec.type(*items) if _is_namedtuple(spec.type) else spec.type(items)


def tree_map(function: Callable[..., Any], tree: PyTree, *rest: PyTree) -> PyTree:
    """The tree of ``function(leaf, ...)``; the further trees must have its structure."""
    leaves, spec = tree_flatten(tree)
    others = []
    for other in rest:
        found, its_spec = tree_flatten(other)
        if its_spec != spec:
            raise ValueError(f"tree_map: expected the structure {spec}, got {its_spec}")
        others.append(found)
    return tree_unflatten(map(function, leaves, *others), spec)


def broadcast_to_and_flatten(prefix: PyTree, spec: TreeSpec) -> list[Any] | None:
    """The leaves of `prefix`, each as often as there are leaves of `spec` below it.

    None where the containers of `prefix` are not those of the structure.
    """
    found = _items(prefix)
    if found is None:
        return [prefix] * spec.num_leaves
    context, items = found
    if type(prefix) is not spec.type or context != spec.context:
        return None
    if len(items) != len(spec.children):
        return None
    leaves: list[Any] = []
    for item, child in zip(items, spec.children, strict=True):
        below = broadcast_to_and_flatten(item, child)
        if below is None:
            return None
        leaves += below
    return leaves
