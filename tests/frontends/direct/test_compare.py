"""Comparison, logic and choice."""

from __future__ import annotations

import pytest
import torch

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last


@pytest.mark.parametrize("name", "eq ne lt le gt ge".split())
def test_comparisons(name: str) -> None:
    """Of floats, integers, bytes and truth values, with tensors and numbers."""
    compare = getattr(torch, name)
    numbers = integers(2, 3, low=-2, high=3)
    floats, small = numbers.float(), numbers.to(torch.int8)
    check_lowering(
        lambda x, i, s, t: (
            compare(x, x.flip(0)), compare(i, i.flip(0)), compare(s, s.flip(1)), compare(i, x.flip(0)), compare(x, 1),
            compare(i, 0.5), compare(t, t.flip(1)), compare(s, 1),
        ),
        floats,
        numbers,
        small,
        numbers > 0,
        delegate="both",
    )  # fmt: skip


@pytest.mark.parametrize("name", "logical_and logical_or logical_xor".split())
def test_logic(name: str) -> None:
    function = getattr(torch, name)
    numbers = integers(2, 3, low=-1, high=2)
    check_lowering(
        lambda i, x: (function(i, i.flip(0)), function(x, i.flip(1)), function(i > 0, x)), numbers, numbers.float()
    )


def test_where_in_all_its_forms() -> None:
    check_lowering(
        lambda x, i: (
            torch.where(x > 0, x, 0),
            torch.where(x > 0, i, 1.5),
            torch.where(x > 0, 1, 0),
            torch.where(x > 0, x, i),
            torch.where(x > 0, i.int(), i),
            x.masked_fill(x > 0, float("-inf")),
            i.masked_fill(i > 2, 0),
            x.masked_fill(x > 0, torch.tensor(7.0)),
        ),
        random(2, 3),
        integers(2, 3, low=-7, high=8),
        delegate="both",
    )


def test_where_on_an_image_stored_channels_last() -> None:
    outcome = check_lowering(
        stored_channels_last(lambda x: torch.where(x > x.mean((2, 3), keepdim=True), x, 0.0)), random(1, 4, 5, 6)
    )
    assert "TRANSPOSE" not in outcome.kinds


def test_clamp_to_tensors() -> None:
    check_lowering(
        lambda x, y: (
            torch.clamp(x, y, y + 1),
            torch.clamp(x, min=y),
            torch.clamp(x, max=y),
            torch.clamp(x, y + 1, y),
            x.clamp_min(y),
            x.clamp_max(y),
        ),
        random(2, 3, 4),
        random(3, 1, seed=1),
        delegate="both",
    )


def test_heaviside_isin_isclose() -> None:
    x = torch.tensor([-1.0, 0.0, 2.0, 3.0])
    check_lowering(
        lambda x, y: (
            torch.heaviside(x, y),
            torch.isin(x, torch.tensor([2.0, 0.0])),
            torch.isin(x, y, invert=True),
            torch.isclose(x, x + 1e-9),
            torch.isclose(x, y),
            torch.logaddexp(x, y),
            torch.logaddexp2(x, y),
        ),
        x,
        random(4),
        delegate="both",
    )


def test_positions_of_a_mask_are_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match="depends on the data"):
        check_lowering(lambda x: torch.where(x > 0), random(3))


def test_python_value_of_a_tensor_is_refused_with_advice() -> None:
    with pytest.raises(UnsupportedOpsError, match=r"instead of if x\.sum\(\)\.item\(\)"):
        check_lowering(lambda x: x * x.sum().item(), random(3))
