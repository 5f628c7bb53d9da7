from __future__ import annotations

import numpy as np
import pytest

from mobilekit.quantize.prepare import prepare
from tests.quantize.cases import CASES
from tests.quantize.graphs import run, samples


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


def test_nothing_to_do_gives_the_graph_itself():
    graph = CASES["ADD"]()
    assert prepare(graph) is graph
