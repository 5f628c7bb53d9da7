from __future__ import annotations

import pytest

from mobilekit.compat.cost import macs, peak_memory, tensor_bytes
from tests.compat.graphs import conv, graph_of, ints, op, tensor, weights


@pytest.mark.parametrize(
    ("made", "count"),
    [
        (conv(8, 4, 6), 8 * 8 * 6 * 3 * 3 * 4),
        (
            op("DEPTHWISE_CONV_2D", [tensor(1, 8, 8, 4), weights(1, 3, 3, 4), weights(4)], [tensor(1, 8, 8, 4)]),
            8 * 8 * 4 * 9,
        ),
        (op("FULLY_CONNECTED", [tensor(5, 8), weights(3, 8), None], [tensor(5, 3)]), 5 * 3 * 8),
        (op("BATCH_MATMUL", [tensor(2, 3, 4), tensor(2, 4, 5)], [tensor(2, 3, 5)]), 2 * 3 * 4 * 5),
        (op("BATCH_MATMUL", [tensor(2, 4, 3), tensor(2, 4, 5)], [tensor(2, 3, 5)], adj_x=True), 2 * 3 * 4 * 5),
        (
            op("TRANSPOSE_CONV", [ints(1, 8, 8, 6), weights(6, 2, 2, 4), tensor(1, 4, 4, 4)], [tensor(1, 8, 8, 6)]),
            4 * 4 * 4 * 2 * 2 * 6,
        ),
        (op("ADD", [tensor(4), tensor(4)], [tensor(4)]), 0),
        (op("RELU", [tensor(4)], [tensor(4)]), 0),
    ],
    ids=lambda value: getattr(value, "kind", ""),
)
def test_multiply_accumulates(made, count):
    assert macs(made) == count


@pytest.mark.parametrize(
    ("dtype", "size"), [("float32", 12), ("int8", 3), ("int4", 2), ("bool", 3), ("int64", 24), ("string", 0)]
)
def test_bytes_of_three_values(dtype, size):
    assert tensor_bytes(tensor(3, dtype=dtype)) == size


def test_peak_memory_frees_after_the_last_use_and_keeps_the_outputs():
    x, a, b, c = tensor(100), tensor(50), tensor(10), tensor(1)
    graph = graph_of([op("X", [x], [a]), op("X", [a], [b]), op("X", [b], [c])])
    assert peak_memory(graph) == 4 * 150
    x, a, b, c = tensor(10), tensor(50), tensor(20), tensor(1)
    graph = graph_of([op("X", [x], [a]), op("X", [a], [b]), op("ADD", [a, b], [c])])
    assert peak_memory(graph) == 4 * 71  # a lives on next to b and c.


def test_constants_do_not_count():
    graph = graph_of([op("FULLY_CONNECTED", [tensor(1, 8), weights(4, 8), None], [tensor(1, 4)])])
    assert peak_memory(graph) == 4 * 12
