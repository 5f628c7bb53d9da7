"""Dynamic shapes: the file is resized and run at three sizes, each against PyTorch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.export import Dim

import mobilekit
from mobilekit.errors import CaptureError, InputError, UnsupportedOpsError


def net(*layers: nn.Module) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(*layers).eval()


CONVOLUTIONS = (
    nn.Conv2d(3, 8, 3, stride=2, padding=1),
    nn.ReLU6(),
    nn.Conv2d(8, 8, 3, padding=1, groups=8),
    nn.Hardswish(),
)

CASES: list[tuple[str, nn.Module, torch.Tensor, Any, list[tuple[int, ...]]]] = [
    (
        "batch of a classifier",
        net(*CONVOLUTIONS, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5)),
        torch.rand(2, 3, 16, 16),
        ({0: Dim("batch", max=64)},),
        [(2, 3, 16, 16), (1, 3, 16, 16), (7, 3, 16, 16)],
    ),
    (
        "batch of a reshape",
        net(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 6 * 6, 5)),
        torch.rand(2, 3, 8, 8),
        ({0: Dim("batch", max=64)},),
        [(2, 3, 8, 8), (1, 3, 8, 8), (5, 3, 8, 8)],
    ),
    (
        "height and width",
        net(*CONVOLUTIONS, nn.Conv2d(8, 2, 1)),
        torch.rand(1, 3, 16, 24),
        ({2: Dim("h", min=8, max=640), 3: Dim("w", min=8, max=640)},),
        [(1, 3, 16, 24), (1, 3, 33, 24), (1, 3, 64, 17)],
    ),
    (
        "sequence",
        net(nn.Linear(4, 8), nn.LayerNorm(8), nn.GELU(), nn.Linear(8, 4)),
        torch.rand(2, 10, 4),
        ({1: Dim("length", max=512)},),
        [(2, 10, 4), (2, 3, 4), (2, 100, 4)],
    ),
]


@pytest.mark.parametrize(
    ("model", "example", "shapes", "sizes"), [case[1:] for case in CASES], ids=[c[0] for c in CASES]
)
def test_three_sizes(model: nn.Module, example: torch.Tensor, shapes: Any, sizes: list[tuple[int, ...]]) -> None:
    result = mobilekit.convert(model, example, dynamic_shapes=shapes)
    assert result.report.verification is not None
    for size in sizes:
        image = torch.rand(size)
        # float32 sums in another order: units in the last place.
        torch.testing.assert_close(result(image), model(image), rtol=0, atol=1e-5)


def test_the_sidecar_says_which_dimensions_are_open() -> None:
    _, model, example, shapes, _ = CASES[2]
    spec = mobilekit.convert(model, example, dynamic_shapes=shapes).sidecar.inputs[0]
    assert spec.shape == (1, -1, -1, 3)
    assert spec.model_shape == (1, 3, -1, -1)


def test_another_axis_is_still_fixed() -> None:
    _, model, example, shapes, _ = CASES[0]
    result = mobilekit.convert(model, example, dynamic_shapes=shapes)
    with pytest.raises(InputError, match=r"has shape \[1, 3, 8, 8\], the model takes \[\?, 3, 16, 16\]"):
        result(torch.rand(1, 3, 8, 8))


def test_int8_with_an_open_batch() -> None:
    _, model, example, shapes, sizes = CASES[0]
    result = mobilekit.convert(model, example, dynamic_shapes=shapes, quantize="int8", calibration=[example] * 4)
    assert result.report.full_integer
    for size in sizes:
        assert result(torch.rand(size)).shape == (size[0], 5)


def test_padding_that_fits_one_size_only_is_an_error() -> None:
    """With 7 pixels and stride 2, TFLite's own padding fits; with 14 it does not."""
    model = net(nn.Conv2d(3, 4, 3, stride=2, padding=1))
    with pytest.raises(UnsupportedOpsError, match="dynamic shapes: the ops of the graph depend on the size"):
        mobilekit.convert(model, torch.rand(1, 3, 7, 7), dynamic_shapes=({2: Dim("h", min=5), 3: Dim("w", min=5)},))


def test_a_limit_that_is_missing_is_named() -> None:
    model = net(nn.Conv2d(3, 4, 3, stride=2, padding=1))
    with pytest.raises(CaptureError, match=r"Not all values of h .* satisfy the generated guard"):
        mobilekit.convert(model, torch.rand(1, 3, 8, 8), dynamic_shapes=({2: Dim("h")},))


def test_what_torch_export_refuses_is_said() -> None:
    model = net(nn.Flatten(), nn.Linear(12, 2))
    with pytest.raises(CaptureError, match=r"torch\.export cannot capture the model"):
        mobilekit.convert(model, torch.rand(2, 3, 2, 2), dynamic_shapes=({2: Dim("h")},))
