from __future__ import annotations

import numpy as np
import pytest

from mobilekit.quantize import preset, quantize
from mobilekit.quantize.bias import correction
from mobilekit.quantize.prepare import prepare
from tests.quantize.cases import CASES
from tests.quantize.graphs import run, samples


@pytest.mark.parametrize("name", ["CONV_2D/1x1, no bias", "FULLY_CONNECTED"])
def test_the_mean_error_of_an_output_goes(name):
    """Coarse weights (one scale for rows of very different size) and inputs far from zero mean: the bias takes it."""
    graph = prepare(CASES[name]())
    weights = graph.ops[0].inputs[1]
    shape = (-1, *[1] * (weights.rank - 1))
    weights.data = (weights.data * np.geomspace(1, 100, weights.shape[0]).reshape(shape)).astype(np.float32)
    data = samples(graph, 32, low=0.5, high=1.5)
    errors = {}
    for corrected in (False, True):
        recipe = preset("int16x8").with_changes(bias_correction=corrected, weight_granularity="per_tensor")
        result = quantize(graph, data, recipe)
        difference = [run(result.graph, s)[0] - run(graph, s)[0] for s in data]
        errors[corrected] = np.abs(np.mean(difference, axis=tuple(range(difference[0].ndim)))).max()
    assert errors[True] < 0.2 * errors[False]


def test_grouped_convolutions_read_their_own_channels():
    op = CASES["CONV_2D"]().ops[0]
    error = np.arange(4 * 2, dtype=float).reshape(4, 1, 1, 2)
    mean = np.array([1.0, 10.0, 100.0, 1000.0])
    # Rows 0 and 1 read channels 0 and 1, rows 2 and 3 channels 2 and 3.
    np.testing.assert_allclose(correction(op, error, mean), [10, 32, 5400, 7600])


def test_a_transposed_convolution_says_nothing():
    op = CASES["TRANSPOSE_CONV"]().ops[0]
    assert correction(op, np.ones((6, 2, 2, 8)), np.ones(8)) is None
