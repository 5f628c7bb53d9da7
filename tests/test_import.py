"""``import mobilekit`` is cheap: it loads nothing heavy. benchmarks/import_time.py measures what it costs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import mobilekit

HEAVY = [
    "torch",
    "torchvision",
    "tensorflow",
    "matplotlib",
    "pydantic",
    "rich",
    "typer",
    "jinja2",
    "cv2",
    "PIL",
    "onnx",
]
HEAVY += ["numpy", "flatbuffers", "ai_edge_litert", "skimage", "scipy"]


def loaded_by(statement: str) -> set[str]:
    """Top-level packages in a fresh interpreter after ``statement``."""
    code = (
        f"import json, sys\n{statement}\nprint(json.dumps(sorted({{name.partition('.')[0] for name in sys.modules}})))"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(mobilekit.__file__).parent.parent)}
    child = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return set(json.loads(child.stdout))


def test_import_loads_nothing_heavy() -> None:
    loaded = loaded_by("import mobilekit")
    assert "mobilekit" in loaded
    assert loaded.isdisjoint(HEAVY), loaded & set(HEAVY)


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        # What an app that only reads, checks or times files needs: never torch.
        ("from mobilekit.graph.reader import read", {"numpy", "flatbuffers", "ai_edge_litert"}),
        ("from mobilekit.runtime import Interpreter", {"numpy"}),
        ("from mobilekit.kernels import preprocess", {"numpy"}),
        ("from mobilekit.sidecar import Sidecar", {"pydantic"}),
        ("from mobilekit import check", {"numpy", "flatbuffers", "ai_edge_litert"}),
    ],
)
def test_parts_load_only_what_they_work_with(statement: str, allowed: set[str]) -> None:
    loaded = loaded_by(statement) & set(HEAVY)
    assert loaded <= allowed, loaded - allowed


def test_public_names() -> None:
    assert {"convert", "check", "Converted", "MobilekitError", "__version__"} <= set(dir(mobilekit))
    for name in mobilekit.__all__:
        assert getattr(mobilekit, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'mobilekit' has no attribute 'convret'"):
        _ = mobilekit.convret  # type: ignore[attr-defined]
