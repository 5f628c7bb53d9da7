"""grid_sample: an image read at computed places, bilinear, nearest or bicubic, with any padding."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.activation import clamp
from mobilekit.frontends.direct.ops.arithmetic import binary, unary_like
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, channels_last_order
from mobilekit.graph.ir import Tensor

_ZEROS, _BORDER, _REFLECTION = 0, 1, 2
_BILINEAR, _NEAREST, _BICUBIC = 0, 1, 2
# Keys' kernel. Source: ATen/native/GridSampler.cpp.
_CUBIC = -0.75


@lowers("aten.grid_sampler.default", "aten.grid_sampler_2d.default")
def lower_grid_sampler(
    b: Builder, x: Value, grid: Value, interpolation: int, padding: int, align_corners: bool
) -> Value:
    """Positions in pixels, the taps around each, a GATHER for each tap, and their weighted sum."""
    if x.rank != 4:
        raise UnsupportedError("grid_sample over volumes")
    image = b.channels_last(x)
    n, height, width, channels = image.shape
    rows, columns = grid.shape[1:3]
    where = b.reshape(b.logical(grid), (n, rows * columns, 2))
    pixels = b.reshape(image, (n * height * width, channels))
    halves = b.emit_many(
        "SPLIT", [b.constant(np.array(2, np.int32)), where], [(n, rows * columns, 1)] * 2, ["float32"] * 2, num_splits=2
    )
    sizes = (width, height)
    places = [_in_pixels(b, b.value(half), size, align_corners) for half, size in zip(halves, sizes, strict=True)]
    if padding != _ZEROS and interpolation != _BICUBIC:
        places = [_inside(b, p, size, padding, align_corners) for p, size in zip(places, sizes, strict=True)]
    taps = [_taps(b, place, interpolation) for place in places]
    total: Value | None = None
    for (x_place, x_weight), (y_place, y_weight) in itertools.product(*taps):
        spots = [x_place, y_place]
        if padding != _ZEROS and interpolation == _BICUBIC:
            spots = [_inside(b, s, size, padding, align_corners) for s, size in zip(spots, sizes, strict=True)]
        weights = [w for w in (x_weight, y_weight) if w is not None]
        if padding == _ZEROS:
            weights += [_within(b, s, size) for s, size in zip(spots, sizes, strict=True)]
        term = b.value(_read(b, pixels, spots, (n, height, width)))
        for weight in weights:
            term = binary(b, "MUL", term, weight)
        total = term if total is None else binary(b, "ADD", total, term)
    assert total is not None
    return Value(b.reshape(total.tensor, (n, rows, columns, channels)), channels_last_order(4), x.dtype)


def _in_pixels(b: Builder, place: Value, size: int, align_corners: bool) -> Value:
    """-1 to 1 as a position in pixels: between the outer pixels' centres, or between their edges."""
    if align_corners:
        return binary(b, "MUL", binary(b, "ADD", place, 1.0), (size - 1) / 2)
    doubled = binary(b, "SUB", binary(b, "MUL", binary(b, "ADD", place, 1.0), float(size)), 1.0)
    return binary(b, "MUL", doubled, 0.5)


def _inside(b: Builder, place: Value, size: int, padding: int, align_corners: bool) -> Value:
    if padding == _REFLECTION:
        place = _reflected(b, place, size, align_corners)
    return clamp(b, place, 0.0, float(size - 1))


def _reflected(b: Builder, place: Value, size: int, align_corners: bool) -> Value:
    """Folded at the outer centres, or at the outer edges: a triangle wave of period twice the span."""
    low, span = (0.0, float(size - 1)) if align_corners else (-0.5, float(size))
    if span == 0:
        return binary(b, "MUL", place, 0.0)
    away = unary_like(b, "ABS", binary(b, "SUB", place, low))
    phase = binary(b, "FLOOR_MOD", away, 2 * span)
    folded = binary(b, "SUB", span, unary_like(b, "ABS", binary(b, "SUB", phase, span)))
    return binary(b, "ADD", folded, low)


def _taps(b: Builder, place: Value, interpolation: int) -> Sequence[tuple[Value, Value | None]]:
    """The whole positions around ``place`` and their weights (None: one)."""
    if interpolation == _NEAREST:
        return [(unary_like(b, "ROUND", place), None)]
    low = unary_like(b, "FLOOR", place)
    part = binary(b, "SUB", place, low)
    if interpolation == _BILINEAR:
        return [(low, binary(b, "SUB", 1.0, part)), (binary(b, "ADD", low, 1.0), part)]
    spots = [low if step == 0 else binary(b, "ADD", low, float(step)) for step in (-1, 0, 1, 2)]
    rest = binary(b, "SUB", 1.0, part)
    distances = [binary(b, "ADD", part, 1.0), part, rest, binary(b, "ADD", rest, 1.0)]
    return list(zip(spots, [_cubic(b, d, far) for d, far in zip(distances, (1, 0, 0, 1), strict=True)], strict=True))


def _cubic(b: Builder, distance: Value, far: int) -> Value:
    """Keys' weight at a distance up to one, or (``far``) between one and two, by Horner's rule."""
    a = _CUBIC
    factors = [a, -5 * a, 8 * a, -4 * a] if far else [a + 2, -(a + 3), 0.0, 1.0]
    value = binary(b, "MUL", distance, factors[0])
    for factor in factors[1:-1]:
        value = binary(b, "MUL", binary(b, "ADD", value, factor), distance)
    return binary(b, "ADD", value, factors[-1])


def _within(b: Builder, spot: Value, size: int) -> Value:
    """One where a position lies in the image, else zero."""
    low = binary(b, "GREATER_EQUAL", spot, 0.0, "bool")
    high = binary(b, "LESS_EQUAL", spot, float(size - 1), "bool")
    return cast(b, binary(b, "MUL", low, high), "float32")


def _read(b: Builder, pixels: Tensor, spots: Sequence[Value], sizes: tuple[int, int, int]) -> Tensor:
    """Rows of ``pixels`` [N * H * W, C] at whole positions [N, P, 1]; those outside read the nearest edge."""
    n, height, width = sizes
    edges = (width, height)
    x, y = (cast(b, clamp(b, spot, 0.0, edge - 1.0), "int32") for spot, edge in zip(spots, edges, strict=True))
    flat = binary(b, "ADD", binary(b, "MUL", y, width), x)
    if n > 1:
        start = (np.arange(n, dtype=np.int32) * (height * width))[:, None, None]
        flat = binary(b, "ADD", flat, b.constant_value(start))
    count = flat.shape[1]
    where = b.reshape(flat.tensor, (n, count))
    return b.emit("GATHER", [pixels, where], (n, count, pixels.shape[1]), "float32", axis=0, batch_dims=0)
