"""One-op graphs that probe XNNPACK's checks from both sides: what it should take and what it should refuse.

Each case is one op that the runtime's own kernels can prepare; the truth comes from the runtime, not from here.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from tests.compat.graphs import const, graph_of, ints, op, tensor, weights

FLOAT = {"dtype": "float32"}
INT8 = {"dtype": "int8", "scale": 0.05, "zero": 3}
UINT8 = {"dtype": "uint8", "scale": 0.05, "zero": 120}
INT16 = {"dtype": "int16", "scale": 0.001}
INT32 = {"dtype": "int32"}

Case = tuple[str, Op]


def _like(x: Tensor, shape: tuple[int, ...] | None = None, scale: float | None = None) -> Tensor:
    made = tensor(*(x.shape if shape is None else shape), dtype=x.dtype)
    made.quantization = x.quantization
    if scale is not None and x.quantization is not None:
        made.quantization = Quantization.per_tensor(scale, int(x.quantization.zero_point[0]))
    return made


def _unary() -> Iterator[Case]:
    float_only = [
        "ABS",
        "CEIL",
        "COS",
        "ELU",
        "EXP",
        "FLOOR",
        "GELU",
        "HARD_SWISH",
        "LOG",
        "NEG",
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "ROUND",
        "RSQRT",
        "SIN",
        "SQRT",
        "SQUARE",
        "LOGISTIC",
        "TANH",
        "SOFTMAX",
        "LEAKY_RELU",
        "SIGN",
        "RELU_0_TO_1",
    ]
    for kind in float_only:
        x = tensor(1, 4, 4, 3)
        yield f"{kind} float", op(kind, [x], [_like(x)], **({"beta": 1.0} if kind == "SOFTMAX" else {}))
    fixed = {"LOGISTIC": (1 / 256, -128), "TANH": (1 / 128, 0), "SOFTMAX": (1 / 256, -128)}
    for kind in [
        "RELU",
        "RELU6",
        "RELU_N1_TO_1",
        "ABS",
        "ELU",
        "HARD_SWISH",
        "LOGISTIC",
        "TANH",
        "SOFTMAX",
        "LEAKY_RELU",
        "EXP",
        "LOG",
        "RSQRT",
        "GELU",
        "NEG",
    ]:
        x = tensor(1, 4, 4, 3, dtype="int8", scale=0.05)
        result = _like(x)
        if kind in fixed:
            result.quantization = Quantization.per_tensor(*fixed[kind])
        options = {"SOFTMAX": {"beta": 1.0}, "LEAKY_RELU": {"alpha": 0.1}}.get(kind, {})
        yield f"{kind} int8", op(kind, [x], [result], **options)
    for kind in ("LOGISTIC", "TANH"):
        x, scale = tensor(1, 4, **UINT8), {"LOGISTIC": (1 / 256, 0), "TANH": (1 / 128, 128)}[kind]
        result = tensor(1, 4, dtype="uint8", scale=scale[0], zero=scale[1])
        yield f"{kind} uint8", op(kind, [x], [result])
    x = tensor(1, 8)
    yield "SOFTMAX beta 2", op("SOFTMAX", [x], [_like(x)], beta=2.0)
    for alpha in (0.0, 0.2, -0.5, 130.0):
        yield f"LEAKY_RELU float alpha {alpha}", op("LEAKY_RELU", [x], [_like(x)], alpha=alpha)
    for alpha, scale in ((0.1, 0.05), (0.001, 0.05), (0.1, 20.0), (0.1, 0.0002), (100.0, 0.01)):
        q = tensor(1, 8, **INT8)
        yield f"LEAKY_RELU int8 alpha {alpha} to {scale}", op("LEAKY_RELU", [q], [_like(q, scale=scale)], alpha=alpha)
    for rank in (1, 5, 6, 7):
        x = tensor(*[2] * rank)
        yield f"ABS rank {rank}", op("ABS", [x], [_like(x)])
        yield f"RELU rank {rank}", op("RELU", [x], [_like(x)])


def _binary() -> Iterator[Case]:
    for kind in [
        "ADD",
        "SUB",
        "MUL",
        "DIV",
        "MAXIMUM",
        "MINIMUM",
        "SQUARED_DIFFERENCE",
        "POW",
        "FLOOR_DIV",
        "FLOOR_MOD",
    ]:
        yield f"{kind} float", op(kind, [tensor(1, 4, 4, 3), tensor(1, 4, 4, 3)], [tensor(1, 4, 4, 3)])
        yield f"{kind} float with constant", op(kind, [tensor(1, 4, 4, 3), weights(3)], [tensor(1, 4, 4, 3)])
    for kind in ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"]:
        yield f"{kind} int8", op(kind, [tensor(1, 4, **INT8), tensor(1, 4, **INT8)], [tensor(1, 4, **INT8)])
    for kind in ["ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM"]:
        yield f"{kind} uint8", op(kind, [tensor(1, 4, **UINT8), tensor(1, 4, **UINT8)], [tensor(1, 4, **UINT8)])
    for kind in ["ADD", "SUB", "MUL", "MAXIMUM", "MINIMUM"]:
        yield f"{kind} int32", op(kind, [tensor(1, 4, **INT32), tensor(1, 4, **INT32)], [tensor(1, 4, **INT32)])
    for kind in ["ADD", "SUB", "MUL"]:
        yield f"{kind} int16", op(kind, [tensor(1, 4, **INT16), tensor(1, 4, **INT16)], [tensor(1, 4, **INT16)])
        for activation in ("RELU", "RELU6", "RELU_N1_TO_1", "TANH"):
            made = op(kind, [tensor(1, 4), tensor(1, 4)], [tensor(1, 4)], fused_activation_function=activation)
            yield f"{kind} float {activation}", made
        for scale in (0.0001, 1.0, 60.0):
            left, right = tensor(1, 4, **INT8), tensor(1, 4, **INT8)
            yield f"{kind} int8 to scale {scale}", op(kind, [left, right], [_like(left, scale=scale)])
        q = tensor(1, 4, **INT8)
        other = const(np.ones((1, 4)), "int8", scale=0.05)
        yield f"{kind} int8 with constant", op(kind, [q, other], [_like(q)])
    for rank in (5, 6, 7):
        shape = [2] * rank
        yield f"MUL rank {rank}", op("MUL", [tensor(*shape), tensor(*shape)], [tensor(*shape)])


def _layers() -> Iterator[Case]:
    def conv(
        kind="CONV_2D", data=FLOAT, kernel=FLOAT, bias=FLOAT, out=FLOAT, channels=4, width=6, size=3, w=None, **options
    ):
        settings = {"padding": "SAME", "stride_h": 1, "stride_w": 1, **options}
        shape = (width, size, size, channels) if kind == "CONV_2D" else (1, size, size, width)
        kernel_tensor = w if w is not None else weights(*shape, **kernel)
        ins: list[Tensor | None] = [tensor(1, 8, 8, 4, **data), kernel_tensor]
        if bias is not None:
            ins.append(weights(width, **bias))
        stride = settings["stride_h"]
        return op(kind, ins, [tensor(1, 8 // stride, 8 // stride, width, **out)], **settings)

    per_tensor = {"dtype": "int8", "scale": 0.02}
    bias8 = {"dtype": "int32", "scale": 0.001}
    for kind, axis, channels, width in (("CONV_2D", 0, 4, 6), ("DEPTHWISE_CONV_2D", 3, 4, 4)):
        more = {"depth_multiplier": 1} if kind != "CONV_2D" else {}
        per_channel = {"dtype": "int8", "scale": [0.02] * width, "axis": axis}
        bias_channel = {"dtype": "int32", "scale": [0.001] * width}
        make = lambda kind=kind, channels=channels, width=width, more=more, **options: conv(  # noqa: E731
            kind, channels=channels, width=width, **{**more, **options}
        )
        yield f"{kind} float", make()
        if kind != "CONV_2D":  # The runtime's own CONV_2D kernel wants a bias.
            yield f"{kind} no bias", make(bias=None)
        yield f"{kind} int8 per channel", make(data=INT8, kernel=per_channel, bias=bias_channel, out=INT8)
        yield f"{kind} int8 per tensor", make(data=INT8, kernel=per_tensor, bias=bias8, out=INT8)
        yield f"{kind} dynamic range", make(kernel=per_channel)
        yield f"{kind} dilated", make(dilation_h_factor=2, dilation_w_factor=2)
        yield f"{kind} stride 2", make(stride_h=2, stride_w=2)
        for activation in ("RELU", "RELU6", "RELU_N1_TO_1", "TANH", "SIGN_BIT"):
            yield f"{kind} {activation}", make(fused_activation_function=activation)
        shape = (width, 3, 3, channels) if kind == "CONV_2D" else (1, 3, 3, width)
        yield f"{kind} run-time weights", make(w=tensor(*shape))
        int16 = {"dtype": "int64", "scale": [0.00002] * width}
        yield f"{kind} int16x8", make(data=INT16, kernel=per_channel, bias=int16, out=INT16)
        zero_weights = {"dtype": "uint8", "scale": 0.02, "zero": 128}
        yield f"{kind} uint8", make(data=UINT8, kernel=zero_weights, bias=bias8, out=UINT8)
    yield "CONV_2D grouped", conv(channels=2)
    yield "DEPTHWISE_CONV_2D multiplier 2", conv("DEPTHWISE_CONV_2D", width=8, depth_multiplier=2)

    def dense(data=FLOAT, kernel=FLOAT, bias=FLOAT, out=FLOAT, shape=(1, 8), w=None, **options):
        kernel_tensor = w if w is not None else weights(4, 8, **kernel)
        ins: list[Tensor | None] = [tensor(*shape, **data), kernel_tensor]
        ins.append(None if bias is None else weights(4, **bias))
        outs = (*shape[:-1], 4) if options.get("keep_num_dims") else (int(np.prod(shape)) // 8, 4)
        return op("FULLY_CONNECTED", ins, [tensor(*outs, **out)], **options)

    channel = {"dtype": "int8", "scale": [0.02] * 4}
    yield "FULLY_CONNECTED float", dense()
    yield "FULLY_CONNECTED no bias", dense(bias=None)
    yield "FULLY_CONNECTED 3-D", dense(shape=(2, 3, 8), keep_num_dims=True)
    yield "FULLY_CONNECTED 3-D flattened", dense(shape=(2, 3, 8))
    yield "FULLY_CONNECTED run-time weights", dense(w=tensor(4, 8))
    yield "FULLY_CONNECTED int8 per tensor", dense(INT8, per_tensor, bias8, INT8)
    yield "FULLY_CONNECTED int8 per channel", dense(INT8, channel, {"dtype": "int32", "scale": [0.001] * 4}, INT8)
    yield "FULLY_CONNECTED int8 no bias", dense(INT8, per_tensor, None, INT8)
    yield "FULLY_CONNECTED dynamic range", dense(kernel=per_tensor)
    yield "FULLY_CONNECTED dynamic range per channel", dense(kernel=channel)
    yield "FULLY_CONNECTED int16x8", dense(INT16, per_tensor, {"dtype": "int64", "scale": 0.00002}, INT16)
    yield "FULLY_CONNECTED RELU6", dense(fused_activation_function="RELU6")
    odd = {"dtype": "int8", "scale": 0.02, "zero": 3}
    yield "FULLY_CONNECTED int8 weights with zero point", dense(INT8, odd, bias8, INT8)

    def transposed(data=FLOAT, kernel=FLOAT, bias=FLOAT, out=FLOAT, padding="SAME", size=3, shape=None, stride=2):
        rows = 8 if padding == "SAME" else (4 - 1) * stride + size
        ins: list[Tensor | None] = [
            shape if shape is not None else ints(1, rows, rows, 6),
            weights(6, size, size, 4, **kernel),
        ]
        ins.append(tensor(1, 4, 4, 4, **data))
        if bias is not None:
            ins.append(weights(6, **bias))
        return op(
            "TRANSPOSE_CONV", ins, [tensor(1, rows, rows, 6, **out)], padding=padding, stride_h=stride, stride_w=stride
        )

    channel6 = {"dtype": "int8", "scale": [0.02] * 6}
    yield "TRANSPOSE_CONV float", transposed()
    yield "TRANSPOSE_CONV no bias", transposed(bias=None)
    yield "TRANSPOSE_CONV VALID", transposed(padding="VALID")
    yield "TRANSPOSE_CONV kernel 1 stride 2", transposed(size=1)
    yield "TRANSPOSE_CONV int8", transposed(INT8, channel6, {"dtype": "int32", "scale": [0.001] * 6}, INT8)
    yield "TRANSPOSE_CONV run-time shape", transposed(shape=tensor(4, dtype="int32"))

    def product(a, b, kernel=None, **options):
        right = kernel if kernel is not None else tensor(*b)
        return op("BATCH_MATMUL", [tensor(*a), right], [tensor(*a[:-1], b[-1])], **options)

    yield "BATCH_MATMUL float", product((2, 3, 4), (2, 4, 5))
    yield "BATCH_MATMUL constant", product((2, 3, 4), (4, 5), weights(4, 5))
    yield "BATCH_MATMUL rank 4", product((2, 2, 3, 4), (2, 2, 4, 5))
    yield "BATCH_MATMUL adj_x", op("BATCH_MATMUL", [tensor(2, 4, 3), tensor(2, 4, 5)], [tensor(2, 3, 5)], adj_x=True)
    yield "BATCH_MATMUL adj_y", op("BATCH_MATMUL", [tensor(2, 3, 4), tensor(2, 5, 4)], [tensor(2, 3, 5)], adj_y=True)
    both = {"dtype": "int8", "scale": 0.05}
    quantized = [tensor(2, 3, 4, **both), tensor(2, 4, 5, **both)]
    yield "BATCH_MATMUL int8", op("BATCH_MATMUL", quantized, [tensor(2, 3, 5, **both)])


def _pools() -> Iterator[Case]:
    for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"):
        for data in (FLOAT, INT8, UINT8):
            if kind == "L2_POOL_2D" and data is not FLOAT:
                continue
            for window, stride, padding, activation in (
                (2, 2, "VALID", "NONE"), (3, 2, "SAME", "NONE"), (1, 1, "VALID", "NONE"), (1, 2, "VALID", "NONE"),
                (2, 3, "VALID", "NONE"), (2, 2, "VALID", "RELU6"),
            ):  # fmt: skip
                size = 8 // stride if padding == "SAME" else (8 - window) // stride + 1
                yield (
                    f"{kind} {data['dtype']} {window}/{stride} {padding} {activation}",
                    op(
                        kind,
                        [tensor(1, 8, 8, 3, **data)],
                        [tensor(1, size, size, 3, **data)],
                        filter_height=window,
                        filter_width=window,
                        stride_h=stride,
                        stride_w=stride,
                        padding=padding,
                        fused_activation_function=activation,
                    ),
                )


def _reductions() -> Iterator[Case]:
    for kind in ["MEAN", "SUM", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD"]:
        for axes in ((1, 2), (-1,), (0,), (0, 1, 2, 3)):
            shape = [size for index, size in enumerate((2, 4, 4, 3)) if index not in {axis % 4 for axis in axes}]
            yield f"{kind} {axes}", op(kind, [tensor(2, 4, 4, 3), ints(*axes)], [tensor(*shape)], keep_dims=False)
        yield f"{kind} keep", op(kind, [tensor(2, 4, 3), ints(1)], [tensor(2, 1, 3)], keep_dims=True)
        if kind != "REDUCE_PROD":
            made = op(kind, [tensor(2, 4, **INT8), ints(1)], [tensor(2, **INT8)], keep_dims=False)
            yield f"{kind} int8", made
    yield (
        "MEAN int8 to another scale",
        op("MEAN", [tensor(2, 4, **INT8), ints(1)], [tensor(2, dtype="int8", scale=0.1)]),
    )
    yield "SUM int32", op("SUM", [tensor(2, 4, **INT32), ints(1)], [tensor(2, **INT32)])


def _shapes() -> Iterator[Case]:
    for data in (FLOAT, INT8, UINT8, INT16, INT32):
        name = data["dtype"]
        x = tensor(1, 4, 4, 4, **data)
        yield f"RESHAPE {name}", op("RESHAPE", [x, ints(1, 64)], [_like(x, (1, 64))])
        yield f"TRANSPOSE {name}", op("TRANSPOSE", [x, ints(0, 3, 1, 2)], [_like(x)])
        slice_made = op("SLICE", [x, ints(0, 0, 0, 0), ints(1, 2, 2, 4)], [_like(x, (1, 2, 2, 4))])
        yield f"SLICE {name}", slice_made
        if name not in ("int16",):
            amounts = const([[0, 0], [1, 1], [1, 1], [0, 0]], "int32")
            yield f"PAD {name}", op("PAD", [x, amounts], [_like(x, (1, 6, 6, 4))])
        yield f"SPLIT {name}", op("SPLIT", [ints(3), x], [_like(x, (1, 4, 4, 2)), _like(x, (1, 4, 4, 2))], num_splits=2)
        yield f"CONCATENATION {name}", op("CONCATENATION", [x, _like(x)], [_like(x, (1, 4, 4, 8))], axis=3)
        parts = [ints(0, 0, 0, 0), ints(1, 2, 2, 4), ints(1, 1, 1, 1)]
        yield f"STRIDED_SLICE {name}", op("STRIDED_SLICE", [x, *parts], [_like(x, (1, 2, 2, 4))])
        if name not in ("int16",):
            yield f"DEPTH_TO_SPACE {name}", op("DEPTH_TO_SPACE", [x], [_like(x, (1, 8, 8, 1))], block_size=2)
            yield f"SPACE_TO_DEPTH {name}", op("SPACE_TO_DEPTH", [x], [_like(x, (1, 2, 2, 16))], block_size=2)
        if name != "int32":
            up = {"align_corners": False, "half_pixel_centers": True}
            yield f"RESIZE_BILINEAR {name}", op("RESIZE_BILINEAR", [x, ints(8, 8)], [_like(x, (1, 8, 8, 4))], **up)
        yield f"EXPAND_DIMS {name}", op("EXPAND_DIMS", [x, const(0, "int32")], [_like(x, (1, 1, 4, 4, 4))])
        yield f"SQUEEZE {name}", op("SQUEEZE", [x], [_like(x, (4, 4, 4))], squeeze_dims=[0])
        yield f"PACK {name}", op("PACK", [x, _like(x)], [_like(x, (2, 1, 4, 4, 4))], axis=0, values_count=2)
    x = tensor(1, 4, 4, 4)
    for count in (1, 3, 5, 6):
        ins = [tensor(1, 4, 4, 2) for _ in range(count)]
        yield f"CONCATENATION of {count}", op("CONCATENATION", ins, [tensor(1, 4, 4, 2 * count)], axis=-1)
    for parts in (1, 4):
        outs = [tensor(1, 4, 4, 4 // parts) for _ in range(parts)]
        yield f"SPLIT in {parts}", op("SPLIT", [ints(3), x], outs, num_splits=parts)
    for data in (INT8, UINT8):
        name = data["dtype"]
        q = tensor(1, 4, **data)
        yield (
            f"CONCATENATION {name} of two scales",
            op("CONCATENATION", [q, tensor(1, 4, **data)], [tensor(1, 8, **data)], axis=1),
        )
    yield "SLICE to the end", op("SLICE", [x, ints(0, 0, 0, 0), ints(1, 2, 2, -1)], [tensor(1, 2, 2, 4)])
    shrink = op(
        "STRIDED_SLICE",
        [x, ints(0, 0, 0, 0), ints(1, 1, 4, 4), ints(1, 1, 1, 1)],
        [tensor(1, 4, 4)],
        shrink_axis_mask=2,
    )
    yield "STRIDED_SLICE shrink", shrink
    strided = op("STRIDED_SLICE", [x, ints(0, 0, 0, 0), ints(1, 4, 4, 4), ints(1, 2, 2, 1)], [tensor(1, 2, 2, 4)])
    yield "STRIDED_SLICE stride 2", strided
    masks = {"begin_mask": 15, "end_mask": 13}
    masked = op(
        "STRIDED_SLICE", [x, ints(0, 0, 0, 0), ints(1, 2, 4, 4), ints(1, 1, 1, 1)], [tensor(1, 2, 4, 4)], **masks
    )
    yield "STRIDED_SLICE masks", masked
    for align, half in ((False, False), (True, False), (False, True)):
        options = {"align_corners": align, "half_pixel_centers": half}
        yield f"RESIZE_BILINEAR {align} {half}", op("RESIZE_BILINEAR", [x, ints(8, 8)], [tensor(1, 8, 8, 4)], **options)
        yield (
            f"RESIZE_NEAREST_NEIGHBOR {align} {half}",
            op("RESIZE_NEAREST_NEIGHBOR", [x, ints(8, 8)], [tensor(1, 8, 8, 4)], **options),
        )
    big = tensor(*[2] * 7)
    yield "RESHAPE rank 7", op("RESHAPE", [big, ints(128)], [tensor(128)])
    yield "TRANSPOSE rank 6", op("TRANSPOSE", [tensor(*[2] * 6), ints(5, 4, 3, 2, 1, 0)], [tensor(*[2] * 6)])
    yield (
        "RESHAPE int8 to another scale",
        op("RESHAPE", [tensor(1, 4, **INT8), ints(4)], [tensor(4, dtype="int8", scale=0.1)]),
    )
    yield "TILE", op("TILE", [x, ints(1, 2, 2, 1)], [tensor(1, 8, 8, 4)])
    yield (
        "MIRROR_PAD",
        op("MIRROR_PAD", [x, const([[0, 0], [1, 1], [1, 1], [0, 0]], "int32")], [tensor(1, 6, 6, 4)], mode="REFLECT"),
    )
    value = const(1.0)
    amounts = const([[0, 0], [1, 1], [1, 1], [0, 0]], "int32")
    yield "PADV2", op("PADV2", [x, amounts, value], [tensor(1, 6, 6, 4)])
    for alpha in (weights(1, 1, 4), weights(4), weights(4, 4, 4)):
        yield f"PRELU {alpha.shape}", op("PRELU", [x, alpha], [tensor(1, 4, 4, 4)])
    yield "GATHER", op("GATHER", [x, ints(0, 1)], [tensor(1, 2, 4, 4)], axis=1)
    yield "UNPACK", op("UNPACK", [tensor(2, 3)], [tensor(3), tensor(3)], num=2, axis=0)
    yield "ARG_MAX", op("ARG_MAX", [tensor(1, 8), const(1, "int32")], [tensor(1, dtype="int32")], output_type="int32")
    yield "LOG_SOFTMAX", op("LOG_SOFTMAX", [tensor(1, 8)], [tensor(1, 8)])
    yield "L2_NORMALIZATION", op("L2_NORMALIZATION", [tensor(1, 8)], [tensor(1, 8)])
    yield "GREATER", op("GREATER", [tensor(4), tensor(4)], [tensor(4, dtype="bool")])
    yield "BROADCAST_TO", op("BROADCAST_TO", [tensor(1, 4), ints(3, 4)], [tensor(3, 4)])
    yield "CUMSUM", op("CUMSUM", [tensor(1, 4), const(1, "int32")], [tensor(1, 4)])
    yield "CAST", op("CAST", [tensor(4)], [tensor(4, dtype="int32")], in_data_type="float32", out_data_type="int32")
    yield "SELECT_V2", op("SELECT_V2", [tensor(4, dtype="bool"), tensor(4), tensor(4)], [tensor(4)])
    yield "SPLIT_V", op("SPLIT_V", [tensor(4), ints(1, 3), const(0, "int32")], [tensor(1), tensor(3)], num_splits=2)


def _quantization() -> Iterator[Case]:
    yield "QUANTIZE float to int8", op("QUANTIZE", [tensor(1, 4)], [tensor(1, 4, **INT8)])
    yield "QUANTIZE float to uint8", op("QUANTIZE", [tensor(1, 4)], [tensor(1, 4, **UINT8)])
    yield "QUANTIZE float to int16", op("QUANTIZE", [tensor(1, 4)], [tensor(1, 4, **INT16)])
    yield "QUANTIZE int8 to int8", op("QUANTIZE", [tensor(1, 4, **INT8)], [tensor(1, 4, dtype="int8", scale=0.1)])
    yield "QUANTIZE int8 to uint8", op("QUANTIZE", [tensor(1, 4, **INT8)], [tensor(1, 4, **UINT8)])
    yield "QUANTIZE uint8 to int8", op("QUANTIZE", [tensor(1, 4, **UINT8)], [tensor(1, 4, **INT8)])
    for scale in (0.0003, 8.0, 20.0):
        made = op("QUANTIZE", [tensor(1, 4, **INT8)], [tensor(1, 4, dtype="int8", scale=scale)])
        yield f"QUANTIZE int8 to scale {scale}", made
    yield "DEQUANTIZE int8", op("DEQUANTIZE", [tensor(1, 4, **INT8)], [tensor(1, 4)])
    yield "DEQUANTIZE uint8", op("DEQUANTIZE", [tensor(1, 4, **UINT8)], [tensor(1, 4)])
    yield "DEQUANTIZE int16", op("DEQUANTIZE", [tensor(1, 4, **INT16)], [tensor(1, 4)])
    yield "DEQUANTIZE run-time fp16", op("DEQUANTIZE", [tensor(1, 4, dtype="float16")], [tensor(1, 4)])


def cases() -> list[tuple[str, Graph]]:
    """(what it is, a graph of this one op)."""
    groups = (_unary, _binary, _layers, _pools, _reductions, _shapes, _quantization)
    return [(name, graph_of([made])) for group in groups for name, made in group()]
