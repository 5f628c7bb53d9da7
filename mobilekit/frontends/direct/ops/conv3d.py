"""Convolutions over volumes, said with 2d ones: CONV_3D has no int8 kernel, no groups, and no delegate.

Given     x: [N, D, H, W, C], kernel of depth k
Result    the k depth slices that one output needs, side by side as channels [N * D', H, W, k * C], and one CONV_2D

That is the same sum in one op, with its bias and activation. Grouped ones are summed slice by slice instead, since the
channels of a group would not lie together.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.conv import convolve, named_padding, symmetric
from mobilekit.frontends.direct.ops.windows import Pads, along_depth, pad_spatial, per_axis, with_batch
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor


@lowers("aten.conv3d.default")
def lower_conv3d(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Value:
    pads = symmetric(padding, 3)
    return conv3d(b, x, weight, bias, per_axis(stride, 3), pads, per_axis(dilation, 3), groups)


@lowers("aten.conv3d.padding")
def lower_conv3d_padding(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: str, dilation: Any, groups: int
) -> Value:
    steps = per_axis(dilation, 3)
    pads = named_padding(padding, weight.shape[2:], steps)
    return conv3d(b, x, weight, bias, per_axis(stride, 3), pads, steps, groups)


def conv3d(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    groups: int,
) -> Value:
    if not weight.is_constant:
        raise UnsupportedError("a 3d convolution with a weight computed in forward")

    def batched(volume: Value) -> Value:
        out = _over_depth(b, b.channels_last(volume), weight, bias, stride, pads, dilation, groups)
        return Value(out, channels_last_order(5), x.dtype)

    return with_batch(b, x, 5, batched)


def _over_depth(
    b: Builder,
    volume: Tensor,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    pads: Pads,
    dilation: Sequence[int],
    groups: int,
) -> Tensor:
    n = volume.shape[0]
    if pads[0] != (0, 0):
        n, depth, height, width, channels = volume.shape
        flat = b.reshape(volume, (n, depth, height * width, channels))
        flat = pad_spatial(b, flat, [pads[0], (0, 0)])
        volume = b.reshape(flat, (n, flat.shape[1], height, width, channels))
    taps = weight.shape[2]
    count = (volume.shape[1] - dilation[0] * (taps - 1) - 1) // stride[0] + 1
    slices = [along_depth(b, volume, tap * dilation[0], count, stride[0]) for tap in range(taps)]
    data = b.logical(weight).data
    assert data is not None
    plane = (stride[1:], pads[1:], dilation[1:])
    if groups == 1:
        # [O, C, k, h, w] -> [O, k * C, h, w]
        wide = data.transpose(0, 2, 1, 3, 4).reshape(data.shape[0], -1, *data.shape[3:])
        joined = slices[0]
        if taps > 1:
            shape = (*joined.shape[:3], taps * joined.shape[3])
            joined = b.emit("CONCATENATION", slices, shape, axis=3, fused_activation_function="NONE")
        out = convolve(b, joined, b.constant_value(np.ascontiguousarray(wide)), bias, *plane, groups)
    else:
        kernels = [b.constant_value(np.ascontiguousarray(data[:, :, tap])) for tap in range(taps)]
        out = convolve(b, slices[0], kernels[0], bias, *plane, groups)
        for part, kernel in zip(slices[1:], kernels[1:], strict=True):
            term = convolve(b, part, kernel, None, *plane, groups)
            out = b.emit("ADD", [out, term], out.shape, fused_activation_function="NONE")
    return b.reshape(out, (n, count, *out.shape[1:]))
