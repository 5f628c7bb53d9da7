from __future__ import annotations

import math
from dataclasses import replace

import pytest

from mobilekit.errors import InputError
from mobilekit.quantize import debug, preset, quantize
from mobilekit.render.html import Page, render_page
from tests.quantize.graphs import samples, small_network


def test_every_tensor_the_shares_and_histograms():
    graph = small_network()
    weights = graph.ops[2].inputs[1]
    weights.data = weights.data.copy()
    weights.data[:, 0, 0, 0] = 400.0  # one input channel takes the range of every output channel's weights
    result = quantize(graph, samples(graph), preset("int8").with_changes(equalize="off", bias_correction=False))
    report = debug(result, samples(graph, 4, seed=9))
    assert report.weights_share + report.activations_share == pytest.approx(1.0)
    assert {layer.name for layer in report.layers} >= {"first", "depth", "project", "added", "logits"}
    for histogram in report.histograms:
        assert len(histogram.edges) == len(histogram.counts) + 1
        assert sum(histogram.counts) > 0
        assert math.isfinite(histogram.edges[0])
    page = render_page(Page("net", debug=report))
    assert "Where the noise comes from" in page
    assert "from weights" in page


def test_float_activations_are_refused():
    graph = small_network()
    with pytest.raises(InputError, match="recipe 'dynamic' leaves activations in float"):
        debug(quantize(graph, (), preset("dynamic")), samples(graph))


@pytest.mark.parametrize("ruined", ["first", "depth", "project", "logits"])
def test_a_ruined_layer_is_the_first_bad_one(ruined):
    """One layer's weights at twice their scale: everything before it is fine, and it is named, not what follows."""
    graph = small_network()
    result = quantize(graph, samples(graph, 16), preset("int8"))
    assert debug(result, samples(graph, 4, seed=9)).first_bad is None
    weights = next(op for op in result.graph.ops if op.output.name == result.home[ruined]).inputs[1]
    weights.quantization = replace(weights.quantization, scale=2 * weights.quantization.scale)
    assert debug(result, samples(graph, 4, seed=9)).first_bad.name == ruined
