from __future__ import annotations

import math

import numpy as np
import pytest

from mobilekit.compat.advice import GENERAL, SUGGESTIONS, suggestion
from mobilekit.compat.check import check
from mobilekit.graph.schema import KIND_TO_CODE
from tests.compat.graphs import conv, graph_of, op, tensor, unary


def stack(*middles):
    """conv, a refused op, conv, a refused op, ... conv."""
    ops = [conv(8, 4, 6)]
    for kind in middles:
        ops.append(unary(kind, ops[-1].output))
        ops.append(conv(8, 6, 6, x=ops[-1].output))
    return graph_of(ops)


def test_the_error_that_is_named_for_the_sigmoid_form_of_gelu_is_right():
    x = np.linspace(-8, 8, 20001)
    gelu = x * 0.5 * (1 + np.array([math.erf(v / math.sqrt(2)) for v in x]))
    error = np.abs(gelu - x / (1 + np.exp(-1.702 * x))).max()
    assert 0.020 < error < 0.021


def test_every_suggestion_is_for_an_op_that_exists():
    assert {kind for kind, _, _ in SUGGESTIONS} <= set(KIND_TO_CODE)
    assert all(text for *_, text in SUGGESTIONS + GENERAL)


@pytest.mark.parametrize(
    ("kind", "reason", "start"),
    [
        ("CONCATENATION", "number of inputs is 6, must be 2 to 5", "concatenate in groups"),
        ("CONCATENATION", "input 0 is float32, taken are int8, uint8", "quantize to int8"),
        ("CUSTOM Mine", "custom op 'Mine' is not known to it", "register the op"),
        ("RELU", "op version 3, at most 2 is taken", "write the file for an older runtime"),
    ],
)
def test_what_to_write_instead(kind, reason, start):
    assert str(suggestion(kind, [reason])).startswith(start)


def test_nothing_is_suggested_where_nothing_is_known():
    assert suggestion("WHERE", ["WHERE is not in its list of ops"]) is None


def test_a_refused_op_carries_its_suggestion():
    many = op("CONCATENATION", [tensor(1, 4) for _ in range(6)], [tensor(1, 24)], axis=1)
    (cpu,) = check(graph_of([many]), "cpu").targets
    assert "groups of at most 5" in str(cpu.findings[0].suggestion)


def test_the_change_that_joins_most_comes_first():
    (cpu,) = check(stack("SIGN", "SIGN", "GATHER_ND"), "cpu").targets
    assert cpu.pieces == 7
    first, second = cpu.joins
    assert (first.kind, first.ops, first.pieces_before, first.pieces_after) == ("SIGN", (1, 3), 7, 3)
    assert (second.kind, second.ops, second.pieces_after) == ("GATHER_ND", (5,), 5)


def test_reasons_that_differ_in_numbers_only_are_one_change():
    first = op("CONCATENATION", [tensor(1, 4) for _ in range(6)], [tensor(1, 24)], axis=1)
    middle = unary("NEG", first.output)
    more = [tensor(1, 4) for _ in range(7)]
    last = op("CONCATENATION", [middle.output, *more], [tensor(1, 52)], axis=1)
    end = unary("NEG", last.output)
    (cpu,) = check(graph_of([first, middle, last, end]), "cpu").targets
    (join,) = cpu.joins
    assert join.ops == (0, 2)
    assert join.pieces_after == 1


def test_nothing_joins_where_nothing_is_taken_or_nothing_is_cut():
    assert check(graph_of([unary("SIGN", tensor(4))]), "cpu").targets[0].joins == ()
    assert check(graph_of([conv()]), "cpu").targets[0].joins == ()
