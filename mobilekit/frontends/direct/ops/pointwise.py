"""Functions of one operand: exponentials, trigonometry, rounding, signs.

Integers become floats first where PyTorch does so. What TFLite has no op for is composed of ops that it has; each
formula is exact in real numbers, and its float32 error is absolute: some 1e-7 of the larger of 1 and the result.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import floating, is_float
from mobilekit.frontends.direct.ops.arithmetic import atan2, binary, broadcast, select, truncate, unary_like
from mobilekit.frontends.direct.ops.cast import cast, for_arithmetic, from_arithmetic
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value


def _float(b: Builder, x: Value) -> Value:
    return cast(b, x, floating(x.dtype))


# TFLite ops of the same name and meaning: ATen -> kind.
_SAME = {
    "exp": "EXP",
    "log": "LOG",
    "sqrt": "SQRT",
    "rsqrt": "RSQRT",
    "sin": "SIN",
    "cos": "COS",
}


def _register_same(op: str, kind: str) -> None:
    @lowers(f"aten.{op}.default")
    def lower_same_op(b: Builder, x: Value) -> Value:
        return unary_like(b, kind, _float(b, x))


for _op, _kind in _SAME.items():
    _register_same(_op, _kind)


def _one_minus_square(b: Builder, x: Value) -> Value:
    """(1 - x)(1 + x), which unlike 1 - x * x keeps its precision near 1."""
    return binary(b, "MUL", binary(b, "SUB", 1.0, x), binary(b, "ADD", x, 1.0))


def _exp_pair(b: Builder, x: Value) -> tuple[Value, Value]:
    return unary_like(b, "EXP", x), unary_like(b, "EXP", unary_like(b, "NEG", x))


def _halved(b: Builder, x: Value) -> Value:
    return binary(b, "MUL", x, 0.5)


def _tan(b: Builder, x: Value) -> Value:
    return binary(b, "DIV", unary_like(b, "SIN", x), unary_like(b, "COS", x))


def _asin(b: Builder, x: Value) -> Value:
    return atan2(b, x, unary_like(b, "SQRT", _one_minus_square(b, x)))


def _acos(b: Builder, x: Value) -> Value:
    return atan2(b, unary_like(b, "SQRT", _one_minus_square(b, x)), x)


def _atan(b: Builder, x: Value) -> Value:
    one = b.scalar(1.0, "float32")
    return atan2(b, x, b.like(x, broadcast(b, one, x.tensor.shape)))


def _sinh(b: Builder, x: Value) -> Value:
    up, down = _exp_pair(b, x)
    return _halved(b, binary(b, "SUB", up, down))


def _cosh(b: Builder, x: Value) -> Value:
    up, down = _exp_pair(b, x)
    return _halved(b, binary(b, "ADD", up, down))


def _asinh(b: Builder, x: Value) -> Value:
    """sign(x) log(|x| + sqrt(x^2 + 1)): for negative x the plain formula cancels."""
    size = unary_like(b, "ABS", x)
    limited, rest = _limited(b, size)
    root = unary_like(b, "SQRT", binary(b, "ADD", unary_like(b, "SQUARE", limited), 1.0))
    grown = unary_like(b, "LOG", binary(b, "ADD", size, binary(b, "ADD", root, rest)))
    return select(b, binary(b, "LESS", x, 0.0, "bool"), unary_like(b, "NEG", grown), grown)


def _acosh(b: Builder, x: Value) -> Value:
    limited, rest = _limited(b, x)
    inner = binary(b, "MUL", binary(b, "SUB", limited, 1.0), binary(b, "ADD", limited, 1.0))
    return unary_like(b, "LOG", binary(b, "ADD", x, binary(b, "ADD", unary_like(b, "SQRT", inner), rest)))


def _limited(b: Builder, x: Value) -> tuple[Value, Value]:
    """x up to 1e9, whose square float32 holds, and what is left; from 2^12 on sqrt(x^2 + 1) is x in float32."""
    limited = binary(b, "MINIMUM", x, 1e9)
    return limited, binary(b, "SUB", x, limited)


def _atanh(b: Builder, x: Value) -> Value:
    ratio = binary(b, "DIV", binary(b, "ADD", x, 1.0), binary(b, "SUB", 1.0, x))
    return _halved(b, unary_like(b, "LOG", ratio))


def _exp2(b: Builder, x: Value) -> Value:
    return binary(b, "POW", 2.0, x)


def _expm1(b: Builder, x: Value) -> Value:
    return binary(b, "SUB", unary_like(b, "EXP", x), 1.0)


def _log1p(b: Builder, x: Value) -> Value:
    return unary_like(b, "LOG", binary(b, "ADD", x, 1.0))


def _log2(b: Builder, x: Value) -> Value:
    return binary(b, "MUL", unary_like(b, "LOG", x), 1 / math.log(2))


def _log10(b: Builder, x: Value) -> Value:
    return binary(b, "MUL", unary_like(b, "LOG", x), 1 / math.log(10))


def _reciprocal(b: Builder, x: Value) -> Value:
    return binary(b, "DIV", 1.0, x)


def _erf(b: Builder, x: Value) -> Value:
    """TFLite has no erf, but its exact GELU(u) = u (1 + erf(u / sqrt 2)) / 2 holds one (runtime 2.10).

    erf is 1 in float32 from 4 on, so the argument is limited to 6, which keeps infinities out of the quotient.
    """
    limited = binary(b, "MINIMUM", binary(b, "MAXIMUM", x, -6.0), 6.0)
    scaled = binary(b, "MUL", limited, math.sqrt(2))
    gated = b.like(x, b.emit("GELU", [scaled.tensor], scaled.tensor.shape, approximate=False))
    doubled = binary(b, "MUL", binary(b, "DIV", gated, scaled), 2.0)
    return select(b, binary(b, "EQUAL", x, 0.0, "bool"), 0.0, binary(b, "SUB", doubled, 1.0), x.dtype)


def _erfc(b: Builder, x: Value) -> Value:
    return binary(b, "SUB", 1.0, _erf(b, x))


def _deg2rad(b: Builder, x: Value) -> Value:
    return binary(b, "MUL", x, math.pi / 180)


def _rad2deg(b: Builder, x: Value) -> Value:
    return binary(b, "MUL", x, 180 / math.pi)


# Composed functions that always answer in floats: ATen -> the formula.
_COMPOSED: dict[str, Callable[[Builder, Value], Value]] = {
    "tan": _tan,
    "asin": _asin,
    "acos": _acos,
    "atan": _atan,
    "sinh": _sinh,
    "cosh": _cosh,
    "asinh": _asinh,
    "acosh": _acosh,
    "atanh": _atanh,
    "exp2": _exp2,
    "expm1": _expm1,
    "log1p": _log1p,
    "log2": _log2,
    "log10": _log10,
    "reciprocal": _reciprocal,
    "erf": _erf,
    "erfc": _erfc,
    "deg2rad": _deg2rad,
    "rad2deg": _rad2deg,
}


def _register_composed(op: str, formula: Callable[[Builder, Value], Value]) -> None:
    @lowers(f"aten.{op}.default")
    def lower_composed(b: Builder, x: Value) -> Value:
        return formula(b, _float(b, x))


for _op, _formula in _COMPOSED.items():
    _register_composed(_op, _formula)


def _rounding(b: Builder, kind: str, x: Value) -> Value:
    return unary_like(b, kind, x) if is_float(x.dtype) else x


@lowers("aten.floor.default")
def lower_floor(b: Builder, x: Value) -> Value:
    return _rounding(b, "FLOOR", x)


@lowers("aten.ceil.default")
def lower_ceil(b: Builder, x: Value) -> Value:
    return _rounding(b, "CEIL", x)


@lowers("aten.round.default")
def lower_round(b: Builder, x: Value) -> Value:
    """Half to even, in TFLite as in PyTorch."""
    return _rounding(b, "ROUND", x)


@lowers("aten.round.decimals")
def lower_round_decimals(b: Builder, x: Value, decimals: int) -> Value:
    if decimals == 0 or not is_float(x.dtype):
        return lower_round(b, x)
    scale = 10.0 ** abs(decimals)
    first, second = ("MUL", "DIV") if decimals > 0 else ("DIV", "MUL")
    return binary(b, second, unary_like(b, "ROUND", binary(b, first, x, scale)), scale)


@lowers("aten.trunc.default", "aten.fix.default")
def lower_trunc(b: Builder, x: Value) -> Value:
    return truncate(b, x) if is_float(x.dtype) else x


@lowers("aten.frac.default")
def lower_frac(b: Builder, x: Value) -> Value:
    return binary(b, "SUB", x, truncate(b, x))


@lowers("aten.neg.default")
def lower_neg(b: Builder, x: Value) -> Value:
    return from_arithmetic(b, b.emit("NEG", [for_arithmetic(b, x)], x.tensor.shape), x)


@lowers("aten.abs.default")
def lower_abs(b: Builder, x: Value) -> Value:
    """Integers as max(x, -x): ABS takes int32 only from runtime 2.15 on."""
    if is_float(x.dtype):
        return unary_like(b, "ABS", x)
    if x.dtype == "uint8":
        return x
    number = for_arithmetic(b, x)
    return from_arithmetic(b, b.emit("MAXIMUM", [number, b.emit("NEG", [number], number.shape)], number.shape), x)


@lowers("aten.sign.default", "aten.sgn.default")
def lower_sign(b: Builder, x: Value) -> Value:
    if x.dtype == "bool":
        return x
    if is_float(x.dtype):
        return unary_like(b, "SIGN", x)
    return binary(b, "MINIMUM", binary(b, "MAXIMUM", x, -1), 1) if x.dtype != "uint8" else binary(b, "MINIMUM", x, 1)


@lowers("aten.square.default")
def lower_square(b: Builder, x: Value) -> Value:
    return unary_like(b, "SQUARE", x) if is_float(x.dtype) else binary(b, "MUL", cast(b, x, _counted(x.dtype)), x)


def _counted(dtype: str) -> str:
    return "int64" if dtype == "bool" else dtype


@lowers("aten.angle.default")
def lower_angle(b: Builder, x: Value) -> Value:
    """Of a real number: pi if it is negative."""
    x = _float(b, x)
    angle = select(b, binary(b, "LESS", x, 0.0, "bool"), math.pi, 0.0, x.dtype)
    return select(b, binary(b, "NOT_EQUAL", x, x, "bool"), x, angle)


@lowers("aten.positive.default", "aten.real.default", "aten.conj.default", "aten.resolve_conj.default")
def lower_positive(b: Builder, x: Value) -> Value:
    return x


def _register_refused(op: str) -> None:
    @lowers(f"aten.{op}.default")
    def refuse(b: Builder, *arguments: Value) -> Value:
        raise UnsupportedError("TFLite has no op that this function could be composed of exactly")


for _op in ("lgamma", "digamma", "erfinv", "i0", "special_ndtri", "igamma", "special_i1", "polygamma"):
    _register_refused(_op)
