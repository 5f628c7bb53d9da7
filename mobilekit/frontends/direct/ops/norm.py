"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.ops.reduce import mean_over
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, permuted


@lowers("aten.batch_norm.default")
def lower_batch_norm(
    b: Builder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    mean: Value | None,
    variance: Value | None,
    training: bool,
    momentum: float,
    epsilon: float,
    cudnn: bool,
) -> Value:
    if training or mean is None or variance is None:
        raise UnsupportedError(
            "batch norm over the batch's own statistics", "call model.eval(), with running statistics"
        )
    return _affine(b, x, weight, bias, mean, variance, epsilon)


@lowers("aten._native_batch_norm_legit_no_training.default")
def lower_batch_norm_no_training(
    b: Builder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    mean: Value,
    variance: Value,
    momentum: float,
    epsilon: float,
) -> tuple[Value, ...]:
    empty = b.constant_value(np.zeros(0, np.float32))
    return _affine(b, x, weight, bias, mean, variance, epsilon), empty, empty


def _affine(
    b: Builder, x: Value, weight: Value | None, bias: Value | None, mean: Value, variance: Value, epsilon: float
) -> Value:
    """One multiply and one add a channel; the pass fold_batch_norm puts them into a convolution before it."""
    inputs = [_constant(v) for v in (weight, bias, mean, variance)]
    mu, var = inputs[2], inputs[3]
    assert mu is not None
    assert var is not None
    # In float64, rounded once at the end: the folded weights then differ from PyTorch's by rounding alone.
    scale = (1.0 if inputs[0] is None else inputs[0]) / np.sqrt(var + epsilon)
    shift = (0.0 if inputs[1] is None else inputs[1]) - mu * scale
    shape = permuted((1, -1, *[1] * (x.rank - 2)), x.order)
    factor = b.constant(scale.astype(np.float32).reshape(shape))
    offset = b.constant(shift.astype(np.float32).reshape(shape))
    scaled = b.emit("MUL", [x.tensor, factor], x.tensor.shape, fused_activation_function="NONE")
    return b.like(x, b.emit("ADD", [scaled, offset], x.tensor.shape, fused_activation_function="NONE"))


def _constant(value: Value | None) -> Any:
    if value is None:
        return None
    if value.tensor.data is None:
        raise UnsupportedError("batch norm with statistics or parameters computed in forward")
    return value.tensor.data.astype(np.float64)


@lowers("aten.layer_norm.default")
def lower_layer_norm(
    b: Builder,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None,
    bias: Value | None,
    epsilon: float,
    cudnn: bool,
) -> Value:
    """mean, squared difference, mean, rsqrt: the form that converters and delegates know."""
    dims = list(range(x.rank - len(normalized_shape), x.rank))
    axes = x.axes(dims)
    mean = mean_over(b, x.tensor, axes)
    square = b.emit("SQUARED_DIFFERENCE", [x.tensor, mean], x.tensor.shape)
    variance = mean_over(b, square, axes)
    shifted = b.emit("ADD", [variance, b.scalar(epsilon, "float32")], variance.shape, fused_activation_function="NONE")
    inverse = b.emit("RSQRT", [shifted], shifted.shape)
    centred = b.emit("SUB", [x.tensor, mean], x.tensor.shape, fused_activation_function="NONE")
    out = b.emit("MUL", [centred, inverse], x.tensor.shape, fused_activation_function="NONE")
    result = b.like(x, out)
    for kind, parameter in (("MUL", weight), ("ADD", bias)):
        if parameter is not None:
            (left, right), order = b.align([result, parameter])
            result = Value(b.emit(kind, [left, right], left.shape, fused_activation_function="NONE"), order, x.dtype)
    return result
