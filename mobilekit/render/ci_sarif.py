"""A CI run as SARIF 2.1.0: each refused op at the user's own line, for code-scanning pages and editors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from mobilekit._version import __version__
from mobilekit.render.ci_words import finding_line, place, refused
from mobilekit.results.compat import CiReport, Finding, ModelOutcome, TargetReport

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

# id, what it is called, what it means, level
_RULES: tuple[tuple[str, str, str, str], ...] = (
    ("op-refused", "OpRefused", "A target does not take an op; it runs on the CPU or not at all.", "warning"),
    ("op-without-lowering", "OpWithoutLowering", "An op of the model cannot be converted to TFLite.", "error"),
    ("bar-missed", "BarMissed", "A bar of the configuration is not met, or coverage fell since the baseline.", "error"),
    ("model-not-checked", "ModelNotChecked", "A model could not be loaded, captured or read.", "error"),
)  # fmt: skip
_INDEX = {rule[0]: index for index, rule in enumerate(_RULES)}


def sarif_json(report: CiReport, *, root: str | None = None) -> str:
    """``root``: the folder that paths are made relative to, by default the current one."""
    return json.dumps(sarif_document(report, root=root), indent=2, ensure_ascii=False)


def sarif_document(report: CiReport, *, root: str | None = None) -> dict[str, Any]:
    results = [result for outcome in report.outcomes for result in _results(outcome, root)]
    driver = {
        "name": "mobilekit",
        "version": __version__,
        "semanticVersion": __version__,
        "rules": [
            {
                "id": rule,
                "name": name,
                "shortDescription": {"text": text},
                "defaultConfiguration": {"level": level},
            }
            for rule, name, text, level in _RULES
        ],
    }
    return {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": driver},
                "columnKind": "unicodeCodePoints",
                "invocations": [{"executionSuccessful": report.exit_code != 1, "exitCode": report.exit_code}],
                "results": results,
            }
        ],
    }


def _results(outcome: ModelOutcome, root: str | None) -> Iterator[dict[str, Any]]:
    if outcome.error is not None:
        yield _result("model-not-checked", "error", f"{outcome.name}: {outcome.error}", outcome, None, root, ())
    for miss in outcome.misses:
        text = f"{outcome.name} on {miss.target}: {miss.message}"
        yield _result("bar-missed", "error", text, outcome, None, root, (miss.target, miss.message))
    for target in outcome.report.targets if outcome.report is not None else ():
        for finding in refused(target):
            yield _refusal(outcome, target, finding, root)


def _refusal(outcome: ModelOutcome, target: TargetReport, finding: Finding, root: str | None) -> dict[str, Any]:
    lost = finding.op_index < 0
    text = f"{target.target} does not take {finding_line(finding)}"
    result = _result(
        "op-without-lowering" if lost else "op-refused",
        "error" if lost else "warning",
        text,
        outcome,
        finding,
        root,
        (target.asked, finding.kind, finding.name),
    )
    result["properties"] = {"model": outcome.name, "target": target.asked or target.target, "op": finding.kind}
    return result


def _result(
    rule: str,
    level: str,
    text: str,
    outcome: ModelOutcome,
    finding: Finding | None,
    root: str | None,
    identity: tuple[str, ...],
) -> dict[str, Any]:
    file, line = place(outcome, finding.source if finding is not None else None, root)
    # The same finding keeps its fingerprint when lines above it move.
    print_ = hashlib.sha256("\0".join((rule, outcome.name, *identity)).encode()).hexdigest()[:32]
    return {
        "ruleId": rule,
        "ruleIndex": _INDEX[rule],
        "level": level,
        "message": {"text": text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(file, safe="/:")},
                    "region": {"startLine": max(line, 1)},
                }
            }
        ],
        "partialFingerprints": {"mobilekit/v1": print_},
    }
