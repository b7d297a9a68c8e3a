"""In-place changes: which are noticed, which are recorded, which are refused."""

from __future__ import annotations

from typing import Any

import pytest
from helpers import leaf, ones

import rushlight


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (lambda y: y * y, "other"),
        (lambda y: y.exp(), None),
        (lambda y: y.log(), "input"),
    ],
)
def test_changed_inputs_are_noticed(function: Any, name: str | None) -> None:
    y = ones() * 2
    loss = function(y).sum()
    y.add_(1)
    if name is None:
        loss.backward()
        return
    with pytest.raises(
        RuntimeError,
        match="^one of the variables needed for gradient computation has been modified by an "
        rf"inplace operation: float32 \[2\], saved as '{name}', is at version 1; expected .* 0",
    ):
        loss.backward()


def test_changed_results_are_noticed() -> None:
    y = ones().exp()
    loss = y.sum()
    y.mul_(2)
    with pytest.raises(
        RuntimeError, match=r"modified by an inplace operation: float32 \[2\], saved as 'out'"
    ):
        loss.backward()


CHANGES = {
    "operator": lambda y: y.__iadd__(1),
    "item": lambda y: y.__setitem__(0, 5.0),
    "copy": lambda y: y.copy_(rushlight.zeros(2)),
    "fill": lambda y: y.fill_(1.0),
    "zero": lambda y: y.zero_(),
    "detached": lambda y: y.detach().add_(1),
    "random": lambda y: y.uniform_(),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_every_change_counts(change: Any) -> None:
    """Also one through a detached tensor, or a view, of the same memory."""
    y = ones() * 2
    loss = (y * y).sum()
    with rushlight.no_grad():
        change(y)
    assert y._version == 1
    with pytest.raises(RuntimeError, match=r"modified by an inplace operation"):
        loss.backward()


def test_views_share_their_version() -> None:
    y = rushlight.ones(2, 2)
    y[0].mul_(3)
    y.t()[1] = 5
    assert y._version == 2 and y.view(4)._version == 2
    w = rushlight.ones(2, 2, requires_grad=True)
    loss = (w * y).sum()
    y.view(4)[0].zero_()
    with pytest.raises(
        RuntimeError, match=r"saved as 'other', is at version 3; expected version 2"
    ):
        loss.backward()


def test_data_is_not_versioned() -> None:
    y = ones() * 2
    loss = (y * y).sum()
    y.data.add_(1)
    assert y._version == 0
    loss.backward()


def test_changes_of_what_is_not_saved_are_free() -> None:
    x = ones()
    y = x * 2
    loss = (y + 1).sum()
    y.zero_()
    loss.backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_in_place_operations_are_recorded() -> None:
    x = leaf(2.0, 3.0)
    y = x.clone()
    y *= x
    y += 1
    y[0] = 7.0
    y.backward(rushlight.ones(2))
    assert y.tolist() == [7.0, 10.0] and x.grad.tolist() == [0.0, 6.0]
    assert y.grad_fn.name() == "IndexPutBackward0"


def test_leaves_are_not_changed_in_place() -> None:
    for change in (lambda x: x.add_(1), lambda x: x.__imul__(2), lambda x: x.__setitem__(0, 1.0)):
        x = ones()
        with pytest.raises(
            RuntimeError, match=r"^a (view of a )?leaf Variable that requires grad is being used"
        ):
            change(x)
        assert x.tolist() == [1.0, 1.0] and x._version == 0
        with rushlight.no_grad():
            change(x)
        assert x.is_leaf and x.requires_grad and x._version == 1
