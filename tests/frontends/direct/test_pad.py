"""Padding."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
@pytest.mark.parametrize("pads", [(1, 2), (2, 0), (-1, 1), (2, -4), (0, 0)])
def test_modes_on_signals(mode: str, pads: tuple[int, int]) -> None:
    if mode == "circular" and min(pads) < -1:
        pytest.skip("PyTorch reads memory that it has not written yet")
    check_lowering(lambda x: functional.pad(x, pads, mode=mode), random(2, 3, 5), delegate="both")


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate", "circular"])
def test_modes_on_images_without_transposes(mode: str) -> None:
    outcome = check_lowering(
        stored_channels_last(lambda x: functional.pad(x, (1, 2, 2, 1), mode=mode)), random(1, 3, 4, 5), delegate="both"
    )
    assert "TRANSPOSE" not in outcome.kinds


def test_other_numbers_and_dtypes() -> None:
    check_lowering(
        lambda x, i, t: (
            functional.pad(x, (1, 2, 0, 1), value=3.5),
            functional.pad(x, (1, 1), value=float("-inf")),
            functional.pad(i, (1, 2, 0, 1), value=3),
            functional.pad(t, (1, 0), value=True),
            functional.pad(i.to(torch.uint8), (0, 2), value=255),
        ),
        random(2, 3),
        integers(2, 3, high=9),
        random(2, 3) > 0,
        delegate="both",
    )


def test_rank_six() -> None:
    """LiteRT's PAD stops at five axes: neighbours that are not padded go together."""
    check_lowering(
        lambda x: (functional.pad(x, (1, 2)), functional.pad(x, (1, 2, 0, 1, 0, 0, 1, 0), value=3)),
        random(1, 2, 1, 2, 3, 2),
    )


def test_modules() -> None:
    layers = torch.nn.ModuleList(
        [
            torch.nn.ReflectionPad2d((1, 2, 1, 0)),
            torch.nn.ReplicationPad2d(2),
            torch.nn.ZeroPad2d(1),
            torch.nn.CircularPad2d(1),
        ]
    )

    class AllOf(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layers = layers

        def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
            return [layer(x) for layer in self.layers]

    check_lowering(AllOf(), random(1, 2, 4, 5))
