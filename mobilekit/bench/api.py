"""``bench()``: what the command line and Python users call."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from mobilekit.bench.model import default_model, load_model
from mobilekit.bench.settings import BenchSettings, Progress, no_progress
from mobilekit.errors import InputError
from mobilekit.results.bench import BenchReport

# A device is one module with run(settings, model, progress) -> BenchReport, and one line here.
DEVICES = {
    "cpu": "mobilekit.bench.devices.cpu",
    "android": "mobilekit.bench.devices.android",
}


def bench(
    model: str | Path | None = None, *, device: str = "cpu", progress: Progress = no_progress, **settings: Any
) -> BenchReport:
    """Measure ``model`` from camera to screen.

    :param model: a .tflite file; the sidecar beside it (same name, .json) says how to preprocess. None: MobileNetV2.
    :param device: "cpu" (this machine), or "android" or "android:SERIAL" (a phone, over adb).
    :param progress: called with what is being done and the share of it that is done.
    :param settings: fields of :class:`~mobilekit.bench.settings.BenchSettings`: fps, refresh_hz, seconds, threads ...
    """
    checked = BenchSettings(device=device, **settings)
    name = device.partition(":")[0]
    if name not in DEVICES:
        raise InputError(f"there is no device '{device}', known are {', '.join(DEVICES)}")
    chosen = importlib.import_module(DEVICES[name])
    loaded = default_model(progress) if model is None else load_model(model)
    report: BenchReport = chosen.run(checked, loaded, progress)
    return report
