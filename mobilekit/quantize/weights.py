"""The constants of ops with weights, as each precision stores them.

Integer ops have integer weights and a bias at the scale input * weight. Ops that stay in float may still store their
weights small: as int8 or int4 that the kernel multiplies with activations it quantizes on the fly, or as float16
behind a DEQUANTIZE that runs once when the model is loaded.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mobilekit.graph.ir import Op, Quantization, Tensor
from mobilekit.quantize import parameters
from mobilekit.quantize.bias import Array, correction
from mobilekit.quantize.rules import WeightRule

_BIAS_DTYPE = {"int8": "int32", "int16": "int64"}
# Ops that are given a bias where they have none, to hold the correction. A transposed convolution is not: with a bias
# it needs a newer runtime.
_BIAS_IS_ADDED = frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"})
# Kernels that take float activations and integer weights, by dtype of the weights.
_HYBRID = {
    "int8": frozenset({"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}),
    "int4": frozenset({"FULLY_CONNECTED"}),
}
# Weights below this many values save less than a table of scales costs; TensorFlow's converter draws the same line.
_SMALLEST_HYBRID = 1024
# Constants below this many values are left in float32: a DEQUANTIZE op and its tensor take more bytes than are saved.
_SMALLEST_HALF = 64

NewConstant = Callable[[Tensor, str, NDArray[np.generic], Quantization | None], Tensor]
"""(float tensor, dtype, stored values, quantization) -> the tensor of the new graph, with a name of its own."""


def integer_constants(
    op: Op,
    rule: WeightRule,
    inputs: list[Tensor | None],
    dtype: str,
    input_scale: float,
    per_channel: bool,
    mean: Array | None,
    new: NewConstant,
    given: Quantization | None = None,
) -> None:
    """Put integer weights and bias into ``inputs``. ``mean``: E[x] a channel of the data input, for bias correction.

    ``given``: the weights' own scales, kept as they are.
    """
    weight = op.inputs[rule.weight]
    bias = op.inputs[rule.bias] if rule.bias < len(op.inputs) else None
    assert weight is not None
    assert weight.data is not None
    if bias is None and op.kind in _BIAS_IS_ADDED:
        rows = op.output.shape[-1]
        bias = Tensor(f"{op.name}/bias", (rows,), "float32", np.zeros(rows, np.float32))
        inputs.extend([None] * (rule.bias + 1 - len(inputs)))
    if bias is not None and bias.data is not None and bias.rank != 1:
        # TensorFlow's converter leaves some biases as [1, 1, 1, n]; scales a channel want one axis.
        bias = replace(bias, shape=(bias.size,), data=bias.data.reshape(-1), shape_signature=None)
    bias_values = None if bias is None else bias.data
    axis = rule.axis if per_channel else None
    quantization = given or parameters.weight(weight.data, axis, bias_values, input_scale)
    stored = parameters.quantize_weight(weight.data, quantization)
    inputs[rule.weight] = new(weight, "int8", stored, quantization)
    if bias is None or bias_values is None:
        return
    real = bias_values.astype(np.float64)
    if mean is not None:
        shift = correction(op, weight.data - quantization.dequantize(stored), mean)
        real = real if shift is None else real + shift
    bias_quantization = parameters.bias_quantization(input_scale, quantization)
    bias_dtype = _BIAS_DTYPE[dtype]
    inputs[rule.bias] = new(
        bias, bias_dtype, parameters.quantize_bias(real, bias_quantization, bias_dtype), bias_quantization
    )


def hybrid_weight(op: Op, rule: WeightRule, dtype: str, per_channel: bool, new: NewConstant) -> Tensor | None:
    """The weights of a float op as integers of ``dtype``, or None where no kernel takes them or they are small."""
    weight = op.inputs[rule.weight]
    if weight is None or weight.data is None or weight.dtype != "float32" or weight.size < _SMALLEST_HYBRID:
        return None
    if op.kind not in _HYBRID[dtype]:
        return None
    quantization = parameters.weight(weight.data, rule.axis if per_channel else None, None, 1.0, dtype)
    stored = parameters.quantize_weight(weight.data, quantization, dtype)
    return new(weight, dtype, pack_int4(stored) if dtype == "int4" else stored, quantization)


def half_weight(tensor: Tensor, new: NewConstant) -> Tensor | None:
    """A float constant as float16; None where it is small or holds a value that float16 cannot."""
    if tensor.data is None or tensor.dtype != "float32" or tensor.size < _SMALLEST_HALF:
        return None
    if not np.all(np.abs(tensor.data) <= np.finfo(np.float16).max):
        return None
    return new(tensor, "float16", tensor.data.astype(np.float16), None)


def pack_int4(values: NDArray[np.int8]) -> NDArray[np.uint8]:
    """Two values a byte, the first in the low half, as LiteRT stores int4."""
    flat = values.reshape(-1).view(np.uint8) & 0xF
    if flat.size % 2:
        flat = np.append(flat, np.uint8(0))
    return np.asarray(flat[0::2] | (flat[1::2] << 4), np.uint8)
