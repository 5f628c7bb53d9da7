"""Every document carries its format and kind, and nothing that JSON cannot say."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from mobilekit.render.json_text import document, to_json
from tests.render.samples import bench, compat, conversion, file_summary, verification


@pytest.mark.parametrize("result", [conversion(), conversion(False), verification(), compat(), bench(), file_summary()])
def test_documents_parse(result: object) -> None:
    parsed = json.loads(to_json("thing", result))
    assert list(parsed)[:3] == ["format_version", "kind", "mobilekit_version"]
    assert (parsed["format_version"], parsed["kind"]) == (1, "thing")


def test_infinities_are_words() -> None:
    assert document("verification", verification())["outputs"][1]["sqnr_db"] == "inf"


def test_a_field_may_not_hide_the_head() -> None:
    @dataclass
    class Bad:
        kind: str = "x"

    with pytest.raises(ValueError, match="may not have the fields"):
        document("bad", Bad())
