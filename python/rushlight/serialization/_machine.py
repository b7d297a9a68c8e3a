"""The restricted unpickler: runs the opcodes that a checkpoint needs, and no code of the file's.

It calls what stands in the table of known names or what the user called safe, with arguments that
it has made itself, and changes nothing but what it has made.
"""

from __future__ import annotations

import pickle
import pickletools
from collections import Counter, OrderedDict
from collections.abc import Callable, Sized
from typing import Any, BinaryIO

from rushlight.nn.parameter import Parameter
from rushlight.tensor import Tensor

from ._globals import CONSTANTS, FUNCTIONS, check_keys, full_name, safe_objects, set_state

__all__ = ["Machine"]

# What a damaged file can make the steps below raise.
_DAMAGE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)
# The most elements that calls may make of what the file holds once.
_ALLOWANCE = 1 << 28


class Machine:
    """Reads one pickle.

    Args:
        persistent_load: gives the storage for an identification.
    """

    def __init__(self, persistent_load: Callable[[tuple[Any, ...]], Any]) -> None:
        self._persistent_load = persistent_load
        self._safe = safe_objects()
        self._stack: list[Any] = []
        self._marks: list[list[Any]] = []
        self._memo: dict[int, Any] = {}
        self._made = 0

    def load(self, file: BinaryIO) -> Any:
        """Return the object of the pickle that begins at the file's position.

        Raises:
            UnpicklingError: the pickle is damaged, or wants what is not allowed.
        """
        opcodes = pickletools.genops(file)
        while True:
            try:
                opcode, argument, _ = next(opcodes)
                if opcode.name == "STOP":
                    return self._stack.pop()
                step = _STEPS.get(opcode.name)
                if step is None:
                    raise pickle.UnpicklingError(f"Unsupported operand {ord(opcode.code)}")
                key = step(self, argument)
            except _DAMAGE as error:
                raise pickle.UnpicklingError(f"{type(error).__name__}: {error}") from error
            if key is not None:  # outside: what map_location raises is the caller's
                self.push(self._persistent_load(key))

    # ---- Steps: each takes the argument that stands beside its opcode ----

    def push(self, value: Any) -> None:
        self._stack.append(value)

    def nothing(self, _: Any) -> None:
        """Go on."""

    def find(self, names: str) -> None:
        name = full_name(*names.split(" ", 1))
        for table in (self._safe, FUNCTIONS, CONSTANTS):
            if name in table:
                self.push(table[name])
                break
        else:
            name = name.removeprefix("builtins.")
            raise pickle.UnpicklingError(
                f"Unsupported global: GLOBAL {name} was not an allowed global by default. Please "
                f"use `torch.serialization.add_safe_globals([{name}])` or the "
                f"`torch.serialization.safe_globals([{name}])` context manager to allowlist this "
                "global if you trust this class/function."
            )

    def new_object(self, _: Any) -> None:
        args, cls = self._stack.pop(), self._stack.pop()
        if not self._is_safe(cls):
            raise pickle.UnpicklingError(
                "Can only create new object for classes allowlisted via `add_safe_globals` but "
                f"got {cls!r:.80}"
            )
        self.push(cls.__new__(cls, *args))

    def call(self, _: Any) -> None:
        args, function = self._stack.pop(), self._stack.pop()
        if not (self._is_safe(function) or any(function is f for f in FUNCTIONS.values())):
            raise pickle.UnpicklingError(
                f"Trying to call reduce for unrecognized function {function!r:.80}"
            )
        self._made += sum(len(x) for x in args if isinstance(x, Sized))
        if self._made > _ALLOWANCE:
            raise pickle.UnpicklingError("the pickle makes much more than it holds")
        self.push(function(*args))

    def build(self, _: Any) -> None:
        state, instance = self._stack.pop(), self._stack[-1]
        if type(instance) is OrderedDict:
            instance.__dict__.update(state)
        elif type(instance) in (Tensor, Parameter):
            set_state(instance, state)
        elif self._is_safe(type(instance)):
            _set_any_state(instance, state)
        else:
            raise pickle.UnpicklingError(
                "Can only build Tensor, Parameter, OrderedDict or types allowlisted via "
                f"`add_safe_globals`, but got {type(instance)}"
            )

    def _is_safe(self, value: Any) -> bool:
        return any(value is entry for entry in self._safe.values())

    def append(self, _: Any) -> None:
        self.extend(None, [self._stack.pop()])

    def extend(self, _: Any, items: list[Any] | None = None) -> None:
        items = self._since_mark() if items is None else items
        target = self._stack[-1]
        if type(target) is not list:
            raise pickle.UnpicklingError(f"Can only append to lists, but got {type(target)}")
        target.extend(items)

    def set_item(self, _: Any) -> None:
        value, key = self._stack.pop(), self._stack.pop()
        self.set_items(None, [key, value])

    def set_items(self, _: Any, items: list[Any] | None = None) -> None:
        items = self._since_mark() if items is None else items
        target = self._stack[-1]
        if type(target) not in (dict, OrderedDict, Counter):
            raise pickle.UnpicklingError(f"Can only set items of dicts, but got {type(target)}")
        check_keys(items[::2])
        target.update(zip(items[::2], items[1::2], strict=True))

    def persistent(self, _: Any) -> tuple[Any, ...]:
        key = self._stack.pop()
        if type(key) is not tuple or not key or key[0] != "storage":
            raise pickle.UnpicklingError(
                f"Only persistent_load of storage is allowed, but got {key!r:.80}"
            )
        return key[1:]

    def mark(self, _: Any) -> None:
        self._marks.append(self._stack)
        self._stack = []

    def _since_mark(self) -> list[Any]:
        items, self._stack = self._stack, self._marks.pop()
        return items

    def tuple_since_mark(self, _: Any) -> None:
        items = tuple(self._since_mark())
        self.push(items)

    def tuple_of(self, count: int) -> None:
        if len(self._stack) < count:
            raise pickle.UnpicklingError("the stack is empty")
        items = tuple(self._stack[len(self._stack) - count :])
        del self._stack[len(self._stack) - count :]
        self.push(items)

    def put(self, index: int) -> None:
        self._memo[index] = self._stack[-1]

    def get(self, index: int) -> None:
        self.push(self._memo[index])


def _set_any_state(instance: Any, state: Any) -> None:
    """What pickle does to an object of a class that the user called safe."""
    if hasattr(instance, "__setstate__"):
        instance.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        instance.__dict__.update(state)
    for key, value in (slots or {}).items():
        setattr(instance, key, value)


# What each opcode does; BINPERSID gives the identification of a storage to push.
_STEPS: dict[str, Callable[[Machine, Any], Any]] = {
    "PROTO": Machine.nothing,
    "MARK": Machine.mark,
    "GLOBAL": Machine.find,
    "NEWOBJ": Machine.new_object,
    "REDUCE": Machine.call,
    "BUILD": Machine.build,
    "BINPERSID": Machine.persistent,
    "APPEND": Machine.append,
    "APPENDS": Machine.extend,
    "SETITEM": Machine.set_item,
    "SETITEMS": Machine.set_items,
    "TUPLE": Machine.tuple_since_mark,
    "TUPLE1": lambda machine, _: machine.tuple_of(1),
    "TUPLE2": lambda machine, _: machine.tuple_of(2),
    "TUPLE3": lambda machine, _: machine.tuple_of(3),
    "EMPTY_TUPLE": lambda machine, _: machine.push(()),
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(set()),
    "NONE": lambda machine, _: machine.push(None),
    "NEWTRUE": lambda machine, _: machine.push(True),
    "NEWFALSE": lambda machine, _: machine.push(False),
    "BININT": Machine.push,
    "BININT1": Machine.push,
    "BININT2": Machine.push,
    "LONG1": Machine.push,
    "BINFLOAT": Machine.push,
    "BINUNICODE": Machine.push,
    "SHORT_BINSTRING": Machine.push,
    "BINPUT": Machine.put,
    "LONG_BINPUT": Machine.put,
    "BINGET": Machine.get,
    "LONG_BINGET": Machine.get,
}
