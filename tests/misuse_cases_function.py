"""Programs that misuse `autograd.Function`; see `misuse_cases`."""

from __future__ import annotations

from typing import Any

from misuse_cases import CHANGED, LEAF, SECOND, leaf, misuse


def function(torch: Any, forward: Any, backward: Any = lambda ctx, g: g) -> Any:
    """A Function of two functions."""
    members = {"forward": staticmethod(forward), "backward": staticmethod(backward)}
    return type("Made", (torch.autograd.Function,), members)


def double(ctx: Any, x: Any) -> Any:
    return x * 2


def square(ctx: Any, x: Any) -> Any:
    ctx.save_for_backward(x)
    return x * x


def of_square(ctx: Any, g: Any) -> Any:
    return 2 * ctx.saved_tensors[0] * g


def marked(ctx: Any, x: Any) -> Any:
    ctx.mark_dirty(x)
    return x.mul_(2)


@misuse(
    RuntimeError,
    "function MadeBackward returned an incorrect number of gradients",
    "MadeBackward",
    "[2]",
)
def too_few_gradients_of_a_function(torch: Any) -> None:
    made = function(torch, lambda ctx, x, y: x * y)
    made.apply(leaf(torch), leaf(torch)).sum().backward()  # <-


@misuse(
    RuntimeError,
    "function MadeBackward returned an incorrect number of gradients",
    "MadeBackward",
    "[2]",
)
def too_many_gradients_of_a_function(torch: Any) -> None:
    made = function(torch, double, lambda ctx, g: (g, g))
    made.apply(leaf(torch)).sum().backward()  # <-


@misuse(
    RuntimeError, "Function MadeBackward returned an invalid gradient at index 0", "float32", "[2]"
)
def gradient_of_a_wrong_shape(torch: Any) -> None:
    made = function(torch, double, lambda ctx, g: g.new_ones(3))
    made.apply(leaf(torch)).sum().backward()  # <-


@misuse(RuntimeError, "expected Variable or None", "MadeBackward", "[2]")
def gradient_that_is_no_tensor(torch: Any) -> None:
    made = function(torch, double, lambda ctx, g: 2.0)
    made.apply(leaf(torch)).sum().backward()  # <-


@misuse(
    RuntimeError,
    "function MadeBackward returned a gradient different than None at position 2",
    "MadeBackward",
    "[2]",
)
def gradient_of_a_number(torch: Any) -> None:
    made = function(torch, lambda ctx, x, n: x * n, lambda ctx, g: (g, g))
    made.apply(leaf(torch), 3.0).sum().backward()  # <-


@misuse(
    RuntimeError,
    "a leaf Variable that requires grad has been used in an in-place operation.",
    "Made",
    "[2]",
)
def leaf_marked_dirty(torch: Any) -> None:
    function(torch, marked).apply(leaf(torch))  # <-


@misuse(
    RuntimeError,
    "Some elements marked as dirty during the forward method were not returned as output.",
    "[2]",
)
def dirty_input_not_returned(torch: Any) -> None:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.mark_dirty(x)
        return x.mul_(2).clone()

    function(torch, forward).apply(leaf(torch) * 1)  # <-


@misuse(TypeError, "save_for_backward can only save variables, but argument 0 is of type", "[2]")
def number_saved(torch: Any) -> None:
    def forward(ctx: Any, x: Any) -> Any:
        ctx.save_for_backward(3.0)
        return x * 3

    function(torch, forward).apply(leaf(torch))  # <-


@misuse(RuntimeError, CHANGED, "Made", "[2]")
def saved_tensor_of_a_function_changed(torch: Any) -> None:
    x = leaf(torch) * 1
    y = function(torch, square, of_square).apply(x)  # <-
    x.add_(1)
    y.sum().backward()


@misuse(RuntimeError, SECOND, "MadeBackward", "[2]")
def second_backward_of_a_function(torch: Any) -> None:
    y = function(torch, square, of_square).apply(leaf(torch))  # <-
    y.sum().backward()
    y.sum().backward()


@misuse(
    NotImplementedError,
    "You must implement either the backward or vjp method for your custom autograd.Function",
    "[2]",
)
def function_without_backward(torch: Any) -> None:
    made = type("Made", (torch.autograd.Function,), {"forward": staticmethod(double)})
    made.apply(leaf(torch)).sum().backward()  # <-


@misuse(
    NotImplementedError,
    "You must implement the forward function for custom autograd.Function.",
    "[2]",
)
def function_without_forward(torch: Any) -> None:
    type("Made", (torch.autograd.Function,), {}).apply(leaf(torch))  # <-


@misuse(RuntimeError, "Legacy autograd function with non-static forward method is deprecated.")
def function_that_is_called(torch: Any) -> None:
    function(torch, double)()(leaf(torch))  # <-


@misuse(
    RuntimeError,
    "trying to differentiate twice a function that was marked with @once_differentiable",
    "[2]",
)
def differentiated_twice(torch: Any) -> None:
    once = torch.autograd.function.once_differentiable(of_square)
    x = leaf(torch)
    y = function(torch, square, once).apply(x)
    (g,) = torch.autograd.grad((y * y).sum(), x, create_graph=True)  # <-
    g.sum().backward()


@misuse(RuntimeError, "Output 0 of Made is a view and is being modified inplace.", "[2]")
def view_of_a_function_changed(torch: Any) -> None:
    made = function(torch, lambda ctx, x: x.view(2))
    made.apply(leaf(torch, 2, 1) * 1).mul_(2)  # <-


@misuse(RuntimeError, "Output 0 of Made is a view and is being modified inplace.", "[2]")
def input_returned_as_it_is_changed(torch: Any) -> None:
    made = function(torch, lambda ctx, x: x)
    made.apply(leaf(torch) * 1).mul_(2)  # <-


@misuse(AttributeError, "'MadeBackward' object has no attribute 'scale'", "[2]")
def attribute_that_was_not_set(torch: Any) -> None:
    made = function(torch, double, lambda ctx, g: g * ctx.scale)
    made.apply(leaf(torch)).sum().backward()  # <-


@misuse(RuntimeError, LEAF, "mul_", "[2]")
def leaf_changed_by_the_result_of_a_function(torch: Any) -> None:
    x = leaf(torch)
    x.mul_(function(torch, double).apply(x))  # <-
