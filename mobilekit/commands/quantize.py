"""``mobilekit quantize debug``: where a quantized model loses precision."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mobilekit.commands.common import (
    MODEL_HELP,
    DebugOption,
    JsonOption,
    PreprocessOption,
    QuietOption,
    ShapeOption,
    example_inputs,
    examples,
    input_shapes,
    load_convertible,
    preprocess_spec,
    preprocessor,
    print_json,
    print_text,
)

app = typer.Typer(
    help="Look into quantization: where a quantized model loses precision.", no_args_is_help=True, rich_markup_mode=None
)


def register(root: typer.Typer) -> None:
    root.add_typer(app, name="quantize")


@app.callback()
def _group() -> None:
    pass  # keeps the one command below a word of its own


@app.command("debug", epilog=examples("mobilekit quantize debug net.py:make -c photos/ --preprocess imagenet"))
def debug_command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    calibration: Annotated[
        Path, typer.Option("--calibration", "-c", metavar="DATA", help="Folder of pictures or .npy, or a .npy or .npz.")
    ],
    data: Annotated[
        Path | None, typer.Option("--data", metavar="DATA", help="Compare on these inputs instead.")
    ] = None,
    quantize: Annotated[str, typer.Option("--quantize", "-q", metavar="RECIPE", help="A preset or a file.")] = "int8",
    preprocess: PreprocessOption = None,
    input_shape: ShapeOption = None,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write a page with the histograms.")
    ] = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Show the SQNR of every tensor, what the noise comes from, and the first bad layer."""
    import itertools

    from mobilekit.render.progress import live_progress
    from mobilekit.tasks.data import open_inputs

    with live_progress(quiet) as show:
        show("loading the model", None)
        loaded = load_convertible(model)
        inputs = example_inputs(loaded, input_shape)
        pictures = None if preprocess is None else preprocess_spec(preprocess, input_shapes(loaded, inputs))
        given = open_inputs(calibration, preprocessor(pictures))
        from mobilekit.conversion.pipeline import convert
        from mobilekit.quantize import Recipe

        recipe = Recipe.load(quantize) if quantize.endswith((".json", ".toml")) else quantize

        def progress(step: str, done: int, total: int | None) -> None:
            show(step, done / total if total else None)

        result = convert(
            loaded.model, inputs, quantize=recipe, calibration=given, verify=False, name=loaded.name, progress=progress
        )
        compared = open_inputs(data, preprocessor(pictures)) if data is not None else given
        # As many as the search judges on: each is a run of both graphs with all tensors kept.
        found = result.debug(itertools.islice(compared, 8), progress=progress)
        if report is not None:
            from mobilekit.files import write_files
            from mobilekit.render.html import Page, render_page

            page = Page(f"{loaded.name}, {result.report.quantize}: where the noise comes from", debug=found)
            write_files({report: render_page(page).encode()})
    if as_json:
        print_json("quantize_debug", found)
        return
    from mobilekit.render.debug_text import debug_text

    print_text(debug_text(found))
