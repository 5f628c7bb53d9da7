"""docs/op-coverage.md says what the tables say; nothing is converted here."""

from __future__ import annotations

import re

import pytest

torch = pytest.importorskip("torch")

from mobilekit.compat.tables import NAMES, builtin_table  # noqa: E402
from mobilekit.frontends.direct.registry import builtin_lowerings  # noqa: E402
from mobilekit.quantize.rules import RULES  # noqa: E402
from tools import op_coverage  # noqa: E402


def parts(text: str) -> dict[str, str]:
    """Heading without PyTorch's version -> text below it."""
    pieces = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return {
        re.sub(r" of PyTorch .*", "", heading): body for heading, body in zip(pieces[1::2], pieces[2::2], strict=True)
    }


def test_the_page_is_not_stale() -> None:
    written, fresh = op_coverage.PAGE.read_text(encoding="utf-8"), op_coverage.page()
    if op_coverage.core_heading() not in written:  # another PyTorch than the page's has another list of core ops
        old, new = parts(written), parts(fresh)
        assert {**old, "Core ATen": ""} == {**new, "Core ATen": ""}, "run: python -m tools.op_coverage"
        pytest.skip(f"the page is not about {op_coverage.core_heading().removeprefix('## Core ATen of ')}")
    assert written == fresh, "run: python -m tools.op_coverage"


def test_every_lowering_is_on_the_page() -> None:
    text = parts(op_coverage.page())["ATen ops with a lowering"]
    counts = [int(row.split("|")[3]) for row in text.splitlines() if re.match(r"\| [a-z]", row) and "family" not in row]
    assert sum(counts) == len(builtin_lowerings())


def test_every_core_op_without_a_lowering_has_a_reason() -> None:
    core = op_coverage.core_ops()
    assert len(core) > 150  # 193 in PyTorch 2.15
    missing = {name: op_coverage.reason(name, op) for name, op in core.items() if name not in builtin_lowerings()}
    assert all(missing.values())
    assert missing["aten._fft_r2c.default"].startswith("complex numbers")
    assert missing["aten._native_batch_norm_legit.no_stats"].startswith("in pieces")


def test_rows_follow_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    def row(kind: str) -> list[str]:
        line = next(line for line in op_coverage.page().splitlines() if line.startswith(f"| `{kind}` |"))
        return [cell.strip() for cell in line.strip("|").split("|")]

    targets = [name for name in NAMES if name != "runtime"]
    before = row("CONV_2D")
    assert before[1:5] == ["✓", "int8, int16", "own", "1.5.0"]
    assert before[5:] == ["✓" if "CONV_2D" in builtin_table(name)["ops"] else "" for name in targets]
    monkeypatch.delitem(RULES, "CONV_2D")
    assert row("CONV_2D")[1:4] == ["✓", "", ""]


def test_what_is_only_looked_for_is_not_written() -> None:
    written = op_coverage.written_kinds()
    assert {"CONV_2D", "QUANTIZE", "HARD_SWISH", "ADD"} <= written
    assert not written & {"ASSIGN_VARIABLE", "CALL_ONCE", "DENSIFY"}  # passes know them, nothing makes them
