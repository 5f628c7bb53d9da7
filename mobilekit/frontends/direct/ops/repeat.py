"""Repeating, turning and shifting along axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.arithmetic import select
from mobilekit.frontends.direct.ops.index import take
from mobilekit.frontends.direct.ops.join import lower_cat, lower_slice
from mobilekit.frontends.direct.ops.shape import lower_permute, lower_transpose, reshape_value
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value


@lowers("aten.repeat.default", "aten.tile.default")
def lower_repeat(b: Builder, x: Value, repeats: Sequence[int]) -> Value:
    """``repeat`` needs a count for every axis, ``tile`` fills missing ones up with ones."""
    counts = [1] * (x.rank - len(repeats)) + list(repeats)
    wide = reshape_value(b, x, (*[1] * (len(counts) - x.rank), *x.shape))
    stored = [counts[axis] for axis in wide.order]
    if all(count == 1 for count in stored):
        return wide
    shape = [size * count for size, count in zip(wide.tensor.shape, stored, strict=True)]
    return b.like(wide, b.emit("TILE", [wide.tensor, b.constant(np.array(stored, np.int32))], shape))


@lowers("aten.repeat_interleave.self_int")
def lower_repeat_interleave(b: Builder, x: Value, repeats: int, dim: int | None, output_size: int | None) -> Value:
    if dim is None:
        x, dim = reshape_value(b, x, (x.tensor.size,)), 0
    return take(b, x, dim, np.repeat(np.arange(x.shape[dim]), repeats))


@lowers("aten.repeat_interleave.self_Tensor")
def lower_repeat_interleave_each(
    b: Builder, x: Value, repeats: Value, dim: int | None, output_size: int | None
) -> Value:
    if repeats.tensor.data is None:
        raise UnsupportedError("repeat_interleave by computed counts: the size of the result depends on them")
    if dim is None:
        x, dim = reshape_value(b, x, (x.tensor.size,)), 0
    return take(b, x, dim, np.repeat(np.arange(x.shape[dim]), repeats.tensor.data))


@lowers("aten.flip.default")
def lower_flip(b: Builder, x: Value, dims: Sequence[int]) -> Value:
    """REVERSE_V2 wants the axes of one call side by side, so each gets its own."""
    tensor = x.tensor
    for dim in dims:
        if x.rank and x.shape[dim] > 1:
            axis = b.constant(np.array([x.axis(dim)], np.int32))
            tensor = b.emit("REVERSE_V2", [tensor, axis], tensor.shape)
    return b.like(x, tensor)


@lowers("aten.rot90.default")
def lower_rot90(b: Builder, x: Value, turns: int, dims: Sequence[int]) -> Value:
    first, second = dims
    turns %= 4
    if turns == 2:
        return lower_flip(b, x, [first, second])
    if turns == 0:
        return x
    turned = lower_transpose(b, x, first, second)
    return lower_flip(b, turned, [first if turns == 1 else second])


@lowers("aten.roll.default")
def lower_roll(b: Builder, x: Value, shifts: Sequence[int], dims: Sequence[int]) -> Value:
    """The last ``shift`` elements go first. Without dims: in the flattened tensor."""
    if not dims:
        flat = reshape_value(b, x, (x.tensor.size,))
        return reshape_value(b, lower_roll(b, flat, shifts, [0]), x.shape)
    for shift, dim in zip(shifts, dims, strict=True):
        length = x.shape[dim]
        cut = -shift % length if length else 0
        if cut:
            x = lower_cat(b, [lower_slice(b, x, dim, cut, length, 1), lower_slice(b, x, dim, 0, cut, 1)], dim)
    return x


def _triangle(b: Builder, x: Value, kept: Any) -> Value:
    """``x`` where the constant [rows, columns] says so, zero elsewhere (a product would make NaN of infinities)."""
    mask = Value(b.constant(kept), (0, 1), "bool")
    return select(b, mask, x, 0, x.dtype)


@lowers("aten.tril.default")
def lower_tril(b: Builder, x: Value, diagonal: int) -> Value:
    return _triangle(b, x, np.tri(x.shape[-2], x.shape[-1], diagonal, dtype=bool))


@lowers("aten.triu.default")
def lower_triu(b: Builder, x: Value, diagonal: int) -> Value:
    return _triangle(b, x, ~np.tri(x.shape[-2], x.shape[-1], diagonal - 1, dtype=bool))


@lowers("aten.diag_embed.default")
def lower_diag_embed(b: Builder, x: Value, offset: int, dim1: int, dim2: int) -> Value:
    """Each element on the diagonal of a new square: the row repeated, and zero off the diagonal."""
    size = x.shape[-1] + abs(offset)
    pad = take(b, x, -1, np.clip(np.arange(size) - max(0, offset), 0, x.shape[-1] - 1))
    rows = reshape_value(b, pad, (*x.shape[:-1], 1, size))
    mask = Value(b.constant(np.eye(size, k=offset, dtype=bool)), (0, 1), "bool")
    square = select(b, mask, rows, 0, x.dtype)
    dim1, dim2 = dim1 % square.rank, dim2 % square.rank
    others = iter(range(square.rank - 2))
    source = {dim1: square.rank - 2, dim2: square.rank - 1}
    return lower_permute(b, square, [source[d] if d in source else next(others) for d in range(square.rank)])
