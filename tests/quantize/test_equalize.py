from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from mobilekit.graph.ir import Graph, Op
from mobilekit.graph.writer import write
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.channels import observe_channels
from mobilekit.quantize.equalize import equalize
from mobilekit.quantize.measure import sqnr_db
from tests.quantize.graphs import conv, float_tensor, run, samples


def uneven(activation="RELU", gaps=(1.0, 1e-2), cut=False):
    """expand -> depthwise -> project, every other channel of the expansion ``gaps[1]`` times as large."""
    rng = np.random.default_rng(3)
    x = float_tensor("x", 1, 6, 6, 8)
    expand = conv(x, "expand", rng, 16, 1, activation)
    scale = np.tile(np.float32(gaps), 8)
    weights, bias = expand.inputs[1], expand.inputs[2]
    weights.data = (weights.data * scale[:, None, None, None]).astype(np.float32)
    bias.data = (bias.data * scale).astype(np.float32)
    depth = conv(expand.output, "depth", rng, 16, 3, activation, depthwise=True)
    kernel = depth.inputs[1]
    kernel.data = (kernel.data / scale).astype(np.float32)
    project = conv(depth.output, "project", rng, 8)
    outputs = [project.output, expand.output] if cut else [project.output]
    return Graph(inputs=[x], outputs=outputs, ops=[expand, depth, project])


def equalized(graph, data):
    return equalize(graph, observe_channels(graph, data), set(graph.ops))


@pytest.mark.parametrize("activation", ["NONE", "RELU"])
def test_the_function_stays_the_same(activation):
    graph = uneven(activation)
    data = samples(graph, 4)
    before = write(graph)
    result = equalized(graph, data)
    assert "expand" in result.factors
    assert write(graph) == before
    for sample in data:
        wanted, got = run(graph, sample)[0], run(result.graph, sample)[0]
        # Factors are no powers of two: three float32 roundings a product, sums of 9 and 16 of them.
        np.testing.assert_allclose(got, wanted, atol=32 * 2.0**-24 * np.abs(wanted).max())


def test_channels_a_hundred_apart_gain_bits():
    graph = uneven()
    data, held_out = samples(graph, 16), samples(graph, 8, seed=50)
    figures = {}
    for choice in ("off", "on"):
        result = quantize(graph, data, preset("int8").with_changes(equalize=choice, observer="min_max"))
        pairs = [(run(graph, s)[0], run(result.graph, s)[0]) for s in held_out]
        figures[choice] = sqnr_db(sum(np.sum(w**2) for w, _ in pairs), sum(np.sum((w - g) ** 2) for w, g in pairs))
    # The small channels use 3 of 256 levels before; s = sqrt(1/100) gives them 26, three bits more.
    assert figures["on"] > figures["off"] + 6


def test_relu6_saturates_where_the_clamp_was():
    graph = uneven("RELU6", gaps=(30.0, 1.0))
    data = samples(graph, 16)
    result = quantize(graph, data, preset("int8").with_changes(equalize="on", observer="min_max"))
    assert result.equalized
    assert result.caps["expand"] == pytest.approx(6.0)
    top = next(t for t in result.graph.tensors() if t.name == "expand").quantization
    assert (127 - int(top.zero_point[0])) * float(top.scale[0]) <= 6.0 * (1 + 1 / 255)
    held_out = samples(graph, 4, seed=9)
    unclamped = equalized(graph, data).graph
    differ = [np.abs(run(unclamped, s)[0] - run(graph, s)[0]).max() for s in held_out]
    assert max(differ) > 0.1, "no value is clamped, the test would show nothing"
    for sample in held_out:
        wanted, got = run(graph, sample)[0], run(result.graph, sample)[0]
        # Three layers of 8 bits; a missing clamp would leave errors as large as the values (0 dB).
        assert sqnr_db(float(np.sum(wanted**2)), float(np.sum((wanted - got) ** 2))) > 25


def test_a_tensor_that_is_an_output_is_left_alone():
    graph = uneven(cut=True)
    assert "expand" not in equalized(graph, samples(graph, 4)).factors


def test_ops_outside_the_integer_set_break_a_group():
    graph = uneven()
    data = samples(graph, 4)
    only_first = {graph.ops[0]}
    assert equalize(graph, observe_channels(graph, data), only_first).factors == {}


def test_a_residual_shares_one_factor():
    graph = uneven("NONE")
    expand, depth, project = graph.ops
    added = float_tensor("added", 1, 6, 6, 16)
    add = Op("ADD", [expand.output, depth.output], [added], {"fused_activation_function": "NONE"})
    graph.ops = [expand, depth, add, dataclasses.replace(project, inputs=[added, *project.inputs[1:]])]
    result = equalized(graph, samples(graph, 4))
    if result.factors:
        np.testing.assert_array_equal(result.factors["expand"], result.factors["depth"])
        np.testing.assert_array_equal(result.factors["expand"], result.factors["added"])
    for sample in samples(graph, 2):
        np.testing.assert_allclose(run(result.graph, sample)[0], run(graph, sample)[0], atol=1e-4)


def uneven_hard_swish(gap):
    """conv -> hard-swish -> depthwise, every other channel ``gap`` times as small, the depthwise undoing it."""
    rng = np.random.default_rng(5)
    x = float_tensor("x", 1, 6, 6, 8)
    expand = conv(x, "expand", rng, 16, 1)
    scale = np.tile(np.float32([40.0, 40.0 * gap]), 8)
    expand.inputs[1].data = (expand.inputs[1].data * scale[:, None, None, None]).astype(np.float32)
    swish = Op("HARD_SWISH", [expand.output], [float_tensor("swish", 1, 6, 6, 16)], {})
    depth = conv(swish.output, "depth", rng, 16, 3, depthwise=True)
    depth.inputs[1].data = (depth.inputs[1].data / scale).astype(np.float32)
    return Graph(inputs=[x], outputs=[depth.output], ops=[expand, swish, depth])


def test_uneven_hard_swish_is_taken_apart_and_gains_bits():
    graph = uneven_hard_swish(1e-2)
    data, held_out = samples(graph, 16), samples(graph, 8, seed=50)
    figures = {}
    for choice in ("off", "on"):
        result = quantize(graph, data, preset("int8").with_changes(equalize=choice, observer="min_max"))
        assert result.full_integer
        assert ("HARD_SWISH" in {op.kind for op in result.graph.ops}) == (choice == "off")
        pairs = [(run(graph, s)[0], run(result.graph, s)[0]) for s in held_out]
        figures[choice] = sqnr_db(sum(np.sum(w**2) for w, _ in pairs), sum(np.sum((w - g) ** 2) for w, g in pairs))
    # Channels a hundred times smaller use 3 of 256 levels before and 128 after; two bits are the least of it.
    assert figures["on"] > figures["off"] + 12


def test_the_gate_of_a_hard_swish_runs_from_zero_to_one():
    graph = uneven_hard_swish(1e-2)
    result = quantize(graph, samples(graph, 4), preset("int8").with_changes(equalize="on"))
    gate = next(t for t in result.graph.tensors() if t.name == "swish/gate").quantization
    scale, zero = float(gate.scale[0]), int(gate.zero_point[0])
    assert ((-128 - zero) * scale, (127 - zero) * scale) == (0.0, pytest.approx(1.0, rel=2.0**-23))


def test_even_hard_swish_stays_one_op():
    graph = uneven_hard_swish(1.0)
    assert equalized(graph, samples(graph, 4)).factors == {}
