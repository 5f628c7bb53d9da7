"""Fixtures that tests of several folders share."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="session")
def classic_python() -> Path:
    """The Python of the classic environment (TensorFlow, onnx2tf, the old runtime), made by ``make classic``.

    ``MOBILEKIT_CLASSIC_PYTHON`` names another one. Where there is none the test is skipped and says so, but not in CI:
    there ``make test`` has built it, so that it is missing is a failure.
    """
    if importlib.util.find_spec("tensorflow") is not None:
        return Path(sys.executable)
    python = Path(os.environ.get("MOBILEKIT_CLASSIC_PYTHON", ROOT / ".venv-classic" / "bin" / "python"))
    if python.exists():
        return python
    message = f"needs the classic environment, and there is no {python}: make classic"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)
