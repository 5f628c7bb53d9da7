"""Sorting, searching, order statistics."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=5), st.booleans(), st.data())
def test_any_axis(shape: list[int], descending: bool, data: st.DataObject) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    count = data.draw(st.integers(1, shape[dim]))
    check_lowering(
        lambda x: (
            x.sort(dim, descending),
            x.argsort(dim, descending),
            x.topk(count, dim, largest=descending),
            x.kthvalue(count, dim),
            x.median(dim, True),
        ),
        random(*shape),
    )


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8, torch.uint8], ids=str)
def test_equals_keep_their_order(dtype: torch.dtype) -> None:
    x = integers(3, 9, high=4).to(dtype)
    check_lowering(lambda x: (x.sort(dim=1, stable=True), x.sort(dim=1, stable=True, descending=True)), x)


def test_extreme_integers() -> None:
    x = torch.tensor([2**31 - 1, -(2**31), 0, -1, 1])
    check_lowering(lambda x: (x.sort(), x.sort(descending=True)), x)


def test_of_everything() -> None:
    check_lowering(
        lambda x, s: (x.median(), torch.msort(x), s.sort(), s.topk(1), s.median()), random(3, 4), torch.tensor(2.5)
    )


def test_image_stored_channels_last() -> None:
    outcome = check_lowering(stored_channels_last(lambda x: x.topk(2, 1)), random(1, 4, 3, 3))
    assert "TRANSPOSE" not in outcome.kinds


def test_searching() -> None:
    def function(x: torch.Tensor, rows: torch.Tensor) -> Any:
        edges = torch.tensor([-1.0, 0.0, 0.0, 1.0])
        return (
            torch.bucketize(x, edges),
            torch.bucketize(x, edges, right=True, out_int32=True),
            torch.searchsorted(rows, x),
            torch.searchsorted(edges, x, side="right"),
            torch.searchsorted(edges, x.round()),
        )

    check_lowering(function, random(2, 3, 4), random(2, 3, 5).sort(-1)[0])
