"""Results of several tensors, by PyTorch's names: tuples whose fields have names too."""

from __future__ import annotations

from collections.abc import Iterable
from operator import itemgetter
from typing import Any

__all__: list[str] = []


class Result(tuple):  # type: ignore[type-arg]
    """A tuple with named fields, made from a sequence of their values."""

    __slots__ = ()

    _fields: tuple[str, ...] = ()

    @classmethod
    def _make(cls, values: Iterable[Any]) -> Result:
        """The tuple of these values, as `collections.namedtuple` names it."""
        return cls(values)

    def __repr__(self) -> str:
        fields = (f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True))
        return f"torch.return_types.{type(self).__name__}(\n" + ",\n".join(fields) + ")"


# namedtuple() would compile a class for each of these, which takes longer than the import may.
def _declare(name: str, *fields: str) -> None:
    members: dict[str, Any] = {f: property(itemgetter(i)) for i, f in enumerate(fields)}
    members |= {"__slots__": (), "_fields": fields, "__module__": __name__}
    members |= {"__match_args__": fields, "__doc__": f"What `{name}` gives: {', '.join(fields)}."}
    globals()[name] = type(name, (Result,), members)
    __all__.append(name)


for _name in (
    *("cummax", "cummin", "kthvalue", "max", "median", "min", "mode", "nanmedian"),
    *("sort", "topk"),
):
    _declare(_name, "values", "indices")
_declare("aminmax", "min", "max")
_declare("histogram", "hist", "bin_edges")
_declare("histogramdd", "hist", "bin_edges")


def __getattr__(name: str) -> Any:
    """Tells type checkers of the names; at run time they are found before this is asked."""
    raise AttributeError(f"rushlight.return_types has no {name!r}")
