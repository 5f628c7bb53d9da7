"""Comparison, logic and choice: results are bool, or picked by one."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import computed, is_float, promote, stored
from mobilekit.frontends.direct.ops.arithmetic import (
    aligned,
    as_value,
    binary,
    emit_binary,
    operands,
    select,
    unary_like,
)
from mobilekit.frontends.direct.ops.cast import cast
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value

# ATen's name -> TFLite's.
_COMPARISONS = {
    "eq": "EQUAL",
    "ne": "NOT_EQUAL",
    "lt": "LESS",
    "le": "LESS_EQUAL",
    "gt": "GREATER",
    "ge": "GREATER_EQUAL",
}
_LOGIC = {"logical_and": "LOGICAL_AND", "logical_or": "LOGICAL_OR", "logical_xor": "NOT_EQUAL"}


def compare(b: Builder, kind: str, x: Any, y: Any) -> Value:
    """A comparison in the dtype to which both are promoted."""
    left, right = operands(b, x, y)
    first, second, order = aligned(b, left, right)
    return Value(emit_binary(b, kind, first, second), order, "bool")


def _register_comparison(op: str, kind: str) -> None:
    @lowers(f"aten.{op}.Tensor", f"aten.{op}.Scalar")
    def lower_comparison(b: Builder, x: Value, y: Any) -> Value:
        return compare(b, kind, x, y)


for _op, _kind in _COMPARISONS.items():
    _register_comparison(_op, _kind)


def logic(b: Builder, kind: str, x: Value, y: Value) -> Value:
    """An op on two operands taken as truth values."""
    (first, second), order = b.align([cast(b, x, "bool"), cast(b, y, "bool")])
    return Value(b.emit(kind, [first, second], np.broadcast_shapes(first.shape, second.shape), "bool"), order, "bool")


def _register_logic(op: str, kind: str) -> None:
    @lowers(f"aten.{op}.default")
    def lower_logic(b: Builder, x: Value, y: Value) -> Value:
        return logic(b, kind, x, y)


for _op, _kind in _LOGIC.items():
    _register_logic(_op, _kind)


@lowers("aten.logical_not.default")
def lower_logical_not(b: Builder, x: Value) -> Value:
    return unary_like(b, "LOGICAL_NOT", cast(b, x, "bool"))


# -- what kind of number ---------------------------------------------------------------------------------------


def _everywhere(b: Builder, x: Value, answer: bool) -> Value:
    return Value(b.constant(np.full(x.tensor.shape, answer)), x.order, "bool")


@lowers("aten.isnan.default")
def lower_isnan(b: Builder, x: Value) -> Value:
    """Only NaN differs from itself."""
    return binary(b, "NOT_EQUAL", x, x, "bool") if is_float(x.dtype) else _everywhere(b, x, False)


@lowers("aten.isinf.default")
def lower_isinf(b: Builder, x: Value) -> Value:
    if not is_float(x.dtype):
        return _everywhere(b, x, False)
    return compare(b, "EQUAL", unary_like(b, "ABS", x), math.inf)


@lowers("aten.isfinite.default")
def lower_isfinite(b: Builder, x: Value) -> Value:
    if not is_float(x.dtype):
        return _everywhere(b, x, True)
    return compare(b, "LESS", unary_like(b, "ABS", x), math.inf)


@lowers("aten.isposinf.default")
def lower_isposinf(b: Builder, x: Value) -> Value:
    return compare(b, "EQUAL", x, math.inf) if is_float(x.dtype) else _everywhere(b, x, False)


@lowers("aten.isneginf.default")
def lower_isneginf(b: Builder, x: Value) -> Value:
    return compare(b, "EQUAL", x, -math.inf) if is_float(x.dtype) else _everywhere(b, x, False)


@lowers("aten.signbit.default")
def lower_signbit(b: Builder, x: Value) -> Value:
    """-0.0 counts as positive here: TFLite's comparisons cannot see its sign."""
    return compare(b, "LESS", x, 0) if x.dtype != "bool" else _everywhere(b, x, False)


# -- choice ----------------------------------------------------------------------------------------------------


@lowers("aten.where.self", "aten.where.ScalarOther", "aten.where.ScalarSelf", "aten.where.Scalar")
def lower_where(b: Builder, condition: Value, x: Any, y: Any) -> Value:
    return select(b, cast(b, condition, "bool"), x, y, promote(x, y))


@lowers("aten.where.default")
def lower_where_positions(b: Builder, condition: Value) -> Value:
    raise UnsupportedError(
        "the number of positions depends on the data", "give torch.where all three arguments, or use torch.topk"
    )


@lowers("aten.masked_fill.Scalar", "aten.masked_fill.Tensor")
def lower_masked_fill(b: Builder, x: Value, mask: Value, number: Any) -> Value:
    return select(b, cast(b, mask, "bool"), number, x, x.dtype)


@lowers("aten.nan_to_num.default")
def lower_nan_to_num(b: Builder, x: Value, nan: float | None, highest: float | None, lowest: float | None) -> Value:
    if not is_float(x.dtype):
        return x
    limits = np.finfo(stored(x.dtype) if x.dtype != "float16" else "float16")
    number = select(b, lower_isnan(b, x), nan or 0.0, x, x.dtype)
    # float16 and bfloat16 are held as float32 here, so their own limits are written out.
    top = float(limits.max) if highest is None else highest
    bottom = float(limits.min) if lowest is None else lowest
    number = select(b, compare(b, "EQUAL", number, math.inf), top, number, x.dtype)
    return select(b, compare(b, "EQUAL", number, -math.inf), bottom, number, x.dtype)


@lowers("aten.clamp.Tensor")
def lower_clamp_tensor(b: Builder, x: Value, low: Value | None, high: Value | None) -> Value:
    """The upper bound is applied last, as in PyTorch: it wins where the two cross."""
    if low is not None:
        x = binary(b, "MAXIMUM", x, low)
    return x if high is None else binary(b, "MINIMUM", x, high)


@lowers("aten.clamp_min.Tensor")
def lower_clamp_min_tensor(b: Builder, x: Value, low: Value) -> Value:
    return binary(b, "MAXIMUM", x, low)


@lowers("aten.clamp_max.Tensor")
def lower_clamp_max_tensor(b: Builder, x: Value, high: Value) -> Value:
    return binary(b, "MINIMUM", x, high)


@lowers("aten.heaviside.default")
def lower_heaviside(b: Builder, x: Value, at_zero: Value) -> Value:
    step = cast(b, compare(b, "GREATER", x, 0), x.dtype)
    return select(b, compare(b, "EQUAL", x, 0), at_zero, step, x.dtype)


@lowers("aten.equal.default", "aten.item.default", "aten._local_scalar_dense.default")
def lower_python_value(b: Builder, *values: Value) -> Value:
    raise UnsupportedError("a Python value is made of a tensor's data")


@lowers("aten.isin.Tensor_Tensor")
def lower_isin(b: Builder, x: Value, among: Value, assume_unique: bool, invert: bool) -> Value:
    """Each element against all of ``among``: [..., 1] == [n], then any."""
    column = b.value(b.reshape(b.logical(x), (*x.shape, 1)), dtype=x.dtype)
    row = b.value(b.reshape(b.logical(among), (among.tensor.size,)), dtype=among.dtype)
    hits = compare(b, "EQUAL", column, row)
    axis = b.constant(np.array([x.rank], np.int32))
    found = b.value(b.emit("REDUCE_ANY", [hits.tensor, axis], x.shape, keep_dims=False))
    return lower_logical_not(b, found) if invert else found


@lowers("aten.isclose.default")
def lower_isclose(b: Builder, x: Value, y: Value, rtol: float, atol: float, equal_nan: bool) -> Value:
    """|x - y| <= atol + rtol |y|, or equal (infinities are)."""
    left, right = operands(b, x, y)
    if computed(left.dtype) != "float32":
        left, right = as_value(b, left, "float32"), as_value(b, right, "float32")
    gap = unary_like(b, "ABS", binary(b, "SUB", left, right))
    allowed = binary(b, "ADD", binary(b, "MUL", unary_like(b, "ABS", right), rtol), atol)
    close = logic(b, "LOGICAL_AND", compare(b, "LESS_EQUAL", gap, allowed), lower_isfinite(b, right))
    close = logic(b, "LOGICAL_OR", close, compare(b, "EQUAL", left, right))
    if equal_nan:
        close = logic(b, "LOGICAL_OR", close, logic(b, "LOGICAL_AND", lower_isnan(b, left), lower_isnan(b, right)))
    return close
