"""Facts of a graph, counted by hand."""

from __future__ import annotations

import numpy as np

from mobilekit.graph.ir import Graph, Op, Quantization, Tensor
from mobilekit.graph.summary import summarize


def _graph() -> Graph:
    q = Quantization.per_tensor(0.5, 3)
    x = Tensor("x", (1, 4), "int8", quantization=q, shape_signature=(-1, 4))
    y = Tensor("y", (1, 4), "int8", quantization=q)
    z = Tensor("z", (1, 4), "float32")
    weights = Tensor("w", (1, 4), "int8", np.ones((1, 4), np.int8), q)
    ops = [Op("ADD", [x, weights], [y]), Op("ADD", [y, weights], [Tensor("y2", (1, 4), "int8", quantization=q)])]
    ops.append(Op("DEQUANTIZE", [ops[1].output], [z]))
    return Graph(inputs=[x], outputs=[z], ops=ops, description="by hand", metadata={"note": b"1"})


def test_facts() -> None:
    summary = summarize(_graph(), name="net", size_bytes=100, min_runtime_version="2.3.0")
    assert summary.op_counts == {"ADD": 2, "DEQUANTIZE": 1}
    assert summary.weight_bytes == 4, "a constant that two ops read counts once"
    assert summary.float_ops == ("z",)
    assert not summary.full_integer
    assert (summary.inputs[0].shape, summary.inputs[0].scale, summary.inputs[0].zero_point) == ((-1, 4), 0.5, 3)
    assert (summary.outputs[0].dtype, summary.outputs[0].scale) == ("float32", None)
    assert (summary.description, summary.metadata, summary.subgraphs) == ("by hand", ("note",), 0)


def test_subgraphs_are_counted() -> None:
    graph = _graph()
    graph.subgraphs = [_graph()]
    summary = summarize(graph, name="net", size_bytes=1, min_runtime_version="")
    assert summary.op_counts == {"ADD": 4, "DEQUANTIZE": 2}
    assert summary.weight_bytes == 8
    assert summary.subgraphs == 1


def test_per_channel_scales_are_not_given_as_one() -> None:
    q = Quantization(np.array([0.1, 0.2], np.float32), np.zeros(2, np.int64), 1)
    x = Tensor("x", (1, 2), "int8", quantization=q)
    summary = summarize(Graph(inputs=[x], outputs=[x]), name="net", size_bytes=1, min_runtime_version="")
    assert summary.inputs[0].scale is None
