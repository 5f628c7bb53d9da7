"""``mobilekit info``: what a .tflite file holds."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from mobilekit.commands.common import DebugOption, JsonOption, examples, print_json, print_text
from mobilekit.errors import ModelLoadError

EPILOG = examples(
    "mobilekit info net.tflite", "mobilekit info net.tflite --graph | less", "mobilekit info net.tflite --json"
)


def register(app: typer.Typer) -> None:
    app.command("info", short_help="Show inputs, outputs, ops and size of a .tflite file.", epilog=EPILOG)(info)


def info(
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="A .tflite file, whoever made it.")],
    graph: Annotated[bool, typer.Option("--graph", help="Print the graph, one line an op.")] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Show inputs, outputs, ops, size and the oldest runtime of a .tflite file."""
    if file.suffix.lower() != ".tflite" and file.exists():
        raise ModelLoadError(f"'{file}' is no .tflite file; mobilekit convert makes one of a PyTorch model")
    from mobilekit.compat.check import min_runtime_version
    from mobilekit.graph import reader
    from mobilekit.graph.summary import summarize

    model = reader.read_file(file)
    if graph:
        sys.stdout.write(f"{model}\n")
        return
    summary = summarize(
        model, name=str(file), size_bytes=file.stat().st_size, min_runtime_version=min_runtime_version(model)
    )
    if as_json:
        print_json("file", summary)
        return
    from mobilekit.render.file_text import file_text

    print_text(file_text(summary))
