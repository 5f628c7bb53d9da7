from __future__ import annotations

import json

import pytest

from mobilekit.compat.locate import line_of

TEXT = """{
  "a": 1,
  "b": {"c": [1,
    {"d, e": "}]"},
    3]},
  "f": []
}"""


@pytest.mark.parametrize(
    ("path", "line"),
    [
        ((), 1),
        (("a",), 2),
        (("b",), 3),
        (("b", "c", 0), 3),
        (("b", "c", 1, "d, e"), 4),
        (("b", "c", 2), 5),
        (("f",), 6),
    ],
)
def test_line_of_a_value(path, line):
    json.loads(TEXT)
    assert line_of(TEXT, path) == line


def test_a_path_that_ends_early_gives_the_last_step_there_is():
    assert line_of(TEXT, ("b", "no such key", 3)) == 3
    assert line_of(TEXT, ("f", 0)) == 6
