"""Whether and how operations are recorded: settings of each thread."""

from __future__ import annotations

import functools
import inspect
import threading
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, TypeVar

from rushlight import errors
from rushlight._kernels import watch_inference

__all__ = [
    "INFERENCE",
    "enable_grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_grad_enabled",
    "watch",
]

F = TypeVar("F", bound=Callable[..., Any])


class _State(threading.local):
    enabled = True
    inference = False
    anomaly = False  # whether backward looks for NaN
    # Given each node that was recorded, where something wants to know: see `watch`.
    observers: tuple[Callable[[Any], None], ...] = ()


state = _State()


class _Watch:
    """How many blocks of a rare mode are open in any thread: all that the common path looks at.

    Attributes:
        nodes: blocks with observers of recorded nodes.
        inference: blocks of inference mode.
    """

    __slots__ = ("_lock", "inference", "nodes")

    def __init__(self) -> None:
        self.inference = 0
        self.nodes = 0
        self._lock = threading.Lock()

    def add(self, inference: int = 0, nodes: int = 0) -> None:
        """Notes that blocks were entered, or left."""
        with self._lock:
            self.inference += inference
            self.nodes += nodes
            watch_inference(self.inference, fresh_counter)


watch = _Watch()


def observed(node: Any) -> None:
    """Shows a recorded node to the observers of this thread."""
    for observer in state.observers:
        observer(node)


class InferenceCounter(list[int]):
    """Stands where other tensors have a version: a tensor of inference mode has none."""

    def __getitem__(self, index: Any) -> Any:
        raise errors.with_facts_of_caller(
            RuntimeError(
                "Inference tensors cannot be saved for backward. Please do not use Tensors created "
                "in inference mode in computation tracked by autograd. To work around this, you "
                "can make a clone to get a normal tensor and use it in autograd, or use "
                "`torch.no_grad()` instead of `torch.inference_mode()`."
            )
        )


INFERENCE = InferenceCounter()


def fresh_counter() -> list[int]:
    """The version counter of a new tensor of this thread."""
    return INFERENCE if state.inference else [0]


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
        state.enabled = self._enabled and not state.inference

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        state.enabled = self._previous.pop()

    def _again(self) -> _GradMode:
        """A block of this mode that is not open yet."""
        return _GradMode(self._enabled)

    def __call__(self, function: F) -> F:
        if inspect.isclass(function):
            warnings.warn(
                "Decorating classes is deprecated and will be disabled in future versions. You "
                "should only decorate functions or methods.",
                FutureWarning,
                stacklevel=2,
            )
        if inspect.isgeneratorfunction(function):
            return _decorated_generator(self._again, function)

        @functools.wraps(function)
        def decorated(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return decorated  # type: ignore[return-value]


def _decorated_generator(mode: Callable[[], _GradMode], function: F) -> F:
    """Sets the mode while the generator runs, not while it waits for its caller."""

    @functools.wraps(function)
    def decorated(*args: Any, **kwargs: Any) -> Any:
        generator = function(*args, **kwargs)
        resume: Callable[[], Any] = functools.partial(next, generator)
        while True:
            try:
                with mode():
                    value = resume()
            except StopIteration as stop:
                return stop.value
            try:
                sent = yield value
            except GeneratorExit:
                with mode():
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


def is_inference_mode_enabled() -> bool:
    """Whether this thread is in inference mode."""
    return state.inference


class inference_mode(_GradMode):  # noqa: N801 - PyTorch's name
    """As ``no_grad``, and tensors made inside are never part of a graph: they have no versions.

    Args:
        mode: False: an ordinary part within an inference block.

    Example:
        >>> import rushlight
        >>> with rushlight.inference_mode():
        ...     x = rushlight.ones(2)
        >>> x.is_inference()
        True
    """

    def __new__(cls, mode: bool | F = True) -> Any:
        """A context manager, or, given a function, the function under it."""
        self = super().__new__(cls)
        if isinstance(mode, bool):
            return self
        self.__init__()  # type: ignore[misc]
        return self(mode)

    def __init__(self, mode: bool = True) -> None:
        super().__init__(not mode)
        self._mode = mode
        self._outer: list[bool] = []

    def __enter__(self) -> None:
        self._outer.append(state.inference)
        state.inference = self._mode
        watch.add(inference=1)
        super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        watch.add(inference=-1)
        state.inference = self._outer.pop()
        super().__exit__(kind, error, traceback)

    def _again(self) -> _GradMode:
        return inference_mode(self._mode)
