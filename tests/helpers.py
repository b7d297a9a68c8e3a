"""What several test files share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import rushlight

DTYPES = ("bool", "uint8", "int32", "int64", "float32", "float64")


def leaf(*values: float) -> Any:
    """A vector that requires grad."""
    return rushlight.tensor(values, requires_grad=True)


def ones(n: int = 2) -> Any:
    """Ones that require grad."""
    return rushlight.ones(n, requires_grad=True)


def same(mine: Any, theirs: Any) -> None:
    """Equal values, shape and type in both libraries."""
    assert str(mine.dtype) == str(theirs.dtype)
    assert tuple(mine.shape) == tuple(theirs.shape)
    np.testing.assert_array_equal(mine.detach().numpy(), theirs.detach().numpy())


def both(torch: Any, call: Any) -> None:
    """The same call gives the same in both libraries: a tensor, or an error of one type."""
    try:
        theirs = call(torch)
    except Exception as error:
        with pytest.raises(type(error)):
            call(rushlight)
        return
    mine = call(rushlight)
    if isinstance(theirs, torch.Tensor):
        same(mine, theirs)
    else:
        assert str(mine) == str(theirs)
