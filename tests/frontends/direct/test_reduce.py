"""Reductions with one op."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last


@st.composite
def _shape_and_dims(draw: st.DrawFn) -> tuple[list[int], list[int], bool]:
    """Up to rank 6, any set of axes counted from either end."""
    shape = draw(st.lists(st.integers(1, 4), min_size=1, max_size=6))
    axes = draw(st.lists(st.integers(0, len(shape) - 1), min_size=1, unique=True))
    return shape, [axis - len(shape) if draw(st.booleans()) else axis for axis in axes], draw(st.booleans())


@settings(max_examples=40, deadline=None, derandomize=True)
@given(_shape_and_dims())
def test_any_axes(drawn: tuple[list[int], list[int], bool]) -> None:
    shape, dims, keepdim = drawn
    check_lowering(
        lambda x: (
            x.sum(dims, keepdim),
            x.mean(dims, keepdim),
            torch.amax(x, dims, keepdim),
            torch.amin(x, dims, keepdim),
            (x > 0).any(dims, keepdim) if len(dims) < len(shape) else (x > 0).any(),
            x.prod(dims[0], keepdim),
            x.argmax(dims[0], keepdim),
            x.max(dims[0], keepdim),
            x.min(dims[0], keepdim),
        ),
        random(*shape),
    )


@pytest.mark.parametrize("dtype", [torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8], ids=str)
def test_integers(dtype: torch.dtype) -> None:
    """Sums and products come out as int64, extremes in their own dtype; any and all of uint8 are uint8."""
    check_lowering(
        lambda x: (
            x.sum(), x.sum(1), x.prod(1), x.max(), x.min(1), x.amax(0), x.any(), x.all(1), x.argmax(1), x.argmin(),
            torch.aminmax(x, dim=1), torch.count_nonzero(x), torch.count_nonzero(x, 1),
        ),
        integers(2, 3, 4, low=0 if dtype == torch.uint8 else -5, high=6).to(dtype),
        delegate="both",
    )  # fmt: skip


def test_truth_values() -> None:
    check_lowering(
        lambda x: (
            x.sum(),
            x.sum(1),
            x.any(),
            x.all(1),
            x.any((0, 1)),
            x.amax(1),
            x.max(),
            torch.count_nonzero(x, (0,)),
        ),
        random(2, 3, 4) > 0,
    )


def test_dtype_of_the_result() -> None:
    check_lowering(
        lambda x, i: (
            x.sum(dtype=torch.float64).float(), i.sum(dtype=torch.float32), i.mean(dtype=torch.float32),
            i.sum(1, dtype=torch.int32),
        ),
        random(2, 3),
        integers(2, 3, low=-4, high=5),
    )  # fmt: skip


def test_the_first_of_equals_is_found() -> None:
    equal = torch.tensor([[1.0, 3, 3, 2, 1, 1], [2, 2, 2, 2, 2, 2]])
    check_lowering(
        lambda x: (x.argmax(1), x.argmin(1), x.max(1), x.min(1), x.argmax(), x.argmin(0)), equal, delegate="both"
    )


def test_images_stored_channels_last_keep_their_order() -> None:
    """Reductions over channels or space transpose nothing; one over rows leaves columns and channels to swap."""
    outcome = check_lowering(
        stored_channels_last(
            lambda x: (x.sum(1), x.argmax(1), x.sum((2, 3)), x.mean((1,), True), x.argmin(-1, True), x.any(1), x.max(1))
        ),
        random(2, 3, 5, 4),
        delegate="both",
    )
    assert outcome.kinds.get("TRANSPOSE", 0) == 0
    check_lowering(
        stored_channels_last(lambda x: (x.argmax(), x.prod(), x.max(), x.max(2), x.argmin(3))), random(2, 3, 5, 4)
    )


def test_numbers_of_rank_zero() -> None:
    check_lowering(lambda s: (s.sum(), s.max(), s.mean(), s.argmax(), s.amax(), s.any(), s.prod()), torch.tensor(2.5))


def test_infinities() -> None:
    ends = torch.tensor([[math.inf, 1.0], [-math.inf, 2.0]])
    check_lowering(lambda x: (x.amax(1), x.amin(1), x.max(), x.argmin()), ends, delegate="both")


def test_nothing_to_reduce() -> None:
    def function(x: torch.Tensor) -> Any:
        return x[:0].sum(), x[:0].sum(1), x.sum((), keepdim=True), x.sum(0)

    check_lowering(function, random(2, 3))
