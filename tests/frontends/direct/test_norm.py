"""Normalisation layers."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.frontends.direct.harness import check_lowering, random


def randomised(module: nn.Module) -> nn.Module:
    """Statistics and parameters that show a wrong order of channels."""
    generator = torch.Generator().manual_seed(0)
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        if tensor.dtype.is_floating_point:
            low = 0.5 if "var" in name or "weight" in name else -1.0
            tensor.data.uniform_(low, 1.5, generator=generator)
    return module


def behind_convolution(module: nn.Module, channels: int) -> nn.Module:
    """The module on a value that is stored channels last."""
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, channels, 1), nn.Sigmoid(), module)


@pytest.mark.parametrize("options", [{}, {"affine": False}, {"eps": 0.1}])
@pytest.mark.parametrize(
    ("kind", "shape"),
    [
        (nn.BatchNorm1d, (2, 4)),
        (nn.BatchNorm1d, (2, 4, 5)),
        (nn.BatchNorm2d, (2, 4, 3, 5)),
        (nn.BatchNorm3d, (1, 4, 2, 3, 2)),
    ],
)
def test_batch_norm(kind: Any, shape: tuple[int, ...], options: dict[str, Any]) -> None:
    check_lowering(randomised(kind(4, **options)), random(*shape))


@pytest.mark.parametrize(
    "module",
    [
        nn.GroupNorm(2, 4),
        nn.GroupNorm(1, 4),
        nn.GroupNorm(4, 4),
        nn.GroupNorm(2, 4, affine=False),
        nn.GroupNorm(2, 4, 0.1),
    ],
    ids=str,
)
@pytest.mark.parametrize("shape", [(2, 4), (2, 4, 5), (2, 4, 3, 5), (1, 4, 2, 3, 2)])
def test_group_norm(module: nn.Module, shape: tuple[int, ...]) -> None:
    check_lowering(randomised(module), random(*shape))


def test_group_norm_of_an_image_moves_nothing() -> None:
    kinds = check_lowering(behind_convolution(randomised(nn.GroupNorm(2, 4)), 4), random(2, 3, 4, 5)).kinds
    assert "TRANSPOSE" not in kinds


@pytest.mark.parametrize(
    ("module", "shape"),
    [
        (nn.InstanceNorm1d(4), (2, 4, 6)),
        (nn.InstanceNorm2d(4), (2, 4, 3, 5)),
        (nn.InstanceNorm2d(4, affine=True), (2, 4, 3, 5)),
        (nn.InstanceNorm2d(4, affine=True, track_running_stats=True), (2, 4, 3, 5)),
        (nn.InstanceNorm3d(4, affine=True), (1, 4, 2, 3, 2)),
    ],
)
def test_instance_norm(module: nn.Module, shape: tuple[int, ...]) -> None:
    check_lowering(randomised(module), random(*shape))


@pytest.mark.parametrize("shape", [(5,), (3, 5), (4, 3, 5)])
@pytest.mark.parametrize("kind", [nn.LayerNorm, nn.RMSNorm])
def test_norm_over_the_last_axes(kind: Any, shape: tuple[int, ...]) -> None:
    check_lowering(randomised(kind(shape)), random(2, 4, 3, 5))
    check_lowering(randomised(kind(shape, elementwise_affine=False, eps=0.1)), random(2, 4, 3, 5))


def test_layer_norm_over_width_on_a_channels_last_value() -> None:
    check_lowering(behind_convolution(randomised(nn.LayerNorm(5)), 4), random(2, 3, 4, 5))
    check_lowering(behind_convolution(randomised(nn.LayerNorm((4, 4, 5))), 4), random(2, 3, 4, 5))


def test_layer_norm_over_channels_moves_nothing() -> None:
    """ConvNeXt: permute, norm, permute back."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.norm = nn.Conv2d(3, 6, 3), randomised(nn.LayerNorm(6))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.norm(self.conv(x).permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    assert "TRANSPOSE" not in check_lowering(Net(), random(1, 3, 6, 6)).kinds


@pytest.mark.parametrize("shape", [(2, 5, 4), (2, 5, 4, 3)])
def test_local_response_norm(shape: tuple[int, ...]) -> None:
    check_lowering(nn.LocalResponseNorm(3, alpha=0.5, beta=0.75, k=2.0), random(*shape))


def test_weight_norm_and_spectral_norm_are_constants() -> None:
    torch.manual_seed(0)
    normed = nn.utils.parametrizations.weight_norm(nn.Conv1d(3, 4, 3))
    assert "MUL" not in check_lowering(normed, random(1, 3, 9)).kinds
    spectral = nn.utils.parametrizations.spectral_norm(nn.Linear(4, 4)).eval()
    assert check_lowering(spectral, random(2, 4)).kinds == {"FULLY_CONNECTED": 1}
