"""Convolutions."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from tests.frontends.direct.harness import check_lowering, random


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"kernel_size": 1}, (5, 7)),
        ({"kernel_size": 3, "padding": 1}, (8, 8)),
        ({"kernel_size": 3, "padding": 1, "stride": 2}, (8, 8)),
        ({"kernel_size": 3, "padding": 1, "stride": 2}, (7, 7)),
        ({"kernel_size": 3, "padding": "same", "dilation": 2}, (9, 9)),
        ({"kernel_size": (1, 5), "padding": (0, 2)}, (6, 9)),
        ({"kernel_size": 3, "groups": 4}, (6, 6)),
        ({"kernel_size": 3, "groups": 2, "padding": 2}, (6, 6)),
        ({"kernel_size": 4, "stride": 3, "padding": 3, "dilation": 2}, (13, 11)),
        ({"kernel_size": 3, "bias": False}, (6, 6)),
    ],
)
@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_conv2d(options: dict[str, object], size: tuple[int, int], delegate: str) -> None:
    torch.manual_seed(0)
    outcome = check_lowering(nn.Conv2d(4, 8, **options), random(2, 4, *size), delegate=delegate)  # type: ignore[arg-type]
    assert "TRANSPOSE" not in outcome.kinds


def test_depthwise_with_a_multiplier() -> None:
    torch.manual_seed(0)
    outcome = check_lowering(nn.Conv2d(3, 6, 3, groups=3), random(1, 3, 6, 6))
    assert outcome.kinds == {"DEPTHWISE_CONV_2D": 1}


def test_stride_two_with_symmetric_padding_pads_before_the_convolution() -> None:
    """TFLite's SAME would put its only zero at the end; PyTorch puts one at both ends."""
    torch.manual_seed(0)
    assert check_lowering(nn.Conv2d(3, 4, 3, stride=2, padding=1), random(1, 3, 8, 8)).kinds == {"PAD": 1, "CONV_2D": 1}


@pytest.mark.parametrize(
    "options", [{}, {"padding": 2, "stride": 2}, {"padding": "same"}, {"groups": 4, "dilation": 2}]
)
def test_conv1d(options: dict[str, object]) -> None:
    torch.manual_seed(0)
    check_lowering(nn.Conv1d(4, 8, 3, **options), random(2, 4, 17))  # type: ignore[arg-type]


def test_image_without_a_batch() -> None:
    torch.manual_seed(0)
    check_lowering(nn.Conv2d(3, 5, 3), random(3, 7, 7))


def test_batch_norm_and_activation_fold_into_the_convolution() -> None:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(8)
    norm.running_mean.normal_()
    norm.running_var.uniform_(0.5, 2.0)
    outcome = check_lowering(nn.Sequential(nn.Conv2d(3, 8, 3), norm, nn.ReLU6()), random(1, 3, 8, 8))
    assert outcome.kinds == {"CONV_2D": 1}
    assert outcome.graph.ops[0].options["fused_activation_function"] == "RELU6"
    source = outcome.graph.ops[0].source
    assert source is not None
    assert source.module == "0"


def test_stacked_1d_convolutions_fold_like_2d_ones() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv1d(4, 6, 3), nn.BatchNorm1d(6), nn.ReLU(), nn.Conv1d(6, 5, 3, padding=1), nn.BatchNorm1d(5)]
    assert check_lowering(nn.Sequential(*layers), random(2, 4, 17)).kinds == {
        "CONV_2D": 2,
        "RESHAPE": 2,
        "TRANSPOSE": 1,
    }


@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_a_weight_computed_in_forward(delegate: str) -> None:
    """Correlation of two feature maps, as trackers do."""
    check_lowering(
        lambda x, w: nn.functional.conv2d(x, w * 2, padding=1),
        random(1, 3, 6, 6),
        random(4, 3, 3, 3),
        delegate=delegate,
    )


def test_asymmetric_padding() -> None:
    torch.manual_seed(0)
    kinds = check_lowering(nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(3, 4, 3, 2)), random(1, 3, 8, 8)).kinds
    assert kinds == {"CONV_2D": 1}


def test_an_even_kernel_of_one_dimension_padded_to_the_same_length() -> None:
    torch.manual_seed(0)
    check_lowering(nn.Conv1d(4, 4, 4, padding="same", groups=4), random(2, 4, 9))
