"""Activations. What fuses into the op before it is emitted alone here; the pass fuse_activation joins them.

Those that TFLite has no op for are composed of ops that it has; each formula is exact in real numbers and safe from
overflow, and the comment says where the float32 result may differ by more than the usual rounding.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import is_float, promote, stored
from mobilekit.frontends.direct.ops.arithmetic import as_value, binary, select, unary_like
from mobilekit.frontends.direct.ops.cast import to_requested
from mobilekit.frontends.direct.ops.shape import reshape_value
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value

# TFLite has these as ops of their own: (low, high) -> kind. RELU_0_TO_1 is not here: it needs runtime 2.12, and few
# delegates know it.
_RANGES = {(0.0, 6.0): "RELU6", (-1.0, 1.0): "RELU_N1_TO_1", (0.0, math.inf): "RELU"}


def _emit(b: Builder, kind: str, x: Value, **options: Any) -> Value:
    """An op of one operand with options."""
    return b.like(x, b.emit(kind, [x.tensor], x.tensor.shape, **options))


# -- ramps ---------------------------------------------------------------------------------------------------------


@lowers("aten.relu.default")
def lower_relu(b: Builder, x: Value) -> Value:
    return clamp(b, x, 0, None)


@lowers("aten.relu6.default")
def lower_relu6(b: Builder, x: Value) -> Value:
    return clamp(b, x, 0, 6)


@lowers("aten.hardtanh.default")
def lower_hardtanh(b: Builder, x: Value, low: float, high: float) -> Value:
    return clamp(b, x, low, high)


@lowers("aten.clamp.default", "aten.clip.default")
def lower_clamp(b: Builder, x: Value, low: float | None, high: float | None) -> Value:
    return clamp(b, x, low, high)


@lowers("aten.clamp_min.default")
def lower_clamp_min(b: Builder, x: Value, low: float) -> Value:
    return clamp(b, x, low, None)


@lowers("aten.clamp_max.default")
def lower_clamp_max(b: Builder, x: Value, high: float) -> Value:
    return clamp(b, x, None, high)


def clamp(b: Builder, x: Value, low: float | None, high: float | None) -> Value:
    """An op of its own where TFLite has one for the range, else MAXIMUM and MINIMUM."""
    bounds = (-math.inf if low is None else float(low), math.inf if high is None else float(high))
    if bounds in _RANGES and x.tensor.dtype == "float32":
        return unary_like(b, _RANGES[bounds], x)
    out = as_value(b, x, promote(x, *(bound for bound in (low, high) if bound is not None)))
    # PyTorch applies the upper bound last: it wins where low > high.
    for bound, kind in ((low, "MAXIMUM"), (high, "MINIMUM")):
        if bound is not None:
            out = binary(b, kind, out, _representable(bound, out.dtype))
    return out


def _representable(bound: float, dtype: str) -> float:
    """A bound outside an integer dtype would wrap around in it; its nearest end limits just as much."""
    if is_float(dtype) or dtype == "bool":
        return bound
    ends = np.iinfo(stored(dtype))
    return min(max(bound, int(ends.min)), int(ends.max))


@lowers("aten.leaky_relu.default")
def lower_leaky_relu(b: Builder, x: Value, slope: float) -> Value:
    return _emit(b, "LEAKY_RELU", x, alpha=float(slope))


@lowers("aten.rrelu.default")
def lower_rrelu(b: Builder, x: Value, lower: float, upper: float, training: bool, generator: Any) -> Value:
    """In inference the slope is the middle of the range it is drawn from."""
    if training:
        raise UnsupportedError("rrelu in training mode", "call model.eval()")
    return lower_leaky_relu(b, x, (float(lower) + float(upper)) / 2)


@lowers("aten.rrelu_with_noise.default")
def lower_rrelu_with_noise(
    b: Builder, x: Value, noise: Value, lower: float, upper: float, training: bool, generator: Any
) -> Value:
    return lower_rrelu(b, x, lower, upper, training, generator)


@lowers("aten.prelu.default")
def lower_prelu(b: Builder, x: Value, slope: Value) -> Value:
    """PRELU with one slope a channel (PyTorch's axis 1), or one for all."""
    shape = [1] * x.rank
    if slope.tensor.size > 1:
        shape[1] = slope.tensor.size
        if x.order[0] == 1:  # PRELU has no slopes along the first stored axis
            x = b.last(x, 1)
    stored = [shape[axis] for axis in x.order]
    if slope.tensor.data is None or x.rank < 2:
        return _prelu_of_parts(b, x, b.value(b.reshape(slope.tensor, stored)))
    return b.like(x, b.emit("PRELU", [x.tensor, b.reshape(slope.tensor, stored[1:])], x.tensor.shape))


def _prelu_of_parts(b: Builder, x: Value, slope: Value) -> Value:
    below = binary(b, "MINIMUM", x, 0.0)
    scaled = b.emit("MUL", [below.tensor, slope.tensor], x.tensor.shape, fused_activation_function="NONE")
    return binary(b, "ADD", unary_like(b, "RELU", x), b.like(x, scaled))


@lowers("aten.threshold.default")
def lower_threshold(b: Builder, x: Value, threshold: float, value: float) -> Value:
    if threshold == value == 0:
        return clamp(b, x, 0, None)
    return select(b, binary(b, "GREATER", x, threshold, "bool"), x, value, x.dtype)


@lowers("aten.hardshrink.default")
def lower_hardshrink(b: Builder, x: Value, width: float) -> Value:
    inside = binary(b, "LESS_EQUAL", unary_like(b, "ABS", x), width, "bool")
    return select(b, inside, 0.0, x, x.dtype)


@lowers("aten.softshrink.default")
def lower_softshrink(b: Builder, x: Value, width: float) -> Value:
    return binary(b, "SUB", x, clamp(b, x, -width, width))


# -- curves --------------------------------------------------------------------------------------------------------


@lowers("aten.sigmoid.default")
def lower_sigmoid(b: Builder, x: Value) -> Value:
    return unary_like(b, "LOGISTIC", as_value(b, x, _floating(x)))


@lowers("aten.tanh.default")
def lower_tanh(b: Builder, x: Value) -> Value:
    return unary_like(b, "TANH", as_value(b, x, _floating(x)))


def _floating(x: Value) -> str:
    return x.dtype if is_float(x.dtype) else "float32"


@lowers("aten.silu.default")
def lower_silu(b: Builder, x: Value) -> Value:
    return binary(b, "MUL", x, unary_like(b, "LOGISTIC", x))


@lowers("aten.hardswish.default")
def lower_hardswish(b: Builder, x: Value) -> Value:
    return unary_like(b, "HARD_SWISH", x)


@lowers("aten.hardsigmoid.default")
def lower_hardsigmoid(b: Builder, x: Value) -> Value:
    """relu6(x + 3) / 6; TFLite has no op of its own for it."""
    limited = unary_like(b, "RELU6", binary(b, "ADD", x, 3.0))
    return binary(b, "MUL", limited, 1.0 / 6.0)


@lowers("aten.gelu.default")
def lower_gelu(b: Builder, x: Value, approximate: str) -> Value:
    """Exact (with erf) or the tanh form, as the model asks; both need runtime 2.10."""
    return _emit(b, "GELU", x, approximate=approximate == "tanh")


@lowers("aten.elu.default")
def lower_elu(b: Builder, x: Value, alpha: float, scale: float, input_scale: float) -> Value:
    """Scale * (max(0, x) + min(0, alpha * (exp(input_scale * x) - 1)))."""
    if (alpha, scale, input_scale) == (1, 1, 1):
        return unary_like(b, "ELU", x)
    below = binary(b, "MINIMUM", x, 0.0)
    if input_scale != 1:
        below = binary(b, "MUL", below, float(input_scale))
    curve = binary(b, "MUL", unary_like(b, "ELU", below), float(alpha * scale))
    ramp = unary_like(b, "RELU", x)
    return binary(b, "ADD", ramp if scale == 1 else binary(b, "MUL", ramp, float(scale)), curve)


@lowers("aten.selu.default")
def lower_selu(b: Builder, x: Value) -> Value:
    # Source: torch.nn.SELU's documentation.
    return lower_elu(b, x, 1.6732632423543772848170429916717, 1.0507009873554804934193349852946, 1)


@lowers("aten.celu.default")
def lower_celu(b: Builder, x: Value, alpha: float) -> Value:
    return lower_elu(b, x, float(alpha), 1, 1 / float(alpha))


@lowers("aten.softplus.default")
def lower_softplus(b: Builder, x: Value, beta: float, threshold: float) -> Value:
    scaled = x if beta == 1 else binary(b, "MUL", x, float(beta))
    soft = _softplus(b, scaled)
    curve = soft if beta == 1 else binary(b, "MUL", soft, 1 / float(beta))
    # Above the threshold PyTorch returns x. softplus(z) - z < exp(-z), at 17 below half a unit in the last place of z.
    if threshold >= 17:
        return curve
    return select(b, binary(b, "GREATER", scaled, float(threshold), "bool"), x, curve, x.dtype)


def _softplus(b: Builder, x: Value) -> Value:
    """log(1 + exp(x)) as max(x, 0) + log(1 + exp(-|x|)), which cannot overflow; off by 6e-8 at most (1 + tiny)."""
    small = unary_like(b, "EXP", unary_like(b, "NEG", unary_like(b, "ABS", x)))
    return binary(b, "ADD", unary_like(b, "RELU", x), unary_like(b, "LOG", binary(b, "ADD", small, 1.0)))


@lowers("aten.log_sigmoid.default")
def lower_log_sigmoid(b: Builder, x: Value) -> Value:
    return unary_like(b, "NEG", _softplus(b, unary_like(b, "NEG", x)))


@lowers("aten.mish.default")
def lower_mish(b: Builder, x: Value) -> Value:
    return binary(b, "MUL", x, unary_like(b, "TANH", _softplus(b, x)))


@lowers("aten.glu.default")
def lower_glu(b: Builder, x: Value, dim: int) -> Value:
    axis, half = x.axis(dim), x.shape[dim] // 2
    shape = [half if i == axis else size for i, size in enumerate(x.tensor.shape)]
    where = b.constant(np.array(axis, np.int32))
    first, second = b.emit_many("SPLIT", [where, x.tensor], [shape] * 2, [x.tensor.dtype] * 2, num_splits=2)
    return binary(b, "MUL", b.like(x, first), unary_like(b, "LOGISTIC", b.like(x, second)))


# -- along an axis -------------------------------------------------------------------------------------------------


@lowers("aten.softmax.int")
def lower_softmax(b: Builder, x: Value, dim: int, dtype: Any) -> Value:
    return _along(b, "SOFTMAX", to_requested(b, x, dtype), dim, beta=1.0)


@lowers("aten._softmax.default")
def lower_softmax_core(b: Builder, x: Value, dim: int, half_to_float: bool) -> Value:
    return _along(b, "SOFTMAX", x, dim, beta=1.0)


@lowers("aten._safe_softmax.default")
def lower_safe_softmax(b: Builder, x: Value, dim: int, dtype: Any) -> Value:
    """A softmax whose rows of minus infinity alone give zeros instead of NaN."""
    x = to_requested(b, x, dtype)
    if x.rank == 0:
        return reshape_value(b, lower_safe_softmax(b, reshape_value(b, x, (1,)), 0, None), ())
    filled, seen = fill_empty_rows(b, x, dim)
    return binary(b, "MUL", _along(b, "SOFTMAX", filled, dim, beta=1.0), seen)


def fill_empty_rows(b: Builder, x: Value, dim: int) -> tuple[Value, Value]:
    """``x`` with zeros in the rows along ``dim`` that are minus infinity alone; and 0 for those rows, 1 for others.

    In arithmetic: XNNPACK has no comparison and no select, and each would cut the graph in two.

        %low  = max(%x * 2^-126, -8)      -inf -> -8; the lowest float32, -2^128, -> -4: no tie
        %gap  = reduce_max(%low) + 8      0 for a row of -inf, 4 or more for any other
        %seen = min(%gap, 1)              0 ; 1
        %fill = %gap * -2e38              0 ; -inf, by overflow
        %x'   = max(%x, %fill)

    The constants keep the products within what integer kernels multiply by; in int8 minus infinity is only a very low
    number, and a row of it shares equally.
    """
    low = binary(b, "MAXIMUM", binary(b, "MUL", x, 2.0**-126), -8.0)
    highest = b.emit(
        "REDUCE_MAX",
        [low.tensor, b.constant(np.array([low.axis(dim)], np.int32))],
        [1 if axis == low.axis(dim) else size for axis, size in enumerate(low.tensor.shape)],
        keep_dims=True,
    )
    gap = binary(b, "ADD", b.like(low, highest), 8.0)
    return binary(b, "MAXIMUM", x, binary(b, "MUL", gap, -2e38)), binary(b, "MINIMUM", gap, 1.0)


@lowers("aten.log_softmax.int")
def lower_log_softmax(b: Builder, x: Value, dim: int, dtype: Any) -> Value:
    return _along(b, "LOG_SOFTMAX", to_requested(b, x, dtype), dim)


@lowers("aten._log_softmax.default")
def lower_log_softmax_core(b: Builder, x: Value, dim: int, half_to_float: bool) -> Value:
    return _along(b, "LOG_SOFTMAX", x, dim)


def _along(b: Builder, kind: str, x: Value, dim: int, **options: Any) -> Value:
    """TFLite's softmax runs over the last stored axis; 0-d tensors get one."""
    if x.rank == 0:
        out = b.emit(kind, [b.reshape(x.tensor, (1,))], (1,), **options)
        return b.value(b.reshape(out, ()), dtype=x.dtype)
    return _emit(b, kind, b.last(x, dim), **options)
