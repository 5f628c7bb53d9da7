"""Scaled dot-product attention; nn.MultiheadAttention arrives as linear layers around it."""

from __future__ import annotations

import math

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.activation import fill_empty_rows, lower_softmax
from mobilekit.frontends.direct.ops.arithmetic import binary, select
from mobilekit.frontends.direct.ops.linear import matmul, transposed
from mobilekit.frontends.direct.ops.reduce import reduce_value
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value

# What a masked score becomes where no row is masked whole: exp of it less any real score is 0 in float32, exactly.
# Minus infinity would do the same, but no int8 scale can be made of a tensor that holds it.
_MASKED = -1e9


@lowers("aten.scaled_dot_product_attention.default")
def lower_attention(
    b: Builder,
    query: Value,
    key: Value,
    value: Value,
    mask: Value | None,
    dropout: float,
    is_causal: bool,
    scale: float | None,
    enable_gqa: bool,
) -> Value:
    """softmax(query key^T * scale + mask) value.

    query: [..., L, E], key: [..., S, E], value: [..., S, V]; a bool mask says which scores count. Grouped queries: the
    heads that share a key are laid over each other along L, so that no key is repeated.
    """
    if dropout:
        raise UnsupportedError("attention with dropout", "call model.eval()")
    length, width = query.shape[-2:]
    factor = 1 / math.sqrt(width) if scale is None else float(scale)
    # The query is scaled, not the scores: it has L x E numbers, they have L x S.
    scaled = binary(b, "MUL", query, factor)
    grouped = enable_gqa and query.shape[-3] != key.shape[-3]
    if grouped:
        heads, shared = query.shape[-3], key.shape[-3]
        laid = (*query.shape[:-3], shared, heads // shared * length, width)
        scaled = b.value(b.reshape(b.logical(scaled), laid), dtype=query.dtype)
    scores = matmul(b, scaled, transposed(key))
    if grouped:
        shape = (*query.shape[:-1], key.shape[-2])
        scores = b.value(b.reshape(b.logical(scores), shape), dtype=query.dtype)
    if is_causal:
        scores = _causal(b, scores)
    shares = lower_softmax(b, scores, -1, None) if mask is None else _masked_softmax(b, scores, mask)
    if grouped:
        shares = b.value(b.reshape(b.logical(shares), (*laid[:-1], key.shape[-2])), dtype=query.dtype)
    out = matmul(b, shares, value)
    if grouped:
        out = b.value(b.reshape(b.logical(out), (*query.shape[:-1], value.shape[-1])), dtype=query.dtype)
    return out


def _causal(b: Builder, scores: Value) -> Value:
    """Position l sees keys 0 to l: no row is ever masked whole."""
    length, keys = scores.shape[-2:]
    seen = np.tril(np.ones((length, keys), bool))
    added = np.where(seen, 0, _MASKED).astype(np.float32)
    return binary(b, "ADD", scores, b.constant_value(added, dtype=scores.dtype))


def _masked_softmax(b: Builder, scores: Value, mask: Value) -> Value:
    """A row that is masked whole gives zeros in PyTorch; whether one can be is known for constant masks."""
    data = mask.tensor.data
    if data is not None:
        hidden = ~data if mask.dtype == "bool" else np.isneginf(data)
        if not hidden.all(axis=mask.axis(-1)).any():
            added = np.where(hidden, np.float32(_MASKED), 0 if mask.dtype == "bool" else data).astype(np.float32)
            finite = Value(b.constant(added), mask.order, scores.dtype)
            return lower_softmax(b, binary(b, "ADD", scores, finite), -1, None)
    if mask.dtype != "bool":
        # The mask has no more numbers than the scores, most often far fewer: one row for all heads and queries.
        filled, any_key = fill_empty_rows(b, mask, -1)
        return binary(b, "MUL", lower_softmax(b, binary(b, "ADD", scores, filled), -1, None), any_key)
    seen = select(b, mask, scores, _MASKED, scores.dtype)
    any_seen = reduce_value(b, "REDUCE_ANY", mask, [-1], True)
    return select(b, any_seen, lower_softmax(b, seen, -1, None), 0.0, scores.dtype)
