"""The quantize and dequantize nodes of a model that was quantized in PyTorch (PT2E, QAT), with its own scales.

Activations become QUANTIZE and DEQUANTIZE, uint8 as int8 with the zero point moved by 128; constants are dequantized
here and now. ``quantize/given.py`` makes integer ops of what stands between them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from mobilekit.frontends.direct.builder import Builder
from mobilekit.frontends.direct.dtypes import name_of
from mobilekit.frontends.direct.registry import UnsupportedError, lowers
from mobilekit.frontends.direct.values import Value
from mobilekit.graph.ir import Quantization, Tensor

_SHIFT = {"int8": 0, "uint8": 128}


def _affine(scale: Any, zero_point: Any, dtype: str, low: int, high: int) -> Quantization:
    if dtype not in _SHIFT:
        raise UnsupportedError(
            f"it is quantized to {dtype}, the file holds int8", "quantize activations to int8 or uint8"
        )
    shift = _SHIFT[dtype]
    # A range narrower by one at the bottom differs in what saturates only; a much narrower one (7 bits) clips.
    if low - shift > -127 or high - shift < 127:
        raise UnsupportedError(
            f"its integers end at {low} and {high}, those of TFLite at -128 and 127", "quantize to the whole 8 bits"
        )
    return Quantization.per_tensor(float(scale), int(zero_point) - shift)


@lowers("quantized_decomposed.quantize_per_tensor.default")
def lower_quantize_per_tensor(b: Builder, x: Value, scale: float, zero: int, low: int, high: int, dtype: Any) -> Value:
    name = name_of(dtype)
    quantization = _affine(scale, zero, name, low, high)
    tensor = b.emit("QUANTIZE", [x.tensor], x.tensor.shape, "int8")
    tensor.quantization = quantization
    return Value(tensor, x.order, name)


@lowers("quantized_decomposed.dequantize_per_tensor.default")
def lower_dequantize_per_tensor(
    b: Builder, x: Value, scale: float, zero: int, low: int, high: int, dtype: Any, out_dtype: Any = None
) -> Value:
    if x.tensor.data is not None:
        return _constant(b, x, np.array([scale]), np.array([zero]), None)
    if x.tensor.quantization is None or not x.tensor.quantization.equals(
        _affine(scale, zero, name_of(dtype), low, high)
    ):
        raise UnsupportedError("it dequantizes by another scale than the tensor was quantized by")
    return Value(b.emit("DEQUANTIZE", [x.tensor], x.tensor.shape, "float32"), x.order, "float32")


@lowers("quantized_decomposed.dequantize_per_channel.default")
def lower_dequantize_per_channel(
    b: Builder, x: Value, scales: Value, zeros: Value | None, axis: int, low: int, high: int, dtype: Any,
    out_dtype: Any = None,
) -> Value:  # fmt: skip
    if x.tensor.data is None or scales.tensor.data is None or (zeros is not None and zeros.tensor.data is None):
        raise UnsupportedError("activations with a scale a channel have no kernel", "quantize activations per tensor")
    zero = np.zeros(scales.tensor.shape, np.int64) if zeros is None else zeros.tensor.data
    return _constant(b, x, scales.tensor.data, zero, axis)


def _constant(b: Builder, x: Value, scale: Any, zero: Any, axis: int | None) -> Value:
    """The real values; the scale is remembered, as int8 has it, for whoever stores them as integers again."""
    assert x.tensor.data is not None
    quantization = Quantization(np.asarray(scale, np.float32), np.asarray(zero, np.int64), x.axis(axis or 0))
    real = quantization.dequantize(x.tensor.data).astype(np.float32)
    if x.dtype in _SHIFT:
        b.given_scales.append(replace(quantization, zero_point=quantization.zero_point - _SHIFT[x.dtype]))
    label = b.unique_name(x.tensor.name + "_real")
    return Value(Tensor(label, x.tensor.shape, "float32", real), x.order, "float32")
