"""Tables of vectors: embedding and embedding_bag."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.arithmetic import binary
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.ops.reduce import reduce_value
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value
from mobilekit.graph.ir import Tensor

_MODES = ("sum", "mean", "max")


@lowers("aten.embedding.default")
def lower_embedding(
    b: Builder, weight: Value, indices: Value, padding_idx: int, scale_grad_by_freq: bool, sparse: bool
) -> Value:
    """``padding_idx`` concerns training only: its row is read like any other."""
    return b.value(_rows(b, b.logical(weight), b.logical(indices)), dtype=weight.dtype)


def _rows(b: Builder, table: Tensor, indices: Tensor) -> Tensor:
    return b.emit("GATHER", [table, indices], (*indices.shape, table.shape[1]), axis=0, batch_dims=0)


@lowers("aten.embedding_bag.padding_idx")
def lower_embedding_bag(
    b: Builder,
    weight: Value,
    indices: Value,
    offsets: Value,
    scale_grad_by_freq: bool,
    mode: int,
    sparse: bool,
    per_sample_weights: Value | None,
    include_last_offset: bool,
    padding_idx: int | None,
) -> tuple[Value | None, ...]:
    """Bags of equal length, as a 2d input has them; the other results serve training only."""
    starts = offsets.tensor.data
    if starts is None:
        raise UnsupportedError("embedding_bag with offsets computed in forward", "give a 2d input, a bag a row")
    ends = starts[1:] if include_last_offset else np.append(starts[1:], indices.shape[0])
    starts = starts[:-1] if include_last_offset else starts
    lengths = set((ends - starts).tolist())
    if len(lengths) != 1 or starts[0] != 0 or 0 in lengths:
        raise UnsupportedError("embedding_bag with bags of different lengths", "give a 2d input, a bag a row")
    table, shape = b.logical(weight), (len(starts), lengths.pop())
    rows = b.reshape(indices.tensor, shape)
    vectors = b.value(_rows(b, table, rows))
    if per_sample_weights is not None:
        vectors = binary(b, "MUL", vectors, b.value(b.reshape(per_sample_weights.tensor, (*shape, 1))))
    if padding_idx is not None:
        return _without(b, vectors, rows, int(padding_idx) % weight.shape[0], _MODES[mode]), None, None, None
    kind = {"sum": "SUM", "mean": "MEAN", "max": "REDUCE_MAX"}[_MODES[mode]]
    return reduce_value(b, kind, vectors, [1], False), None, None, None


def _without(b: Builder, vectors: Value, rows: Tensor, padding: int, mode: str) -> Value:
    """Leave the padding's vectors out of sum and mean."""
    if mode == "max":
        raise UnsupportedError("embedding_bag of the maximum with a padding_idx", "give the padding a row of -inf")
    skipped = binary(b, "NOT_EQUAL", b.value(b.reshape(rows, (*rows.shape, 1))), padding, "bool")
    kept = cast(b, skipped, "float32")
    total = reduce_value(b, "SUM", binary(b, "MUL", vectors, kept), [1], False)
    if mode == "sum":
        return total
    count = reduce_value(b, "SUM", kept, [1], False)
    return binary(b, "DIV", total, binary(b, "MAXIMUM", count, 1.0))


@lowers("aten.embedding_renorm_.default", "aten.embedding_renorm.default")
def lower_embedding_renorm(b: Builder, weight: Value, indices: Value, max_norm: float, norm_type: float) -> Any:
    raise UnsupportedError(
        "an embedding with max_norm changes its own weights in forward",
        "scale the rows once before converting: model.weight.data.renorm_(norm_type, 0, max_norm), and max_norm=None",
    )
