from __future__ import annotations

from mobilekit.bench.camera import NS_PER_MS
from mobilekit.bench.devices.simulated import Service, simulate


def test_the_worker_takes_the_latest_frame_and_waits_for_none_that_is_there() -> None:
    # 10 fps; 250 ms of work each: frame 0 until 250, then 2 (due 200) until 500, then 5 (due 500), which just came,
    # until 750, then 7 until 1000, then 9, the last.
    recording = simulate(10, 1, lambda _index: Service(0, 250 * NS_PER_MS))
    assert [frame.index for frame in recording.frames] == [0, 2, 5, 7, 9]
    assert [frame.taken_ns // NS_PER_MS for frame in recording.frames] == [0, 250, 500, 750, 1000]


def test_the_window_is_what_was_asked_for() -> None:
    recording = simulate(10, 2, lambda _index: Service(0, 1), lead_in=5, start_ns=7)
    assert (recording.start_ns, recording.end_ns) == (7 + 500 * NS_PER_MS, 7 + 2500 * NS_PER_MS)
    assert len(recording.due_ns) == 25
