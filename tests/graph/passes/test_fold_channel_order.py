"""Weights put channels in order instead of a GATHER."""

from __future__ import annotations

import pytest

from mobilekit.graph.ir import Tensor
from mobilekit.graph.passes import fold_channel_order
from tests.graph.passes.helper import ROUNDING, Build, check_pass

ORDER = [2, 0, 3, 1]


def _gather(g: Build, x: Tensor, order: list[int] | None = None, axis: int = -1) -> Tensor:
    where = g.constant(order or ORDER)
    return g.op("GATHER", [x, where], x.shape, axis=axis % x.rank, batch_dims=0)


def _dense(g: Build, x: Tensor) -> Tensor:
    return g.op("FULLY_CONNECTED", [x, g.weights(4, 4), g.weights(4)], x.shape, keep_num_dims=True)


def test_into_the_layer_before() -> None:
    """Each output channel is the same sum as before: equal bit for bit."""
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 4, fused_activation_function="RELU")
    graph = check_pass(fold_channel_order, g.done(_gather(g, y)), fires=1)
    assert graph.op_counts() == {"CONV_2D": 1}
    g = Build()
    check_pass(fold_channel_order, g.done(_gather(g, _dense(g, g.input(2, 3, 4)))), fires=1)


def test_into_the_layer_behind() -> None:
    """The same terms are summed in another order."""
    g = Build()
    graph = check_pass(
        fold_channel_order, g.done(g.conv(_gather(g, g.input(1, 5, 6, 4)), 3, 3)), fires=1, tolerance=ROUNDING
    )
    assert graph.op_counts() == {"CONV_2D": 1}
    g = Build()
    check_pass(fold_channel_order, g.done(_dense(g, _gather(g, g.input(2, 3, 4)))), fires=1, tolerance=ROUNDING)


def test_two_in_a_row() -> None:
    g = Build()
    y = _gather(g, _gather(g, g.conv(g.input(1, 5, 6, 3), 4)), [1, 0, 3, 2])
    check_pass(fold_channel_order, g.done(y), fires=2)


def test_shared_weights_stay_for_the_other_reader() -> None:
    g = Build()
    x = g.input(1, 5, 6, 3)
    a, b = g.conv(x, 4), g.conv(x, 4)
    g.graph.ops[1].inputs[1:] = g.graph.ops[0].inputs[1:]
    check_pass(fold_channel_order, g.done(_gather(g, a), b), fires=1)


def test_it_leaves_values_with_other_readers_or_as_outputs() -> None:
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 4)
    check_pass(fold_channel_order, g.done(_gather(g, y), g.op("ABS", [y], y.shape)), fires=0)
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 4)
    check_pass(fold_channel_order, g.done(y, _gather(g, y)), fires=0)
    g = Build()
    z = _gather(g, g.input(1, 5, 6, 4))
    check_pass(fold_channel_order, g.done(z, g.conv(z, 3)), fires=0)


@pytest.mark.parametrize(("order", "axis"), [([0, 0, 1, 2], -1), ([1, 0, 3, 2], 1)])
def test_it_leaves_what_is_no_order_of_channels(order: list[int], axis: int) -> None:
    g = Build()
    check_pass(fold_channel_order, g.done(_gather(g, g.conv(g.input(1, 4, 6, 3), 4), order, axis)), fires=0)


def test_it_leaves_groups() -> None:
    g = Build()
    x = g.input(1, 5, 6, 4)
    options = {"padding": "VALID", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    grouped = g.op("CONV_2D", [x, g.weights(4, 1, 1, 2), g.weights(4)], x.shape, **options)
    check_pass(fold_channel_order, g.done(_gather(g, grouped)), fires=0)
    g = Build()
    depthwise = [g.input(1, 5, 6, 4), g.weights(1, 1, 1, 4), g.weights(4)]
    y = g.op("DEPTHWISE_CONV_2D", depthwise, (1, 5, 6, 4), depth_multiplier=1, **options)
    check_pass(fold_channel_order, g.done(_gather(g, y)), fires=0)


def test_it_leaves_an_order_that_is_computed() -> None:
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 4)
    where = g.op("CAST", [g.input(4)], (4,), "int32")
    graph = g.done(g.op("GATHER", [y, where], y.shape, axis=3, batch_dims=0))
    text = str(graph)
    assert fold_channel_order(graph) == 0
    assert str(graph) == text
