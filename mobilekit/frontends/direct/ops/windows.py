"""What convolutions and pooling share: sizes per axis, padding in TFLite's terms, images padded and unbatched."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor

Pads = Sequence[tuple[int, int]]


def per_axis(value: Any, count: int) -> list[int]:
    """PyTorch's "an int or one an axis" as one an axis."""
    values = [int(v) for v in value] if isinstance(value, (list, tuple)) else [int(value)]
    return values * count if len(values) == 1 else values


def pad_spatial(b: Builder, tensor: Tensor, pads: Pads, value: float | None = None) -> Tensor:
    """Zeros (or ``value``) around the axes between the first and the last."""
    if all(pad == (0, 0) for pad in pads):
        return tensor
    amounts = np.array([(0, 0), *pads, (0, 0)], np.int32)
    shape = [size + int(before + after) for size, (before, after) in zip(tensor.shape, amounts, strict=True)]
    if value is None:
        return b.emit("PAD", [tensor, b.constant(amounts)], shape)
    return b.emit("PADV2", [tensor, b.constant(amounts), b.scalar(value, tensor.dtype)], shape)


def with_batch(b: Builder, x: Value, rank: int, lowering: Callable[[Value], Value]) -> Value:
    """PyTorch takes images without a batch: add one of size one, and take it off the result."""
    if x.rank == rank:
        return lowering(x)
    order = channels_last_order(rank)
    stored = b.reorder(x, tuple(axis - 1 for axis in order if axis != 0)).tensor
    out = lowering(Value(b.reshape(stored, (1, *stored.shape)), order, x.dtype))
    last = b.channels_last(out)
    return Value(b.reshape(last, last.shape[1:]), tuple(axis - 1 for axis in order if axis != 0), out.dtype)


def as_image(b: Builder, x: Value) -> Value:
    """A sequence [N, C, L] as an image of height one [N, C, 1, L], stored [N, 1, L, C]."""
    line = b.channels_last(x)
    return Value(b.reshape(line, (line.shape[0], 1, *line.shape[1:])), channels_last_order(4), x.dtype)


def as_sequence(b: Builder, image: Value) -> Value:
    """The reverse of :func:`as_image`."""
    stored = b.channels_last(image)
    return Value(b.reshape(stored, (stored.shape[0], *stored.shape[2:])), channels_last_order(3), image.dtype)


def along_depth(b: Builder, volume: Tensor, start: int, count: int, step: int) -> Tensor:
    """Slices start, start + step... of axis 1 of a stored volume [N, D, H, W, C], as images [N * count, H, W, C]."""
    n, depth, *plane = volume.shape
    if (start, count, step) != (0, depth, 1):
        flat = b.reshape(volume, (n, depth, int(np.prod(plane))))
        shape = (n, count, flat.shape[2])
        if step == 1:
            places = [b.constant(np.array(v, np.int32)) for v in ((0, start, 0), shape)]
            flat = b.emit("SLICE", [flat, *places], shape)
        else:
            stop = start + (count - 1) * step + 1
            ends = ((0, start, 0), (n, stop, flat.shape[2]), (1, step, 1))
            flat = b.emit("STRIDED_SLICE", [flat, *(b.constant(np.array(v, np.int32)) for v in ends)], shape)
        volume = flat
    return b.reshape(volume, (n * count, *plane))
