from __future__ import annotations

import math
from typing import Any

import pytest

from mobilekit.bench.settings import BenchSettings, parse_frame
from mobilekit.errors import InputError


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ({"fps": 0}, "--fps is 0, it must be 1 to 1000"),
        ({"fps": -30}, "--fps is -30, it must be 1 to 1000"),
        ({"fps": math.nan}, "--fps is nan, it must be 1 to 1000"),
        ({"fps": math.inf}, "--fps is inf, it must be 1 to 1000"),
        ({"refresh_hz": 0}, "--refresh is 0, it must be 1 to 1000"),
        ({"seconds": 0}, "--seconds is 0, it must be 0.5 to 3600"),
        ({"warm_up": -1}, "--warm-up is -1, it must be 0 to 600"),
        ({"threads": 0}, "--threads is 0, it must be 1 to 256"),
        ({"rotation": 45}, "--rotation is 45, known are 0, 90, 180 and 270 degrees"),
        ({"delegate": "gpu"}, "--delegate is 'gpu', known are xnnpack and reference"),
        ({"seed": -1}, "--seed is -1, it must not be negative"),
        ({"camera": "webcam"}, "there is no camera preset 'webcam', known are phone, none"),
        ({"frame_width": 10**6}, "a camera frame of 1000000x1080 is out of range"),
    ],
)
def test_senseless_settings_name_the_option(setting: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        BenchSettings(**setting)
    assert str(caught.value).startswith(text)


def test_the_defaults_are_not_locked_in_phase() -> None:
    settings = BenchSettings()
    assert settings.refresh_hz / settings.fps % 1 != 0
    # And see every phase once: the beat of 29.97 fps against 60 Hz is 16.7 s.
    assert settings.seconds >= 1 / abs(settings.refresh_hz - 2 * settings.fps)


class TestParseFrame:
    def test_reads(self) -> None:
        assert parse_frame("1920x1080") == (1920, 1080)
        assert parse_frame("1280X720") == (1280, 720)

    @pytest.mark.parametrize("text", ["", "1920", "1920x", "x1080", "1920x1080x3", "-2x4", "1e3x100", "²x16", "a x b"])
    def test_refuses(self, text: str) -> None:
        with pytest.raises(InputError, match="expected WIDTHxHEIGHT such as 1920x1080"):
            parse_frame(text)
