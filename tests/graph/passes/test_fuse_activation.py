"""Activations join the op before them."""

from __future__ import annotations

import pytest

from mobilekit.graph.passes import fuse_activation
from tests.graph.passes.helper import Build, check_pass


@pytest.mark.parametrize("kind", ["RELU", "RELU6", "RELU_N1_TO_1"])
def test_it_fuses(kind: str) -> None:
    g = Build()
    x = g.input(1, 5, 6, 3)
    y = g.op(kind, [g.conv(x, 3)], x.shape)
    z = g.op(kind, [g.binary("SUB", y, x)], x.shape)
    graph = check_pass(fuse_activation, g.done(z), fires=2)
    assert [op.options["fused_activation_function"] for op in graph.ops] == [kind, kind]


def test_a_second_activation_stays() -> None:
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 3)
    graph = check_pass(fuse_activation, g.done(g.op("RELU", [g.op("RELU6", [y], y.shape)], y.shape)), fires=1)
    assert graph.op_counts() == {"CONV_2D": 1, "RELU": 1}


def test_it_leaves_a_value_with_two_readers_or_as_output() -> None:
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 3)
    check_pass(fuse_activation, g.done(g.op("RELU", [y], y.shape), g.op("ABS", [y], y.shape)), fires=0)
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 3)
    check_pass(fuse_activation, g.done(g.op("RELU", [y], y.shape), y), fires=0)


@pytest.mark.parametrize("kind", ["RELU_0_TO_1", "TANH", "LOGISTIC"])
def test_it_leaves_what_kernels_do_not_fuse(kind: str) -> None:
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 3)
    check_pass(fuse_activation, g.done(g.op(kind, [y], y.shape)), fires=0)


def test_it_leaves_hosts_that_cannot() -> None:
    g = Build()
    x = g.input(1, 4)
    joined = g.op("CONCATENATION", [x, x], (1, 8), axis=1)
    check_pass(fuse_activation, g.done(g.op("RELU", [joined], joined.shape)), fires=0)


def test_it_leaves_quantized_graphs() -> None:
    g = Build()
    x = g.input(1, 4, dtype="int8", scale=0.1)
    total = g.op("ADD", [x, x], (1, 4), scale=0.2, fused_activation_function="NONE")
    check_pass(fuse_activation, g.done(g.op("RELU", [total], (1, 4), scale=0.1)), fires=0)
