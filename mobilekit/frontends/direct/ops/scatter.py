"""Writing by position: index_put, scatter, index_add and their like.

Every form comes down to rows of a table: ``base`` [rows, columns], one row number for each row of ``updates``.

Given     row numbers known at conversion        Result   GATHER of base ++ updates, later writes win
Given     row numbers computed, overwriting      Result   SELECT_V2 by a mask of the rows that are written
Given     adding up                              Result   base + SCATTER_ND (which sums equal positions)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import computed, is_float
from mobilekit.frontends.direct.ops.arithmetic import as_value, binary, broadcast, select
from mobilekit.frontends.direct.ops.cast import cast, convert, for_arithmetic, from_arithmetic
from mobilekit.frontends.direct.ops.index import joined_axes, linear_positions, positions
from mobilekit.frontends.direct.ops.join import lower_slice
from mobilekit.frontends.direct.ops.shape import lower_permute, reshape_value
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value
from mobilekit.graph.ir import Tensor

# A scatter by maximum, minimum or product compares all pairs of elements along the axis; above this many numbers
# (64 MB of float32) that is no longer something for a phone.
_MAX_PAIRS = 1 << 24


def overwritten(b: Builder, base: Tensor, rows: Tensor, updates: Tensor) -> Tensor:
    """``base`` [P, R] with its rows ``rows`` [n] replaced by ``updates`` [n, R]."""
    if rows.data is not None:
        source = np.arange(base.shape[0], dtype=np.int32)
        source[rows.data] = base.shape[0] + np.arange(rows.shape[0], dtype=np.int32)
        both = b.emit(
            "CONCATENATION",
            [base, updates],
            (base.shape[0] + rows.shape[0], base.shape[1]),
            axis=0,
            fused_activation_function="NONE",
        )
        return b.emit("GATHER", [both, b.constant(source)], base.shape, axis=0, batch_dims=0)
    return b.emit("SELECT_V2", [_written(b, base, rows), _sums(b, base, rows, updates), base], base.shape, base.dtype)


def _filled(b: Builder, base: Tensor, rows: Tensor, number: Tensor) -> Tensor:
    """``base`` with one number (0-d) in all of the rows ``rows``; writing it twice is the same."""
    if rows.data is not None:
        mask = np.zeros((base.shape[0], 1), bool)
        mask[rows.data] = True
        return b.emit("SELECT_V2", [b.constant(mask), number, base], base.shape, base.dtype)
    return b.emit("SELECT_V2", [_written(b, base, rows), number, base], base.shape, base.dtype)


def _written(b: Builder, base: Tensor, rows: Tensor) -> Tensor:
    """Which rows are written at all: bool [P, 1]."""
    counts = _counts(b, base.shape[0], rows)
    return b.emit("GREATER", [counts, b.scalar(0, "int32")], counts.shape, "bool")


def _counts(b: Builder, length: int, rows: Tensor) -> Tensor:
    ones = b.constant(np.ones((rows.shape[0], 1), np.int32))
    shape = b.constant(np.array([length, 1], np.int32))
    return b.emit("SCATTER_ND", [b.reshape(rows, (rows.shape[0], 1)), ones, shape], (length, 1), "int32")


def _sums(b: Builder, base: Tensor, rows: Tensor, updates: Tensor) -> Tensor:
    """The updates added up by row, zero elsewhere. SCATTER_ND takes no int16."""
    number = convert(b, updates, "int32") if updates.dtype == "int16" else updates
    shape = b.constant(np.array(base.shape, np.int32))
    total = b.emit("SCATTER_ND", [b.reshape(rows, (rows.shape[0], 1)), number, shape], base.shape, number.dtype)
    return convert(b, total, base.dtype)


def _added(b: Builder, x: Value, rows: Tensor, updates: Value) -> Value:
    """``x`` [P, R] plus the updates, in the dtype of arithmetic."""
    base = for_arithmetic(b, x)
    total = _sums(b, base, rows, for_arithmetic(b, updates))
    return from_arithmetic(b, b.emit("ADD", [base, total], base.shape, fused_activation_function="NONE"), x)


# -- rows along some axes of a tensor ----------------------------------------------------------------------------


class Rows:
    """The axes ``dims`` of ``x`` as the rows of a table, and the way back."""

    def __init__(self, b: Builder, x: Value, dims: Sequence[int]) -> None:
        self.b, self.x, self.dims = b, x, list(dims)
        self.others = [dim for dim in range(x.rank) if dim not in dims]
        self.columns = math.prod(x.shape[dim] for dim in self.others)
        flat, self.sizes = joined_axes(b, x, dims)
        self.table = self.as_table(flat, flat.shape[0])

    def as_table(self, value: Value, rows: int) -> Value:
        """[rows..., the other axes...] as [rows, columns] in logical order."""
        flat = reshape_value(self.b, value, (rows, self.columns))
        return self.b.value(self.b.logical(flat), dtype=value.dtype)

    def back(self, table: Value) -> Value:
        shape = [*self.sizes, *(self.x.shape[dim] for dim in self.others)]
        full = reshape_value(self.b, table, shape)
        source = {dim: position for position, dim in enumerate([*self.dims, *self.others])}
        return lower_permute(self.b, full, [source[dim] for dim in range(self.x.rank)])


def _flat(b: Builder, tensor: Tensor) -> Tensor:
    return b.reshape(tensor, (tensor.size,))


@lowers("aten.index_put.default", "aten._unsafe_index_put.default")
def lower_index_put(b: Builder, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool) -> Value:
    values = cast(b, values, x.dtype)
    masks = [index for index in indices if index is not None and index.dtype in ("bool", "uint8")]
    if masks:
        return _put_by_mask(b, x, indices, values, accumulate)
    dims = [dim for dim, index in enumerate(indices) if index is not None]
    table = Rows(b, x, dims)
    given = [index for index in indices if index is not None]
    where = linear_positions(b, given, table.sizes)
    rows = _flat(b, where)
    if values.tensor.size == 1 and not accumulate:
        number = b.reshape(values.tensor, ())
        return table.back(b.like(table.table, _filled(b, table.table.tensor, rows, number)))
    updates = table.as_table(_values_by_row(b, x, dims, where.shape, values), rows.shape[0])
    if accumulate:
        return table.back(_added(b, table.table, rows, updates))
    return table.back(b.like(table.table, overwritten(b, table.table.tensor, rows, updates.tensor)))


def _values_by_row(b: Builder, x: Value, dims: Sequence[int], shared: tuple[int, ...], values: Value) -> Value:
    """The values, broadcast to what ``x[indices]`` is, with the indices' own axes first."""
    adjacent = dims[-1] - dims[0] == len(dims) - 1
    front = dims[0] if adjacent else 0
    others = [x.shape[dim] for dim in range(x.rank) if dim not in dims]
    shape = (*others[:front], *shared, *others[front:])
    full = b.value(broadcast(b, b.logical(padded(b, values, len(shape))), shape), dtype=values.dtype)
    middle = range(front, front + len(shared))
    return lower_permute(b, full, [*middle, *range(front), *range(front + len(shared), len(shape))])


def padded(b: Builder, x: Value, rank: int) -> Value:
    return reshape_value(b, x, (*[1] * (rank - x.rank), *x.shape))


def _put_by_mask(b: Builder, x: Value, indices: Sequence[Value | None], values: Value, accumulate: bool) -> Value:
    """``x[mask] = values`` where the values do not depend on how many elements the mask picks."""
    mask = indices[0]
    rest = x.rank - (mask.rank if mask is not None else 0)
    if mask is None or len(indices) > 1 or accumulate or (values.rank > rest and values.tensor.size > 1):
        raise UnsupportedError(
            "a mask as index, with values that depend on how many elements it picks",
            "use torch.where(mask, values, x)",
        )
    if values.rank > rest:
        values = b.value(b.reshape(values.tensor, ()), dtype=values.dtype)
    wide = reshape_value(b, cast(b, mask, "bool"), (*mask.shape, *[1] * rest))
    return select(b, wide, values, x, x.dtype)


def _along(b: Builder, x: Value, dim: int, index: Value, source: Value) -> tuple[Rows, Tensor, Value]:
    """Rows along one axis, written by a vector of positions."""
    if x.rank == 0:
        x, source = _vector(b, x), reshape_value(b, source, (source.tensor.size,))
    table = Rows(b, x, [dim % x.rank])
    rows = _flat(b, positions(b, index, x.shape[dim]))
    others = [axis for axis in range(x.rank) if axis != dim % x.rank]
    moved = lower_permute(b, cast(b, source, x.dtype), [dim % x.rank, *others])
    return table, rows, table.as_table(moved, rows.shape[0])


@lowers("aten.index_add.default")
def lower_index_add(b: Builder, x: Value, dim: int, index: Value, source: Value, alpha: float) -> Value:
    scaled = source if alpha == 1 else binary(b, "MUL", source, alpha)
    table, rows, updates = _along(b, x, dim, index, scaled)
    return _shaped_like(b, x, table.back(_added(b, table.table, rows, updates)))


@lowers("aten.index_copy.default")
def lower_index_copy(b: Builder, x: Value, dim: int, index: Value, source: Value) -> Value:
    table, rows, updates = _along(b, x, dim, index, source)
    written = b.like(table.table, overwritten(b, table.table.tensor, rows, updates.tensor))
    return _shaped_like(b, x, table.back(written))


@lowers("aten.index_fill.int_Scalar", "aten.index_fill.int_Tensor")
def lower_index_fill(b: Builder, x: Value, dim: int, index: Value, number: Any) -> Value:
    vector = _vector(b, x)
    table = Rows(b, vector, [dim % vector.rank])
    rows = _flat(b, positions(b, index, vector.shape[dim]))
    filled = _filled(b, table.table.tensor, rows, as_value(b, number, x.dtype).tensor)
    return _shaped_like(b, x, table.back(b.like(table.table, filled)))


def _shaped_like(b: Builder, x: Value, result: Value) -> Value:
    """Back to rank zero, if ``x`` was a number that went as a vector of one."""
    return reshape_value(b, result, ()) if x.rank == 0 else result


# -- one element at a time ---------------------------------------------------------------------------------------


def _element_rows(b: Builder, x: Value, dim: int, index: Value) -> Tensor:
    """The position in the flattened ``x`` that each element of ``index`` points to."""
    strides = [math.prod(x.shape[axis + 1 :]) for axis in range(x.rank)]
    grid = np.zeros(index.shape, np.int32)
    for axis, size in enumerate(index.shape):
        if axis != dim:
            shape = [1] * index.rank
            shape[axis] = size
            grid += (np.arange(size, dtype=np.int32) * strides[axis]).reshape(shape)
    found = positions(b, index, x.shape[dim])
    if found.data is not None:
        return b.constant((found.data * strides[dim] + grid).reshape(-1))
    scaled = b.emit("MUL", [found, b.scalar(strides[dim], "int32")], found.shape, fused_activation_function="NONE")
    return _flat(b, b.emit("ADD", [scaled, b.constant(grid)], found.shape, fused_activation_function="NONE"))


def _column(b: Builder, x: Value) -> Value:
    """All elements in PyTorch's order as [size, 1]."""
    return b.value(b.reshape(b.logical(x), (x.tensor.size, 1)), dtype=x.dtype)


def _elements(b: Builder, x: Value, dim: int, index: Value, source: Value) -> tuple[Value, Tensor, Value]:
    """Base, rows and updates of a scatter along ``dim``; the source may be larger than the index."""
    for axis, size in enumerate(index.shape):
        source = lower_slice(b, source, axis, 0, size, 1)
    return _column(b, x), _element_rows(b, x, dim % x.rank, index), _column(b, cast(b, source, x.dtype))


def _shaped(b: Builder, x: Value, column: Value) -> Value:
    return b.value(b.reshape(column.tensor, x.shape), dtype=x.dtype)


@lowers("aten.scatter.src")
def lower_scatter(b: Builder, x: Value, dim: int, index: Value, source: Value) -> Value:
    base, rows, updates = _elements(b, _vector(b, x), dim, _vector(b, index), _vector(b, source))
    return _shaped(b, x, b.like(base, overwritten(b, base.tensor, rows, updates.tensor)))


@lowers("aten.scatter.value")
def lower_scatter_value(b: Builder, x: Value, dim: int, index: Value, number: float) -> Value:
    vector = _vector(b, x)
    base, rows = _column(b, vector), _element_rows(b, vector, dim % vector.rank, _vector(b, index))
    filled = _filled(b, base.tensor, rows, as_value(b, number, x.dtype).tensor)
    return _shaped(b, x, b.like(base, filled))


def _vector(b: Builder, x: Value) -> Value:
    return reshape_value(b, x, (1,)) if x.rank == 0 else x


@lowers("aten.scatter_add.default")
def lower_scatter_add(b: Builder, x: Value, dim: int, index: Value, source: Value) -> Value:
    base, rows, updates = _elements(b, _vector(b, x), dim, _vector(b, index), _vector(b, source))
    return _shaped(b, x, _added(b, base, rows, updates))


@lowers("aten.scatter.reduce")
def lower_scatter_with(b: Builder, x: Value, dim: int, index: Value, source: Value, reduce: str) -> Value:
    return lower_scatter_reduce(b, x, dim, index, source, {"add": "sum", "multiply": "prod"}[reduce], True)


@lowers("aten.scatter.value_reduce")
def lower_scatter_value_with(b: Builder, x: Value, dim: int, index: Value, number: float, reduce: str) -> Value:
    source = b.constant_value(np.full(index.shape, number, x.tensor.dtype), dtype=x.dtype)
    return lower_scatter_with(b, x, dim, index, source, reduce)


@lowers("aten.scatter_reduce.two")
def lower_scatter_reduce(
    b: Builder, x: Value, dim: int, index: Value, source: Value, reduce: str, include_self: bool
) -> Value:
    if reduce == "sum" and include_self:
        return lower_scatter_add(b, x, dim, index, source)
    if reduce in ("sum", "mean"):
        return _scatter_mean(b, x, dim, index, source, reduce == "mean", include_self)
    return _scatter_pairs(b, x, dim, index, source, reduce, include_self)


def _scatter_mean(
    b: Builder, x: Value, dim: int, index: Value, source: Value, divided: bool, include_self: bool
) -> Value:
    """Sums, and for a mean how many went into each; elements that nothing is written to stay."""
    base, rows, updates = _elements(b, _vector(b, x), dim, _vector(b, index), _vector(b, source))
    counts = b.value(_counts(b, base.shape[0], rows))
    untouched = Value(b.emit("EQUAL", [counts.tensor, b.scalar(0, "int32")], counts.shape, "bool"), (0, 1), "bool")
    start = base if include_self else select(b, untouched, base, 0, x.dtype)
    total = _added(b, start, rows, updates)
    if divided:
        members = binary(b, "ADD", counts, 1) if include_self else binary(b, "MAXIMUM", counts, 1)
        kind = "DIV" if is_float(x.dtype) else "FLOOR_DIV"
        total = binary(b, kind, total, cast(b, members, x.dtype))
    return _shaped(b, x, total)


# TFLite's op along the axis, the op that joins two operands, and the neutral element of floats.
_PAIRS = {
    "amax": ("REDUCE_MAX", "MAXIMUM", -math.inf),
    "amin": ("REDUCE_MIN", "MINIMUM", math.inf),
    "prod": ("REDUCE_PROD", "MUL", 1),
}


def _scatter_pairs(
    b: Builder, x: Value, dim: int, index: Value, source: Value, reduce: str, include_self: bool
) -> Value:
    """All targets against all sources along the axis: [rows, targets, sources], reduced over the sources."""
    if x.rank == 0:
        x, index, source = _vector(b, x), _vector(b, index), _vector(b, source)
        return reshape_value(b, _scatter_pairs(b, x, dim, index, source, reduce, include_self), ())
    dim %= x.rank
    others = [axis for axis in range(x.rank) if axis != dim]
    targets, sources = x.shape[dim], index.shape[dim]
    count = math.prod(x.shape[axis] for axis in others)
    if any(index.shape[axis] != x.shape[axis] for axis in others) or count * targets * sources > _MAX_PAIRS:
        raise UnsupportedError(
            f"scatter with reduce='{reduce}' by an index smaller than the tensor on other axes, or too large",
            "give an index as large as the tensor on all other axes",
        )
    for axis, size in enumerate(index.shape):
        source = lower_slice(b, source, axis, 0, size, 1)
    kind, join, neutral = _PAIRS[reduce]
    if not is_float(x.dtype) and reduce != "prod":
        limits = np.iinfo(np.int32)
        neutral = limits.min if reduce == "amax" else limits.max
    last = (*others, dim)
    base, updates, found = (
        b.reshape(b.reorder(value, last).tensor, (count, value.shape[dim]))
        for value in (
            Value(for_arithmetic(b, x), x.order, x.dtype),
            Value(for_arithmetic(b, cast(b, source, x.dtype)), source.order, x.dtype),
            b.value(positions(b, index, targets)),
        )
    )
    slots = b.constant(np.arange(targets, dtype=np.int32).reshape(1, targets, 1))
    pairs = (count, targets, sources)
    hits = b.emit("EQUAL", [b.reshape(found, (count, 1, sources)), slots], pairs, "bool")
    filler = b.scalar(neutral, computed(x.dtype))
    chosen = b.emit("SELECT_V2", [hits, b.reshape(updates, (count, 1, sources)), filler], pairs, filler.dtype)
    last_axis = b.constant(np.array([2], np.int32))
    reduced = b.emit(kind, [chosen, last_axis], (count, targets), keep_dims=False)
    options = {"fused_activation_function": "NONE"} if join == "MUL" else {}
    joined = b.emit(join, [base, reduced], base.shape, **options)
    if not include_self:
        touched = b.emit("REDUCE_ANY", [hits, last_axis], (count, targets), keep_dims=False)
        joined = b.emit("SELECT_V2", [touched, reduced, base], base.shape, base.dtype)
    full = b.reshape(joined, [x.shape[axis] for axis in last])
    return from_arithmetic(b, full, Value(full, last, x.dtype))


@lowers("aten.masked_scatter.default")
def lower_masked_scatter(b: Builder, x: Value, mask: Value, source: Value) -> Value:
    """The k-th element that the mask picks takes the k-th of the source: k is a running count of the mask."""
    full = np.broadcast_shapes(x.shape, mask.shape)
    x = b.value(broadcast(b, b.logical(padded(b, x, len(full))), full), dtype=x.dtype)
    wide = b.value(broadcast(b, b.logical(padded(b, mask, x.rank)), x.shape), dtype="bool")
    count = convert(b, _column(b, wide).tensor, "int32")
    running = b.emit("CUMSUM", [count, b.constant(np.array(0, np.int32))], count.shape)
    turn = b.emit("SUB", [running, b.scalar(1, "int32")], count.shape, fused_activation_function="NONE")
    safe = b.emit("MAXIMUM", [turn, b.scalar(0, "int32")], count.shape)
    bounded = b.emit("MINIMUM", [safe, b.scalar(source.tensor.size - 1, "int32")], count.shape)
    flat = b.reshape(b.logical(cast(b, source, x.dtype)), (source.tensor.size,))
    picked = b.emit("GATHER", [flat, _flat(b, bounded)], (x.tensor.size,), axis=0, batch_dims=0)
    return select(b, wide, b.value(b.reshape(picked, x.shape), dtype=x.dtype), x, x.dtype)


@lowers("aten.put.default")
def lower_put(b: Builder, x: Value, index: Value, source: Value, accumulate: bool) -> Value:
    """By positions in the flattened tensor."""
    base, updates = _column(b, x), _column(b, cast(b, source, x.dtype))
    rows = _flat(b, positions(b, index, x.tensor.size))
    if accumulate:
        return _shaped(b, x, _added(b, base, rows, updates))
    return _shaped(b, x, b.like(base, overwritten(b, base.tensor, rows, updates.tensor)))
