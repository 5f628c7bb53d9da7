"""Full integer: every tensor of the written bytes, one by one."""

from __future__ import annotations

import numpy as np
import pytest

from mobilekit.graph.ir import Graph, Op
from mobilekit.graph.reader import read
from mobilekit.graph.writer import write
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.engine import not_integer
from tests.quantize.graphs import constant, float_tensor, samples, small_network


def test_int8_holds_int8_and_int32_only_in_the_written_bytes() -> None:
    graph = small_network()
    result = quantize(graph, samples(graph), preset("int8"))
    assert result.full_integer
    found = {tensor.name: tensor.dtype for tensor in read(write(result.graph)).tensors()}
    assert {name: dtype for name, dtype in found.items() if dtype not in ("int8", "int32")} == {}


def test_int16x8_holds_int64_in_biases_only() -> None:
    graph = small_network()
    result = quantize(graph, samples(graph), preset("int16x8"))
    assert result.full_integer
    written = read(write(result.graph))
    biases = {op.inputs[2] for op in written.ops if op.kind in ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")}
    assert {t.dtype for t in written.tensors()} == {"int16", "int8", "int32", "int64"}
    assert {t for t in written.tensors() if t.dtype == "int64"} == biases


@pytest.mark.parametrize("place", ["inside", "output", "int8 bias", "float inside"])
def test_one_wide_tensor_is_not_full_integer(place: str) -> None:
    graph = small_network()
    made = quantize(graph, samples(graph), preset("int8")).graph
    assert not_integer(made) == []
    if place == "inside":
        made.ops[0].output.dtype = "int64"
    elif place == "output":
        made.outputs[0].dtype = "int64"
    elif place == "int8 bias":
        bias = made.ops[0].inputs[2]
        assert bias is not None
        bias.dtype = "int64"
    else:
        made.ops[1].output.dtype = "float32"
    assert len(not_integer(made)) == 1


def test_an_int64_index_tensor_is_said() -> None:
    """Somebody else's file may gather by int64 constants; the float graph is read as it is."""
    x, y = float_tensor("x", 1, 4), float_tensor("y", 1, 2)
    index = constant("index", np.array([0, 2]), "int64")
    graph = Graph(inputs=[x], outputs=[y], ops=[Op("GATHER", [x, index], [y], {"axis": 1, "batch_dims": 0})])
    result = quantize(graph, samples(graph), preset("int8"))
    assert result.full_integer == all(t.dtype in ("int8", "int32") for t in result.graph.tensors())
    assert not result.full_integer
    assert any("not full integer: 1 tensors, first index" in note for note in result.notes)
