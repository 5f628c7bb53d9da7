"""The display, *modelled*: a vsync that runs free of the camera, a compositor that needs its lead, a scan-out.

    result in memory -> draw -> [wait for the latch] -> latch -> composition (lead) -> vsync: present -> scan-out

A frame is presented at the first vsync that comes at least ``compositor_lead`` after it was drawn, and its latency ends
half a scan-out later, when the middle row lights up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from mobilekit.bench.camera import NS_PER_MS, NS_PER_S
from mobilekit.results.bench import Assumption


@dataclass(frozen=True)
class DisplayModel:
    """Vsync n is at ``phase_ns + n / refresh_hz``, rounded once."""

    refresh_hz: float = 60.0
    phase_ns: int = 0
    draw_ms: float = 2.0
    compositor_lead_ms: float = 10.5

    @property
    def period_ns(self) -> float:
        return NS_PER_S / self.refresh_hz

    @property
    def draw_ns(self) -> int:
        return round(self.draw_ms * NS_PER_MS)

    @property
    def lead_ns(self) -> int:
        return round(self.compositor_lead_ms * NS_PER_MS)

    @property
    def half_scan_out_ns(self) -> int:
        """A panel scans out for about its whole period; the middle row is reached at half of it."""
        return round(self.period_ns / 2)

    def vsync_ns(self, number: int) -> int:
        return self.phase_ns + round(number * self.period_ns)

    def first_vsync_at_or_after(self, time_ns: int) -> int:
        """The number of that vsync."""
        number = math.ceil((time_ns - self.phase_ns) / self.period_ns)
        # The division is a float and the vsync is rounded: either may be off by one at a boundary.
        while self.vsync_ns(number) < time_ns:
            number += 1
        while self.vsync_ns(number - 1) >= time_ns:
            number -= 1
        return number

    def present_ns(self, drawn_ns: int) -> int:
        return self.vsync_ns(self.first_vsync_at_or_after(drawn_ns + self.lead_ns))

    def assumptions(self) -> tuple[Assumption, ...]:
        return (
            Assumption(
                name="draw",
                value=self.draw_ms,
                unit="ms",
                source="an assumption: an overlay of boxes and text on the GPU of a phone; nothing is drawn here",
            ),
            Assumption(
                name="compositor lead",
                value=self.compositor_lead_ms,
                unit="ms",
                source="debug.sf.late.sf.duration as Android device trees set it for SurfaceFlinger (10.5 ms at 60 Hz)",
            ),
            Assumption(
                name="scan-out",
                value=self.half_scan_out_ns / NS_PER_MS,
                unit="ms",
                source="half a refresh period: the middle row of a panel that scans out for its whole period",
            ),
        )
