"""Softmax over many classes, most of them rare."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from rushlight import ops
from rushlight.tensor import Tensor

from .container import ModuleList, Sequential
from .linear import Linear
from .module import Module

__all__ = ["AdaptiveLogSoftmaxWithLoss"]


class AdaptiveOutput(NamedTuple):
    """What `AdaptiveLogSoftmaxWithLoss` returns.

    Attributes:
        output: the log-probability of each target, (N) or ().
        loss: the negative of their mean.
    """

    output: Tensor
    loss: Tensor


class AdaptiveLogSoftmaxWithLoss(Module):
    """Log-probabilities of classes in clusters: frequent ones first, rare ones in small maps.

    Args:
        in_features: the size of the input's last dimension.
        n_classes: all classes, the most frequent first.
        cutoffs: where each cluster but the first begins.
        div_value: by what the size of the map of each cluster is divided.
        head_bias: whether the map of the first cluster has a bias.
        device: where the parameters lie.
        dtype: their type.

    Raises:
        ValueError: for cutoffs that are not increasing within ``[1, n_classes - 1]``.

    Source: Grave et al. (2017).
    """

    def __init__(
        self,
        in_features: int,
        n_classes: int,
        cutoffs: Sequence[int],
        div_value: float = 4.0,
        head_bias: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        cutoffs = list(cutoffs)
        if not cutoffs:
            raise ValueError("cutoffs should be a sequence of length larger than 0")
        if (
            cutoffs != sorted(set(cutoffs))
            or cutoffs[0] <= 0
            or cutoffs[-1] > n_classes - 1
            or any(int(c) != c for c in cutoffs)
        ):
            raise ValueError(
                "cutoffs should be a sequence of unique, positive integers sorted in an "
                "increasing order, where each value is between 1 and n_classes-1"
            )
        self.in_features = in_features
        self.n_classes = n_classes
        self.cutoffs = [*cutoffs, n_classes]
        self.div_value = div_value
        self.head_bias = head_bias
        self.shortlist_size = cutoffs[0]
        self.n_clusters = len(cutoffs)
        self.head_size = self.shortlist_size + self.n_clusters
        options = {"device": device, "dtype": dtype}
        self.head = Linear(in_features, self.head_size, bias=head_bias, **options)
        self.tail = ModuleList()
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            size = int(in_features // div_value ** (i + 1))
            inner = Linear(in_features, size, bias=False, **options)
            self.tail.append(Sequential(inner, Linear(size, high - low, bias=False, **options)))

    def reset_parameters(self) -> None:
        """Draw new initial values."""
        self.head.reset_parameters()
        for inner, outer in self.tail:
            inner.reset_parameters()
            outer.reset_parameters()

    def forward(self, input_: Tensor, target_: Tensor) -> AdaptiveOutput:
        """Return the log-probabilities of the targets and the loss.

        Args:
            input_: (N, in_features) or (in_features).
            target_: classes, (N) or ().

        Raises:
            RuntimeError: for shapes that do not fit, and for a target that is no class.
        """
        _check_shapes(input_, target_)
        batched = target_.dim() > 0
        x = input_ if batched else input_.unsqueeze(0)
        target = target_ if batched else target_.unsqueeze(0)
        if bool(((target < 0) | (target >= self.n_classes)).any()):
            raise RuntimeError(
                f"Target values should be in [0, {self.n_classes - 1}], but values in range "
                f"[{target.min().item()}, {target.max().item()}] were found. "
            )
        places, own = target, x.new_zeros(target.shape)
        for i, (low, high) in enumerate(pairwise(self.cutoffs)):
            inside = (target >= low) & (target < high)
            if bool(inside.any()):
                logs = ops.log_softmax(self.tail[i](x[inside]), 1)
                chosen = logs.gather(1, (target[inside] - low).unsqueeze(1)).squeeze(1)
                own[inside] = chosen
                places = ops.where(inside, self.shortlist_size + i, places)
        head = ops.log_softmax(self.head(x), 1)
        output = own + head.gather(1, places.unsqueeze(1)).squeeze(1)
        return AdaptiveOutput(output if batched else output.squeeze(0), -output.mean())

    def _all(self, input: Tensor, head_output: Tensor) -> Tensor:
        head = ops.log_softmax(head_output, 1)
        parts = [head[:, : self.shortlist_size]]
        for i, tail in enumerate(self.tail):
            cluster = head[:, self.shortlist_size + i].unsqueeze(1)
            parts.append(ops.log_softmax(tail(input), 1) + cluster)
        return ops.cat(parts, 1)

    def log_prob(self, input: Tensor) -> Tensor:
        """Return the log-probabilities of all classes, (N, n_classes)."""
        return self._all(input, self.head(input))

    def predict(self, input: Tensor) -> Tensor:
        """Return the most probable class of each row."""
        head = self.head(input)
        best: Tensor = head.argmax(1)
        rare = best >= self.shortlist_size
        if bool(rare.any()):
            best[rare] = self._all(input[rare], head[rare]).argmax(1)
        return best


def _check_shapes(input: Tensor, target: Tensor) -> None:
    dims = target.dim()
    if dims > 1:
        raise RuntimeError("0D or 1D target tensor expected, multi-target not supported")
    if dims == 1 and input.shape[0] != target.shape[0]:
        raise RuntimeError("Input and target should have the same size in the batch dimension.")
    if input.dim() != dims + 1:
        raise RuntimeError(
            f"{dims}D target tensor expects {dims + 1}D input tensors, but found inputs with size "
            f"{input.shape}"
        )
