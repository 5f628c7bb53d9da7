"""Converting and timing the models of a configuration: figures of real files, bars, and what is broken."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from mobilekit.bench.project import convert_entry, file_of, time_entry
from mobilekit.compat.ci import run_ci
from mobilekit.compat.config import CiConfig, ModelEntry
from mobilekit.graph import reader

NET = """\
import torch

def make():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 8, 3, stride=2, padding=1), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1),
        torch.nn.Flatten(), torch.nn.Linear(8, 10),
    ).eval()

def broken():
    raise ValueError("the user's own mistake")
"""
SHAPE = ("1,3,32,32",)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / "net.py").write_text(NET)
    return tmp_path


def run(root: Path, *entries: ModelEntry, **more: object):
    folder = root / "files"
    folder.mkdir(exist_ok=True)
    return run_ci(
        CiConfig(models=entries, **more),
        root,
        convert_model=partial(convert_entry, root=root, folder=folder),
        time_model=partial(time_entry, folder=folder, seconds=0.5),
        jobs=0,
    )


def test_the_figures_are_those_of_the_file(root: Path) -> None:
    entry = ModelEntry(model="net.py:make", name="a/b", input_shapes=SHAPE, quantize="int8", run="bench")
    report = run(root, entry)
    outcome = report.outcomes[0]
    assert report.exit_code == 0, outcome
    file = file_of(entry, root / "files")
    assert outcome.conversion is not None
    assert outcome.conversion.size_bytes == file.stat().st_size
    assert outcome.conversion.calibration == "synthetic"
    assert any("synthetic" in note for note in outcome.notes), "numbers of noise are said to be that"
    assert {tensor.dtype for tensor in reader.read_file(file).inputs} == {"int8"}
    assert outcome.latency is not None
    assert min(outcome.latency.inference_ms, outcome.latency.processing_ms) > 0
    # Exposure, readout and scan-out alone, which are modelled, take longer than this network.
    assert outcome.latency.camera_to_screen_p90_ms > outcome.latency.processing_ms


def test_a_run_goes_as_far_as_it_was_asked_to(root: Path) -> None:
    checked, converted = (
        ModelEntry(model="net.py:make", name=name, input_shapes=SHAPE, run=step)
        for name, step in (("one", None), ("two", "convert"))
    )
    first, second = run(root, checked, converted).outcomes
    assert (first.conversion, first.latency) == (None, None)
    assert second.conversion is not None
    assert second.latency is None


def test_bars_on_the_figures(root: Path) -> None:
    entry = ModelEntry(
        model="net.py:make", name="n", input_shapes=SHAPE, quantize="int8", run="bench", min_sqnr_db=300.0,
        max_processing_ms=1e-6,
    )  # fmt: skip
    report = run(root, entry)
    assert report.exit_code == 2
    assert [miss.target for miss in report.outcomes[0].misses] == ["verification", "latency"]


def test_what_cannot_be_converted_or_timed_leaves_the_others_alone(root: Path) -> None:
    (root / "text.py").write_text("import torch\n\ndef make():\n    return torch.nn.Linear(4, 2).eval()\n")
    report = run(
        root,
        ModelEntry(model="net.py:broken", name="broken"),
        ModelEntry(model="text.py:make", name="no picture", input_shapes=("1,4",)),
        ModelEntry(model="net.py:make", name="good", input_shapes=SHAPE),
        run="bench",
    )
    broken, no_picture, good = report.outcomes
    assert report.exit_code == 1
    assert "the user's own mistake" in (broken.error or "")
    assert broken.conversion is None
    assert no_picture.conversion is not None
    assert no_picture.error, "a model without a picture for input has no camera-to-screen latency"
    assert good.passed
    assert good.latency is not None


def test_a_tflite_file_is_taken_as_it_is(root: Path) -> None:
    run(root, ModelEntry(model="net.py:make", name="made", input_shapes=SHAPE, run="convert"))
    made = root / "files" / "made.tflite"
    outcome = run(root, ModelEntry(model="files/made.tflite", name="copy", run="convert")).outcomes[0]
    assert outcome.conversion is not None
    assert outcome.conversion.backend == "as given"
    assert (root / "files" / "copy.tflite").read_bytes() == made.read_bytes()
