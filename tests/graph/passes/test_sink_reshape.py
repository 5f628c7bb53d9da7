"""Reshapes go behind pointwise ops."""

from __future__ import annotations

import pytest

from mobilekit.graph.passes import run_passes, sink_reshape
from tests.graph.passes.helper import ROUNDING, Build, check_pass


def test_past_a_batch_norm_and_an_activation() -> None:
    g = Build()
    y = g.reshape(g.conv(g.input(2, 1, 6, 3), 4), 2, 6, 4)
    y = g.binary("ADD", g.binary("MUL", y, g.weights(1, 1, 4)), g.weights(4))
    graph = check_pass(sink_reshape, g.done(g.op("RELU", [y], y.shape)), fires=3)
    assert [op.kind for op in graph.ops] == ["CONV_2D", "MUL", "ADD", "RELU", "RESHAPE"]


def test_two_layers_of_one_dimension_meet() -> None:
    g = Build()
    y = g.reshape(g.conv(g.input(2, 1, 6, 3), 4), 2, 6, 4)
    y = g.op("RELU", [g.binary("MUL", y, g.weights(1, 1, 4))], y.shape)
    y = g.reshape(g.conv(g.reshape(y, 2, 1, 6, 4), 5), 2, 6, 5)

    def whole(graph: object) -> int:
        return sum(run_passes(graph).values()) and 1  # type: ignore[arg-type]

    graph = check_pass(whole, g.done(y), fires=1, tolerance=ROUNDING)
    assert [op.kind for op in graph.ops] == ["CONV_2D", "CONV_2D", "RESHAPE"]


def test_a_residual_of_two_reshapes() -> None:
    g = Build()
    a, b = (g.reshape(g.input(2, 1, 6, 3), 2, 6, 3) for _ in range(2))
    graph = check_pass(sink_reshape, g.done(g.binary("ADD", a, b)), fires=1)
    assert [op.kind for op in graph.ops] == ["ADD", "RESHAPE"]


def test_a_value_added_to_itself() -> None:
    g = Build()
    a = g.reshape(g.input(2, 1, 6, 3), 2, 6, 3)
    check_pass(sink_reshape, g.done(g.binary("ADD", a, a)), fires=1)


@pytest.mark.parametrize("shape", [(), (1,), (1, 1)])
def test_one_number_goes_with_any_shape(shape: tuple[int, ...]) -> None:
    g = Build()
    check_pass(sink_reshape, g.done(g.binary("SUB", g.weights(*shape), g.reshape(g.input(2, 6), 3, 4))), fires=1)


def test_it_stays_before_operands_that_need_the_shape() -> None:
    for shape in ((4,), (3, 1), (3, 4)):
        g = Build()
        check_pass(sink_reshape, g.done(g.binary("ADD", g.reshape(g.input(2, 6), 3, 4), g.weights(*shape))), fires=0)
    g = Build()
    check_pass(sink_reshape, g.done(g.binary("ADD", g.reshape(g.input(2, 6), 3, 4), g.input(3, 4))), fires=0)
    g = Build()
    a, b = g.reshape(g.input(2, 6), 3, 4), g.reshape(g.input(12), 3, 4)
    check_pass(sink_reshape, g.done(g.binary("ADD", a, b)), fires=0)


def test_it_stays_where_it_is_broadcast() -> None:
    g = Build()
    small = g.reshape(g.input(4), 1, 4)
    check_pass(sink_reshape, g.done(g.binary("ADD", small, g.weights(3, 4))), fires=0)


def test_it_stays_with_other_readers_or_as_output() -> None:
    g = Build()
    y = g.reshape(g.input(2, 6), 3, 4)
    check_pass(sink_reshape, g.done(g.op("ABS", [y], (3, 4)), g.op("NEG", [y], (3, 4))), fires=0)
    g = Build()
    y = g.reshape(g.input(2, 6), 3, 4)
    check_pass(sink_reshape, g.done(g.op("ABS", [y], (3, 4)), y), fires=0)


def test_it_stays_in_dynamic_graphs() -> None:
    g = Build()
    x = g.input(2, 6)
    x.shape_signature = (-1, 6)
    check_pass(sink_reshape, g.done(g.op("ABS", [g.reshape(x, 3, 4)], (3, 4))), fires=0)
