"""The table ``cpu`` against what XNNPACK really takes, as the runtime that is installed here shows it."""

from __future__ import annotations

import pytest

from mobilekit.compat.check import check
from mobilekit.compat.observe import observe_xnnpack
from mobilekit.errors import RuntimeUnavailableError
from mobilekit.graph.writer import write
from tests.compat.graphs import conv, graph_of, op, tensor, unary
from tests.compat.xnnpack_cases import cases

pytest.importorskip("ai_edge_litert.interpreter")

CASES = cases()

# Cases where table and runtime differ, each with the reason. None is known.
DIFFERENCES: dict[str, str] = {}


def agree(graph):
    """(kinds of all ops, those on which table and runtime differ) of one graph."""
    seen = observe_xnnpack(write(graph))
    (cpu,) = check(graph, "cpu").targets
    refused = {finding.op_index for finding in cpu.findings if not finding.supported}
    ours = set(range(len(graph.ops))) - refused
    return cpu, seen, ours ^ seen.taken


@pytest.mark.parametrize(("name", "graph"), CASES, ids=[name for name, _ in CASES])
def test_one_op_is_taken_exactly_if_the_table_says_so(name, graph):
    _, _, different = agree(graph)
    assert bool(different) == (name in DIFFERENCES)


def test_the_cases_stand_on_both_sides():
    taken = [bool(observe_xnnpack(write(graph)).taken) for _, graph in CASES[::4]]
    assert 0.25 < sum(taken) / len(taken) < 0.75


def test_a_graph_is_cut_where_the_runtime_cuts_it():
    first = conv(8, 4, 6)
    middle = unary("SIGN", first.output)
    last = conv(8, 6, 6, x=middle.output)
    graph = graph_of([first, middle, last])
    cpu, seen, different = agree(graph)
    assert not different
    assert [len(piece) for piece in seen.pieces] == list(cpu.partitions) == [1, 1]


def test_branches_are_joined_as_the_runtime_joins_them():
    x = tensor(1, 8)
    left, right = unary("NEG", x), unary("ABS", x)
    signs = [unary("SIGN", left.output), unary("SIGN", right.output)]
    end = op("ADD", [signs[0].output, signs[1].output], [tensor(1, 8)])
    graph = graph_of([left, signs[0], right, signs[1], end])
    cpu, seen, different = agree(graph)
    assert not different
    assert sorted(len(piece) for piece in seen.pieces) == sorted(cpu.partitions) == [1, 2]


def test_a_file_that_the_runtime_cannot_load():
    with pytest.raises(RuntimeUnavailableError, match="cannot load this file"):
        observe_xnnpack(b"nonsense")
