"""Einstein's notation: products of tensors, summed over the subscripts that the result lacks.

Each operand becomes a tensor whose dimensions are distinct labels (diagonals are taken, dimensions
of size 1 that others have larger are dropped). Then the operands are contracted from the left to
the right, each pair by one batched product of matrices.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from rushlight.ops._registry import composed
from rushlight.ops.linalg import batched_product
from rushlight.tensor import Tensor

# A letter; or a negative int, counted from the last of the dimensions that an ellipsis stands for.
Label = str | int


_NO_OPERAND = (
    "einsum(): must specify the equation string and at least one operand, or at least one operand "
    "and its subscripts list"
)


class _Term(NamedTuple):
    """A tensor with a label for each dimension, no label twice."""

    tensor: Tensor
    labels: tuple[Label, ...]


@composed(method=False)
def einsum(*args: Any) -> Tensor:
    """``einsum(equation, *operands)``: sums of products over labelled dimensions.

    The equation is such as ``"bij,bjk->bik"``; a letter twice in one operand takes a diagonal, an
    ellipsis stands for dimensions that broadcast, and without ``->`` the result has the letters
    that occur once, in alphabetical order. In place of the equation each operand may be followed
    by a list of ints below 52 (and Ellipsis), the result's list coming last.

    Raises:
        ValueError: without an operand.
        RuntimeError: for an equation that is none, and for sizes that do not go together.

    Example:
        >>> import rushlight
        >>> rushlight.einsum("ij,j->i", rushlight.eye(2), rushlight.tensor([3.0, 4.0]))
        tensor([3., 4.])
    """
    equation, operands = _arguments(args)
    left, arrow, right = equation.partition("->")
    inputs = _input_labels(left, operands)
    terms = _terms(inputs, operands)
    most = max(sum(isinstance(x, int) for x in labels) for labels in inputs)
    if arrow:
        output = _output_labels(right, inputs, most, len(left) + 2)
    else:
        output = _implicit_output(inputs, most)
    return _contracted(terms, output)


def _arguments(args: tuple[Any, ...]) -> tuple[str, list[Tensor]]:
    """The equation and the operands of either form of a call."""
    if len(args) < 2:
        raise ValueError(_NO_OPERAND)
    if isinstance(args[0], str):
        operands = args[1] if len(args) == 2 and isinstance(args[1], Sequence) else args[1:]
        return args[0], _tensors(operands)
    equation = ",".join(_subscripts(sublist) for sublist in args[1::2])
    if len(args) % 2:
        equation += "->" + _subscripts(args[-1])
    return equation, _tensors(args[: len(args) - len(args) % 2 : 2])


def _tensors(operands: Sequence[Any]) -> list[Tensor]:
    if not operands:
        raise ValueError(_NO_OPERAND)
    for i, operand in enumerate(operands):
        if not isinstance(operand, Tensor):
            raise TypeError(
                f"expected Tensor as element {i} in argument 1, but got {type(operand).__name__}"
            )
    return list(operands)


def _subscripts(sublist: Sequence[Any]) -> str:
    return "".join("..." if n is Ellipsis else _letter(n) for n in sublist)


def _letter(n: int) -> str:
    if not 0 <= n < 52:
        raise ValueError(
            "einsum(): subscript in subscript list is not within the valid range [0, 52)"
        )
    return chr(ord("A") + n) if n < 26 else chr(ord("a") + n - 26)


# ---- The equation ----


def _input_labels(text: str, operands: list[Tensor]) -> list[tuple[Label, ...]]:
    """The labels of each operand's dimensions."""
    found: list[list[Any]] = [[]]
    i = 0
    while i < len(text):
        symbol = text[i]
        if symbol == ".":
            if Ellipsis in found[-1]:
                raise RuntimeError(
                    f"einsum(): found '.' for operand {len(found) - 1} for which an ellipsis was "
                    "already found"
                )
            if text[i : i + 3] != "...":
                raise RuntimeError(
                    f"einsum(): found '.' for operand {len(found) - 1} that is not part of any "
                    "ellipsis"
                )
            found[-1].append(Ellipsis)
            i += 2
        elif symbol == ",":
            found.append([])
            if len(found) > len(operands):
                raise RuntimeError(
                    "einsum(): fewer operands were provided than specified in the equation"
                )
        elif symbol != " ":
            _check_letter(symbol, i)
            found[-1].append(symbol)
        i += 1
    if len(found) < len(operands):
        raise RuntimeError("einsum(): more operands were provided than specified in the equation")
    return [_expanded(i, found[i], x.ndim) for i, x in enumerate(operands)]


def _check_letter(symbol: str, index: int) -> None:
    if not (symbol.isascii() and symbol.isalpha()):
        raise RuntimeError(
            f"einsum(): invalid subscript given at index {index} in the equation string, "
            "subscripts must be in [a-zA-Z]"
        )


def _expanded(operand: int, labels: list[Any], ndim: int) -> tuple[Label, ...]:
    """The labels with those of the ellipsis in its place."""
    ellipsis = Ellipsis in labels
    count = len(labels) - ellipsis
    if count > ndim if ellipsis else count != ndim:
        relation = "is more than" if ellipsis else "does not match"
        rest = "" if ellipsis else " and no ellipsis was given"
        raise RuntimeError(
            f"einsum(): the number of subscripts in the equation ({count}) {relation} the number "
            f"of dimensions ({ndim}) for operand {operand}{rest}"
        )
    if not ellipsis:
        return tuple(labels)
    at = labels.index(Ellipsis)
    return (*labels[:at], *range(count - ndim, 0), *labels[at + 1 :])


def _implicit_output(inputs: list[tuple[Label, ...]], most: int) -> tuple[Label, ...]:
    every = [label for labels in inputs for label in labels]
    letters = sorted(x for x in every if isinstance(x, str) and every.count(x) == 1)
    return (*range(-most, 0), *letters)


def _output_labels(
    text: str, inputs: list[tuple[Label, ...]], most: int, start: int
) -> tuple[Label, ...]:
    known = {label for labels in inputs for label in labels}
    output: list[Label] = []
    ellipsis = False
    i = 0
    while i < len(text):
        symbol = text[i]
        if symbol == ".":
            if ellipsis:
                raise RuntimeError(
                    "einsum(): found '.' for output but an ellipsis (...) was already found"
                )
            if text[i : i + 3] != "...":
                raise RuntimeError(
                    "einsum(): found '.' for output that is not part of any ellipsis (...)"
                )
            ellipsis = True
            output.extend(range(-most, 0))
            i += 2
        elif symbol != " ":
            _check_letter(symbol, start + i)
            if symbol not in known:
                raise RuntimeError(
                    f"einsum(): output subscript {symbol} does not appear in the equation for any "
                    "input operand"
                )
            if symbol in output:
                raise RuntimeError(
                    f"einsum(): output subscript {symbol} appears more than once in the output"
                )
            output.append(symbol)
        i += 1
    return tuple(output)


# ---- The operands ----


def _terms(inputs: list[tuple[Label, ...]], operands: list[Tensor]) -> list[_Term]:
    """The operands with distinct labels, without dimensions of size 1 that others have larger."""
    terms = []
    sizes: dict[Label, int] = {}
    for i, (labels, operand) in enumerate(zip(inputs, operands, strict=True)):
        term = _without_repetition(i, operand, labels)
        for label, n in zip(term.labels, term.tensor.shape, strict=True):
            known = sizes.get(label, 1)
            if n != known and 1 not in (n, known):
                raise RuntimeError(
                    f"einsum(): subscript {label} has size {n} for operand {i} which does not "
                    f"broadcast with previously seen size {known}"
                )
            sizes[label] = n if known == 1 else known
        terms.append(term)
    return [_without_ones(term, sizes) for term in terms]


def _without_repetition(operand: int, tensor: Tensor, labels: tuple[Label, ...]) -> _Term:
    """The diagonals of dimensions with the same label."""
    rest = list(labels)
    for label in dict.fromkeys(labels):
        while rest.count(label) > 1:
            first = rest.index(label)
            second = rest.index(label, first + 1)
            n, m = tensor.shape[first], tensor.shape[second]
            if n != m:
                raise RuntimeError(
                    f"einsum(): subscript {label} is repeated for operand {operand} but the sizes "
                    f"don't match, {m} != {n}"
                )
            tensor = tensor.diagonal(0, first, second)
            rest = [x for x in rest if x != label] + [label] * (rest.count(label) - 1)
    return _Term(tensor, tuple(rest))


def _without_ones(term: _Term, sizes: dict[Label, int]) -> _Term:
    """The term without dimensions of size 1 that are larger elsewhere."""
    kept = [n == sizes[x] for x, n in zip(term.labels, term.tensor.shape, strict=True)]
    if all(kept):
        return term
    shape = [n for n, keep in zip(term.tensor.shape, kept, strict=True) if keep]
    labels = tuple(x for x, keep in zip(term.labels, kept, strict=True) if keep)
    return _Term(term.tensor.reshape(shape), labels)


# ---- The contraction ----


def _contracted(terms: list[_Term], output: tuple[Label, ...]) -> Tensor:
    """The product of all terms, summed over what `output` lacks."""
    needed = [set(output)]
    for term in reversed(terms[1:]):
        needed.append(needed[-1] | set(term.labels))
    needed.reverse()  # needed[i]: what the result or a term after the i-th has
    total = _summed(terms[0], needed[0])
    for i, term in enumerate(terms[1:], 1):
        others = needed[i] | set(total.labels)
        total = _product(total, _summed(term, others), needed[i])
    return _ordered(total, output).tensor


def _summed(term: _Term, needed: set[Label]) -> _Term:
    """The term summed over the labels that nobody else has."""
    dims = [d for d, label in enumerate(term.labels) if label not in needed]
    if not dims:
        return term
    labels = tuple(label for label in term.labels if label in needed)
    return _Term(term.tensor.sum(dims, dtype=term.tensor.dtype), labels)


def _ordered(term: _Term, labels: tuple[Label, ...]) -> _Term:
    """The term's dimensions in another order."""
    if term.labels == labels:
        return term
    return _Term(term.tensor.permute([term.labels.index(x) for x in labels]), labels)


def _product(left: _Term, right: _Term, needed: set[Label]) -> _Term:
    """The product of two terms, summed over the labels of both that are not needed."""
    shared = [x for x in left.labels if x in right.labels]
    batch = tuple(x for x in shared if x in needed)
    inner = tuple(x for x in shared if x not in needed)
    rows = tuple(x for x in left.labels if x not in shared)
    columns = tuple(x for x in right.labels if x not in shared)
    a = _ordered(left, (*batch, *rows, *inner)).tensor
    b = _ordered(right, (*batch, *inner, *columns)).tensor
    shape = tuple(a.shape)
    split, end = len(batch), len(batch) + len(rows)
    sizes = (*shape[:end], *b.shape[split + len(inner) :])
    if not inner:
        product = a.reshape(*shape, *(1,) * len(columns)) * b.reshape(
            *shape[:split], *(1,) * len(rows), *b.shape[split:]
        )
        return _Term(product, (*batch, *rows, *columns))
    count = math.prod(shape[end:])
    a = a.reshape(*shape[:split], math.prod(shape[split:end]), count)
    b = b.reshape(*shape[:split], count, math.prod(sizes[end:]))
    return _Term(batched_product(a, b).reshape(sizes), (*batch, *rows, *columns))
