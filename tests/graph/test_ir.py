"""The IR's invariants, each broken once, and the questions that passes ask of a graph."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from mobilekit.errors import GraphError
from mobilekit.graph.ir import Graph, Op, Quantization, Signature, Tensor
from tests.graph.build import constant, one_op, small_cnn


def test_a_sound_graph_passes() -> None:
    small_cnn().check()


def _duplicate_name(graph: Graph) -> None:
    graph.ops[0].outputs[0].name = "image"


def _read_before_made(graph: Graph) -> None:
    graph.ops.reverse()


def _made_twice(graph: Graph) -> None:
    graph.ops.append(graph.ops[-1])


def _constant_made(graph: Graph) -> None:
    graph.ops[1].outputs[0].data = np.zeros((1, 4, 4, 12), np.float32)


def _constant_input(graph: Graph) -> None:
    graph.inputs[0].data = np.zeros((1, 8, 8, 3), np.float32)


def _output_never_made(graph: Graph) -> None:
    graph.outputs.append(Tensor("ghost", (1,), "float32"))


def _negative_dimension(graph: Graph) -> None:
    graph.inputs[0].shape = (-1, 8, 8, 3)


def _constant_of_another_shape(graph: Graph) -> None:
    graph.ops[0].inputs[1].shape = (12, 3, 3, 4)


def _constant_of_another_type(graph: Graph) -> None:
    graph.ops[0].inputs[1].dtype = "int8"


def _scales_without_zero_points(graph: Graph) -> None:
    graph.inputs[0].quantization = Quantization(np.ones(2, np.float32), np.zeros(1, np.int64))


def _scales_for_another_axis(graph: Graph) -> None:
    graph.inputs[0].quantization = Quantization(np.ones(3, np.float32), np.zeros(3, np.int64), axis=1)


def _axis_outside(graph: Graph) -> None:
    graph.inputs[0].quantization = Quantization(np.ones(3, np.float32), np.zeros(3, np.int64), axis=4)


def _signature_of_a_stranger(graph: Graph) -> None:
    graph.signatures = [Signature("main", (("x", Tensor("x", (1,), "float32")),), ())]


def _signature_of_an_inner_tensor(graph: Graph) -> None:
    graph.signatures = [Signature("main", (), (("pooled", graph.ops[2].outputs[0]),))]


def _fault_in_a_subgraph(graph: Graph) -> None:
    graph.subgraphs = [Graph("body", outputs=[Tensor("ghost", (1,), "float32")])]


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (_duplicate_name, "two tensors are named 'image'"),
        (_read_before_made, "FULLY_CONNECTED 'logits' reads 'pooled' before it is made"),
        (_made_twice, "FULLY_CONNECTED makes 'logits', which exists already"),
        (_constant_made, "DEPTHWISE_CONV_2D makes 'depthwise', which exists already"),
        (_constant_input, "input 'image' is a constant"),
        (_output_never_made, "output 'ghost' is never made"),
        (_negative_dimension, r"'image' has a negative dimension in \(-1, 8, 8, 3\)"),
        (_constant_of_another_shape, r"constant 'stem/w' is \(12, 3, 3, 3\), declared \(12, 3, 3, 4\)"),
        (_constant_of_another_type, "constant 'stem/w' is float32, declared int8"),
        (_scales_without_zero_points, "'image' has 2 scales and 1 zero points"),
        (_scales_for_another_axis, r"'image' has 3 scales on axis 1 of \(1, 8, 8, 3\)"),
        (_axis_outside, r"'image' has 3 scales on axis 4 of \(1, 8, 8, 3\)"),
        (_signature_of_a_stranger, "signature 'main' names 'x', which is no input of the graph"),
        (_signature_of_an_inner_tensor, "signature 'main' names 'pooled', which is no output of the graph"),
        (_fault_in_a_subgraph, "body: output 'ghost' is never made"),
    ],
)
def test_each_invariant(damage: Callable[[Graph], None], message: str) -> None:
    graph = small_cnn()
    damage(graph)
    with pytest.raises(GraphError, match=f"graph 'main' is not well formed: .*{message}"):
        graph.check()


def test_all_problems_come_at_once() -> None:
    graph = small_cnn()
    _duplicate_name(graph)
    _output_never_made(graph)
    with pytest.raises(GraphError, match=r"two tensors are named 'image'.*; .*output 'ghost' is never made"):
        graph.check()


def test_reading_a_variable_needs_no_maker() -> None:
    state = Tensor("state", (1,), "float32", is_variable=True)
    graph = one_op("ADD", [state, constant("one", np.ones(1, np.float32))], Tensor("y", (1,), "float32"))
    graph.inputs = []
    graph.check()


def test_tensors_come_once_in_order_of_use() -> None:
    names = [tensor.name for tensor in small_cnn().tensors()]
    assert names == [
        *("image", "stem/w", "stem/b", "stem", "dw/w", "dw/b", "depthwise", "axes", "pooled", "fc/w", "logits"),
    ]
    assert [t.name for t in small_cnn().constants()] == ["stem/w", "stem/b", "dw/w", "dw/b", "axes", "fc/w"]


def test_producers_and_consumers() -> None:
    graph = small_cnn()
    x, y = graph.inputs[0], Tensor("squared", (1, 8, 8, 3), "float32")
    square = Op("MUL", [x, x], [y])
    graph.ops.insert(0, square)
    assert graph.producers()[y] is square
    assert x not in graph.producers()
    assert graph.consumers()[x] == [square, graph.ops[1]]
    assert y not in graph.consumers()


def test_replace_uses_reaches_ops_outputs_and_signatures() -> None:
    graph = small_cnn()
    old, new = graph.outputs[0], Tensor("probabilities", (1, 5), "float32")
    graph.ops.append(Op("SOFTMAX", [graph.ops[2].outputs[0]], [new]))
    graph.replace_uses(old, new)
    assert graph.outputs == [new]
    assert graph.signatures[0].outputs == (("logits", new),)
    stem = graph.ops[0].outputs[0]
    graph.replace_uses(stem, graph.inputs[0])
    assert graph.ops[1].inputs[0] is graph.inputs[0]
    assert graph.ops[0].outputs == [stem]


def test_remove_ops() -> None:
    graph = small_cnn()
    graph.remove_ops([graph.ops[1], graph.ops[3]])
    assert [op.kind for op in graph.ops] == ["CONV_2D", "MEAN"]


def test_op_counts() -> None:
    graph = small_cnn()
    graph.ops += [Op("RELU", [], []), Op("RELU", [], []), Op("CUSTOM", [], [], custom_code="Decode")]
    expected = {"RELU": 2, "CONV_2D": 1, "DEPTHWISE_CONV_2D": 1, "Decode": 1, "FULLY_CONNECTED": 1, "MEAN": 1}
    assert graph.op_counts() == expected
    assert list(graph.op_counts()) == list(expected)


def test_the_only_output() -> None:
    x = Tensor("x", (2,), "float32")
    assert Op("ABS", [x], [x]).output is x
    with pytest.raises(GraphError, match="SPLIT 'a' has 2 outputs, one was expected"):
        _ = Op("SPLIT", [x], [Tensor("a", (1,), "float32"), Tensor("b", (1,), "float32")]).output


def test_quantize_rounds_half_to_even_and_clamps() -> None:
    q = Quantization.per_tensor(0.5, 3)
    real = np.array([0.25, 0.75, -0.25, 1e9, -1e9], np.float32)
    np.testing.assert_array_equal(q.quantize(real, "int8"), [3, 5, 3, 127, -128])
    np.testing.assert_array_equal(q.dequantize(np.array([3, 5], np.int8)), [0.0, 1.0])
    assert q.dequantize(np.array([3], np.int8)).dtype == np.float64


def test_quantization_along_an_axis() -> None:
    q = Quantization(np.array([1, 2, 4], np.float32), np.array([0, 1, 2], np.int64), axis=1)
    stored = np.array([[1, 2, 3], [0, 1, 2]], np.int8)
    real = q.dequantize(stored)
    np.testing.assert_array_equal(real, [[1, 2, 4], [0, 0, 0]])
    np.testing.assert_array_equal(q.quantize(real, "int8"), stored)


def test_quantizations_are_equal_by_value() -> None:
    a = Quantization.per_tensor(0.5, 3)
    assert a.equals(
        Quantization(np.array([0.5], np.float32), np.array([3], np.int64), axis=3)
    )  # axis means nothing here
    assert not a.equals(Quantization.per_tensor(0.5, 4))
    assert not a.equals(None)
    b = Quantization(np.ones(2, np.float32), np.zeros(2, np.int64), axis=0)
    assert not b.equals(Quantization(np.ones(2, np.float32), np.zeros(2, np.int64), axis=1))
