"""Interpolation in every mode, with sizes and with factors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import Outcome, check_lowering, random

# A position in the image has some 24 bits, of which a weight keeps those behind the point: 2^-24 * 16 pixels = 1e-6 of
# a weight, times a difference of neighbours of up to 4.
TOLERANCE = 1e-5

HOW: list[dict[str, Any]] = [
    {"scale_factor": 2},
    {"scale_factor": 3.0},
    {"scale_factor": (1.5, 2)},
    {"scale_factor": 1.7},
    {"scale_factor": 0.5},
    {"scale_factor": 0.6},
    {"scale_factor": 1.7, "recompute_scale_factor": True},
    {"size": (9, 14)},
    {"size": (3, 5)},
    {"size": (6, 7)},
    {"size": (1, 1)},
    {"size": (5, 16)},
]


def resize(x: torch.Tensor, **options: Any) -> Outcome:
    return check_lowering(lambda x: F.interpolate(x, **options), x, tolerance=TOLERANCE)


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest(mode: str, how: dict[str, Any]) -> None:
    resize(random(2, 3, 6, 7), mode=mode, **how)


@pytest.mark.parametrize("how", HOW, ids=str)
@pytest.mark.parametrize("align_corners", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_smooth(mode: str, align_corners: bool, how: dict[str, Any]) -> None:
    resize(random(2, 3, 6, 7), mode=mode, align_corners=align_corners, **how)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(9, 14), (3, 4)])
def test_antialiased(mode: str, size: tuple[int, int]) -> None:
    resize(random(2, 3, 6, 7), mode=mode, size=size, antialias=True)


def test_an_antialiased_image_one_pixel_wide_is_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match="one pixel wide"):
        resize(random(1, 1, 6, 1), mode="bilinear", size=(9, 1), antialias=True)


@pytest.mark.parametrize("how", [{"scale_factor": 2}, {"scale_factor": 1.7}, {"size": 5}, {"size": 13}], ids=str)
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "linear"])
def test_one_dimension(mode: str, how: dict[str, Any]) -> None:
    resize(random(2, 3, 9), mode=mode, **how)


@pytest.mark.parametrize("how", [{"scale_factor": 2}, {"scale_factor": 1.7}, {"size": (3, 9, 5)}], ids=str)
@pytest.mark.parametrize("mode", ["nearest", "nearest-exact", "trilinear"])
def test_three_dimensions(mode: str, how: dict[str, Any]) -> None:
    resize(random(2, 3, 4, 5, 6), mode=mode, **how)


@pytest.mark.parametrize(
    ("module", "kind"),
    [
        (nn.Upsample(scale_factor=2), "RESIZE_NEAREST_NEIGHBOR"),
        (nn.Upsample(scale_factor=2, mode="nearest-exact"), "RESIZE_NEAREST_NEIGHBOR"),
        (nn.Upsample(scale_factor=2, mode="bilinear"), "RESIZE_BILINEAR"),
        (nn.UpsamplingBilinear2d(scale_factor=2), "RESIZE_BILINEAR"),
        (nn.Upsample(size=(9, 5), mode="bilinear"), "RESIZE_BILINEAR"),
    ],
)
@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_what_phones_have_an_op_for_is_that_op(module: nn.Module, kind: str, delegate: str) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 1), module)
    assert check_lowering(net, random(1, 3, 6, 7), tolerance=TOLERANCE, delegate=delegate).kinds == {
        "CONV_2D": 1,
        kind: 1,
    }


def test_other_factors_move_nothing() -> None:
    """1.7 is no ratio of the sizes: TFLite's op would read other pixels."""
    torch.manual_seed(0)
    for mode in ("nearest", "bilinear", "bicubic"):
        net = nn.Sequential(nn.Conv2d(3, 4, 1), nn.Upsample(scale_factor=1.7, mode=mode))
        kinds = check_lowering(net, random(1, 3, 6, 7), tolerance=TOLERANCE).kinds
        assert not {"TRANSPOSE", "RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"} & set(kinds)


def test_a_large_image() -> None:
    """Positions have fewer bits to spare: 1080 * 2^-24 = 6e-5 of a weight."""
    check_lowering(lambda x: F.interpolate(x, size=(7, 1080), mode="bilinear"), random(1, 1, 5, 607), tolerance=3e-4)


def test_integers() -> None:
    x = torch.arange(24, dtype=torch.uint8).reshape(1, 1, 4, 6)
    check_lowering(lambda x: F.interpolate(x, scale_factor=2, mode="nearest"), x)
