from __future__ import annotations

import pytest

from mobilekit.compat.cost import tensor_bytes
from mobilekit.compat.partition import bytes_across, cut
from tests.compat.graphs import graph_of, op, tensor


def chain(length):
    values = [tensor(4) for _ in range(length + 1)]
    return graph_of([op("RELU", [values[i]], [values[i + 1]]) for i in range(length)])


def pieces(graph, taken):
    return [("D" if piece.taken else "c", piece.ops) for piece in cut(graph, taken)]


def test_a_chain_is_cut_where_the_side_changes():
    assert pieces(chain(5), [True, True, False, True, True]) == [("D", (0, 1)), ("c", (2,)), ("D", (3, 4))]


def test_one_side_is_one_piece():
    assert pieces(chain(3), [True] * 3) == [("D", (0, 1, 2))]
    assert pieces(chain(3), [False] * 3) == [("c", (0, 1, 2))]
    assert pieces(chain(0), []) == []


def test_branches_that_do_not_wait_for_each_other_join():
    """Two branches from one input, one op of each refused: the greedy walk needs one piece a side, not two.

    x -> a(D) -> b(c) \\
    x -> d(D) -> e(c) -- f(D)
    """
    x, a, b, d, e, f = (tensor(4) for _ in range(6))
    ops = [
        op("RELU", [x], [a]),
        op("NEG", [a], [b]),
        op("RELU", [x], [d]),
        op("NEG", [d], [e]),
        op("ADD", [b, e], [f]),
    ]
    assert pieces(graph_of(ops), [True, False, True, False, True]) == [("D", (0, 2)), ("c", (1, 3)), ("D", (4,))]


def test_the_first_ready_op_gives_the_first_piece_its_side():
    assert pieces(chain(2), [False, True]) == [("c", (0,)), ("D", (1,))]


@pytest.mark.parametrize(
    ("taken", "tensors"),
    [
        ([False, False, False], 0),  # Never leaves the CPU.
        ([True, True, True], 2),  # In and out.
        ([False, True, False], 2),
        ([True, False, True], 4),
    ],
)
def test_bytes_across_the_cuts(taken, tensors):
    graph = chain(3)
    sizes = {value: tensor_bytes(value) for value in graph.tensors()}
    assert bytes_across(graph, cut(graph, taken), sizes) == tensors * 16


def test_a_tensor_read_twice_on_the_other_side_crosses_once():
    x, a, b, c = (tensor(4) for _ in range(4))
    graph = graph_of([op("RELU", [x], [a]), op("NEG", [a], [b]), op("ABS", [a], [c])])
    sizes = {value: tensor_bytes(value) for value in graph.tensors()}
    # x in, a out to both readers on the CPU.
    assert bytes_across(graph, cut(graph, [True, False, False]), sizes) == 2 * 16
