"""``mobilekit check``: which ops each target takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mobilekit.commands.common import (
    MODEL_HELP,
    DebugOption,
    JsonOption,
    QuietOption,
    ShapeOption,
    example_inputs,
    examples,
    load_convertible,
    print_json,
    print_text,
)
from mobilekit.errors import BarMissedError, InputError

if TYPE_CHECKING:
    from mobilekit.results.compat import CompatReport

EPILOG = examples(
    "mobilekit check net.tflite",
    "mobilekit check net.tflite -t gpu -t nnapi:29 --details",
    "mobilekit check net.tflite -t gpu --require 100      # exit 2 if one op is refused",
    "mobilekit check torchvision.models:mobilenet_v2 --quantize int8",
)


def register(app: typer.Typer) -> None:
    app.command("check", epilog=EPILOG)(check)


def check(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=f"A .tflite file; or a model to convert: {MODEL_HELP}")],
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target", "-t", metavar="TARGET", help="One target, with a level if wanted; can be repeated. Else all."
        ),
    ] = None,
    require: Annotated[
        float | None, typer.Option("--require", metavar="PERCENT", help="Exit 2 if a target takes fewer of the ops.")
    ] = None,
    details: Annotated[bool, typer.Option("--details", help="List every op that is refused, and why.")] = False,
    quantize: Annotated[
        str | None,
        typer.Option("--quantize", "-q", metavar="RECIPE", help="For a model that is still to be converted."),
    ] = None,
    input_shape: ShapeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Say which ops of a model each target takes, which it refuses, and why."""
    if require is not None and not 0 <= require <= 100:
        raise InputError(f"--require is {require:g}, it must be 0 to 100 percent")
    report = _report(model, target or ["all"], quantize, input_shape, quiet)
    if as_json:
        print_json("compat", report)
    else:
        from mobilekit.render.targets_text import targets_text

        print_text(targets_text(report, details=details))
    if require is not None:
        missed = [entry for entry in report.targets if 100 * entry.coverage < require]
        if missed:
            named = ", ".join(f"{entry.target} {100 * entry.coverage:.1f} %" for entry in missed)
            raise BarMissedError(f"{named}: at least {require:g} % of the ops were asked for")


def _report(
    model: str, targets: list[str], quantize: str | None, shapes: list[str] | None, quiet: bool
) -> CompatReport:
    if Path(model).suffix.lower() == ".tflite":
        from mobilekit.compat.check import check as check_graph

        return check_graph(Path(model), targets)
    from mobilekit.render.progress import live_progress

    with live_progress(quiet) as show:
        show("loading the model", None)
        loaded = load_convertible(model)
        from mobilekit.conversion.pipeline import convert

        result = convert(
            loaded.model,
            example_inputs(loaded, shapes),
            quantize=None if quantize == "none" else quantize,
            targets=targets,
            verify=False,
            name=loaded.name,
            progress=lambda step, done, total: show(step, done / total if total else None),
        )
    if result.report.compat is None:
        raise InputError("the conversion checked no target")
    return result.report.compat
