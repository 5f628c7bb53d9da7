"""Padding in all of PyTorch's modes, on any rank. PyTorch lists (before, after) from the last axis backwards."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.index import take
from mobilekit.frontends.direct.ops.join import lower_cat, lower_slice
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value
from mobilekit.graph.ir import Tensor

# LiteRT's PAD and PADV2 take no more axes.
_MAX_RANK = 5


@lowers("aten.constant_pad_nd.default")
def lower_constant_pad(b: Builder, x: Value, pads: Sequence[int], number: float) -> Value:
    return pad_constant(b, x, pads, number)


@lowers("aten.pad.default")
def lower_pad(b: Builder, x: Value, pads: Sequence[int], mode: str, number: float | None) -> Value:
    if mode == "constant":
        return pad_constant(b, x, pads, number or 0)
    if not any(pads):
        return x
    if mode == "reflect":
        return _reflected(b, x, pads)
    if mode == "replicate":
        return _replicated(b, x, pads)
    if mode == "circular":
        return _circular(b, *_cropped(b, x, pads))
    raise UnsupportedError(f"padding in mode '{mode}'")


@lowers("aten.reflection_pad1d.default", "aten.reflection_pad2d.default", "aten.reflection_pad3d.default")
def lower_reflection_pad(b: Builder, x: Value, pads: Sequence[int]) -> Value:
    return lower_pad(b, x, pads, "reflect", None)


@lowers("aten.replication_pad1d.default", "aten.replication_pad2d.default", "aten.replication_pad3d.default")
def lower_replication_pad(b: Builder, x: Value, pads: Sequence[int]) -> Value:
    return lower_pad(b, x, pads, "replicate", None)


def pad_constant(b: Builder, x: Value, pads: Sequence[int], number: float) -> Value:
    """PAD for zero, PADV2 for another number; negative pads crop."""
    x, pads = _cropped(b, x, pads)
    if not any(pads):
        return x
    amounts = _amounts(x, pads)
    shape = [size + int(extra.sum()) for size, extra in zip(x.tensor.shape, amounts, strict=True)]
    merged, rows = _merged(x.tensor, amounts)
    if rows.shape[0] > _MAX_RANK:
        raise UnsupportedError(f"padding on {rows.shape[0]} separate axes", "pad axis by axis")
    tensor = b.reshape(x.tensor, merged)
    grown = [size + int(extra.sum()) for size, extra in zip(merged, rows, strict=True)]
    filler = [] if number == 0 else [b.scalar(number, tensor.dtype)]
    out = b.emit("PADV2" if filler else "PAD", [tensor, b.constant(rows), *filler], grown)
    return b.like(x, b.reshape(out, shape))


def _cropped(b: Builder, x: Value, pads: Sequence[int]) -> tuple[Value, list[int]]:
    """Negative pads done as slices, and the others."""
    for position, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        dim = x.rank - 1 - position
        if before < 0 or after < 0:
            x = lower_slice(b, x, dim, max(0, -before), x.shape[dim] - max(0, -after), 1)
    return x, [max(0, pad) for pad in pads]


def _amounts(x: Value, pads: Sequence[int]) -> NDArray[np.int32]:
    """TFLite wants a row (before, after) for each axis, as stored."""
    amounts = np.zeros((x.rank, 2), np.int32)
    for position, (before, after) in enumerate(zip(pads[::2], pads[1::2], strict=True)):
        amounts[x.axis(x.rank - 1 - position)] = before, after
    return amounts


def _merged(tensor: Tensor, amounts: NDArray[np.int32]) -> tuple[list[int], NDArray[np.int32]]:
    """Neighbouring axes that are not padded as one axis, if there are more axes than the kernel takes."""
    if tensor.rank <= _MAX_RANK:
        return list(tensor.shape), amounts
    runs: list[list[int]] = []
    for axis in range(tensor.rank):
        if runs and not amounts[axis].any() and not amounts[runs[-1][-1]].any():
            runs[-1].append(axis)
        else:
            runs.append([axis])
    return [math.prod(tensor.shape[axis] for axis in run) for run in runs], amounts[[run[0] for run in runs]]


def _by_axis(x: Value, pads: Sequence[int]) -> list[tuple[int, int, int]]:
    """(axis, before, after) where there is something to pad."""
    pairs = enumerate(zip(pads[::2], pads[1::2], strict=True))
    return [(x.rank - 1 - position, before, after) for position, (before, after) in pairs if before or after]


def _reflected(b: Builder, x: Value, pads: Sequence[int]) -> Value:
    """With a negative pad by positions: the reflection still sees what the other end crops."""
    if min(pads) < 0:
        for dim, before, after in _by_axis(x, pads):
            end = x.shape[dim] - 1
            where = np.abs(np.arange(-before, x.shape[dim] + after))
            x = take(b, x, dim, end - np.abs(end - where))
        return x
    amounts = _amounts(x, pads)
    shape = [size + int(extra.sum()) for size, extra in zip(x.tensor.shape, amounts, strict=True)]
    return b.like(x, b.emit("MIRROR_PAD", [x.tensor, b.constant(amounts)], shape, mode="REFLECT"))


def _replicated(b: Builder, x: Value, pads: Sequence[int]) -> Value:
    for dim, before, after in _by_axis(x, pads):
        x = take(b, x, dim, np.clip(np.arange(-before, x.shape[dim] + after), 0, x.shape[dim] - 1))
    return x


def _circular(b: Builder, x: Value, pads: Sequence[int]) -> Value:
    for dim, before, after in _by_axis(x, pads):
        length = x.shape[dim]
        if max(before, after) > length:
            raise UnsupportedError(f"circular padding by {max(before, after)} of an axis cropped to {length}")
        ends = [lower_slice(b, x, dim, length - before, length, 1), x, lower_slice(b, x, dim, 0, after, 1)]
        x = lower_cat(b, [end for end in ends if 0 not in end.shape], dim)
    return x
