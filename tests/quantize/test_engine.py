from __future__ import annotations

import numpy as np
import pytest

from mobilekit.errors import CalibrationError, RecipeError
from mobilekit.graph.ir import Graph, Op
from mobilekit.graph.reader import read
from mobilekit.graph.writer import write
from mobilekit.quantize import Override, preset, quantize
from mobilekit.quantize.measure import sqnr_db
from tests.quantize.graphs import constant, float_tensor, run, samples, small_network, unary

INT8 = preset("int8")


def _sqnr(float_graph, graph, sample, output=0):
    wanted, got = run(float_graph, sample)[output], run(graph, sample)[output]
    return sqnr_db(float(np.sum(wanted**2)), float(np.sum((wanted - got) ** 2)))


def test_a_small_network_becomes_full_integer_and_stays_right():
    graph = small_network()
    result = quantize(graph, samples(graph, 16), INT8)
    assert result.full_integer
    assert result.float_islands == ()
    assert {t.dtype for t in result.graph.tensors()} == {"int8", "int32"}
    held_out = samples(graph, 8, seed=99)
    # 8 bits lose 48 dB at best; seven ops whose errors add, each using about half its range, leave 25 or more.
    assert np.median([_sqnr(graph, result.graph, s, output=1) for s in held_out]) > 25


def test_the_float_graph_is_not_changed():
    graph = small_network()
    before = write(graph)
    quantize(graph, samples(graph), INT8)
    assert write(graph) == before


def test_same_inputs_same_bytes():
    graph = small_network()
    first, second = (write(quantize(graph, samples(graph), INT8).graph) for _ in range(2))
    assert first == second


def test_any_tflite_graph_that_was_read_back_quantizes_alike():
    graph = small_network()
    again = read(write(graph))
    assert write(quantize(graph, samples(graph), INT8).graph) == write(quantize(again, samples(graph), INT8).graph)


def test_float_io_adds_one_quantize_and_one_dequantize_an_edge():
    graph = small_network()
    result = quantize(graph, samples(graph), INT8.with_changes(io_dtype="float32"))
    assert result.full_integer
    assert [t.dtype for t in (*result.graph.inputs, *result.graph.outputs)] == ["float32"] * 3
    assert [t.name for t in result.graph.outputs] == ["scores", "logits"]
    assert result.graph.inputs[0].name == "image"
    counts = result.graph.op_counts()
    assert (counts["QUANTIZE"], counts["DEQUANTIZE"]) == (1, 2)


def test_names_and_order_of_the_edges_are_kept_with_integer_io():
    graph = small_network()
    result = quantize(graph, samples(graph), INT8)
    assert [t.name for t in result.graph.inputs] == ["image"]
    assert [t.name for t in result.graph.outputs] == ["scores", "logits"]


def test_an_op_without_an_integer_kernel_is_a_named_float_island():
    graph = small_network()
    last = graph.outputs[1]
    floored = float_tensor("floored", *last.shape)
    graph.ops.append(Op("FLOOR", [last], [floored]))
    graph.outputs = [floored]
    result = quantize(graph, samples(graph), INT8)
    assert not result.full_integer
    (island,) = result.float_islands
    assert (island.name, island.kind, island.reason) == ("floored", "FLOOR", "LiteRT has no int8 kernel for FLOOR")
    assert [op.kind for op in result.graph.ops[-4:]] == ["SOFTMAX", "DEQUANTIZE", "FLOOR", "QUANTIZE"]
    assert any("not full integer: 2 tensors" in note for note in result.notes)


def test_an_override_keeps_an_op_in_float():
    graph = small_network()
    recipe = INT8.with_changes(overrides=(Override(op="SOFTMAX", precision="float32"),))
    result = quantize(graph, samples(graph), recipe)
    assert [i.kind for i in result.float_islands] == ["SOFTMAX"]
    assert result.float_islands[0].reason == "the recipe keeps it in float32"


@pytest.mark.parametrize("in_float", ["first", "second"])
def test_a_constant_that_float_and_integer_ops_share(in_float):
    x, first, second = (float_tensor(name, 1, 4) for name in ("x", "first", "second"))
    three = constant("three", np.float32([3.0]))
    none = {"fused_activation_function": "NONE"}
    ops = [Op("ADD", [x, three], [first], none), Op("MUL", [first, three], [second], dict(none))]
    graph = Graph(inputs=[x], outputs=[second], ops=ops)
    recipe = INT8.with_changes(overrides=(Override(name=in_float, precision="float32"),))
    result = quantize(graph, samples(graph), recipe)
    assert sorted(t.dtype for t in result.graph.constants()) == ["float32", "int8"]
    sample = samples(graph, 1, seed=4)[0]
    # Input and output steps: (2 + 3) * 3 / 255 at the end, half a step each.
    np.testing.assert_allclose(run(result.graph, sample)[0], run(graph, sample)[0], atol=2 * 12 / 255)


def test_an_override_that_matches_nothing_is_an_error():
    graph = small_network()
    recipe = INT8.with_changes(overrides=(Override(name="frist", precision="float32"),))
    with pytest.raises(RecipeError, match="no op of the graph matches name='frist'"):
        quantize(graph, samples(graph), recipe)


def test_auto_names_its_choice_and_both_figures():
    graph = small_network()
    result = quantize(graph, samples(graph), INT8)
    (note,) = [n for n in result.notes if "chosen by SQNR at the outputs on 8 calibration samples" in n]
    assert note.startswith(f"ranges by {result.observer}")
    assert all(f"{observer} " in note for observer in ("min_max", "percentile", "mse"))


def test_mixed_range_concat_keeps_the_fine_scale_for_other_readers():
    """scores in [0, 1] beside boxes of hundreds: the scores' own output must not collapse to a few levels."""
    boxes, scores = float_tensor("boxes", 1, 4, 4), float_tensor("scores", 1, 4, 4)
    probability, doubled = float_tensor("probability", 1, 4, 4), float_tensor("doubled", 1, 4, 4)
    both = float_tensor("both", 1, 4, 8)
    graph = Graph(
        inputs=[boxes, scores],
        outputs=[both, probability, doubled],
        ops=[
            Op("LOGISTIC", [scores], [probability]),
            Op("MUL", [scores, constant("two", [2.0])], [doubled], {"fused_activation_function": "NONE"}),
            Op("CONCATENATION", [boxes, doubled], [both], {"axis": 2, "fused_activation_function": "NONE"}),
        ],
    )
    rng = np.random.default_rng(0)
    data = [
        [rng.uniform(0, 600, (1, 4, 4)).astype(np.float32), rng.uniform(-1, 1, (1, 4, 4)).astype(np.float32)]
        for _ in range(8)
    ]
    result = quantize(graph, data, INT8)
    assert result.graph.op_counts()["QUANTIZE"] == 1
    wanted, got = run(graph, data[0]), run(result.graph, data[0])
    # Two half steps of 4/255 (its input and its own) and the constant's: far below the 600/255 of the boxes.
    assert np.abs(wanted[2] - got[2]).max() <= 2 * 4 / 255
    assert np.abs(wanted[1] - got[1]).max() <= 1 / 128


def test_a_pad_of_minus_infinity_before_max_pool_keeps_the_range():
    x, padded, pooled = float_tensor("x", 1, 4, 4, 2), float_tensor("padded", 1, 6, 6, 2), float_tensor("y", 1, 4, 4, 2)
    pads = constant("pads", [[0, 0], [1, 1], [1, 1], [0, 0]], "int32")
    lowest = constant("lowest", np.float32(np.finfo(np.float32).min))
    pool = {
        "filter_width": 3,
        "filter_height": 3,
        "stride_w": 1,
        "stride_h": 1,
        "padding": "VALID",
        "fused_activation_function": "NONE",
    }
    graph = Graph(
        inputs=[x],
        outputs=[pooled],
        ops=[Op("PADV2", [x, pads, lowest], [padded]), Op("MAX_POOL_2D", [padded], [pooled], pool)],
    )
    data = samples(graph, 8)
    result = quantize(graph, data, INT8.with_changes(observer="min_max"))
    assert result.full_integer
    step = float(result.graph.inputs[0].quantization.scale[0])
    assert step <= 2.001 / 255
    assert np.abs(run(graph, data[0])[0] - run(result.graph, data[0])[0]).max() <= step / 2 + 1e-6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: [], "there is no calibration sample"),
        (lambda data: [[a, a] for (a,) in data], "sample 0 has 2 arrays, the model has 1 inputs"),
        (lambda data: [[a[:, :4]] for (a,) in data], r"gives float32\[1, 4, 8, 3\] for input 'image'"),
        (lambda data: [[a.astype(np.float64)] for (a,) in data], r"gives float64\[1, 8, 8, 3\]"),
        (lambda data: [*data, [data[0][0] * np.nan]], "sample 8 holds 192 NaN or Inf in input 'image'"),
        (lambda data: [[data[0][0] * np.inf]], "holds 192 NaN or Inf"),
    ],
)
def test_calibration_that_cannot_be_used(change, message):
    graph = small_network()
    with pytest.raises(CalibrationError, match=message):
        quantize(graph, change(samples(graph)), INT8)


def test_a_float_model_that_makes_nan_is_named():
    graph = unary("SQRT")
    with pytest.raises(CalibrationError, match="computes NaN in SQRT 'y' on calibration sample 0"):
        quantize(graph, samples(graph, 1), INT8)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_constant_calibration_is_said(value):
    graph = small_network()
    result = quantize(graph, [[np.full((1, 8, 8, 3), value, np.float32)]] * 2, INT8)
    assert any("is the constant" in note for note in result.notes)
    run(result.graph, [np.full((1, 8, 8, 3), value, np.float32)])


def test_one_sample_is_said():
    graph = small_network()
    assert any("only one calibration sample" in n for n in quantize(graph, samples(graph, 1), INT8).notes)


def test_whether_the_samples_were_enough_is_said():
    graph = small_network()
    steady = samples(graph, 16)
    growing = [[a * np.float32(1.2**n)] for n, (a,) in enumerate(steady)]
    text = "in the last quarter of 16, 100% of the ranges grew by more than 5 %"
    assert any(n.startswith("enough samples") for n in quantize(graph, steady, INT8).notes)
    graph.ops[0].options["fused_activation_function"] = graph.ops[1].options["fused_activation_function"] = "RELU"
    graph.ops, graph.outputs = graph.ops[:-1], graph.outputs[1:]
    assert f"more samples would help: {text}" in quantize(graph, growing, INT8).notes


@pytest.mark.parametrize("delegate", ["xnnpack", "reference"])
def test_dead_channels_and_channels_a_million_apart(delegate):
    graph = small_network()
    weights = graph.ops[0].inputs[1]
    weights.data = weights.data.copy()
    weights.data[0] = 0.0
    weights.data[1] *= 1e-6
    result = quantize(graph, samples(graph), INT8)
    sample = samples(graph, 1, seed=5)[0]
    wanted, got = run(graph, sample)[1], run(result.graph, sample, delegate)[1]
    # The bar of the healthy network: odd channels must not pull the others down.
    assert sqnr_db(float(np.sum(wanted**2)), float(np.sum((wanted - got) ** 2))) > 22


def test_int8_that_is_too_coarse_is_said_with_the_recipe_that_helps():
    """One channel a thousand times the others between two products: no equalisation passes, 8 bits cannot hold both."""
    scale = np.ones(8, np.float32)
    scale[0] = 1000
    x, wide, y = (float_tensor(name, 1, 4, 4, 8) for name in ("x", "wide", "y"))
    none = {"fused_activation_function": "NONE"}
    up = Op("MUL", [x, constant("up", scale)], [wide], none)
    down = Op("MUL", [wide, constant("down", 1 / scale)], [y], none)
    graph = Graph(inputs=[x], outputs=[y], ops=[up, down])
    result = quantize(graph, samples(graph, 16), preset("int8"))
    said = [note for note in result.notes if "coarse" in note]
    assert len(said) == 1
    assert "int16x8" in said[0]
    assert "Auto" in said[0]
    finer = quantize(graph, samples(graph, 16), preset("int16x8"))
    sample = samples(graph, 1, seed=3)[0]
    assert _sqnr(graph, finer.graph, sample) > 20 + _sqnr(graph, result.graph, sample)


def test_int8_that_is_fine_says_nothing_of_the_kind():
    graph = small_network()
    assert not [n for n in quantize(graph, samples(graph, 16), preset("int8")).notes if "coarse" in n]
