from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mobilekit.bench.camera import NS_PER_MS
from mobilekit.bench.display import DisplayModel

MS = NS_PER_MS


@pytest.mark.parametrize(
    ("drawn_ms", "present_ms"),
    [
        (0, 50),  # latched at 40 at the latest
        (40, 50),  # just made it
        (40.000001, 100),  # a nanosecond late costs a period
        (41, 100),
        (-20, 0),
    ],
)
def test_present_is_the_first_vsync_after_drawn_plus_lead(drawn_ms: float, present_ms: int) -> None:
    display = DisplayModel(refresh_hz=20, compositor_lead_ms=10)
    assert display.present_ns(round(drawn_ms * MS)) == present_ms * MS


@given(
    refresh=st.sampled_from([24.0, 59.94, 60.0, 60.0001, 90.0, 120.0, 144.0]),
    phase=st.integers(0, 10**15),
    time=st.integers(-(10**12), 10**15),
)
def test_the_vsync_found_is_the_first(refresh: float, phase: int, time: int) -> None:
    display = DisplayModel(refresh_hz=refresh, phase_ns=phase)
    number = display.first_vsync_at_or_after(time)
    assert display.vsync_ns(number - 1) < time <= display.vsync_ns(number)


def test_vsyncs_do_not_drift() -> None:
    assert DisplayModel(refresh_hz=60).vsync_ns(60 * 3600) == 3600 * 1000 * MS


def test_every_constant_names_its_source() -> None:
    assert {a.name for a in DisplayModel().assumptions()} == {"draw", "compositor lead", "scan-out"}
    assert all(a.source for a in DisplayModel().assumptions())
