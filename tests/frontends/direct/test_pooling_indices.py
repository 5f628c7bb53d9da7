"""Max-pooling that says where, and unpooling."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.frontends.direct.harness import check_lowering, integers, random

OPTIONS: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 2, "dilation": 2, "stride": 1},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_indices(options: dict[str, Any]) -> None:
    check_lowering(nn.MaxPool2d(**options, return_indices=True), random(2, 3, 7, 8))
    check_lowering(nn.MaxPool1d(**options, return_indices=True), random(2, 3, 9))
    check_lowering(nn.MaxPool3d(**options, return_indices=True), random(1, 2, 5, 6, 7))


def test_the_first_of_equal_maxima() -> None:
    """Few different numbers: most windows hold their maximum twice."""
    x = integers(2, 3, 8, 8, high=3).float()
    check_lowering(nn.MaxPool2d(3, 2, 1, return_indices=True), x)
    check_lowering(nn.MaxPool2d(2, return_indices=True), -x)


@pytest.mark.parametrize(("kernel", "stride"), [(2, 2), (3, 2)])
def test_unpool(kernel: int, stride: int) -> None:
    """Where windows overlap, one maximum is written more than once."""

    def net(x: torch.Tensor) -> torch.Tensor:
        values, where = F.max_pool2d(x, kernel, stride, return_indices=True)
        return F.max_unpool2d(values, where, kernel, stride, output_size=x.shape[2:])

    check_lowering(net, random(2, 3, 8, 8))


def test_unpool_in_one_and_three_dimensions() -> None:
    def line(x: torch.Tensor) -> torch.Tensor:
        return F.max_unpool1d(*F.max_pool1d(x, 2, return_indices=True), 2)

    def volume(x: torch.Tensor) -> torch.Tensor:
        return F.max_unpool3d(*F.max_pool3d(x, 2, return_indices=True), 2)

    check_lowering(line, random(2, 3, 8))
    check_lowering(volume, random(1, 2, 4, 4, 6))
