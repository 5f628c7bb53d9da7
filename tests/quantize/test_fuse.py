from __future__ import annotations

import numpy as np
import pytest

from mobilekit.graph.ir import Graph, Op
from mobilekit.quantize import layer_errors, preset, quantize
from mobilekit.quantize.fuse import fuse_hard_swish
from tests.quantize.graphs import constant, conv, float_tensor, run, samples

NONE = {"fused_activation_function": "NONE"}


def written_out(ending="sixth", output=False):
    """conv -> x * relu6(x + 3) -> [* 1/6] -> conv"""
    rng = np.random.default_rng(8)
    image = float_tensor("image", 1, 5, 5, 4)
    first = conv(image, "first", rng, 8, 3)
    x = first.output
    shifted, product, swished = (float_tensor(n, *x.shape) for n in ("shifted", "product", "swished"))
    add = Op("ADD", [x, constant("three", np.float32([3.0]))], [shifted], {"fused_activation_function": "RELU6"})
    ops = [first, add, Op("MUL", [shifted, x], [product], NONE)]
    last = product
    if ending == "sixth":
        ops.append(Op("MUL", [product, constant("sixth", np.float32(1 / 6))], [swished], NONE))
        last = swished
    second = conv(last, "second", rng, 4, 1)
    return Graph(inputs=[image], outputs=[second.output, *([last] if output else [])], ops=[*ops, second])


@pytest.mark.parametrize("ending", ["sixth", "weights"])
def test_one_op_that_computes_the_same(ending):
    graph = written_out(ending)
    before = list(graph.ops)
    fused = fuse_hard_swish(graph)
    fused.check()
    assert [op.kind for op in fused.ops] == ["CONV_2D", "HARD_SWISH", "CONV_2D"]
    assert graph.ops == before
    for sample in samples(graph, 3, low=-4, high=4):
        # 1/6 in float32, and sums of 8 products in another order.
        np.testing.assert_allclose(run(fused, sample)[0], run(graph, sample)[0], atol=1e-5)


def test_a_product_that_is_an_output_keeps_its_meaning():
    graph = written_out("weights", output=True)
    assert fuse_hard_swish(graph) is graph


@pytest.mark.parametrize("changed", ["offset", "activation"])
def test_what_is_no_hard_swish_stays(changed):
    graph = written_out()
    if changed == "offset":
        graph.ops[1].inputs[1].data = np.float32([2.5])
    else:
        graph.ops[1].options["fused_activation_function"] = "RELU"
    assert fuse_hard_swish(graph) is graph


def test_int8_uses_it_and_16x8_keeps_the_parts():
    graph = written_out()
    result = quantize(graph, samples(graph), preset("int8"))
    assert result.graph.op_counts() == {"CONV_2D": 2, "HARD_SWISH": 1}
    assert result.full_integer
    assert [e.name for e in layer_errors(graph, result, samples(graph, 2))] == ["first", "swished", "second"]
    wide = quantize(graph, samples(graph), preset("int16x8"))
    assert wide.full_integer
    assert "HARD_SWISH" not in wide.graph.op_counts()
