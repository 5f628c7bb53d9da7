"""Each preset from Python and from the command line gives the same file, with the dtypes that it promises."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import mobilekit
from mobilekit.cli import main
from mobilekit.graph.reader import read
from mobilekit.loading import load_model

NET = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = torch.nn.Sequential(
            torch.nn.Conv2d(3, 32, 3), torch.nn.ReLU(), torch.nn.Conv2d(32, 8, 3), torch.nn.ReLU()
        )
        self.head = torch.nn.Linear(8, 256)

    def forward(self, x):
        return self.head(self.backbone(x).mean((2, 3)))

def make():
    torch.manual_seed(0)
    return Net(), torch.zeros(1, 3, 12, 12)
"""

# What the convolutions and the fully connected op read and write, then the least SQNR. Bars: of 8 bits of activations
# three ops keep more than 25 dB (each alone 36 or more), 16 bits with 8-bit weights 30, half floats (11 bits) 50;
# 4 bits lose at least 6.02 * 4 = 24 dB of headroom less, their weights use about half their range: 15.
PRESETS = {
    "int8": (["int8", "int8", "int32", "int8"], ["int8", "int8", "int32", "int8"], 25),
    "int16x8": (["int16", "int8", "int64", "int16"], ["int16", "int8", "int64", "int16"], 30),
    "dynamic": (["float32", "int8", "float32", "float32"], ["float32", "int8", "float32", "float32"], 25),
    "fp16": (["float32"] * 4, ["float32"] * 4, 50),
    "int4-weights": (["float32"] * 4, ["float32", "int4", "float32", "float32"], 15),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("presets")
    (folder / "net.py").write_text(NET)
    np.save(folder / "data.npy", np.random.default_rng(0).random((16, 3, 12, 12), np.float32))
    return folder


@pytest.mark.parametrize("name", PRESETS)
def test_api_and_command_line(name: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    loaded = load_model(f"{folder / 'net.py'}:make")
    result = mobilekit.convert(
        loaded.model.eval(), loaded.example_inputs, quantize=name, calibration=folder / "data.npy", name=loaded.name
    )
    path = folder / f"{name}.tflite"
    words = ["convert", f"{folder / 'net.py'}:make", "-o", str(path), "-q", name, "-c", str(folder / "data.npy")]
    assert main([*words, "--json", "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["quantize"] == name
    assert report["verification"]["passed"]
    assert path.read_bytes() == result.bytes
    conv, dense, bar = PRESETS[name]
    ops = {op.kind: [t.dtype for t in (*op.present_inputs(), op.output)] for op in read(result.bytes).ops}
    assert ops["CONV_2D"] == conv
    assert ops["FULLY_CONNECTED"] == dense
    if name == "fp16":
        assert ops["DEQUANTIZE"] == ["float16", "float32"]
    assert result.report.full_integer == (name in ("int8", "int16x8"))
    assert result.report.verification is not None
    assert result.report.verification.outputs[0].sqnr_db > bar


def test_int4_weights_inside_an_int8_file_are_a_float_island(folder: Path) -> None:
    """Integer activations with 4-bit weights are not made: the op says that it computes in float."""
    loaded = load_model(f"{folder / 'net.py'}:make")
    recipe = mobilekit.Recipe(overrides=[{"op": "FULLY_CONNECTED", "precision": "int4-weights"}])
    result = mobilekit.convert(loaded.model.eval(), loaded.example_inputs, quantize=recipe,
                               calibration=folder / "data.npy")  # fmt: skip
    (island,) = result.report.float_islands
    assert (island.kind, island.reason) == ("FULLY_CONNECTED", "the recipe keeps it in int4-weights")
    assert not result.report.full_integer


@pytest.mark.parametrize("suffix", ["json", "toml"])
def test_a_recipe_scoped_by_module_end_to_end(suffix: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``backbone.*`` reaches the ops that the user's backbone became, after fusing, and no other."""
    path = folder / f"mine.{suffix}"
    if suffix == "toml":
        path.write_text('name = "mine"\n[[overrides]]\nmodule = "backbone.*"\nprecision = "float32"\n')
    else:
        path.write_text('{"name": "mine", "overrides": [{"module": "backbone.*", "precision": "float32"}]}')
    out = folder / f"scoped_{suffix}.tflite"
    words = ["convert", f"{folder / 'net.py'}:make", "-o", str(out), "-q", str(path), "-c", str(folder / "data.npy")]
    assert main([*words, "--json", "--quiet"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["quantize"] == "mine"
    assert [island["kind"] for island in report["float_islands"]] == ["CONV_2D", "CONV_2D"]
    assert [island["source"]["module"] for island in report["float_islands"]] == ["backbone.0", "backbone.2"]
    kinds = {op.kind: op.output.dtype for op in read(out.read_bytes()).ops}
    assert kinds["CONV_2D"] == "float32"
    assert kinds["MEAN"] == kinds["FULLY_CONNECTED"] == "int8"


def test_the_last_of_two_modules_wins(folder: Path) -> None:
    loaded = load_model(f"{folder / 'net.py'}:make")
    recipe = mobilekit.Recipe(
        overrides=[{"module": "backbone.*", "precision": "float32"}, {"module": "backbone.2", "precision": "int8"}]
    )
    result = mobilekit.convert(loaded.model.eval(), loaded.example_inputs, quantize=recipe,
                               calibration=folder / "data.npy")  # fmt: skip
    assert [i.source.module for i in result.report.float_islands if i.source is not None] == ["backbone.0"]


# -- odd data and weights --------------------------------------------------------------------------------------------


def _net() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU6(),
        nn.Conv2d(8, 8, 3, groups=8, padding=1), nn.ReLU(), nn.Conv2d(8, 4, 1),
    ).eval()  # fmt: skip


def _images(count: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(1, 3, 16, 16, generator=generator) for _ in range(count)]


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_constant_data_converts_with_a_warning_and_no_praise(value: float) -> None:
    data = [torch.full((1, 3, 16, 16), value)] * 8
    report = mobilekit.convert(_net(), torch.zeros(1, 3, 16, 16), quantize="int8", calibration=data).report
    assert report.full_integer
    (warning,) = report.warnings
    assert warning == (
        f"input 'input' is the constant {value:g} in every calibration sample: the ranges say nothing about real data"
    )
    assert not any("enough samples" in note or "constant" in note for note in report.notes)


def test_one_sample_converts_and_says_so() -> None:
    report = mobilekit.convert(_net(), _images(1)[0], quantize="int8", calibration=_images(1)).report
    assert report.full_integer
    assert "only one calibration sample: ranges of other data may be wider" in report.notes


def test_whether_the_samples_were_enough_is_in_the_text() -> None:
    from rich.console import Console

    from mobilekit.render.conversion_text import conversion_text

    report = mobilekit.convert(_net(), _images(1)[0], quantize="int8", calibration=_images(16)).report
    console = Console(width=400)
    with console.capture() as text:
        console.print(conversion_text(report))
    assert "enough samples: in the last quarter of 16, 0% of the ranges grew by more than 5 %" in text.get()


@pytest.mark.parametrize("layer", [0, 3, 5])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_with_nan_or_inf_are_named(layer: int, value: float) -> None:
    model = _net()
    with torch.no_grad():
        model[layer].weight.view(-1)[0] = value
    with pytest.raises(mobilekit.errors.MobilekitError, match=rf"weights in '{layer}\.weight.*' are NaN or Inf"):
        mobilekit.convert(model, _images(1)[0], quantize="int8", calibration=_images(4))


def _dead(model: nn.Sequential) -> None:
    model[0].weight[0], model[0].bias[0], model[3].weight[2] = 0.0, 0.0, 0.0


def _apart(model: nn.Sequential) -> None:
    model[0].weight[1] *= 1e6
    model[5].weight[:, 1] *= 1e-6


def _outputs_apart(model: nn.Sequential) -> None:
    model[5].weight[1] *= 1e-6
    model[5].bias[1] *= 1e-6


@pytest.mark.parametrize("odd", [_dead, _apart, _outputs_apart])
def test_odd_weights_keep_the_precision_of_the_healthy_network(odd: object) -> None:
    def sqnr(model: nn.Module) -> float:
        result = mobilekit.convert(model, _images(1)[0], quantize="int8", calibration=_images(16))
        assert result.report.full_integer
        assert result.report.verification is not None
        return result.report.verification.outputs[0].sqnr_db

    model = _net()
    with torch.no_grad():
        odd(model)  # type: ignore[operator]
    # Half a bit: a channel more or less to round, and the observer's choice between grids, move the figure by less.
    assert sqnr(model) > sqnr(_net()) - 3


class Floors(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.floor(x * 40) / 40


def test_ops_that_int8_does_not_know_are_listed_with_their_line() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), Floors(), nn.Conv2d(4, 4, 1)).eval()
    report = mobilekit.convert(model, _images(1)[0], quantize="int8", calibration=_images(8)).report
    (island,) = report.float_islands
    assert island.reason == "LiteRT has no int8 kernel for FLOOR"
    assert island.source is not None
    assert island.source.file.endswith("test_presets.py")
    assert island.converted_bytes > 0
    assert not report.full_integer


def test_zero_examples_and_noise_say_nothing_of_the_range() -> None:
    """Neither a constant example nor seeded noise like it is knowledge of the model's range."""
    zeros = torch.zeros(1, 3, 16, 16)
    with pytest.warns(mobilekit.warnings.SyntheticCalibrationWarning):
        report = mobilekit.convert(_net(), zeros, quantize="int8").report
    assert not any("wrong range" in warning for warning in report.warnings)
    report = mobilekit.convert(_net(), zeros, quantize="int8", calibration=[255 * i for i in _images(4)]).report
    assert report.warnings == ()
