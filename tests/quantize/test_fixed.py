"""Softmax, logistic and their like keep int8's built-in scale only where their values survive it."""

from __future__ import annotations

import numpy as np
import pytest

from mobilekit.graph.ir import Graph, Op
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.measure import sqnr_db
from tests.quantize.graphs import constant, float_tensor, run, samples, unary

INT8 = preset("int8")
NONE = {"fused_activation_function": "NONE"}


def centre_of(positions):
    """x -> softmax over the positions -> weighted sum of their numbers: a soft argmax, divided by their count."""
    x, shares, y = float_tensor("x", 2, positions), float_tensor("shares", 2, positions), float_tensor("y", 2, 1)
    places = constant("places", np.linspace(0, 1, positions)[None])
    bias = constant("bias", [0.0])
    ops = [
        Op("SOFTMAX", [x], [shares], {"beta": 1.0}),
        Op("FULLY_CONNECTED", [shares, places, bias], [y], NONE),
    ]
    return Graph(inputs=[x], outputs=[y], ops=ops)


def gated(offset):
    """x -> logistic(x + offset) -> times 100."""
    x, moved, gate, y = (float_tensor(name, 1, 4, 4, 8) for name in ("x", "moved", "gate", "y"))
    ops = [
        Op("ADD", [x, constant("offset", offset)], [moved], NONE),
        Op("LOGISTIC", [moved], [gate]),
        Op("MUL", [gate, constant("hundred", 100.0)], [y], NONE),
    ]
    return Graph(inputs=[x], outputs=[y], ops=ops)


def worst_db(graph, result):
    found = []
    for sample in samples(graph, 4, seed=9):
        wanted, got = run(graph, sample)[0], run(result.graph, sample)[0]
        found.append(sqnr_db(float(np.sum(wanted**2)), float(np.sum((wanted - got) ** 2))))
    return min(found)


def test_a_softmax_whose_shares_nearly_all_round_to_zero_stays_in_float():
    graph = centre_of(1024)
    result = quantize(graph, samples(graph, 8), INT8)
    (island,) = result.float_islands
    assert (island.kind, island.name) == ("SOFTMAX", "shares")
    assert island.reason == "its int8 kernel rounds to steps of 1/256, which leaves 0.3 dB of values up to 0.0023"
    assert [t.dtype for t in result.graph.outputs] == ["int8"]
    # Three int8 grids (input, shares, output) that are each well used keep 30 dB; the fixed steps kept 0.3.
    assert worst_db(graph, result) > 30


def test_a_softmax_over_few_positions_stays_in_int8():
    graph = centre_of(16)
    assert quantize(graph, samples(graph, 8), INT8).full_integer


@pytest.mark.parametrize(("offset", "islands"), [(0.0, []), (-8.0, ["LOGISTIC"])])
def test_a_gate_that_is_nearly_shut_stays_in_float(offset, islands):
    graph = gated(offset)
    result = quantize(graph, samples(graph, 8), INT8)
    assert [i.kind for i in result.float_islands] == islands
    assert worst_db(graph, result) > 30


@pytest.mark.parametrize("reshaped", [False, True])
def test_scores_that_are_the_models_output_keep_the_full_range(reshaped):
    """Calibration without an object must not clip the scores of the objects that come later."""
    graph = unary("LOGISTIC")
    if reshaped:
        flat = float_tensor("flat", 1, 128)
        graph.ops.append(Op("RESHAPE", [graph.outputs[0], constant("shape", [1, 128], "int32")], [flat]))
        graph.outputs = [flat]
    result = quantize(graph, samples(graph, 8, low=-9.0, high=-8.0), INT8)
    assert result.full_integer
    assert float(result.graph.outputs[0].quantization.scale[0]) == 1 / 256


def test_int16_has_steps_enough():
    graph = centre_of(1024)
    result = quantize(graph, samples(graph, 8), preset("int16x8"))
    assert result.float_islands == ()
    assert worst_db(graph, result) > 30


def test_one_lost_output_beside_a_good_one_is_said():
    """The mean of 40 dB and 0 dB would pass for fine."""
    graph = unary("LOGISTIC")
    doubled = float_tensor("doubled", 1, 4, 4, 8)
    graph.ops.append(Op("ADD", [graph.inputs[0], graph.inputs[0]], [doubled], NONE))
    graph.outputs.append(doubled)
    result = quantize(graph, samples(graph, 8, low=-9.0, high=-8.0), INT8)
    (said,) = [note for note in result.notes if "coarse" in note]
    assert said.startswith("int8 is coarse for this model: 0.0 dB at the worst output")
