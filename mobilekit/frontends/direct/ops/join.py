"""Joining and cutting tensors: cat, stack, chunk, split, slice, select."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import torch

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import name_of, torch_dtype
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.ops.shape import lower_squeeze_dims, lower_unsqueeze
from mobilekit.frontends.direct.registry import lowers
from mobilekit.frontends.direct.values import Value


@lowers("aten.cat.default", "aten.concat.default", "aten.concatenate.default")
def lower_cat(b: Builder, values: Sequence[Value], dim: int) -> Value:
    dtype = functools.reduce(torch.promote_types, [torch_dtype(value.dtype) for value in values])
    # PyTorch skips the legacy empty tensor of shape [0], whatever the others are; the rest of size zero add nothing.
    parts = [cast(b, value, name_of(dtype)) for value in values if 0 not in value.shape]
    if len(parts) == 1:
        return parts[0]
    tensors, order = b.align(parts)
    axis = order.index(dim % parts[0].rank)
    shape = list(tensors[0].shape)
    shape[axis] = sum(tensor.shape[axis] for tensor in tensors)
    out = b.emit("CONCATENATION", tensors, shape, axis=axis, fused_activation_function="NONE")
    return Value(out, order, parts[0].dtype)


@lowers("aten.stack.default")
def lower_stack(b: Builder, values: Sequence[Value], dim: int) -> Value:
    return lower_cat(b, [lower_unsqueeze(b, value, dim) for value in values], dim)


@lowers("aten.chunk.default")
def lower_chunk(b: Builder, x: Value, chunks: int, dim: int) -> list[Value]:
    return lower_split(b, x, -(-x.shape[dim] // chunks), dim)


@lowers("aten.split.Tensor", "aten.unsafe_split.Tensor")
def lower_split(b: Builder, x: Value, size: int, dim: int) -> list[Value]:
    length = x.shape[dim]
    return lower_split_sizes(b, x, [min(size, length - start) for start in range(0, length, size)], dim)


@lowers("aten.split_with_sizes.default", "aten.split.sizes", "aten.unsafe_split_with_sizes.default")
def lower_split_sizes(b: Builder, x: Value, sizes: Sequence[int], dim: int) -> list[Value]:
    if len(sizes) == 1:
        return [x]
    axis = x.axis(dim)
    if x.dtype == "bool" or 0 in sizes:  # SPLIT takes no bool, and no kernel likes an empty result
        ends = np.cumsum(sizes).tolist()
        return [lower_slice(b, x, dim, end - size, end, 1) for size, end in zip(sizes, ends, strict=True)]
    shapes = [[size if i == axis else n for i, n in enumerate(x.tensor.shape)] for size in sizes]
    where = b.constant(np.array(axis, np.int32))
    dtypes: list[str | None] = [x.tensor.dtype] * len(sizes)
    if len(set(sizes)) == 1:
        outs = b.emit_many("SPLIT", [where, x.tensor], shapes, dtypes, num_splits=len(sizes))
    else:
        lengths = b.constant(np.array(sizes, np.int32))
        outs = b.emit_many("SPLIT_V", [x.tensor, lengths, where], shapes, dtypes, num_splits=len(sizes))
    return [b.like(x, out) for out in outs]


@lowers("aten.unbind.int")
def lower_unbind(b: Builder, x: Value, dim: int) -> list[Value]:
    return [lower_select(b, x, dim, index) for index in range(x.shape[dim])]


@lowers("aten.slice.Tensor")
def lower_slice(b: Builder, x: Value, dim: int, start: int | None, end: int | None, step: int) -> Value:
    length = x.shape[dim]
    first, last, _ = slice(start, end, step).indices(length)
    count = max(0, -(-(last - first) // step))
    if (first, count, step) == (0, length, 1):
        return x
    axis = x.axis(dim)
    shape = list(x.tensor.shape)
    shape[axis] = count
    if count == 0:
        return Value(b.constant(np.zeros(shape, x.tensor.dtype)), x.order, x.dtype)
    begin = [first if i == axis else 0 for i in range(x.rank)]
    if step == 1:
        arguments = [b.constant(np.array(values, np.int32)) for values in (begin, shape)]
        return b.like(x, b.emit("SLICE", [x.tensor, *arguments], shape))
    stop = [last if i == axis else n for i, n in enumerate(x.tensor.shape)]
    steps = [step if i == axis else 1 for i in range(x.rank)]
    arguments = [b.constant(np.array(values, np.int32)) for values in (begin, stop, steps)]
    return b.like(x, b.emit("STRIDED_SLICE", [x.tensor, *arguments], shape))


@lowers("aten.narrow.default")
def lower_narrow(b: Builder, x: Value, dim: int, start: int, length: int) -> Value:
    first = start % x.shape[dim] if length else 0
    return lower_slice(b, x, dim, first, first + length, 1)


@lowers("aten.select.int")
def lower_select(b: Builder, x: Value, dim: int, index: int) -> Value:
    position = index % x.shape[dim]
    return lower_squeeze_dims(b, lower_slice(b, x, dim, position, position + 1, 1), [dim])
