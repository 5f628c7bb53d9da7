"""Per-channel multiplies and adds go into the weights before them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mobilekit.graph.ir import Tensor
from mobilekit.graph.passes import fold_batch_norm
from tests.graph.passes.helper import ROUNDING, Build, check_pass


def _depthwise(g: Build, x: Tensor) -> Tensor:
    options = {"padding": "SAME", "stride_h": 1, "stride_w": 1, "dilation_h_factor": 1, "dilation_w_factor": 1}
    inputs = [x, g.weights(1, 3, 3, 4), g.weights(4)]
    return g.op("DEPTHWISE_CONV_2D", inputs, x.shape, depth_multiplier=1, **options)


def _dense(g: Build, x: Tensor) -> Tensor:
    return g.op("FULLY_CONNECTED", [x, g.weights(4, 4), g.weights(4)], x.shape, keep_num_dims=True)


def _transposed(g: Build, x: Tensor) -> Tensor:
    n, h, w, c = x.shape
    shape = (n, 2 * h, 2 * w, c)
    inputs = [g.constant(shape), g.weights(4, 2, 2, 4), x, g.weights(4)]
    return g.op("TRANSPOSE_CONV", inputs, shape, "float32", padding="VALID", stride_h=2, stride_w=2)


@pytest.mark.parametrize("host", [lambda g, x: g.conv(x, 4, 1), _depthwise, _dense, _transposed])
@pytest.mark.parametrize("shape", [(4,), (1, 4), (1, 1, 1, 4), (), (1,)])
@pytest.mark.parametrize("swapped", [False, True])
def test_it_folds_a_multiply_and_an_add(host: Any, shape: tuple[int, ...], swapped: bool) -> None:
    g = Build()
    y = host(g, g.input(1, 5, 6, 4))
    for kind in ("MUL", "ADD"):
        operand = g.weights(*shape)
        y = g.binary(kind, operand, y) if swapped else g.binary(kind, y, operand)
    graph = check_pass(fold_batch_norm, g.done(y), fires=2, tolerance=ROUNDING)
    assert len(graph.ops) == 1


def test_an_activation_on_the_folded_op_stays() -> None:
    g = Build()
    y = g.binary("ADD", g.conv(g.input(1, 5, 6, 3), 4), g.weights(4))
    g.graph.ops[-1].options["fused_activation_function"] = "RELU"
    graph = check_pass(fold_batch_norm, g.done(y), fires=1, tolerance=ROUNDING)
    assert graph.ops[0].options["fused_activation_function"] == "RELU"


def test_two_layers_that_share_weights_keep_their_own_norms() -> None:
    g = Build()
    x, z = g.input(1, 5, 6, 3), g.input(1, 7, 8, 3)
    a, b = g.conv(x, 4), g.conv(z, 4)
    g.graph.ops[1].inputs[1:] = g.graph.ops[0].inputs[1:]
    check_pass(
        fold_batch_norm,
        g.done(g.binary("MUL", a, g.weights(4)), g.binary("MUL", b, g.weights(4))),
        fires=2,
        tolerance=ROUNDING,
    )


@pytest.mark.parametrize("shape", [(5, 6, 4), (1, 5, 6, 1), (6, 1), (2, 1, 1, 4)])
def test_it_leaves_operands_that_vary_along_space_or_add_an_axis(shape: tuple[int, ...]) -> None:
    g = Build()
    check_pass(fold_batch_norm, g.done(g.binary("ADD", g.conv(g.input(1, 5, 6, 3), 4), g.weights(*shape))), fires=0)


def test_it_leaves_a_host_with_an_activation_of_its_own() -> None:
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 4, fused_activation_function="RELU")
    check_pass(fold_batch_norm, g.done(g.binary("MUL", y, g.weights(4))), fires=0)


def test_it_leaves_a_host_with_two_readers() -> None:
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 4)
    check_pass(fold_batch_norm, g.done(g.binary("MUL", y, g.weights(4)), g.op("ABS", [y], y.shape)), fires=0)


def test_it_leaves_a_host_that_is_an_output() -> None:
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 4)
    check_pass(fold_batch_norm, g.done(y, g.binary("MUL", y, g.weights(4))), fires=0)


def test_it_leaves_computed_operands_and_weights() -> None:
    g = Build()
    y = g.conv(g.input(1, 5, 6, 3), 4)
    dense = g.op("FULLY_CONNECTED", [g.input(2, 3), g.input(4, 3), g.weights(4)], (2, 4))
    check_pass(fold_batch_norm, g.done(g.binary("MUL", y, g.input(4)), g.binary("MUL", dense, g.weights(4))), fires=0)


def test_weights_in_half_precision_stay_so() -> None:
    """fp16 files hold DEQUANTIZE(weights): folding would turn them into float32 constants."""
    g = Build()
    half = g.constant(np.ones((4, 1, 1, 3), np.float16))
    y = g.conv(g.input(1, 5, 6, 3), 4)
    weights = g.op("DEQUANTIZE", [half], half.shape, "float32")
    g.graph.ops.insert(0, g.graph.ops.pop())
    g.graph.ops[1].inputs[1] = weights
    check_pass(fold_batch_norm, g.done(g.binary("MUL", y, g.weights(4))), fires=0)
