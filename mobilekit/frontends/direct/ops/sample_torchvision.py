"""torchvision's roi_align and deform_conv2d: bilinear reads of an image at computed places, then a mean or a product.

Both read four neighbours a place with a GATHER each, as grid_sample does.
Source of the rules at the edges: torchvision/csrc/ops/cpu/roi_align_kernel.cpp and deform_conv2d_kernel.cpp.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.activation import clamp
from mobilekit.frontends.direct.ops.arithmetic import binary, unary_like
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.ops.linear import matmul
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, identity_order
from mobilekit.graph.ir import Tensor


@lowers("torchvision.roi_align.default")
def lower_roi_align(
    b: Builder, x: Value, rois: Value, scale: float, height: int, width: int, sampling_ratio: int, aligned: bool
) -> Value:
    """The mean of sampling_ratio^2 bilinear reads in each bin; ``rois`` [K, 5] are (image, x1, y1, x2, y2)."""
    if sampling_ratio <= 0:
        raise UnsupportedError(
            "roi_align without a sampling_ratio: the size of each box decides how often it is read",
            "roi_align(x, boxes, size, sampling_ratio=2)",
        )
    n, channels, rows, columns = x.shape
    count = rois.shape[0]
    table = b.logical(rois)

    def column(index: int) -> Value:
        places = [b.constant(np.array(v, np.int32)) for v in ([0, index], [count, 1])]
        return b.value(b.reshape(b.emit("SLICE", [table, *places], (count, 1)), (count, 1, 1)))

    def places(start: int, bins: int, along: int) -> Value:
        shift = 0.5 if aligned else 0.0
        low, high = (binary(b, "MUL", column(i), float(scale)) for i in (start, start + 2))
        span = binary(b, "SUB", high, low)
        if aligned:
            low = binary(b, "SUB", low, shift)
        else:
            span = binary(b, "MAXIMUM", span, 1.0)
        # The middles of bins * ratio equal steps over the box.
        steps = (np.arange(bins * sampling_ratio, dtype=np.float32) + 0.5) / (bins * sampling_ratio)
        shape = (1, -1, 1) if along == 1 else (1, 1, -1)
        return binary(b, "ADD", low, binary(b, "MUL", span, b.constant_value(steps.reshape(shape))))

    y, x_places = places(2, height, 1), places(1, width, 2)
    shape = (count, height * sampling_ratio, width * sampling_ratio)
    zeros = b.constant_value(np.zeros(shape, np.float32))
    y, x_places = binary(b, "ADD", y, zeros), binary(b, "ADD", x_places, zeros)
    inside = binary(b, "MUL", _between(b, y, rows), _between(b, x_places, columns))
    # Places up to one pixel outside read the edge.
    y, x_places = clamp(b, y, 0.0, rows - 1.0), clamp(b, x_places, 0.0, columns - 1.0)
    pixels = b.reshape(b.channels_last(x), (n * rows * columns, channels))
    image = binary(b, "MUL", cast(b, column(0), "int32"), rows * columns)
    read = _bilinear(b, pixels, y, x_places, (rows, columns), image, zero_outside=False)
    read = binary(b, "MUL", read, b.value(b.reshape(inside.tensor, (*shape, 1))))
    split = b.reshape(read.tensor, (count * height, sampling_ratio, width, sampling_ratio * channels))
    lines = b.emit(
        "MEAN", [split, b.constant(np.array([1], np.int32))], split.shape[:1] + split.shape[2:], keep_dims=False
    )
    split = b.reshape(lines, (count * height * width, sampling_ratio, channels))
    mean = b.emit("MEAN", [split, b.constant(np.array([1], np.int32))], (split.shape[0], channels), keep_dims=False)
    return Value(b.reshape(mean, (count, height, width, channels)), (0, 2, 3, 1), x.dtype)


@lowers("torchvision.deform_conv2d.default")
def lower_deform_conv2d(
    b: Builder,
    x: Value,
    weight: Value,
    offset: Value,
    mask: Value,
    bias: Value,
    stride_h: int,
    stride_w: int,
    pad_h: int,
    pad_w: int,
    dilation_h: int,
    dilation_w: int,
    groups: int,
    offset_groups: int,
    use_mask: bool,
) -> Value:
    """Each tap of the window is read at its place plus its offset; then one product a group of channels."""
    n, channels, rows, columns = x.shape
    outputs, per_group, kernel_h, kernel_w = weight.shape
    taps = kernel_h * kernel_w
    high, wide = offset.shape[2:]
    points, part = high * wide, channels // offset_groups
    # [N, offset groups, taps, 2, points] -> the y and the x of every read.
    moved = b.reshape(b.logical(offset), (n * offset_groups * taps, 2, points))
    shape = (n, offset_groups, taps, points)

    def half(index: int) -> Value:
        begin, size = ([0, index, 0], [moved.shape[0], 1, points])
        args = [b.constant(np.array(v, np.int32)) for v in (begin, size)]
        return b.value(b.reshape(b.emit("SLICE", [moved, *args], size), shape))

    tap_y, tap_x = np.divmod(np.arange(taps), kernel_w)
    point_y, point_x = np.divmod(np.arange(points), wide)

    def base(tap: NDArray[np.int64], point: NDArray[np.int64], stride: int, pad: int, dilation: int) -> Value:
        place = (tap * dilation)[:, None] + (point * stride - pad)[None]
        return b.constant_value(place.astype(np.float32)[None, None])

    y = binary(b, "ADD", half(0), base(tap_y, point_y, stride_h, pad_h, dilation_h))
    x_places = binary(b, "ADD", half(1), base(tap_x, point_x, stride_w, pad_w, dilation_w))
    # The image as rows of one offset group's channels: [N, H, W, offset groups, part].
    pixels = b.reshape(b.channels_last(x), (n * rows * columns * offset_groups, part))
    start = np.arange(n)[:, None] * (rows * columns * offset_groups) + np.arange(offset_groups)[None]
    first = b.constant_value(start.astype(np.int32)[:, :, None, None])
    read = _bilinear(b, pixels, y, x_places, (rows, columns), first, zero_outside=True, step=offset_groups)
    if use_mask:
        read = binary(b, "MUL", read, b.value(b.reshape(b.logical(mask), (*shape, 1))))
    # [N, offset groups, taps, points, part] -> [N, points, offset groups * part * taps], as the weights have it.
    inner = b.transpose(read.tensor, (0, 3, 1, 4, 2))
    width = per_group * taps
    rows_of = b.reshape(inner, (n * points, groups, width))
    left = b.value(b.transpose(rows_of, (1, 0, 2)))
    kernel = b.transpose(b.reshape(b.logical(weight), (groups, outputs // groups, width)), (0, 2, 1))
    product = matmul(b, left, b.value(kernel))
    joined = b.reshape(b.transpose(b.logical(product), (1, 0, 2)), (n, high, wide, outputs))
    total = binary(b, "ADD", b.value(joined), b.value(b.logical(bias)))
    return Value(total.tensor, (0, 2, 3, 1), x.dtype)


def _between(b: Builder, place: Value, size: int) -> Value:
    """One from a pixel before the image to a pixel behind it, else zero."""
    low = binary(b, "GREATER_EQUAL", place, -1.0, "bool")
    high = binary(b, "LESS_EQUAL", place, float(size), "bool")
    return cast(b, binary(b, "MUL", low, high), "float32")


def _bilinear(
    b: Builder,
    pixels: Tensor,
    y: Value,
    x: Value,
    sizes: Sequence[int],
    first: Value,
    *,
    zero_outside: bool,
    step: int = 1,
) -> Value:
    """Rows of ``pixels`` around places of any shape, weighted: that shape and the row's length behind it.

    Row (y, x) is ``first + (y * W + x) * step``. ``zero_outside``: a neighbour outside the image counts as zero, else
    as the edge.
    """
    axes = []
    for place, size in zip((y, x), sizes, strict=True):
        low = unary_like(b, "FLOOR", place)
        part = binary(b, "SUB", place, low)
        taps = []
        for spot, weight in ((low, binary(b, "SUB", 1.0, part)), (binary(b, "ADD", low, 1.0), part)):
            inner = clamp(b, spot, 0.0, size - 1.0)
            if zero_outside:
                weight = binary(b, "MUL", weight, cast(b, binary(b, "EQUAL", spot, inner, "bool"), "float32"))
            taps.append((cast(b, inner, "int32"), weight))
        axes.append(taps)
    total: Value | None = None
    for (row, row_weight), (column, column_weight) in itertools.product(*axes):
        flat = binary(b, "ADD", binary(b, "MUL", row, int(sizes[1])), column)
        where = binary(b, "ADD", binary(b, "MUL", flat, step) if step > 1 else flat, first)
        shape = (*where.tensor.shape, pixels.shape[1])
        read = b.emit("GATHER", [pixels, where.tensor], shape, "float32", axis=0, batch_dims=0)
        weight = binary(b, "MUL", row_weight, column_weight)
        spread = Value(b.reshape(weight.tensor, (*weight.tensor.shape, 1)), identity_order(len(shape)), "float32")
        term = binary(b, "MUL", Value(read, identity_order(len(shape)), "float32"), spread)
        total = term if total is None else binary(b, "ADD", total, term)
    assert total is not None
    return total
