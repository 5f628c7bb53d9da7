"""Transposed convolutions."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.frontends.direct.harness import check_lowering, random


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2, "stride": 2},
        {"kernel_size": 4, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1},
        {"kernel_size": 3, "stride": 2, "output_padding": 1},
        {"kernel_size": 3, "padding": 1, "bias": False},
        {"kernel_size": 2, "stride": 3},
        {"kernel_size": 2, "stride": 3, "output_padding": 2},
        {"kernel_size": (3, 5), "stride": (1, 3), "padding": (0, 2), "output_padding": (0, 1)},
        {"kernel_size": 3, "dilation": 2, "stride": 2, "padding": 1},
        {"kernel_size": 3, "stride": 2, "padding": 1, "output_padding": 1, "groups": 2},
        {"kernel_size": 4, "stride": 2, "padding": 1, "groups": 4},
        {"kernel_size": 2, "stride": 2, "padding": 1, "groups": 4},
        {"kernel_size": 3, "padding": 3, "groups": 2},
    ],
)
@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_conv_transpose2d(options: dict[str, Any], delegate: str) -> None:
    torch.manual_seed(0)
    outcome = check_lowering(nn.ConvTranspose2d(4, 8, **options), random(2, 4, 5, 6), delegate=delegate)
    assert "TRANSPOSE" not in outcome.kinds


def test_exactly_twice_the_size_is_one_op() -> None:
    torch.manual_seed(0)
    outcome = check_lowering(nn.ConvTranspose2d(3, 4, 4, 2, 1), random(1, 3, 5, 5))
    assert outcome.kinds == {"TRANSPOSE_CONV": 1}
    assert outcome.graph.ops[0].options["padding"] == "SAME"


def test_depthwise_upsampling_is_one_depthwise_convolution() -> None:
    torch.manual_seed(0)
    kinds = check_lowering(nn.ConvTranspose2d(6, 6, 4, 2, 1, groups=6), random(1, 6, 5, 5)).kinds
    assert kinds["DEPTHWISE_CONV_2D"] == 1
    assert "TRANSPOSE_CONV" not in kinds


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 4, "stride": 2, "padding": 1},
        {"kernel_size": 16, "stride": 8, "bias": False},
        {"kernel_size": 3, "stride": 2, "output_padding": 1, "dilation": 2},
        {"kernel_size": 3, "stride": 2, "groups": 2},
    ],
)
def test_conv_transpose1d(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    check_lowering(nn.ConvTranspose1d(4, 6, **options), random(2, 4, 7))


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 2, "stride": 2},
        {"kernel_size": 3, "stride": (1, 2, 2), "padding": 1, "output_padding": (0, 1, 1)},
        {"kernel_size": 3, "groups": 2, "stride": 2},
        {"kernel_size": 2, "padding": 1, "stride": 2},
    ],
)
def test_conv_transpose3d(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    check_lowering(nn.ConvTranspose3d(4, 6, **options), random(2, 4, 3, 4, 5))


def test_without_a_batch() -> None:
    torch.manual_seed(0)
    check_lowering(nn.ConvTranspose2d(3, 5, 3, 2), random(3, 4, 5))
    check_lowering(nn.ConvTranspose1d(3, 5, 3, 2), random(3, 7))
