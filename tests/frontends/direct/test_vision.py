"""Shuffles, patches and torchvision's own ops."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, random


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("channels", [1, 2])
def test_pixel_shuffle(factor: int, channels: int) -> None:
    x = random(2, channels * factor**2, 4, 5)
    check_lowering(nn.PixelShuffle(factor), x)
    check_lowering(nn.PixelShuffle(factor), x[0])
    check_lowering(nn.PixelUnshuffle(factor), random(2, channels, 2 * factor, 3 * factor))


@pytest.mark.parametrize("dtype", [torch.float16, torch.int64, torch.int16, torch.uint8, torch.bool], ids=str)
def test_pixel_shuffle_of_any_dtype(dtype: torch.dtype) -> None:
    x = (random(1, 8, 4, 2, low=0) * 50).to(dtype)
    check_lowering(lambda x: (F.pixel_shuffle(x, 2), F.pixel_unshuffle(x, 2)), x)


def test_pixel_shuffle_with_more_leading_axes() -> None:
    check_lowering(nn.PixelShuffle(2), random(2, 3, 8, 4, 5))


def test_the_convolution_before_a_pixel_shuffle_makes_the_order() -> None:
    torch.manual_seed(0)
    kinds = check_lowering(nn.Sequential(nn.Conv2d(3, 27, 3), nn.ReLU(), nn.PixelShuffle(3)), random(1, 3, 6, 6)).kinds
    assert kinds == {"CONV_2D": 1, "DEPTH_TO_SPACE": 1}


def test_the_convolution_behind_a_pixel_unshuffle_takes_the_order() -> None:
    torch.manual_seed(0)
    kinds = check_lowering(nn.Sequential(nn.PixelUnshuffle(2), nn.Conv2d(12, 4, 3)), random(1, 3, 6, 6)).kinds
    assert kinds == {"CONV_2D": 1, "SPACE_TO_DEPTH": 1}


@pytest.mark.parametrize("groups", [2, 3])
def test_channel_shuffle(groups: int) -> None:
    check_lowering(nn.ChannelShuffle(groups), random(2, 6, 4, 5))
    torch.manual_seed(0)
    outcome = check_lowering(nn.Sequential(nn.Conv2d(3, 6, 1), nn.ChannelShuffle(groups)), random(1, 3, 4, 5))
    assert max(tensor.rank for tensor in outcome.graph.tensors()) == 4


PATCHES: list[dict[str, Any]] = [
    {"kernel_size": 2, "stride": 2},
    {"kernel_size": 3, "padding": 1},
    {"kernel_size": (2, 3), "stride": (1, 2), "padding": (0, 1), "dilation": (2, 1)},
    {"kernel_size": 1},
]


@pytest.mark.parametrize("options", PATCHES, ids=str)
@pytest.mark.parametrize("channels", [1, 3])
def test_unfold(options: dict[str, Any], channels: int) -> None:
    check_lowering(nn.Unfold(**options), random(2, channels, 6, 8))
    check_lowering(nn.Unfold(**options), random(channels, 6, 8))


@pytest.mark.parametrize("options", PATCHES, ids=str)
def test_fold(options: dict[str, Any]) -> None:
    patches = F.unfold(random(2, 3, 6, 8), **options)
    check_lowering(nn.Fold((6, 8), **options), patches)
    check_lowering(nn.Fold((6, 8), **options), patches[0])


def test_unfold_of_an_image_is_one_depthwise_convolution() -> None:
    torch.manual_seed(0)
    kinds = check_lowering(nn.Sequential(nn.Conv2d(3, 4, 1), nn.Unfold(3)), random(1, 3, 6, 6)).kinds
    assert kinds["DEPTHWISE_CONV_2D"] == 1


@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("shape", [(2, 3, 4, 5), (2, 3, 3, 4, 5)])
def test_affine_grid(shape: tuple[int, ...], align_corners: bool) -> None:
    axes = len(shape) - 2
    check_lowering(lambda t: F.affine_grid(t, list(shape), align_corners), random(2, axes, axes + 1))


def test_ops_that_read_where_the_data_says_are_refused_with_advice() -> None:
    ops = pytest.importorskip("torchvision").ops
    boxes = torch.tensor([[0.0, 0, 4, 4], [1, 1, 5, 5]])
    cases: list[tuple[Any, list[torch.Tensor], str]] = [
        (lambda b, s: ops.nms(b, s, 0.5), [boxes, torch.tensor([0.5, 0.9])], "return boxes and scores"),
        (lambda x, b: ops.roi_pool(x, [b], 3), [random(1, 2, 8, 8), boxes], "end the model at the feature map"),
    ]
    for function, inputs, advice in cases:
        with pytest.raises(UnsupportedOpsError, match=advice):
            check_lowering(function, *inputs)
