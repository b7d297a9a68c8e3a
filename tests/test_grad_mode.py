"""no_grad, enable_grad and set_grad_enabled in all their forms."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from helpers import ones

import rushlight


def mode() -> bool:
    return rushlight.is_grad_enabled()


def test_modes_as_context_managers() -> None:
    x = ones()
    with rushlight.no_grad():
        assert not mode() and not (x * 2).requires_grad
        with rushlight.enable_grad():
            assert mode() and (x * 2).requires_grad
        with rushlight.set_grad_enabled(True):
            assert mode()
        assert not mode()
    assert mode()
    with pytest.raises(KeyError), rushlight.no_grad():
        raise KeyError
    assert mode()


def test_modes_nest_in_themselves() -> None:
    off = rushlight.no_grad()
    with off, off:
        assert not mode()
    assert mode()


def test_set_grad_enabled_as_a_function() -> None:
    rushlight.set_grad_enabled(False)
    assert not mode()
    rushlight.set_grad_enabled(True)
    assert mode()


@pytest.mark.parametrize("form", [rushlight.no_grad, rushlight.no_grad()])
def test_modes_as_decorators(form: Any) -> None:
    @form
    def function(a: int, *, b: int = 2) -> Any:
        """Its text."""
        return mode(), a, b

    assert function(1, b=3) == (False, 1, 3)
    assert function.__name__ == "function" and function.__doc__ == "Its text."
    assert mode()


def test_set_grad_enabled_as_a_decorator() -> None:
    @rushlight.set_grad_enabled(False)
    def function() -> bool:
        return mode()

    assert mode() and not function() and mode()


def test_modes_on_generators() -> None:
    """The mode holds while the generator runs, not while its caller does."""

    @rushlight.no_grad()
    def generator() -> Any:
        seen = []
        try:
            got = yield mode()
            seen.append((got, mode()))
            try:
                yield mode()
            except KeyError:
                seen.append(("thrown", mode()))
            yield seen
        finally:
            closed.append(mode())
        return "end"

    closed: list[bool] = []
    g = generator()
    assert next(g) is False and mode()
    assert g.send("sent") is False and mode()
    assert g.throw(KeyError()) == [("sent", False), ("thrown", False)] and mode()
    with pytest.raises(StopIteration) as stop:
        next(g)
    assert stop.value.value == "end" and closed == [False] and mode()
    unfinished = generator()
    next(unfinished)
    unfinished.close()
    assert closed == [False, False] and mode()


def test_a_mode_belongs_to_its_thread() -> None:
    seen: list[bool] = []
    with rushlight.no_grad():
        thread = threading.Thread(target=lambda: seen.append(mode()))
        thread.start()
        thread.join()
    assert seen == [True]


def test_backward_restores_the_mode() -> None:
    x = ones()
    x.register_hook(lambda g: seen.append(mode()))
    seen: list[bool] = []
    with rushlight.enable_grad():
        x.sum().backward()
        assert mode()
    x.sum().backward(create_graph=True)
    with rushlight.no_grad():
        loss = ones().sum()
        assert not loss.requires_grad
    assert seen == [False, True] and mode()
