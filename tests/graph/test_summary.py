"""The facts that ``mobilekit info`` shows."""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Quantization, Signature, Tensor
from mobilekit.graph.summary import summarize
from mobilekit.results.file import TensorSummary
from tests.graph.build import constant, one_op, small_cnn


def test_a_network() -> None:
    facts = summarize(small_cnn(), name="net.tflite", size_bytes=1234, min_runtime_version="1.14.0")
    assert facts.op_counts == {"CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "FULLY_CONNECTED": 1, "MEAN": 1}
    assert facts.inputs == (TensorSummary("image", (1, 8, 8, 3), "float32", None, None),)
    assert facts.float_ops == ("stem", "depthwise", "pooled", "logits")
    # float32: 12 * 27 + 12 of the stem, 9 * 12 + 12 of the depthwise, 5 * 12 of the last; two int32 axes.
    assert facts.weight_bytes == 4 * (336 + 120 + 60 + 2)
    assert (facts.signatures, facts.metadata) == (("serving_default",), ("min_runtime_version",))
    assert (facts.name, facts.size_bytes, facts.min_runtime_version) == ("net.tflite", 1234, "1.14.0")


def test_subgraphs_count_and_shared_weights_count_once() -> None:
    table = np.ones((4,), np.float32)
    x, y = Tensor("x", (4,), "float32"), Tensor("y", (4,), "float32")
    main = one_op("ADD", [x, constant("a", table)], y)
    main.signatures = [Signature("encode", (("x", x),), (("y", y),))]
    u, v = Tensor("u", (4,), "float32"), Tensor("v", (4,), "float32")
    body = Graph("body", [u], [v], [Op("ADD", [u, constant("b", table)], [v])])
    body.signatures = [Signature("decode", (("u", u),), (("v", v),))]
    main.subgraphs = [body]
    facts = summarize(main, name="net", size_bytes=0, min_runtime_version="")
    assert facts.op_counts == {"ADD": 2}
    assert facts.weight_bytes == 16
    assert facts.subgraphs == 1
    assert facts.signatures == ("encode", "decode")


def test_quantized_and_dynamic_inputs() -> None:
    x = Tensor("x", (1, 2), "int8", None, Quantization.per_tensor(0.5, -3), shape_signature=(-1, 2))
    per_axis = Quantization(np.ones(2, np.float32), np.zeros(2, np.int64), axis=1)
    y = Tensor("y", (1, 2), "int8", quantization=per_axis)
    facts = summarize(one_op("ABS", [x], y), name="net", size_bytes=0, min_runtime_version="")
    assert facts.inputs == (TensorSummary("x", (-1, 2), "int8", 0.5, -3),)
    assert facts.outputs == (TensorSummary("y", (1, 2), "int8", None, None),)
    assert facts.float_ops == ()
