"""A CI run as GitHub workflow commands: annotations on the changed lines of a pull request."""

from __future__ import annotations

from collections.abc import Iterator

from mobilekit.render.ci_words import finding_line, place, refused
from mobilekit.results.compat import CiReport, ModelOutcome

# GitHub shows ten annotations of a level and step and drops the rest: the worst first, one a line of code.
_MOST = 10


def github_annotations(report: CiReport, *, root: str | None = None) -> str:
    errors = [line for outcome in report.outcomes for line in _errors(outcome, root)]
    warnings = list(dict.fromkeys(line for outcome in report.outcomes for line in _warnings(outcome, root)))
    left = len(errors[_MOST:]) + len(warnings[_MOST:])
    lines = [*errors[:_MOST], *warnings[:_MOST]]
    if left:
        lines.append(f"::notice::{left} more findings are in the report")
    return "".join(f"{line}\n" for line in lines)


def _errors(outcome: ModelOutcome, root: str | None) -> Iterator[str]:
    if outcome.error is not None:
        yield _command("error", *place(outcome, None, root), outcome.name, outcome.error)
    for miss in outcome.misses:
        yield _command("error", *place(outcome, None, root), f"{outcome.name} on {miss.target}", miss.message)


def _warnings(outcome: ModelOutcome, root: str | None) -> Iterator[str]:
    for target in outcome.report.targets if outcome.report is not None else ():
        for finding in refused(target):
            title = f"{target.target} does not take {finding.kind}"
            yield _command("warning", *place(outcome, finding.source, root), title, finding_line(finding))


def _command(level: str, file: str, line: int, title: str, message: str) -> str:
    return f"::{level} file={_value(file)},line={line},title={_value(title)}::{_data(message)}"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _value(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
