from __future__ import annotations

import numpy as np
import pytest

from mobilekit.errors import BarMissedError, InputError
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.auto import Auto, auto
from mobilekit.quantize.measure import sqnr_db
from tests.quantize.graphs import run, samples, small_network


@pytest.fixture(scope="module")
def network():
    graph = small_network()
    graph.ops, graph.outputs = graph.ops[:-1], graph.outputs[1:]
    weights = graph.ops[2].inputs[1]
    weights.data = weights.data.copy()
    weights.data[:, 0, 0, 0] = 40.0
    return graph


def quality(graph):
    """SQNR at the logits on held-out samples, capped where float is exact."""
    held_out = samples(graph, 6, seed=77)
    wanted = [run(graph, s)[0] for s in held_out]

    def metric(model):
        got = [model(s)[0] for s in held_out]
        signal = sum(float(np.sum(w**2)) for w in wanted)
        noise = sum(float(np.sum((w - g) ** 2)) for w, g in zip(wanted, got, strict=True))
        return min(sqnr_db(signal, noise), 60.0)

    return metric


def test_int8_that_is_good_enough_is_taken_as_it_is(network):
    found = auto(network, samples(network), Auto(quality(network), max_drop=55))
    assert found.recipe.name == "int8"
    assert [p.label for p in found.curve] == ["float32", "int8"]
    assert found.ranking == ()


def test_the_worst_source_of_noise_is_kept_precise_first(network):
    recipe = preset("int8").with_changes(io_dtype="float32")
    plain = auto(network, samples(network), Auto(quality(network), max_drop=55), recipe)
    bar = 60 - plain.curve[1].metric - 3  # 3 dB above what int8 gives: half of its noise must go.
    found = auto(network, samples(network), Auto(quality(network), max_drop=bar, prefer=("int8",)), recipe)
    kept = [i.name for i in found.result.float_islands]
    movable = [share for share in found.ranking if share.ops]
    assert set(movable[0].ops) <= set(kept)
    assert len(kept) < len(network.ops)
    again = quantize(network, samples(network), found.recipe)
    assert [i.name for i in again.float_islands] == kept


def test_a_bar_that_only_float_meets(network):
    with pytest.raises(BarMissedError, match="no quantization in int8 keeps the metric within 0 of the float"):
        auto(network, samples(network), Auto(quality(network), max_drop=0, prefer=("int8",)))
    found = auto(network, samples(network), Auto(quality(network), max_drop=0, prefer=("float32",)))
    assert found.result is None


def test_precisions_are_tried_in_the_order_given(network):
    found = auto(network, samples(network), Auto(quality(network), max_drop=15, prefer=("fp16", "int8")))
    assert found.recipe.name == "fp16"


@pytest.mark.parametrize(
    ("metric", "message"),
    [(lambda run: float("nan"), "metric of the float32 model is NaN"), (lambda run: 1 / 0, "ZeroDivisionError")],
)
def test_metrics_that_fail(network, metric, message):
    with pytest.raises(InputError, match=message):
        auto(network, samples(network), Auto(metric))


def test_arguments_that_are_wrong():
    with pytest.raises(InputError, match="known are int8, int16x8, fp16, float32"):
        Auto(lambda run: 1.0, prefer=("int4",))
    with pytest.raises(InputError, match="max_drop is -1"):
        Auto(lambda run: 1.0, max_drop=-1)
