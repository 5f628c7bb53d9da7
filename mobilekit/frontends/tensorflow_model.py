"""A SavedModel or a Keras file as a source, through TensorFlow in a child process.

The child makes a float .tflite file and says what TensorFlow computes; from there it is a graph like any other. The
environment that has TensorFlow may be another one: ``MOBILEKIT_TENSORFLOW_PYTHON`` names its interpreter, else
``MOBILEKIT_ONNX2TF_PYTHON``, since onnx2tf's environment has TensorFlow too.
"""

from __future__ import annotations

import itertools
import json
import os
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import BackendError, InputError, ModelLoadError
from mobilekit.frontends import onnx2tf
from mobilekit.frontends.arrays import as_array
from mobilekit.frontends.child import Limits, python_for, run_child
from mobilekit.frontends.source import Source
from mobilekit.frontends.tflite_model import given_arrays, ready_source, refuse_quantized
from mobilekit.graph.ir import Graph, Tensor
from mobilekit.graph.reader import read_file
from mobilekit.graph.writer import write
from mobilekit.results import InputOrigin
from mobilekit.runtime import Interpreter

NAME = "tensorflow"
VARIABLE = "MOBILEKIT_TENSORFLOW_PYTHON"
# Calls that one child computes: enough to pay for its start of some 10 s, few enough to hold in memory.
_CALLS_A_CHILD = 16
# As in foreign.py and conversion/verify.py, relative to the largest value.
_TOLERANCE = 1e-3


def python() -> Path | None:
    """The interpreter that has TensorFlow, or None."""
    variable = VARIABLE if VARIABLE in os.environ else onnx2tf.VARIABLE
    return python_for(NAME, variable, "tensorflow")


def from_tensorflow(
    path: Path,
    signature: str | None = None,
    example_inputs: Any = None,
    name: str | None = None,
    *,
    limits: Limits | None = None,
) -> Source:
    """Convert ``path`` to a float graph; ``signature`` names one of a SavedModel's, if it has several.

    Raises :class:`ModelLoadError` for a file that TensorFlow cannot read, :class:`InputError` for an open shape or a
    signature that is not there, :class:`BackendError` when TensorFlow is missing, fails, or gives wrong numbers.
    """
    interpreter = python()
    if interpreter is None:
        raise BackendError(
            f"'{path}' needs TensorFlow, which is not installed: pip install 'mobilekit[classic]', or set {VARIABLE} "
            "to the Python of an environment that has it"
        )
    given = given_arrays(example_inputs)
    request = {"model": str(path.resolve()), "shown": str(path), "signature": signature}
    with tempfile.TemporaryDirectory(prefix="mobilekit-") as folder_name:
        folder = Path(folder_name)
        if given is not None:
            _save(folder / "inputs.npz", [[as_array(value) for value in given]])
        _run(interpreter, folder, {**request, "convert": True}, limits)
        graph, said = _result(folder)
        example = _load(folder / "inputs.npz", len(said["inputs"]))[0]
        expected = _load(folder / "outputs.npz", len(said["outputs"]))[0]
    refuse_quantized(graph, str(path))
    graph.inputs = _in_order(graph, "inputs", said["inputs"])
    graph.outputs = _in_order(graph, "outputs", said["outputs"])
    graph.signatures = []
    _compare(graph, example, expected)

    def references(calls: Iterable[Sequence[Any]]) -> Iterator[tuple[Sequence[Any], list[NDArray[Any]]]]:
        stream = iter(calls)
        while block := list(itertools.islice(stream, _CALLS_A_CHILD)):
            with tempfile.TemporaryDirectory(prefix="mobilekit-") as block_folder:
                at = Path(block_folder)
                _save(at / "inputs.npz", [[as_array(leaf) for leaf in leaves] for leaves in block])
                _run(interpreter, at, {**request, "convert": False}, limits)
                yield from zip(block, _load(at / "outputs.npz", len(said["outputs"])), strict=True)

    for tensor, label in zip(graph.inputs, said["inputs"], strict=True):
        _rename(graph, tensor, label)
    origins = tuple(
        InputOrigin(label, array.shape, "", "the batch, left open in the file, is one")
        for label, array in zip(said["inputs"], example, strict=True)
        if label in said["opened"]
    )
    return ready_source(
        graph,
        name or path.stem,
        example,
        said["outputs"],
        references,
        f"TensorFlow {said['version']}",
        made_by=NAME,
        out_structure=_structure(said),
        origins=origins,
    )


def _run(python: Path, folder: Path, request: dict[str, Any], limits: Limits | None) -> None:
    """Run the child; what it says of the user's file in ``problem.json`` is the user's error, not the backend's."""
    (folder / "request.json").write_text(json.dumps(request))
    try:
        run_child(NAME, python, "tensorflow_child.py", folder, limits=limits)
    except BackendError as error:
        problem = folder / "problem.json"
        if not problem.exists():
            raise
        said = json.loads(problem.read_text())
        kind = {"input": InputError, "model": ModelLoadError}.get(said["kind"], BackendError)
        raise kind(said["text"]) from error


def _result(folder: Path) -> tuple[Graph, dict[str, Any]]:
    missing = [n for n in ("model.tflite", "said.json", "inputs.npz", "outputs.npz") if not (folder / n).exists()]
    if missing:
        raise BackendError(f"backend '{NAME}' said it was done and wrote no {missing[0]}")
    return read_file(folder / "model.tflite"), json.loads((folder / "said.json").read_text())


def _in_order(graph: Graph, side: str, names: Sequence[str]) -> list[Tensor]:
    """The graph's tensors in the order of ``names``, which the file's own signature tells."""
    called = {label: tensor for signature in graph.signatures[:1] for label, tensor in getattr(signature, side)}
    missing = [label for label in names if label not in called]
    if missing or len(getattr(graph, side)) != len(names):
        raise BackendError(f"backend '{NAME}' made a file whose {side} are {sorted(called)}, not {sorted(names)}")
    return [called[label] for label in names]


def _rename(graph: Graph, tensor: Tensor, label: str) -> None:
    if all(other.name != label for other in graph.tensors()):
        tensor.name = label


def _compare(graph: Graph, example: Sequence[NDArray[Any]], expected: Sequence[NDArray[Any]]) -> None:
    got = Interpreter(write(graph)).run(example)
    for tensor, ours, theirs in zip(graph.outputs, got, expected, strict=True):
        if ours.shape != theirs.shape:
            raise BackendError(
                f"backend '{NAME}' made '{tensor.name}' {list(ours.shape)}, TensorFlow gives {list(theirs.shape)}"
            )
        reference = theirs.astype(np.float64)
        error = np.abs(ours - reference).max(initial=0.0) / max(1.0, np.abs(reference).max(initial=0.0))
        if not error <= _TOLERANCE:
            raise BackendError(
                f"backend '{NAME}' made a file with wrong numbers: off on the example by {error:.2g} of the maximum"
            )


def _structure(said: dict[str, Any]) -> Any:
    if said["nesting"] == "dict":
        return dict.fromkeys(said["outputs"], 0)
    return 0 if said["nesting"] == "single" else [0] * len(said["outputs"])


def _save(path: Path, calls: Sequence[Sequence[NDArray[Any]]]) -> None:
    arrays = {f"{call}_{index}": array for call, row in enumerate(calls) for index, array in enumerate(row)}
    np.savez(path, **arrays)  # type: ignore[arg-type]  # the stubs take the keywords for its own options


def _load(path: Path, width: int) -> list[list[NDArray[Any]]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            return [[file[f"{call}_{index}"] for index in range(width)] for call in range(len(file.files) // width)]
    except (OSError, ValueError, KeyError) as error:
        raise BackendError(f"backend '{NAME}' said it was done and wrote no usable {path.name}: {error}") from error
