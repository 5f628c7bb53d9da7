"""Pooling of images."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.conv import pad_image, same_padding
from mobilekit.frontends.direct.ops.reduce import mean_over
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor


@lowers("aten.max_pool2d.default")
def lower_max_pool2d(
    b: Builder, x: Value, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool
) -> Value:
    if any(d != 1 for d in _pair(dilation)):
        raise UnsupportedError("max pooling with dilation")
    window = _Window(x, kernel, stride, padding, ceil_mode)
    image = b.channels_last(x)
    if window.mode == "EXPLICIT":
        # Zero is as good as minus infinity where nothing is below zero, and does not spoil an int8 range.
        image = pad_image(b, image, window.pads) if _never_negative(b, image) else _pad_lowest(b, image, window.pads)
    return window.emit(b, "MAX_POOL_2D", image, x)


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
) -> Value:
    window = _Window(x, kernel, stride, padding, ceil_mode)
    padded = any(sum(pad) for pad in window.pads)
    if divisor is not None or (window.overhang and padded):
        raise UnsupportedError("average pooling with a divisor of its own, or with ceil_mode and padding")
    image = b.channels_last(x)
    if not padded or (window.mode == "SAME" and not count_include_pad and not window.overhang):
        return window.emit(b, "AVERAGE_POOL_2D", image, x)  # TFLite never counts its own padding
    pooled = window.emit(b, "AVERAGE_POOL_2D", pad_image(b, image, window.pads), x, mode="VALID")
    if count_include_pad and not window.overhang:
        return pooled
    correction = b.constant(window.inverse_share())
    out = b.emit("MUL", [pooled.tensor, correction], pooled.tensor.shape, fused_activation_function="NONE")
    return b.like(pooled, out)


@lowers("aten.adaptive_avg_pool2d.default", "aten._adaptive_avg_pool2d.default")
def lower_adaptive_avg_pool2d(b: Builder, x: Value, output_size: Sequence[int]) -> Value:
    image = b.channels_last(x)
    height, width = image.shape[1:3]
    rows, columns = (
        size if size is not None else full for size, full in zip(output_size, (height, width), strict=True)
    )
    order = channels_last_order(4)
    if (rows, columns) == (1, 1):
        return Value(mean_over(b, image, [1, 2]), order, x.dtype)
    if height % rows or width % columns:
        raise UnsupportedError(
            f"adaptive pooling of {height}x{width} to {rows}x{columns}, which does not divide evenly",
            "choose an input size that is a multiple, or pool with a fixed kernel",
        )
    kernel = [height // rows, width // columns]
    return _Window(x, kernel, kernel, 0, False).emit(b, "AVERAGE_POOL_2D", image, x)


class _Window:
    """A sliding window over an image, in PyTorch's terms and in TFLite's."""

    def __init__(self, x: Value, kernel: Any, stride: Any, padding: Any, ceil_mode: bool) -> None:
        if x.rank != 4:
            raise UnsupportedError(f"pooling of a tensor of rank {x.rank}", "add a batch axis")
        self.sizes = x.shape[2:]
        self.kernel, self.padding = _pair(kernel), _pair(padding)
        self.stride = _pair(stride) if stride not in (None, []) else self.kernel
        self.out: list[int] = []
        self.pads: list[tuple[int, int]] = []
        self.overhang = False
        for size, k, s, p in zip(self.sizes, self.kernel, self.stride, self.padding, strict=True):
            span = size + 2 * p - k
            count = span // s + 1
            # ceil_mode adds a last window if it starts inside the image or its left padding.
            if ceil_mode and span % s and count * s < size + p:
                count += 1
                self.overhang = True
            self.out.append(count)
            self.pads.append((p, max(p, (count - 1) * s + k - size - p)))
        same = [same_padding(n, k, s) for n, k, s in zip(self.sizes, self.kernel, self.stride, strict=True)]
        covered = all(-(-n // s) == o for n, s, o in zip(self.sizes, self.stride, self.out, strict=True))
        if all(pad == (0, 0) for pad in self.pads):
            self.mode = "VALID"
        else:
            self.mode = "SAME" if self.pads == same and covered else "EXPLICIT"

    def emit(self, b: Builder, kind: str, image: Tensor, x: Value, mode: str | None = None) -> Value:
        chosen = mode or ("VALID" if self.mode == "EXPLICIT" else self.mode)
        out = b.emit(
            kind,
            [image],
            (image.shape[0], *self.out, image.shape[3]),
            padding=chosen,
            stride_h=self.stride[0],
            stride_w=self.stride[1],
            filter_height=self.kernel[0],
            filter_width=self.kernel[1],
            fused_activation_function="NONE",
        )
        return Value(out, channels_last_order(4), x.dtype)

    def inverse_share(self) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Kernel area over the pixels of the image that each window covers: [1, rows, columns, 1]."""
        counts = []
        for size, k, s, o, (before, _) in zip(self.sizes, self.kernel, self.stride, self.out, self.pads, strict=True):
            starts = np.arange(o) * s - before
            counts.append(np.minimum(starts + k, size) - np.maximum(starts, 0))
        covered = np.outer(counts[0], counts[1]).astype(np.float64)
        share = self.kernel[0] * self.kernel[1] / covered
        return share.astype(np.float32)[None, :, :, None]


def _never_negative(b: Builder, tensor: Tensor) -> bool:
    """Whether the op that makes ``tensor`` cannot give a negative number."""
    producer = next((op for op in reversed(b.graph.ops) if tensor in op.outputs), None)
    return producer is not None and producer.kind in ("RELU", "RELU6", "RELU_0_TO_1", "LOGISTIC", "SOFTMAX")


def _pad_lowest(b: Builder, image: Tensor, pads: Sequence[tuple[int, int]]) -> Tensor:
    amounts = np.array([(0, 0), *pads, (0, 0)], np.int32)
    shape = [size + int(before + after) for size, (before, after) in zip(image.shape, amounts, strict=True)]
    lowest = b.scalar(float(np.finfo(np.float32).min), "float32")
    return b.emit("PADV2", [image, b.constant(amounts), lowest], shape)


def _pair(value: Any) -> list[int]:
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return values * 2 if len(values) == 1 else values
