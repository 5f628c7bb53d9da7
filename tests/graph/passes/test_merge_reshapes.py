"""One reshape instead of a chain."""

from __future__ import annotations

from mobilekit.graph.passes import merge_reshapes, remove_dead_ops
from tests.graph.passes.helper import Build, check_pass


def test_a_chain_of_three() -> None:
    g = Build()
    y = g.reshape(g.reshape(g.op("SQUEEZE", [g.input(1, 2, 12)], (2, 12), squeeze_dims=[0]), 4, 6), 24)
    graph = check_pass(merge_reshapes, g.done(y), fires=2)
    remove_dead_ops(graph)
    assert len(graph.ops) == 1


def test_a_value_with_another_reader_or_as_output_stays() -> None:
    g = Build()
    first = g.reshape(g.input(2, 12), 4, 6)
    graph = check_pass(merge_reshapes, g.done(first, g.op("ABS", [first], (4, 6)), g.reshape(first, 24)), fires=1)
    assert remove_dead_ops(graph) == 0


def test_dynamic_shapes_stay() -> None:
    g = Build()
    x = g.input(2, 12)
    x.shape_signature = (-1, 12)
    check_pass(merge_reshapes, g.done(g.reshape(g.reshape(x, 4, 6), 24)), fires=0)


def test_other_ops_between_stay() -> None:
    g = Build()
    check_pass(merge_reshapes, g.done(g.reshape(g.op("ABS", [g.reshape(g.input(2, 12), 4, 6)], (4, 6)), 24)), fires=0)
