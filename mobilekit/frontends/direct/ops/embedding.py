"""Tables of vectors: embedding and embedding_bag."""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.arithmetic import binary, select
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
    """A 2d input has bags of equal length; offsets of any others must be constants. What else it gives is for training.

    Bags of unequal length are read as if all were as long as the longest, and the rest is left out again.
    """
    starts = offsets.tensor.data
    if starts is None:
        raise UnsupportedError("embedding_bag with offsets computed in forward", "give a 2d input, a bag a row")
    ends = starts[1:] if include_last_offset else np.append(starts[1:], indices.shape[0])
    lengths = ends - starts[: len(ends)]
    shape = (len(lengths), int(lengths.max(initial=0)))
    if 0 in shape:
        raise UnsupportedError("embedding_bag of empty bags only")
    kept: Value | None = None
    places: Tensor | None = None
    if (lengths != shape[1]).any() or shape[0] * shape[1] != indices.shape[0]:
        inside = np.arange(shape[1]) < lengths[:, None]
        first = starts[: len(ends), None]
        places = b.constant(np.where(inside, first + np.arange(shape[1]), 0).astype(np.int32))
        kept = b.constant_value(inside[..., None])

    def in_bags(flat: Value) -> Tensor:
        if places is None:
            return b.reshape(flat.tensor, shape)
        return b.emit("GATHER", [flat.tensor, places], shape, axis=0, batch_dims=0)

    rows = in_bags(indices)
    vectors = b.value(_rows(b, b.logical(weight), rows), dtype=weight.dtype)
    if per_sample_weights is not None:
        vectors = binary(b, "MUL", vectors, b.value(b.reshape(in_bags(per_sample_weights), (*shape, 1))))
    if padding_idx is not None:
        column = b.value(b.reshape(rows, (*shape, 1)))
        real = binary(b, "NOT_EQUAL", column, int(padding_idx) % weight.shape[0], "bool")
        kept = real if kept is None else binary(b, "MUL", kept, real)
    return cast(b, _bag(b, vectors, kept, _MODES[mode]), weight.dtype), None, None, None


def _bag(b: Builder, vectors: Value, kept: Value | None, mode: str) -> Value:
    """[bags, length, width] -> [bags, width]; a bag of which nothing is kept gives zeros."""
    if kept is None:
        return reduce_value(b, {"sum": "SUM", "mean": "MEAN", "max": "REDUCE_MAX"}[mode], vectors, [1], False)
    if mode == "max":
        seen = select(b, kept, vectors, float(np.finfo(np.float32).min), vectors.dtype)
        largest = reduce_value(b, "REDUCE_MAX", seen, [1], False)
        return select(b, reduce_value(b, "REDUCE_ANY", kept, [1], False), largest, 0.0, vectors.dtype)
    share = cast(b, kept, "float32")
    total = reduce_value(b, "SUM", binary(b, "MUL", vectors, share), [1], False)
    if mode == "sum":
        return total
    count = reduce_value(b, "SUM", share, [1], False)
    return binary(b, "DIV", total, binary(b, "MAXIMUM", count, 1.0))


@lowers("aten.embedding_renorm_.default", "aten.embedding_renorm.default")
def lower_embedding_renorm(b: Builder, weight: Value, indices: Value, max_norm: float, norm_type: float) -> Any:
    raise UnsupportedError("an embedding with max_norm changes its own weights in forward")
