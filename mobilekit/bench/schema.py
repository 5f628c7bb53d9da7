"""The JSON document of a bench report: one schema for the host and for the app on the phone.

The schema follows from the result dataclasses; ``python -m mobilekit.bench.schema`` writes it to
``data/bench_report.schema.json``, where other languages find it, and a test fails when the two differ.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from mobilekit.errors import InputError
from mobilekit.results.base import FORMAT_VERSION
from mobilekit.results.bench import BenchReport

KIND = "bench"
SCHEMA_PATH = Path(__file__).parent / "data" / "bench_report.schema.json"

# What every document of mobilekit begins with; the rest are the fields of BenchReport.
_HEAD: dict[str, dict[str, Any]] = {
    "format_version": {"const": FORMAT_VERSION, "type": "integer", "description": "Version of the format."},
    "kind": {"const": KIND, "type": "string", "description": "What the document is."},
    "mobilekit_version": {"type": "string", "description": "Of the program that wrote the document."},
}


def schema() -> dict[str, Any]:
    """JSON schema (draft 2020-12) of the document."""
    body = TypeAdapter(BenchReport).json_schema(mode="validation")
    body["properties"] = {**_HEAD, **body["properties"]}
    body["required"] = [*_HEAD, *body["required"]]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **body}


def parse(text: str, name: str = "the report") -> BenchReport:
    """A report from its JSON; :class:`InputError` names the first field that is wrong."""
    try:
        document = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"{name} is not JSON: line {error.lineno}: {error.msg}") from error
    if not isinstance(document, dict):
        raise InputError(f"{name} is not a JSON object")
    head = {key: document.pop(key, None) for key in _HEAD}
    if head["kind"] != KIND:
        raise InputError(f"{name} is not a bench report: its kind is {head['kind']!r}")
    if head["format_version"] != FORMAT_VERSION:
        raise InputError(f"{name} has format {head['format_version']!r}, this mobilekit reads {FORMAT_VERSION}")
    if not isinstance(head["mobilekit_version"], str):
        raise InputError(f"{name}: mobilekit_version: Field required")
    try:
        return TypeAdapter(BenchReport).validate_python(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise InputError(f"{name}: {place or 'document'}: {first['msg']}") from error


def schema_text() -> str:
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    SCHEMA_PATH.parent.mkdir(exist_ok=True)
    SCHEMA_PATH.write_text(schema_text(), encoding="utf-8")
