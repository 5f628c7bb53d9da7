"""roi_align, deform_conv2d and FrozenBatchNorm2d against torchvision, with places inside, at and outside the edges."""

from __future__ import annotations

import pytest
import torch

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, random

ops = pytest.importorskip("torchvision").ops

# A place is computed in a few float32 steps: 2^-23 * 10 pixels = 1e-6 of a weight, twice, times sums of 18 products.
TOLERANCE = 5e-5
ROIS = torch.tensor(
    [
        [0, 0, 0, 8, 8],
        [1, 1.3, 2.1, 5.7, 6.4],
        [1, -3, -4, 3, 2],
        [0, 5, 5, 14, 12],
        [0, 2, 2, 2.2, 2.3],
        [1, 20, 20, 30, 30],
    ]
)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize(("ratio", "scale", "size"), [(2, 1.0, 3), (1, 0.5, (2, 4)), (3, 1.0, 1)])
def test_roi_align(aligned: bool, ratio: int, scale: float, size: int) -> None:
    check_lowering(
        lambda x, r: ops.roi_align(x, r, size, scale, ratio, aligned), random(2, 3, 8, 9), ROIS, tolerance=TOLERANCE
    )


def test_roi_align_without_a_ratio_is_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match="sampling_ratio=2"):
        check_lowering(lambda x, r: ops.roi_align(x, r, 3), random(2, 3, 8, 9), ROIS)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(
    ("groups", "offset_groups", "stride", "padding", "dilation"),
    [(1, 1, 1, 1, 1), (2, 1, (1, 2), (2, 0), 1), (1, 2, 2, 1, (1, 2)), (2, 4, 1, 1, 1)],
)
def test_deform_conv2d(masked: bool, groups: int, offset_groups: int, stride: int, padding: int, dilation: int) -> None:
    x, weight, bias = random(2, 4, 8, 9), random(6, 4 // groups, 3, 2, seed=1), random(6, seed=2)
    plain = torch.nn.functional.conv2d(x, weight, bias, stride, padding, dilation, groups)
    offset = random(2, 2 * offset_groups * 6, *plain.shape[2:], seed=3, low=-3, high=3)
    mask = random(2, offset_groups * 6, *plain.shape[2:], seed=4, low=0, high=1)

    def function(x: torch.Tensor, offset: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        given = mask if masked else None
        return ops.deform_conv2d(x, offset, weight, bias, stride, padding, dilation, given)

    check_lowering(function, x, offset, mask, tolerance=TOLERANCE)


def test_frozen_batch_norm_is_folded() -> None:
    norm = ops.FrozenBatchNorm2d(4)
    norm.weight, norm.bias = random(4, low=0.5), random(4, seed=1)
    norm.running_mean, norm.running_var = random(4, seed=2), random(4, seed=3, low=0.5)
    torch.manual_seed(0)
    outcome = check_lowering(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), norm), random(1, 3, 8, 8))
    assert outcome.kinds == {"CONV_2D": 1}
