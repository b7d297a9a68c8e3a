"""Programs that misuse ``.grad``, hooks, flags and inference mode, and NaN; see `misuse_cases`."""

from __future__ import annotations

import copy
from typing import Any

from misuse_cases import NO_GRAD, leaf, misuse

INFERENCE_CHANGED = (
    "Inplace update to inference tensor outside InferenceMode is not allowed.You can make a clone "
    "to get a normal tensor before doing inplace update."
)

# ---- Gradients, hooks, flags ----


@misuse(
    TypeError, "assigned grad expected to be a Tensor or None but got grad of type float", "[2]"
)
def grad_that_is_a_number(torch: Any) -> None:
    leaf(torch).grad = 1.0  # <-


@misuse(RuntimeError, "attempting to assign a gradient of size '[3]' to a tensor of size", "[2]")
def grad_of_another_shape(torch: Any) -> None:
    leaf(torch).grad = torch.ones(3)  # <-


@misuse(RuntimeError, "attempting to assign a gradient with dtype", "[2]")
def grad_of_another_type(torch: Any) -> None:
    leaf(torch).grad = torch.ones(2, dtype=torch.float64)  # <-


@misuse(RuntimeError, "can't assign Variable as its own grad", "[2]")
def grad_that_is_the_tensor(torch: Any) -> None:
    x = leaf(torch)
    x.grad = x  # <-


@misuse(RuntimeError, "can't retain_grad on Tensor that has requires_grad=False", "[2]")
def retain_grad_without_grad(torch: Any) -> None:
    torch.ones(2).retain_grad()  # <-


@misuse(RuntimeError, "cannot register a hook on a tensor that doesn't require gradient", "[2]")
def hook_without_grad(torch: Any) -> None:
    torch.ones(2).register_hook(print)  # <-


@misuse(RuntimeError, "post accumulate grad hooks cannot be registered on non-leaf tensors", "[2]")
def accumulation_hook_on_a_result(torch: Any) -> None:
    (leaf(torch) * 2).register_post_accumulate_grad_hook(print)  # <-


@misuse(TypeError, "expected Variable, but hook returned 'float'", "MulBackward0", "[2]")
def hook_that_returns_a_number(torch: Any) -> None:
    y = leaf(torch) * 2  # <-
    y.register_hook(lambda g: 1.0)
    y.sum().backward()


@misuse(RuntimeError, "hook '<lambda>' has changed the size of value", "MulBackward0", "[2]")
def hook_that_returns_another_shape(torch: Any) -> None:
    y = leaf(torch) * 2  # <-
    y.register_hook(lambda g: g.sum())
    y.sum().backward()


@misuse(RuntimeError, "hook '<lambda>' has changed the type of value", "MulBackward0", "[2]")
def hook_that_returns_another_type(torch: Any) -> None:
    y = leaf(torch) * 2  # <-
    y.register_hook(lambda g: g.double())
    y.sum().backward()


@misuse(RuntimeError, "only Tensors of floating point dtype can require gradients", "int64", "[2]")
def requires_grad_of_integers(torch: Any) -> None:
    torch.tensor([1, 2]).requires_grad_()  # <-


@misuse(RuntimeError, "Only Tensors of floating point and complex dtype can require gradients")
def tensor_of_integers_with_grad(torch: Any) -> None:
    torch.tensor([1, 2], requires_grad=True)  # <-


@misuse(RuntimeError, "you can only change requires_grad flags of leaf variables.", "Mul", "[2]")
def requires_grad_of_a_result(torch: Any) -> None:
    y = leaf(torch) * 2  # <-
    y.requires_grad = False


@misuse(RuntimeError, "Can't call numpy() on Tensor that requires grad.", "numpy", "[2]")
def numpy_of_what_requires_grad(torch: Any) -> None:
    leaf(torch).numpy()  # <-


@misuse(
    RuntimeError,
    "Only Tensors created explicitly by the user (graph leaves) support the deepcopy protocol",
    "MulBackward0",
    "[2]",
)
def deepcopy_of_a_result(torch: Any) -> None:
    y = leaf(torch) * 2  # <-
    copy.deepcopy(y)


# ---- Inference mode ----


@misuse(RuntimeError, "Inference tensors cannot be saved for backward.", "mul", "[2]")
def inference_tensor_saved(torch: Any) -> None:
    with torch.inference_mode():
        x = torch.ones(2)
    leaf(torch) * x  # <-


@misuse(
    RuntimeError,
    INFERENCE_CHANGED,
    "add_",
    "[2]",
)
def inference_tensor_changed(torch: Any) -> None:
    with torch.inference_mode():
        x = torch.ones(2)
    x.add_(1)  # <-


@misuse(
    RuntimeError,
    "Setting requires_grad=True on inference tensor outside InferenceMode is not allowed.",
    "[2]",
)
def inference_tensor_that_should_require_grad(torch: Any) -> None:
    with torch.inference_mode():
        x = torch.ones(2)
    x.requires_grad_()  # <-


@misuse(RuntimeError, "Inference tensors do not track version counter.", "[2]")
def version_of_an_inference_tensor(torch: Any) -> None:
    with torch.inference_mode():
        x = torch.ones(2)
    _ = x._version  # <-


@misuse(RuntimeError, NO_GRAD, "[]")
def backward_after_inference_mode(torch: Any) -> None:
    x = leaf(torch)
    with torch.inference_mode():
        loss = (x * x).sum()
    loss.backward()  # <-


# ---- NaN ----


@misuse(RuntimeError, "Function 'SqrtBackward0' returned nan values in its 0th output.", "[2]")
def nan_of_sqrt(torch: Any) -> None:
    x = torch.zeros(2, requires_grad=True)
    with torch.autograd.detect_anomaly():
        y = torch.sqrt(x) * 0  # <-
        y.sum().backward()


@misuse(RuntimeError, "Function 'DivBackward0' returned nan values in its 1th output.", "[3]")
def nan_of_normalization(torch: Any) -> None:
    x = torch.zeros(3, requires_grad=True)
    with torch.autograd.set_detect_anomaly(True):
        y = x / x.sum()  # <-
        y.sum().backward()
