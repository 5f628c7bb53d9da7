"""Scales and zero points: from a range to the integers of a tensor, and constants to integers."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Quantization
from mobilekit.quantize.observers import Range

# Symmetric weights leave out -128, so that negating is exact and kernels may add two products in 16 bits.
_WEIGHT_MAX = {"int8": 127, "int4": 7}
# Biases use half of int32's range: the accumulator they are added to needs the rest.
_BIAS_MAX = 2.0**30
# Stored scales are normal float32 numbers; below this, 1/scale is not finite in float32 any more.
_SMALLEST_SCALE = 2.0**-120


def activation(low: float, high: float, dtype: str) -> Quantization:
    """Quantization of an activation whose values lie in [low, high]; zero is always exactly representable.

    int8: asymmetric, 256 levels. int16: symmetric, as LiteRT's 16x8 kernels ask. A tensor that is always zero gets
    scale 1, since any is right and kernels refuse extreme ratios of scales.
    """
    low, high = min(low, 0.0), max(high, 0.0)
    if dtype == "int16":
        limit = max(-low, high)
        return Quantization.per_tensor(max(limit / 32767, _SMALLEST_SCALE) if limit else 1.0, 0)
    if low == high:
        return Quantization.per_tensor(1.0, 0)
    scale = float(np.float32(max((high - low) / 255, _SMALLEST_SCALE)))
    zero_point = int(np.clip(np.rint(-128 - low / scale), -128, 127))
    return Quantization.per_tensor(scale, zero_point)


def range_of(quantization: Quantization, dtype: str) -> Range:
    """The real values that the smallest and the largest integer stand for."""
    info = np.iinfo(dtype)
    scale, zero = float(quantization.scale[0]), int(quantization.zero_point[0])
    return (info.min - zero) * scale, (info.max - zero) * scale


def weight(
    values: NDArray[Any], axis: int | None, bias: NDArray[Any] | None, input_scale: float, dtype: str = "int8"
) -> Quantization:
    """Symmetric scales of constant weights, one a channel of ``axis`` (None: one for all).

    A channel's scale is raised where its bias would not fit int32 at scale input*weight: tiny weights beside a large
    bias, as pruned channels have. A channel of zeros takes the smallest scale of the others.
    """
    others = tuple(i for i in range(values.ndim) if i != axis)
    largest = np.abs(values.astype(np.float64)).max(axis=others if axis is not None else None).reshape(-1)
    scale = largest / _WEIGHT_MAX[dtype]
    if bias is not None:
        needed = np.abs(bias.astype(np.float64)).reshape(-1) / (input_scale * _BIAS_MAX)
        scale = np.maximum(scale, needed if axis is not None else needed.max(initial=0.0))
    alive = scale[scale > 0]
    scale[scale == 0] = alive.min() if alive.size else 1.0
    scale = np.maximum(scale, _SMALLEST_SCALE)
    return Quantization(scale.astype(np.float32), np.zeros(scale.size, np.int64), axis or 0)


def quantize_weight(values: NDArray[Any], quantization: Quantization, dtype: str = "int8") -> NDArray[np.int8]:
    """Round to the nearest integer of the symmetric range (int4 values are returned one a byte)."""
    limit = _WEIGHT_MAX[dtype]
    stored: NDArray[np.int8] = np.clip(quantization.quantize(values, "int8"), -limit, limit)
    return stored


def bias_quantization(input_scale: float, weights: Quantization) -> Quantization:
    """A bias adds to the accumulator, so its scale is the product of the input's and the weights'."""
    scale = (np.float64(input_scale) * weights.scale.astype(np.float64)).astype(np.float32)
    return Quantization(scale, np.zeros(scale.size, np.int64), 0)


def quantize_bias(values: NDArray[Any], quantization: Quantization, dtype: str) -> NDArray[Any]:
    """Nearest integer at the bias's scale, clamped to ``dtype`` ("int32", or "int64" for 16-bit activations)."""
    stored = np.rint(values.astype(np.float64).reshape(-1) / quantization.scale.astype(np.float64))
    info = np.iinfo(dtype)
    # 2**63 - 1 is no float64; the largest one below it keeps the cast defined.
    top = float(info.max) if dtype != "int64" else np.nextafter(2.0**63, 0)
    return np.clip(stored, float(info.min), top).astype(dtype)
