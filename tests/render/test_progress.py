"""Progress goes to terminals only, and is where a lost Ctrl-C is noticed."""

from __future__ import annotations

import io
import sys

import pytest

from mobilekit import interrupts
from mobilekit.render.progress import live_progress


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("terminal", "quiet", "shown"), [(True, False, True), (True, True, False), (False, False, False)]
)
def test_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch, terminal: bool, quiet: bool, shown: bool) -> None:
    stream = _Terminal() if terminal else io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("TERM", "xterm")
    with live_progress(quiet) as report:
        report("quantizing", 0.5)
        report("writing", None)
    assert ("writing" in stream.getvalue()) == shown


def test_a_lost_interrupt_is_raised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_seen", True)
    with live_progress(quiet=True) as report, pytest.raises(KeyboardInterrupt):
        report("writing", None)
