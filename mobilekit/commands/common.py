"""What several commands share: options, output, the loading of models and data."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from mobilekit.errors import InputError
from mobilekit.loading import FILE_KINDS, FORMS, LoadedModel, load_model, parse_shape

if TYPE_CHECKING:
    from rich.console import RenderableType

    from mobilekit.sidecar import PreprocessSpec, Sidecar
    from mobilekit.tasks.preprocess import Preprocess

JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="Show no progress.")]
DebugOption = Annotated[bool, typer.Option("--debug", help="Show tracebacks and the warnings of libraries.")]
ShapeOption = Annotated[
    list[str] | None,
    typer.Option(
        "--input-shape",
        metavar="SHAPE",
        rich_help_panel="Inputs",
        help="Shape of an input, e.g. 1,3,224,224 or 1,128:int64; once for each input. By default what the model says.",
    ),
]
CustomOpOption = Annotated[
    list[Path] | None,
    typer.Option(
        "--custom-op",
        metavar="FILE.py",
        rich_help_panel="Conversion",
        help="Run it first: it registers ops of your own; can be repeated.",
    ),
]
PreprocessOption = Annotated[
    str | None,
    typer.Option(
        "--preprocess",
        metavar="NAME",
        rich_help_panel="Inputs",
        help="How pictures become inputs: imagenet, zero-to-one, minus-one-to-one or levels. Goes into the sidecar.",
    ),
]
MODEL_HELP = f"{FORMS}."


class SectionedCommand(TyperCommand):
    """A command whose help lists its options under their ``rich_help_panel``, in plain text."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None:
                usual = "Arguments" if param.param_type_name == "argument" else "Options"
                sections.setdefault(getattr(param, "rich_help_panel", None) or usual, []).append(record)
        for title, records in sections.items():
            with formatter.section(title):
                formatter.write_dl(records)


def examples(*lines: str) -> str:
    """Examples for the end of a help page, each on a line of its own."""
    # \b keeps the parser from filling the lines up into a paragraph.
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)


def print_json(kind: str, result: Any) -> None:
    from mobilekit.render.json_text import to_json

    sys.stdout.write(to_json(kind, result) + "\n")


def print_text(*parts: RenderableType) -> None:
    from rich.console import Console

    # No highlighting: numbers in colour say nothing, and names of tensors are full of them.
    console = Console(highlight=False, soft_wrap=not sys.stdout.isatty())
    for part in parts:
        console.print(part)


def tell(text: str) -> None:
    """A remark beside the result, on stderr."""
    sys.stderr.write(f"mobilekit: {text}\n")


def load_convertible(spec: str) -> LoadedModel:
    """A module in eval mode, a program, or the path of a file."""
    loaded = load_model(spec)
    if loaded.kind == "module" and loaded.model.training:
        loaded.model.eval()
    return loaded


def register_custom_ops(files: Sequence[Path] | None) -> None:
    from mobilekit.loading import run_registrations

    for file in files or ():
        run_registrations(file)


def example_inputs(loaded: LoadedModel, shapes: Sequence[str] | None) -> tuple[Any, ...] | None:
    """Zeros of the shapes asked for; else what came with the model; else None, and convert() infers them."""
    if not shapes:
        return loaded.example_inputs
    import torch

    tensors = []
    for text in shapes:
        dims, _, dtype = text.partition(":")
        kind = getattr(torch, dtype or "float32", None)
        if not isinstance(kind, torch.dtype):
            raise InputError(f"--input-shape {text}: torch has no dtype '{dtype}'")
        tensors.append(torch.zeros(parse_shape(dims), dtype=kind))
    return tuple(tensors)


def preprocess_spec(name: str | None, shapes: Sequence[tuple[int, ...]]) -> PreprocessSpec | None:
    """The preset ``name`` at the size of the model's one picture input."""
    if name is None:
        return None
    from mobilekit.tasks.preprocess import preset

    last = len(shapes) == 1 and len(shapes[0]) == 4 and shapes[0][1] not in (1, 3)
    if last and shapes[0][3] in (1, 3):
        raise InputError(
            "--preprocess makes pictures of [1, 3, height, width], the model takes channels last: give a folder of .npy"
        )
    if len(shapes) != 1 or len(shapes[0]) != 4 or last:
        found = ", ".join(str(list(shape)) for shape in shapes) or "unknown (give --input-shape)"
        raise InputError(f"--preprocess needs a model of one picture, [1, 3, height, width]; its inputs are {found}")
    _, channels, height, width = shapes[0]
    spec = preset(name, height, width)
    return spec if channels == 3 else spec.model_copy(update={"channels": "gray"})


def input_shapes(loaded: LoadedModel, inputs: Sequence[Any] | None) -> list[tuple[int, ...]]:
    """Shapes of the inputs given; else what the model itself says."""
    if inputs is None:
        inputs = known_inputs(loaded)
    return [tuple(int(dim) for dim in tensor.shape) for tensor in inputs]


def known_inputs(loaded: LoadedModel) -> Sequence[Any]:
    """Example inputs that the model says itself; :class:`InputError` where it does not."""
    if loaded.kind in FILE_KINDS:
        from mobilekit.conversion.inputs import file_source

        return file_source(loaded).example_call()
    if loaded.kind == "program":
        raise InputError("the program holds no example inputs: give --input-shape")
    from mobilekit.frontends.direct.capture import infer_inputs

    return infer_inputs(loaded.model)[0]


def read_sidecar(file: Path, data: bytes) -> Sidecar | None:
    """The sidecar beside ``file``, if there is one; :class:`InputError` if it describes another file."""
    import hashlib

    from mobilekit.sidecar import Sidecar

    beside = file.with_suffix(".json")
    if not beside.is_file():
        return None
    sidecar = Sidecar.read(beside)
    if sidecar.sha256 != hashlib.sha256(data).hexdigest():
        raise InputError(
            f"'{beside}' describes another file than '{file}' (sha256 differs): convert again, or remove it"
        )
    return sidecar


def preprocessor(spec: PreprocessSpec | None) -> Preprocess | None:
    if spec is None:
        return None
    from mobilekit.tasks.preprocess import Preprocess

    return Preprocess(spec)


def read_labels(path: Path | None) -> tuple[str, ...] | None:
    """One label a line."""
    if path is None:
        return None
    try:
        labels = tuple(line.strip() for line in path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read the labels '{path}': {error}") from error
    if not any(labels):
        raise InputError(f"'{path}' holds no labels: one a line is expected")
    return labels
