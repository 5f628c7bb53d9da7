"""Pooling to a given size: window i of an axis runs from floor(i n / o) to ceil((i + 1) n / o)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.pooling import Window, average_pool, max_pool
from mobilekit.frontends.direct.ops.pooling_indices import positions_of
from mobilekit.frontends.direct.ops.reduce import mean_over
from mobilekit.frontends.direct.ops.windows import as_image, as_sequence, per_axis, with_batch
from mobilekit.frontends.direct.registry import lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor


@lowers("aten.adaptive_avg_pool1d.default")
def lower_adaptive_avg_pool1d(b: Builder, x: Value, size: Any) -> Value:
    def batched(line: Value) -> Value:
        return as_sequence(b, _adaptive(b, as_image(b, line), [1, *per_axis(size, 1)], "MEAN"))

    return with_batch(b, x, 3, batched)


@lowers("aten.adaptive_avg_pool2d.default", "aten._adaptive_avg_pool2d.default")
def lower_adaptive_avg_pool2d(b: Builder, x: Value, size: Any) -> Value:
    return with_batch(b, x, 4, lambda image: _adaptive(b, image, per_axis(size, 2), "MEAN"))


@lowers("aten.adaptive_avg_pool3d.default", "aten._adaptive_avg_pool3d.default")
def lower_adaptive_avg_pool3d(b: Builder, x: Value, size: Any) -> Value:
    return with_batch(b, x, 5, lambda volume: _adaptive(b, volume, per_axis(size, 3), "MEAN"))


@lowers("aten.adaptive_max_pool1d.default")
def lower_adaptive_max_pool1d(b: Builder, x: Value, size: Any) -> tuple[Value, Value]:
    target = [1, *per_axis(size, 1)]
    out = with_batch(b, x, 3, lambda line: as_sequence(b, _adaptive(b, as_image(b, line), target, "REDUCE_MAX")))
    where = with_batch(b, x, 3, lambda line: as_sequence(b, _indices(b, as_image(b, line), target)))
    return out, where


@lowers("aten.adaptive_max_pool2d.default")
def lower_adaptive_max_pool2d(b: Builder, x: Value, size: Any) -> tuple[Value, Value]:
    target = per_axis(size, 2)
    out = with_batch(b, x, 4, lambda image: _adaptive(b, image, target, "REDUCE_MAX"))
    return out, with_batch(b, x, 4, lambda image: _indices(b, image, target))


@lowers("aten.adaptive_max_pool3d.default")
def lower_adaptive_max_pool3d(b: Builder, x: Value, size: Any) -> tuple[Value, Value]:
    target = per_axis(size, 3)
    out = with_batch(b, x, 5, lambda volume: _adaptive(b, volume, target, "REDUCE_MAX"))
    return out, with_batch(b, x, 5, lambda volume: _indices(b, volume, target))


def spans(size: int, count: int) -> list[tuple[int, int]]:
    """First element and end of each window. Source: ATen/native/AdaptivePooling.h."""
    return [(i * size // count, -(-(i + 1) * size // count)) for i in range(count)]


def _adaptive(b: Builder, x: Value, target: Sequence[int], kind: str) -> Value:
    """One op where the windows are alike; else axis by axis, a slice and a reduction for each window."""
    image = b.channels_last(x)
    order = channels_last_order(x.rank)
    space = list(range(1, image.rank - 1))
    if all(size == 1 for size in target):
        if kind == "MEAN":
            return Value(mean_over(b, image, space), order, x.dtype)
        return Value(_reduced(b, kind, image, space), order, x.dtype)
    windows = [spans(size, count) for size, count in zip(x.shape[2:], target, strict=True)]
    if all(_is_regular(found) for found in windows):
        kernel = [found[0][1] for found in windows]
        stride = [found[1][0] if len(found) > 1 else found[0][1] for found in windows]
        window = Window(x.shape[2:], kernel, stride, [0] * len(kernel), False)
        return average_pool(b, x, window, False, None) if kind == "MEAN" else max_pool(b, x, window)
    for axis, found in zip(space, windows, strict=True):
        image = _along(b, image, axis, found, kind)
    return Value(image, order, x.dtype)


def _is_regular(found: Sequence[tuple[int, int]]) -> bool:
    """Windows of one size at one distance, which a pooling op can do."""
    starts = np.diff([start for start, _ in found])
    sizes = {end - start for start, end in found}
    return len(sizes) == 1 and (len(starts) == 0 or np.ptp(starts) == 0)


def _along(b: Builder, tensor: Tensor, axis: int, found: Sequence[tuple[int, int]], kind: str) -> Tensor:
    parts = []
    for start, end in found:
        part = _cut(b, tensor, axis, start, end)
        parts.append(part if end - start == 1 else _reduced(b, kind, part, [axis]))
    if len(parts) == 1:
        return parts[0]
    shape = [len(parts) if i == axis else size for i, size in enumerate(tensor.shape)]
    return b.emit("CONCATENATION", parts, shape, axis=axis, fused_activation_function="NONE")


def _cut(b: Builder, tensor: Tensor, axis: int, start: int, end: int) -> Tensor:
    shape = [end - start if i == axis else size for i, size in enumerate(tensor.shape)]
    if tuple(shape) == tensor.shape:
        return tensor
    begin = [start if i == axis else 0 for i in range(tensor.rank)]
    return b.emit("SLICE", [tensor, *(b.constant(np.array(v, np.int32)) for v in (begin, shape))], shape)


def _reduced(b: Builder, kind: str, tensor: Tensor, axes: Sequence[int]) -> Tensor:
    shape = [1 if i in axes else size for i, size in enumerate(tensor.shape)]
    return b.emit(kind, [tensor, b.constant(np.array(axes, np.int32))], shape, keep_dims=True)


def _indices(b: Builder, x: Value, target: Sequence[int]) -> Value:
    """Where each window's maximum lies, counted through the axes of space; nobody asks for it as a rule."""
    image = b.channels_last(x)
    sizes = image.shape[1:-1]
    numbers = np.arange(int(np.prod(sizes)), dtype=np.int32).reshape(sizes)
    windows = [spans(size, count) for size, count in zip(sizes, target, strict=True)]
    found = []
    for place in np.ndindex(*target):
        part, inside = image, numbers
        for axis, (windows_of_axis, index) in enumerate(zip(windows, place, strict=True)):
            start, end = windows_of_axis[index]
            part = _cut(b, part, axis + 1, start, end)
            inside = inside.take(range(start, end), axis)
        flat = b.reshape(part, (image.shape[0], inside.size, image.shape[-1]))
        found.append(positions_of(b, flat, inside.reshape(-1)))
    stored = b.emit(
        "PACK", found, (image.shape[0], len(found), image.shape[-1]), "int32", values_count=len(found), axis=1
    )
    shaped = b.reshape(stored, (image.shape[0], *target, image.shape[-1]))
    return Value(shaped, channels_last_order(x.rank), "int64")
