"""``convert(rewrites=...)``: what the report says, and what the file is verified against."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.export import Dim

import mobilekit
from mobilekit.errors import InputError
from tests.frontends.direct.harness import random


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Conv2d(3, 8, 3), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(torch.nn.functional.gelu(self.first(x)))


def test_the_report_names_the_place_and_both_distances() -> None:
    x = random(1, 3, 8, 8)
    model = Net().eval()
    result = mobilekit.convert(model, x, rewrites=("gelu_tanh",))
    report = result.report
    assert "GELU" not in report.op_counts
    (applied,) = report.rewrites
    assert applied.rewrite == "gelu_tanh"
    assert applied.error == 4.74e-4
    assert applied.source is not None
    assert applied.source.code.startswith("return self.second(torch.nn.functional.gelu")
    assert report.verification is not None
    assert report.verification.reference.endswith("(eager), rewritten")
    (distance,) = report.rewrite_distance
    with torch.no_grad():
        off = float((result(x) - model(x)).abs().max())
    # The example is one of the samples; the file itself differs from its reference by float32 rounding.
    assert 0 < off <= distance.max_abs_error + 1e-5
    # Each weight of the 1x1 convolution passes the error of one channel on, at most.
    assert distance.max_abs_error <= 4.74e-4 * float(model.second.weight.detach().abs().sum((1, 2, 3)).max())
    assert (
        report.notes[-2] == "rewrite gelu_tanh replaced aten.gelu.default in 1 place, off by at most 0.000474 at each"
    )
    assert report.notes[-1].startswith("verified against the rewritten model; that is off from the original by at most")


def test_int8_and_unverified() -> None:
    x = random(1, 3, 8, 8)
    report = mobilekit.convert(Net().eval(), x, rewrites=["gelu_sigmoid"], quantize="int8", calibration=[x]).report
    assert report.full_integer
    assert len(report.rewrite_distance) == 1
    report = mobilekit.convert(Net().eval(), x, rewrites=["gelu_sigmoid"], verify=False).report
    assert report.rewrite_distance == ()
    assert "its distance to the original is unknown" in report.notes[-1]


def test_dynamic_shapes() -> None:
    sizes = {2: Dim("h", min=4, max=32), 3: Dim("w", min=4, max=32)}
    result = mobilekit.convert(Net().eval(), random(1, 3, 8, 8), dynamic_shapes=(sizes,), rewrites=["gelu_tanh"])
    assert result.report.verification is not None
    assert result.report.verification.samples == 5
    assert result(random(1, 3, 20, 12)).shape == (1, 4, 18, 10)


def test_a_buffer_that_changes() -> None:
    class Smooth(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mean", torch.zeros(4))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.mean.mul_(0.9).add_(x * 0.1)
            return torch.nn.functional.gelu(self.mean)

    frames = [random(4, seed=seed) for seed in range(3)]
    report = mobilekit.convert(Smooth().eval(), frames[0], verify=frames, rewrites=["gelu_tanh"]).report
    assert report.rewrite_distance[0].max_abs_error <= 4.74e-4


def test_nothing_to_rewrite() -> None:
    report = mobilekit.convert(nn.ReLU().eval(), random(1, 4), rewrites=["gelu_tanh"]).report
    assert report.rewrites == ()
    assert report.verification is not None
    assert report.verification.reference.endswith("(eager)")
    assert report.notes[-1] == "rewrite gelu_tanh found no aten.gelu.default that it applies to"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rewrites": ["gelu_tan"]}, "did you mean 'gelu_tanh'"),
        ({"rewrites": ["gelu_tanh"], "backend": "litert"}, "for backend 'direct', not 'litert'"),
    ],
)
def test_bad_input(options: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said):
        mobilekit.convert(Net().eval(), random(1, 3, 8, 8), **options)


def test_a_file_has_no_program_to_rewrite(tmp_path: Path) -> None:
    path = tmp_path / "net.tflite"
    mobilekit.convert(nn.ReLU().eval(), random(1, 4)).save(path)
    with pytest.raises(InputError, match="rewrites= needs a captured PyTorch program"):
        mobilekit.convert(path, rewrites=["gelu_tanh"])
