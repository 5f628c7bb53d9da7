"""A phone, over adb: push the file, let the app run the same bench, pull a report of the same schema.

    adb push MODEL          -> /data/local/tmp/mobilekit-RUN.tflite (and .json: the sidecar)
    adb shell am start      -> the app's bench activity, with the settings as intent extras
    (the app runs)          -> files/mobilekit-RUN.json in its external folder, written whole and renamed
    adb shell cat           <- the report, or {"error": "..."}

docs/bench.md holds the protocol for who writes the other side. Everything on the phone is removed again.
"""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mobilekit.bench import schema
from mobilekit.bench.model import ModelFile
from mobilekit.bench.settings import BenchSettings, Progress
from mobilekit.errors import InputError, MobilekitError
from mobilekit.results.bench import BenchReport

PACKAGE = "dev.mobilekit.demo"
ACTIVITY = f"{PACKAGE}/.BenchActivity"
# Where TFLite's own benchmark app is told to look for models: adb may write there, and apps may read.
_MODEL_FOLDER = "/data/local/tmp"
_REPORT_FOLDER = f"/sdcard/Android/data/{PACKAGE}/files"
# One adb command on a phone that answers; a push of 100 MB over USB 2 takes 3 s.
_ADB_TIMEOUT_S = 60.0
# Beyond the run itself: start the app, open the camera, warm up, run back to back, write the report.
_EXTRA_S = 60.0
_POLL_S = 0.5

_EXTRA_OPTIONS = {bool: "--ez", int: "--ei", float: "--ef", str: "--es"}


class DeviceError(MobilekitError):
    """The phone cannot be reached, or the app on it failed."""


@dataclass(frozen=True)
class Phone:
    """One phone that adb knows."""

    serial: str
    state: str
    """"device" when it can be used; "unauthorized", "offline" ..."""
    name: str


def run(settings: BenchSettings, model: ModelFile, progress: Progress) -> BenchReport:
    """One run of the bench on a phone."""
    adb = _Adb(_find_adb(), _choose(settings.device.partition(":")[2]))
    adb.check_app()
    run_id = f"mobilekit-{uuid.uuid4().hex[:12]}"
    on_phone = f"{_MODEL_FOLDER}/{run_id}.tflite"
    sidecar_on_phone = f"{_MODEL_FOLDER}/{run_id}.json"
    report_on_phone = f"{_REPORT_FOLDER}/{run_id}.json"
    try:
        progress(f"sending the model to {adb.serial}", 0.0)
        adb.push(model.data, on_phone)
        if model.sidecar is not None:
            adb.push(model.sidecar.to_json().encode(), sidecar_on_phone)
        adb.start(_extras(settings, run_id, on_phone))
        text = _wait(adb, report_on_phone, settings, progress)
    finally:
        with contextlib.suppress(DeviceError):
            adb.shell(["rm", "-f", on_phone, sidecar_on_phone, report_on_phone])
    return _report(text, settings, model, adb.serial)


def phones() -> list[Phone]:
    """The phones that adb lists; :class:`DeviceError` if there is no adb."""
    answer = _execute([_find_adb(), "devices", "-l"])
    found = []
    for line in answer.splitlines()[1:]:
        fields = line.split()
        if len(fields) < 2 or line.startswith("*"):
            continue
        names = [f.partition(":")[2] for f in fields[2:] if f.startswith("model:")]
        found.append(Phone(fields[0], fields[1], names[0].replace("_", " ") if names else ""))
    return found


def _find_adb() -> str:
    adb = shutil.which("adb")
    if adb is None:
        raise DeviceError("adb is not on the PATH: install Android's platform-tools to bench on a phone")
    return adb


def _choose(serial: str) -> str:
    """The phone that was named, or the only one."""
    found = phones()
    if serial:
        found = [phone for phone in found if phone.serial == serial]
        if not found:
            raise DeviceError(f"adb knows no phone with the serial '{serial}': see --list")
    if not found:
        raise DeviceError("adb sees no phone: connect one, switch on USB debugging, and accept this computer on it")
    if len(found) > 1:
        serials = ", ".join(phone.serial for phone in found)
        raise DeviceError(f"adb sees {len(found)} phones ({serials}): choose one with --device android:SERIAL")
    if found[0].state != "device":
        hint = ": accept this computer on its screen" if found[0].state == "unauthorized" else ""
        raise DeviceError(f"the phone {found[0].serial} is {found[0].state}{hint}")
    return found[0].serial


@dataclass(frozen=True)
class _Adb:
    """adb, bound to one phone."""

    executable: str
    serial: str

    def shell(self, command: Sequence[str]) -> str:
        # adb joins its arguments and hands them to a shell on the phone: they are quoted for that one.
        return _execute([self.executable, "-s", self.serial, "shell", shlex.join(command)])

    def push(self, data: bytes, target: str) -> None:
        with tempfile.TemporaryDirectory() as folder:
            local = Path(folder) / "file"
            local.write_bytes(data)
            _execute([self.executable, "-s", self.serial, "push", str(local), target])
        # Apps run as other users than adb does.
        self.shell(["chmod", "644", target])

    def check_app(self) -> None:
        if f"package:{PACKAGE}\n" not in self.shell(["pm", "list", "packages", PACKAGE]) + "\n":
            raise DeviceError(
                f"the app {PACKAGE} is not on the phone {self.serial}: build and install android_demo first"
            )

    def start(self, extras: Sequence[str]) -> None:
        # -S: a fresh process, so that load time and memory belong to this run. `am` exits 0 even when it failed.
        answer = self.shell(["am", "start", "-S", "-W", "-n", ACTIVITY, *extras])
        failed = [line for line in answer.splitlines() if line.startswith(("Error", "Exception"))]
        if failed:
            raise DeviceError(f"the app could not be started on {self.serial}: {failed[0]}")


def _extras(settings: BenchSettings, run_id: str, model: str) -> list[str]:
    """The settings as extras of the intent; the names are those of the report's ``settings``."""
    values = {**settings.as_dict(), "run_id": run_id, "model": model}
    extras: list[str] = []
    for name, value in values.items():
        extras += [_EXTRA_OPTIONS[type(value)], name, str(value)]
    return extras


def _wait(adb: _Adb, report: str, settings: BenchSettings, progress: Progress) -> str:
    start = time.monotonic()
    allowed = settings.warm_up + settings.seconds + _EXTRA_S
    while (passed := time.monotonic() - start) < allowed:
        progress(f"camera to screen on {adb.serial}", min(0.99, passed / (settings.warm_up + settings.seconds + 5)))
        # One command for both questions, so that a report that is renamed into place in between is not missed.
        text = adb.shell(["sh", "-c", f"test -f {report} && cat {report} || true"])
        if text.strip():
            return text
        time.sleep(_POLL_S)
    raise DeviceError(f"the app on {adb.serial} gave no report within {allowed:.0f} s: see adb logcat -s mobilekit")


def _report(text: str, settings: BenchSettings, model: ModelFile, serial: str) -> BenchReport:
    try:
        document = json.loads(text)
    except json.JSONDecodeError:
        document = None
    if isinstance(document, dict) and "error" in document:
        raise DeviceError(f"the app on {serial} failed: {document['error']}")
    try:
        report = schema.parse(text, f"the report of {serial}")
    except InputError as error:
        raise DeviceError(f"{error}; is the app of the same version as mobilekit?") from error
    # The app knows only the file that it was sent; whose weights these are is known here.
    return replace(report, device=f"android:{serial}", model=model.name, weights=model.weights)


def _execute(command: Sequence[str]) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_ADB_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise DeviceError(f"adb did not answer within {_ADB_TIMEOUT_S:.0f} s") from None
    except OSError as error:
        raise DeviceError(f"adb cannot be run: {error.strerror or error}") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise DeviceError(f"adb failed: {said[-1] if said else f'exit status {done.returncode}'}")
    return done.stdout
