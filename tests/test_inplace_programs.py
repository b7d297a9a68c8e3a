"""Random programs of views, in-place operations and ordinary ones, then backward: as PyTorch.

A program is a list of instructions over a growing list of tensors. Both libraries run it; each
instruction must be refused by both or by neither, and in the end the values, the flags and the
gradients must agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import rushlight

torch = pytest.importorskip("torch")

START = (
    np.array([[0.5, -1.0, 2.0], [1.5, 0.25, -0.75]]),
    np.array([1.0, -2.0, 0.5, 3.0, -0.5, 1.25]),
    np.array([[0.3, 0.7, -0.2], [1.1, -0.4, 0.9]]),
)

# Each takes the library, two tensors, and two small numbers.
VIEWS: dict[str, Callable[..., Any]] = {
    "select": lambda t, a, b, i, j: a.select(i % max(a.dim(), 1), j - 1),
    "item": lambda t, a, b, i, j: a[i],
    "slice": lambda t, a, b, i, j: a[i : i + j],
    "last": lambda t, a, b, i, j: a[..., i],
    "step": lambda t, a, b, i, j: a[:: j + 1],
    "new": lambda t, a, b, i, j: a[None],
    "flat": lambda t, a, b, i, j: a.view(-1),
    "view": lambda t, a, b, i, j: a.view(3, -1),
    "reshape": lambda t, a, b, i, j: a.reshape(-1, 2),
    "t": lambda t, a, b, i, j: a.t(),
    "transpose": lambda t, a, b, i, j: a.transpose(0, -1),
    "permute": lambda t, a, b, i, j: a.permute(1, 0),
    "narrow": lambda t, a, b, i, j: a.narrow(0, i, j),
    "expand": lambda t, a, b, i, j: a.expand(2, *a.shape),
    "unsqueeze": lambda t, a, b, i, j: a.unsqueeze(-1),
    "squeeze": lambda t, a, b, i, j: a.squeeze(),
    "split": lambda t, a, b, i, j: a.split(j + 1)[i],
    "chunk": lambda t, a, b, i, j: a.chunk(2, -1)[i],
    "unbind": lambda t, a, b, i, j: a.unbind(0)[i],
    # None that overlaps itself: what changing one in place means is left open.
    "as_strided": lambda t, a, b, i, j: a.as_strided((2, 2), (j + 1, 1), i),
    "detach": lambda t, a, b, i, j: a.detach(),
    "view_as": lambda t, a, b, i, j: a.view_as(b),
}
CHANGES: dict[str, Callable[..., Any]] = {
    "add_": lambda t, a, b, i, j: a.add_(i + 1),
    "mul_": lambda t, a, b, i, j: a.mul_(j - 0.5),
    "add_other": lambda t, a, b, i, j: a.add_(b),
    "mul_other": lambda t, a, b, i, j: a.mul_(b),
    "sub_": lambda t, a, b, i, j: a.sub_(b),
    "div_": lambda t, a, b, i, j: a.div_(2.0),
    "iadd": lambda t, a, b, i, j: a.__iadd__(b),
    "imul": lambda t, a, b, i, j: a.__imul__(1.5),
    "copy_": lambda t, a, b, i, j: a.copy_(b),
    "zero_": lambda t, a, b, i, j: a.zero_(),
    "fill_": lambda t, a, b, i, j: a.fill_(0.5 * j),
    "sin_": lambda t, a, b, i, j: a.sin_(),
    "sigmoid_": lambda t, a, b, i, j: a.sigmoid_(),
    "tanh_": lambda t, a, b, i, j: a.tanh_(),
    "clamp_": lambda t, a, b, i, j: a.clamp_(-1.0, 1.1),
    "set_number": lambda t, a, b, i, j: a.__setitem__(i, 0.5),
    "set_tensor": lambda t, a, b, i, j: a.__setitem__(i, b[j - 1]),
    "set_slice": lambda t, a, b, i, j: a.__setitem__(slice(i, None), b[:1]),
    "set_all": lambda t, a, b, i, j: a.__setitem__(..., b),
    "set_mask": lambda t, a, b, i, j: a.__setitem__(a > 0.4, 0.1),
    "set_list": lambda t, a, b, i, j: a.__setitem__([0, 0], 2.0),
}
# In PyTorch the results over transposed tensors keep the order of the strides.
ORDINARY: dict[str, Callable[..., Any]] = {
    "mul": lambda t, a, b, i, j: (a * b).contiguous() * 1.0,
    "add": lambda t, a, b, i, j: (a + b).contiguous() * 1.0,
    "square": lambda t, a, b, i, j: (a * a).contiguous() * 1.0,
    "scale": lambda t, a, b, i, j: (a * (i + 1)).contiguous() * 1.0,
    "sin": lambda t, a, b, i, j: a.sin().contiguous() * 1.0,
    "tanh": lambda t, a, b, i, j: a.tanh().contiguous() * 1.0,
    "clone": lambda t, a, b, i, j: a.clone().contiguous() * 1.0,
    "sum": lambda t, a, b, i, j: a.sum(-1),
    "cat": lambda t, a, b, i, j: t.cat([a, b]),
    "mm": lambda t, a, b, i, j: t.mm(a, b.t()),
    "zeros": lambda t, a, b, i, j: t.zeros(2, 3, dtype=t.float64),
}
OPERATIONS = {**VIEWS, **CHANGES, **ORDINARY}

index = st.integers(0, 7)
instruction = st.tuples(
    st.one_of(
        st.sampled_from(sorted(VIEWS)),
        st.sampled_from(sorted(CHANGES)),
        st.sampled_from(sorted(ORDINARY)),
    ),
    index,
    index,
    st.integers(0, 2),
    st.integers(1, 2),
    st.sampled_from([False, False, False, False, True]),
)
programs = st.lists(instruction, min_size=1, max_size=9)


class Run:
    """One library's run of a program."""

    def __init__(self, library: Any) -> None:
        self.library = library
        self.tensors = [library.from_numpy(x.copy()) for x in START]
        self.leaves = self.tensors[:2]
        for leaf in self.leaves:
            leaf.requires_grad_()

    def argument(self, n: int) -> Any:
        """A tensor, the latest first."""
        return self.tensors[-1 - n % len(self.tensors)]

    def step(self, step: tuple[Any, ...]) -> Exception | None:
        """Runs an instruction; the error it raised."""
        name, first, second, i, j, quiet = step
        a, b = self.argument(first), self.argument(second)
        try:
            with self.library.set_grad_enabled(not quiet):
                result = OPERATIONS[name](self.library, a, b, i, j)
        except Exception as error:
            return error
        if isinstance(result, self.library.Tensor) and not any(result is t for t in self.tensors):
            self.tensors.append(result)
        return None

    def backward(self) -> Exception | None:
        """The gradient of everything at once; the error it raised."""
        try:
            wanted = [t for t in self.tensors if t.requires_grad and t.numel()]
            if wanted:
                sum((t * (k + 1)).sum() for k, t in enumerate(wanted)).backward()
        except Exception as error:
            return error
        return None


def state(tensor: Any) -> tuple[Any, ...]:
    """What must agree of a tensor besides its values."""
    try:
        requires, leaf = tensor.requires_grad, tensor.is_leaf
    except RuntimeError as error:
        return tuple(tensor.shape), "refused", type(error)
    return tuple(tensor.shape), requires, leaf, tensor._version


# PyTorch refuses the gradient of what was written into an expanded tensor; rushlight gives it.
MORE_ALLOWED = "unsupported operation: more than one element of the written-to tensor"
# Under no_grad, PyTorch refuses a view with this history later: when its graph is asked for.
# PyTorch takes a view whose base began to require grad for a leaf, until its graph is asked for.
NO_LEAF = "a leaf Variable that requires grad is being used in an in-place operation."
SOONER = "its base or another view of its base has been modified inplace"


def ambiguous(run: Run, step: tuple[Any, ...]) -> bool:
    """Whether an instruction reads the memory that it writes, but in another order."""
    name, a, b = step[0], run.argument(step[1]), run.argument(step[2])
    if name not in CHANGES or a.untyped_storage().data_ptr() != b.untyped_storage().data_ptr():
        return False
    part = name.startswith("set_")
    return part or (a.data_ptr(), a.shape, a.stride()) != (b.data_ptr(), b.shape, b.stride())


def is_quiet_view(tensor: Any) -> bool:
    """Whether this is a view made under no_grad of what requires grad.

    PyTorch says that it requires grad, and drops its gradient; rushlight makes it a leaf.
    """
    try:
        return tensor._is_view() and tensor.requires_grad and tensor.is_leaf
    except RuntimeError:
        return False


def check(program: list[tuple[Any, ...]]) -> None:  # noqa: C901 - where the two may differ
    ours, theirs = Run(rushlight), Run(torch)
    for step in program:
        if ambiguous(theirs, step):
            continue
        expected, got = theirs.step(step), ours.step(step)
        if expected is None and SOONER in str(got) and step[-1]:
            return
        if got is None and str(expected) == NO_LEAF and theirs.argument(step[1])._is_view():
            return
        assert (got is None) == (expected is None), f"{step}: {got!r} but torch {expected!r}"
    expected, got = theirs.backward(), ours.backward()
    if got is None and str(expected).startswith(MORE_ALLOWED):
        return
    if expected is None and any(map(is_quiet_view, theirs.tensors)):
        return
    assert (got is None) == (expected is None), f"{program}: {got!r} but torch {expected!r}"
    for n, (x, y) in enumerate(zip(ours.tensors, theirs.tensors, strict=True)):
        assert state(x) == state(y), f"tensor {n} of {program}"
        np.testing.assert_allclose(
            x.detach().numpy(), y.detach().numpy(), 1e-12, 1e-12, err_msg=f"tensor {n}"
        )
    if expected is not None:
        return
    for x, y in zip(ours.leaves, theirs.leaves, strict=True):
        assert (x.grad is None) == (y.grad is None), program
        if y.grad is not None:
            np.testing.assert_allclose(
                x.grad.numpy(), y.grad.numpy(), 1e-10, 1e-10, err_msg=str(program)
            )


@settings(
    max_examples=2500,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(programs)
def test_random_programs(program: list[tuple[Any, ...]]) -> None:
    check(program)
