"""Running totals along an axis. TFLite has CUMSUM alone; products and extremes double their reach in log2(n) steps.

Given     x of length n along the axis, an op * with a neutral element
Result    for shift 1, 2, 4... < n:  x = x * [neutral] * shift ++ x[:-shift]
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import is_float, name_of
from mobilekit.frontends.direct.ops.cast import cast, for_arithmetic, from_arithmetic
from mobilekit.frontends.direct.registry import lowers
from mobilekit.frontends.direct.values import Value
from mobilekit.graph.ir import Tensor


def _accumulator(b: Builder, x: Value, dtype: Any) -> Value:
    if dtype is not None:
        return cast(b, x, name_of(dtype))
    return x if is_float(x.dtype) else cast(b, x, "int64")


@lowers("aten.cumsum.default")
def lower_cumsum(b: Builder, x: Value, dim: int, dtype: Any) -> Value:
    x = _accumulator(b, x, dtype)
    if x.rank == 0:
        return x
    axis = b.constant(np.array(x.axis(dim), np.int32))
    out = b.emit("CUMSUM", [for_arithmetic(b, x), axis], x.tensor.shape, exclusive=False, reverse=False)
    return from_arithmetic(b, out, x)


@lowers("aten.cumprod.default")
def lower_cumprod(b: Builder, x: Value, dim: int, dtype: Any) -> Value:
    x = _accumulator(b, x, dtype)
    return from_arithmetic(b, scan(b, "MUL", for_arithmetic(b, x), x.axis(dim), 1), x) if x.rank else x


@lowers("aten.cummax.default")
def lower_cummax(b: Builder, x: Value, dim: int) -> tuple[Value, Value]:
    return _running_extreme(b, "MAXIMUM", x, dim)


@lowers("aten.cummin.default")
def lower_cummin(b: Builder, x: Value, dim: int) -> tuple[Value, Value]:
    return _running_extreme(b, "MINIMUM", x, dim)


def _running_extreme(b: Builder, kind: str, x: Value, dim: int) -> tuple[Value, Value]:
    """Values, and where each was last met: the largest position so far at which the extreme is reached."""
    if x.rank == 0:
        return x, b.value(b.constant(np.array(0, np.int32)), dtype="int64")
    axis = x.axis(dim)
    numbers = for_arithmetic(b, x)
    lowest = kind == "MAXIMUM"
    if is_float(x.dtype):
        neutral = -np.inf if lowest else np.inf
    else:
        limits = np.iinfo(np.int32)
        neutral = limits.min if lowest else limits.max
    extremes = scan(b, kind, numbers, axis, neutral)
    reached = b.emit("EQUAL", [numbers, extremes], numbers.shape, "bool")
    shape = [size if i == axis else 1 for i, size in enumerate(numbers.shape)]
    positions = b.constant(np.arange(numbers.shape[axis], dtype=np.int32).reshape(shape))
    marked = b.emit("SELECT_V2", [reached, positions, b.scalar(0, "int32")], numbers.shape, "int32")
    indices = scan(b, "MAXIMUM", marked, axis, 0)
    return from_arithmetic(b, extremes, x), Value(indices, x.order, "int64")


def scan(b: Builder, kind: str, tensor: Tensor, axis: int, neutral: float) -> Tensor:
    """The running result of an associative op along a stored axis."""
    # As [before, n, after], which PADV2 takes whatever the rank (it stops at five).
    length = tensor.shape[axis]
    outer = int(np.prod(tensor.shape[:axis]))
    inner = int(np.prod(tensor.shape[axis + 1 :]))
    x = b.reshape(tensor, (outer, length, inner))
    options = {"fused_activation_function": "NONE"} if kind == "MUL" else {}
    filler = b.scalar(neutral, tensor.dtype)
    shift = 1
    while shift < length:
        sizes = (outer, length - shift, inner)
        begin, size = b.constant(np.zeros(3, np.int32)), b.constant(np.array(sizes, np.int32))
        earlier = b.emit("SLICE", [x, begin, size], sizes)
        pads = b.constant(np.array([[0, 0], [shift, 0], [0, 0]], np.int32))
        shifted = b.emit("PADV2", [earlier, pads, filler], x.shape)
        x = b.emit(kind, [x, shifted], x.shape, **options)
        shift *= 2
    return b.reshape(x, tensor.shape)
