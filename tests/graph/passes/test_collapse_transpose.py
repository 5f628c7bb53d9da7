"""Transposes of more than four axes, said with four."""

from __future__ import annotations

import pytest

from mobilekit.graph.passes import collapse_transpose, merge_reshapes, remove_dead_ops, remove_identity
from tests.graph.passes.helper import Build, check_pass


@pytest.mark.parametrize(
    ("shape", "permutation", "collapsed", "moved"),
    [
        ((1, 4, 6, 2, 5), (0, 1, 2, 4, 3), (1, 24, 2, 5), [0, 1, 3, 2]),  # channel shuffle
        ((2, 4, 6, 2, 5), (0, 1, 2, 4, 3), (2, 24, 2, 5), [0, 1, 3, 2]),  # the batch stays apart
        ((1, 2, 7, 3, 7, 4), (0, 1, 3, 2, 4, 5), (2, 7, 3, 28), [0, 2, 1, 3]),  # Swin's window partition
        ((1, 5, 3, 2, 4), (2, 0, 3, 1, 4), (1, 5, 6, 4), [0, 2, 1, 3]),  # q, k, v of attention
        ((2, 3, 1, 1, 4), (4, 2, 3, 0, 1), (1, 1, 6, 4), [0, 1, 3, 2]),  # axes of one go first
    ],
)
def test_it_fires(shape: tuple[int, ...], permutation: tuple[int, ...], collapsed: object, moved: object) -> None:
    g = Build()
    y = g.op("ABS", [g.transpose(g.input(*shape), *permutation)], tuple(shape[axis] for axis in permutation))
    graph = check_pass(collapse_transpose, g.done(y), fires=1)
    assert [op.kind for op in graph.ops] == ["RESHAPE", "TRANSPOSE", "RESHAPE", "ABS"]
    assert graph.ops[0].output.shape == collapsed
    assert graph.ops[1].inputs[1].data.tolist() == moved  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("shape", "permutation"),
    [((1, 3, 4, 5), (0, 3, 1, 2)), ((2, 3, 4), (0, 2, 1)), ((2, 3, 4, 5, 6), (4, 3, 2, 1, 0))],
)
def test_it_leaves_four_axes_and_what_moves_five(shape: tuple[int, ...], permutation: tuple[int, ...]) -> None:
    g = Build()
    check_pass(collapse_transpose, g.done(g.transpose(g.input(*shape), *permutation)), fires=0)


def test_what_moves_only_ones_becomes_a_reshape_in_effect() -> None:
    g = Build()
    graph = check_pass(collapse_transpose, g.done(g.transpose(g.input(1, 2, 1, 3, 4), 2, 1, 0, 3, 4)), fires=1)
    remove_identity(graph)
    merge_reshapes(graph)
    remove_dead_ops(graph)
    assert graph.op_counts() == {"RESHAPE": 1}


def test_it_keeps_the_quantization() -> None:
    g = Build()
    x = g.input(1, 4, 6, 2, 5, dtype="int8", scale=0.5)
    graph = check_pass(collapse_transpose, g.done(g.transpose(x, 0, 1, 2, 4, 3, scale=0.5)), fires=1)
    assert all(op.output.quantization is not None for op in graph.ops)


def test_it_joins_the_reshapes_around_it() -> None:
    """ShuffleNetV2's channel shuffle: three ops before, three after, none of rank five."""
    g = Build()
    wide = g.reshape(g.input(1, 4, 6, 10), 1, 4, 6, 2, 5)
    y = g.reshape(g.transpose(wide, 0, 1, 2, 4, 3), 1, 4, 6, 10)
    graph = check_pass(collapse_transpose, g.done(y), fires=1)
    check_pass(merge_reshapes, graph, fires=2)
    remove_dead_ops(graph)
    assert [op.kind for op in graph.ops] == ["RESHAPE", "TRANSPOSE", "RESHAPE"]
    assert max(tensor.rank for tensor in graph.tensors()) == 4
