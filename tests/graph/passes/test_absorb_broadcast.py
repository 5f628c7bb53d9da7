"""A BROADCAST_TO goes where its reader broadcasts anyway."""

from __future__ import annotations

import pytest

from mobilekit.graph.ir import Tensor
from mobilekit.graph.passes import run_passes
from mobilekit.graph.passes.absorb_broadcast import absorb_broadcast
from tests.graph.passes.helper import Build, check_pass


def _wide(g: Build, x: Tensor, shape: tuple[int, ...]) -> Tensor:
    return g.op("BROADCAST_TO", [x, g.constant(list(shape))], shape)


@pytest.mark.parametrize("kind", ["ADD", "SUB", "MUL", "MAXIMUM", "SQUARED_DIFFERENCE"])
@pytest.mark.parametrize("first", [True, False])
def test_it_reads_the_narrow_one(kind: str, first: bool) -> None:
    g = Build()
    x, wide = g.input(2, 5), _wide(g, g.input(2, 1), (2, 5))
    graph = check_pass(absorb_broadcast, g.done(g.op(kind, [wide, x] if first else [x, wide], (2, 5))), fires=1)
    assert sorted(t.shape for t in graph.ops[-1].inputs if t is not None) == [(2, 1), (2, 5)]
    run_passes(graph)
    assert graph.op_counts() == {kind: 1}


def test_it_leaves_one_of_two_when_both_are_narrow() -> None:
    g = Build()  # [2, 1] and [1, 5] give [2, 5] by themselves; [2, 1] and [2, 1] do not
    both = g.op("MUL", [_wide(g, g.input(2, 1), (2, 5)), _wide(g, g.input(1, 5), (2, 5))], (2, 5))
    check_pass(absorb_broadcast, g.done(both), fires=2)
    g = Build()
    same = g.op("MUL", [_wide(g, g.input(2, 1), (2, 5)), _wide(g, g.input(2, 1), (2, 5))], (2, 5))
    check_pass(absorb_broadcast, g.done(same), fires=1)


def test_it_leaves_readers_that_do_not_broadcast_and_high_ranks() -> None:
    g = Build()
    check_pass(absorb_broadcast, g.done(g.op("ABS", [_wide(g, g.input(2, 1), (2, 5))], (2, 5))), fires=0)
    g = Build()
    x, shape = g.input(2, 2, 1, 1, 1), (2, 2, 1, 1, 3)
    check_pass(absorb_broadcast, g.done(g.op("ADD", [_wide(g, x, shape), g.input(*shape)], shape)), fires=0)
