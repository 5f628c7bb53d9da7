"""The camera: open-loop, never waiting for anybody, and a mailbox that keeps only the latest frame.

Frame k is handed to the app at ``start + k / fps`` on an absolute clock. A slow worker does not shift that: it loses
frames, as on a phone. What happens before the hand-over (exposure, rolling shutter, readout, ISP) is *modelled*.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Generic, TypeVar

from mobilekit.errors import InputError
from mobilekit.results.bench import Assumption

NS_PER_MS = 1_000_000
NS_PER_S = 1_000_000_000

# Linux rounds a sleep up by its timer slack (50 us) and the wake-up costs as much again: seen 0.10 ms late. The last
# 0.2 ms are therefore waited for in the shortest sleeps there are, which also give the GIL away: seen 0.05 ms late, for
# at most 0.6 % of one core at 30 fps. What is left is measured, and counted as mailbox wait.
SPIN_NS = 200_000

T = TypeVar("T")


@dataclass(frozen=True)
class CameraModel:
    """What lies between the light and the app's callback, as constants in milliseconds.

    SENSOR_TIMESTAMP is the start of exposure of the first row; row r of H starts ``r / H * skew`` later; the callback
    comes ``readout_isp`` after the last row was read out, which is when its exposure ended.
    """

    name: str
    exposure_ms: float
    skew_ms: float
    readout_isp_ms: float
    exposure_source: str
    skew_source: str
    readout_isp_source: str

    @property
    def sensor_to_due_ns(self) -> int:
        """SENSOR_TIMESTAMP -> the frame is due in the app."""
        return round((self.exposure_ms + self.skew_ms + self.readout_isp_ms) * NS_PER_MS)

    @property
    def exposure_stage_ns(self) -> int:
        """The centre row's mid exposure -> the end of the last row's exposure: (exposure + skew) / 2."""
        return round((self.exposure_ms + self.skew_ms) / 2 * NS_PER_MS)

    @property
    def readout_isp_stage_ns(self) -> int:
        return self.start_to_due_ns - self.exposure_stage_ns

    @property
    def start_to_due_ns(self) -> int:
        """The start of the latency, SENSOR_TIMESTAMP + exposure/2 + skew/2, -> the frame is due in the app."""
        return self.sensor_to_due_ns - round((self.exposure_ms + self.skew_ms) / 2 * NS_PER_MS)

    def assumptions(self) -> tuple[Assumption, ...]:
        return (
            Assumption(name="exposure", value=self.exposure_ms, unit="ms", source=self.exposure_source),
            Assumption(name="rolling-shutter skew", value=self.skew_ms, unit="ms", source=self.skew_source),
            Assumption(name="readout + ISP", value=self.readout_isp_ms, unit="ms", source=self.readout_isp_source),
        )


_NO_SENSOR = "preset none: the frame starts to exist when it reaches the app"

CAMERAS = {
    model.name: model
    for model in (
        CameraModel(
            name="phone",
            exposure_ms=10.0,
            skew_ms=20.0,
            readout_isp_ms=15.0,
            exposure_source="preset phone: 1/100 s, one half-wave of 50 Hz light (anti-banding), indoors",
            skew_source="preset phone: published readout times of 1080p phone video run from 14 to 32 ms",
            readout_isp_source="preset phone: an assumption of half a frame period at 30 fps, not a measurement",
        ),
        CameraModel(
            name="none",
            exposure_ms=0.0,
            skew_ms=0.0,
            readout_isp_ms=0.0,
            exposure_source=_NO_SENSOR,
            skew_source=_NO_SENSOR,
            readout_isp_source=_NO_SENSOR,
        ),
    )
}


def camera_model(name: str) -> CameraModel:
    if name not in CAMERAS:
        raise InputError(f"there is no camera preset '{name}', known are {', '.join(CAMERAS)}")
    return CAMERAS[name]


@dataclass(frozen=True)
class Schedule:
    """When each frame is due in the app: ``start + k / fps``, rounded once, so that it never drifts."""

    fps: float
    start_ns: int

    def due_ns(self, index: int) -> int:
        return self.start_ns + round(index * NS_PER_S / self.fps)


class Mailbox(Generic[T]):
    """One slot. A new item replaces the old one; nobody ever waits to put."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._item: T | None = None
        self._closed = False

    def put(self, item: T) -> None:
        with self._condition:
            self._item = item
            self._condition.notify()

    def take(self) -> T | None:
        """The latest item, waiting for one; None when the mailbox is closed and empty."""
        with self._condition:
            while self._item is None and not self._closed:
                self._condition.wait()
            item, self._item = self._item, None
            return item

    def close(self) -> None:
        """What lies in the slot can still be taken."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def __iter__(self) -> Iterator[T]:
        while (item := self.take()) is not None:
            yield item


def sleep_until(deadline_ns: int) -> None:
    """Return at ``deadline_ns`` of ``time.perf_counter_ns`` or a little (about 50 us) later."""
    remaining = deadline_ns - time.perf_counter_ns()
    if remaining > SPIN_NS:
        time.sleep((remaining - SPIN_NS) / NS_PER_S)
    while time.perf_counter_ns() < deadline_ns:
        time.sleep(0)


def run_camera(
    schedule: Schedule, count: int, put: Callable[[int], None], stopped: Callable[[], bool] = lambda: False
) -> list[int]:
    """Hand over the indices 0 .. count-1 when each is due; return how late each hand-over was, in ns.

    A hand-over that would come after the next frame is due still happens: a camera does not skip, its consumer does.
    """
    late_ns = []
    for index in range(count):
        due = schedule.due_ns(index)
        sleep_until(due)
        if stopped():
            break
        late_ns.append(time.perf_counter_ns() - due)
        put(index)
    return late_ns
