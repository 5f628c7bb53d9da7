"""Convolutions over volumes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.frontends.direct.harness import check_lowering, random


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 1},
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": (3, 1, 1), "padding": (1, 0, 0), "bias": False},
        {"kernel_size": (1, 3, 3), "padding": (0, 1, 1), "stride": (1, 2, 2)},
        {"kernel_size": 3, "stride": 2, "padding": (2, 1, 0)},
        {"kernel_size": 2, "dilation": (2, 1, 2)},
        {"kernel_size": 3, "padding": "same"},
        {"kernel_size": 3, "groups": 2},
        {"kernel_size": 3, "groups": 4, "padding": 1, "stride": 2},
    ],
)
@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_conv3d(options: dict[str, Any], delegate: str) -> None:
    torch.manual_seed(0)
    outcome = check_lowering(nn.Conv3d(4, 8, **options), random(2, 4, 6, 7, 5), delegate=delegate)
    assert "TRANSPOSE" not in outcome.kinds
    assert "CONV_3D" not in outcome.kinds


def test_it_is_one_convolution_with_its_activation() -> None:
    torch.manual_seed(0)
    outcome = check_lowering(nn.Sequential(nn.Conv3d(3, 4, 3), nn.BatchNorm3d(4), nn.ReLU()), random(1, 3, 4, 6, 6))
    assert outcome.kinds["CONV_2D"] == 1
    assert "RELU" not in outcome.kinds


def test_a_volume_without_a_batch() -> None:
    torch.manual_seed(0)
    check_lowering(nn.Conv3d(3, 4, 3), random(3, 4, 6, 6))
