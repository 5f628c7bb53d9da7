"""A model and its sidecar -> an installable APK, in seconds: zip and sign, nothing is compiled.

    prebuilt app --take out its model--> + MODEL.tflite + MODEL.json --align, sign--> app.apk

The prebuilt app is what ``make apk`` builds (or ``MOBILEKIT_ANDROID_APP`` names). What the app could not run is refused
here, with the reason that its own screen would give.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

from mobilekit.android.apk import Entry, read_entries, zip_entries
from mobilekit.android.sign import Key, sign
from mobilekit.errors import InputError
from mobilekit.files import check_writable, write_file
from mobilekit.graph import reader
from mobilekit.sidecar import Sidecar
from mobilekit.tasks import classification, detection, recognition
from mobilekit.tasks.preprocess import Preprocess

MODEL, SIDECAR = "assets/model.tflite", "assets/model.json"
# The TensorFlow Lite in the app (android_demo/build.py takes it from constraints/android.txt).
RUNTIME_VERSION = (2, 16, 1)
APP_VARIABLE = "MOBILEKIT_ANDROID_APP"
_SCORE_DTYPES = ("int8", "float32")
# What the app shows; each refuses a sidecar that contradicts itself, in words that the app has too (Postprocessor.kt).
_TASKS = {
    "classification": classification.Postprocess.from_sidecar,
    "detection": detection.Postprocess.from_sidecar,
    "recognition": recognition.Postprocess.from_sidecar,
}


@dataclass(frozen=True)
class Packaged:
    """What was written."""

    path: Path
    size_bytes: int
    model: str
    sha256: str
    """Of the APK."""


def package(
    model: str | Path, output: str | Path, *, sidecar: str | Path | None = None, app: str | Path | None = None
) -> Packaged:
    """Put ``model`` (.tflite) and its sidecar (by default the .json beside it) into the app; signed with the debug key.

    :class:`InputError` where the app could not run the model, :class:`OutputError` where ``output`` cannot be written;
    nothing is written then. The app keeps its package name: it takes the place of a demo that is installed.
    """
    model, output = Path(model), Path(output)
    data = _read(model)
    described = _sidecar(Path(sidecar) if sidecar is not None else model.with_suffix(".json"), model, data)
    check_runs(described)
    prebuilt = _app(app)
    check_writable(output)
    entries = [entry for entry in read_entries(prebuilt) if entry.name not in (MODEL, SIDECAR)]
    if not any(entry.name == "classes.dex" for entry in entries):
        raise InputError(f"'{prebuilt}' is no prebuilt app: it holds no classes.dex; build one with `make apk`")
    entries += [Entry(MODEL, data), Entry(SIDECAR, described.to_json().encode())]
    entries.sort(key=lambda entry: (entry.name != "AndroidManifest.xml", entry.name))
    signed = sign(zip_entries(entries), Key.debug())
    write_file(output, signed)
    return Packaged(output, len(signed), described.model, hashlib.sha256(signed).hexdigest())


def check_runs(sidecar: Sidecar) -> None:
    """:class:`InputError` where the app would show an error instead of answers."""
    name = sidecar.model
    Preprocess.from_sidecar(sidecar)  # one image, of the size that the preprocessing makes
    if sidecar.states:
        raise InputError(f"'{name}' keeps state from call to call: the app runs each frame for itself")
    if sidecar.stages is not None:
        raise InputError(f"'{name}' is more than one run of its file: the app runs it once")
    spec = sidecar.postprocess
    if spec is None:
        raise InputError(f"'{name}' has a sidecar that does not say what its outputs mean: convert with --task")
    if spec.kind not in _TASKS:
        raise InputError(f"'{name}' is for {spec.kind}: the app shows {', '.join(_TASKS)}")
    if len(sidecar.outputs) != 1:
        raise InputError(f"'{name}' has {len(sidecar.outputs)} outputs, {spec.kind} reads one")
    _TASKS[spec.kind](sidecar)  # of a shape that the task reads, and as many labels as classes
    output = sidecar.outputs[0]
    if output.dtype not in _SCORE_DTYPES:
        raise InputError(f"output '{output.name}' of '{name}' is {output.dtype}: the app reads int8 and float32 scores")
    needed = tuple(map(int, re.findall(r"\d+", sidecar.min_runtime_version)))
    if needed > RUNTIME_VERSION:
        ours = ".".join(map(str, RUNTIME_VERSION))
        raise InputError(f"'{name}' needs runtime {sidecar.min_runtime_version}, the app has {ours}")


def _read(model: Path) -> bytes:
    try:
        data = model.read_bytes()
    except OSError as error:
        raise InputError(f"cannot read '{model}': {error.strerror or error}") from error
    reader.read(data, f"'{model}'")  # the whole file: the runtime on the phone trusts what it maps
    return data


def _sidecar(path: Path, model: Path, data: bytes) -> Sidecar:
    if not path.is_file():
        raise InputError(
            f"there is no sidecar '{path}': the app knows nothing else about a model. `mobilekit convert` writes it "
            f"beside '{model}'; name another with --sidecar"
        )
    sidecar = Sidecar.read(path)
    if sidecar.sha256 != hashlib.sha256(data).hexdigest():
        raise InputError(f"'{path}' describes another file than '{model}' (sha256 differs): convert again")
    return sidecar


def _app(app: str | Path | None) -> Path:
    named = app or os.environ.get(APP_VARIABLE)
    if named:
        return Path(named)
    built = Path(__file__).resolve().parents[2] / "android_demo" / "build" / "mobilekit-demo.apk"
    if not built.is_file():
        raise InputError(
            f"there is no prebuilt app: run `make apk` in mobilekit's sources "
            f"(it writes android_demo/build/{built.name}), or name an APK with --base or {APP_VARIABLE}"
        )
    return built
