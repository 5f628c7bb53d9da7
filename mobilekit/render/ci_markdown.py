"""A CI run as Markdown, for the summary of a pull request."""

from __future__ import annotations

from mobilekit.render.ci_words import figures_of, number, percent, place, refused, summary, verdict
from mobilekit.results.compat import CiReport, Finding, ModelOutcome, TargetReport, without_numbers

# A pull request's page is read, not searched: beyond this many lines a list is cut, and says so.
_MOST_LINES = 20
_MARKS = {"ok": "✅ ok", "missed": "❌ missed", "error": "🛑 error"}


def markdown(report: CiReport) -> str:
    names = list(dict.fromkeys(t.asked or t.target for o in report.outcomes if o.report for t in o.report.targets))
    lines = ["# Op coverage", "", summary(report.outcomes), ""]
    figures = figures_of(report)
    heads = [*names, "runtime", *figures, "result"]
    lines += ["| model | " + " | ".join(heads) + " |", "|---" * (len(heads) + 1) + "|"]
    for index, outcome in enumerate(report.outcomes):
        lines.append(_row(outcome, names, [number(values[index]) for values in figures.values()]))
    for outcome in report.outcomes:
        lines += _details(outcome)
    lines += [f"- {note}" for note in report.notes]
    return "\n".join(lines) + "\n"


def _row(outcome: ModelOutcome, names: list[str], figures: list[str]) -> str:
    found = {} if outcome.report is None else {t.asked or t.target: t for t in outcome.report.targets}
    cells = [_cell(found.get(name)) for name in names]
    runtime = "" if outcome.report is None else outcome.report.min_runtime_version
    return f"| {_escape(outcome.name)} | " + " | ".join([*cells, runtime, *figures, _MARKS[verdict(outcome)]]) + " |"


def _cell(target: TargetReport | None) -> str:
    if target is None:
        return ""
    pieces = f", {target.pieces} pieces" if target.pieces > 1 else ""
    return f"{percent(target.coverage)}{pieces}"


def _details(outcome: ModelOutcome) -> list[str]:
    lines: list[str] = []
    if outcome.error is not None:
        lines.append(f"- **could not be checked**: {_escape(outcome.error)}")
    lines += [f"- **{miss.target}**: {_escape(miss.message)}" for miss in outcome.misses]
    lines += [f"- {_escape(note)}" for note in outcome.notes]
    for target in outcome.report.targets if outcome.report is not None else ():
        lines += _refusals(outcome, target)
    return ["", f"## {_escape(outcome.name)}", "", *lines] if lines else []


def _refusals(outcome: ModelOutcome, target: TargetReport) -> list[str]:
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in refused(target):
        groups.setdefault((finding.kind, without_numbers("; ".join(finding.reasons))), []).append(finding)
    if not groups:
        return []
    count = len(refused(target))
    lines = [
        "",
        f"<details><summary>{target.asked or target.target}: {count} op{'s' if count != 1 else ''} refused</summary>",
        "",
    ]
    for (kind, _), members in list(groups.items())[:_MOST_LINES]:
        first = members[0]
        reason = "; ".join(first.reasons)
        where = f" (`{':'.join(map(str, place(outcome, first.source)))}`)" if first.source is not None else ""
        advice = f" Instead: {first.suggestion}." if first.suggestion else ""
        times = f" × {len(members)}" if len(members) > 1 else ""
        others = {"; ".join(member.reasons) for member in members} - {reason}
        reason += " (and the like)" if others else ""
        lines.append(f"- `{kind}`{times}: {_escape(reason)}{where}.{_escape(advice)}")
    if len(groups) > _MOST_LINES:
        lines.append(f"- and {len(groups) - _MOST_LINES} more kinds of refusal")
    for join in target.joins[:1]:
        lines.append(
            f"- Changing `{join.kind}` alone ({len(join.ops)} op{'s' if len(join.ops) != 1 else ''}) would leave "
            f"{join.pieces_after} piece{'s' if join.pieces_after != 1 else ''} of {join.pieces_before}."
        )
    return [*lines, "", "</details>"]


def _escape(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
