"""Results as JSON: nothing lost that a reader would miss, and always valid JSON."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import pkgutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from mobilekit import results
from mobilekit.results import FORMAT_VERSION, Provenance, to_jsonable


@dataclass(frozen=True)
class _Inner:
    value: float


@dataclass(frozen=True)
class _Outer:
    inner: tuple[_Inner, ...]
    table: dict[int, str]
    kind: Provenance


def test_dataclasses_become_objects() -> None:
    outer = _Outer((_Inner(0.5),), {1: "one"}, Provenance.MEASURED)
    assert json.loads(json.dumps(to_jsonable(outer))) == {
        "inner": [{"value": 0.5}],
        "table": {"1": "one"},
        "kind": "measured",
    }


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "nan"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (np.float32("nan"), "nan"),
        (np.float64(0.25), 0.25),
        (np.int64(7), 7),
        (np.bool_(True), True),
        (np.array([[1, 2], [3, 4]], np.int8), [[1, 2], [3, 4]]),
        (np.array([np.inf]), ["inf"]),
        (Path("a/b"), "a/b"),
        (None, None),
        (frozenset({3}), [3]),
    ],
)
def test_values(value: object, expected: object) -> None:
    assert to_jsonable(value) == expected
    json.dumps(to_jsonable(value), allow_nan=False)


def test_the_format_has_a_version() -> None:
    assert isinstance(FORMAT_VERSION, int)


def result_classes() -> Iterator[type]:
    for info in pkgutil.iter_modules(results.__path__):
        module = importlib.import_module(f"mobilekit.results.{info.name}")
        yield from (
            value
            for value in vars(module).values()
            if dataclasses.is_dataclass(value) and value.__module__ == module.__name__
        )


def test_every_result_is_frozen() -> None:
    """A result is a record of what was; nothing may touch it up on the way to the reader."""
    classes = list(result_classes())
    assert len(classes) >= 10
    assert [cls.__name__ for cls in classes if not cls.__dataclass_params__.frozen] == []
