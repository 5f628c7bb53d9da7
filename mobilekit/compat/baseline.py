"""The committed baseline: what each target took of each model, so that a fall is seen when it happens."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from mobilekit._version import __version__
from mobilekit.compat.tables import parse_release
from mobilekit.errors import InputError
from mobilekit.results.compat import BarMiss, CiReport, CompatReport, percent

FORMAT = 1
KIND = "coverage-baseline"


class BaselineError(InputError):
    """The baseline cannot be read or is of another version."""


def baseline_document(report: CiReport) -> dict[str, Any]:
    """What to commit: only what a later run is compared with, so that it changes only when that does."""
    models = {
        outcome.name: {
            "min_runtime_version": outcome.report.min_runtime_version,
            "targets": {
                target.asked: {"coverage": round(target.coverage, 6), "pieces": target.pieces}
                for target in outcome.report.targets
            },
        }
        for outcome in sorted(report.outcomes, key=lambda outcome: outcome.name)
        if outcome.report is not None
    }
    return {"format_version": FORMAT, "kind": KIND, "mobilekit_version": __version__, "models": models}


def read_baseline(path: str | Path) -> Mapping[str, Any]:
    """Name of a model -> its entry; :class:`BaselineError` for a file that is missing, broken or of another version."""
    try:
        document = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        hint = "; write it with: mobilekit ci --update-baseline" if not Path(path).exists() else ""
        raise BaselineError(f"cannot read the baseline '{path}': {error.strerror or error}{hint}") from error
    except ValueError as error:
        raise BaselineError(f"the baseline '{path}' is not JSON: {error}") from None
    if not isinstance(document, dict) or document.get("kind") != KIND:
        raise BaselineError(f"'{path}' is no coverage baseline")
    if document.get("format_version") != FORMAT:
        raise BaselineError(
            f"the baseline '{path}' has format {document.get('format_version')}, this mobilekit reads {FORMAT}; "
            "write it again with: mobilekit ci --update-baseline"
        )
    models = document.get("models")
    if not isinstance(models, dict):
        raise BaselineError(f"the baseline '{path}' lists no models")
    return models


def falls(report: CompatReport, entry: Mapping[str, Any] | None) -> Iterator[BarMiss]:
    """Where a model is worse than its entry in the baseline."""
    if entry is None:
        return
    for target in report.targets:
        before = entry["targets"].get(target.asked)
        if before is None:
            continue
        # Half a unit of the rounding that the baseline is written with.
        if target.coverage < before["coverage"] - 5e-7:
            yield BarMiss(
                target.target,
                f"coverage fell from {percent(before['coverage'])} to {percent(target.coverage)} since the baseline",
            )
        if target.pieces > before["pieces"]:
            yield BarMiss(target.target, f"cut in {target.pieces} pieces, {before['pieces']} in the baseline")
    before_release, release = entry["min_runtime_version"], report.min_runtime_version
    known = "unknown" not in (release, before_release)
    if known and parse_release(release) > parse_release(before_release):
        yield BarMiss("runtime", f"needs TFLite {release}, {before_release} in the baseline")


def news(report: CompatReport, entry: Mapping[str, Any] | None) -> Iterator[str]:
    """What is new or better, and fails nothing."""
    if entry is None:
        yield "not in the baseline yet"
        return
    for target in report.targets:
        before = entry["targets"].get(target.asked)
        if before is None:
            yield f"{target.asked}: not in the baseline yet"
        elif target.coverage > before["coverage"] + 5e-7:
            yield f"{target.asked}: coverage rose from {percent(before['coverage'])} to {percent(target.coverage)}"
