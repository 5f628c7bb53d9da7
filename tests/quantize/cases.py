"""One float graph a row of the rules table: the smallest that LiteRT runs in int8."""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Tensor
from tests.quantize.graphs import constant, conv, float_tensor

NONE = {"fused_activation_function": "NONE"}
POOL = {"filter_width": 2, "filter_height": 2, "stride_w": 2, "stride_h": 2, "padding": "VALID", **NONE}
SHAPE = (1, 4, 4, 8)


def one(kind, inputs, outputs, **options):
    ends = [t for t in inputs if t is not None and not t.is_constant]
    return Graph(
        inputs=list(dict.fromkeys(ends)), outputs=list(outputs), ops=[Op(kind, inputs, list(outputs), options)]
    )


def _x(*shape, name="x"):
    return float_tensor(name, *(shape or SHAPE))


def _y(*shape, name="y", dtype="float32"):
    return Tensor(name, shape or SHAPE, dtype)


def _ints(name, values):
    return constant(name, values, "int32")


def _unary(kind, **options):
    return lambda: one(kind, [_x()], [_y()], **options)


def _binary(kind, **options):
    return lambda: one(kind, [_x(), _x(name="x2")], [_y()], **options)


def _binary_constant(kind, **options):
    c = np.linspace(-1, 1.5, 8)
    return lambda: one(kind, [_x(), constant("c", c)], [_y()], **options)


def _compare(kind):
    return lambda: one(kind, [_x(), _x(name="x2")], [_y(dtype="bool")])


def _reduce(kind):
    return lambda: one(kind, [_x(), _ints("axes", [1, 2])], [_y(1, 8)], keep_dims=False)


def _conv(depthwise=False, size=3, activation="NONE", bias=True, channels=8):
    def build():
        op = conv(_x(), "y", np.random.default_rng(3), channels, size, activation, bias, depthwise)
        return Graph(inputs=[op.inputs[0]], outputs=[op.output], ops=[op])

    return build


def _dense(bias=True):
    rng = np.random.default_rng(4)
    weights = constant("w", rng.normal(0, 0.3, (5, 8)) * rng.uniform(0.1, 1, (5, 1)))
    return one(
        "FULLY_CONNECTED",
        [_x(2, 8), weights, constant("b", rng.normal(0, 0.1, 5)) if bias else None],
        [_y(2, 5)],
        **NONE,
    )


def _transpose_conv():
    rng = np.random.default_rng(5)
    weights = constant("w", rng.normal(0, 0.2, (6, 2, 2, 8)))
    shape = _ints("shape", [1, 8, 8, 6])
    options = {"stride_w": 2, "stride_h": 2, "padding": "SAME", **NONE}
    return one(
        "TRANSPOSE_CONV", [shape, weights, _x(), constant("b", rng.normal(0, 0.1, 6))], [_y(1, 8, 8, 6)], **options
    )


def _prelu():
    return one("PRELU", [_x(), constant("alpha", np.linspace(-0.5, 0.5, 8).reshape(1, 1, 8))], [_y()])


def _split():
    return one("SPLIT", [_ints("axis", 3), _x()], [_y(1, 4, 4, 4, name="a"), _y(1, 4, 4, 4, name="b")], num_splits=2)


def _split_v():
    outputs = [_y(1, 4, 4, 3, name="a"), _y(1, 4, 4, 5, name="b")]
    return one("SPLIT_V", [_x(), _ints("sizes", [3, 5]), _ints("axis", 3)], outputs, num_splits=2)


def _unpack():
    return one("UNPACK", [_x(2, 3, 4)], [_y(3, 4, name="a"), _y(3, 4, name="b")], num=2, axis=0)


def _topk():
    return one("TOPK_V2", [_x(2, 8), _ints("k", 3)], [_y(2, 3), _y(2, 3, name="i", dtype="int32")])


def _gather():
    return one("GATHER", [_x(6, 8), _ints("at", [0, 5, 2])], [_y(3, 8)], axis=0, batch_dims=0)


def _embedding():
    at = Tensor("rows", (3,), "int32")
    table = constant("table", np.random.default_rng(0).normal(0, 1, (6, 8)))
    return Graph(
        inputs=[at], outputs=[(y := _y(3, 8))], ops=[Op("GATHER", [table, at], [y], {"axis": 0, "batch_dims": 0})]
    )


def _select(kind):
    def build():
        condition = constant("c", np.arange(128).reshape(SHAPE) % 3 == 0, "bool")
        return one(kind, [condition, _x(), _x(name="x2")], [_y()])

    return build


PADS = [[0, 0], [1, 2], [2, 1], [0, 0]]

CASES = {
    "CONV_2D": _conv(),
    "CONV_2D/relu6": _conv(activation="RELU6"),
    "CONV_2D/1x1, no bias": _conv(size=1, bias=False),
    "DEPTHWISE_CONV_2D/no bias": _conv(depthwise=True, bias=False),
    "ADD_N": lambda: one("ADD_N", [_x(), _x(name="x2"), _x(name="x3")], [_y()]),
    "DIV/computed": _binary("DIV", **NONE),
    "DEPTHWISE_CONV_2D": _conv(depthwise=True),
    "FULLY_CONNECTED": _dense,
    "FULLY_CONNECTED/no bias": lambda: _dense(bias=False),
    "TRANSPOSE_CONV": _transpose_conv,
    "ADD": _binary("ADD", **NONE),
    "ADD/constant": _binary_constant("ADD", **NONE),
    "ADD/relu": _binary("ADD", fused_activation_function="RELU"),
    "SUB": _binary("SUB", **NONE),
    "SUB/constant": _binary_constant("SUB", **NONE),
    "MUL": _binary("MUL", **NONE),
    "MUL/constant": _binary_constant("MUL", **NONE),
    "DIV": lambda: one("DIV", [_x(), constant("c", np.linspace(0.5, 2, 8))], [_y()], **NONE),
    "SQUARED_DIFFERENCE": _binary("SQUARED_DIFFERENCE"),
    "BATCH_MATMUL": lambda: one("BATCH_MATMUL", [_x(2, 4, 8), _x(2, 8, 5, name="x2")], [_y(2, 4, 5)]),
    "BATCH_MATMUL/adj_y": lambda: one("BATCH_MATMUL", [_x(2, 4, 8), _x(2, 5, 8, name="x2")], [_y(2, 4, 5)], adj_y=True),
    "BATCH_MATMUL/constant": lambda: one(
        "BATCH_MATMUL", [_x(2, 4, 8), constant("w", np.random.default_rng(6).normal(0, 1, (2, 8, 5)))], [_y(2, 4, 5)]
    ),
    "MEAN": _reduce("MEAN"),
    "SUM": _reduce("SUM"),
    "REDUCE_MAX": _reduce("REDUCE_MAX"),
    "REDUCE_MIN": _reduce("REDUCE_MIN"),
    "REDUCE_PROD": lambda: one("REDUCE_PROD", [_x(4, 3), _ints("axes", [1])], [_y(4)], keep_dims=False),
    **{
        kind: _unary(kind)
        for kind in (
            "RELU",
            "RELU6",
            "RELU_N1_TO_1",
            "RELU_0_TO_1",
            "HARD_SWISH",
            "ELU",
            "GELU",
            "EXP",
            "ABS",
            "NEG",
            "LOGISTIC",
            "TANH",
            "L2_NORMALIZATION",
            "LOG_SOFTMAX",
            "LOG",
            "RSQRT",
            "SQRT",
            "SQUARE",
            "SIGN",
            "SIN",
            "COS",
            "ROUND",
            "FLOOR",
            "CEIL",
        )
    },
    "LEAKY_RELU": _unary("LEAKY_RELU", alpha=0.1),
    "PRELU": _prelu,
    "SOFTMAX": _unary("SOFTMAX", beta=1.0),
    "RESHAPE": lambda: one("RESHAPE", [_x(), _ints("to", [4, 32])], [_y(4, 32)], new_shape=[4, 32]),
    "SQUEEZE": lambda: one("SQUEEZE", [_x()], [_y(4, 4, 8)], squeeze_dims=[0]),
    "EXPAND_DIMS": lambda: one("EXPAND_DIMS", [_x(4, 8), _ints("axis", 0)], [_y(1, 4, 8)]),
    "TRANSPOSE": lambda: one("TRANSPOSE", [_x(), _ints("order", [0, 3, 1, 2])], [_y(1, 8, 4, 4)]),
    "SLICE": lambda: one("SLICE", [_x(), _ints("at", [0, 1, 0, 2]), _ints("n", [1, 2, 4, 3])], [_y(1, 2, 4, 3)]),
    "STRIDED_SLICE": lambda: one(
        "STRIDED_SLICE",
        [_x(), _ints("b", [0, 0, 0, 0]), _ints("e", [1, 4, 4, 8]), _ints("s", [1, 2, 2, 1])],
        [_y(1, 2, 2, 8)],
    ),
    "SPLIT": _split,
    "SPLIT_V": _split_v,
    "UNPACK": _unpack,
    "GATHER": _gather,
    "GATHER/embedding": _embedding,
    "GATHER_ND": lambda: one("GATHER_ND", [_x(6, 8), _ints("at", [[0], [4]])], [_y(2, 8)]),
    "MAX_POOL_2D": lambda: one("MAX_POOL_2D", [_x()], [_y(1, 2, 2, 8)], **POOL),
    "AVERAGE_POOL_2D": lambda: one("AVERAGE_POOL_2D", [_x()], [_y(1, 2, 2, 8)], **POOL),
    "PAD": lambda: one("PAD", [_x(), _ints("pads", PADS)], [_y(1, 7, 7, 8)]),
    "PADV2": lambda: one("PADV2", [_x(), _ints("pads", PADS), constant("v", np.float32(0.5))], [_y(1, 7, 7, 8)]),
    "MIRROR_PAD": lambda: one("MIRROR_PAD", [_x(), _ints("pads", PADS)], [_y(1, 7, 7, 8)], mode="REFLECT"),
    "RESIZE_BILINEAR": lambda: one(
        "RESIZE_BILINEAR", [_x(), _ints("size", [8, 8])], [_y(1, 8, 8, 8)], half_pixel_centers=True
    ),
    "RESIZE_NEAREST_NEIGHBOR": lambda: one(
        "RESIZE_NEAREST_NEIGHBOR", [_x(), _ints("size", [8, 8])], [_y(1, 8, 8, 8)], half_pixel_centers=True
    ),
    "TILE": lambda: one("TILE", [_x(2, 3), _ints("n", [2, 2])], [_y(4, 6)]),
    "BROADCAST_TO": lambda: one("BROADCAST_TO", [_x(1, 3), _ints("to", [4, 3])], [_y(4, 3)]),
    "DEPTH_TO_SPACE": lambda: one("DEPTH_TO_SPACE", [_x()], [_y(1, 8, 8, 2)], block_size=2),
    "SPACE_TO_DEPTH": lambda: one("SPACE_TO_DEPTH", [_x()], [_y(1, 2, 2, 32)], block_size=2),
    "SPACE_TO_BATCH_ND": lambda: one(
        "SPACE_TO_BATCH_ND", [_x(), _ints("block", [2, 2]), _ints("pads", [[0, 0], [0, 0]])], [_y(4, 2, 2, 8)]
    ),
    "BATCH_TO_SPACE_ND": lambda: one(
        "BATCH_TO_SPACE_ND",
        [_x(4, 2, 2, 8), _ints("block", [2, 2]), _ints("crops", [[0, 0], [0, 0]])],
        [_y(1, 4, 4, 8)],
    ),
    "REVERSE_V2": lambda: one("REVERSE_V2", [_x(4, 8), _ints("axis", [1])], [_y(4, 8)]),
    "TOPK_V2": _topk,
    "CONCATENATION": lambda: one("CONCATENATION", [_x(), _x(name="x2")], [_y(1, 4, 4, 16)], axis=3, **NONE),
    "PACK": lambda: one("PACK", [_x(4, 8), _x(4, 8, name="x2")], [_y(2, 4, 8)], values_count=2, axis=0),
    "MAXIMUM": _binary("MAXIMUM"),
    "MINIMUM": _binary("MINIMUM"),
    "MAXIMUM/constant": _binary_constant("MAXIMUM"),
    "SELECT": _select("SELECT"),
    "SELECT_V2": _select("SELECT_V2"),
    "ARG_MAX": lambda: one("ARG_MAX", [_x(4, 8), _ints("axis", 1)], [_y(4, dtype="int32")], output_type="int32"),
    "ARG_MIN": lambda: one("ARG_MIN", [_x(4, 8), _ints("axis", 1)], [_y(4, dtype="int32")], output_type="int32"),
    **{kind: _compare(kind) for kind in ("EQUAL", "NOT_EQUAL", "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL")},
    "CUMSUM": lambda: one("CUMSUM", [_x(4, 8), _ints("axis", 1)], [_y(4, 8)]),
    "POW": lambda: one("POW", [_x(), constant("two", np.float32(2))], [_y()]),
    "SHAPE": lambda: one("SHAPE", [_x()], [_y(4, dtype="int32")], out_type="int32"),
}
POSITIVE = frozenset({"LOG", "RSQRT", "SQRT", "DIV"})
