from __future__ import annotations

import numpy as np
import pytest

from mobilekit.errors import GraphError
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.prepare import prepare
from tests.quantize.cases import CASES
from tests.quantize.graphs import run, samples, small_network


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("SQUARE", ["MUL"]),
        ("POW", ["MUL"]),
        ("NEG", ["MUL"]),
        ("DIV", ["MUL"]),
        ("ADD_N", ["ADD", "ADD"]),
        ("DIV/computed", ["DIV"]),
        ("ADD", ["ADD"]),
    ],
)
def test_computes_the_same(name, kinds):
    graph = CASES[name]()
    before = list(graph.ops)
    prepared = prepare(graph)
    assert [op.kind for op in prepared.ops] == kinds
    assert graph.ops == before
    assert [t.name for t in prepared.outputs] == [t.name for t in graph.outputs]
    for sample in samples(graph, 2, low=0.1, high=2.0):
        # x / c and x * (1 / c) differ by two roundings of float32.
        np.testing.assert_allclose(run(prepared, sample)[0], run(graph, sample)[0], rtol=3 * 2.0**-24)


def test_missing_biases_become_zeros():
    for name in ("CONV_2D/1x1, no bias", "DEPTHWISE_CONV_2D/no bias"):
        (op,) = prepare(CASES[name]()).ops
        assert op.inputs[2].data.tolist() == [0.0] * 8


def test_a_file_with_float16_weights_quantizes_like_the_float32_file():
    graph = small_network()
    for tensor in graph.constants():
        if tensor.dtype == "float32":
            tensor.data = tensor.data.astype(np.float16).astype(np.float32)
    half = quantize(graph, (), preset("fp16")).graph
    assert "DEQUANTIZE" in half.op_counts()
    result = quantize(half, samples(half, 4), preset("int8"))
    assert result.full_integer
    for sample in samples(graph, 2, seed=3):
        wanted = run(quantize(graph, samples(graph, 4), preset("int8")).graph, sample)
        np.testing.assert_array_equal(run(result.graph, sample)[0], wanted[0])


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_named(value):
    graph = small_network()
    weights = graph.ops[2].inputs[1]
    weights.data = weights.data.copy()
    weights.data[0, 0, 0, :3] = value
    with pytest.raises(GraphError, match="CONV_2D 'project': 3 weights in 'project/w' are NaN or Inf"):
        quantize(graph, samples(graph, 4), preset("int8"))


def test_nothing_to_do_gives_the_graph_itself():
    graph = CASES["ADD"]()
    assert prepare(graph) is graph
