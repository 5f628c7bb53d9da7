"""Max-pooling that also says where, and unpooling, which puts the values back there."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.pooling import Window, max_pool, pad_below_all, strided, window_of
from mobilekit.frontends.direct.ops.windows import as_image, as_sequence, per_axis, with_batch
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor


@lowers("aten.max_pool2d_with_indices.default")
def lower_max_pool2d_with_indices(
    b: Builder, x: Value, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Value, Value]:
    def window(image: Value) -> Window:
        return window_of(image, kernel, stride, padding, ceil_mode, dilation)

    out = with_batch(b, x, 4, lambda image: max_pool(b, image, window(image)))
    return out, with_batch(b, x, 4, lambda image: _indices(b, image, window(image)))


@lowers("aten.max_pool1d_with_indices.default")
def lower_max_pool1d_with_indices(
    b: Builder, x: Value, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Value, Value]:
    size = per_axis(kernel, 1)
    steps = per_axis(stride, 1) if stride not in (None, []) else size

    def window(image: Value) -> Window:
        pads, spread = [0, *per_axis(padding, 1)], [1, *per_axis(dilation, 1)]
        return window_of(image, [1, *size], [1, *steps], pads, ceil_mode, spread)

    def values(line: Value) -> Value:
        image = as_image(b, line)
        return as_sequence(b, max_pool(b, image, window(image)))

    def places(line: Value) -> Value:
        image = as_image(b, line)
        return as_sequence(b, _indices(b, image, window(image)))

    return with_batch(b, x, 3, values), with_batch(b, x, 3, places)


@lowers("aten.max_pool3d_with_indices.default")
def lower_max_pool3d_with_indices(
    b: Builder, x: Value, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> tuple[Value, Value]:
    def window(volume: Value) -> Window:
        return window_of(volume, kernel, stride, padding, ceil_mode, dilation)

    out = with_batch(b, x, 5, lambda volume: max_pool(b, volume, window(volume)))
    return out, with_batch(b, x, 5, lambda volume: _indices(b, volume, window(volume)))


def positions_of(b: Builder, values: Tensor, numbers: NDArray[np.int32]) -> Tensor:
    """For each row of ``values`` [N, k, C], the entry of ``numbers`` [k] where it is largest, the first of equals."""
    n, _, channels = values.shape
    best = b.emit("ARG_MAX", [values, b.constant(np.array(1, np.int32))], (n, channels), "int32", output_type=2)
    return b.emit("GATHER", [b.constant(numbers), best], (n, channels), "int32", axis=0, batch_dims=0)


def _indices(b: Builder, x: Value, window: Window) -> Value:
    """The flat position of each maximum: which tap of the window it is, and where the window lies.

    The taps lie side by side on a last axis: ARG_MAX takes the first of equals, and so does PyTorch, row by row.
    """
    image = b.channels_last(x)
    n, channels, axes = image.shape[0], image.shape[-1], len(window.sizes)
    padded = _padded(b, image, window)
    taps, offsets = [], []
    for tap in np.ndindex(*window.kernel):
        part = padded
        for axis in range(axes):
            start = tap[axis] * window.dilation[axis]
            part = strided(b, part, axis + 1, start, window.out[axis], window.stride[axis])
        taps.append(b.reshape(part, (n, int(np.prod(window.out)), channels)))
        offsets.append([t * d for t, d in zip(tap, window.dilation, strict=True)])
    if len(taps) == 1:
        raise UnsupportedError("indices of a pooling with a window of one element")
    count = taps[0].shape[1]
    side = b.emit("PACK", taps, (n, len(taps), count, channels), values_count=len(taps), axis=1)
    rows = b.reshape(side, (n, len(taps), count * channels))
    steps = np.cumprod([1, *window.sizes[:0:-1]])[::-1]  # elements between neighbours of each axis
    moved = positions_of(b, rows, np.array([np.dot(offset, steps) for offset in offsets], np.int32))
    corners = np.zeros(window.out, np.int64)
    for axis, step in enumerate(steps):
        place = np.arange(window.out[axis]) * window.stride[axis] - window.padding[axis]
        corners = corners + (place * step).reshape([-1 if i == axis else 1 for i in range(axes)])
    start = b.constant(corners.reshape(1, *window.out, 1).astype(np.int32))
    shape = (n, *window.out, channels)
    out = b.emit("ADD", [b.reshape(moved, shape), start], shape, fused_activation_function="NONE")
    return Value(out, channels_last_order(x.rank), "int64")


def _padded(b: Builder, image: Tensor, window: Window) -> Tensor:
    """A border that never wins, not even against equals: a mirrored or a zero one could."""
    if len(window.sizes) == 2 and all(pad == (0, 0) for pad in window.pads):
        return image
    if all(pad == (0, 0) for pad in window.pads):
        return pad_below_all(b, image, window)
    amounts = np.array([(0, 0), *window.pads, (0, 0)], np.int32)
    shape = [size + int(before + after) for size, (before, after) in zip(image.shape, amounts, strict=True)]
    return b.emit("PADV2", [image, b.constant(amounts), b.scalar(-np.inf, "float32")], shape)


@lowers("aten.max_unpool2d.default")
def lower_max_unpool2d(b: Builder, x: Value, indices: Value, size: Sequence[int]) -> Value:
    return _unpool(b, x, indices, [int(s) for s in size])


@lowers("aten.max_unpool3d.default")
def lower_max_unpool3d(b: Builder, x: Value, indices: Value, size: Sequence[int], stride: Any, padding: Any) -> Value:
    return _unpool(b, x, indices, [int(s) for s in size])


def _unpool(b: Builder, x: Value, indices: Value, size: Sequence[int]) -> Value:
    """SCATTER_ND adds values that fall on one place; pooling windows that overlap name one maximum more than once.

    All of them are equal then, so the sum over their count is the value.
    """
    planes = int(np.prod(x.shape[: x.rank - len(size)]))
    area, count = int(np.prod(size)), int(np.prod(x.shape[x.rank - len(size) :]))
    rows = b.reshape(b.logical(x), (planes * count,))
    places = b.reshape(b.logical(indices), (planes, count))
    first = b.constant((np.arange(planes, dtype=np.int32) * area)[:, None])
    flat = b.emit("ADD", [places, first], (planes, count), fused_activation_function="NONE")
    where = b.reshape(flat, (planes * count, 1))
    shape = b.constant(np.array([planes * area], np.int32))
    total = b.emit("SCATTER_ND", [where, rows, shape], (planes * area,), "float32")
    ones = b.constant(np.ones(planes * count, np.float32))
    hits = b.emit("SCATTER_ND", [where, ones, shape], (planes * area,), "float32")
    divisor = b.emit("MAXIMUM", [hits, b.scalar(1.0, "float32")], hits.shape)
    out = b.emit("DIV", [total, divisor], total.shape, fused_activation_function="NONE")
    return b.value(b.reshape(out, (*x.shape[: x.rank - len(size)], *size)), dtype=x.dtype)
