"""What every benchmark's result file goes through."""

from __future__ import annotations

from benchmarks.support import RESULTS, ROOT, without_places


def test_result_files_say_nothing_of_where_the_project_lies() -> None:
    said = f'{{"a": "{ROOT}/benchmarks/zoo/vision.py:63: return x", "b": "at /any/env/lib/site-packages/timm/a.py:1"}}'
    assert without_places(said) == '{"a": "benchmarks/zoo/vision.py:63: return x", "b": "at timm/a.py:1"}'


def test_the_committed_ones_do_not() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in RESULTS.glob("*.json")}
    assert texts
    assert [name for name, text in texts.items() if "/site-packages/" in text or f"{ROOT}/" in text] == []
