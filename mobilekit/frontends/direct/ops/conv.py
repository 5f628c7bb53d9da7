"""Convolutions: 1d and 2d, plain, depthwise, grouped, dilated, any padding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.windows import (
    Pads,
    as_image,
    as_sequence,
    pad_spatial,
    per_axis,
    with_batch,
)
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor
from mobilekit.graph.padding import same_padding


@lowers("aten.conv2d.default")
def lower_conv2d(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Value:
    pads = symmetric(padding, 2)
    return conv2d(b, x, weight, bias, per_axis(stride, 2), pads, per_axis(dilation, 2), groups)


@lowers("aten.conv2d.padding")
def lower_conv2d_padding(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: str, dilation: Any, groups: int
) -> Value:
    steps = per_axis(dilation, 2)
    return conv2d(
        b, x, weight, bias, per_axis(stride, 2), named_padding(padding, weight.shape[2:], steps), steps, groups
    )


@lowers("aten.conv1d.default")
def lower_conv1d(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Value:
    return conv1d(b, x, weight, bias, per_axis(stride, 1), symmetric(padding, 1), per_axis(dilation, 1), groups)


@lowers("aten.conv1d.padding")
def lower_conv1d_padding(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: str, dilation: Any, groups: int
) -> Value:
    steps = per_axis(dilation, 1)
    pads = named_padding(padding, weight.shape[2:], steps)
    return conv1d(b, x, weight, bias, per_axis(stride, 1), pads, steps, groups)


def conv1d(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    groups: int,
) -> Value:
    """A 2d convolution over an image of height one."""
    kernel = b.logical(weight)
    wide = b.value(b.reshape(kernel, (*kernel.shape[:2], 1, kernel.shape[2])), dtype=weight.dtype)

    def batched(line: Value) -> Value:
        image = as_image(b, line)
        out = conv2d(b, image, wide, bias, [1, *stride], [(0, 0), *pads], [1, *dilation], groups)
        return as_sequence(b, out)

    return with_batch(b, x, 3, batched)


def conv2d(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    groups: int,
) -> Value:
    """Any 2d convolution; a weight computed in forward (correlation, dynamic convolution) is transposed at run time."""

    def batched(image: Value) -> Value:
        out = convolve(b, b.channels_last(image), weight, bias, stride, pads, dilation, groups)
        return Value(out, channels_last_order(4), x.dtype)

    return with_batch(b, x, 4, batched)


def convolve(
    b: Builder,
    image: Tensor,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    """One CONV_2D or DEPTHWISE_CONV_2D over a stored image [N, H, W, C], padded by itself or by a PAD before it."""
    kernel = weight.shape[2:]
    sizes = [
        (size + sum(pad) - d * (k - 1) - 1) // s + 1
        for size, pad, k, s, d in zip(image.shape[1:3], pads, kernel, stride, dilation, strict=True)
    ]
    mode = _padding_mode(image.shape[1:3], pads, kernel, stride, dilation)
    if mode == "EXPLICIT":
        image, mode = pad_spatial(b, image, pads), "VALID"
    out_channels, in_per_group = weight.shape[:2]
    options: dict[str, Any] = {
        "padding": mode,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h_factor": dilation[0],
        "dilation_w_factor": dilation[1],
        "fused_activation_function": "NONE",
    }
    offset = bias_or_zeros(b, bias, out_channels)
    if groups > 1 and in_per_group == 1:
        # [1, h, w, channels * multiplier]; output channel o reads input channel o // multiplier, as in PyTorch.
        filters = b.reorder(weight, (1, 2, 3, 0)).tensor
        kind, options["depth_multiplier"] = "DEPTHWISE_CONV_2D", out_channels // groups
    else:
        filters, kind = b.reorder(weight, (0, 2, 3, 1)).tensor, "CONV_2D"
    return b.emit(kind, [image, filters, offset], (image.shape[0], *sizes, out_channels), **options)


def bias_or_zeros(b: Builder, bias: Value | None, channels: int) -> Tensor:
    return b.constant(np.zeros(channels, np.float32)) if bias is None else bias.tensor


def symmetric(padding: Any, count: int) -> list[tuple[int, int]]:
    return [(pad, pad) for pad in per_axis(padding, count)]


def named_padding(name: str, kernel: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    """PyTorch's "same" puts the smaller half first, like TFLite's; stride is one."""
    if name == "valid":
        return [(0, 0)] * len(kernel)
    if name != "same":
        raise UnsupportedError(f"padding '{name}' of a convolution")
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def _padding_mode(
    sizes: Sequence[int], pads: Pads, kernel: Sequence[int], stride: Sequence[int], dilation: Sequence[int]
) -> str:
    """VALID or SAME where TFLite's own rule puts the same zeros in the same places, else EXPLICIT."""
    if all(pad == (0, 0) for pad in pads):
        return "VALID"
    same = [same_padding(n, k, s, d) for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)]
    return "SAME" if list(pads) == same else "EXPLICIT"
