"""Ops that give back what they are given go."""

from __future__ import annotations

import numpy as np

from mobilekit.graph.passes import remove_identity
from tests.graph.passes.helper import Build, check_pass


def test_each_kind() -> None:
    g = Build()
    x = g.input(2, 3)
    y = g.transpose(g.reshape(x, 2, 3), 0, 1)
    y = g.op("PAD", [y, g.constant([(0, 0), (0, 0)])], (2, 3))
    y = g.op("SLICE", [y, g.constant([0, 0]), g.constant([2, 3])], (2, 3))
    y = g.op("CAST", [y], (2, 3))
    y = g.op("BROADCAST_TO", [y, g.constant([2, 3])], (2, 3))
    y = g.op("CONCATENATION", [y], (2, 3), axis=0)
    graph = check_pass(remove_identity, g.done(g.op("ABS", [y], (2, 3))), fires=7)
    assert [op.kind for op in graph.ops] == ["ABS"]


def test_several_readers_read_the_source() -> None:
    g = Build()
    x = g.reshape(g.input(2, 3), 2, 3)
    check_pass(remove_identity, g.done(g.op("ABS", [x], (2, 3)), g.op("NEG", [x], (2, 3))), fires=1)


def test_outputs_stay_their_own_tensor() -> None:
    g = Build()
    check_pass(remove_identity, g.done(g.reshape(g.input(2, 3), 2, 3)), fires=0)


def test_what_does_something_stays() -> None:
    g = Build()
    x = g.input(3, 3)
    values = [
        g.transpose(x, 1, 0),  # equal shapes, other elements
        g.op("CAST", [x], (3, 3), "int32"),
        g.reshape(x, 9),
        g.op("PAD", [x, g.constant([(0, 1), (0, 0)])], (4, 3)),
    ]
    results = [g.op("ABS", [y], y.shape) for y in values]
    check_pass(remove_identity, g.done(*results), fires=0)


def test_dynamic_shapes_and_other_scales_stay() -> None:
    g = Build()
    x = g.input(2, 3)
    x.shape_signature = (-1, 3)
    check_pass(remove_identity, g.done(g.op("ABS", [g.reshape(x, 2, 3)], (2, 3))), fires=0)
    g = Build()
    x = g.input(2, 3, dtype="int8", scale=0.5)
    y = g.op("RESHAPE", [x, g.constant([2, 3])], (2, 3), scale=0.25, new_shape=np.array([2, 3], np.int32))
    graph = g.done(g.op("QUANTIZE", [y], (2, 3), scale=0.1))
    assert remove_identity(graph) == 0
