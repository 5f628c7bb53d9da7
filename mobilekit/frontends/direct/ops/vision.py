"""Pictures taken apart and put together: shuffles, patches, sampling at computed places, torchvision's own ops."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.cast import convert
from mobilekit.frontends.direct.ops.conv import convolve
from mobilekit.frontends.direct.ops.shape import lower_permute, reshape_value
from mobilekit.frontends.direct.ops.windows import per_axis, with_batch
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor

# -- shuffles ------------------------------------------------------------------------------------------------------


@lowers("aten.pixel_shuffle.default")
def lower_pixel_shuffle(b: Builder, x: Value, factor: int) -> Value:
    """DEPTH_TO_SPACE, whose channels come block by block; PyTorch's come channel by channel, so they are exchanged.

    The pass fold_channel_order lets the convolution before it make them in that order.
    """

    def batched(image: Value) -> Value:
        stored = b.channels_last(image)
        n, height, width, channels = stored.shape
        kept = channels // factor**2
        exchanged = _take_channels(b, stored, np.arange(channels).reshape(kept, -1).T.reshape(-1))
        shape = (n, height * factor, width * factor, kept)
        out = b.emit("DEPTH_TO_SPACE", [_shuffled(b, exchanged)], shape, block_size=factor)
        return Value(convert(b, out, stored.dtype), channels_last_order(4), x.dtype)

    return _over_batches(b, x, batched)


@lowers("aten.pixel_unshuffle.default")
def lower_pixel_unshuffle(b: Builder, x: Value, factor: int) -> Value:
    def batched(image: Value) -> Value:
        stored = b.channels_last(image)
        n, height, width, channels = stored.shape
        shape = (n, height // factor, width // factor, channels * factor**2)
        blocks = convert(b, b.emit("SPACE_TO_DEPTH", [_shuffled(b, stored)], shape, block_size=factor), stored.dtype)
        places = np.arange(shape[3]).reshape(-1, channels).T.reshape(-1)
        return Value(_take_channels(b, blocks, places), channels_last_order(4), x.dtype)

    return _over_batches(b, x, batched)


def _shuffled(b: Builder, tensor: Tensor) -> Tensor:
    """The two ops have kernels for float32, int32 and 8 bits; what is bool or of 16 bits goes through int32."""
    return convert(b, tensor, "int32") if tensor.dtype in ("bool", "int16") else tensor


def _over_batches(b: Builder, x: Value, lowering: Any) -> Value:
    """These two take any number of leading axes."""
    if x.rank <= 4:
        return with_batch(b, x, 4, lowering)
    lead = x.shape[:-3]
    flat = reshape_value(b, x, (int(np.prod(lead)), *x.shape[-3:]))
    out: Value = lowering(flat)
    return reshape_value(b, out, (*lead, *out.shape[1:]))


def _take_channels(b: Builder, tensor: Tensor, places: np.ndarray[Any, Any]) -> Tensor:
    """The last axis in another order."""
    if np.array_equal(places, np.arange(tensor.shape[-1])):
        return tensor
    where = b.constant(places.astype(np.int32))
    return b.emit("GATHER", [tensor, where], tensor.shape, axis=tensor.rank - 1, batch_dims=0)


@lowers("aten.channel_shuffle.default", "aten.native_channel_shuffle.default")
def lower_channel_shuffle(b: Builder, x: Value, groups: int) -> Value:
    n, channels, *space = x.shape
    grouped = reshape_value(b, x, (n, groups, channels // groups, *space))
    swapped = lower_permute(b, grouped, [0, 2, 1, *range(3, grouped.rank)])
    return reshape_value(b, swapped, x.shape)


# -- patches -------------------------------------------------------------------------------------------------------


@lowers("aten.im2col.default")
def lower_im2col(b: Builder, x: Value, kernel: Any, dilation: Any, padding: Any, stride: Any) -> Value:
    """Patches are what a depthwise convolution gives whose kernels each pick one tap: [N, C * kh * kw, patches]."""
    rows, columns = per_axis(kernel, 2)

    def batched(image: Value) -> Value:
        stored = b.channels_last(image)
        channels, taps = stored.shape[3], rows * columns
        picks = np.tile(np.eye(taps, dtype=np.float32).reshape(taps, 1, rows, columns), (channels, 1, 1, 1))
        pads = [(p, p) for p in per_axis(padding, 2)]
        steps, spread = per_axis(stride, 2), per_axis(dilation, 2)
        out = convolve(b, stored, b.constant_value(picks), None, steps, pads, spread, channels if channels > 1 else 1)
        lines = b.reshape(out, (out.shape[0], out.shape[1] * out.shape[2], out.shape[3]))
        return Value(lines, (0, 2, 1), x.dtype)

    if x.rank == 4:
        return batched(x)
    stored = b.reorder(x, (1, 2, 0)).tensor
    out = batched(Value(b.reshape(stored, (1, *stored.shape)), channels_last_order(4), x.dtype))
    return Value(b.reshape(out.tensor, out.tensor.shape[1:]), (1, 0), x.dtype)


@lowers("aten.col2im.default")
def lower_col2im(
    b: Builder, x: Value, size: Sequence[int], kernel: Any, dilation: Any, padding: Any, stride: Any
) -> Value:
    """Patches summed into an image: for each tap its pixels, spread out by the stride and moved to their place."""
    if x.rank == 2:
        wide = lower_col2im(b, reshape_value(b, x, (1, *x.shape)), size, kernel, dilation, padding, stride)
        return reshape_value(b, wide, wide.shape[1:])
    taps, steps = per_axis(kernel, 2), per_axis(stride, 2)
    spread, pads = per_axis(dilation, 2), per_axis(padding, 2)
    height, width = (int(s) + 2 * p for s, p in zip(size, pads, strict=True))
    counts = [
        (full - d * (k - 1) - 1) // s + 1 for full, d, k, s in zip((height, width), spread, taps, steps, strict=True)
    ]
    n, channels = x.shape[0], x.shape[1] // (taps[0] * taps[1])
    lines = b.last(Value(x.tensor, x.order, x.dtype), 1)
    stored = b.reorder(lines, (0, 2, 1)).tensor  # [N, patches, C * taps]
    blocks = b.reshape(stored, (n, counts[0] * counts[1], channels, taps[0] * taps[1]))
    parts = b.emit_many(
        "UNPACK",
        [blocks],
        [(n, counts[0] * counts[1], channels)] * (taps[0] * taps[1]),
        [None] * (taps[0] * taps[1]),
        num=taps[0] * taps[1],
        axis=3,
    )
    total: Tensor | None = None
    for index, part in enumerate(parts):
        image = b.reshape(part, (n, *counts, channels))
        first = [place * d for place, d in zip(divmod(index, taps[1]), spread, strict=True)]
        moved = _spread_out(b, image, steps, first, (height, width))
        total = moved if total is None else b.emit("ADD", [total, moved], moved.shape, fused_activation_function="NONE")
    assert total is not None
    shape = (n, int(size[0]), int(size[1]), channels)
    if any(pads):
        total = b.emit("SLICE", [total, *(b.constant(np.array(v, np.int32)) for v in ((0, *pads, 0), shape))], shape)
    return Value(total, channels_last_order(4), x.dtype)


def _spread_out(b: Builder, image: Tensor, steps: Sequence[int], first: Sequence[int], size: tuple[int, int]) -> Tensor:
    """Zeros of ``size`` with the pixels of ``image`` at ``first``, ``first + step``..."""
    for axis in (1, 2):
        step, start, full = steps[axis - 1], first[axis - 1], size[axis - 1]
        count, before, after = image.shape[axis], image.shape[:axis], image.shape[axis + 1 :]
        rows = b.reshape(image, (int(np.prod(before)) * count, 1, int(np.prod(after))))
        if step > 1:
            amounts = b.constant(np.array([(0, 0), (0, step - 1), (0, 0)], np.int32))
            rows = b.emit("PAD", [rows, amounts], (rows.shape[0], step, rows.shape[2]))
        lines = b.reshape(rows, (int(np.prod(before)), count * step, int(np.prod(after))))
        missing = full - start - count * step
        if missing < 0:
            kept = (lines.shape[0], full - start, lines.shape[2])
            places = [b.constant(np.array(v, np.int32)) for v in ((0, 0, 0), kept)]
            lines, missing = b.emit("SLICE", [lines, *places], kept), 0
        if start or missing:
            amounts = b.constant(np.array([(0, 0), (start, missing), (0, 0)], np.int32))
            lines = b.emit("PAD", [lines, amounts], (lines.shape[0], full, lines.shape[2]))
        image = b.reshape(lines, (*before, full, *after))
    return image


# -- torchvision ---------------------------------------------------------------------------------------------------


def _refuse(op: str, reason: str, suggestion: str) -> None:
    @lowers(op)
    def lower(b: Builder, *arguments: object) -> Value:
        raise UnsupportedError(reason, suggestion)


_refuse(
    "torchvision.nms.default",
    "non-maximum suppression gives as many boxes as the data decides",
    "return boxes and scores from the model, and run mobilekit's detection post-processing on them",
)
_refuse(
    "torchvision.roi_pool.default",
    "roi_pool reads the image at places that other outputs decide, which no TFLite op does",
    "end the model at the feature map and the boxes, or pool fixed regions with adaptive_max_pool2d",
)


@lowers("aten.affine_grid_generator.default")
def lower_affine_grid(b: Builder, theta: Value, size: Sequence[int], align_corners: bool) -> Value:
    """The grid of the identity, which is constant, through each sample's matrix."""
    shape = [int(s) for s in size]
    axes = len(shape) - 2
    unit = torch.cat([torch.eye(axes), torch.zeros(axes, 1)], 1)[None]
    base = torch.nn.functional.affine_grid(unit, [1, *shape[1:]], align_corners=align_corners)
    points = base.reshape(1, -1, axes).numpy()
    rows = np.concatenate([points, np.ones((1, points.shape[1], 1), np.float32)], 2)
    out = b.emit(
        "BATCH_MATMUL",
        [b.constant(rows), b.logical(theta)],
        (shape[0], rows.shape[1], axes),
        "float32",
        adj_x=False,
        adj_y=True,
    )
    return b.value(b.reshape(out, (shape[0], *shape[2:], axes)), dtype=theta.dtype)
