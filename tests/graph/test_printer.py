"""The text of a graph is an interface: people diff it, and reports quote it."""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from mobilekit.source import SourceLocation
from tests.graph.build import constant, one_op, small_cnn


def test_a_network() -> None:
    assert str(small_cnn()) == "\n".join(
        [
            "graph main(image: float32[1,8,8,3]) -> (logits: float32[1,5])",
            "  stem: float32[1,4,4,12] = CONV_2D(image, stem/w: const float32[12,3,3,3], stem/b: const float32[12])"
            " {fused_activation_function=RELU6, padding=SAME, stride_h=2, stride_w=2}  # stem.0 net.py:12",
            "  depthwise: float32[1,4,4,12] ="
            " DEPTHWISE_CONV_2D(stem, dw/w: const float32[1,3,3,12], dw/b: const float32[12])"
            " {depth_multiplier=1, padding=SAME, stride_h=1, stride_w=1}",
            "  pooled: float32[1,12] = MEAN(depthwise, axes=[1, 2]) {keep_dims=False}",
            "  logits: float32[1,5] = FULLY_CONNECTED(pooled, fc/w: const float32[5,12], -)",
        ]
    )


def test_quantized_dynamic_and_custom() -> None:
    per_channel = Quantization(np.ones(2, np.float32), np.zeros(2, np.int64), axis=1)
    x = Tensor("x", (1, 2), "int8", quantization=Quantization.per_tensor(0.0123456789, -5), shape_signature=(-1, 2))
    w = constant("w", np.zeros((1, 2), np.int8), per_channel)
    graph = one_op("CUSTOM", [x, w], Tensor("y", (1, 2), "int8"))
    graph.ops[0].custom_code = "Decode"
    graph.ops[0].source = SourceLocation("net.py", 3)
    assert str(graph) == "\n".join(
        [
            "graph main(x: int8[?,2] q(0.0123457, -5)) -> (y: int8[1,2])",
            "  y: int8[1,2] = CUSTOM:Decode(x, w: const int8[1,2] q[2 on axis 1])  # net.py:3",
        ]
    )


def test_subgraphs_follow() -> None:
    x, y = Tensor("x", (), "int32"), Tensor("y", (), "int32")
    main = one_op("WHILE", [x], y, cond_subgraph_index=1, body_subgraph_index=2)
    a, b = Tensor("a", (), "int32"), Tensor("b", (), "bool")
    condition = Graph("condition", [a], [b], [Op("LESS", [a, constant("limit", np.int32(5))], [b])])
    c = Tensor("c", (), "int32")
    main.subgraphs = [condition, Graph("body", [c], [c])]
    assert str(main) == "\n".join(
        [
            "graph main(x: int32[]) -> (y: int32[])",
            "  y: int32[] = WHILE(x) {body_subgraph_index=2, cond_subgraph_index=1}",
            "",
            "graph condition(a: int32[]) -> (b: bool[])",
            "  b: bool[] = LESS(a, limit=5)",
            "",
            "graph body(c: int32[]) -> (c: int32[])",
        ]
    )


def test_long_constants_show_as_type_and_shape() -> None:
    x, y = Tensor("x", (9,), "float32"), Tensor("y", (9,), "float32")
    for size, text in ((8, "c=[0, 0, 0, 0, 0, 0, 0, 0]"), (9, "c: const int32[9]"), (0, "c: const int32[0]")):
        assert text in str(one_op("ADD", [x, constant("c", np.zeros(size, np.int32))], y))
