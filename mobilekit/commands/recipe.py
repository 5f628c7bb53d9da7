"""``mobilekit recipe``: the presets as documents to start from, and whether one of your own is sound."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from mobilekit.commands.common import DebugOption, JsonOption, examples, print_text, tell

app = typer.Typer(
    help="Show the presets of --quantize as documents to edit, and check one of your own.",
    short_help="Show the presets of --quantize, and check one of yours.",
    no_args_is_help=True,
    rich_markup_mode=None,
    epilog=examples(
        "mobilekit recipe list",
        "mobilekit recipe show int8 > mine.json",
        "mobilekit recipe check mine.json net.tflite",
    ),
)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="recipe")


@app.command("list", epilog=examples("mobilekit recipe list"))
def list_recipes(as_json: JsonOption = False, debug: DebugOption = False) -> None:
    """List the presets."""
    from mobilekit.quantize.recipe import PRESETS

    if as_json:
        import json

        sys.stdout.write(json.dumps({name: recipe.description for name, recipe in PRESETS.items()}, indent=2) + "\n")
        return
    from rich.table import Table

    table = Table.grid(padding=(0, 2))
    for name, recipe in PRESETS.items():
        table.add_row(name, recipe.description)
    print_text(table)


@app.command("show", epilog=examples("mobilekit recipe show int8 > mine.json"))
def show(
    name: Annotated[str, typer.Argument(metavar="PRESET", help="A name of mobilekit recipe list.")],
    debug: DebugOption = False,
) -> None:
    """Print a preset as JSON, every setting written out."""
    from mobilekit.quantize.recipe import preset

    sys.stdout.write(preset(name).to_json())


@app.command("check", epilog=examples("mobilekit recipe check mine.json net.tflite"))
def check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recipe, .json or .toml.")],
    model: Annotated[
        Path | None, typer.Argument(metavar="[FLOAT.tflite]", help="Also that each override matches one of its ops.")
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Check a recipe, and which ops of a model its overrides reach."""
    from mobilekit.quantize.recipe import Recipe

    recipe = Recipe.load(file)
    if model is None:
        tell(f"'{file}' is sound: {recipe.precision}, {len(recipe.overrides)} overrides")
        return
    from mobilekit.graph.reader import read_file

    graph: Any = read_file(model)
    recipe.check(graph)
    for override in recipe.overrides:
        matched = sum(override.matches(op) for op in graph.ops)
        sys.stdout.write(f"{override.label()}: {matched} of {len(graph.ops)} ops\n")
    tell(f"'{file}' is sound for '{model}'")
