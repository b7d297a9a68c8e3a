"""Programs that misuse automatic differentiation, which both libraries refuse.

Each states the error, its opening words, and what the error also tells: the operation, the shapes
and the line of the program, which is the one marked ``# <-``, or the program's only one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


class Misuse(NamedTuple):
    """One row.

    Attributes:
        program: called with ``torch`` or with ``rushlight``.
        kind: the exception's type.
        words: its opening words, at least to the first number or the end of the first sentence.
        facts: what else it tells; where there are none, no operation and no tensor is involved.
    """

    program: Callable[[Any], Any]
    kind: type[Exception]
    words: str
    facts: tuple[str, ...]


MISUSES: dict[str, Misuse] = {}


def misuse(kind: type[Exception], words: str, *facts: str) -> Callable[..., Any]:
    """Adds a row under the program's name."""

    def add(program: Callable[[Any], Any]) -> Callable[[Any], Any]:
        name = program.__name__.replace("_", " ")
        assert name not in MISUSES, name
        MISUSES[name] = Misuse(program, kind, words, facts)
        return program

    return add


def leaf(torch: Any, *sizes: int) -> Any:
    """Ones that require grad."""
    return torch.ones(*sizes or (2,), requires_grad=True)


# ---- Roots of a backward pass ----

SECOND = "Trying to backward through the graph a second time"
NO_GRAD = "element 0 of tensors does not require grad and does not have a grad_fn"


@misuse(RuntimeError, SECOND, "MulBackward0", "[2]")
def second_backward(torch: Any) -> None:
    x = leaf(torch)
    loss = (x * x).sum()  # <-
    loss.backward()
    loss.backward()


@misuse(RuntimeError, SECOND, "ExpBackward0", "[2]")
def two_losses_of_one_graph(torch: Any) -> None:
    shared = leaf(torch).exp()  # <-
    shared.sum().backward()
    (shared * 2).sum().backward()


@misuse(RuntimeError, SECOND, "TanhBackward0", "[1, 4]")
def state_carried_over_batches(torch: Any) -> None:
    weight, state = leaf(torch, 4, 4), torch.zeros(1, 4)
    for _ in range(2):
        state = torch.tanh(state @ weight)  # <-
        state.sum().backward()


@misuse(RuntimeError, SECOND, "MulBackward0", "[2]")
def grad_after_backward(torch: Any) -> None:
    x = leaf(torch)
    y = x * x  # <-
    y.sum().backward()
    torch.autograd.grad(y.sum(), x)


@misuse(RuntimeError, SECOND, "ExpBackward0", "[2]")
def saved_tensor_after_backward(torch: Any) -> None:
    y = leaf(torch).exp()  # <-
    y.sum().backward()
    _ = y.grad_fn._saved_result


@misuse(RuntimeError, "grad can be implicitly created only for scalar outputs", "Mul", "[3]")
def backward_of_several_elements(torch: Any) -> None:
    loss = leaf(torch, 3) * 2  # <-
    loss.backward()


@misuse(RuntimeError, "grad can be implicitly created only for scalar outputs", "Relu", "[2, 3]")
def grad_of_several_elements(torch: Any) -> None:
    x = leaf(torch, 2, 3)
    y = torch.relu(x)  # <-
    torch.autograd.grad(y, x)


@misuse(RuntimeError, NO_GRAD, "float32", "[]")
def backward_of_what_needs_no_grad(torch: Any) -> None:
    torch.ones(2).sum().backward()  # <-


@misuse(RuntimeError, NO_GRAD, "float32", "[]")
def backward_under_no_grad(torch: Any) -> None:
    x = leaf(torch)
    with torch.no_grad():
        loss = x.sum()
    loss.backward()  # <-


@misuse(RuntimeError, NO_GRAD, "float32", "[]")
def backward_of_what_was_detached(torch: Any) -> None:
    loss = leaf(torch).sum()
    loss.detach().backward()  # <-


@misuse(RuntimeError, NO_GRAD, "int64", "[]")
def backward_of_counted_hits(torch: Any) -> None:
    scores = leaf(torch, 4, 3)
    (scores.argmax(1) == torch.zeros(4)).sum().backward()  # <-


@misuse(RuntimeError, "Mismatch in shape: grad_output[0] has a shape of", "Mul", "[3]", "[2]")
def gradient_of_another_shape(torch: Any) -> None:
    y = leaf(torch, 3) * 2  # <-
    y.backward(torch.ones(2))


@misuse(TypeError, "gradients can be either Tensors or None, but got float", "Mul", "[3]")
def gradient_that_is_a_number(torch: Any) -> None:
    y = leaf(torch, 3) * 2  # <-
    torch.autograd.backward([y], [1.0])


@misuse(RuntimeError, "got 2 tensors and 1 gradients", "[3]")
def too_few_gradients(torch: Any) -> None:
    y = leaf(torch, 3) * 2
    torch.autograd.backward([y, y], [torch.ones(3)])  # <-


@misuse(RuntimeError, "`inputs` argument to `backward()` cannot be empty.", "[]")
def backward_into_nothing(torch: Any) -> None:
    leaf(torch).sum().backward(inputs=[])  # <-


# ---- torch.autograd.grad ----


@misuse(RuntimeError, "The differentiated Tensor at index 1 appears to not have been used", "[3]")
def grad_of_an_unused_input(torch: Any) -> None:
    x, unused = leaf(torch), leaf(torch, 3)
    torch.autograd.grad((x * x).sum(), [x, unused])  # <-


@misuse(RuntimeError, "One of the differentiated Tensors does not require grad", "float32", "[3]")
def grad_of_an_input_without_grad(torch: Any) -> None:
    torch.autograd.grad(leaf(torch).sum(), torch.ones(3))  # <-


@misuse(RuntimeError, "`inputs` argument to `grad()` cannot be empty.", "[]")
def grad_of_no_inputs(torch: Any) -> None:
    torch.autograd.grad(leaf(torch).sum(), [])  # <-


@misuse(RuntimeError, "all inputs have to be Tensors or GradientEdges, but got str", "input='x'")
def grad_of_names(torch: Any) -> None:
    torch.autograd.grad(leaf(torch).sum(), "x")  # <-


@misuse(RuntimeError, NO_GRAD, "[]")
def second_derivative_without_create_graph(torch: Any) -> None:
    x = leaf(torch)
    (g,) = torch.autograd.grad((x * x).sum(), x)
    torch.autograd.grad(g.sum(), x)  # <-


@misuse(ValueError, "Expected allow_unused to be True or not passed when materialize_grads=True")
def materialized_but_not_unused(torch: Any) -> None:
    x = leaf(torch)
    torch.autograd.grad(x.sum(), x, allow_unused=False, materialize_grads=True)  # <-


# ---- In place ----

CHANGED = (
    "one of the variables needed for gradient computation has been modified by an inplace "
    "operation: "
)
LEAF = "a leaf Variable that requires grad is being used in an in-place operation."
NO_GRAD_VIEW = "A view was created in no_grad mode and "
STALE = "its base or another view of its base has been modified inplace"
VIEW_OF_LEAF = (
    "a view of a leaf Variable that requires grad is being used in an in-place operation."
)


@misuse(RuntimeError, LEAF, "add_", "float32", "[2]")
def in_place_on_a_leaf(torch: Any) -> None:
    x = leaf(torch)
    x += 1  # <-


@misuse(RuntimeError, LEAF, "sub_", "[3, 2]")
def step_without_no_grad(torch: Any) -> None:
    layer = torch.nn.Linear(2, 3)
    layer(torch.ones(1, 2)).sum().backward()
    layer.weight.sub_(0.1 * layer.weight.grad)  # <-


@misuse(RuntimeError, VIEW_OF_LEAF, "mul_", "[3]")
def in_place_on_a_view_of_a_leaf(torch: Any) -> None:
    x = leaf(torch, 2, 3)
    x[0].mul_(2)  # <-


@misuse(RuntimeError, VIEW_OF_LEAF, "[4]")
def item_assignment_to_a_leaf(torch: Any) -> None:
    x = leaf(torch, 4)
    x[0] = 5.0  # <-


@misuse(RuntimeError, VIEW_OF_LEAF, "[2, 3]")
def slice_assignment_through_a_view_of_a_leaf(torch: Any) -> None:
    x = leaf(torch, 6)
    x.view(2, 3)[0] = torch.zeros(3)  # <-


@misuse(RuntimeError, CHANGED, "MulBackward0", "[2]")
def saved_input_changed(torch: Any) -> None:
    x = leaf(torch)
    y = x * 1
    z = y * y  # <-
    y.add_(1)
    z.sum().backward()


@misuse(RuntimeError, CHANGED, "SigmoidBackward0", "[3]")
def saved_output_changed(torch: Any) -> None:
    y = torch.sigmoid(leaf(torch, 3))  # <-
    y.mul_(2)
    y.sum().backward()


@misuse(RuntimeError, CHANGED, "ReluBackward0", "[2, 3]")
def residual_in_place(torch: Any) -> None:
    x = leaf(torch, 2, 3)
    y = torch.nn.ReLU()(x * 1)  # <-
    y += x
    y.sum().backward()


@misuse(RuntimeError, CHANGED, "MmBackward0", "[3, 2]")
def weights_stepped_before_backward(torch: Any) -> None:
    first, second = leaf(torch, 2, 3), leaf(torch, 3, 2)
    optimizer = torch.optim.SGD([second], lr=0.1)
    loss = (torch.ones(1, 2) @ first @ second).sum()  # <-
    loss.backward(retain_graph=True)
    optimizer.step()
    loss.backward()


@misuse(RuntimeError, CHANGED, "PowBackward0", "[2]")
def changed_through_a_view(torch: Any) -> None:
    y = leaf(torch) * 1
    z = y.pow(3)  # <-
    y[:1].zero_()
    z.sum().backward()


@misuse(RuntimeError, CHANGED, "MulBackward0", "[2]")
def changed_through_detach(torch: Any) -> None:
    y = leaf(torch) * 1
    z = y * y  # <-
    y.detach().zero_()
    z.sum().backward()


@misuse(RuntimeError, CHANGED, "IndexBackward0", "[2]")
def index_changed(torch: Any) -> None:
    index = torch.tensor([0, 1])
    y = leaf(torch, 3)[index]  # <-
    index.add_(1)
    y.sum().backward()


@misuse(RuntimeError, NO_GRAD_VIEW + "is being modified inplace with grad mode enabled.", "[1]")
def view_under_no_grad(torch: Any) -> None:
    base = leaf(torch) * 1
    with torch.no_grad():
        view = base[:1]
    view.mul_(2)  # <-


@misuse(RuntimeError, NO_GRAD_VIEW + STALE + " with grad mode enabled.", "[1]")
def stale_view_under_no_grad(torch: Any) -> None:
    base = leaf(torch) * 1
    with torch.no_grad():
        view = base[:1]
    base.mul_(2)
    view * 1  # <-


@misuse(RuntimeError, "Output 0 of Split is a view and is being modified inplace.", "[2]")
def part_of_split_changed(torch: Any) -> None:
    first, _ = (leaf(torch, 4) * 1).split(2)
    first.mul_(2)  # <-


@misuse(RuntimeError, "Output 1 of Split is a view and is being modified inplace.", "[2]")
def part_of_chunk_changed(torch: Any) -> None:
    parts = torch.chunk(leaf(torch, 4) * 1, 2)
    parts[1].add_(1)  # <-


@misuse(RuntimeError, "Output 0 of Unbind is a view and is being modified inplace.", "[3]")
def part_of_unbind_changed(torch: Any) -> None:
    row, _ = (leaf(torch, 2, 3) * 1).unbind()
    row.zero_()  # <-


@misuse(RuntimeError, "Output 0 of Unbind is a view and is being modified inplace.", "[3]")
def row_of_iteration_changed(torch: Any) -> None:
    for row in leaf(torch, 2, 3) * 1:
        row += 1  # <-


@misuse(RuntimeError, "Output 0 of Unbind is a view and " + STALE + ".", "[3]")
def stale_row(torch: Any) -> None:
    rows = leaf(torch, 2, 3) * 1
    first, _ = rows.unbind()
    rows.mul_(2)
    first + 1  # <-


@misuse(
    RuntimeError,
    "unsupported operation: more than one element of the written-to tensor refers to a single "
    "memory location.",
    "mul_",
    "[3, 2]",
)
def expanded_written(torch: Any) -> None:
    torch.ones(2).expand(3, 2).mul_(2)  # <-


@misuse(
    RuntimeError,
    "unsupported operation: some elements of the input tensor and the written-to tensor refer to a "
    "single memory location.",
    "add_",
    "[3]",
)
def overlap_written(torch: Any) -> None:
    x = torch.arange(4.0)
    x[1:].add_(x[:-1])  # <-


@misuse(RuntimeError, "Can't detach views in-place. Use detach() instead.", "[1]")
def view_detached_in_place(torch: Any) -> None:
    x = leaf(torch) * 1
    x[:1].detach_()  # <-
