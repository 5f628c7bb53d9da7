"""Axis orders."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from mobilekit.frontends.direct.values import (
    Value,
    channels_last_order,
    drop_axes,
    identity_order,
    moves_only_ones,
    permuted,
)
from mobilekit.graph.ir import Tensor


def test_channels_last() -> None:
    assert [channels_last_order(rank) for rank in range(6)] == [
        (), (0,), (0, 1), (0, 2, 1), (0, 2, 3, 1), (0, 2, 3, 4, 1)
    ]  # fmt: skip


def test_shape_and_axes_are_pytorchs() -> None:
    image = Value(Tensor("x", (1, 8, 9, 3), "float32"), channels_last_order(4), "float32")
    assert image.shape == (1, 3, 8, 9)
    assert image.axes([0, 1, 2, 3]) == [0, 3, 1, 2]
    assert image.axis(-1) == 2
    assert permuted(image.shape, image.order) == image.tensor.shape


@given(st.permutations(range(4)), st.lists(st.integers(0, 3), unique=True))
def test_dropped_axes_leave_the_rest_in_their_order(order: list[int], dropped: list[int]) -> None:
    stored = np.zeros([axis + 2 for axis in order])  # the size says which axis it is
    left = drop_axes(tuple(order), dropped)
    kept = [axis for axis in order if axis not in dropped]
    assert sorted(left) == list(range(4 - len(dropped)))
    assert [sorted(kept)[axis] for axis in left] == kept
    assert stored.ndim == 4


def test_moving_axes_of_size_one_moves_no_bytes() -> None:
    assert moves_only_ones((1, 4, 1, 3), (1, 0, 2, 3))
    assert moves_only_ones((4, 1, 3), (0, 2, 1))
    assert not moves_only_ones((4, 1, 3), (2, 1, 0))
    assert identity_order(3) == (0, 1, 2)
