"""The classic route: PyTorch -> ONNX -> TensorFlow -> TFLite, through onnx2tf in a child process.

The environment that has onnx2tf may be another one: ``MOBILEKIT_ONNX2TF_PYTHON`` names its interpreter.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path
from typing import Any

import torch

from mobilekit.errors import BackendError
from mobilekit.frontends.child import Limits, Progress, python_for, run_child
from mobilekit.frontends.direct.lower import Lowered
from mobilekit.frontends.foreign import adopt
from mobilekit.frontends.source import Source
from mobilekit.graph.reader import read_file
from mobilekit.streams import filtered

NAME = "onnx2tf"
VARIABLE = "MOBILEKIT_ONNX2TF_PYTHON"


def python() -> Path | None:
    """The interpreter that has onnx2tf, or None."""
    return python_for(NAME, VARIABLE, "onnx2tf")


def convert(source: Source, *, limits: Limits | None = None, progress: Progress | None = None) -> Lowered:
    """A float graph by onnx2tf; :class:`BackendError` when it is not installed, fails, or gives wrong numbers."""
    interpreter = python()
    if interpreter is None:
        raise BackendError(
            f"backend '{NAME}' is not installed: pip install 'mobilekit[classic]', or set {VARIABLE} to the Python of "
            "an environment that has onnx2tf"
        )
    with tempfile.TemporaryDirectory(prefix="mobilekit-") as name:
        folder = Path(name)
        _write_onnx(source, folder / "model.onnx")
        run_child(NAME, interpreter, "onnx2tf_child.py", folder, limits=limits, progress=progress)
        result = folder / "out" / "model.tflite"
        if not result.exists():
            raise BackendError(f"backend '{NAME}' said it was done and wrote no file")
        return adopt(read_file(result), source, NAME)


class _Frozen(torch.nn.Module):
    """A captured program for the exporter, which calls ``train()`` on what it traces; a program refuses that."""

    def __init__(self, program: torch.export.ExportedProgram) -> None:
        super().__init__()
        self.call = [program.module()]  # in a list, so that it is no submodule

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        return self.call[0](*args, **kwargs)


def _write_onnx(source: Source, path: Path) -> None:
    if source.onnx is not None:
        import onnx

        # Loaded and saved, so that weights in files beside it come along.
        onnx.save(onnx.load(str(source.onnx)), str(path))
        return
    program = source.need_program(NAME)
    module = _Frozen(program) if source.module is None else source.module
    args, kwargs = program.example_inputs or ((), {})
    names = [signature.name for signature in source.inputs]
    try:
        with warnings.catch_warnings(), filtered(1, lambda line: False), torch.no_grad():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                module, tuple(args), str(path), kwargs=dict(kwargs), input_names=names, dynamo=False, verbose=False
            )
    except Exception as error:  # the exporter raises anything
        text = str(error).strip().splitlines()
        raise BackendError(f"backend '{NAME}': torch.onnx.export failed: {text[0] if text else error!r}") from error
