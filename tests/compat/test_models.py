from __future__ import annotations

import textwrap

import pytest
import torch

from mobilekit.compat.check import check
from mobilekit.compat.models import checkable
from mobilekit.errors import CaptureError, InputError, ModelLoadError


class Strange(torch.nn.Module):
    """Two ops that no TFLite op can express, and one convolution on either side."""

    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 4, 3)
        self.last = torch.nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = self.first(x)
        x = torch.special.i0(x)
        x = torch.special.ndtri(torch.sigmoid(x))
        return self.last(x)


IMAGE = (torch.zeros(1, 3, 16, 16),)


def test_a_model_that_converts_is_checked_without_converting():
    found = checkable(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()), IMAGE)
    assert found.unsupported == ()
    assert found.graph.op_counts() == {"CONV_2D": 1}
    report = check(torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()), "cpu", example_inputs=IMAGE)
    assert report.target("cpu").coverage == 1.0
    assert report.model == "Sequential"


def test_missing_lowerings_and_refusals_come_in_one_answer_with_their_lines():
    report = check(Strange(), "cpu,hexagon", example_inputs=IMAGE)
    for target in report.targets:
        lost = [finding for finding in target.findings if finding.op_index == -1]
        assert [finding.kind for finding in lost] == ["aten.special_i0.default", "aten.special_ndtri.default"]
        for finding in lost:
            assert finding.source is not None
            assert finding.source.file.endswith("test_models.py")
    assert "torch.special.i0(x)" in report.target("cpu").findings[0].source.code
    refused = [finding for finding in report.target("hexagon").findings if finding.op_index >= 0]
    assert {finding.kind for finding in refused} >= {"CONV_2D"}
    assert all(finding.source is not None for finding in refused)
    assert report.target("cpu").ops_supported == report.target("cpu").ops_total - 2


def test_a_model_in_training_mode_is_checked_all_the_same():
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Dropout())
    assert model.training
    assert check(model, "cpu", example_inputs=IMAGE).target("cpu").coverage == 1.0


def test_a_function_in_a_file(tmp_path):
    (tmp_path / "net.py").write_text(
        textwrap.dedent("""
            import torch

            def make():
                return torch.nn.Conv2d(3, 4, 3), (torch.zeros(1, 3, 8, 8),)
        """)
    )
    assert checkable(f"{tmp_path}/net.py:make").graph.op_counts() == {"CONV_2D": 1}


def test_what_is_no_model(tmp_path):
    with pytest.raises(ModelLoadError):
        checkable(tmp_path / "none.py")
    with pytest.raises(InputError, match="cannot check a dict"):
        checkable({})
    with pytest.raises(CaptureError):
        checkable(torch.nn.Conv2d(3, 4, 3), (torch.zeros(1, 5, 8, 8),))
