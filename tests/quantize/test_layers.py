from __future__ import annotations

import numpy as np
import pytest

from mobilekit.errors import CalibrationError, InputError
from mobilekit.quantize import layer_errors, preset, quantize
from mobilekit.quantize.layers import first_bad_layer
from mobilekit.quantize.sensitivity import sensitivity
from tests.quantize.graphs import samples, small_network
from tests.quantize.test_equalize import uneven

INT8 = preset("int8")


def test_every_float_tensor_gets_a_figure_in_order():
    graph = small_network()
    errors = layer_errors(graph, quantize(graph, samples(graph), INT8), samples(graph, 3, seed=8))
    assert [e.name for e in errors] == [op.name for op in graph.ops]
    assert all(e.sqnr_db > 20 for e in errors)
    assert first_bad_layer(graph, errors) is None


def test_equalised_tensors_are_compared_in_their_own_units():
    graph = uneven()
    result = quantize(graph, samples(graph, 16), INT8.with_changes(equalize="on"))
    assert result.equalized
    assert min(e.sqnr_db for e in layer_errors(graph, result, samples(graph, 3, seed=8))) > 25


def test_the_first_bad_layer_is_the_one_that_was_spoilt():
    graph = small_network()
    result = quantize(graph, samples(graph), INT8)
    spoilt = next(op for op in result.graph.ops if op.name == "project")
    spoilt.inputs[1].data = np.roll(spoilt.inputs[1].data, 3, axis=0)
    bad = first_bad_layer(graph, layer_errors(graph, result, samples(graph, 3, seed=8)))
    assert bad is not None
    assert (bad.name, bad.kind) == ("project", "CONV_2D")


def test_no_samples_is_an_error():
    graph = small_network()
    with pytest.raises(CalibrationError, match="no sample to compare"):
        layer_errors(graph, quantize(graph, samples(graph), INT8), [])


def test_sensitivity_finds_the_op_whose_weights_are_coarse():
    graph = small_network()
    weights = graph.ops[2].inputs[1]
    weights.data = weights.data.copy()
    weights.data[:, 0, 0, 0] = 40.0  # One huge column: the others of each row round to few levels.
    result = quantize(graph, samples(graph, 16), INT8.with_changes(equalize="off"))
    shares = sensitivity(result)
    worst = max((s for s in shares if s.kind == "weights"), key=lambda s: s.noise)
    assert worst.name == "project"
    assert [s.noise for s in shares] == sorted((s.noise for s in shares), reverse=True)
    assert {s.kind for s in shares} == {"activation", "weights"}


def test_sensitivity_of_a_recipe_without_integers_says_why():
    graph = small_network()
    with pytest.raises(InputError, match="leaves them in float"):
        sensitivity(quantize(graph, (), preset("fp16")))
