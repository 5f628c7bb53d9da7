"""``mobilekit check``: which ops each target takes, before any conversion."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilekit.commands.common import (
    MODEL_HELP,
    DebugOption,
    JsonOption,
    QuietOption,
    ShapeOption,
    examples,
    print_json,
    print_text,
    tell,
)
from mobilekit.errors import BarMissedError, InputError, OutputError

if TYPE_CHECKING:
    from mobilekit.compat.config import Bars
    from mobilekit.results.compat import CiReport, CompatReport

EPILOG = examples(
    "mobilekit check net.py:make",
    "mobilekit check net.tflite -t gpu,nnapi:29 --details",
    "mobilekit check net.tflite -t cpu,gpu --min-coverage gpu=0.95 --runtime-min 2.14   # exit 2 if one is missed",
    "mobilekit check torchvision.models:mobilenet_v2 --quantize int8 -o check.sarif -o check.html",
)


def register(app: typer.Typer) -> None:
    app.command("check", short_help="Say which ops of a model each target takes, and why not.", epilog=EPILOG)(check)


def check(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target",
            "--targets",
            "-t",
            metavar="TARGET,...",
            help="Targets, each with a level if wanted; or a table of your own (.json). Else all: mobilekit targets.",
        ),
    ] = None,
    min_coverage: Annotated[
        list[str] | None,
        typer.Option(
            "--min-coverage",
            metavar="TARGET=SHARE",
            help="Exit 2 if it takes fewer of the ops: gpu=0.95, or all=1; can be repeated.",
        ),
    ] = None,
    runtime_min: Annotated[
        str | None,
        typer.Option("--runtime-min", metavar="RELEASE", help="Exit 2 if it needs a newer TFLite than this: 2.14."),
    ] = None,
    baseline: Annotated[
        Path | None,
        typer.Option("--baseline", metavar="FILE", help="Exit 2 if coverage fell since mobilekit ci wrote this file."),
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="List every op that is refused, and why.")] = False,
    shown: Annotated[
        str,
        typer.Option("--format", metavar="FORMAT", help="text, json, md, html, junit, sarif or github, on stdout."),
    ] = "text",
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Also write a report: out.sarif, or junit=out.xml; can be repeated."
        ),
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option("--quantize", "-q", metavar="PRESET", help="Check a float model as int8 (...) would have it."),
    ] = None,
    input_shape: ShapeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> int:
    """Say which ops of a model each target takes, which it refuses, and why. Nothing is converted."""
    targets = ",".join(target or ["all"])
    kind = "json" if as_json else shown
    bars = known = None
    files: list[tuple[str, str]] = []
    if min_coverage or runtime_min is not None:
        from mobilekit.compat.ci import bars_from_words

        bars = bars_from_words(min_coverage or (), targets, runtime_min)
    if output or kind not in ("text", "json"):
        from mobilekit.render.ci_files import parse_format, parse_report

        kind = parse_format(kind)
        files = [parse_report(word) for word in output or ()]
    if baseline is not None:
        from mobilekit.compat.baseline import read_baseline

        known = read_baseline(baseline)
    report = _report(model, targets, quantize, input_shape, quiet)
    if bars is None and known is None and not files and kind in ("text", "json"):
        _print(report, kind, details)
        return 0
    return _answer(report, model, bars, known, kind, files, details)


def _report(model: str, targets: str, quantize: str | None, shapes: Sequence[str] | None, quiet: bool) -> CompatReport:
    from mobilekit.compat.check import check as check_model
    from mobilekit.loading import zeros_of
    from mobilekit.render.progress import live_progress

    if shapes and Path(model).suffix.lower() == ".tflite":
        raise InputError("--input-shape is for models that are still to be captured; a .tflite file has its shapes")
    with live_progress(quiet) as show:
        show("checking", None)
        return check_model(
            model,
            targets,
            example_inputs=zeros_of(shapes) if shapes else None,
            quantize=None if quantize == "none" else quantize,
        )


def _print(report: CompatReport, kind: str, details: bool) -> None:
    if kind == "json":
        print_json("compat", report)
        return
    from mobilekit.render.targets_text import targets_text

    print_text(targets_text(report, details=details))


def _answer(
    report: CompatReport,
    model: str,
    bars: Bars | None,
    baseline: Mapping[str, Any] | None,
    kind: str,
    files: Sequence[tuple[str, str]],
    details: bool,
) -> int:
    """Print and write the report, then say what it misses. A report that cannot be written keeps no other away."""
    import sys

    from mobilekit.compat.ci import judged
    from mobilekit.compat.config import Bars
    from mobilekit.render.ci_files import FORMATS, write_reports

    run = judged(report, bars or Bars(), model, baseline)
    (outcome,) = run.outcomes
    # A single check in text and JSON says more of its one model than a run of many does.
    formats: dict[str, Callable[[CiReport], str]] = {
        **FORMATS,
        "text": lambda _run: _text(report),
        "json": lambda _run: _json(report),
    }
    if kind in ("text", "json"):
        _print(report, kind, details)
    else:
        sys.stdout.write(formats[kind](run))
    for note in outcome.notes:
        tell(note)
    problems = write_reports(run, files, formats=formats)
    missed = [f"{miss.target} {miss.message}" for miss in outcome.misses]
    if problems:
        raise OutputError("; ".join((*problems, *missed)))
    if missed:
        raise BarMissedError("; ".join(missed))
    return run.exit_code


def _json(report: CompatReport) -> str:
    from mobilekit.render.json_text import to_json

    return to_json("compat", report) + "\n"


def _text(report: CompatReport) -> str:
    from rich.console import Console

    from mobilekit.render.targets_text import targets_text

    console = Console(width=160, highlight=False, no_color=True)
    with console.capture() as captured:
        console.print(targets_text(report, details=True))
    return captured.get()
