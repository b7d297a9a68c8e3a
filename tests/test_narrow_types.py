"""Every row of op_cases.py in the types that are computed in wider ones.

An op gives the values of its reference in the type that PyTorch gives, or refuses the type.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from case import Case
from op_cases import CASES

import rushlight
from rushlight import ops

# The type that stands for each in the rows, and the relative size of half a place.
FLOATING = {"float16": 2.0**-11, "bfloat16": 2.0**-8}
INTEGERS = ("int8", "int16")
ROWS = [
    (case, dtype)
    for case in CASES
    for dtype in (*FLOATING, *INTEGERS)
    if ("float32" if dtype in FLOATING else "int32") in case.dtypes
]


def operands(case: Case, dtype: str, rng: Any) -> tuple[list[Any], list[Any]]:
    """Tensors for a call, and the same values as a reference takes them."""
    tensors, wide = [], []
    for position, (shape, domain) in enumerate(zip(case.shapes[0], case.domains, strict=True)):
        if position in case.fixed:
            tensor = rushlight.tensor(np.asarray(domain(rng, shape)))
        elif dtype in FLOATING:
            tensor = rushlight.as_tensor(domain(rng, shape)).to(getattr(rushlight, dtype))
        else:
            values = rng.integers(*case.integers, shape)
            tensor = rushlight.as_tensor(values).to(getattr(rushlight, dtype))
        tensors.append(tensor)
        floats = tensor.is_floating_point() or case.result == "float"
        wide.append(
            tensor.double().numpy()
            if floats
            else tensor.numpy()
            if tensor.dtype is rushlight.bool
            else tensor.long().numpy()
        )
    return tensors, wide


@pytest.mark.parametrize(("case", "dtype"), ROWS, ids=str)
def test_values(case: Case, dtype: str, rng: Any) -> None:
    tensors, wide = operands(case, dtype, rng)
    try:
        out = case.run(ops, *tensors)
    except (NotImplementedError, RuntimeError, TypeError):
        return
    with np.errstate(all="ignore"):
        expected = case.reference(*wide)
    place = FLOATING.get(dtype, 2.0**-22)
    outs = out if isinstance(out, tuple) else (out,)
    exact = expected if isinstance(expected, tuple) else (expected,)
    for mine, theirs in zip(outs, exact, strict=False):
        if dtype in INTEGERS and case.result in ("same", "sum"):
            theirs = np.asarray(theirs).astype(mine.numpy().dtype)  # integers wrap
        bound = 8 * place if mine.is_floating_point() else 0.0
        values = (mine.double() if mine.is_floating_point() else mine).numpy()
        np.testing.assert_allclose(values, np.asarray(theirs, values.dtype), bound, bound)
    # Weighted counts are float64, but for float32 weights.
    if case.result in ("same", "float", "bool") and case.op not in ("cast", "bincount"):
        named = {"same": dtype, "bool": "bool"}
        named["float"] = dtype if dtype in FLOATING else "float32"
        assert str(outs[0].dtype) == f"torch.{named[case.result]}"


@pytest.mark.parametrize(
    ("case", "dtype"), [(c, d) for c, d in ROWS if d in FLOATING and c.smooth], ids=str
)
def test_gradients(case: Case, dtype: str, rng: Any) -> None:
    """In the type of the operands, near those of float32."""
    gradients = []
    tensors, _ = operands(case, dtype, rng)
    for kind in (getattr(rushlight, dtype), rushlight.float32):
        leaves = [
            x.detach().to(kind).requires_grad_() if x.is_floating_point() else x for x in tensors
        ]
        try:
            out = case.run(ops, *leaves)
            first = out[0] if isinstance(out, tuple) else out
            if not first.requires_grad:
                return
            first.sum().backward()
        except (NotImplementedError, RuntimeError, TypeError):
            return
        gradients.append([x.grad for x in leaves])
    for mine, theirs in zip(*gradients, strict=True):
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert str(mine.dtype) == f"torch.{dtype}"
            bound = 16 * FLOATING[dtype]
            scale = bound * max(1.0, float(np.abs(theirs.numpy()).max(initial=0)))
            np.testing.assert_allclose(mine.double().numpy(), theirs.numpy(), bound, scale)
