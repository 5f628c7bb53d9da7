"""Pooling with a sliding window."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.frontends.direct.harness import check_lowering, random

OPTIONS: list[dict[str, Any]] = [
    {"kernel_size": 2},
    {"kernel_size": 3, "stride": 2},
    {"kernel_size": 3, "stride": 2, "padding": 1},
    {"kernel_size": 3, "stride": 1, "padding": 1},
    {"kernel_size": 3, "stride": 2, "ceil_mode": True},
    {"kernel_size": 3, "stride": 3, "ceil_mode": True},
    {"kernel_size": 3, "stride": 2, "padding": 1, "ceil_mode": True},
    {"kernel_size": 2, "stride": 3, "padding": 1, "ceil_mode": True},
]
AVERAGES: list[dict[str, Any]] = [
    *OPTIONS,
    *({**options, "count_include_pad": False} for options in OPTIONS if "padding" in options or "ceil_mode" in options),
]


@pytest.mark.parametrize("options", [*OPTIONS, {"kernel_size": (2, 3), "stride": (1, 2), "padding": (1, 0)}], ids=str)
@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_max_pool2d(options: dict[str, Any], size: tuple[int, int]) -> None:
    outcome = check_lowering(nn.MaxPool2d(**options), random(2, 3, *size))
    assert "PADV2" not in outcome.kinds or options.get("ceil_mode"), "a border of -FLT_MAX destroys an int8 range"


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2, "dilation": 2},
        {"kernel_size": 3, "dilation": (1, 3), "padding": 1, "stride": 2, "ceil_mode": True},
    ],
    ids=str,
)
def test_dilated_max_pool2d(options: dict[str, Any]) -> None:
    check_lowering(nn.MaxPool2d(**options), random(2, 3, 9, 10))


@pytest.mark.parametrize("options", AVERAGES, ids=str)
@pytest.mark.parametrize("size", [(8, 8), (7, 9)])
def test_avg_pool2d(options: dict[str, Any], size: tuple[int, int]) -> None:
    check_lowering(nn.AvgPool2d(**options), random(2, 3, *size))


@pytest.mark.parametrize("include", [True, False])
def test_a_divisor_of_its_own(include: bool) -> None:
    pool = nn.AvgPool2d(3, 2, 1, divisor_override=5, count_include_pad=include)
    check_lowering(pool, random(1, 3, 8, 8))
    check_lowering(nn.AvgPool3d(2, 2, 1, divisor_override=5, count_include_pad=include), random(1, 3, 4, 5, 6))
    check_lowering(nn.AvgPool2d(3, 1, 1, divisor_override=9, count_include_pad=include), random(1, 3, 8, 8))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_max_pool1d_and_3d(options: dict[str, Any]) -> None:
    check_lowering(nn.MaxPool1d(**options), random(2, 3, 9))
    check_lowering(nn.MaxPool3d(**options), random(2, 3, 5, 6, 7))


@pytest.mark.parametrize("options", AVERAGES, ids=str)
def test_avg_pool1d_and_3d(options: dict[str, Any]) -> None:
    check_lowering(nn.AvgPool1d(**options), random(2, 3, 9))
    check_lowering(nn.AvgPool3d(**options), random(2, 3, 5, 6, 7))


def test_other_strides_in_three_dimensions() -> None:
    check_lowering(nn.MaxPool3d((1, 2, 3), (2, 1, 2), (0, 1, 1), dilation=(2, 1, 1)), random(1, 3, 5, 6, 7))
    check_lowering(nn.AvgPool3d((1, 2, 3), (2, 1, 2), (0, 1, 1)), random(1, 3, 5, 6, 7))


def test_without_a_batch() -> None:
    check_lowering(nn.MaxPool2d(2), random(3, 6, 6))
    check_lowering(nn.AvgPool1d(2), random(3, 6))
    check_lowering(nn.AvgPool3d(2), random(3, 4, 6, 6))


@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_behind_a_relu_the_border_is_zeros(delegate: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.MaxPool2d(3, 2, 1))
    assert check_lowering(net, random(1, 3, 8, 8), delegate=delegate).kinds == {
        "CONV_2D": 1,
        "PAD": 1,
        "MAX_POOL_2D": 1,
    }


@pytest.mark.parametrize("norm", [1.0, 2.0, 3.0])
def test_lp_pool(norm: float) -> None:
    check_lowering(nn.LPPool2d(norm, 3, 2), random(1, 3, 8, 8, low=0.1))
    check_lowering(nn.LPPool1d(norm, 2), random(1, 3, 8, low=0.1))
