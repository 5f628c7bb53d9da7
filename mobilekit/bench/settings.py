"""What a run of the bench is asked to do; every device takes the same settings."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from mobilekit.bench.camera import camera_model
from mobilekit.bench.frames import check_size
from mobilekit.errors import InputError

Progress = Callable[[str, float], None]
"""Called with what is being done, in words, and how much of it is done, 0 to 1."""


def no_progress(_what: str, _share: float) -> None:
    """Say nothing."""


@dataclass(frozen=True)
class BenchSettings:
    """Checked on creation: a setting that makes no sense is an :class:`InputError` that names the option."""

    device: str = "cpu"
    fps: float = 29.97
    """Not 30: against 60 Hz that would freeze the phase between camera and display for the whole run."""
    refresh_hz: float = 60.0
    seconds: float = 17.0
    """29.97 fps goes once through all phases against 60 Hz in 16.7 s; a shorter run sees only some of them."""
    warm_up: float = 0.5
    """Seconds, and at least one run, as TFLite's benchmark_model does."""
    threads: int = 1
    frame_width: int = 1920
    frame_height: int = 1080
    rotation: int = 90
    """Clockwise, from the sensor to the upright picture: 90 on nearly every phone held upright."""
    delegate: str = "xnnpack"
    seed: int = 0
    camera: str = "phone"

    def __post_init__(self) -> None:
        _check_number("--fps", self.fps, 1, 1000)
        _check_number("--refresh", self.refresh_hz, 1, 1000)
        _check_number("--seconds", self.seconds, 0.5, 3600)
        _check_number("--warm-up", self.warm_up, 0, 600)
        _check_number("--threads", self.threads, 1, 256)
        if self.rotation not in (0, 90, 180, 270):
            raise InputError(f"--rotation is {self.rotation}, known are 0, 90, 180 and 270 degrees")
        if self.delegate not in ("xnnpack", "reference"):
            raise InputError(f"--delegate is '{self.delegate}', known are xnnpack and reference")
        if self.seed < 0:
            raise InputError(f"--seed is {self.seed}, it must not be negative")
        check_size(self.frame_width, self.frame_height)
        camera_model(self.camera)

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def parse_frame(text: str) -> tuple[int, int]:
    """``1920x1080`` -> (1920, 1080)."""
    width, times, height = text.lower().partition("x")
    if not (times and width.isascii() and width.isdigit() and height.isascii() and height.isdigit()):
        raise InputError(f"--frame is '{text}', expected WIDTHxHEIGHT such as 1920x1080")
    size = int(width), int(height)
    check_size(*size)
    return size


def _check_number(option: str, value: float, low: float, high: float) -> None:
    if not math.isfinite(value) or not low <= value <= high:
        raise InputError(f"{option} is {value:g}, it must be {low:g} to {high:g}")
