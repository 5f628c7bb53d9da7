"""Convolutions: 1d and 2d, plain, depthwise, grouped, dilated."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor


@lowers("aten.conv2d.default")
def lower_conv2d(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Value:
    return _conv2d(b, x, weight, bias, _pair(stride), _pair(padding), _pair(dilation), groups)


@lowers("aten.conv2d.padding")
def lower_conv2d_padding(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: str, dilation: Any, groups: int
) -> Value:
    pads = _named_padding(padding, weight.shape[2:], _pair(dilation))
    return _conv2d(b, x, weight, bias, _pair(stride), pads, _pair(dilation), groups)


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
    if transposed or x.rank not in (3, 4):
        raise UnsupportedError(f"{'transposed ' if transposed else ''}convolution of rank {x.rank}")
    if x.rank == 3:
        return _conv1d(b, x, weight, bias, stride, padding, dilation, groups)
    return _conv2d(b, x, weight, bias, _pair(stride), _pair(padding), _pair(dilation), groups)


@lowers("aten.conv1d.default")
def lower_conv1d(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Value:
    return _conv1d(b, x, weight, bias, stride, padding, dilation, groups)


@lowers("aten.conv1d.padding")
def lower_conv1d_padding(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: str, dilation: Any, groups: int
) -> Value:
    pads = _named_padding(padding, weight.shape[2:], [_one(dilation)])
    return _conv1d(b, x, weight, bias, stride, pads, dilation, groups)


def _conv1d(
    b: Builder, x: Value, weight: Value, bias: Value | None, stride: Any, padding: Any, dilation: Any, groups: int
) -> Value:
    """A 2d convolution over an image of height one."""
    line = b.channels_last(x)
    image = b.reshape(line, (line.shape[0], 1, *line.shape[1:]))
    kernel = b.logical(weight)
    wide = Value(b.reshape(kernel, (*kernel.shape[:2], 1, kernel.shape[2])), (0, 1, 2, 3), weight.dtype)
    pads = padding if isinstance(padding, list) and padding and isinstance(padding[0], tuple) else [_one(padding)]
    result = _conv2d(
        b,
        Value(image, (0, 2, 3, 1), x.dtype),
        wide,
        bias,
        [1, _one(stride)],
        [0, *pads],
        [1, _one(dilation)],
        groups,
    )
    out = result.tensor
    return Value(b.reshape(out, (out.shape[0], out.shape[2], out.shape[3])), (0, 2, 1), x.dtype)


def _conv2d(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    padding: Sequence[int | tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Value:
    if x.rank == 3:  # PyTorch takes an image without a batch
        return _unbatched(b, x, weight, bias, stride, padding, dilation, groups)
    if not weight.is_constant:
        raise UnsupportedError("the weight of a convolution must be a parameter, not computed in forward")
    image = b.channels_last(x)
    kernel = weight.shape[2:]
    pads = [pad if isinstance(pad, tuple) else (pad, pad) for pad in padding]
    sizes = [
        (size + sum(pad) - d * (k - 1) - 1) // s + 1
        for size, pad, k, s, d in zip(image.shape[1:3], pads, kernel, stride, dilation, strict=True)
    ]
    mode = _padding_mode(image.shape[1:3], pads, kernel, stride, dilation)
    if mode == "EXPLICIT":
        image, mode = pad_image(b, image, pads), "VALID"
    out_channels, in_per_group = weight.shape[:2]
    options: dict[str, Any] = {
        "padding": mode,
        "stride_h": stride[0],
        "stride_w": stride[1],
        "dilation_h_factor": dilation[0],
        "dilation_w_factor": dilation[1],
        "fused_activation_function": "NONE",
    }
    offset = _bias(b, bias, out_channels)
    if groups > 1 and in_per_group == 1:
        # [1, h, w, channels * multiplier]; output channel o reads input channel o // multiplier, as in PyTorch.
        filters = b.reorder(weight, (1, 2, 3, 0)).tensor
        kind, options["depth_multiplier"] = "DEPTHWISE_CONV_2D", out_channels // groups
    else:
        filters, kind = b.reorder(weight, (0, 2, 3, 1)).tensor, "CONV_2D"
    out = b.emit(kind, [image, filters, offset], (image.shape[0], *sizes, out_channels), **options)
    return Value(out, channels_last_order(4), x.dtype)


def _unbatched(
    b: Builder,
    x: Value,
    weight: Value,
    bias: Value | None,
    stride: Sequence[int],
    padding: Sequence[int | tuple[int, int]],
    dilation: Sequence[int],
    groups: int,
) -> Value:
    image = b.reorder(x, (1, 2, 0)).tensor
    batched = Value(b.reshape(image, (1, *image.shape)), channels_last_order(4), x.dtype)
    out = _conv2d(b, batched, weight, bias, stride, padding, dilation, groups).tensor
    return Value(b.reshape(out, out.shape[1:]), (1, 2, 0), x.dtype)


def _bias(b: Builder, bias: Value | None, channels: int) -> Tensor:
    if bias is None:
        return b.constant(np.zeros(channels, np.float32))
    if not bias.is_constant:
        raise UnsupportedError("the bias of a convolution must be a parameter, not computed in forward")
    return bias.tensor


def pad_image(b: Builder, image: Tensor, pads: Sequence[tuple[int, int]]) -> Tensor:
    """Zeros around the two middle axes of an NHWC tensor."""
    amounts = np.array([(0, 0), *pads, (0, 0)], np.int32)
    shape = [size + int(before + after) for size, (before, after) in zip(image.shape, amounts, strict=True)]
    return b.emit("PAD", [image, b.constant(amounts)], shape)


def _padding_mode(
    sizes: Sequence[int],
    pads: Sequence[tuple[int, int]],
    kernel: Sequence[int],
    stride: Sequence[int],
    dilation: Sequence[int],
) -> str:
    """VALID or SAME where TFLite's own rule puts the same zeros in the same places, else EXPLICIT."""
    if all(pad == (0, 0) for pad in pads):
        return "VALID"
    same = [same_padding(n, k, s, d) for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True)]
    return "SAME" if list(pads) == same else "EXPLICIT"


def same_padding(size: int, kernel: int, stride: int, dilation: int = 1) -> tuple[int, int]:
    """Zeros before and after that TFLite's SAME means: the smaller half first.

    Source: TFLite ``kernels/padding.h``, ComputePaddingWithOffset.
    """
    total = max((-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size, 0)
    return total // 2, total - total // 2


def _named_padding(name: str, kernel: Sequence[int], dilation: Sequence[int]) -> list[tuple[int, int]]:
    """PyTorch's "same" puts the smaller half first, like TFLite's; stride is one."""
    if name == "valid":
        return [(0, 0)] * len(kernel)
    totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
    return [(total // 2, total - total // 2) for total in totals]


def _pair(value: Any) -> list[Any]:
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return values * 2 if len(values) == 1 else values


def _one(value: Any) -> int:
    return int(value[0]) if isinstance(value, (list, tuple)) else int(value)
