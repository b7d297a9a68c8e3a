"""Attention in several heads."""

from __future__ import annotations

from typing import Any

from rushlight import ops
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.nn.functional._attention import _canonical_mask
from rushlight.nn.parameter import Parameter
from rushlight.tensor import Tensor

from .linear import NonDynamicallyQuantizableLinear
from .module import Module

__all__ = ["MultiheadAttention"]


class MultiheadAttention(Module):
    """Attention in several heads, between linear maps.

    Args:
        embed_dim: the size of queries and results.
        num_heads: must divide `embed_dim`.
        dropout: probability of dropout of the weights.
        bias: whether the maps have biases.
        add_bias_kv: whether to learn one more key and value.
        add_zero_attn: whether to add one more key and value, of zeros.
        kdim: the size of keys, `embed_dim` when None.
        vdim: the size of values, `embed_dim` when None.
        batch_first: whether the batch is the first dimension, not the second.
        device: where the parameters lie.
        dtype: their type.

    Source: Vaswani et al. (2017), section 3.2.2.
    """

    bias_k: Parameter | None
    bias_v: Parameter | None

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        batch_first: bool = False,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        if embed_dim <= 0 or num_heads <= 0:
            raise ValueError(
                "embed_dim and num_heads must be greater than 0, got "
                f"embed_dim={embed_dim} and num_heads={num_heads} instead"
            )
        super().__init__()
        self.embed_dim = embed_dim
        self.kdim = embed_dim if kdim is None else kdim
        self.vdim = embed_dim if vdim is None else vdim
        self._qkv_same_embed_dim = self.kdim == self.vdim == embed_dim
        self.num_heads = num_heads
        self.dropout = dropout
        self.batch_first = batch_first
        self.head_dim = embed_dim // num_heads
        if self.head_dim * num_heads != embed_dim:
            raise AssertionError("embed_dim must be divisible by num_heads")

        def parameter(*size: int) -> Parameter:
            return Parameter(ops.empty(size, device=device, dtype=dtype))

        one = self._qkv_same_embed_dim
        for name, size in (("q", embed_dim), ("k", self.kdim), ("v", self.vdim)):
            value = None if one else parameter(embed_dim, size)
            self.register_parameter(f"{name}_proj_weight", value)
        self.register_parameter(
            "in_proj_weight", parameter(3 * embed_dim, embed_dim) if one else None
        )
        self.register_parameter("in_proj_bias", parameter(3 * embed_dim) if bias else None)
        self.out_proj = NonDynamicallyQuantizableLinear(
            embed_dim, embed_dim, bias=bias, device=device, dtype=dtype
        )
        for name in ("bias_k", "bias_v"):
            self.register_parameter(name, parameter(1, 1, embed_dim) if add_bias_kv else None)
        self.add_zero_attn = add_zero_attn
        self._reset_parameters()

    def _reset_parameters(self) -> None:
        """Draw new initial values, in PyTorch's order."""
        for name in ("in_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"):
            if (weight := getattr(self, name)) is not None:
                init.xavier_uniform_(weight)
        for bias in (self.in_proj_bias, self.out_proj.bias):
            if bias is not None:
                init.zeros_(bias)
        for bias in (self.bias_k, self.bias_v):
            if bias is not None:
                init.xavier_normal_(bias)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        key_padding_mask: Tensor | None = None,
        need_weights: bool = True,
        attn_mask: Tensor | None = None,
        average_attn_weights: bool = True,
        is_causal: bool = False,
    ) -> tuple[Tensor, Tensor | None]:
        """Return the results and the weights; see `functional.multi_head_attention_forward`.

        Args:
            query: (targets, batch, embed_dim), with `batch_first` (batch, targets, embed_dim), or
                (targets, embed_dim).
            key: (sources, batch, kdim), and so on.
            value: (sources, batch, vdim), and so on.
            key_padding_mask: (batch, sources), True or minus infinity for sources that do not
                count.
            need_weights: whether to return the weights.
            attn_mask: (targets, sources) or (batch * heads, targets, sources), in the same way.
            average_attn_weights: whether the weights are the mean of the heads'.
            is_causal: says that `attn_mask` is causal.
        """
        dtype = query.dtype
        padding = _canonical_mask(
            key_padding_mask, "key_padding_mask", dtype, attn_mask, "attn_mask"
        )
        attn_mask = _canonical_mask(attn_mask, "attn_mask", dtype)
        swapped = self.batch_first and query.dim() == 3
        if swapped:
            query, key, value = _swapped(query, key, value)
        out, weights = F.multi_head_attention_forward(
            query,
            key,
            value,
            self.embed_dim,
            self.num_heads,
            self.in_proj_weight,
            self.in_proj_bias,
            self.bias_k,
            self.bias_v,
            self.add_zero_attn,
            self.dropout,
            self.out_proj.weight,
            self.out_proj.bias,
            training=self.training,
            key_padding_mask=padding,
            need_weights=need_weights,
            attn_mask=attn_mask,
            use_separate_proj_weight=not self._qkv_same_embed_dim,
            q_proj_weight=self.q_proj_weight,
            k_proj_weight=self.k_proj_weight,
            v_proj_weight=self.v_proj_weight,
            average_attn_weights=average_attn_weights,
            is_causal=is_causal,
        )
        return out.transpose(0, 1) if swapped else out, weights


def _swapped(*tensors: Tensor) -> tuple[Tensor, ...]:
    """The tensors with their first two dimensions exchanged; what was one stays one."""
    swapped = {id(x): x.transpose(0, 1) for x in tensors}
    return tuple(swapped[id(x)] for x in tensors)
