from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from mobilekit.bench import default_model
from mobilekit.bench.frames import frame_ring, photo_files
from mobilekit.bench.model import load_model
from mobilekit.bench.stages import Pipeline
from mobilekit.errors import ModelLoadError

pytest.importorskip("torchvision")


def test_calibration_crops_are_what_the_model_takes_and_differ() -> None:
    import torch

    if not photo_files():
        pytest.skip("scikit-image is not installed")
    crops = list(default_model._photo_crops())
    assert len(crops) == 16
    assert all(crop.shape == (1, 3, 224, 224) and crop.dtype == torch.float32 for crop in crops)
    # Normalised pictures: within what 0 and 255 become, and not all alike.
    assert all(crop.min() > -2.2 and crop.max() < 2.7 for crop in crops)
    assert len({crop.numpy().tobytes() for crop in crops}) == 16


def test_without_photos_there_is_nothing_to_calibrate_with(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_model, "photo_files", list)
    assert list(default_model._photo_crops()) == []


def test_a_failure_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: Path) -> None:
        raise ModelLoadError("two\nlines")

    monkeypatch.setattr(default_model, "convert_default", fail)
    assert default_model.main(["x.tflite"]) == "two lines"


@pytest.mark.slow
def test_the_converted_model_runs_on_camera_frames(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet_v2.tflite"
    subprocess.run([sys.executable, "-m", "mobilekit.bench.default_model", str(path)], check=True, timeout=300)
    model = load_model(path)
    assert model.sidecar is not None
    pipeline = Pipeline(model.data, model.sidecar, frame_size=(640, 480), rotation=90, threads=1, delegate="xnnpack")
    answers = pipeline(frame_ring(640, 480)[0])
    assert len(answers) == 5
    assert all(0 <= answer.index < 1000 for answer in answers)
    assert not any("sidecar" in note for note in pipeline.notes)
