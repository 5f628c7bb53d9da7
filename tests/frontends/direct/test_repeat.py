"""Repeating, turning, shifting; triangles."""

from __future__ import annotations

import math

import pytest
import torch

from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last


def _all(x: torch.Tensor) -> list[torch.Tensor]:
    return [
        x.tile(2, 1, 1), x.tile(2), x.tile(1, 2, 1, 2, 1), x.repeat(1, 2, 1, 1), x.repeat(2, 1, 1, 1, 1),
        x.repeat_interleave(2, 1), x.repeat_interleave(2), x.repeat_interleave(torch.tensor([1, 0, 2]), 1),
        x.roll(1, 1), x.roll((1, -1), (0, 2)), x.roll(2), x.roll(-5, 1), x.flip(1), x.flip(0, 2), x.flip(-1, 0),
        x.rot90(1, (1, 2)), x.rot90(2, (0, 1)), x.rot90(-1, (0, 2)), x.tril(), x.triu(1), x.tril(-1), x.triu(-2),
        x.fliplr(), x.flipud(), torch.diag_embed(x), torch.diag_embed(x, 1, 0, 2), x.expand(2, *x.shape),
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.uint8, torch.bool], ids=str)
def test_dtypes(dtype: torch.dtype) -> None:
    check_lowering(lambda x: _all(x[..., 0]), integers(2, 3, 4, 1, high=2).to(dtype), delegate="both")


def test_images_stored_channels_last() -> None:
    check_lowering(stored_channels_last(_all), random(2, 3, 4, 4))


def test_a_flip_of_an_image_transposes_nothing() -> None:
    outcome = check_lowering(
        stored_channels_last(lambda x: (x.flip(3), x.roll(1, 2), x.repeat(1, 2, 1, 1))), random(1, 2, 3, 4)
    )
    assert "TRANSPOSE" not in outcome.kinds


def test_a_triangle_hides_infinities() -> None:
    x = torch.tensor([[1.0, math.inf], [math.nan, 2.0]])
    check_lowering(lambda x: x.tril(-1).triu() + x.triu(1).tril(), x)
