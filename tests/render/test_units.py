"""Numbers as people read them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from mobilekit.render import units
from mobilekit.source import SourceLocation


@pytest.mark.parametrize(
    ("got", "expected"),
    [
        (units.size(0), "0 B"),
        (units.size(999), "999 B"),
        (units.size(1000), "1.0 kB"),
        (units.size(999_949), "999.9 kB"),
        (units.size(999_950), "1.00 MB"),
        (units.size(3_718_000), "3.72 MB"),
        (units.decibel(15.04), "15.0 dB"),
        (units.decibel(-3.0), "-3.0 dB"),
        (units.decibel(math.inf), "exact"),
        (units.decibel(math.nan), "nan"),
        (units.milliseconds(9.876), "9.88 ms"),
        (units.milliseconds(98.76), "98.8 ms"),
        (units.seconds(0.04), "40 ms"),
        (units.seconds(1.25), "1.2 s"),
        (units.percent(1.0), "100 %"),
        (units.percent(0.9999), "99.9 %"),
        (units.percent(0.955), "95.5 %"),
        (units.percent(0.0), "0 %"),
        (units.shape((1, -1, 3)), "1x?x3"),
        (units.shape(()), "scalar"),
        (units.count(1, "op"), "1 op"),
        (units.count(2, "op"), "2 ops"),
    ],
)
def test_units(got: str, expected: str) -> None:
    assert got == expected


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("/usr/lib/python3/dist-packages/torch/nn/x.py", "torch/nn/x.py:3"),
        ("/env/lib/python3.11/site-packages/a/b.py", "a/b.py:3"),
        (str(Path.cwd() / "models" / "net.py"), "models/net.py:3"),
        ("/elsewhere/net.py", "/elsewhere/net.py:3"),
        ("net.py", "net.py:3"),
    ],
)
def test_places(file: str, expected: str) -> None:
    assert units.place(SourceLocation(file, 3)) == expected
    assert units.source_text(SourceLocation(file, 3, "x = 1", "a.b")) == f"{expected} in a.b: x = 1"
    assert units.source_text(None) == ""
