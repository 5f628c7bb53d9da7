"""``mobilekit android``: a model of your own in the demo app, ready to install; zip and sign, nothing is compiled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobilekit.commands.common import DebugOption, JsonOption, examples, print_json
from mobilekit.errors import InputError

EPILOG = examples(
    "mobilekit android net.tflite -o app.apk",
    "mobilekit android net.tflite --sidecar described.json -o app.apk",
    "mobilekit android net.tflite --base demo.apk -o app.apk",
)


def register(app: typer.Typer) -> None:
    app.command("android", epilog=EPILOG)(android)


def android(
    model: Annotated[Path, typer.Argument(metavar="MODEL.tflite", help="The model, as mobilekit convert writes it.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="APP.apk", help="The app to write, debug-signed.")],
    sidecar: Annotated[
        Path | None, typer.Option("--sidecar", metavar="FILE.json", help="By default the .json beside the model.")
    ] = None,
    base: Annotated[
        Path | None,
        typer.Option("--base", metavar="BASE.apk", help="The prebuilt app; by default what `make apk` has built."),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Put a .tflite model and its sidecar into the Android demo app."""
    if output.suffix.lower() != ".apk":
        raise InputError(f"--output is '{output}', its name must end in .apk")
    from mobilekit.android import package

    done = package(model, output, sidecar=sidecar, app=base)
    if as_json:
        print_json("android", done)
        return
    typer.echo(f"{done.path}: {done.model}, {done.size_bytes / 1e6:.2f} MB, debug-signed; adb install -r {done.path}")
