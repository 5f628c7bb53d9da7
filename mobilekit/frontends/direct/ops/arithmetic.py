"""Pointwise arithmetic with broadcasting."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.activation import unary
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value

_FUSABLE = frozenset({"ADD", "SUB", "MUL", "DIV"})


def binary(b: Builder, kind: str, x: Any, y: Any, dtype: str | None = None) -> Value:
    """A TFLite op over two operands, each a Value or a Python number."""
    left, right = operands(b, x, y)
    (first, second), order = b.align([left, right])
    shape = np.broadcast_shapes(first.shape, second.shape)
    options = {"fused_activation_function": "NONE"} if kind in _FUSABLE else {}
    out = b.emit(kind, [first, second], shape, "bool" if dtype == "bool" else None, **options)
    return Value(out, order, dtype or left.dtype)


def operands(b: Builder, x: Any, y: Any) -> tuple[Value, Value]:
    """Both operands as Values of one dtype, which is PyTorch's rule for a tensor and a number of its own kind."""
    reference = x if isinstance(x, Value) else y
    pair = [value if isinstance(value, Value) else _number(b, value, reference) for value in (x, y)]
    if pair[0].dtype != pair[1].dtype:
        raise UnsupportedError(f"operands of {pair[0].dtype} and {pair[1].dtype}", "cast one of them with .to()")
    return pair[0], pair[1]


def _number(b: Builder, number: float | int | bool, reference: Value) -> Value:
    if isinstance(number, float) and not reference.dtype.startswith("float"):
        raise UnsupportedError(f"{reference.dtype} with the number {number}", "cast the tensor to float first")
    return Value(b.scalar(number, reference.tensor.dtype), (), reference.dtype)


def _scaled(b: Builder, y: Any, alpha: float) -> Any:
    if alpha == 1:
        return y
    return binary(b, "MUL", y, alpha) if isinstance(y, Value) else y * alpha


@lowers("aten.add.Tensor", "aten.add_.Tensor", "aten.add.Scalar", "aten.add_.Scalar")
def lower_add(b: Builder, x: Value, y: Any, alpha: float) -> Value:
    return binary(b, "ADD", x, _scaled(b, y, alpha))


@lowers("aten.sub.Tensor", "aten.sub_.Tensor", "aten.sub.Scalar", "aten.sub_.Scalar")
def lower_sub(b: Builder, x: Value, y: Any, alpha: float) -> Value:
    return binary(b, "SUB", x, _scaled(b, y, alpha))


@lowers("aten.rsub.Scalar", "aten.rsub.Tensor")
def lower_rsub(b: Builder, x: Value, y: Any, alpha: float) -> Value:
    return binary(b, "SUB", y, _scaled(b, x, alpha))


@lowers("aten.mul.Tensor", "aten.mul_.Tensor", "aten.mul.Scalar", "aten.mul_.Scalar")
def lower_mul(b: Builder, x: Value, y: Any) -> Value:
    return binary(b, "MUL", x, y)


@lowers("aten.div.Tensor", "aten.div_.Tensor", "aten.div.Scalar", "aten.div_.Scalar")
def lower_div(b: Builder, x: Value, y: Any) -> Value:
    if not x.dtype.startswith("float"):
        raise UnsupportedError(f"true division of {x.dtype}", "cast to float first")
    return binary(b, "DIV", x, y)


@lowers("aten.maximum.default")
def lower_maximum(b: Builder, x: Value, y: Value) -> Value:
    return binary(b, "MAXIMUM", x, y)


@lowers("aten.minimum.default")
def lower_minimum(b: Builder, x: Value, y: Value) -> Value:
    return binary(b, "MINIMUM", x, y)


@lowers("aten.pow.Tensor_Scalar")
def lower_pow_scalar(b: Builder, x: Value, exponent: float) -> Value:
    if exponent == 2:
        return unary(b, "SQUARE", x)
    if exponent == 0.5:
        return unary(b, "SQRT", x)
    if exponent == 1:
        return x
    return binary(b, "POW", x, float(exponent) if math.isfinite(exponent) else exponent)


@lowers("aten.neg.default")
def lower_neg(b: Builder, x: Value) -> Value:
    return unary(b, "NEG", x)


@lowers("aten.abs.default")
def lower_abs(b: Builder, x: Value) -> Value:
    return unary(b, "ABS", x)


@lowers("aten.exp.default")
def lower_exp(b: Builder, x: Value) -> Value:
    return unary(b, "EXP", x)


@lowers("aten.log.default")
def lower_log(b: Builder, x: Value) -> Value:
    return unary(b, "LOG", x)


@lowers("aten.sqrt.default")
def lower_sqrt(b: Builder, x: Value) -> Value:
    return unary(b, "SQRT", x)


@lowers("aten.rsqrt.default")
def lower_rsqrt(b: Builder, x: Value) -> Value:
    return unary(b, "RSQRT", x)
