"""The dicts behind ``module._parameters``, ``module._buffers`` and ``module._modules``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from weakref import ref

if TYPE_CHECKING:
    from .module import Module

REGISTRIES = ("_parameters", "_buffers", "_modules")


class Registry(dict[str, Any]):
    """Members of one module by name, kept in step with the module's attributes.

    A member is an ordinary attribute of its module as well, since an attribute of the instance is
    found in 0.02 us where ``__getattr__`` needs 0.9. Code that edits ``module._parameters``
    directly, as weight normalisation does, sees its change in the attributes at once.

    The owner is held weakly: a module must die by its reference count. Copies and pickles are
    plain dicts, which `Module.__setstate__` makes registries again.
    """

    __slots__ = ("_owner",)

    def __init__(self, owner: Module, members: Mapping[str, Any] | Iterable[Any] = ()) -> None:
        super().__init__(members)
        self._owner = ref(owner)
        vars(owner).update(self)

    def _attributes(self) -> dict[str, Any]:
        owner = self._owner()
        return {} if owner is None else vars(owner)

    def release(self) -> None:
        """Remove the members from the owner's attributes, and keep them here."""
        attributes = self._attributes()
        for name in self:
            attributes.pop(name, None)

    def __setitem__(self, name: str, member: Any) -> None:
        super().__setitem__(name, member)
        self._attributes()[name] = member

    def __delitem__(self, name: str) -> None:
        super().__delitem__(name)
        self._attributes().pop(name, None)

    def pop(self, name: str, *default: Any) -> Any:
        """Remove the member and its attribute, and return it."""
        if name not in self:
            return super().pop(name, *default)
        member = self[name]
        del self[name]
        return member

    def popitem(self) -> tuple[str, Any]:
        """Remove the last member and its attribute, and return name and member."""
        name, member = super().popitem()
        self._attributes().pop(name, None)
        return name, member

    def clear(self) -> None:
        """Remove all members and their attributes."""
        self.release()
        super().clear()

    def update(self, *args: Any, **kwargs: Any) -> None:
        """Set several members and their attributes."""
        for name, member in dict(*args, **kwargs).items():
            self[name] = member

    def setdefault(self, name: str, default: Any = None) -> Any:
        """Return the member, set to `default` where there is none."""
        if name not in self:
            self[name] = default
        return self[name]

    def __ior__(self, other: Any) -> Registry:  # type: ignore[override, misc]
        self.update(other)
        return self

    def __reduce__(self) -> tuple[Any, tuple[()], None, None, Iterator[tuple[str, Any]]]:
        return dict, (), None, None, iter(self.items())
