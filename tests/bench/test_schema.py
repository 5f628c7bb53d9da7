from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest

from mobilekit.bench import schema
from mobilekit.errors import InputError
from mobilekit.render.json_text import to_json
from mobilekit.results.bench import BenchReport
from tests.bench.samples import bench_report


def document() -> dict[str, Any]:
    parsed: dict[str, Any] = json.loads(to_json(schema.KIND, bench_report()))
    return parsed


def test_the_committed_schema_is_that_of_the_results() -> None:
    committed = schema.SCHEMA_PATH.read_text(encoding="utf-8")
    assert committed == schema.schema_text(), "run: python -m mobilekit.bench.schema"


def test_the_schema_names_every_field_of_the_document() -> None:
    described = schema.schema()
    assert set(described["properties"]) == set(document())
    assert set(described["required"]) == set(document())
    assert described["additionalProperties"] is False


def test_a_report_reads_back_equal_raw_values_included() -> None:
    report = bench_report()
    assert schema.parse(to_json(schema.KIND, report)) == report
    assert report.age.values_ms


def broken(**changes: Any) -> str:
    return json.dumps({**document(), **changes})


def without(field: str) -> str:
    return json.dumps({key: value for key, value in document().items() if key != field})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the report is not JSON: line 1"),
        ("[]", "the report is not a JSON object"),
        (broken(kind="conversion"), "the report is not a bench report: its kind is 'conversion'"),
        (broken(format_version=99), "the report has format 99, this mobilekit reads 1"),
        (without("mobilekit_version"), "the report: mobilekit_version: Field required"),
        (without("age"), "the report: age: Field required"),
        (broken(surprise=1), "the report: surprise: Unexpected keyword argument"),
        (broken(frames_due="many"), "the report: frames_due: Input should be a valid integer"),
        (
            broken(age={**document()["age"], "provenance": "guessed"}),
            "the report: age.provenance: Input should be 'measured', 'modelled' or 'measured + modelled'",
        ),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        schema.parse(text)
    assert str(caught.value).startswith(message)


def test_every_field_that_is_no_obvious_name_is_described() -> None:
    properties = schema.schema()["properties"]
    for name in ("delivered", "age", "drift_percent", "phase_p50_ms", "throughput_qps"):
        assert properties[name]["description"], name
    assert {f.name for f in dataclasses.fields(BenchReport)} <= set(properties)
