"""Joining and cutting."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 4), min_size=1, max_size=6), st.data())
def test_cat_and_stack(shape: list[int], data: st.DataObject) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    check_lowering(
        lambda x, y: (torch.cat([x, y, x], dim), torch.stack([x, y], dim)), random(*shape), random(*shape, seed=1)
    )


def test_cat_promotes() -> None:
    check_lowering(
        lambda x, i: (torch.cat([x, i]), torch.cat([i, i.int()]), torch.cat([i, i > 0])),
        random(2, 3),
        integers(2, 3, high=9),
    )


def test_cat_skips_what_is_empty() -> None:
    check_lowering(
        lambda x: (torch.cat([x, x[:0]]), torch.cat([torch.zeros(0), x]), torch.cat([x[:0], x[:0]])), random(2, 3)
    )


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(1, 9), st.integers(-10, 10), st.integers(-10, 10), st.integers(1, 4), st.integers(0, 2))
def test_slices(length: int, start: int, end: int, step: int, dim: int) -> None:
    shape = [2, 3, 2]
    shape[dim] = length
    index = [slice(None)] * dim + [slice(start, end, step)]
    check_lowering(lambda x: x[tuple(index)] * 1, random(*shape))


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.bool, torch.uint8], ids=str)
def test_cutting_in_parts(dtype: torch.dtype) -> None:
    x = integers(4, 6, high=2).to(dtype)
    check_lowering(
        lambda x: (
            x.chunk(3, 1), x.chunk(4, -1), x.split(4, 1), x.split([1, 3, 2], 1), x.unbind(0), x.tensor_split(4, 1),
            x.hsplit(2), x.vsplit(2), x.narrow(1, 2, 3), x.select(0, -1), x.split([0, 6], 1),
        ),
        x,
        delegate="both",
    )  # fmt: skip


def test_images_stored_channels_last_stay_so() -> None:
    def function(x: torch.Tensor) -> Any:
        first, second = x.chunk(2, 1)
        return torch.cat([second, first], 1), x[:, 1:, ::2, -2:], torch.cat([x, x], 3), x.split([1, 3], 1)

    outcome = check_lowering(stored_channels_last(function), random(2, 4, 5, 6), delegate="both")
    assert "TRANSPOSE" not in outcome.kinds


def test_composed_forms() -> None:
    check_lowering(
        lambda x: (
            torch.hstack([x, x]), torch.vstack([x, x]), torch.dstack([x, x]), torch.column_stack([x, x]),
            torch.block_diag(x, x), torch.cartesian_prod(x[0], x[1]), torch.kron(x, x), torch.outer(x[0], x[1]),
            torch.diff(x), torch.combinations(x[0]), torch.vander(x[0]), torch.atleast_3d(x),
        ),
        random(2, 3),
    )  # fmt: skip
