"""Normalisation layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import torch_dtype
from mobilekit.frontends.direct.ops.arithmetic import binary, unary_like
from mobilekit.frontends.direct.ops.reduce import mean_over
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value, permuted
from mobilekit.graph.ir import Tensor


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
    return b.like(x, _add(b, _mul(b, x.tensor, factor), offset))


def _constant(value: Value | None) -> Any:
    if value is None:
        return None
    if value.tensor.data is None:
        raise UnsupportedError("batch norm with statistics or parameters computed in forward")
    return value.tensor.data.astype(np.float64)


def _mul(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    return b.emit("MUL", [x, y], np.broadcast_shapes(x.shape, y.shape), fused_activation_function="NONE")


def _add(b: Builder, x: Tensor, y: Tensor) -> Tensor:
    return b.emit("ADD", [x, y], np.broadcast_shapes(x.shape, y.shape), fused_activation_function="NONE")


def _inverse_root(b: Builder, variance: Tensor, epsilon: float) -> Tensor:
    shifted = _add(b, variance, b.scalar(epsilon, "float32"))
    return b.emit("RSQRT", [shifted], shifted.shape)


# -- over the last axes --------------------------------------------------------------------------------------------


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
    axes = x.axes(range(x.rank - len(normalized_shape), x.rank))
    mean = mean_over(b, x.tensor, axes)
    square = b.emit("SQUARED_DIFFERENCE", [x.tensor, mean], x.tensor.shape)
    inverse = _inverse_root(b, mean_over(b, square, axes), epsilon)
    centred = b.emit("SUB", [x.tensor, mean], x.tensor.shape, fused_activation_function="NONE")
    result = b.like(x, _mul(b, centred, inverse))
    for kind, parameter in (("MUL", weight), ("ADD", bias)):
        if parameter is not None:
            result = binary(b, kind, result, parameter)
    return result


@lowers("aten.native_layer_norm.default")
def lower_native_layer_norm(
    b: Builder,
    x: Value,
    normalized_shape: Sequence[int],
    weight: Value | None,
    bias: Value | None,
    epsilon: float,
) -> tuple[Value, None, None]:
    """The statistics that it also gives serve training only."""
    return lower_layer_norm(b, x, normalized_shape, weight, bias, epsilon, False), None, None


@lowers("aten.rms_norm.default")
def lower_rms_norm(
    b: Builder, x: Value, normalized_shape: Sequence[int], weight: Value | None, epsilon: float | None
) -> Value:
    if epsilon is None:
        epsilon = torch.finfo(torch_dtype(x.dtype)).eps
    axes = x.axes(range(x.rank - len(normalized_shape), x.rank))
    square = unary_like(b, "SQUARE", x)
    inverse = _inverse_root(b, mean_over(b, square.tensor, axes), epsilon)
    result = b.like(x, _mul(b, x.tensor, inverse))
    return result if weight is None else binary(b, "MUL", result, weight)


# -- over groups of channels and space -----------------------------------------------------------------------------


@lowers("aten.group_norm.default")
def lower_group_norm(
    b: Builder, x: Value, groups: int, weight: Value | None, bias: Value | None, epsilon: float, cudnn: bool
) -> Value:
    return _group_norm(b, x, groups, weight, bias, epsilon)


@lowers("aten.native_group_norm.default")
def lower_native_group_norm(
    b: Builder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    n: int,
    channels: int,
    space: int,
    groups: int,
    epsilon: float,
) -> tuple[Value, None, None]:
    return _group_norm(b, x, groups, weight, bias, epsilon), None, None


@lowers("aten.instance_norm.default")
def lower_instance_norm(
    b: Builder,
    x: Value,
    weight: Value | None,
    bias: Value | None,
    mean: Value | None,
    variance: Value | None,
    use_input_stats: bool,
    momentum: float,
    epsilon: float,
    cudnn: bool,
) -> Value:
    if use_input_stats:
        return _group_norm(b, x, x.shape[1], weight, bias, epsilon)
    if mean is None or variance is None:
        raise UnsupportedError("instance norm without any statistics")
    return _affine(b, x, weight, bias, mean, variance, epsilon)


def _group_norm(b: Builder, x: Value, groups: int, weight: Value | None, bias: Value | None, epsilon: float) -> Value:
    """Subtract the mean, times scale, plus bias; the image keeps its shape and its channels last.

    Given    x: [N, H, W, C]
    Result   m = MEAN of x over H, W and each group;  v = MEAN of SQUARE(x - m) over the same
             (x - m) * (weight * rsqrt(v + epsilon)) + bias

    The mean over a group is the mean of its channels' means, so only [N, C] numbers are ever regrouped. x * scale +
    (bias - m * scale) would save one op, and loses digits where a group's mean is large beside its deviation.
    """
    n, channels = x.shape[:2]
    image = b.channels_last(x)
    space = list(range(1, image.rank - 1))
    each = (n, *[1] * len(space), channels)

    def over_group(numbers: Tensor) -> Tensor:
        """Means over space, averaged over each group: [N, 1, 1, C] again."""
        means = mean_over(b, numbers, space) if space else numbers
        if groups == channels:
            return means
        grouped = b.reshape(means, (n, groups, channels // groups))
        return mean_over(b, grouped, [2])

    def to_channels(numbers: Tensor) -> Tensor:
        if groups == channels:
            return numbers
        shape = (n, groups, channels // groups)
        wide = b.emit("BROADCAST_TO", [numbers, b.constant(np.array(shape, np.int32))], shape)
        return b.reshape(wide, each)

    mean = to_channels(over_group(image))
    centred = b.emit("SUB", [image, mean], image.shape, fused_activation_function="NONE")
    variance = over_group(b.emit("SQUARE", [centred], image.shape))
    scale = to_channels(_inverse_root(b, variance, epsilon))
    out = _mul(b, centred, scale if weight is None else _mul(b, scale, weight.tensor))
    if bias is not None:
        out = _add(b, out, bias.tensor)
    return Value(out, (0, *range(2, x.rank), 1), x.dtype)
