"""grid_sample, against PyTorch on places inside, at and far outside the edges."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, random

# A place is computed in a few float32 steps: 2^-23 * 10 pixels = 1e-6 of a weight, twice, times neighbours of size 2.
TOLERANCE = 2e-5


@pytest.mark.parametrize("mode", ["bilinear", "nearest", "bicubic"])
@pytest.mark.parametrize("padding", ["zeros", "border", "reflection"])
@pytest.mark.parametrize("align_corners", [False, True])
def test_modes(mode: str, padding: str, align_corners: bool) -> None:
    def sample(x: torch.Tensor, grid: torch.Tensor) -> torch.Tensor:
        return F.grid_sample(x, grid, mode, padding, align_corners)

    check_lowering(sample, random(2, 3, 6, 7), random(2, 4, 5, 2, low=-2.4, high=2.4), tolerance=TOLERANCE)


def test_a_constant_grid() -> None:
    grid = random(1, 4, 5, 2, low=-1.2, high=1.2)
    check_lowering(lambda x: F.grid_sample(x, grid, align_corners=False), random(1, 3, 6, 7), tolerance=TOLERANCE)


def test_volumes_are_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match="grid_sample over volumes"):
        check_lowering(
            lambda x, g: F.grid_sample(x, g, align_corners=False), random(1, 2, 3, 4, 5), random(1, 2, 2, 2, 3)
        )
