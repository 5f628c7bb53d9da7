"""``mobilekit verify``: a .tflite file against the model it was made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
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
    ShapeOption,
    example_inputs,
    examples,
    input_shapes,
    known_inputs,
    load_convertible,
    preprocess_spec,
    preprocessor,
    print_json,
    print_text,
    read_sidecar,
    register_custom_ops,
)
from mobilekit.errors import ModelLoadError, VerificationError
from mobilekit.loading import FILE_KINDS, LoadedModel

if TYPE_CHECKING:
    from mobilekit.sidecar import Sidecar

EPILOG = examples(
    "mobilekit verify net.py:make net.tflite --data photos/",
    "mobilekit verify net.pt2 net.tflite",
    "mobilekit verify torchvision.models:mobilenet_v2 theirs.tflite --data photos/ --preprocess imagenet",
)


def register(app: typer.Typer) -> None:
    app.command("verify", short_help="Compare a .tflite file with the model it was made of.", epilog=EPILOG)(verify)


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
    custom_op: CustomOpOption = None,
    as_json: JsonOption = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare a .tflite file with the model it was made of, output by output. Exit 2 if they differ."""
    from mobilekit.render.progress import live_progress

    contents = _read(file)
    sidecar = read_sidecar(file, contents)
    with live_progress(quiet) as show:
        show("loading the model", None)
        register_custom_ops(custom_op)
        loaded = load_convertible(model)
        show("verifying", None)
        from mobilekit.conversion.verify_file import verify_file

        inputs = example_inputs(loaded, input_shape)
        calls, source = _calls(loaded, data, preprocess, sidecar, inputs)
        reference, name = _reference(loaded, inputs)
        report = verify_file(reference, contents, calls, reference_name=name, sidecar=sidecar, source=source)
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


def _reference(loaded: LoadedModel, inputs: Sequence[Any] | None) -> tuple[Any, str]:
    """What the file is compared with, and its name."""
    if loaded.kind in FILE_KINDS:
        from mobilekit.conversion.inputs import file_source

        source = file_source(loaded, inputs)
        return source.reference, source.reference_name
    import torch

    from mobilekit.conversion.verify_file import torch_reference

    return torch_reference(loaded.model), f"torch {torch.__version__} (eager)"


def _calls(
    loaded: LoadedModel,
    data: Path | None,
    preprocess: str | None,
    sidecar: Sidecar | None,
    inputs: Sequence[Any] | None,
) -> tuple[Iterable[Any], str]:
    if data is None:
        from mobilekit.conversion import calibration

        # The example may be all zeros, which hides most mistakes: noise like it goes along.
        return calibration.synthetic(known_inputs(loaded) if inputs is None else inputs)[:4], "example"
    import torch

    from mobilekit.tasks.data import InputFolder

    if preprocess is not None:
        spec = preprocess_spec(preprocess, input_shapes(loaded, inputs))
    else:
        spec = None if sidecar is None else sidecar.preprocess
    folder = InputFolder(data, preprocessor(spec))
    # The arrays of an .npz are the inputs in the order in which they were saved.
    items = (
        item.values() if isinstance(item, Mapping) else item if isinstance(item, tuple) else (item,) for item in folder
    )
    return (tuple(map(torch.from_numpy, arrays)) for arrays in items), f"{len(folder)} files of {data}"
