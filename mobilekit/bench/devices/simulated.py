"""A device without time: the same camera, mailbox and worker on a virtual clock, for tests of the accounting.

The clock only jumps to the next event, so a run of an hour takes a second and gives the same nanoseconds each time.
"""

from __future__ import annotations

import bisect
from collections.abc import Callable
from dataclasses import dataclass

from mobilekit.bench.accounting import FrameTimes, Recording
from mobilekit.bench.camera import NS_PER_S, Schedule


@dataclass(frozen=True)
class Service:
    """What the worker spends on one frame, in ns."""

    preprocess_ns: int
    inference_ns: int
    postprocess_ns: int = 0


def simulate(
    fps: float, seconds: float, service: Callable[[int], Service], *, lead_in: int = 0, start_ns: int = 0
) -> Recording:
    """Run a worker that takes the latest frame, works, and comes back; frames before ``lead_in`` do not count."""
    schedule = Schedule(fps, start_ns)
    count = lead_in + round(seconds * fps)
    due = [schedule.due_ns(k) for k in range(count)]
    frames = []
    now, following = start_ns, 0
    while following < count:
        # Of the frames that lie there, the latest; if there is none yet, the next one, when it comes.
        index = max(bisect.bisect_right(due, now) - 1, following)
        now = max(now, due[index])
        spent = service(index)
        preprocessed = now + spent.preprocess_ns
        inferred = preprocessed + spent.inference_ns
        postprocessed = inferred + spent.postprocess_ns
        frames.append(FrameTimes(index, due[index], now, preprocessed, inferred, postprocessed))
        now, following = postprocessed, index + 1
    return Recording(
        frames=tuple(frames),
        due_ns=tuple(due),
        start_ns=schedule.due_ns(lead_in),
        end_ns=schedule.due_ns(lead_in) + round(seconds * NS_PER_S),
    )
