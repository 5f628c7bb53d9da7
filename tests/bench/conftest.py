from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.samples import image_classifier


@pytest.fixture
def classifier_path(tmp_path: Path) -> Path:
    path = tmp_path / "classifier.tflite"
    path.write_bytes(image_classifier())
    return path
