"""Views: reshapes, permutes and the ops that do nothing in inference."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Order, Value, drop_axes, identity_order


@lowers(
    "aten.dropout.default",
    "aten.dropout_.default",
    "aten.feature_dropout.default",
    "aten.alpha_dropout.default",
)
def lower_dropout(b: Builder, x: Value, p: float, train: bool) -> Value:
    if train and p > 0:
        raise UnsupportedError("dropout in training mode", "call model.eval()")
    return x


@lowers("aten.contiguous.default", "aten.clone.default")
def lower_same(b: Builder, x: Value, memory_format: Any) -> Value:
    return x


@lowers("aten.detach.default", "aten.detach_.default", "aten.alias.default", "aten.lift_fresh_copy.default")
def lower_alias(b: Builder, x: Value) -> Value:
    return x


@lowers("aten.view.default", "aten.reshape.default", "aten._unsafe_view.default")
def lower_view(b: Builder, x: Value, shape: Sequence[int]) -> Value:
    return reshape_value(b, x, _resolve(shape, x))


@lowers("aten.flatten.using_ints")
def lower_flatten(b: Builder, x: Value, start: int, end: int) -> Value:
    if x.rank == 0:
        return reshape_value(b, x, (1,))
    first, last = start % x.rank, end % x.rank
    middle = math.prod(x.shape[first : last + 1])
    return reshape_value(b, x, (*x.shape[:first], middle, *x.shape[last + 1 :]))


@lowers("aten.unflatten.int")
def lower_unflatten(b: Builder, x: Value, dim: int, sizes: Sequence[int]) -> Value:
    dim %= x.rank
    known = math.prod(size for size in sizes if size != -1)
    parts = [x.shape[dim] // known if size == -1 else size for size in sizes]
    return reshape_value(b, x, (*x.shape[:dim], *parts, *x.shape[dim + 1 :]))


@lowers("aten.squeeze.dim")
def lower_squeeze(b: Builder, x: Value, dim: int) -> Value:
    return lower_squeeze_dims(b, x, [dim])


@lowers("aten.squeeze.dims")
def lower_squeeze_dims(b: Builder, x: Value, dims: Sequence[int]) -> Value:
    gone = {dim % x.rank for dim in dims if x.rank and x.shape[dim] == 1}
    stored = [size for axis, size in enumerate(x.tensor.shape) if x.order[axis] not in gone]
    return Value(b.reshape(x.tensor, stored), drop_axes(x.order, sorted(gone)), x.dtype)


@lowers("aten.squeeze.default")
def lower_squeeze_all(b: Builder, x: Value) -> Value:
    return lower_squeeze_dims(b, x, range(x.rank))


@lowers("aten.unsqueeze.default")
def lower_unsqueeze(b: Builder, x: Value, dim: int) -> Value:
    dim %= x.rank + 1
    shape = (*x.shape[:dim], 1, *x.shape[dim:])
    return reshape_value(b, x, shape)


@lowers("aten.permute.default")
def lower_permute(b: Builder, x: Value, dims: Sequence[int]) -> Value:
    """Nothing moves: the new axis j is the old axis dims[j], wherever that is stored."""
    where = {dim % x.rank: new for new, dim in enumerate(dims)}
    return Value(x.tensor, tuple(where[axis] for axis in x.order), x.dtype)


@lowers("aten.transpose.int", "aten.swapaxes.default")
def lower_transpose(b: Builder, x: Value, first: int, second: int) -> Value:
    dims = list(range(x.rank))
    if dims:
        dims[first], dims[second] = dims[second], dims[first]
    return lower_permute(b, x, dims)


@lowers("aten.t.default", "aten.numpy_T.default")
def lower_t(b: Builder, x: Value) -> Value:
    return lower_permute(b, x, list(range(x.rank))[::-1])


@lowers("aten.expand.default")
def lower_expand(b: Builder, x: Value, sizes: Sequence[int], implicit: bool) -> Value:
    missing = len(sizes) - x.rank
    wide = reshape_value(b, x, (*[1] * missing, *x.shape))
    target = [old if size == -1 else size for size, old in zip(sizes, wide.shape, strict=True)]
    stored = [target[axis] for axis in wide.order]
    if tuple(stored) == wide.tensor.shape:
        return wide
    shape = b.constant(np.array(stored, np.int32))
    return b.like(wide, b.emit("BROADCAST_TO", [wide.tensor, shape], stored))


def _resolve(shape: Sequence[int], x: Value) -> tuple[int, ...]:
    known = math.prod(size for size in shape if size != -1)
    return tuple(math.prod(x.shape) // known if size == -1 else int(size) for size in shape)


def reshape_value(b: Builder, x: Value, shape: Sequence[int]) -> Value:
    """PyTorch's reshape, keeping the stored order where the regrouped axes lie together in it.

    Given    x seen as [N, C, H, W], stored [N, H, W, C], reshaped to [N, g, C/g, H, W]
    Result   RESHAPE to stored [N, H, W, g, C/g]: no transpose, since only the last stored axis is split

    Axes are matched in groups of equal size (C against g, C/g). A group that merges several axes needs them side by
    side and ascending in storage; if they are not, one TRANSPOSE brings them there and nothing else moves.
    """
    shape = tuple(int(size) for size in shape)
    if shape == x.shape:
        return x
    if x.tensor.size <= 1 or 0 in x.shape:
        return Value(b.reshape(x.tensor, shape), identity_order(len(shape)), x.dtype)
    groups = _groups(x.shape, shape)
    storage = [axis for axis in x.order if x.shape[axis] != 1]
    group_of = {axis: index for index, (before, _) in enumerate(groups) for axis in before}
    # Groups in the order in which storage meets them first; inside a group PyTorch's own order.
    met = list(dict.fromkeys(group_of[axis] for axis in storage))
    wanted = [axis for index in met for axis in groups[index][0]]
    if wanted != storage:
        if len(shape) < 4:
            # Something moves anyway: into PyTorch's own order, which is what linear layers and heads go on with. What
            # may still be an image keeps its channels last (ShuffleNetV2: 16 transposes, not 45).
            met = list(range(len(groups)))
            wanted = [axis for before, _ in groups for axis in before]
        ones = [axis for axis in range(x.rank) if x.shape[axis] == 1]
        x = b.reorder(x, (*ones, *wanted))
    order = _with_ones([axis for index in met for axis in groups[index][1]], shape)
    return Value(b.reshape(x.tensor, [shape[axis] for axis in order]), order, x.dtype)


def _groups(before: Sequence[int], after: Sequence[int]) -> list[tuple[list[int], list[int]]]:
    """Axes larger than one of both shapes, cut into the smallest runs with equal products."""
    old = [axis for axis, size in enumerate(before) if size != 1]
    new = [axis for axis, size in enumerate(after) if size != 1]
    groups: list[tuple[list[int], list[int]]] = []
    while old or new:
        left, right = [old.pop(0)], [new.pop(0)]
        product, target = before[left[0]], after[right[0]]
        while product != target:
            if product < target:
                left.append(old.pop(0))
                product *= before[left[-1]]
            else:
                right.append(new.pop(0))
                target *= after[right[-1]]
        groups.append((left, right))
    return groups


def _with_ones(order: list[int], shape: Sequence[int]) -> Order:
    """Insert the axes of size one: each behind the axis before it in PyTorch's order, so that images stay images."""
    full = list(order)
    for axis, size in enumerate(shape):
        if size == 1:
            full.insert(full.index(axis - 1) + 1 if axis else 0, axis)
    return tuple(full)
