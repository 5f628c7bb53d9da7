"""Remarks on a quantized file: the range of the data, size and speed beside float, the cost of ops in float."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

import mobilekit
from mobilekit.conversion import remarks
from tests.quantize.graphs import small_network

LEVELS = [torch.randint(0, 256, (1, 3, 8, 8), generator=torch.Generator().manual_seed(i)).float() for i in range(4)]
UNIT = [image / 255 for image in LEVELS]


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU()).eval()


def test_0_to_255_given_for_0_to_1_is_said() -> None:
    report = mobilekit.convert(net(), UNIT[0], quantize="int8", calibration=LEVELS).report
    (warning,) = report.warnings
    assert "reach from 0 to 255, the example input goes from 0 to 0.9961" in warning
    assert "0-255 given for 0-1?" in warning


def test_0_to_1_given_for_0_to_255_is_said() -> None:
    report = mobilekit.convert(net(), LEVELS[0], quantize="int8", calibration=UNIT).report
    assert "reach from 0 to 1, the example input goes from 0 to 25" in report.warnings[0]


@pytest.mark.parametrize("example", [UNIT[0], torch.zeros(1, 3, 8, 8)], ids=["alike", "zeros say nothing"])
def test_a_range_that_fits_or_is_not_known_is_not_remarked_on(example: torch.Tensor) -> None:
    report = mobilekit.convert(net(), example, quantize="int8", calibration=UNIT).report
    assert report.warnings == ()


def test_timms_configuration_says_the_range() -> None:
    model = net()
    model.default_cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
    report = mobilekit.convert(model, torch.zeros(1, 3, 8, 8), quantize="int8", calibration=LEVELS).report
    assert "by its configuration the model's go from -1 to 1" in report.warnings[0]


def test_a_larger_file_is_said() -> None:
    graph = small_network()
    said = list(remarks.beside_float(graph, remarks.write(graph), "int8"))
    assert not any("larger" in text for text in said)
    graph.description = ""
    larger = small_network()
    larger.description = "x" * 1000
    said = list(remarks.beside_float(graph, remarks.write(larger), "int8"))
    assert any(text.startswith("the int8 file is larger than the float one") for text in said)


def test_a_slower_file_is_said_with_both_medians(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a clock of our own: the float file takes 2 ms a run, the other 3."""
    now = 0.0

    class Fake:
        made = 0

        def __init__(self, data: bytes) -> None:
            self.inputs: list[object] = []
            Fake.made += 1
            self.seconds = 0.001 + 0.001 * Fake.made

        def run(self, inputs: object) -> None:
            nonlocal now
            now += self.seconds

    monkeypatch.setattr(remarks, "Interpreter", Fake)
    monkeypatch.setattr(remarks.time, "perf_counter", lambda: now)
    graph = small_network()
    (said,) = remarks.beside_float(graph, b"", "int8")
    assert "slower than the float one on this machine: 3.00 ms against 2.00 (medians of 20 in turns" in said


def test_ops_in_float_have_their_cost() -> None:
    recipe = mobilekit.Recipe(overrides=[{"op": "CONV_2D", "precision": "float32"}])
    report = mobilekit.convert(net(), UNIT[0], quantize=recipe, calibration=UNIT).report
    (island,) = report.float_islands
    assert island.macs_share == 1.0
    # 1 x 8 x 8 x 3 values before and 1 x 6 x 6 x 4 behind, float32.
    assert island.converted_bytes == 4 * (192 + 144)
    assert np.isfinite(report.verification.outputs[0].sqnr_db)
