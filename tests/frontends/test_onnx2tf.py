"""The classic route for real: onnx2tf and TensorFlow in the classic environment, driven from this one."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import mobilekit

pytestmark = pytest.mark.classic


def test_it_makes_the_same_network(classic_python: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MOBILEKIT_ONNX2TF_PYTHON", str(classic_python))
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.BatchNorm2d(8), torch.nn.ReLU6(), torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(), torch.nn.Linear(8, 5),
    ).eval()  # fmt: skip
    image = torch.randn(1, 3, 16, 16)
    result = mobilekit.convert(model, image, backend="onnx2tf")
    assert result.report.backend == "onnx2tf"
    assert result.report.verification is not None
    assert result.report.verification.passed
    # The bar of a float conversion, 1e-3 * max(1, max |ref|), which is 1e-3 for outputs this small.
    torch.testing.assert_close(result(image), model(image), atol=1e-3, rtol=0)
