"""``mobilekit verify``: a .tflite file against the PyTorch model it was made of."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

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
    load_module,
    preprocess_spec,
    preprocessor,
    print_json,
    print_text,
)
from mobilekit.errors import InputError, ModelLoadError, VerificationError

EPILOG = examples(
    "mobilekit verify net.py:make net.tflite --data photos/",
    "mobilekit verify net.pt2 net.tflite",
    "mobilekit verify torchvision.models:mobilenet_v2 theirs.tflite --data photos/ --preprocess imagenet",
)


def register(app: typer.Typer) -> None:
    app.command("verify", epilog=EPILOG)(verify)


def verify(
    model: Annotated[str, typer.Argument(metavar="MODEL", help=MODEL_HELP)],
    file: Annotated[Path, typer.Argument(metavar="FILE.tflite", help="The converted file, whoever made it.")],
    data: Annotated[
        Path | None,
        typer.Option(
            "--data", metavar="FOLDER", help="Pictures or .npy files; without it the example input and noise."
        ),
    ] = None,
    preprocess: PreprocessOption = None,
    input_shape: ShapeOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Run a .tflite file and the PyTorch model on the same inputs and compare every output. Exit 2 if they differ."""
    from mobilekit.render.progress import live_progress

    bytes_ = _read(file)
    with live_progress(quiet) as show:
        show("loading the model", None)
        loaded = load_module(model)
        show("verifying", None)
        from mobilekit.conversion.verify_file import verify_file
        from mobilekit.sidecar import Sidecar

        beside = file.with_suffix(".json")
        sidecar = Sidecar.read(beside) if beside.is_file() else None
        inputs = example_inputs(loaded, input_shape) or _inferred(loaded.model)
        calls, source = _calls(data, preprocess, sidecar, inputs)
        report = verify_file(loaded.model, bytes_, calls, sidecar=sidecar, source=source)
    if as_json:
        print_json("verification", report)
    else:
        from mobilekit.render.conversion_text import verification_text

        print_text(verification_text(report))
    if not report.passed:
        raise VerificationError("; ".join(report.failures))


def _read(file: Path) -> bytes:
    from mobilekit.graph import reader

    try:
        data = file.read_bytes()
    except OSError as error:
        raise ModelLoadError(f"cannot read '{file}': {error.strerror or error}") from error
    reader.read(data, f"'{file}'")  # the runtime trusts a file; a damaged one could crash the process
    return data


def _inferred(model: Any) -> tuple[Any, ...]:
    from torch.export import ExportedProgram

    from mobilekit.frontends.direct.capture import infer_inputs

    if isinstance(model, ExportedProgram):
        raise InputError("the program holds no example inputs: give --input-shape or --data")
    return infer_inputs(model)[0]


def _calls(
    data: Path | None, preprocess: str | None, sidecar: Any, inputs: tuple[Any, ...]
) -> tuple[Iterable[Any], str]:
    from mobilekit.conversion import calibration

    if data is None:
        # The example may be all zeros, which hides most mistakes: noise like it goes along.
        return calibration.synthetic(inputs)[:4], "example"
    import torch

    from mobilekit.tasks.data import InputFolder

    spec = preprocess_spec(preprocess, inputs) or (sidecar.preprocess if sidecar is not None else None)
    folder = InputFolder(data, preprocessor(spec))
    return ((torch.from_numpy(array),) for array in folder), f"{len(folder)} files of {data}"
