"""Transposes that meet their opposite go."""

from __future__ import annotations

from mobilekit.graph.passes import cancel_transposes, remove_dead_ops, remove_identity, run_passes, share_constants
from tests.graph.passes.helper import Build, check_pass


def test_a_pair_becomes_one() -> None:
    g = Build()
    y = g.transpose(g.transpose(g.input(1, 2, 3, 4), 0, 2, 3, 1), 0, 3, 2, 1)
    graph = check_pass(cancel_transposes, g.done(y), fires=1)
    remove_dead_ops(graph)
    assert graph.op_counts() == {"TRANSPOSE": 1}


def test_opposites_go_past_a_pointwise_op() -> None:
    g = Build()
    middle = g.op("LOGISTIC", [g.transpose(g.input(1, 2, 3, 4), 0, 2, 3, 1)], (1, 3, 4, 2))
    y = g.op("TANH", [g.transpose(middle, 0, 3, 1, 2)], (1, 2, 3, 4))
    graph = check_pass(cancel_transposes, g.done(y), fires=1)
    run_passes(graph)
    assert graph.op_counts() == {"LOGISTIC": 1, "TANH": 1}


def test_a_first_transpose_with_another_reader_stays() -> None:
    g = Build()
    first = g.transpose(g.input(1, 2, 3, 4), 0, 2, 3, 1)
    second = g.transpose(first, 0, 3, 1, 2)
    graph = g.done(g.op("ABS", [first], first.shape), g.op("NEG", [second], second.shape))
    check_pass(cancel_transposes, graph, fires=1)
    remove_identity(graph)
    remove_dead_ops(graph)
    assert graph.op_counts() == {"ABS": 1, "NEG": 1, "TRANSPOSE": 1}


def test_it_does_not_pass_an_op_when_the_transposed_value_has_another_reader() -> None:
    g = Build()
    first = g.transpose(g.input(1, 2, 3, 4), 0, 2, 3, 1)
    last = g.transpose(g.op("ABS", [first], first.shape), 0, 3, 1, 2)
    check_pass(cancel_transposes, g.done(last, g.op("NEG", [first], first.shape)), fires=0)


def test_it_does_not_pass_an_op_when_the_transposed_value_is_an_output() -> None:
    g = Build()
    first = g.transpose(g.input(1, 2, 3, 4), 0, 2, 3, 1)
    last = g.transpose(g.op("ABS", [first], first.shape), 0, 3, 1, 2)
    check_pass(cancel_transposes, g.done(first, last), fires=0)


def test_it_does_not_pass_an_op_whose_result_is_an_output() -> None:
    g = Build()
    middle = g.op("ABS", [g.transpose(g.input(1, 2, 3, 4), 0, 2, 3, 1)], (1, 3, 4, 2))
    check_pass(cancel_transposes, g.done(middle, g.transpose(middle, 0, 3, 1, 2)), fires=0)


def test_it_does_not_pass_an_op_with_a_reader_that_is_no_transpose() -> None:
    g = Build()
    middle = g.op("ABS", [g.transpose(g.input(1, 2, 3, 4), 0, 2, 3, 1)], (1, 3, 4, 2))
    last = g.transpose(middle, 0, 3, 1, 2)
    check_pass(cancel_transposes, g.done(last, g.op("NEG", [middle], middle.shape)), fires=0)


def test_it_goes_past_quantize() -> None:
    g = Build()
    stored = g.op("QUANTIZE", [g.transpose(g.input(1, 2, 3, 4), 0, 2, 3, 1)], (1, 3, 4, 2), "int8", scale=0.1)
    graph = check_pass(cancel_transposes, g.done(g.transpose(stored, 0, 3, 1, 2, scale=0.1)), fires=1)
    assert [op.kind for op in graph.ops] == ["QUANTIZE", "TRANSPOSE", "TRANSPOSE"]
    assert graph.ops[0].output.quantization is not None


def test_names_stay_unique_when_a_merged_permutation_is_shared_and_merged_again() -> None:
    g = Build()
    x, z = g.input(2, 3, 4), g.input(3, 4, 2)
    a = g.transpose(g.transpose(x, 1, 2, 0), 1, 2, 0)
    graph = g.done(g.transpose(a, 1, 2, 0), g.transpose(z, 2, 0, 1))
    check_pass(cancel_transposes, graph, fires=2)
    check_pass(
        share_constants, graph, fires=len(graph.constants()) - len({t.data.tobytes() for t in graph.constants()})
    )
    run_passes(graph)
