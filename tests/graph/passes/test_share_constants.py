"""Equal small constants become one."""

from __future__ import annotations

import numpy as np
import pytest

from mobilekit.graph.ir import Quantization
from mobilekit.graph.passes import share_constants
from tests.graph.passes.helper import Build, check_pass


def test_equal_ones_become_one() -> None:
    g = Build()
    x = g.input(2, 3)
    y = g.binary("ADD", g.binary("MUL", x, g.constant(np.ones(3))), g.constant(np.ones(3)))
    graph = check_pass(share_constants, g.done(y), fires=1)
    assert len(graph.constants()) == 1


@pytest.mark.parametrize(
    "other",
    [
        np.ones((1, 3), np.float32),
        np.ones(3, np.int32),
        np.array([1, 1, 2], np.float32),
        np.array([1, 1, -0.0], np.float32),
    ],
)
def test_other_shapes_dtypes_and_bytes_stay(other: np.ndarray) -> None:
    g = Build()
    x, z = g.input(2, 3), g.input(2, 3, dtype=other.dtype.name)
    first = np.ones(3, np.float32) if other.size == 3 and other[..., -1] != 0 else np.array([1, 1, 0.0], np.float32)
    check_pass(
        share_constants, g.done(g.binary("ADD", x, g.constant(first)), g.binary("ADD", z, g.constant(other))), fires=0
    )


def test_large_ones_are_not_compared() -> None:
    g = Build()
    x = g.input(2, 2000)
    y = g.binary("ADD", g.binary("MUL", x, g.constant(np.ones(2000))), g.constant(np.ones(2000)))
    check_pass(share_constants, g.done(y), fires=0)


def test_scales_that_print_alike_stay_apart() -> None:
    g = Build()
    stored = np.array([1, 2, 3], np.int8)
    near = np.nextafter(np.float32(0.1), np.float32(1))
    parts = [
        g.op("DEQUANTIZE", [g.constant(stored, Quantization.per_tensor(float(scale)))], (3,), "float32")
        for scale in (np.float32(0.1), near)
    ]
    x = g.input(3)
    check_pass(share_constants, g.done(*(g.binary("ADD", x, part) for part in parts)), fires=0)


def test_equal_quantization_is_shared() -> None:
    g = Build()
    stored = np.array([1, 2, 3], np.int8)
    parts = [g.op("DEQUANTIZE", [g.constant(stored, Quantization.per_tensor(0.1))], (3,), "float32") for _ in range(2)]
    x = g.input(3)
    check_pass(share_constants, g.done(*(g.binary("ADD", x, part) for part in parts)), fires=1)


def test_an_output_that_is_a_constant_keeps_its_name() -> None:
    g = Build()
    x, ones = g.input(3), g.constant(np.ones(3))
    check_pass(share_constants, g.done(g.binary("ADD", x, g.constant(np.ones(3))), ones), fires=0)
