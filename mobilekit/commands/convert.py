"""``mobilekit convert``: a model to a verified .tflite file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mobilekit.commands.common import (
    MODEL_HELP,
    CustomOpOption,
    DebugOption,
    JsonOption,
    PreprocessOption,
    QuietOption,
    SectionedCommand,
    ShapeOption,
    example_inputs,
    examples,
    input_shapes,
    load_convertible,
    preprocess_spec,
    preprocessor,
    print_json,
    print_text,
    read_labels,
    register_custom_ops,
    tell,
)
from mobilekit.errors import InputError, OutputError

if TYPE_CHECKING:
    from mobilekit.conversion.converted import Converted
    from mobilekit.sidecar import PreprocessSpec
    from mobilekit.tasks.data import InputFile, InputFolder

EPILOG = examples(
    "mobilekit convert torchvision.models:mobilenet_v2 -o net.tflite",
    "mobilekit convert net.py:make -o net.tflite --quantize int8 --calibration photos/ --preprocess imagenet",
    "mobilekit convert net.pt2 -o net.tflite --quantize int8 --calibration arrays/ --report report.html",
    "mobilekit convert net.py:make --input-shape 1,3,320,320 --json",
    "mobilekit convert net.onnx -o net.tflite            (also .keras, .h5, a SavedModel)",
    "mobilekit convert float.tflite -o int8.tflite --quantize int8 --calibration arrays/",
)


def register(app: typer.Typer) -> None:
    app.command("convert", cls=SectionedCommand, short_help="Make a verified .tflite file of a model.", epilog=EPILOG)(
        convert
    )


def convert(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The file to write; by default NAME.tflite here.")
    ] = None,
    quantize: Annotated[
        str | None,
        typer.Option(
            "--quantize",
            "-q",
            rich_help_panel="Quantization",
            metavar="RECIPE",
            help="int8, another preset, a .json or .toml, or auto.",
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(
            "--metric",
            rich_help_panel="Quantization",
            metavar="FILE.py:FN",
            help="For auto: FN(model) gives a number, higher is better; else SQNR.",
        ),
    ] = None,
    max_drop: Annotated[
        float | None,
        typer.Option(
            "--max-drop",
            rich_help_panel="Quantization",
            help="For auto: how far below float's the metric may be (0.01).",
        ),
    ] = None,
    prefer: Annotated[
        str | None,
        typer.Option(
            "--prefer",
            rich_help_panel="Quantization",
            metavar="LIST",
            help="For auto: what to try, in order (int8,int16x8,fp16,float32).",
        ),
    ] = None,
    calibration: Annotated[
        Path | None,
        typer.Option(
            "--calibration",
            "-c",
            rich_help_panel="Quantization",
            metavar="DATA",
            help="Folder of pictures or .npy, or a .npy or .npz: 16 to 128 inputs.",
        ),
    ] = None,
    preprocess: PreprocessOption = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            "--labels",
            rich_help_panel="Inputs",
            metavar="FILE",
            help="Names of the classes, one a line; for the sidecar.",
        ),
    ] = None,
    input_shape: ShapeOption = None,
    io_dtype: Annotated[
        str | None,
        typer.Option(
            "--io-dtype",
            rich_help_panel="Quantization",
            metavar="DTYPE",
            help="int8 or float32 at the edges of an int8 file.",
        ),
    ] = None,
    backend: Annotated[
        str,
        typer.Option(
            "--backend",
            rich_help_panel="Conversion",
            metavar="NAME",
            help="direct, onnx2tf, litert, or the first of them that verifies.",
        ),
    ] = "auto",
    rewrite: Annotated[
        list[str] | None,
        typer.Option(
            "--rewrite",
            rich_help_panel="Conversion",
            metavar="NAME",
            help="Say an op in others, e.g. gelu_tanh; can be repeated.",
        ),
    ] = None,
    target: Annotated[
        list[str] | None,
        typer.Option(
            "--target", "-t", rich_help_panel="Checks", metavar="TARGET", help="Check against it; can be repeated."
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            rich_help_panel="Checks",
            metavar="DATA",
            help="Verify on these inputs, which calibration has not seen.",
        ),
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", rich_help_panel="Checks", help="Do not compare the file with PyTorch.")
    ] = False,
    report: Annotated[
        Path | None, typer.Option("--report", metavar="FILE.html", help="Write a report that can be mailed around.")
    ] = None,
    custom_op: CustomOpOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Convert a model to a .tflite file and verify it against the model itself."""
    from mobilekit.render.progress import live_progress

    _check_options(quantize, calibration, no_verify, data)
    how = _how(quantize, metric, max_drop, prefer)
    path = output or Path(f"{_short_name(model)}.tflite")
    if path.resolve() == Path(model).resolve():
        raise InputError(f"'{path}' is the model itself: choose another --output")
    _check_output(path, report)
    names = read_labels(labels)
    with live_progress(quiet) as show:
        show("loading the model", None)
        register_custom_ops(custom_op)
        loaded = load_convertible(model)
        inputs = example_inputs(loaded, input_shape)
        pictures = None if preprocess is None else preprocess_spec(preprocess, input_shapes(loaded, inputs))
        given, held_out = _folder(calibration, pictures), _folder(data, pictures)
        from mobilekit.conversion.pipeline import convert as run
        from mobilekit.sidecar import ClassificationSpec

        result = run(
            loaded.model,
            inputs,
            quantize=how,
            calibration=given,
            io_dtype=io_dtype,
            backend=backend,
            rewrites=tuple(rewrite or ()),
            targets=tuple(target or ("cpu",)),
            verify=not no_verify if held_out is None else held_out,
            name=loaded.name,
            preprocess=pictures,
            postprocess=None if names is None else ClassificationSpec(),
            labels=names,
            progress=lambda step, done, total: show(step, done / total if total else None),
        )
        page = _page(result, held_out or given, show) if report else None
        show("writing", None)
        _write(result, path, report, page)
    if as_json:
        for warning in result.report.warnings:  # a script that reads one field of the JSON must not miss it
            tell(f"warning: {warning}")
        print_json("conversion", result.report)
        return
    from mobilekit.render.conversion_text import conversion_text

    print_text(conversion_text(result.report, path))


def _check_options(quantize: str | None, calibration: Path | None, no_verify: bool, data: Path | None) -> None:
    if calibration is not None and quantize is None:
        raise InputError("--calibration is of no use without --quantize")
    if no_verify and data is not None:
        raise InputError("--data is what to verify on, --no-verify says not to")


def _check_output(path: Path, report: Path | None) -> None:
    """Everything that can be known of the files to be written before the work begins."""
    from mobilekit.files import check_writable

    if path.suffix.lower() != ".tflite":
        raise InputError(f"--output is '{path}', its name must end in .tflite (the sidecar's ends in .json)")
    if report is not None and report.suffix.lower() not in (".html", ".htm"):
        raise InputError(f"--report is '{report}', its name must end in .html")
    for file in (path, *([report] if report else [])):
        check_writable(file)
    beside = path.with_suffix(".json")
    if beside.exists() and not _is_sidecar(beside):
        raise OutputError(f"'{beside}' would be overwritten by the sidecar, and is none: choose another --output")


def _is_sidecar(path: Path) -> bool:
    """Of whatever version: what this mobilekit cannot read any more may still be replaced."""
    import json

    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(document, dict) and {"mobilekit_version", "sha256"} <= document.keys()


def _short_name(model: str) -> str:
    return model.rpartition(":")[2] if ":" in model else Path(model).stem


def _folder(path: Path | None, pictures: PreprocessSpec | None) -> InputFolder | InputFile | None:
    if path is None:
        return None
    from mobilekit.tasks.data import open_inputs

    return open_inputs(path, preprocessor(pictures))


def _how(text: str | None, metric: str | None, max_drop: float | None, prefer: str | None) -> Any:
    """What ``quantize=`` takes: None, the name of a preset, a recipe, or an Auto."""
    options = {"--metric": metric, "--max-drop": max_drop, "--prefer": prefer}
    if text != "auto":
        given = [name for name, value in options.items() if value is not None]
        if given:
            raise InputError(f"{given[0]} is for --quantize auto only")
    if text is None or text == "none":
        return None
    if text == "auto":
        from mobilekit.loading import load_function
        from mobilekit.quantize import Auto

        changes: dict[str, Any] = {} if max_drop is None else {"max_drop": max_drop}
        if prefer is not None:
            changes["prefer"] = tuple(name.strip() for name in prefer.split(","))
        return Auto(None if metric is None else load_function(metric, "metric"), **changes)
    if not text.endswith((".json", ".toml")):
        return text
    from mobilekit.quantize import Recipe

    return Recipe.load(text)


def _page(result: Converted, samples: InputFolder | InputFile | None, show: Any) -> bytes:
    import dataclasses
    import itertools

    from mobilekit.render.html import Page, render_page

    show("writing the report", None)
    report = result.report
    if samples is not None and report.quantize != "none":
        # The first few inputs only: each is a run of both graphs with all tensors kept.
        report = dataclasses.replace(report, layer_errors=result.layer_errors(itertools.islice(samples, 4)))
    kind = "float32" if report.quantize == "none" else report.quantize
    return render_page(Page(f"{report.model}, {kind}", report, compat=report.compat)).encode()


def _write(result: Converted, path: Path, report: Path | None, page: bytes | None) -> None:
    """The file, its sidecar and the report: all of them or none."""
    from mobilekit.files import write_files

    contents: dict[str | Path, bytes] = {
        path: result.bytes,
        path.with_suffix(".json"): result.sidecar.to_json().encode(),
    }
    if report is not None and page is not None:
        contents[report] = page
    write_files(contents)
    result.path = path
