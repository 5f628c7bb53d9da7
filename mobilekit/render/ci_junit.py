"""A CI run as JUnit XML: a suite for each model, a case for each target.

Attributes and order are those that both the Jenkins schema and the older Ant one ask for: any consumer reads it.
"""

from __future__ import annotations

import re
import socket
from datetime import datetime, timezone
from xml.etree import ElementTree as ET

from mobilekit.render.ci_words import finding_line, refused, summary, target_line
from mobilekit.results.compat import BarMiss, CiReport, ModelOutcome, TargetReport

# What XML 1.0 cannot hold; a model's own error text may.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(report: CiReport, *, when: datetime | None = None, host: str | None = None) -> str:
    """``when`` and ``host`` stand in every suite: now and this machine unless given."""
    moment = (when or datetime.now(timezone.utc)).strftime("%Y-%m-%dT%H:%M:%S")
    root = ET.Element("testsuites", {"name": "mobilekit"})
    totals = {"tests": 0, "failures": 0, "errors": 0}
    for index, outcome in enumerate(report.outcomes):
        suite = _suite(outcome, index, moment, host or socket.gethostname())
        for key in totals:
            totals[key] += int(suite.attrib[key])
        root.append(suite)
    for key, value in totals.items():
        root.set(key, str(value))
    root.set("time", f"{sum(outcome.seconds for outcome in report.outcomes):.3f}")
    ET.indent(root)
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<!-- {summary(report.outcomes)} -->\n'
        + ET.tostring(root, "unicode")
        + "\n"
    )


def _suite(outcome: ModelOutcome, index: int, moment: str, host: str) -> ET.Element:
    cases = _cases(outcome)
    failures = sum(1 for case in cases if case.find("failure") is not None)
    errors = sum(1 for case in cases if case.find("error") is not None)
    suite = ET.Element(
        "testsuite",
        {
            "name": _text(outcome.name),
            "package": "mobilekit",
            "id": str(index),
            "tests": str(len(cases)),
            "failures": str(failures),
            "errors": str(errors),
            "skipped": "0",
            "time": f"{outcome.seconds:.3f}",
            "timestamp": moment,
            "hostname": host,
        },
    )
    properties = ET.SubElement(suite, "properties")
    _property(properties, "model", outcome.model)
    if outcome.report is not None:
        _property(properties, "min_runtime_version", outcome.report.min_runtime_version)
    suite.extend(cases)
    ET.SubElement(suite, "system-out").text = _text("\n".join(outcome.notes))
    ET.SubElement(suite, "system-err")
    return suite


def _property(parent: ET.Element, name: str, value: str) -> None:
    ET.SubElement(parent, "property", {"name": name, "value": _text(value)})


def _cases(outcome: ModelOutcome) -> list[ET.Element]:
    if outcome.report is None:
        return [_error_case(outcome, "check")]
    targets = outcome.report.targets
    cases = [_target_case(outcome, target, outcome.seconds / max(len(targets), 1)) for target in targets]
    named = {target.target for target in targets}
    # A bar on the runtime stands by itself where "runtime" is not among the targets.
    loose = [miss for miss in outcome.misses if miss.target not in named]
    names = dict.fromkeys(miss.target for miss in loose)
    if outcome.conversion is not None:
        names.setdefault("verification")
    if outcome.latency is not None:
        names.setdefault("latency")
    for name in names:
        case = _case(outcome, name, 0.0)
        misses = [miss for miss in loose if miss.target == name]
        if misses:
            _failures(case, misses, "")
        cases.append(case)
    if outcome.error is not None:
        cases.append(_error_case(outcome, "run"))
    return cases


def _error_case(outcome: ModelOutcome, name: str) -> ET.Element:
    case = _case(outcome, name, outcome.seconds)
    error = ET.SubElement(case, "error", {"type": name, "message": _text(outcome.error or "")})
    error.text = _text(outcome.error or "")
    return case


def _case(outcome: ModelOutcome, name: str, seconds: float) -> ET.Element:
    return ET.Element(
        "testcase", {"name": _text(name), "classname": f"mobilekit.{_text(outcome.name)}", "time": f"{seconds:.3f}"}
    )


def _target_case(outcome: ModelOutcome, target: TargetReport, seconds: float) -> ET.Element:
    case = _case(outcome, target.asked or target.target, seconds)
    lines = [target_line(target), *(finding_line(finding) for finding in refused(target))]
    misses = [miss for miss in outcome.misses if miss.target == target.target]
    if misses:
        _failures(case, misses, "\n".join(lines))
    ET.SubElement(case, "system-out").text = _text("\n".join(lines))
    return case


def _failures(case: ET.Element, misses: list[BarMiss], details: str) -> None:
    message = "; ".join(miss.message for miss in misses)
    failure = ET.SubElement(case, "failure", {"type": "bar", "message": _text(message)})
    failure.text = _text(f"{message}\n{details}".strip())


def _text(value: str) -> str:
    return _FORBIDDEN.sub("\ufffd", value)
