"""Activations composed of other operations, and dropout of features."""

from __future__ import annotations

import math

from rushlight.dtypes import finfo, float64
from rushlight.ops import creation
from rushlight.ops._registry import composed
from rushlight.ops.choice import where
from rushlight.ops.nn import elu, leaky_relu
from rushlight.ops.random import dropout
from rushlight.tensor import Tensor

# Of the self-normalising networks of Klambauer et al. (2017).
SELU_ALPHA = 1.6732632423543772848170429916717
SELU_SCALE = 1.0507009873554804934193349852946


def overwritten(input: Tensor, out: Tensor) -> Tensor:
    """`input`, with the values and the derivative of `out`, which was made of its clone."""
    return input.copy_(out)


@composed(method=False)
def celu(input: Tensor, alpha: float = 1.0) -> Tensor:
    """Elementwise ``input`` where positive, else ``alpha * (exp(input / alpha) - 1)``.

    Source: Barron, "Continuously differentiable exponential linear units" (2017).
    """
    if alpha == 0:
        raise RuntimeError("ZeroDivisionError: alpha cannot be 0 for CELU")
    # What is not chosen must not overflow: its derivative would be nan.
    return where(input > 0, input, (input.clamp(max=0) / alpha).expm1() * alpha)


@composed(method=False)
def selu(input: Tensor) -> Tensor:
    """Elementwise `elu`, scaled so that mean and variance of a network's activations stay."""
    return elu(input, SELU_ALPHA) * SELU_SCALE


@composed()
def prelu(input: Tensor, weight: Tensor) -> Tensor:
    """Elementwise ``input`` where positive, else ``weight * input``.

    Args:
        input: (N, C, ...), or of any shape for a single weight.
        weight: one value, or (C).

    Raises:
        RuntimeError: for another number of weights than channels.
    """
    if weight.ndim > 1:
        raise RuntimeError(
            f"prelu: Expected `weight` to be a scalar or 1D tensor, but got: ndim = {weight.ndim}"
        )
    if weight.numel() != 1:
        if input.ndim == 0:
            raise RuntimeError("Not allow zero-dim input tensor.")
        channels = input.shape[1] if input.ndim > 1 else 1
        if weight.numel() != channels:
            raise RuntimeError(
                "Mismatch of parameter numbers and input channel size. Found parameter numbers = "
                f"{weight.numel()} and channel size = {channels}."
            )
    if input.dtype != weight.dtype:
        raise RuntimeError(
            f"prelu: Type promoting not supported. Got {input.dtype} and {weight.dtype}"
        )
    slope = weight.reshape(-1, *(1,) * max(input.ndim - 2, 0)) if input.ndim > 1 else weight
    return where(input > 0, input, slope * input).reshape(input.shape)


@composed(method=False)
def rrelu(
    input: Tensor,
    lower: float = 1 / 8,
    upper: float = 1 / 3,
    training: bool = False,
    generator: None = None,
) -> Tensor:
    """Elementwise ``input`` where positive, else ``slope * input``.

    Args:
        input: floating.
        lower: the least slope.
        upper: the greatest.
        training: draw each slope; otherwise it is the mean of the bounds.
        generator: only None is supported.
    """
    if generator is not None:
        raise NotImplementedError("rrelu: generator is not supported")
    if lower > upper:
        raise RuntimeError("Lower bound should be less than or equal to the upper bound")
    if not training:
        return leaky_relu(input, (lower + upper) / 2)
    negative = input.detach() <= 0
    # As PyTorch, in float64 and only for the elements that need one.
    drawn = creation.empty(int(negative.sum()), dtype=float64, device=input.device)
    slopes = input.new_ones(input.shape)
    slopes[negative] = drawn.uniform_(lower, upper).to(input.dtype)
    return input * slopes


@composed()
def hardshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Elementwise 0 within ``[-lambd, lambd]``, else ``input``."""
    return where((input >= -lambd) & (input <= lambd), 0.0, input)


@composed(method=False)
def softshrink(input: Tensor, lambd: float = 0.5) -> Tensor:
    """Elementwise 0 within ``[-lambd, lambd]``, else ``input`` moved towards 0 by `lambd`."""
    if not lambd >= 0:
        limit = finfo(input.dtype).max
        raise RuntimeError(
            f"lambda must be in range [0, {limit:g}] for input dtype {_scalar(input)}, but found "
            f"{lambd:g}"
        )
    below = where(input < -lambd, input + lambd, input * 0)  # nan stays nan
    return where(input > lambd, input - lambd, below)


def _scalar(x: Tensor) -> str:
    """PyTorch's short name of the element type: Float, Double, Half."""
    return str(x.type()).rpartition(".")[2].removesuffix("Tensor")


@composed(method=False)
def threshold(input: Tensor, threshold: float, value: float) -> Tensor:
    """Elementwise ``input`` above `threshold`, else `value`."""
    return where(input <= threshold, value, input)


# ---- In place ----


@composed(method=False)
def relu_(input: Tensor) -> Tensor:
    """`relu`, in place."""
    return input.relu_()


@composed(method=False)
def celu_(input: Tensor, alpha: float = 1.0) -> Tensor:
    """`celu`, in place."""
    return overwritten(input, celu(input.clone(), alpha))


@composed(method=False)
def selu_(input: Tensor) -> Tensor:
    """`selu`, in place."""
    return overwritten(input, selu(input.clone()))


@composed(method=False)
def rrelu_(
    input: Tensor, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False
) -> Tensor:
    """`rrelu`, in place."""
    return overwritten(input, rrelu(input.clone(), lower, upper, training))


@composed(method=False)
def threshold_(input: Tensor, threshold: float, value: float) -> Tensor:
    """`threshold`, in place."""
    return overwritten(input, where(input <= threshold, value, input.clone()))


# ---- Dropout of features, and what keeps mean and variance ----


def _check_probability(p: float) -> None:
    if not 0.0 <= p <= 1.0:
        raise RuntimeError(f"dropout probability has to be between 0 and 1, but got {p:g}")


def _feature_shape(input: Tensor) -> tuple[int, ...]:
    """One element for each channel of each sample."""
    if input.ndim < 2:
        raise RuntimeError("Feature dropout requires at least 2 dimensions in the input")
    return (*input.shape[:2], *(1,) * (input.ndim - 2))


@composed(method=False)
def feature_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`dropout` of whole channels, which are dimension 1."""
    _check_probability(p)
    if p == 0 or not train or input.numel() == 0:
        return input
    if p == 1:
        return input * 0.0
    return input * dropout(input.new_ones(_feature_shape(input)), p, True)


def _alpha_dropout(input: Tensor, p: float, train: bool, shape: tuple[int, ...] | None) -> Tensor:
    """What is dropped becomes SELU's lower limit; then all is brought back to mean and variance."""
    _check_probability(p)
    if p == 0 or not train or input.numel() == 0:
        return input
    if p == 1:
        return input * 0.0
    kept = input.new_empty(input.shape if shape is None else shape).bernoulli_(1 - p)
    alpha = SELU_ALPHA * SELU_SCALE
    scale = 1 / math.sqrt((alpha * alpha * p + 1) * (1 - p))
    shift = (kept - 1) * (alpha * scale) + alpha * scale * p
    return input * (kept * scale) + shift


@composed(method=False)
def alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """Dropout that keeps mean 0 and variance 1, for networks of `selu`."""
    return _alpha_dropout(input, p, train, None)


@composed(method=False)
def feature_alpha_dropout(input: Tensor, p: float, train: bool) -> Tensor:
    """`alpha_dropout` of whole channels, which are dimension 1."""
    shape = _feature_shape(input) if train and 0 < p < 1 and input.numel() else None
    return _alpha_dropout(input, p, train, shape)


@composed(method=False)
def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`dropout`, in place."""
    return overwritten(input, dropout(input.clone(), p, train))


@composed(method=False)
def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`alpha_dropout`, in place."""
    return overwritten(input, alpha_dropout(input.clone(), p, train))


@composed(method=False)
def feature_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`feature_dropout`, in place."""
    return overwritten(input, feature_dropout(input.clone(), p, train))


@composed(method=False)
def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """`feature_alpha_dropout`, in place."""
    return overwritten(input, feature_alpha_dropout(input.clone(), p, train))


@composed(method=False)
def native_dropout(input: Tensor, p: float, train: bool | None) -> tuple[Tensor, Tensor]:
    """`dropout`, and the mask (bool) of what was kept."""
    if train is False or input.numel() == 0:
        return input.clone(), input.new_ones(input.shape).bool()
    if p == 1:
        return input * 0.0, input.new_zeros(input.shape).bool()
    mask = input.new_empty(input.shape).bernoulli_(1 - p)
    return input * mask * (1 / (1 - p)), mask.bool()


@composed(method=False)
def native_dropout_backward(grad_output: Tensor, mask: Tensor, scale: float) -> Tensor:
    """The gradient of `native_dropout`: ``grad_output * mask * scale``."""
    return grad_output * mask * scale
