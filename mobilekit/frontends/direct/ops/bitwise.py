"""Bitwise logic and shifts of integers. TFLite has BITWISE_XOR and RIGHT_SHIFT (runtime 2.14); the rest is composed.

x + y = (x ^ y) + 2 (x & y) gives AND from XOR and a shift, as long as the sum does not overflow: 32 bit operands are
taken in two halves.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.arithmetic import aligned, binary, emit_binary, operands, unary_like
from mobilekit.frontends.direct.ops.cast import from_arithmetic
from mobilekit.frontends.direct.ops.compare import logic
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value
from mobilekit.graph.ir import Tensor


def _names(op: str) -> tuple[str, ...]:
    """PyTorch calls a number on the right Scalar for logic, Tensor_Scalar for shifts."""
    number = "Tensor_Scalar" if op.endswith("shift") else "Scalar"
    return tuple(f"aten.bitwise_{op}.{overload}" for overload in ("Tensor", number, "Scalar_Tensor"))


@lowers(*_names("xor"), "aten.__xor__.Tensor", "aten.__xor__.Scalar")
def lower_xor(b: Builder, x: Any, y: Any) -> Value:
    left, right = operands(b, x, y)
    if left.dtype == "bool":
        return logic(b, "NOT_EQUAL", left, right)
    return binary(b, "BITWISE_XOR", left, right)


@lowers(*_names("and"), "aten.__and__.Tensor", "aten.__and__.Scalar")
def lower_and(b: Builder, x: Any, y: Any) -> Value:
    left, right = operands(b, x, y)
    if left.dtype == "bool":
        return logic(b, "LOGICAL_AND", left, right)
    mask = _low_bits(right)
    if mask is not None:  # x & 0b0111 is x modulo 8
        return binary(b, "FLOOR_MOD", left, mask + 1)
    first, second, order = aligned(b, left, right)
    common = _and_wide(b, first, second) if left.dtype in ("int32", "int64") else _and_narrow(b, first, second)
    return from_arithmetic(b, common, Value(common, order, left.dtype))


@lowers(*_names("or"), "aten.__or__.Tensor", "aten.__or__.Scalar")
def lower_or(b: Builder, x: Any, y: Any) -> Value:
    left, right = operands(b, x, y)
    if left.dtype == "bool":
        return logic(b, "LOGICAL_OR", left, right)
    return binary(b, "ADD", lower_xor(b, left, right), lower_and(b, left, right))


@lowers("aten.bitwise_not.default")
def lower_not(b: Builder, x: Value) -> Value:
    if x.dtype == "bool":
        return unary_like(b, "LOGICAL_NOT", x)
    return binary(b, "SUB", -1 if x.dtype != "uint8" else 255, x)


@lowers(*_names("left_shift"), "aten.__lshift__.Scalar", "aten.__lshift__.Tensor")
def lower_left_shift(b: Builder, x: Value, count: Any) -> Value:
    steps = _constant_count(x, count)
    return binary(b, "MUL", x, 1 << steps)


@lowers(*_names("right_shift"), "aten.__rshift__.Scalar", "aten.__rshift__.Tensor")
def lower_right_shift(b: Builder, x: Value, count: Any) -> Value:
    """The sign is kept: division by a power of two, rounded down."""
    steps = _constant_count(x, count)
    return binary(b, "FLOOR_DIV", x, 1 << steps)


def _constant_count(x: Any, count: Any) -> int:
    if isinstance(count, Value) and count.tensor.data is not None and count.tensor.size == 1:
        count = int(count.tensor.data.item())
    # A factor of 2^7 is the largest in int8, and so on; a wider shift of such a type is undefined in PyTorch.
    bits = {"int8": 8, "uint8": 9, "int16": 16}.get(x.dtype, 32) if isinstance(x, Value) else 32
    if not isinstance(count, int) or not 0 <= count < bits - 1:
        raise UnsupportedError("a shift by a count that is computed, or wider than the type")
    return count


def _low_bits(x: Value) -> int | None:
    """The mask, if it is a constant of ones at the low end, such as 1 or 255."""
    if x.tensor.data is None or x.tensor.size != 1:
        return None
    mask = int(x.tensor.data.item())
    limit = {"int8": 2**7, "uint8": 2**8, "int16": 2**15}.get(x.dtype, 2**31)
    return mask if 0 < mask < limit - 1 and mask & (mask + 1) == 0 else None


def _and_narrow(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    """For int32 tensors whose sum does not overflow."""
    twice = emit_binary(b, "SUB", emit_binary(b, "ADD", x, y), emit_binary(b, "BITWISE_XOR", x, y))
    return emit_binary(b, "FLOOR_DIV", twice, b.scalar(2, "int32"))


def _and_wide(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    """In halves of 16 bits: the high one signed, the low one not."""
    base = b.constant(np.array(1 << 16, np.int32))
    high = _and_narrow(b, emit_binary(b, "FLOOR_DIV", x, base), emit_binary(b, "FLOOR_DIV", y, base))
    low = _and_narrow(b, emit_binary(b, "FLOOR_MOD", x, base), emit_binary(b, "FLOOR_MOD", y, base))
    # An AND has no more bits than its operands.
    b.bounds[high], b.bounds[low] = (-(1 << 15), (1 << 15) - 1), (0, (1 << 16) - 1)
    return emit_binary(b, "ADD", emit_binary(b, "MUL", high, base), low)
