from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from mobilekit.bench import environment as env


def test_the_machine_is_described() -> None:
    machine = env.environment()
    assert machine.cpu
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.python.endswith(".".join(map(str, sys.version_info[:3])))
    assert machine.numpy == np.__version__
    assert " " in machine.runtime  # name and version


def test_what_cannot_be_read_is_none_and_no_guess(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(env, "_read", lambda _path: "")
    machine = env.environment()
    assert machine.governor is None
    assert machine.memory_mb is None
    assert machine.flags == ()
    assert not machine.virtual
    assert env.cpu_ticks() is None


@pytest.mark.parametrize(
    ("before", "after", "percent"),
    [((10, 1000), (30, 2000), 2.0), ((0, 5), (0, 5), None), (None, (1, 2), None), ((1, 2), None, None)],
)
def test_steal(before: tuple[int, int] | None, after: tuple[int, int] | None, percent: float | None) -> None:
    assert env.steal_percent(before, after) == percent


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_peak_memory_follows_a_large_array_and_can_be_reset() -> None:
    env.reset_peak_rss()
    before = env.peak_rss_mb()
    block = np.ones(40_000_000, np.uint8)
    with_block = env.peak_rss_mb()
    # 40 MB of touched pages; 5 MB are left to what else the process gives back meanwhile.
    assert with_block - before > 35
    del block
    assert env.peak_rss_mb() >= with_block - 1
    assert env.rss_mb() < with_block
