from __future__ import annotations

import threading
import time

import pytest

from mobilekit.bench.camera import (
    CAMERAS,
    NS_PER_MS,
    NS_PER_S,
    Mailbox,
    Schedule,
    camera_model,
    run_camera,
    sleep_until,
)
from mobilekit.errors import InputError


class TestModel:
    def test_start_is_the_mid_exposure_of_the_centre_row(self) -> None:
        phone = camera_model("phone")
        # SENSOR_TIMESTAMP + exposure/2 + skew/2 -> due = the other halves and the readout + ISP.
        assert phone.start_to_due_ns == (5 + 10 + 15) * NS_PER_MS
        assert phone.exposure_stage_ns + phone.readout_isp_stage_ns == phone.start_to_due_ns

    def test_every_constant_names_its_source(self) -> None:
        for model in CAMERAS.values():
            assert all(f"preset {model.name}" in assumption.source for assumption in model.assumptions())

    def test_unknown_preset(self) -> None:
        with pytest.raises(InputError, match="there is no camera preset 'webcam', known are phone, none"):
            camera_model("webcam")


def test_the_schedule_does_not_drift() -> None:
    schedule = Schedule(29.97, 1000)
    # An hour: 107892 frames at 29.97 fps are 3600 s; a period rounded once a frame would be off by up to 54 us.
    assert schedule.due_ns(107_892) - 1000 == pytest.approx(3600 * NS_PER_S, abs=1)


class TestMailbox:
    def test_keeps_only_the_latest(self) -> None:
        mailbox: Mailbox[int] = Mailbox()
        for item in (1, 2, 3):
            mailbox.put(item)
        mailbox.close()
        assert list(mailbox) == [3]

    def test_zero_is_an_item(self) -> None:
        mailbox: Mailbox[int] = Mailbox()
        mailbox.put(0)
        mailbox.close()
        assert list(mailbox) == [0]

    def test_close_wakes_the_one_who_waits(self) -> None:
        mailbox: Mailbox[int] = Mailbox()
        taken: list[int | None] = []
        waiter = threading.Thread(target=lambda: taken.append(mailbox.take()))
        waiter.start()
        mailbox.close()
        waiter.join(5)
        assert taken == [None]


def test_sleep_until_never_wakes_early() -> None:
    for wait_ms in (0, 0.1, 1, 5):
        deadline = time.perf_counter_ns() + round(wait_ms * NS_PER_MS)
        sleep_until(deadline)
        assert time.perf_counter_ns() >= deadline


class TestRunCamera:
    def test_a_slow_consumer_does_not_shift_the_clock(self) -> None:
        schedule = Schedule(100, time.perf_counter_ns() + 5 * NS_PER_MS)
        handed: list[tuple[int, int]] = []

        def put(index: int) -> None:
            handed.append((index, time.perf_counter_ns()))
            if index == 2:
                time.sleep(0.035)  # frames 3, 4 and 5 are overdue after this one

        late = run_camera(schedule, 10, put)
        assert [index for index, _ in handed] == list(range(10))
        assert len(late) == 10
        # Frame 9 is due 90 ms after frame 0 whatever happened in between. The tolerance is a busy machine's.
        assert handed[9][1] >= schedule.due_ns(9)
        assert handed[9][1] - schedule.due_ns(9) < 50 * NS_PER_MS
        assert late[3] >= 20 * NS_PER_MS

    def test_stops(self) -> None:
        schedule = Schedule(1000, time.perf_counter_ns())
        handed: list[int] = []
        assert run_camera(schedule, 10_000, handed.append, lambda: len(handed) >= 3) != []
        assert handed == [0, 1, 2]
