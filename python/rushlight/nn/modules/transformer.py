"""The transformer of Vaswani et al. (2017)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from rushlight import ops
from rushlight.nn import functional as F
from rushlight.nn import init
from rushlight.nn.functional._attention import _canonical_mask
from rushlight.tensor import Tensor

from .attention import MultiheadAttention
from .container import ModuleList
from .dropout import Dropout
from .linear import Linear
from .module import Module
from .normalization import LayerNorm

__all__ = [
    "Transformer",
    "TransformerDecoder",
    "TransformerDecoderLayer",
    "TransformerEncoder",
    "TransformerEncoderLayer",
]

Activation = str | Callable[[Tensor], Tensor]


def _subsequent_mask(size: int, device: Any = None, dtype: Any = None) -> Tensor:
    """Minus infinity above the diagonal, 0 elsewhere."""
    places = ops.arange(size, device=device)
    later = places.unsqueeze(1) < places
    numbers = (ops.full((), v, dtype=dtype, device=device) for v in (-math.inf, 0.0))
    return ops.where(later, *numbers)


def _is_causal(mask: Tensor | None, is_causal: bool | None, size: int) -> bool:
    """What the caller says of the mask, or else what it shows."""
    if is_causal is not None or mask is None:
        return is_causal is True
    if tuple(mask.shape) != (size, size):
        return False
    return bool(ops.eq(mask, _subsequent_mask(size, mask.device, mask.dtype)).all())


def _length(x: Tensor, batch_first: bool) -> int:
    return int(x.shape[1 if batch_first and x.dim() == 3 else 0])


class _Layer(Module):
    """What the layers share: the maps between which the activation stands, norms, dropout.

    Args:
        d_model: the size of input and output.
        nhead: heads, must divide `d_model`.
        dim_feedforward: the size between the maps.
        dropout: probability of dropout.
        activation: ``"relu"``, ``"gelu"`` or a function.
        layer_norm_eps: of the norms.
        batch_first: whether the batch is the first dimension, not the second.
        norm_first: whether a block is normalised before it, not after it.
        bias: whether maps and norms have biases.
        device: where the parameters lie.
        dtype: their type.
    """

    attentions: tuple[str, ...]

    def __init__(
        self,
        d_model: int,
        nhead: int,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        made: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}
        for name in self.attentions:
            attention = MultiheadAttention(
                d_model, nhead, dropout=dropout, batch_first=batch_first, **made
            )
            setattr(self, name, attention)
        self.linear1 = Linear(d_model, dim_feedforward, **made)
        self.dropout = Dropout(dropout)
        self.linear2 = Linear(dim_feedforward, d_model, **made)
        self.norm_first = norm_first
        blocks = range(1, len(self.attentions) + 2)
        for i in blocks:
            setattr(self, f"norm{i}", LayerNorm(d_model, eps=layer_norm_eps, **made))
        for i in blocks:
            setattr(self, f"dropout{i}", Dropout(dropout))
        self.activation = _activation(activation)

    def _through(self, x: Tensor, *blocks: Callable[[Tensor], Tensor]) -> Tensor:
        """``x + block(norm(x))``, or ``norm(x + block(x))``, for one block after the other."""
        for i, block in enumerate(blocks, 1):
            norm, dropout = getattr(self, f"norm{i}"), getattr(self, f"dropout{i}")
            if self.norm_first:
                x = x + dropout(block(norm(x)))
            else:
                x = norm(x + dropout(block(x)))
        return x

    def _feed_forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.linear2(self.dropout(self.activation(self.linear1(x))))
        return out


def _activation(activation: Activation) -> Callable[[Tensor], Tensor]:
    if not isinstance(activation, str):
        return activation
    if activation not in ("relu", "gelu"):
        raise RuntimeError(f"activation should be relu/gelu, not {activation}")
    function: Callable[[Tensor], Tensor] = getattr(F, activation)
    return function


class TransformerEncoderLayer(_Layer):
    """Attention of a sequence to itself, then two maps; the arguments are those of `_Layer`."""

    attentions = ("self_attn",)

    def forward(
        self,
        src: Tensor,
        src_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool = False,
    ) -> Tensor:
        """Return the output, of the shape of `src`; masks as in `MultiheadAttention`."""
        padding = _canonical_mask(
            src_key_padding_mask, "src_key_padding_mask", src.dtype, src_mask, "src_mask"
        )
        mask = _canonical_mask(src_mask, "src_mask", src.dtype)

        def attend(x: Tensor) -> Tensor:
            out: Tensor = self.self_attn(x, x, x, padding, False, mask, is_causal=is_causal)[0]
            return out

        return self._through(src, attend, self._feed_forward)


class TransformerDecoderLayer(_Layer):
    """Attention of a sequence to itself, then to a memory, then two maps."""

    attentions = ("self_attn", "multihead_attn")

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool = False,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the output, of the shape of `tgt`; masks as in `MultiheadAttention`."""

        def attend(x: Tensor) -> Tensor:
            out: Tensor = self.self_attn(
                x, x, x, tgt_key_padding_mask, False, tgt_mask, is_causal=tgt_is_causal
            )[0]
            return out

        def remember(x: Tensor) -> Tensor:
            out: Tensor = self.multihead_attn(
                x,
                memory,
                memory,
                memory_key_padding_mask,
                False,
                memory_mask,
                is_causal=memory_is_causal,
            )[0]
            return out

        return self._through(tgt, attend, remember, self._feed_forward)


class TransformerEncoder(Module):
    """Copies of a layer, one after the other.

    Unlike in PyTorch, padded places have an output in evaluation as in training: there are no
    nested tensors, whose use there leaves zeros.

    Args:
        encoder_layer: the layer that is copied.
        num_layers: copies.
        norm: applied at the end.
        enable_nested_tensor: of no effect.
        mask_check: of no effect.
    """

    def __init__(
        self,
        encoder_layer: Module,
        num_layers: int,
        norm: Module | None = None,
        enable_nested_tensor: bool = True,
        mask_check: bool = True,
    ) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(encoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm
        self.enable_nested_tensor = enable_nested_tensor
        self.mask_check = mask_check

    def forward(
        self,
        src: Tensor,
        mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        is_causal: bool | None = None,
    ) -> Tensor:
        """Return the output, of the shape of `src`; masks as in `MultiheadAttention`."""
        padding = _canonical_mask(
            src_key_padding_mask, "src_key_padding_mask", src.dtype, mask, "mask"
        )
        mask = _canonical_mask(mask, "mask", src.dtype)
        size = _length(src, self.layers[0].self_attn.batch_first)
        causal = _is_causal(mask, is_causal, size)
        out = src
        for layer in self.layers:
            out = layer(out, src_mask=mask, is_causal=causal, src_key_padding_mask=padding)
        return out if self.norm is None else self.norm(out)


class TransformerDecoder(Module):
    """Copies of a layer, one after the other.

    Args:
        decoder_layer: the layer that is copied.
        num_layers: copies.
        norm: applied at the end.
    """

    def __init__(self, decoder_layer: Module, num_layers: int, norm: Module | None = None) -> None:
        super().__init__()
        self.layers = ModuleList([copy.deepcopy(decoder_layer) for _ in range(num_layers)])
        self.num_layers = num_layers
        self.norm = norm

    def forward(
        self,
        tgt: Tensor,
        memory: Tensor,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the output, of the shape of `tgt`; masks as in `MultiheadAttention`."""
        size = _length(tgt, self.layers[0].self_attn.batch_first)
        causal = _is_causal(tgt_mask, tgt_is_causal, size)
        out = tgt
        for layer in self.layers:
            out = layer(
                out,
                memory,
                tgt_mask=tgt_mask,
                memory_mask=memory_mask,
                tgt_key_padding_mask=tgt_key_padding_mask,
                memory_key_padding_mask=memory_key_padding_mask,
                tgt_is_causal=causal,
                memory_is_causal=memory_is_causal,
            )
        return out if self.norm is None else self.norm(out)


class Transformer(Module):
    """An encoder and a decoder, each with a norm at its end.

    Args:
        d_model: the size of inputs and output.
        nhead: heads, must divide `d_model`.
        num_encoder_layers: layers of the encoder.
        num_decoder_layers: layers of the decoder.
        dim_feedforward: the size between the maps of a layer.
        dropout: probability of dropout.
        activation: ``"relu"``, ``"gelu"`` or a function.
        custom_encoder: stands in place of the encoder.
        custom_decoder: stands in place of the decoder.
        layer_norm_eps: of the norms.
        batch_first: whether the batch is the first dimension, not the second.
        norm_first: whether a block is normalised before it, not after it.
        bias: whether maps and norms have biases.
        device: where the parameters lie.
        dtype: their type.
    """

    def __init__(
        self,
        d_model: int = 512,
        nhead: int = 8,
        num_encoder_layers: int = 6,
        num_decoder_layers: int = 6,
        dim_feedforward: int = 2048,
        dropout: float = 0.1,
        activation: Activation = F.relu,
        custom_encoder: Any = None,
        custom_decoder: Any = None,
        layer_norm_eps: float = 1e-5,
        batch_first: bool = False,
        norm_first: bool = False,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        sizes = (d_model, nhead, dim_feedforward, dropout, activation, layer_norm_eps)
        made: dict[str, Any] = {"bias": bias, "device": device, "dtype": dtype}

        def stacked(container: Any, layer: Any, count: int) -> Module:
            one = layer(*sizes, batch_first=batch_first, norm_first=norm_first, **made)
            out: Module = container(one, count, LayerNorm(d_model, eps=layer_norm_eps, **made))
            return out

        self.encoder = custom_encoder or stacked(
            TransformerEncoder, TransformerEncoderLayer, num_encoder_layers
        )
        self.decoder = custom_decoder or stacked(
            TransformerDecoder, TransformerDecoderLayer, num_decoder_layers
        )
        self._reset_parameters()
        self.d_model = d_model
        self.nhead = nhead
        self.batch_first = batch_first

    def _reset_parameters(self) -> None:
        """Draw new values for all matrices."""
        for parameter in self.parameters():
            if parameter.dim() > 1:
                init.xavier_uniform_(parameter)

    def forward(
        self,
        src: Tensor,
        tgt: Tensor,
        src_mask: Tensor | None = None,
        tgt_mask: Tensor | None = None,
        memory_mask: Tensor | None = None,
        src_key_padding_mask: Tensor | None = None,
        tgt_key_padding_mask: Tensor | None = None,
        memory_key_padding_mask: Tensor | None = None,
        src_is_causal: bool | None = None,
        tgt_is_causal: bool | None = None,
        memory_is_causal: bool = False,
    ) -> Tensor:
        """Return the decoder's output, of the shape of `tgt`; masks as in `MultiheadAttention`.

        Raises:
            RuntimeError: for other sizes than `d_model`, and for different batches.
        """
        batch = 0 if self.batch_first else 1
        if src.dim() == 3 and src.shape[batch] != tgt.shape[batch]:
            raise RuntimeError("the batch number of src and tgt must be equal")
        if src.shape[-1] != self.d_model or tgt.shape[-1] != self.d_model:
            raise RuntimeError("the feature number of src and tgt must be equal to d_model")
        memory = self.encoder(
            src,
            mask=src_mask,
            src_key_padding_mask=src_key_padding_mask,
            is_causal=src_is_causal,
        )
        out: Tensor = self.decoder(
            tgt,
            memory,
            tgt_mask=tgt_mask,
            memory_mask=memory_mask,
            tgt_key_padding_mask=tgt_key_padding_mask,
            memory_key_padding_mask=memory_key_padding_mask,
            tgt_is_causal=tgt_is_causal,
            memory_is_causal=memory_is_causal,
        )
        return out

    @staticmethod
    def generate_square_subsequent_mask(sz: int, device: Any = None, dtype: Any = None) -> Tensor:
        """Return the mask (sz, sz) that hides what comes later: minus infinity there, else 0."""
        return _subsequent_mask(sz, device, dtype)
