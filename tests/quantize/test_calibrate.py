"""Calibration streams, and says whether the samples were enough."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from mobilekit.errors import CalibrationError
from mobilekit.graph.ir import Graph, Op
from mobilekit.quantize import preset, quantize
from mobilekit.quantize.calibrate import calibrate
from tests.quantize.graphs import constant, float_tensor, samples, small_network

MIB = 1 << 20


def wide_graph() -> Graph:
    """1 MiB in -> MEAN -> 64 values out: what is held is samples, not activations."""
    x, y = float_tensor("x", 1, 64, 64, 64), float_tensor("y", 1, 64)
    return Graph(
        inputs=[x], outputs=[y], ops=[Op("MEAN", [x, constant("axes", [1, 2], "int32")], [y], {"keep_dims": False})]
    )


def peak_bytes(count: int) -> int:
    graph = wide_graph()
    rng = np.random.default_rng(0)
    stream = ([rng.random((1, 64, 64, 64), np.float32)] for _ in range(count))
    tracemalloc.start()
    try:
        assert quantize(graph, stream, preset("int8")).samples == count
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_number_of_samples() -> None:
    """Sixteen samples fill what is kept (8 for the channels, 8 judges); 240 MiB more may not show in the peak.

    A twentieth of what came on top, since allocation itself wavers by a few arrays of 1 MiB.
    """
    few, many = peak_bytes(16), peak_bytes(256)
    assert few > 16 * MIB  # the measurement sees the samples
    assert many < few + 12 * MIB


def test_progress_counts_the_samples_and_knows_the_total_where_there_is_one() -> None:
    graph = small_network()
    told: list[tuple[str, int, int | None]] = []
    calibrate(graph, samples(graph, 3), progress=lambda *step: told.append(step))
    calibrate(graph, iter(samples(graph, 2)), progress=lambda *step: told.append(step))
    assert told == [("calibrate", n, 3) for n in (1, 2, 3)] + [("calibrate", n, None) for n in (1, 2)]


def test_no_sample_is_an_error() -> None:
    with pytest.raises(CalibrationError, match="there is no calibration sample"):
        calibrate(small_network(), [])
