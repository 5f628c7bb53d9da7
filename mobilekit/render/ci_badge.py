"""A CI run as the JSON that shields.io's endpoint badge reads."""

from __future__ import annotations

import json

from mobilekit.render.ci_words import percent
from mobilekit.results.compat import CiReport


def badge_json(report: CiReport, target: str | None = None) -> str:
    """Lowest coverage over all models: of ``target``, or over all targets but "runtime"."""
    shares = [
        entry.coverage
        for outcome in report.outcomes
        if outcome.report is not None
        for entry in outcome.report.targets
        if (entry.target != "runtime" if target is None else target in (entry.target, entry.asked))
    ]
    label = "op coverage" if target is None else f"{target} coverage"
    if any(outcome.error is not None for outcome in report.outcomes) or not shares:
        message, color = "unknown", "lightgrey"
    else:
        message = percent(min(shares))
        color = "red" if report.exit_code else ("brightgreen" if min(shares) == 1.0 else "green")
    return json.dumps({"schemaVersion": 1, "label": label, "message": message, "color": color}) + "\n"
