"""Pooling with a sliding window: max, average, 1d to 3d, with padding, ceil_mode, dilation and divisors.

1d is 2d over an image of height one. 3d is 2d over each slice, then 2d again over [N, D, H * W, C] with a window of
(depth, 1): the maximum of maxima, and the mean of means, whose windows cover the same numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.windows import (
    as_image,
    as_sequence,
    pad_spatial,
    per_axis,
    with_batch,
)
from mobilekit.frontends.direct.registry import lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor
from mobilekit.graph.padding import same_padding


class Window:
    """A sliding window over the axes between batch and channels, in PyTorch's terms and in TFLite's."""

    def __init__(
        self,
        sizes: Sequence[int],
        kernel: Sequence[int],
        stride: Sequence[int],
        padding: Sequence[int],
        ceil_mode: bool,
        dilation: Sequence[int] | None = None,
    ) -> None:
        self.sizes, self.kernel, self.stride, self.padding = list(sizes), list(kernel), list(stride), list(padding)
        self.dilation = list(dilation or [1] * len(self.sizes))
        self.reach = [d * (k - 1) + 1 for k, d in zip(self.kernel, self.dilation, strict=True)]
        self.out: list[int] = []
        self.pads: list[tuple[int, int]] = []
        for size, reach, s, p in zip(self.sizes, self.reach, self.stride, self.padding, strict=True):
            span = size + 2 * p - reach
            count = span // s + 1
            # ceil_mode adds a last window if it starts inside the image or its left padding.
            if ceil_mode and span % s and count * s < size + p:
                count += 1
            self.out.append(count)
            self.pads.append((p, max(0, (count - 1) * s + reach - size - p)))

    @property
    def mode(self) -> str:
        """VALID or SAME where TFLite's own rule covers the same pixels, else EXPLICIT."""
        if all(pad == (0, 0) for pad in self.pads):
            return "VALID"
        same = [same_padding(n, k, s) for n, k, s in zip(self.sizes, self.kernel, self.stride, strict=True)]
        covered = all(-(-n // s) == o for n, s, o in zip(self.sizes, self.stride, self.out, strict=True))
        return "SAME" if self.pads == same and covered else "EXPLICIT"

    def part(self, axes: slice) -> Window:
        """The same window over some of the axes."""
        window = Window(
            self.sizes[axes], self.kernel[axes], self.stride[axes], self.padding[axes], False, self.dilation[axes]
        )
        window.out, window.pads = self.out[axes], self.pads[axes]
        return window

    def widened(self, size: int) -> Window:
        """One axis more, of ``size``, which the window leaves as it is."""
        window = Window(
            [*self.sizes, size],
            [*self.kernel, 1],
            [*self.stride, 1],
            [*self.padding, 0],
            False,
            [*self.dilation, 1],
        )
        window.out, window.pads = [*self.out, size], [*self.pads, (0, 0)]
        return window

    def emit(self, b: Builder, kind: str, image: Tensor, mode: str) -> Tensor:
        return b.emit(
            kind,
            [image],
            (image.shape[0], *self.out, image.shape[3]),
            padding=mode,
            stride_h=self.stride[0],
            stride_w=self.stride[1],
            filter_height=self.kernel[0],
            filter_width=self.kernel[1],
            fused_activation_function="NONE",
        )

    def counts(self, include_pad: bool) -> list[NDArray[np.float64]]:
        """Along each axis, how many elements PyTorch divides each window by."""
        found = []
        for size, k, s, o, p in zip(self.sizes, self.kernel, self.stride, self.out, self.padding, strict=True):
            first = np.arange(o) * s - p
            last = np.minimum(first + k, size + p) if include_pad else np.minimum(first + k, size)
            found.append((last - (first if include_pad else np.maximum(first, 0))).astype(np.float64))
        return found


# -- maximum -------------------------------------------------------------------------------------------------------


def max_pool(b: Builder, x: Value, window: Window) -> Value:
    """The maximum over ``window``; ``x`` has a batch, and two or three axes of space."""
    image = b.channels_last(x)
    order = channels_last_order(x.rank)
    if len(window.sizes) == 3:
        n, depth, height, width, channels = image.shape
        plane = _max_pool2d(b, b.reshape(image, (n * depth, height, width, channels)), window.part(slice(1, 3)))
        rows = b.reshape(plane, (n, depth, window.out[1] * window.out[2], channels))
        out = _max_pool2d(b, rows, window.part(slice(0, 1)).widened(rows.shape[2]))
        return Value(b.reshape(out, (n, *window.out, channels)), order, x.dtype)
    return Value(_max_pool2d(b, image, window), order, x.dtype)


def _max_pool2d(b: Builder, image: Tensor, window: Window) -> Tensor:
    if any(d != 1 for d in window.dilation):
        return _max_pool_dilated(b, image, window)
    if window.mode != "EXPLICIT":
        return window.emit(b, "MAX_POOL_2D", image, window.mode)
    return window.emit(b, "MAX_POOL_2D", pad_below_all(b, image, window), "VALID")


def _max_pool_dilated(b: Builder, image: Tensor, window: Window) -> Tensor:
    """One axis after the other: the maximum of the window's taps, each a strided slice."""
    image = pad_below_all(b, image, window)
    for axis in (1, 2):
        k, d, s, count = (values[axis - 1] for values in (window.kernel, window.dilation, window.stride, window.out))
        taps = [strided(b, image, axis, tap * d, count, s) for tap in range(k)]
        image = taps[0]
        for tap in taps[1:]:
            image = b.emit("MAXIMUM", [image, tap], tap.shape)
    return image


def strided(b: Builder, tensor: Tensor, axis: int, start: int, count: int, step: int) -> Tensor:
    """Elements start, start + step... of one stored axis."""
    if (start, count, step) == (0, tensor.shape[axis], 1):
        return tensor
    shape = [count if i == axis else size for i, size in enumerate(tensor.shape)]
    begin = [start if i == axis else 0 for i in range(tensor.rank)]
    end = [start + (count - 1) * step + 1 if i == axis else size for i, size in enumerate(tensor.shape)]
    steps = [step if i == axis else 1 for i in range(tensor.rank)]
    arguments = [b.constant(np.array(values, np.int32)) for values in (begin, end, steps)]
    return b.emit("STRIDED_SLICE", [tensor, *arguments], shape)


def pad_below_all(b: Builder, image: Tensor, window: Window) -> Tensor:
    """A border that no maximum can come from.

    Where nothing is negative, zeros; where every window holds the pixels that mirror its border, those. Both keep the
    range of the tensor, which an int8 scale is made of. Only what is left gets the lowest float.
    """
    if all(pad == (0, 0) for pad in window.pads):
        return image
    if _never_negative(b, image):
        return pad_spatial(b, image, window.pads)
    if _is_mirrored_inside(window):
        amounts = np.array([(0, 0), *window.pads, (0, 0)], np.int32)
        shape = [size + int(before + after) for size, (before, after) in zip(image.shape, amounts, strict=True)]
        return b.emit("MIRROR_PAD", [image, b.constant(amounts)], shape, mode="SYMMETRIC")
    return pad_spatial(b, image, window.pads, float(np.finfo(np.float32).min))


def _never_negative(b: Builder, tensor: Tensor) -> bool:
    """Whether the op that makes ``tensor`` cannot give a negative number."""
    producer = next((op for op in reversed(b.graph.ops) if tensor in op.outputs), None)
    return producer is not None and producer.kind in ("RELU", "RELU6", "RELU_0_TO_1", "LOGISTIC", "SOFTMAX")


def _is_mirrored_inside(window: Window) -> bool:
    """Whether each window that reaches over an edge by n also covers the n pixels inside that edge."""
    if any(d != 1 for d in window.dilation):
        return False
    for size, k, s, count, p in zip(
        window.sizes, window.kernel, window.stride, window.out, window.padding, strict=True
    ):
        first = np.arange(count) * s - p
        before, after = np.maximum(0, -first), np.maximum(0, first + k - size)
        outside = (first + k < before) | (first + after > size) | (np.maximum(before, after) > size)
        if np.any(outside & ((before > 0) | (after > 0))):
            return False
    return True


# -- average -------------------------------------------------------------------------------------------------------


def average_pool(b: Builder, x: Value, window: Window, include_pad: bool, divisor: int | None) -> Value:
    """The mean over ``window``; ``x`` has a batch, and two or three axes of space."""
    image = b.channels_last(x)
    order = channels_last_order(x.rank)
    if len(window.sizes) == 2:
        return Value(_average_pool2d(b, image, window, include_pad, divisor), order, x.dtype)
    n, depth, height, width, channels = image.shape
    plane, column = window.part(slice(1, 3)), window.part(slice(0, 1))
    image = b.reshape(image, (n * depth, height, width, channels))
    # A divisor of its own divides once: by itself over the planes, and not at all over the depth.
    pooled = _average_pool2d(b, image, plane, include_pad, divisor)
    rows = b.reshape(pooled, (n, depth, window.out[1] * window.out[2], channels))
    out = _average_pool2d(b, rows, column.widened(rows.shape[2]), include_pad, None if divisor is None else 1)
    return Value(b.reshape(out, (n, *window.out, channels)), order, x.dtype)


def _average_pool2d(b: Builder, image: Tensor, window: Window, include_pad: bool, divisor: int | None) -> Tensor:
    mode = window.mode
    if mode == "VALID" or (mode == "SAME" and not include_pad and divisor is None):
        pooled = window.emit(b, "AVERAGE_POOL_2D", image, mode)  # TFLite never counts its own padding
        if divisor is None:
            return pooled
    else:
        pooled = window.emit(b, "AVERAGE_POOL_2D", pad_spatial(b, image, window.pads), "VALID")
    area = float(np.prod(window.kernel))
    rows, columns = window.counts(include_pad)
    divided = np.outer(rows, columns) if divisor is None else np.full((1, 1), float(divisor))
    factor = (area / divided).astype(np.float32)
    if np.all(factor == 1):
        return pooled
    correction = b.constant(factor[None, :, :, None] if np.ptp(factor) else factor[0, 0])
    return b.emit("MUL", [pooled, correction], pooled.shape, fused_activation_function="NONE")


# -- the ops -------------------------------------------------------------------------------------------------------


def window_of(image: Value, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, dilation: Any = 1) -> Window:
    """The window over the axes of space of a batched ``image``."""
    count = image.rank - 2
    size = per_axis(kernel, count)
    steps = per_axis(stride, count) if stride not in (None, []) else size
    return Window(image.shape[2:], size, steps, per_axis(padding, count), ceil_mode, per_axis(dilation, count))


@lowers("aten.max_pool2d.default")
def lower_max_pool2d(
    b: Builder, x: Value, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool, rank: int = 4
) -> Value:
    def batched(image: Value) -> Value:
        return max_pool(b, image, window_of(image, kernel, stride, padding, ceil_mode, dilation))

    return with_batch(b, x, rank, batched)


@lowers("aten.max_pool3d.default")
def lower_max_pool3d(
    b: Builder, x: Value, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Value:
    return lower_max_pool2d(b, x, kernel, stride, padding, dilation, ceil_mode, rank=5)


@lowers("aten.max_pool1d.default")
def lower_max_pool1d(
    b: Builder, x: Value, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Value:
    steps = per_axis(stride, 1) if stride not in (None, []) else per_axis(kernel, 1)

    def batched(line: Value) -> Value:
        image = as_image(b, line)
        window = window_of(
            image,
            [1, *per_axis(kernel, 1)],
            [1, *steps],
            [0, *per_axis(padding, 1)],
            ceil_mode,
            [1, *per_axis(dilation, 1)],
        )
        return as_sequence(b, max_pool(b, image, window))

    return with_batch(b, x, 3, batched)


@lowers("aten.avg_pool2d.default")
def lower_avg_pool2d(
    b: Builder,
    x: Value,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
    rank: int = 4,
) -> Value:
    def batched(image: Value) -> Value:
        window = window_of(image, kernel, stride, padding, ceil_mode)
        return average_pool(b, image, window, count_include_pad, divisor)

    return with_batch(b, x, rank, batched)


@lowers("aten.avg_pool3d.default")
def lower_avg_pool3d(
    b: Builder,
    x: Value,
    kernel: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor: int | None,
) -> Value:
    return lower_avg_pool2d(b, x, kernel, stride, padding, ceil_mode, count_include_pad, divisor, rank=5)


@lowers("aten.avg_pool1d.default")
def lower_avg_pool1d(
    b: Builder, x: Value, kernel: Any, stride: Any, padding: Any, ceil_mode: bool, count_include_pad: bool
) -> Value:
    steps = per_axis(stride, 1) if stride not in (None, []) else per_axis(kernel, 1)

    def batched(line: Value) -> Value:
        image = as_image(b, line)
        window = window_of(image, [1, *per_axis(kernel, 1)], [1, *steps], [0, *per_axis(padding, 1)], ceil_mode)
        return as_sequence(b, average_pool(b, image, window, count_include_pad, None))

    return with_batch(b, x, 3, batched)
