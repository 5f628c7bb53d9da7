"""Ops without readers go."""

from __future__ import annotations

from mobilekit.graph.passes import remove_dead_ops
from tests.graph.passes.helper import Build, check_pass


def test_a_dead_chain_goes_at_once() -> None:
    g = Build()
    x = g.input(3)
    y = g.op("ABS", [x], (3,))
    g.op("NEG", [g.op("EXP", [y], (3,))], (3,))
    graph = check_pass(remove_dead_ops, g.done(y), fires=2)
    assert graph.op_counts() == {"ABS": 1}


def test_what_is_read_stays() -> None:
    g = Build()
    y = g.op("ABS", [g.input(3)], (3,))
    check_pass(remove_dead_ops, g.done(g.op("NEG", [y], (3,)), y), fires=0)


def test_ops_with_effects_stay() -> None:
    g = Build()
    x = g.input(3)
    y = g.op("ABS", [x], (3,))
    g.op("NEG", [x], (3,))
    g.graph.ops[-1].kind = "CUSTOM"
    g.graph.ops[-1].custom_code = "Log"
    graph = g.done(y)
    assert remove_dead_ops(graph) == 0
