"""Arithmetic on two operands, with PyTorch's broadcasting and type promotion."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import floating, is_float, promote, stored
from mobilekit.frontends.direct.ops.cast import cast, for_arithmetic, from_arithmetic
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Order, Value
from mobilekit.graph.ir import Tensor

# Kinds whose schema has a fused activation.
_FUSABLE = frozenset({"ADD", "SUB", "MUL", "DIV"})
# PyTorch's arithmetic on bool is logic.
_ON_BOOL = {"ADD": "LOGICAL_OR", "MUL": "LOGICAL_AND", "MAXIMUM": "LOGICAL_OR", "MINIMUM": "LOGICAL_AND"}
_FLOAT32 = np.finfo(np.float32)
_COMPARES = frozenset({"EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"})


def binary(b: Builder, kind: str, x: Any, y: Any, dtype: str | None = None) -> Value:
    """A TFLite op over two operands, each a Value or a Python number; ``dtype`` is PyTorch's for the result."""
    left, right = operands(b, x, y)
    if left.dtype == "bool" and kind in _ON_BOOL:
        kind = _ON_BOOL[kind]
        (first, second), order = b.align([left, right])
        return Value(emit_binary(b, kind, first, second), order, "bool")
    first, second, order = aligned(b, left, right)
    return from_arithmetic(b, emit_binary(b, kind, first, second), Value(first, order, left.dtype), dtype)


def operands(b: Builder, x: Any, y: Any, dtype: str | None = None) -> tuple[Value, Value]:
    """Both operands as Values of ``dtype``, by default the one to which PyTorch promotes them."""
    common = dtype or promote(x, y)
    return as_value(b, x, common), as_value(b, y, common)


def as_value(b: Builder, x: Any, dtype: str) -> Value:
    """A Value cast to ``dtype``, or a number as a 0-d constant of it."""
    if isinstance(x, Value):
        return cast(b, x, dtype)
    if dtype in ("int64", "int32") and not -(2**31) <= x < 2**31:
        raise UnsupportedError(
            f"the integer {x} does not fit int32, which the file computes in",
            "keep such numbers below 2**31 (a smaller multiplier, a base subtracted), or compute it in the app",
        )
    with np.errstate(over="ignore"):
        return Value(b.constant(np.array(x).astype(stored(dtype))), (), dtype)


def aligned(b: Builder, left: Value, right: Value) -> tuple[Tensor, Tensor, Order]:
    """Two operands of one dtype, in the dtype of arithmetic and in one order."""
    numbers = [Value(for_arithmetic(b, value), value.order, value.dtype) for value in (left, right)]
    (first, second), order = b.align(numbers)
    return first, second, order


def emit_binary(b: Builder, kind: str, x: Tensor, y: Tensor) -> Tensor:
    """One op on two stored tensors that broadcast."""
    options = {"fused_activation_function": "NONE"} if kind in _FUSABLE else {}
    dtype = "bool" if kind in _COMPARES or kind.startswith("LOGICAL") else None
    return b.emit(kind, [x, y], np.broadcast_shapes(x.shape, y.shape), dtype, **options)


def _scaled(b: Builder, y: Any, alpha: float, other: Any) -> Any:
    """``alpha * y`` in the dtype of the whole sum."""
    if alpha == 1:
        return y
    return binary(b, "MUL", as_value(b, y, promote(other, y)), alpha) if isinstance(y, Value) else y * alpha


@lowers("aten.add.Tensor", "aten.add.Scalar")
def lower_add(b: Builder, x: Value, y: Any, alpha: float) -> Value:
    return binary(b, "ADD", x, _scaled(b, y, alpha, x))


@lowers("aten.sub.Tensor", "aten.sub.Scalar")
def lower_sub(b: Builder, x: Value, y: Any, alpha: float) -> Value:
    return binary(b, "SUB", x, _scaled(b, y, alpha, x))


@lowers("aten.rsub.Scalar", "aten.rsub.Tensor")
def lower_rsub(b: Builder, x: Value, y: Any, alpha: float) -> Value:
    return binary(b, "SUB", y, _scaled(b, x, alpha, y))


@lowers("aten.mul.Tensor", "aten.mul.Scalar")
def lower_mul(b: Builder, x: Value, y: Any) -> Value:
    return binary(b, "MUL", x, y)


@lowers("aten.div.Tensor", "aten.div.Scalar")
def lower_div(b: Builder, x: Value, y: Any) -> Value:
    left, right = operands(b, x, y, floating(promote(x, y)))
    return binary(b, "DIV", left, right)


@lowers("aten.div.Tensor_mode", "aten.div.Scalar_mode")
def lower_div_mode(b: Builder, x: Value, y: Any, rounding_mode: str | None) -> Value:
    if rounding_mode is None:
        return lower_div(b, x, y)
    if rounding_mode == "floor":
        return lower_floor_divide(b, x, y)
    if is_float(promote(x, y)):
        return truncate(b, binary(b, "DIV", x, y))
    return binary(b, "DIV", x, y)  # int32 DIV truncates, as C does


@lowers("aten.floor_divide.default", "aten.floor_divide.Scalar")
def lower_floor_divide(b: Builder, x: Value, y: Any) -> Value:
    """Floats: the integer nearest to (x - x mod y) / y, which is PyTorch's own rule; floor(x / y) differs from it.

    1.0 // 0.1 is 9, although 1.0 / 0.1 rounds to 10: FLOOR_DIV says 10.
    """
    if not is_float(promote(x, y)):
        return binary(b, "FLOOR_DIV", x, y)
    left, right = operands(b, x, y)
    quotient = binary(b, "DIV", left, right)
    if _is_power_of_two(right):
        return unary_like(b, "FLOOR", quotient)  # dividing by a power of two does not round
    exact = binary(b, "DIV", binary(b, "SUB", left, binary(b, "FLOOR_MOD", left, right)), right)
    rounded = unary_like(b, "ROUND", exact)
    if right.tensor.data is not None and np.all(right.tensor.data != 0):
        return rounded
    return select(b, binary(b, "EQUAL", right, 0.0, "bool"), quotient, rounded)


def _is_power_of_two(x: Value) -> bool:
    if x.tensor.data is None or not np.all(np.isfinite(x.tensor.data)):
        return False
    return bool(np.all(np.abs(np.frexp(x.tensor.data)[0]) == 0.5))


@lowers("aten.remainder.Tensor", "aten.remainder.Scalar", "aten.remainder.Scalar_Tensor")
def lower_remainder(b: Builder, x: Any, y: Any) -> Value:
    """The sign of the divisor, as Python's %."""
    return binary(b, "FLOOR_MOD", x, y)


@lowers("aten.fmod.Tensor", "aten.fmod.Scalar")
def lower_fmod(b: Builder, x: Value, y: Any) -> Value:
    """The sign of the dividend, as C's fmod: on magnitudes both rules agree."""
    left, right = operands(b, x, y)
    if not is_float(left.dtype):
        whole = binary(b, "MUL", binary(b, "DIV", left, right), right)
        return binary(b, "SUB", left, whole)
    size = binary(b, "FLOOR_MOD", unary_like(b, "ABS", left), _magnitude(b, right))
    return select(b, binary(b, "LESS", left, 0.0, "bool"), unary_like(b, "NEG", size), size)


def _magnitude(b: Builder, x: Value) -> Value:
    if x.tensor.data is not None:
        return b.like(x, b.constant(np.abs(x.tensor.data)))
    return unary_like(b, "ABS", x)


@lowers("aten.maximum.default", "aten.max.other")
def lower_maximum(b: Builder, x: Value, y: Value) -> Value:
    return binary(b, "MAXIMUM", x, y)


@lowers("aten.minimum.default", "aten.min.other")
def lower_minimum(b: Builder, x: Value, y: Value) -> Value:
    return binary(b, "MINIMUM", x, y)


@lowers("aten.fmax.default")
def lower_fmax(b: Builder, x: Value, y: Value) -> Value:
    return _of_numbers(b, "MAXIMUM", x, y)


@lowers("aten.fmin.default")
def lower_fmin(b: Builder, x: Value, y: Value) -> Value:
    return _of_numbers(b, "MINIMUM", x, y)


def _of_numbers(b: Builder, kind: str, x: Value, y: Value) -> Value:
    """Where one operand is NaN, the other: all that sets fmax apart from maximum."""
    left, right = operands(b, x, y)
    if not is_float(left.dtype):
        return binary(b, kind, left, right)
    first = select(b, binary(b, "NOT_EQUAL", left, left, "bool"), right, left)
    second = select(b, binary(b, "NOT_EQUAL", right, right, "bool"), left, right)
    return binary(b, kind, first, second)


@lowers("aten.pow.Tensor_Scalar")
def lower_pow_scalar(b: Builder, x: Value, exponent: float) -> Value:
    dtype = promote(x, exponent)
    base = cast(b, x, dtype)
    if not is_float(dtype):
        return _integer_power(b, base, int(exponent))
    known = {0.5: "SQRT", -0.5: "RSQRT", 2: "SQUARE"}.get(exponent)
    if known is not None:
        return unary_like(b, known, base)
    if exponent == 1:
        return base
    if exponent == 3:
        return binary(b, "MUL", unary_like(b, "SQUARE", base), base)
    if exponent == -1:
        return binary(b, "DIV", 1.0, base)
    return binary(b, "POW", base, float(exponent))


def _integer_power(b: Builder, base: Value, exponent: int) -> Value:
    """By squaring: MUL wraps as PyTorch does, and POW of int32 is slow."""
    if exponent == 0:
        return b.like(base, b.constant(np.ones(base.tensor.shape, base.tensor.dtype)))
    if exponent < 0:
        raise UnsupportedError("integers to a negative power", "cast the base to float first")
    result = None
    while exponent:
        if exponent & 1:
            result = base if result is None else binary(b, "MUL", result, base)
        exponent >>= 1
        if exponent:
            base = binary(b, "MUL", base, base)
    assert result is not None
    return result


@lowers("aten.pow.Tensor_Tensor", "aten.pow.Scalar")
def lower_pow(b: Builder, x: Any, y: Value) -> Value:
    return binary(b, "POW", x, y)


@lowers("aten.atan2.default")
def lower_atan2(b: Builder, y: Value, x: Value) -> Value:
    above, right = operands(b, y, x, floating(promote(y, x)))
    return atan2(b, above, right)


def atan2(b: Builder, y: Value, x: Value) -> Value:
    """TFLite's ATAN2 (runtime 2.12) does not broadcast."""
    (above, right), order = b.align([y, x])
    shape = np.broadcast_shapes(above.shape, right.shape)
    pair = [broadcast(b, tensor, shape) for tensor in (above, right)]
    return Value(b.emit("ATAN2", pair, shape), order, y.dtype)


def broadcast(b: Builder, tensor: Tensor, shape: tuple[int, ...]) -> Tensor:
    """A stored tensor repeated to a stored shape."""
    if tensor.shape == shape:
        return tensor
    if tensor.data is not None:
        return b.constant(np.ascontiguousarray(np.broadcast_to(tensor.data, shape)))
    return b.emit("BROADCAST_TO", [tensor, b.constant(np.array(shape, np.int32))], shape)


def select(b: Builder, condition: Value, x: Any, y: Any, dtype: str | None = None) -> Value:
    """Elementwise choice between two operands, all three broadcast together."""
    chosen, other = operands(b, x, y, dtype)
    (mask, first, second), order = b.align([condition, chosen, other])
    shape = np.broadcast_shapes(mask.shape, first.shape, second.shape)
    return Value(b.emit("SELECT_V2", [mask, first, second], shape, first.dtype), order, chosen.dtype)


def unary_like(b: Builder, kind: str, x: Value) -> Value:
    """One op on a float or int32 Value, without changing its dtype."""
    return b.like(x, b.emit(kind, [x.tensor], x.tensor.shape))


def truncate(b: Builder, x: Value) -> Value:
    """Towards zero; exact for floats of any size, which a cast to int32 and back is not."""
    return select(b, binary(b, "LESS", x, 0.0, "bool"), unary_like(b, "CEIL", x), unary_like(b, "FLOOR", x))


@lowers("aten.addcmul.default")
def lower_addcmul(b: Builder, x: Value, first: Value, second: Value, value: float) -> Value:
    product = binary(b, "MUL", first, second)
    return binary(b, "ADD", x, product if value == 1 else binary(b, "MUL", product, value))


@lowers("aten.addcdiv.default")
def lower_addcdiv(b: Builder, x: Value, first: Value, second: Value, value: float) -> Value:
    quotient = lower_div(b, first, second)
    return binary(b, "ADD", x, quotient if value == 1 else binary(b, "MUL", quotient, value))


@lowers("aten.lerp.Scalar", "aten.lerp.Tensor")
def lower_lerp(b: Builder, start: Value, end: Value, weight: Any) -> Value:
    """Start + weight * (end - start); PyTorch's second form above 0.5 differs only in rounding."""
    return binary(b, "ADD", start, binary(b, "MUL", binary(b, "SUB", end, start), weight))


@lowers("aten.hypot.default")
def lower_hypot(b: Builder, x: Value, y: Value) -> Value:
    """Both legs over the longer one, so that no square overflows or vanishes; that one kept finite and above zero."""
    left, right = operands(b, x, y)
    longer = binary(b, "MAXIMUM", unary_like(b, "ABS", left), unary_like(b, "ABS", right))
    scale = binary(b, "MINIMUM", binary(b, "MAXIMUM", longer, float(_FLOAT32.tiny)), float(_FLOAT32.max))
    first, second = (unary_like(b, "SQUARE", binary(b, "DIV", leg, scale)) for leg in (left, right))
    return binary(b, "MUL", scale, unary_like(b, "SQRT", binary(b, "ADD", first, second)))


@lowers("aten.copysign.Tensor", "aten.copysign.Scalar")
def lower_copysign(b: Builder, x: Value, y: Any) -> Value:
    """A sign of its own for -0.0 cannot be seen by TFLite's comparisons: it counts as positive."""
    left, right = operands(b, x, y, floating(promote(x, y)))
    size = unary_like(b, "ABS", left)
    if right.tensor.data is not None and right.tensor.size == 1:
        return unary_like(b, "NEG", size) if math.copysign(1, right.tensor.data.item()) < 0 else size
    return select(b, binary(b, "LESS", right, 0.0, "bool"), unary_like(b, "NEG", size), size)
