"""Pooling to a given size."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.frontends.direct.harness import check_lowering, random


@pytest.mark.parametrize("size", [1, (2, 3), (4, 4), (3, 5), (1, 4), (8, 9), (11, 13), (None, 2)])
def test_two_dimensions(size: Any) -> None:
    """Even windows, uneven ones, one row, the size itself, and larger than the input."""
    check_lowering(nn.AdaptiveAvgPool2d(size), random(2, 3, 8, 9))
    check_lowering(nn.AdaptiveMaxPool2d(size), random(2, 3, 8, 9))


@pytest.mark.parametrize("size", [1, 2, 3, 4, 7, 10])
def test_one_dimension(size: int) -> None:
    check_lowering(nn.AdaptiveAvgPool1d(size), random(2, 3, 7))
    check_lowering(nn.AdaptiveMaxPool1d(size), random(2, 3, 7))


@pytest.mark.parametrize("size", [1, 2, (2, 3, 4), (1, 3, 2)])
def test_three_dimensions(size: Any) -> None:
    check_lowering(nn.AdaptiveAvgPool3d(size), random(1, 3, 4, 5, 6))
    check_lowering(nn.AdaptiveMaxPool3d(size), random(1, 3, 4, 5, 6))


def test_without_a_batch() -> None:
    check_lowering(nn.AdaptiveAvgPool2d(3), random(3, 8, 8))


@pytest.mark.parametrize("size", [1, 2, 3])
def test_indices(size: int) -> None:
    check_lowering(nn.AdaptiveMaxPool2d(size, return_indices=True), random(2, 3, 5, 4))
    check_lowering(nn.AdaptiveMaxPool1d(size, return_indices=True), random(2, 3, 5))


def test_even_windows_are_one_pooling_op() -> None:
    torch.manual_seed(0)
    kinds = check_lowering(nn.Sequential(nn.Conv2d(3, 4, 1), nn.AdaptiveAvgPool2d((2, 4))), random(1, 3, 8, 8)).kinds
    assert kinds == {"CONV_2D": 1, "AVERAGE_POOL_2D": 1}


def test_area_interpolation() -> None:
    check_lowering(lambda x: F.interpolate(x, size=(3, 5), mode="area"), random(1, 3, 8, 9))
