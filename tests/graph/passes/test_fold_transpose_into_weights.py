"""A linear layer reads the image as it is stored."""

from __future__ import annotations

from mobilekit.graph.ir import Tensor
from mobilekit.graph.passes import fold_transpose_into_weights
from tests.graph.passes.helper import ROUNDING, Build, check_pass


def _flat(g: Build) -> tuple[Tensor, Tensor]:
    moved = g.transpose(g.input(2, 3, 4, 5), 0, 3, 1, 2)
    return moved, g.reshape(moved, 2, 60)


def _dense(g: Build, x: Tensor, features: int = 60) -> Tensor:
    return g.op("FULLY_CONNECTED", [x, g.weights(7, features), g.weights(7)], (x.size // features, 7))


def test_it_moves_the_columns() -> None:
    g = Build()
    graph = check_pass(fold_transpose_into_weights, g.done(_dense(g, _flat(g)[1])), fires=1, tolerance=ROUNDING)
    assert [op.kind for op in graph.ops] == ["RESHAPE", "FULLY_CONNECTED"]


def test_it_leaves_values_with_other_readers() -> None:
    g = Build()
    moved, flat = _flat(g)
    check_pass(fold_transpose_into_weights, g.done(_dense(g, flat), g.op("ABS", [flat], flat.shape)), fires=0)
    g = Build()
    moved, flat = _flat(g)
    check_pass(fold_transpose_into_weights, g.done(_dense(g, flat), g.op("ABS", [moved], moved.shape)), fires=0)


def test_it_leaves_outputs() -> None:
    for index in range(2):
        g = Build()
        values = _flat(g)
        check_pass(fold_transpose_into_weights, g.done(values[index], _dense(g, values[1])), fires=0)


def test_it_leaves_weights_that_cut_the_rows_otherwise() -> None:
    g = Build()
    check_pass(fold_transpose_into_weights, g.done(_dense(g, _flat(g)[1], features=30)), fires=0)


def test_it_leaves_a_moved_batch() -> None:
    g = Build()
    moved = g.transpose(g.input(3, 2, 4, 5), 1, 0, 2, 3)
    check_pass(fold_transpose_into_weights, g.done(_dense(g, g.reshape(moved, 2, 60))), fires=0)
