"""The lowest version of each TFLite op that allows what an op uses.

A rule list is read from the top; the first rule that holds gives the version, none means 1. Writing the lowest
version matters: an old runtime refuses a version it does not know, and delegates refuse versions above their own.
Source: LiteRT ``tflite/converter/tools/versioning/op_version.cc`` (2026-11), rules for the types that we can write.
"""

from __future__ import annotations

from collections.abc import Callable

from mobilekit.graph.ir import Op, Tensor

Rule = tuple[int, Callable[[Op], bool]]


def op_version(op: Op) -> int:
    """The version to write for ``op``: what its file gave, else the first rule that holds, else 1."""
    if op.version is not None:
        return op.version
    for version, holds in _RULES.get(op.kind, ()):
        if holds(op):
            return version
    return 1


def _type(op: Op, index: int = 0) -> str:
    tensor = op.inputs[index] if index < len(op.inputs) else None
    return tensor.dtype if tensor is not None else ""


def _out(op: Op) -> str:
    return op.outputs[0].dtype


def _input(*dtypes: str, index: int = 0) -> Callable[[Op], bool]:
    return lambda op: _type(op, index) in dtypes


def _either(*dtypes: str) -> Callable[[Op], bool]:
    return lambda op: _type(op) in dtypes or _out(op) in dtypes


def _types(*dtypes: str) -> Callable[[Op], bool]:
    """First input, weight, output."""
    return lambda op: (_type(op, 0), _type(op, 1), _out(op)) == dtypes


def _rank_over(rank: int) -> Callable[[Op], bool]:
    return lambda op: (tensor := op.inputs[0]) is not None and tensor.rank > rank


def _broadcast_over_4(op: Op) -> bool:
    shapes = [tensor.shape for tensor in op.present_inputs()]
    return len(shapes) > 1 and shapes[0] != shapes[1] and max(map(len, shapes)) > 4


def _option(name: str) -> Callable[[Op], bool]:
    return lambda op: bool(op.options.get(name))


def _per_channel(index: int) -> Callable[[Op], bool]:
    def holds(op: Op) -> bool:
        tensor = op.inputs[index] if index < len(op.inputs) else None
        return tensor is not None and tensor.quantization is not None and tensor.quantization.is_per_axis

    return holds


def _both(first: Callable[[Op], bool], second: Callable[[Op], bool]) -> Callable[[Op], bool]:
    return lambda op: first(op) and second(op)


def _grouped(op: Op) -> bool:
    image, kernel = op.inputs[0], op.inputs[1]
    return image is not None and kernel is not None and image.shape[-1] != kernel.shape[-1]


def _dilated(op: Op) -> bool:
    return any(op.options.get(name, 1) != 1 for name in ("dilation_w_factor", "dilation_h_factor"))


def _plain_int16(op: Op) -> bool:
    tensor = op.inputs[0]
    return tensor is not None and tensor.dtype == "int16" and tensor.quantization is None


def _rescale_at_least_one(op: Op) -> bool:
    scales = [t.quantization for t in (*op.inputs[:2], op.outputs[0]) if t is not None and t.quantization is not None]
    if len(scales) != 3:
        return False
    a, b, out = (float(q.scale[0]) for q in scales)
    return out != 0 and a * b / out >= 1.0


def _bias_given(op: Op) -> bool:
    return len(op.inputs) == 4 and op.inputs[3] is not None


def _two_inputs(op: Op) -> bool:
    return len(op.inputs) == 2


def _not_rank_4(op: Op) -> bool:
    return op.inputs[0] is not None and op.inputs[0].rank != 4


def _any_rank_5(op: Op) -> bool:
    return any(tensor.rank == 5 for tensor in op.present_inputs())


def _output_per_channel(op: Op) -> bool:
    tensors: list[Tensor | None] = [op.inputs[0], op.outputs[0]]
    return any(t is not None and t.quantization is not None and t.quantization.is_per_axis for t in tensors)


_HYBRID = _types("float32", "int8", "float32")
_INT8 = _types("int8", "int8", "int8")
_INT8_INT4 = _types("int8", "int4", "int8")
_INT16X8 = _types("int16", "int8", "int16")
_INT8_IS_2: list[Rule] = [(2, _input("int8"))]
_INT16_IS_3: list[Rule] = [(3, _input("int16")), (2, _input("int8"))]
_INT8_OR_INT16_IS_2: list[Rule] = [(2, _input("int8", "int16"))]

_RULES: dict[str, list[Rule]] = {
    "CONV_2D": [
        (8, _both(_INT16X8, _option("quantized_bias_type"))),
        (6, _grouped),
        (4, _input("int16")),
        (3, _INT8),
        (7, _INT8_INT4),
        (5, _both(_HYBRID, _per_channel(1))),
        (2, _HYBRID),
    ],
    "DEPTHWISE_CONV_2D": [
        (5, _input("int16")),
        (6, _both(_HYBRID, _per_channel(1))),
        (4, _HYBRID),
        (3, _INT8),
        (7, _INT8_INT4),
        (2, _dilated),
    ],
    "EMBEDDING_LOOKUP": [(4, lambda op: _type(op, 1) == "int4" or _per_channel(1)(op)), (5, _input("int2", index=1))],
    "FULLY_CONNECTED": [
        (14, _input("int2", index=1)),
        (13, _types("int16", "int4", "int16")),
        (12, _both(_HYBRID, _per_channel(1))),
        (11, _both(_INT16X8, _option("quantized_bias_type"))),
        (7, _both(_input("int16"), _input("int16", "int8", index=1))),
        (6, _two_inputs),
        (5, _option("keep_num_dims")),
        (4, _INT8),
        (10, _INT8_INT4),
        (9, _both(_HYBRID, _option("asymmetric_quantize_inputs"))),
        (3, _HYBRID),
    ],
    "GATHER": [
        (6, _input("int16", index=1)),
        (5, _option("batch_dims")),
        (4, _input("int16")),
        (3, _input("bool")),
        (2, _input("int8")),
    ],
    "GATHER_ND": [(5, _input("bool")), (4, _input("int16", index=1)), (3, _input("int16"))],
    "SIGN": [(2, _input("int32"))],
    "SIN": [(2, _input("float16"))],
    "COS": [(2, _input("float16"))],
    "MUL": [
        (8, _input("float16")),
        (7, lambda op: _plain_int16(op) or _type(op) == "uint32"),
        (5, _input("int64")),
        (4, _input("int16")),
        (3, _rescale_at_least_one),
        (2, _input("int8")),
    ],
    "MAX_POOL_2D": _INT16_IS_3,
    "AVERAGE_POOL_2D": _INT16_IS_3,
    "TRANSPOSE": [
        (9, _input("float16")),
        (8, _rank_over(6)),
        (6, _rank_over(5)),
        (5, _input("int16")),
        (4, _rank_over(4)),
        (3, _input("bool")),
        (2, _input("int8")),
    ],
    "TRANSPOSE_CONV": [
        (5, _both(lambda op: _type(op, 2) == "int16", _option("quantized_bias_type"))),
        (4, lambda op: op.options.get("fused_activation_function", "NONE") != "NONE"),
        (3, _bias_given),
        (2, _input("int8", index=1)),
    ],
    "SPLIT": [(4, _input("int16", index=1)), (3, _input("int32", index=1)), (2, _input("int8", index=1))],
    "SLICE": [
        (8, _input("float16")),
        (6, _input("uint32")),
        (5, _rank_over(4)),
        (4, _input("int16")),
        (2, _input("int8")),
    ],
    "UNPACK": [(2, _input("int8", "uint8")), (3, _input("bool")), (4, _input("int16")), (5, _input("float16"))],
    "DEQUANTIZE": [
        (6, _input("int4")),
        (3, _input("int16", "float16")),
        (5, _both(_input("int8"), _output_per_channel)),
        (2, _input("int8")),
    ],
    "QUANTIZE": [(3, _output_per_channel), (2, lambda op: _out(op) == "int16")],
    "FLOOR_DIV": [(3, _input("int16", "int8")), (2, _input("float32"))],
    "FLOOR_MOD": [(2, _input("int16", "int8"))],
    "L2_NORMALIZATION": _INT8_IS_2,
    "ABS": [
        (5, _input("int32")),
        (4, _plain_int16),
        (3, _input("int16")),
        (2, _input("int8", "uint8")),
    ],
    "RELU": [(3, _input("int16")), (2, _input("int8", "uint8"))],
    "STRIDED_SLICE": [
        (8, _option("offset")),
        (7, _input("uint32")),
        (6, lambda op: bool(op.options.get("ellipsis_mask") or op.options.get("new_axis_mask"))),
        (4, _rank_over(4)),
        (3, _input("bool")),
        (2, _input("int8")),
    ],
    "REVERSE_V2": [(3, _input("int8")), (2, _input("bool"))],
    "RESIZE_BILINEAR": [(4, _input("int16")), (3, _option("half_pixel_centers")), (2, _input("int8"))],
    "RESIZE_NEAREST_NEIGHBOR": [
        (4, _input("int16")),
        (3, lambda op: bool(op.options.get("half_pixel_centers") or op.options.get("align_corners"))),
        (2, _input("int8")),
    ],
    "MAXIMUM": [(4, _input("int16")), (3, _broadcast_over_4), (2, _input("int8"))],
    "MINIMUM": [(4, _input("int16")), (3, _broadcast_over_4), (2, _input("int8"))],
    "PACK": [(2, _input("int8")), (3, _input("int16")), (4, _input("uint32"))],
    "TILE": [(3, _input("int8"))],
    "SPACE_TO_BATCH_ND": [(4, _input("int16")), (3, _not_rank_4), (2, _input("int8"))],
    "BATCH_TO_SPACE_ND": [(4, _input("int16")), (3, _not_rank_4), (2, _input("int8"))],
    "ADD": [
        (6, _input("float16")),
        (5, _plain_int16),
        (4, _input("int64")),
        (3, lambda op: _type(op) == "int16" and not op.options.get("pot_scale_int16", True)),
        (2, _input("int8")),
    ],
    "SUB": [
        (5, lambda op: _type(op) == "int16" and not op.options.get("pot_scale_int16", True)),
        (4, _input("int64")),
        (3, _broadcast_over_4),
        (2, _input("int8")),
    ],
    "DIV": [(2, _broadcast_over_4)],
    "TANH": _INT16_IS_3,
    "LOGISTIC": _INT16_IS_3,
    "FILL": [
        (4, _input("float16", index=1)),
        (3, _input("int8", "int16", index=1)),
        (2, _input("bool", index=1)),
    ],
    "EQUAL": [(5, _input("int16")), (2, _input("int8"))],
    "NOT_EQUAL": [(4, _input("int16")), (2, _input("int8"))],
    "LEAKY_RELU": [(2, _input("int16"))],
    "RANGE": [(2, _input("int64"))],
    "BATCH_MATMUL": [
        (3, _input("int16")),
        (2, _input("int8")),
        (4, _both(_HYBRID, _option("asymmetric_quantize_inputs"))),
    ],
    "PAD": [(5, _input("bool")), (4, _rank_over(4)), (3, _input("int16")), (2, _input("int8"))],
    "PADV2": [(5, _input("bool")), (4, _rank_over(4)), (3, _input("int16")), (2, _input("int8"))],
    "CONCATENATION": [(6, _input("float16")), (4, _input("uint32")), (3, _input("int16")), (2, _input("int8"))],
    "SOFTMAX": [(4, _input("float16")), (3, _input("int16")), (2, _input("int8"))],
    "MEAN": _INT16_IS_3,
    "MIRROR_PAD": _INT16_IS_3,
    "REDUCE_MAX": _INT16_IS_3,
    "REDUCE_MIN": _INT16_IS_3,
    "RELU6": _INT16_IS_3,
    "RSQRT": _INT16_IS_3,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": [
        (5, lambda op: (_type(op), _type(op, 2), _out(op)) == ("int16", "int8", "int16")),
        (4, _option("diagonal_recurrent_tensors")),
        (3, lambda op: _type(op, 2) == "int8" and bool(op.options.get("asymmetric_quantize_inputs"))),
        (2, lambda op: (_type(op), _type(op, 2), _out(op)) == ("float32", "int8", "float32")),
    ],
    "ARG_MAX": [(3, _input("bool")), (2, _input("int8"))],
    "ARG_MIN": [(3, _input("bool")), (2, _input("int8"))],
    "SELECT": [(4, _input("uint32")), (3, _any_rank_5), (2, _input("int8"))],
    "SELECT_V2": [(2, _input("uint32"))],
    "LESS": _INT16_IS_3,
    "GREATER_EQUAL": _INT16_IS_3,
    "SPACE_TO_DEPTH": _INT8_IS_2,
    "SPLIT_V": _INT8_IS_2,
    "SUM": _INT8_IS_2,
    "LOG_SOFTMAX": _INT8_IS_2,
    "GREATER": _INT8_IS_2,
    "LESS_EQUAL": _INT8_IS_2,
    "SQUARED_DIFFERENCE": _INT8_IS_2,
    "DEPTH_TO_SPACE": _INT8_IS_2,
    "TOPK_V2": _INT16_IS_3,
    "EXP": _INT8_OR_INT16_IS_2,
    "LOG": _INT8_OR_INT16_IS_2,
    "REDUCE_PROD": _INT8_OR_INT16_IS_2,
    "SQRT": _INT8_OR_INT16_IS_2,
    "DYNAMIC_UPDATE_SLICE": [(4, _input("int16")), (3, _input("float16")), (2, _input("int64", index=2))],
    # Version 1 was rolled back: its code number belongs to no op any more.
    "BROADCAST_TO": [(3, _input("int8", "int16")), (2, lambda op: True)],
    "CAST": [
        (6, lambda op: (_type(op), _out(op)) == ("int4", "float32")),
        (5, _either("float64", "float16")),
        (4, _either("uint16")),
        (3, _either("int8")),
        (2, _either("uint32")),
    ],
    "WHERE": [(2, lambda op: _type(op) != "bool")],
    "GELU": [(2, _input("int8", "uint8"))],
}
