"""A second opinion: litert-torch in a child process.

It needs an environment of its own (jax, another LiteRT): ``MOBILEKIT_LITERT_PYTHON`` names its interpreter.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from mobilekit.errors import BackendError
from mobilekit.frontends.child import Limits, Progress, python_for, run_child
from mobilekit.frontends.direct.lower import Lowered
from mobilekit.frontends.foreign import adopt
from mobilekit.frontends.source import Source
from mobilekit.graph.reader import read_file

NAME = "litert"
VARIABLE = "MOBILEKIT_LITERT_PYTHON"


def python() -> Path | None:
    """The interpreter that has litert-torch, or None."""
    return python_for(NAME, VARIABLE, "litert_torch")


def convert(source: Source, *, limits: Limits | None = None, progress: Progress | None = None) -> Lowered:
    """A float graph by litert-torch; :class:`BackendError` when it is not installed, fails, or gives wrong numbers."""
    interpreter = python()
    if interpreter is None:
        raise BackendError(
            f"backend '{NAME}' is not installed: set {VARIABLE} to the Python of an environment that has litert-torch"
        )
    program = source.need_program(NAME)
    with tempfile.TemporaryDirectory(prefix="mobilekit-") as name:
        folder = Path(name)
        torch.export.save(program, folder / "model.pt2")
        run_child(NAME, interpreter, "litert_child.py", folder, limits=limits, progress=progress)
        result = folder / "out" / "model.tflite"
        if not result.exists():
            raise BackendError(f"backend '{NAME}' said it was done and wrote no file")
        return adopt(read_file(result), source, NAME)
