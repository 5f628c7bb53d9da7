"""Activations. What fuses into the op before it is emitted alone here; the pass fuse_activation joins them."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value

# TFLite has these as ops of their own: (low, high) -> kind.
_RANGES = {
    (0.0, 6.0): "RELU6",
    (-1.0, 1.0): "RELU_N1_TO_1",
    (0.0, 1.0): "RELU_0_TO_1",
    (0.0, math.inf): "RELU",
}


def unary(b: Builder, kind: str, x: Value, **options: Any) -> Value:
    return b.like(x, b.emit(kind, [x.tensor], x.tensor.shape, **options))


@lowers("aten.relu.default", "aten.relu_.default")
def lower_relu(b: Builder, x: Value) -> Value:
    return unary(b, "RELU", x)


@lowers("aten.relu6.default", "aten.relu6_.default")
def lower_relu6(b: Builder, x: Value) -> Value:
    return unary(b, "RELU6", x)


@lowers("aten.hardtanh.default", "aten.hardtanh_.default")
def lower_hardtanh(b: Builder, x: Value, low: float, high: float) -> Value:
    return clamp(b, x, low, high)


@lowers("aten.clamp.default", "aten.clamp_.default")
def lower_clamp(b: Builder, x: Value, low: float | None, high: float | None) -> Value:
    return clamp(b, x, low, high)


@lowers("aten.clamp_min.default", "aten.clamp_min_.default")
def lower_clamp_min(b: Builder, x: Value, low: float) -> Value:
    return clamp(b, x, low, None)


@lowers("aten.clamp_max.default", "aten.clamp_max_.default")
def lower_clamp_max(b: Builder, x: Value, high: float) -> Value:
    return clamp(b, x, None, high)


def clamp(b: Builder, x: Value, low: float | None, high: float | None) -> Value:
    """An op of its own where TFLite has one for the range, else MAXIMUM and MINIMUM."""
    bounds = (-math.inf if low is None else float(low), math.inf if high is None else float(high))
    kind = _RANGES.get(bounds)
    # RELU_0_TO_1 needs runtime 2.12 and few delegates know it.
    if kind is not None and kind != "RELU_0_TO_1" and x.dtype == "float32":
        return unary(b, kind, x)
    out = x.tensor
    # PyTorch applies the upper bound last: it wins where low > high.
    for bound, op in ((low, "MAXIMUM"), (high, "MINIMUM")):
        if bound is not None:
            if not x.dtype.startswith("float") and float(bound) != int(bound):
                raise UnsupportedError(f"clamp of {x.dtype} to {bound}")
            out = b.emit(op, [out, b.scalar(bound, out.dtype)], out.shape)
    return b.like(x, out)


@lowers("aten.sigmoid.default", "aten.sigmoid_.default")
def lower_sigmoid(b: Builder, x: Value) -> Value:
    return unary(b, "LOGISTIC", x)


@lowers("aten.tanh.default", "aten.tanh_.default")
def lower_tanh(b: Builder, x: Value) -> Value:
    return unary(b, "TANH", x)


@lowers("aten.silu.default", "aten.silu_.default")
def lower_silu(b: Builder, x: Value) -> Value:
    gate = b.emit("LOGISTIC", [x.tensor], x.tensor.shape)
    return b.like(x, b.emit("MUL", [x.tensor, gate], x.tensor.shape, fused_activation_function="NONE"))


@lowers("aten.hardswish.default", "aten.hardswish_.default")
def lower_hardswish(b: Builder, x: Value) -> Value:
    return unary(b, "HARD_SWISH", x)


@lowers("aten.hardsigmoid.default", "aten.hardsigmoid_.default")
def lower_hardsigmoid(b: Builder, x: Value) -> Value:
    """relu6(x + 3) / 6; TFLite has no op of its own for it."""
    three = b.scalar(3.0, "float32")
    shifted = b.emit("ADD", [x.tensor, three], x.tensor.shape, fused_activation_function="NONE")
    limited = b.emit("RELU6", [shifted], x.tensor.shape)
    sixth = b.constant(np.array(1.0 / 6.0, np.float32))
    return b.like(x, b.emit("MUL", [limited, sixth], x.tensor.shape, fused_activation_function="NONE"))


@lowers("aten.gelu.default")
def lower_gelu(b: Builder, x: Value, approximate: str) -> Value:
    return unary(b, "GELU", x, approximate=approximate == "tanh")


@lowers("aten.leaky_relu.default", "aten.leaky_relu_.default")
def lower_leaky_relu(b: Builder, x: Value, slope: float) -> Value:
    return unary(b, "LEAKY_RELU", x, alpha=float(slope))


@lowers("aten.elu.default", "aten.elu_.default")
def lower_elu(b: Builder, x: Value, alpha: float, scale: float, input_scale: float) -> Value:
    if (alpha, scale, input_scale) != (1, 1, 1):
        raise UnsupportedError(f"elu with alpha {alpha}, scale {scale}, input_scale {input_scale}")
    return unary(b, "ELU", x)


@lowers("aten.prelu.default")
def lower_prelu(b: Builder, x: Value, slope: Value) -> Value:
    if slope.tensor.data is None:
        raise UnsupportedError("prelu with a slope computed in forward")
    shape = [1] * x.rank
    if slope.tensor.size > 1:
        shape[1] = slope.tensor.size
    stored = [shape[axis] for axis in x.order]
    alpha = b.constant(slope.tensor.data.reshape(stored)[0] if x.rank > 1 else slope.tensor.data.reshape(stored))
    return b.like(x, b.emit("PRELU", [x.tensor, alpha], x.tensor.shape))


@lowers("aten.softmax.int")
def lower_softmax(b: Builder, x: Value, dim: int, dtype: Any) -> Value:
    moved = b.last(x, dim)
    return b.like(moved, b.emit("SOFTMAX", [moved.tensor], moved.tensor.shape, beta=1.0))


@lowers("aten._softmax.default")
def lower_softmax_core(b: Builder, x: Value, dim: int, half_to_float: bool) -> Value:
    return lower_softmax(b, x, dim, None)


@lowers("aten.log_softmax.int")
def lower_log_softmax(b: Builder, x: Value, dim: int, dtype: Any) -> Value:
    moved = b.last(x, dim)
    return b.like(moved, b.emit("LOG_SOFTMAX", [moved.tensor], moved.tensor.shape))
