"""Attention: weighted means of values, the weights from products of queries and keys."""

from __future__ import annotations

import math
import warnings
from typing import Any

from rushlight import ops
from rushlight.dtypes import bool as bool_
from rushlight.tensor import Tensor

from ._dropout import dropout
from ._padding import pad

__all__ = ["multi_head_attention_forward", "scaled_dot_product_attention"]

# ---- Scaled dot products ----


def scaled_dot_product_attention(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """``softmax(Q K^T scale + mask) V``; a query for which nothing is left gives 0.

    Args:
        query: Q, (..., heads, targets, size).
        key: K, (..., heads, sources, size).
        value: V, (..., heads, sources, size of the result).
        attn_mask: broadcast to (..., targets, sources): bool, True where a source counts, or
            numbers to be added.
        dropout_p: probability of dropout of the weights, whatever the mode of a module.
        is_causal: whether a target is to see no later source; instead of a mask.
        scale: ``1 / sqrt(size)`` when None.
        enable_gqa: whether keys and values have fewer heads, each for several of the queries'.

    Raises:
        RuntimeError: for types and shapes that do not fit, and for a mask with `is_causal`.
    """
    _check_operands(query, key, value, attn_mask, is_causal)
    if enable_gqa:
        key, value = (_repeat_heads(x, query.shape[-3]) for x in (key, value))
    factor = 1 / math.sqrt(query.shape[-1]) if scale is None else scale
    scores = (query * factor) @ key.transpose(-2, -1)
    if is_causal:
        targets, sources = scores.shape[-2:]
        row = ops.arange(targets, device=query.device).unsqueeze(1)
        attn_mask = ops.arange(sources, device=query.device) <= row
    weights = ops.softmax(scores, -1) if attn_mask is None else _masked_softmax(scores, attn_mask)
    if dropout_p:
        weights = ops.dropout(weights, dropout_p, True)
    return weights @ value


def _masked_softmax(scores: Tensor, mask: Tensor) -> Tensor:
    """The softmax of what the mask leaves, 0 where that is nothing."""
    scores = ops.where(mask, scores, -math.inf) if mask.dtype is bool_ else scores + mask
    dead = ops.eq(scores, -math.inf).all(-1, True)
    weights = ops.softmax(ops.where(dead, 0.0, scores), -1)
    return ops.where(dead, 0.0, weights)


def _repeat_heads(x: Tensor, heads: int) -> Tensor:
    *lead, own, length, size = x.shape
    if own == 0 or heads % own:
        raise RuntimeError(
            "Number of heads in key and value must divide the number of heads in query; got "
            f"{own} and {heads}"
        )
    wide = x.unsqueeze(-3).expand(*lead, own, heads // own, length, size)
    return wide.reshape(*lead, heads, length, size)


def _check_operands(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, is_causal: bool
) -> None:
    dims = [x.dim() for x in (query, key, value)]
    if min(dims) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{dims[0]} key.dim: {dims[1]} and value.dim: {dims[2]} instead."
        )
    if not query.dtype == key.dtype == value.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{query.dtype} key.dtype: {key.dtype} and value.dtype: {value.dtype} instead."
        )
    if mask is None:
        return
    if is_causal:
        raise RuntimeError(
            "_scaled_dot_product_attention: Explicit attn_mask should not be set when "
            "is_causal=True"
        )
    if mask.dtype not in (bool_, query.dtype):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {mask.dtype} and  query.dtype: {query.dtype} instead."
        )


# ---- Several heads ----


def _canonical_mask(
    mask: Tensor | None, name: str, dtype: Any, other: Tensor | None = None, other_name: str = ""
) -> Tensor | None:
    """The mask as numbers to be added: of a bool one, minus infinity where it is True."""
    if mask is None:
        return None
    if mask.dtype is not bool_ and not mask.is_floating_point():
        raise AssertionError(f"only bool and floating types of {name} are supported")
    if other is not None and other.dtype is not mask.dtype:
        warnings.warn(
            f"Support for mismatched {name} and {other_name} is deprecated. Use same type for both "
            "instead.",
            stacklevel=3,
        )
    if mask.is_floating_point():
        return mask
    numbers = (ops.full((), v, dtype=dtype, device=mask.device) for v in (-math.inf, 0.0))
    return ops.where(mask, *numbers)


def _check_dims(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    key_padding_mask: Tensor | None,
    attn_mask: Tensor | None,
    num_heads: int,
) -> bool:
    """Whether there is a batch.

    Raises:
        AssertionError: for dimensions that do not fit.
    """
    dims = query.dim()
    if dims not in (2, 3):
        raise AssertionError(
            f"query should be unbatched 2D or batched 3D tensor but received {dims}-D query tensor"
        )
    batched = dims == 3
    opening = f"For {'batched (3-D)' if batched else 'unbatched (2-D)'} `query`, expected"
    if key.dim() != dims or value.dim() != dims:
        raise AssertionError(
            f"{opening} `key` and `value` to be {dims}-D but found {key.dim()}-D and "
            f"{value.dim()}-D tensors respectively"
        )
    if key_padding_mask is not None and key_padding_mask.dim() != dims - 1:
        raise AssertionError(
            f"{opening} `key_padding_mask` to be `None` or {dims - 1}-D but found "
            f"{key_padding_mask.dim()}-D tensor instead"
        )
    if attn_mask is not None:
        if attn_mask.dim() not in (2, 3):
            raise AssertionError(
                f"{opening} `attn_mask` to be `None`, 2-D or 3-D but found "
                f"{attn_mask.dim()}-D tensor instead"
            )
        expected = (num_heads, query.shape[0], key.shape[0])
        if not batched and attn_mask.dim() == 3 and tuple(attn_mask.shape) != expected:
            raise AssertionError(
                f"Expected `attn_mask` shape to be {expected} but got {attn_mask.shape}"
            )
    return batched


def _projected(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    weight: Tensor | tuple[Tensor | None, ...] | None,
    bias: Tensor | None,
) -> tuple[Tensor, ...]:
    """Queries, keys and values by their maps; equal inputs by one product."""
    if isinstance(weight, tuple):
        biases = (None,) * 3 if bias is None else bias.chunk(3)
        results = []
        for name, x, w, b in zip("qkv", (query, key, value), weight, biases, strict=True):
            if w is None:
                raise AssertionError(
                    f"use_separate_proj_weight is True but {name}_proj_weight is None"
                )
            results.append(ops.linear(x, w, b))
        return tuple(results)
    if weight is None:
        raise AssertionError("use_separate_proj_weight is False but in_proj_weight is None")
    if key is value and query is key:
        return tuple(ops.linear(query, weight, bias).chunk(3, -1))
    size = query.shape[-1]
    if key is value:
        w_q, w_kv = weight.split([size, 2 * size])
        b_q, b_kv = (None, None) if bias is None else bias.split([size, 2 * size])
        return ops.linear(query, w_q, b_q), *ops.linear(key, w_kv, b_kv).chunk(2, -1)
    return _projected(query, key, value, tuple(weight.chunk(3)), bias)


def _check_static(name: str, x: Tensor, rows: int, size: int) -> Tensor:
    for dim, expected in ((0, rows), (2, size)):
        if x.shape[dim] != expected:
            raise AssertionError(
                f"expecting {name}.size({dim}) of {expected}, but got {x.shape[dim]}"
            )
    return x


class _Sources:
    """Keys and values in heads, (batch * heads, sources, size), and the masks over them."""

    def __init__(
        self, k: Tensor, v: Tensor, attn_mask: Tensor | None, padding: Tensor | None
    ) -> None:
        self.k, self.v = k, v
        self.attn_mask, self.padding = attn_mask, padding

    def append(self, k: Tensor, v: Tensor, dim: int) -> None:
        """Adds one source that every target sees."""
        self.k, self.v = ops.cat([self.k, k], dim), ops.cat([self.v, v], dim)
        if self.attn_mask is not None:
            self.attn_mask = pad(self.attn_mask, (0, 1))
        if self.padding is not None:
            self.padding = pad(self.padding, (0, 1))

    def mask(self, batch: int, heads: int) -> Tensor | None:
        """Both masks in one, (batch * heads or 1, targets or 1, sources)."""
        if self.padding is None:
            return self.attn_mask
        sources = self.k.shape[1]
        for dim, expected in enumerate((batch, sources)):
            if self.padding.shape[dim] != expected:
                raise AssertionError(
                    f"Expected key_padded_mask.shape[{dim}] to be {expected}, but got "
                    f"{self.padding.shape[dim]}"
                )
        wide = self.padding.reshape(batch, 1, 1, sources).expand(-1, heads, -1, -1)
        wide = wide.reshape(batch * heads, 1, sources)
        return wide if self.attn_mask is None else self.attn_mask + wide


def _checked_mask(
    mask: Tensor | None, targets: int, sources: int, batch_heads: int
) -> Tensor | None:
    """The mask in three dimensions."""
    if mask is None:
        return None
    expected = (targets, sources) if mask.dim() == 2 else (batch_heads, targets, sources)
    if tuple(mask.shape) != expected:
        raise RuntimeError(
            f"The shape of the {mask.dim()}D attn_mask is {mask.shape}, but should be {expected}."
        )
    return mask.unsqueeze(0) if mask.dim() == 2 else mask


def _check_sizes(
    query: Tensor, key: Tensor, value: Tensor, size: int, num_heads: int, separate: bool
) -> None:
    if query.shape[2] != size:
        raise AssertionError(
            f"was expecting embedding dimension of {size}, but got {query.shape[2]}"
        )
    if size % num_heads:
        raise AssertionError(f"embed_dim {size} not divisible by num_heads {num_heads}")
    if separate and key.shape[:2] != value.shape[:2]:
        raise AssertionError(
            f"key's sequence and batch dims {key.shape[:2]} do not match value's {value.shape[:2]}"
        )
    if not separate and key.shape != value.shape:
        raise AssertionError(f"key shape {key.shape} does not match value shape {value.shape}")


def multi_head_attention_forward(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    embed_dim_to_check: int,
    num_heads: int,
    in_proj_weight: Tensor | None,
    in_proj_bias: Tensor | None,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    add_zero_attn: bool,
    dropout_p: float,
    out_proj_weight: Tensor,
    out_proj_bias: Tensor | None,
    training: bool = True,
    key_padding_mask: Tensor | None = None,
    need_weights: bool = True,
    attn_mask: Tensor | None = None,
    use_separate_proj_weight: bool = False,
    q_proj_weight: Tensor | None = None,
    k_proj_weight: Tensor | None = None,
    v_proj_weight: Tensor | None = None,
    static_k: Tensor | None = None,
    static_v: Tensor | None = None,
    average_attn_weights: bool = True,
    is_causal: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """`scaled_dot_product_attention` in several heads, between linear maps.

    Args:
        query: (targets, batch, embed_dim) or (targets, embed_dim).
        key: (sources, batch, size) or (sources, size).
        value: the same.
        embed_dim_to_check: embed_dim.
        num_heads: must divide embed_dim.
        in_proj_weight: the maps of query, key and value, one over the other.
        in_proj_bias: their biases.
        bias_k: one more key, (1, 1, embed_dim).
        bias_v: its value.
        add_zero_attn: whether to add one more key and value, of zeros.
        dropout_p: probability of dropout of the weights, in training.
        out_proj_weight: the map of the result.
        out_proj_bias: its bias.
        training: whether there is dropout.
        key_padding_mask: (batch, sources), True or minus infinity for sources that do not count.
        need_weights: whether to return the weights.
        attn_mask: (targets, sources) or (batch * heads, targets, sources), in the same way.
        use_separate_proj_weight: whether the maps are given one by one.
        q_proj_weight: the query's.
        k_proj_weight: the key's.
        v_proj_weight: the value's.
        static_k: keys to use, (batch * heads, sources, head size).
        static_v: values to use.
        average_attn_weights: whether the weights are the mean of the heads'.
        is_causal: says that `attn_mask` is causal.

    Returns:
        The result, of the query's shape, and the weights, (batch, targets, sources) or
        (batch, heads, targets, sources), or None.

    Source: Vaswani et al. (2017), section 3.2.2.
    """
    batched = _check_dims(query, key, value, key_padding_mask, attn_mask, num_heads)
    if not batched:
        same_kv, same_qk = key is value, query is key
        query = query.unsqueeze(1)
        key = query if same_qk else key.unsqueeze(1)
        value = key if same_kv else value.unsqueeze(1)
        key_padding_mask = None if key_padding_mask is None else key_padding_mask.unsqueeze(0)
    targets, batch, size = query.shape
    padding = _canonical_mask(
        key_padding_mask, "key_padding_mask", query.dtype, attn_mask, "attn_mask"
    )
    if is_causal and attn_mask is None:
        raise RuntimeError(
            "Need attn_mask if specifying the is_causal hint. You may use the Transformer module "
            "method `generate_square_subsequent_mask` to create this mask."
        )
    is_causal = is_causal and padding is None and not need_weights
    mask = None if is_causal else _canonical_mask(attn_mask, "attn_mask", query.dtype)
    _check_sizes(query, key, value, embed_dim_to_check, num_heads, use_separate_proj_weight)
    separate = (q_proj_weight, k_proj_weight, v_proj_weight)
    weight = separate if use_separate_proj_weight else in_proj_weight
    q, k, v = _projected(query, key, value, weight, in_proj_bias)
    rows, head = batch * num_heads, size // num_heads
    mask = _checked_mask(mask, targets, key.shape[0], rows)
    sources = _Sources(k, v, mask, padding)
    _add_biases(sources, bias_k, bias_v, static_k, static_v, batch)
    q, sources.k, sources.v = (_heads(x, rows, head) for x in (q, sources.k, sources.v))
    if static_k is not None:
        sources.k = _check_static("static_k", static_k, rows, head)
    if static_v is not None:
        sources.v = _check_static("static_v", static_v, rows, head)
    if add_zero_attn:
        zero = ops.zeros(rows, 1, head, dtype=q.dtype, device=q.device)
        sources.append(zero, zero, 1)
    p = dropout_p if training else 0.0
    out, weights = _attend(q, sources, batch, num_heads, p, is_causal, need_weights)
    out = out.transpose(0, 1).reshape(targets, batch, size)
    out = ops.linear(out, out_proj_weight, out_proj_bias)
    if weights is not None:
        weights = weights.reshape(batch, num_heads, targets, weights.shape[-1])
        weights = weights.mean(1) if average_attn_weights else weights
        weights = weights if batched else weights.squeeze(0)
    return out if batched else out.squeeze(1), weights


def _heads(x: Tensor, rows: int, head: int) -> Tensor:
    """(length, batch, size) as (batch * heads, length, size of a head)."""
    return x.reshape(x.shape[0], rows, head).transpose(0, 1)


def _add_biases(
    sources: _Sources,
    bias_k: Tensor | None,
    bias_v: Tensor | None,
    static_k: Tensor | None,
    static_v: Tensor | None,
    batch: int,
) -> None:
    if bias_k is None and bias_v is None:
        return
    if bias_k is None or bias_v is None:
        words = ("bias_v", "bias_k") if bias_k is None else ("bias_k", "bias_v")
        raise AssertionError(f"{words[0]} is set but {words[1]} is None")
    for name, static in (("key", static_k), ("value", static_v)):
        if static is not None:
            raise AssertionError(f"bias cannot be added to static {name}.")
    k, v = (b.expand(1, batch, b.shape[-1]) for b in (bias_k, bias_v))
    sources.append(k, v, 0)


def _attend(
    q: Tensor,
    sources: _Sources,
    batch: int,
    heads: int,
    p: float,
    is_causal: bool,
    need_weights: bool,
) -> tuple[Tensor, Tensor | None]:
    """The heads' results, (batch * heads, targets, size), and the weights if they are needed."""
    mask = sources.mask(batch, heads)
    if not need_weights:
        return scaled_dot_product_attention(q, sources.k, sources.v, mask, p, is_causal), None
    scores = (q * math.sqrt(1 / q.shape[-1])) @ sources.k.transpose(-2, -1)
    weights = ops.softmax(scores if mask is None else scores + mask, -1)
    weights = dropout(weights, p) if p > 0 else weights
    return weights @ sources.v, weights
