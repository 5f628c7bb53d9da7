"""Running totals."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last


@settings(max_examples=20, deadline=None, derandomize=True)
@given(st.lists(st.integers(1, 5), min_size=1, max_size=6), st.data())
def test_any_axis(shape: list[int], data: st.DataObject) -> None:
    dim = data.draw(st.integers(-len(shape), len(shape) - 1))
    check_lowering(lambda x: (x.cumsum(dim), x.cumprod(dim), x.cummax(dim), x.cummin(dim)), random(*shape))


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int8, torch.uint8], ids=str)
def test_integers(dtype: torch.dtype) -> None:
    x = integers(3, 7, high=4).to(dtype)
    check_lowering(lambda x: (x.cumsum(1), x.cumprod(0), x.cummax(1), x.cummin(1)), x)


def test_dtype_of_the_result() -> None:
    check_lowering(lambda i: (i.cumsum(0, dtype=torch.float32), (i > 0).cumsum(0)), integers(5, low=-3, high=4))


def test_the_last_of_equals_is_found() -> None:
    check_lowering(lambda x: (x.cummax(1), x.cummin(1)), torch.tensor([[1.0, 3, 3, 2, 1, 1, 4]]))


def test_image_stored_channels_last() -> None:
    outcome = check_lowering(
        stored_channels_last(lambda x: (x.cumsum(1), x.cumprod(2), x.cummax(3))), random(1, 3, 4, 5)
    )
    assert "TRANSPOSE" not in outcome.kinds


def test_rank_zero() -> None:
    check_lowering(lambda s: (s.cumsum(0), s.cummax(0), s.cumprod(0)), torch.tensor(1.5))
