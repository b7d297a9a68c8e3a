"""Which operations compute in a shorter or a longer type inside of autocast, and their casts.

The table is PyTorch's. The context managers are in `rushlight.amp`; what an operation looks at is
`blocks`, which counts those that are open in any thread.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from rushlight import dtypes
from rushlight.autograd.grad_mode import state as grad_state

__all__ = ["NAMES", "POLICIES", "blocks", "cast", "casting", "state"]

F = TypeVar("F", bound=Callable[..., Any])

# Computed in the type of the block.
_LOWER = (
    "addbmm addmm baddbmm bmm conv1d conv2d conv3d conv_transpose1d conv_transpose2d "
    "conv_transpose3d linear matmul mm prelu scaled_dot_product_attention vecdot"
)
_LOWER_CUDA = (
    "addmv addr chain_matmul einsum gru_cell lstm_cell multi_dot mv rnn_relu_cell rnn_tanh_cell"
)
# Computed in float32.
_FULL = (
    "binary_cross_entropy_with_logits cosine_embedding_loss cross_entropy hinge_embedding_loss "
    "huber_loss kl_div l1_loss margin_ranking_loss mse_loss multi_margin_loss "
    "multilabel_margin_loss nll_loss poisson_nll_loss prod smooth_l1_loss soft_margin_loss "
    "triplet_margin_loss cdist"
)
_FULL_CPU = (
    "adaptive_avg_pool3d avg_pool3d binary_cross_entropy ctc_loss grid_sample max_pool3d "
    "max_unpool2d max_unpool3d nanquantile quantile stft trace cholesky cholesky_inverse "
    "cholesky_solve inverse lu_solve orgqr ormqr pinverse"
)
_FULL_CUDA = (
    "acos asin cosh cosine_similarity cumprod cumsum dist erfinv exp expm1 group_norm layer_norm "
    "log log10 log1p log2 log_softmax logsumexp norm pdist pow reciprocal renorm rms_norm rsqrt "
    "sinh softmax softplus sum tan"
)
# Computed in the widest type of the operands.
_WIDEST_CPU = "cat index_copy stack"
_WIDEST_CUDA = (
    "addcdiv addcmul atan2 bilinear cat cross dot grid_sample index_put scatter_add stack "
    "tensordot vdot"
)


def _table(**names: str) -> dict[str, str]:
    return {name: policy for policy, text in names.items() for name in text.split()}


POLICIES = {
    "cpu": _table(lower=_LOWER, full=f"{_FULL} {_FULL_CPU}", widest=_WIDEST_CPU),
    "cuda": _table(
        lower=f"{_LOWER} {_LOWER_CUDA}", full=f"{_FULL} {_FULL_CUDA}", widest=_WIDEST_CUDA
    ),
}
NAMES = frozenset(name for table in POLICIES.values() for name in table)


class _Blocks:
    """How many blocks are open in any thread: all that the common path looks at."""

    __slots__ = ("_lock", "open")

    def __init__(self) -> None:
        self.open = 0
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        """Counts blocks that open or, negative, close."""
        with self._lock:
            self.open += count


blocks = _Blocks()


class _State(threading.local):
    """Of each thread.

    Attributes:
        enabled: by kind of device.
        types: names of the types to compute in, by kind of device.
        depth: blocks that are open in this thread.
        cache_enabled: whether casts of parameters are kept until the outermost block ends.
        cache: those casts, by parameter, its version, the type and whether they are recorded.
    """

    def __init__(self) -> None:
        self.enabled = {"cpu": False, "cuda": False}
        self.types = {"cpu": "bfloat16", "cuda": "float16"}
        self.depth = 0
        self.cache_enabled = True
        self.cache: dict[Any, tuple[Any, Any]] = {}


state = _State()


def lower_type(kind: str) -> dtypes.dtype:
    """The type to compute in on a kind of device."""
    found: dtypes.dtype = getattr(dtypes, state.types[kind])
    return found


def cast(name: str, *values: Any) -> tuple[Any, ...]:
    """The operands of an operation in the type that it computes in.

    Args:
        name: of the operation.
        values: tensors, or lists of them; anything else is passed on.
    """
    tensors = _floating(values)
    if not tensors:
        return values
    kind = tensors[0].device.type
    policy = POLICIES[kind].get(name) if state.enabled[kind] else None
    if policy is None:
        return values
    if policy == "widest":
        wide = {tensor.dtype for tensor in tensors} - {lower_type(kind)}
        if dtypes.float64 in wide:
            return values
        target = dtypes.float32 if wide else lower_type(kind)
    else:
        target = lower_type(kind) if policy == "lower" else dtypes.float32
    return tuple(_cast(value, target) for value in values)


def casting(function: F) -> F:
    """A function made of operations, named in the table: it casts its operands, and they do not."""
    name = function.__name__

    @functools.wraps(function)
    def cast_first(*args: Any, **kwargs: Any) -> Any:
        if not blocks.open or not any(state.enabled.values()):
            return function(*args, **kwargs)
        given = cast(name, *args, *kwargs.values())
        if all(old is new for old, new in zip((*args, *kwargs.values()), given, strict=True)):
            return function(*args, **kwargs)
        outer, state.enabled = state.enabled, dict.fromkeys(state.enabled, False)
        try:
            count = len(args)
            return function(*given[:count], **dict(zip(kwargs, given[count:], strict=True)))
        finally:
            state.enabled = outer

    return cast_first  # type: ignore[return-value]


def _floating(values: Any) -> list[Any]:
    """The floating tensors among the values, in lists too."""
    found = []
    for value in values:
        if isinstance(value, (list, tuple)):
            found += _floating(value)
        elif hasattr(value, "_array") and value.is_floating_point():
            found.append(value)
    return found


def _cast(value: Any, target: dtypes.dtype) -> Any:
    if isinstance(value, (list, tuple)):
        return type(value)(_cast(part, target) for part in value)
    if not _floating([value]) or value.dtype in (target, dtypes.float64):
        return value
    if not (state.cache_enabled and value.requires_grad and value.is_leaf):
        return value.to(target)
    key = (id(value), value._version, target, grad_state.enabled)
    if key not in state.cache:
        state.cache[key] = (value, value.to(target))  # the value too, so that its identity stays
    return state.cache[key][1]
