"""Whether operations are recorded: a setting of each thread."""

from __future__ import annotations

import functools
import inspect
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

__all__ = ["enable_grad", "is_grad_enabled", "no_grad", "set_grad_enabled"]

F = TypeVar("F", bound=Callable[..., Any])


class _State(threading.local):
    enabled = True


state = _State()


def is_grad_enabled() -> bool:
    """Whether operations are recorded in this thread."""
    return state.enabled


class _GradMode:
    """A context manager and decorator that sets the mode and restores the one before."""

    def __init__(self, enabled: bool) -> None:
        self._enabled = enabled
        self._previous: list[bool] = []

    def __enter__(self) -> None:
        self._previous.append(state.enabled)
        state.enabled = self._enabled

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        state.enabled = self._previous.pop()

    def __call__(self, function: F) -> F:
        if inspect.isgeneratorfunction(function):
            return _decorated_generator(self._enabled, function)

        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with _GradMode(self._enabled):
                return function(*args, **kwargs)

        return decorated  # type: ignore[return-value]


def _decorated_generator(enabled: bool, function: F) -> F:
    """Sets the mode while the generator runs, not while it waits for its caller."""

    @functools.wraps(function)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with _GradMode(enabled):
                    value = resume()
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield value
            except GeneratorExit:
                with _GradMode(enabled):
                    generator.close()
                raise
            except BaseException as error:
                resume = functools.partial(generator.throw, error)
            else:
                resume = functools.partial(generator.send, sent)

    return decorated  # type: ignore[return-value]


class no_grad(_GradMode):  # noqa: N801 - PyTorch's name
    """Operations inside are not recorded: their results do not require grad.

    Example:
        >>> import rushlight
        >>> x = rushlight.ones(2, requires_grad=True)
        >>> with rushlight.no_grad():
        ...     y = x * 2
        >>> y.requires_grad
        False
    """

    def __new__(cls, function: F | None = None) -> Any:
        """A context manager, or, given a function, the function under it."""
        self = super().__new__(cls)
        if function is None:
            return self
        self.__init__()  # type: ignore[misc]
        return self(function)

    def __init__(self, function: Any = None) -> None:
        super().__init__(False)


class enable_grad(no_grad):  # noqa: N801 - PyTorch's name
    """Operations inside are recorded, also within a ``no_grad`` block."""

    def __init__(self, function: Any = None) -> None:
        _GradMode.__init__(self, True)


class set_grad_enabled(_GradMode):  # noqa: N801 - PyTorch's name
    """Sets the mode at once, or for a ``with`` block or a decorated function."""

    def __init__(self, mode: bool) -> None:
        super().__init__(bool(mode))
        self._previous.append(state.enabled)
        state.enabled = self._enabled

    def __enter__(self) -> None:
        state.enabled = self._enabled

    def __call__(self, function: F) -> F:
        """The function under this mode; the mode outside is as before."""
        state.enabled = self._previous.pop()
        return super().__call__(function)
