"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from mobilekit.render import units


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
