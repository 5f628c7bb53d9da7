"""Transposed convolutions, 1d to 3d, with groups, dilation, padding and output padding.

One TRANSPOSE_CONV where there is one group and two dimensions. It computes every pixel that an input reaches; PyTorch's
``padding`` then cuts a border off, which is TFLite's SAME where the output is exactly ``stride`` times the input and
both cut alike, else a SLICE. With groups, or three dimensions, it is said as what it is: zeros between the pixels, and
a plain convolution with the kernel turned round.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.conv import bias_or_zeros, convolve, lower_conv1d, lower_conv2d
from mobilekit.frontends.direct.ops.conv3d import conv3d, lower_conv3d
from mobilekit.frontends.direct.ops.windows import Pads, as_image, as_sequence, per_axis, with_batch
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor

Array = NDArray[Any]


@lowers("aten.conv_transpose2d.input")
def lower_conv_transpose2d(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Value:
    kernel = _constant(weight)
    steps, cuts, extra, spread = (per_axis(value, 2) for value in (stride, padding, output_padding, dilation))
    return with_batch(b, x, 4, lambda image: _transposed2d(b, image, kernel, bias, steps, cuts, extra, spread, groups))


@lowers("aten.conv_transpose1d.default")
def lower_conv_transpose1d(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Value:
    """A 2d one over an image of height one."""
    kernel = _constant(weight)[:, :, None]
    steps, cuts, extra, spread = (per_axis(value, 1) for value in (stride, padding, output_padding, dilation))

    def batched(line: Value) -> Value:
        image = as_image(b, line)
        wide = _transposed2d(b, image, kernel, bias, [1, *steps], [0, *cuts], [0, *extra], [1, *spread], groups)
        return as_sequence(b, wide)

    return with_batch(b, x, 3, batched)


@lowers("aten.conv_transpose3d.input")
def lower_conv_transpose3d(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Value:
    steps, cuts, extra, spread = (per_axis(value, 3) for value in (stride, padding, output_padding, dilation))

    def batched(volume: Value) -> Value:
        kernel, pads = _turned_round(_constant(weight), groups, cuts, extra, spread)
        wide = _with_zeros_between(b, b.channels_last(volume), steps)
        wide, pads = _cropped(b, wide, pads)
        spread_value = Value(wide, channels_last_order(5), x.dtype)
        return conv3d(b, spread_value, b.constant_value(kernel), bias, [1, 1, 1], pads, spread, groups)

    return with_batch(b, x, 5, batched)


@lowers("aten.convolution.default")
def lower_convolution(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Any,
    padding: Any,
    dilation: Any,
    transposed: bool,
    output_padding: Any,
    groups: int,
) -> Value:
    """The op that all convolutions decompose into."""
    dimensions = weight.rank - 2
    if transposed:
        turned = {1: lower_conv_transpose1d, 2: lower_conv_transpose2d, 3: lower_conv_transpose3d}[dimensions]
        return turned(b, x, weight, bias, stride, padding, output_padding, groups, dilation)
    plain = {1: lower_conv1d, 2: lower_conv2d, 3: lower_conv3d}[dimensions]
    return plain(b, x, weight, bias, stride, padding, dilation, groups)


def _constant(weight: Value) -> Array:
    if weight.tensor.data is None:
        raise UnsupportedError("a transposed convolution with a weight computed in forward")
    moved: Array = weight.tensor.data.transpose(weight.axes(range(weight.rank)))
    return moved


def _transposed2d(
    b: Builder,
    x: Value,
    kernel: Array,
    bias: Value | None,
    stride: Sequence[int],
    cut: Sequence[int],
    extra: Sequence[int],
    dilation: Sequence[int],
    groups: int,
) -> Value:
    """``kernel`` is [inputs, outputs a group, h, w], as PyTorch has it."""
    image = b.channels_last(x)
    if groups > 1 or any(e >= s for e, s in zip(extra, stride, strict=True)):
        turned, pads = _turned_round(kernel, groups, cut, extra, dilation)
        wide, pads = _cropped(b, _with_zeros_between(b, image, stride), pads)
        out = convolve(b, wide, b.constant_value(turned), bias, [1, 1], pads, dilation, groups)
        return Value(out, channels_last_order(4), x.dtype)
    filters = _dilated(kernel, dilation).transpose(1, 2, 3, 0)  # [outputs, h, w, inputs]
    reach = [(size - 1) * s + k for size, s, k in zip(image.shape[1:3], stride, filters.shape[1:3], strict=True)]
    wanted = [full - 2 * c + e for full, c, e in zip(reach, cut, extra, strict=True)]
    n, channels = image.shape[0], filters.shape[0]
    same = all(
        out == size * s and out - full + 2 * c == 0
        for out, size, s, full, c in zip(wanted, image.shape[1:3], stride, reach, cut, strict=True)
    )
    # Every pixel that is reached, and up to stride - 1 further ones, which hold the bias alone.
    covered = wanted if same else [max(full, c + out) for full, c, out in zip(reach, cut, wanted, strict=True)]
    shape = (n, *covered, channels)
    out = b.emit(
        "TRANSPOSE_CONV",
        [
            b.constant(np.array(shape, np.int32)),
            b.constant(np.ascontiguousarray(filters)),
            image,
            bias_or_zeros(b, bias, channels),
        ],
        shape,
        "float32",
        padding="SAME" if same else "VALID",
        stride_h=stride[0],
        stride_w=stride[1],
        fused_activation_function="NONE",
    )
    if not same:
        out = _slice_spatial(b, out, cut, wanted)
    return Value(out, channels_last_order(4), x.dtype)


def _slice_spatial(b: Builder, tensor: Tensor, start: Sequence[int], size: Sequence[int]) -> Tensor:
    shape = (tensor.shape[0], *size, tensor.shape[-1])
    if shape == tensor.shape:
        return tensor
    places = [b.constant(np.array(values, np.int32)) for values in ((0, *start, 0), shape)]
    return b.emit("SLICE", [tensor, *places], shape)


def _dilated(kernel: Array, dilation: Sequence[int]) -> Array:
    """The kernel with zeros between its taps; TRANSPOSE_CONV has no dilation."""
    if all(d == 1 for d in dilation):
        return kernel
    sizes = [d * (k - 1) + 1 for k, d in zip(kernel.shape[2:], dilation, strict=True)]
    wide = np.zeros((*kernel.shape[:2], *sizes), kernel.dtype)
    taps = tuple(slice(None, None, d) for d in (1, 1, *dilation))
    wide[taps] = kernel
    return wide


def _turned_round(
    kernel: Array,
    groups: int,
    cut: Sequence[int],
    extra: Sequence[int],
    dilation: Sequence[int],
) -> tuple[Array, list[tuple[int, int]]]:
    """The plain convolution's kernel [outputs, inputs a group, ...] and its padding (negative: cut that much off)."""
    inputs, outputs, *sizes = kernel.shape
    spatial = tuple(range(3, 3 + len(sizes)))
    grouped = np.flip(kernel.reshape(groups, inputs // groups, outputs, *sizes), spatial)
    turned = np.ascontiguousarray(grouped.swapaxes(1, 2).reshape(groups * outputs, inputs // groups, *sizes))
    reach = [d * (k - 1) for k, d in zip(sizes, dilation, strict=True)]
    return turned, [(r - c, r - c + e) for r, c, e in zip(reach, cut, extra, strict=True)]


def _with_zeros_between(b: Builder, tensor: Tensor, stride: Sequence[int]) -> Tensor:
    """Stride - 1 zeros between neighbours along each spatial axis; none after the last."""
    for axis, step in enumerate(stride, start=1):
        if step == 1:
            continue
        before, size, after = tensor.shape[:axis], tensor.shape[axis], tensor.shape[axis + 1 :]
        rows = b.reshape(tensor, (int(np.prod(before)) * size, 1, int(np.prod(after))))
        amounts = b.constant(np.array([(0, 0), (0, step - 1), (0, 0)], np.int32))
        wide = b.emit("PAD", [rows, amounts], (rows.shape[0], step, rows.shape[2]))
        wide = b.reshape(wide, (int(np.prod(before)), size * step, rows.shape[2]))
        kept = (wide.shape[0], (size - 1) * step + 1, wide.shape[2])
        places = [b.constant(np.array(values, np.int32)) for values in ((0, 0, 0), kept)]
        tensor = b.reshape(b.emit("SLICE", [wide, *places], kept), (*before, kept[1], *after))
    return tensor


def _cropped(b: Builder, tensor: Tensor, pads: Pads) -> tuple[Tensor, list[tuple[int, int]]]:
    """Cut off what negative pads ask for; the rest of the pads."""
    start = [max(0, -before) for before, _ in pads]
    size = [n - first - max(0, -after) for n, first, (_, after) in zip(tensor.shape[1:-1], start, pads, strict=True)]
    return _slice_spatial(b, tensor, start, size), [(max(0, before), max(0, after)) for before, after in pads]
