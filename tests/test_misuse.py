"""What PyTorch refuses is refused in its words, and the error tells the operation and the line."""

from __future__ import annotations

import gc
import inspect
import linecache
import re
import sys
import traceback
import warnings
import weakref
from collections.abc import Iterator
from typing import Any

import misuse_cases_flags  # noqa: F401 - adds its rows
import misuse_cases_function  # noqa: F401 - adds its rows
import misuse_cases_tensors  # noqa: F401 - adds its rows
import pytest
from misuse_cases import MISUSES, Misuse

import rushlight
from rushlight import errors, nn

notes = pytest.mark.skipif(sys.version_info < (3, 11), reason="see rushlight.errors.noted")
each = pytest.mark.parametrize("case", MISUSES.values(), ids=MISUSES)


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """PyTorch's warnings beside its errors are not the matter here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def raised(program: Any, library: Any) -> Exception:
    with pytest.raises(Exception) as caught:
        program(library)
    return caught.value  # type: ignore[no-any-return]


def rendered(error: BaseException) -> str:
    """The error as a traceback's last lines show it, with its notes."""
    return "".join(traceback.format_exception_only(error))


def marked_line(program: Any) -> str:
    lines, _ = inspect.getsourcelines(program)
    (line,) = (line for line in lines if line.rstrip().endswith("# <-"))
    return line.strip()


def opening(message: str) -> str:
    """A message up to its first fact, or its first sentence."""
    return re.split(r"""[\d\[('"\n]|[;,] |\.(?=\s|[A-Z]|$)""", message, maxsplit=1)[0].rstrip()


# ---- The table ----


@each
def test_misuse(case: Misuse) -> None:
    error = raised(case.program, rushlight)
    assert isinstance(error, case.kind)
    assert str(error).startswith(case.words)


@each
@notes
def test_misuse_tells_operation_shapes_and_line(case: Misuse) -> None:
    if not case.facts:
        return
    text = rendered(raised(case.program, rushlight))
    told = text.replace(case.words, "", 1)
    assert [fact for fact in case.facts if fact not in told] == [], text
    file = inspect.getsourcefile(case.program)
    assert f'File "{file}", line ' in text, text
    assert marked_line(case.program) in text, text


@each
def test_misuse_is_refused_by_pytorch(case: Misuse, torch: Any) -> None:
    """With the same words, at least up to the first fact or the end of the first sentence."""
    error = raised(case.program, torch)
    assert type(error) is case.kind
    assert str(error).startswith(case.words)
    assert len(case.words) >= len(opening(str(error)))


def test_the_table_is_long() -> None:
    assert len(MISUSES) >= 75


# ---- The line is the user's, however it is run ----


def notes_of(error: BaseException) -> list[str]:
    return getattr(error, "__notes__", [])


def last_note(error: BaseException) -> str:
    return notes_of(error)[-1]


def wrong_sum(x: Any) -> Any:
    return x + rushlight.ones(3)  # the line


class Inner(nn.Module):
    def forward(self, x: Any) -> Any:
        return self.act(x) @ rushlight.ones(3, 3)  # the line

    act = nn.ReLU()


def decorated(function: Any) -> Any:
    def call(*args: Any) -> Any:
        return function(*args)

    return call


@decorated
@rushlight.no_grad()
def decorated_sum(x: Any) -> Any:
    return x + rushlight.ones(3)  # the line


def generator(x: Any) -> Any:
    yield x
    yield x + rushlight.ones(3)  # the line


def comprehension(x: Any) -> Any:
    return [y + rushlight.ones(3) for y in [x]]  # the line


def generator_expression(x: Any) -> Any:
    return list(y + rushlight.ones(3) for y in [x])  # the line


def reduction(x: Any) -> Any:
    from functools import reduce

    return reduce(lambda a, b: a + b, [x, rushlight.ones(3)])  # the line


def several_lines(x: Any) -> Any:
    return rushlight.cat(
        [
            x.reshape(
                -1,
                3,  # the line
            )
        ]
    )


def keywords(x: Any) -> Any:
    logits, target = x[None][[0, 0]], rushlight.tensor([0])
    return nn.functional.cross_entropy(target=target, input=logits)  # the line


class Property:
    def __init__(self, x: Any) -> None:
        self.x = x

    @property
    def value(self) -> Any:
        return self.x + rushlight.ones(3)  # the line


LINES: dict[str, Any] = {
    "function": wrong_sum,
    "lambda": lambda x: x + rushlight.ones(3),  # the line
    "decorated": decorated_sum,
    "generator": lambda x: list(generator(x)),
    "comprehension": comprehension,
    "generator expression": generator_expression,
    "lambda of reduce": reduction,
    "module": lambda x: nn.Sequential(nn.Identity(), nn.Sequential(Inner()))(x),
    "loss": keywords,
    "property": lambda x: Property(x).value,
    "map": lambda x: list(map(wrong_sum, [x])),
}


@notes
@pytest.mark.parametrize("program", LINES.values(), ids=LINES)
def test_line(program: Any) -> None:
    note = last_note(raised(program, rushlight.ones(2)))
    assert f'File "{__file__}", line ' in note
    assert note.endswith("# the line")


@notes
def test_the_line_of_a_call_over_several_lines_is_one_of_them() -> None:
    note = last_note(raised(several_lines, rushlight.ones(2)))
    assert "view: input float32 [2]" in note
    assert re.search(r"in several_lines: (x\.reshape\(|-1,|3,)", note)


@notes
def test_line_of_a_backward_pass_that_runs_elsewhere() -> None:
    x = rushlight.ones(2, requires_grad=True)
    y = x.exp()  # the line
    y.add_(1)
    note = last_note(raised(lambda y: y.sum().backward(), y))
    assert note.endswith("# the line")


@notes
def test_code_without_source_has_a_line_and_no_text() -> None:
    scope: dict[str, Any] = {}
    exec("def f(x):\n    y = 1\n    return x.view(5)", scope)
    note = last_note(raised(scope["f"], rushlight.ones(2)))
    assert note == 'view: input float32 [2], at File "<string>", line 3, in f'


@notes
def test_cells_of_a_notebook() -> None:
    name, source = "<ipython-input-7-0123456789ab>", "x = ones(2)\ny = x.view(5)\n"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    cell = compile(source, name, "exec")
    try:
        error = raised(lambda library: exec(cell, {"ones": library.ones}), rushlight)
        assert last_note(error).endswith(f'at File "{name}", line 2, in <module>: y = x.view(5)')
    finally:
        del linecache.cache[name]


# ---- What is noted, and what is not ----


@notes
def test_one_note_is_enough() -> None:
    """Of nested calls the innermost operation speaks: it knows the shapes that did not fit."""
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(4, 2))
    error = raised(model, rushlight.ones(1, 3))
    assert len(notes_of(error)) == 1


@notes
def test_errors_of_the_users_own_code_are_left_alone() -> None:
    class Broken(nn.Module):
        def forward(self, x: Any) -> Any:
            raise KeyError("mine")

    error = raised(nn.Sequential(Broken()), rushlight.ones(1))
    assert isinstance(error, KeyError)
    assert notes_of(error) == []


@notes
def test_long_arguments_are_cut() -> None:
    tensors = [rushlight.ones(n) for n in range(2, 30)]
    note = last_note(raised(rushlight.stack, tensors))
    assert note.startswith(
        "stack: tensors=(float32 [2], float32 [3], float32 [4], float32 [5], ...)"
    )


def test_functions_keep_their_signature() -> None:
    """Functions whose errors are explained are called through another of the same signature."""
    from rushlight.ops import joining, shape

    assert inspect.signature(rushlight.cat) == inspect.signature(joining.cat)
    assert inspect.signature(rushlight.Tensor.reshape) == inspect.signature(shape.reshape)
    assert rushlight.Tensor.reshape.__doc__ == shape.reshape.__doc__
    assert rushlight.ones(2, 3).reshape(3, 2).shape == (3, 2)
    assert rushlight.ones(4).split([1, 3])[1].shape == (3,)


def test_without_notes_an_error_is_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python 3.10 has no notes: the facts are left out, and nothing else changes."""

    class OldError(Exception):
        add_note = property()  # no such attribute

    error = OldError("words")
    assert errors.noted(error, "facts") is error
    assert notes_of(error) == []
    assert rendered(error).endswith("OldError: words\n")


REFUSED: dict[str, Any] = {
    "generated": lambda x: x.view(5),
    "composed": lambda x: x.flatten(1, 0),
    "function": lambda x: nn.functional.cross_entropy(x, rushlight.tensor([0])),
    "layer": lambda x: nn.Linear(5, 5)(x),
    "method": lambda x: x.numpy(),
    "property": lambda x: setattr(x, "grad", 1.0),
    "no tensor": lambda x: nn.functional.linear([x], x),
    "backward": lambda x: (x * x).backward(),
}


@pytest.mark.parametrize("program", REFUSED.values(), ids=REFUSED)
def test_what_an_error_held_is_freed_with_it(program: Any) -> None:
    """No frame holds the error that it raised, so no cycle keeps the tensors."""
    x = rushlight.ones(2, 3, requires_grad=True)
    alive = weakref.ref(x)
    gc.disable()
    try:
        with pytest.raises(Exception) as caught:
            program(x)
        assert notes_of(caught.value) or sys.version_info < (3, 11)
        del caught, x
        assert alive() is None
    finally:
        gc.enable()


WARNED: dict[str, Any] = {
    "function": lambda: nn.functional.softmax(rushlight.ones(2)),  # the line
    "layer": lambda: nn.Softmax()(rushlight.ones(2)),  # the line
    "loss": lambda: nn.KLDivLoss()(rushlight.zeros(2), rushlight.ones(2)),  # the line
    "out": lambda: rushlight.add(rushlight.ones(2), 1, out=rushlight.ones(3)),  # the line
}


@pytest.mark.parametrize("program", WARNED.values(), ids=WARNED)
def test_warnings_have_the_line_too(program: Any) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        program()
    assert caught[0].filename == __file__
    assert linecache.getline(__file__, caught[0].lineno).endswith("# the line\n")
