"""The pipeline as a whole."""

from __future__ import annotations

import pytest

from mobilekit.errors import GraphError
from mobilekit.graph.ir import Graph
from mobilekit.graph.passes import run_passes
from tests.graph.passes.helper import Build


def test_it_counts_what_each_pass_did() -> None:
    g = Build()
    x = g.input(1, 5, 6, 3)
    y = g.op("RELU", [g.binary("MUL", g.conv(x, 4), g.weights(4))], (1, 5, 6, 4))
    counts = run_passes(g.done(y))
    assert {name: count for name, count in counts.items() if count} == {"fold_batch_norm": 1, "fuse_activation": 1}


def test_a_graph_that_is_not_well_formed_is_refused() -> None:
    g = Build()
    y = g.op("RELU", [g.input(3)], (3,))
    graph = g.done(y)
    y.name = graph.inputs[0].name
    with pytest.raises(GraphError, match="not well formed"):
        run_passes(graph)


def test_passes_that_undo_each_other_are_named() -> None:
    def restless(graph: Graph) -> int:
        return 1

    g = Build()
    with pytest.raises(GraphError, match="the passes undo each other: restless"):
        run_passes(g.done(g.op("RELU", [g.input(3)], (3,))), (restless,))
