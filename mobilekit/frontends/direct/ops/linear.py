"""Linear layers and matrix products."""

from __future__ import annotations

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, identity_order
from mobilekit.graph.ir import Tensor


@lowers("aten.linear.default")
def lower_linear(b: Builder, x: Value, weight: Value, bias: Value | None) -> Value:
    if not weight.is_constant:
        if bias is not None:
            raise UnsupportedError("a linear layer with a computed weight and a bias", "write it as x @ w.t() + bias")
        return lower_matmul(b, x, Value(weight.tensor, tuple(1 - axis for axis in weight.order), weight.dtype))
    rows = b.last(x, -1)
    filters = b.logical(weight)
    offset = None
    if bias is not None:
        offset = b.logical(bias)
    out = _fully_connected(b, rows.tensor, filters, offset)
    return Value(out, rows.order, x.dtype)


def _fully_connected(b: Builder, rows: Tensor, filters: Tensor, bias: Tensor | None) -> Tensor:
    """[..., in] times [out, in] -> [..., out]. The bias is always given: delegates refuse op version 6 (without)."""
    features = filters.shape[0]
    offset = bias if bias is not None else b.constant(np.zeros(features, np.float32))
    if rows.rank == 1:
        wide = _fully_connected(b, b.reshape(rows, (1, rows.shape[0])), filters, offset)
        return b.reshape(wide, (features,))
    return b.emit(
        "FULLY_CONNECTED",
        [rows, filters, offset],
        (*rows.shape[:-1], features),
        fused_activation_function="NONE",
        keep_num_dims=rows.rank > 2,
    )


@lowers("aten.addmm.default")
def lower_addmm(b: Builder, bias: Value, x: Value, weight: Value, beta: float, alpha: float) -> Value:
    if beta != 1 or alpha != 1 or not weight.is_constant or not bias.is_constant or bias.rank != 1:
        raise UnsupportedError(
            "addmm other than a linear layer (beta = alpha = 1, constant weight and bias of rank one)"
        )
    return lower_linear(b, x, Value(weight.tensor, tuple(1 - axis for axis in weight.order), weight.dtype), bias)


@lowers("aten.mm.default", "aten.bmm.default", "aten.matmul.default")
def lower_matmul(b: Builder, x: Value, y: Value) -> Value:
    """A constant right operand of rank two becomes FULLY_CONNECTED, everything else BATCH_MATMUL."""
    if y.is_constant and y.rank == 2 and x.rank >= 2:
        rows = b.last(x, -1)
        filters = b.reorder(y, (1, 0)).tensor
        return Value(_fully_connected(b, rows.tensor, filters, None), rows.order, x.dtype)
    if x.rank < 2 or y.rank < 2:
        return _vector_matmul(b, x, y)
    left, right = b.logical(x), b.logical(y)
    rank = max(left.rank, right.rank)
    left = b.reshape(left, (1,) * (rank - left.rank) + left.shape)
    right = b.reshape(right, (1,) * (rank - right.rank) + right.shape)
    batch = np.broadcast_shapes(left.shape[:-2], right.shape[:-2])
    out = b.emit(
        "BATCH_MATMUL",
        [left, right],
        (*batch, left.shape[-2], right.shape[-1]),
        adj_x=False,
        adj_y=False,
    )
    return Value(out, identity_order(rank), x.dtype)


def _vector_matmul(b: Builder, x: Value, y: Value) -> Value:
    """PyTorch adds an axis of one to a vector operand and drops it from the result."""
    left, right = b.logical(x), b.logical(y)
    wide_left = b.reshape(left, (1, *left.shape)) if x.rank == 1 else left
    wide_right = b.reshape(right, (*right.shape, 1)) if y.rank == 1 else right
    out = lower_matmul(b, b.value(wide_left, dtype=x.dtype), b.value(wide_right, dtype=y.dtype))
    shape = [
        dim
        for position, dim in enumerate(out.shape)
        if not (x.rank == 1 and position == out.rank - 2) and not (y.rank == 1 and position == out.rank - 1)
    ]
    return b.value(b.reshape(b.logical(out), shape), dtype=x.dtype)
