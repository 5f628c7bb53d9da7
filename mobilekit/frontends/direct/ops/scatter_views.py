"""Writing into a view of a tensor: what in-place ops on slices become once they are made functional."""

from __future__ import annotations

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.arithmetic import broadcast
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.ops.join import lower_cat, lower_slice
from mobilekit.frontends.direct.ops.scatter import Rows, lower_index_copy, overwritten, padded
from mobilekit.frontends.direct.ops.shape import lower_permute, lower_unsqueeze
from mobilekit.frontends.direct.registry import lowers
from mobilekit.frontends.direct.values import Value


@lowers("aten.select_scatter.default")
def lower_select_scatter(b: Builder, x: Value, source: Value, dim: int, index: int) -> Value:
    dim, position = dim % x.rank, index % x.shape[dim]
    return lower_slice_scatter(b, x, lower_unsqueeze(b, source, dim), dim, position, position + 1, 1)


@lowers("aten.slice_scatter.default")
def lower_slice_scatter(
    b: Builder, x: Value, source: Value, dim: int, start: int | None, end: int | None, step: int
) -> Value:
    """What lies before, the new part, what lies behind; with a step, by positions."""
    dim %= x.rank
    length = x.shape[dim]
    first, last, _ = slice(start, end, step).indices(length)
    shape = [len(range(first, last, step)) if axis == dim else size for axis, size in enumerate(x.shape)]
    source = cast(b, source, x.dtype)
    if source.shape != tuple(shape):
        source = b.value(broadcast(b, b.logical(padded(b, source, x.rank)), tuple(shape)), dtype=x.dtype)
    if step == 1:
        parts = [lower_slice(b, x, dim, 0, first, 1), source, lower_slice(b, x, dim, last, length, 1)]
        return lower_cat(b, parts, dim)
    rows = Value(b.constant(np.arange(first, last, step, dtype=np.int32)), (0,), "int64")
    return lower_index_copy(b, x, dim, rows, source)


@lowers("aten.diagonal_scatter.default")
def lower_diagonal_scatter(b: Builder, x: Value, source: Value, offset: int, dim1: int, dim2: int) -> Value:
    table = Rows(b, x, [dim1 % x.rank, dim2 % x.rank])
    rows, columns = table.sizes
    first, start = max(0, -offset), max(0, offset)
    steps = np.arange(min(rows - first, columns - start), dtype=np.int32)
    where = b.constant((first + steps) * columns + start + steps)
    moved = lower_permute(b, cast(b, source, x.dtype), [source.rank - 1, *range(source.rank - 1)])
    updates = table.as_table(moved, where.shape[0])
    return table.back(b.like(table.table, overwritten(b, table.table.tensor, where, updates.tensor)))
