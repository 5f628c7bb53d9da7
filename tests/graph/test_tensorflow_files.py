"""Files that TensorFlow's converter made: each is read, printed, written again, and runs as before."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest

from mobilekit.errors import RuntimeUnavailableError
from mobilekit.graph.ir import Graph
from mobilekit.graph.reader import read, read_file
from mobilekit.graph.versions import op_version
from mobilekit.graph.writer import write
from mobilekit.runtime import Interpreter
from tests.graph.build import assert_same

pytestmark = pytest.mark.classic

# kind of file -> ops that must be in it, so that a converter that changes its mind does not empty the test
KINDS = {
    "cnn_float": {"CONV_2D", "DEPTHWISE_CONV_2D", "AVERAGE_POOL_2D", "FULLY_CONNECTED", "SOFTMAX"},
    "cnn_float16": {"DEQUANTIZE", "CONV_2D"},
    "cnn_dynamic_range": {"CONV_2D", "FULLY_CONNECTED"},
    "cnn_int8": {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "SOFTMAX"},
    "cnn_int16x8": {"QUANTIZE", "CONV_2D", "DEQUANTIZE"},
    "cnn_sparse": {"FULLY_CONNECTED"},
    "lstm_unfused": {"WHILE"},
    "lstm_fused": {"UNIDIRECTIONAL_SEQUENCE_LSTM"},
    "lstm_int8": {"UNIDIRECTIONAL_SEQUENCE_LSTM", "QUANTIZE"},
    "dynamic_batch": {"FULLY_CONNECTED", "RESHAPE"},
    "control_flow": {"WHILE", "IF"},
    "two_signatures": {"MUL"},
    "variables": {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE", "CALL_ONCE"},
    "strings": {"HASHTABLE", "HASHTABLE_FIND", "GATHER"},
    "odd_constants": {"SELECT_V2"},
    "many_ops": {"TRANSPOSE_CONV", "CONV_3D", "STRIDED_SLICE", "TOPK_V2", "GATHER_ND", "CUMSUM", "GELU"},
    "custom_op": {"CUSTOM"},
}


@pytest.fixture(scope="session")
def folder(classic_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All the files, made by one child process (about 15 s, 6 of them importing TensorFlow)."""
    folder = tmp_path_factory.mktemp("tensorflow")
    script = Path(__file__).with_name("make_tensorflow_files.py")
    child = subprocess.run([str(classic_python), str(script), str(folder)], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr[-3000:]
    return folder


def graphs_of(graph: Graph) -> tuple[Graph, ...]:
    return (graph, *graph.subgraphs)


@pytest.mark.parametrize("kind", KINDS)
def test_written_again_it_is_the_same(folder: Path, kind: str) -> None:
    graph = read_file(folder / f"{kind}.tflite")
    assert KINDS[kind] <= {op.kind for g in graphs_of(graph) for op in g.ops}
    data = write(graph)
    again = read(data)
    assert_same(graph, again)
    assert write(again) == data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_written_again_it_runs_the_same(folder: Path, kind: str, delegate: str) -> None:
    """Bit for bit, twice in a row (state carries over): the same ops on the same constants in the same runtime."""
    original = (folder / f"{kind}.tflite").read_bytes()
    try:
        first = Interpreter(original, delegate=delegate)
    except RuntimeUnavailableError as error:
        pytest.skip(f"this runtime is older than TensorFlow's own file: {error}")
    second = Interpreter(write(read(original)), delegate=delegate)
    assert [(i.shape, i.dtype, i.scale) for i in first.inputs] == [(i.shape, i.dtype, i.scale) for i in second.inputs]
    if kind == "dynamic_batch":
        for interpreter in (first, second):
            interpreter.resize([(5, 4)])
    random = np.random.default_rng(0)
    for _ in range(2):
        inputs = [
            random.integers(0, 3, info.shape).astype(info.dtype)
            if np.dtype(info.dtype).kind == "i"
            else random.standard_normal(info.shape).astype(info.dtype)
            for info in first.inputs
        ]
        expected, got = first.run(inputs), second.run(inputs)
        for a, b in zip(expected, got, strict=True):
            np.testing.assert_array_equal(a, b)
            assert a.size == 0 or a.dtype.kind != "f" or np.any(a != 0), "a run that says nothing"


@pytest.mark.parametrize("kind", sorted(set(KINDS) - {"cnn_int16x8"}))
def test_op_versions_are_the_converters(folder: Path, kind: str) -> None:
    """Per kind of op, since the converter gives all ops of a kind the highest version that one of them needs."""
    graph = read_file(folder / f"{kind}.tflite")
    theirs: dict[str, int] = {}
    ours: dict[str, int] = {}
    for op in (op for g in graphs_of(graph) for op in g.ops):
        theirs[op.kind] = max(theirs.get(op.kind, 0), op.version or 0)
        op.version = None
        ours[op.kind] = max(ours.get(op.kind, 0), op_version(op))
    assert ours == theirs


def test_int16_versions_are_those_of_the_schema(folder: Path) -> None:
    """The converter quantizes to int16 after it chose the versions, and leaves those of the float ops.

    We write what op_version.cc asks for: 8 and 11 for the ops whose bias says that it is 64 bits wide.
    """
    graph = read_file(folder / "cnn_int16x8.tflite")
    for op in graph.ops:
        op.version = None
    assert {op.kind: op_version(op) for op in graph.ops} == {
        "QUANTIZE": 2,
        "CONV_2D": 8,
        "DEPTHWISE_CONV_2D": 5,
        "AVERAGE_POOL_2D": 3,
        "RESHAPE": 1,
        "FULLY_CONNECTED": 11,
        "SOFTMAX": 3,
        "DEQUANTIZE": 3,
    }


def test_signatures_of_every_subgraph(folder: Path) -> None:
    graph = read_file(folder / "two_signatures.tflite")
    names = {
        s.key: ([name for name, _ in s.inputs], [name for name, _ in s.outputs])
        for g in graphs_of(graph)
        for s in g.signatures
    }
    assert names == {"encode": (["image"], ["code"]), "decode": (["code"], ["energy", "image"])}


def test_what_only_some_files_have(folder: Path) -> None:
    def tensors(kind: str) -> list[object]:
        return [t for g in graphs_of(read_file(folder / f"{kind}.tflite")) for t in g.tensors()]

    assert any(t.sparsity is not None for t in tensors("cnn_sparse"))
    assert any(t.is_variable for t in tensors("lstm_fused"))
    assert any(op.intermediates for op in read_file(folder / "lstm_int8.tflite").ops)
    assert any(None in op.inputs for op in read_file(folder / "lstm_fused.tflite").ops)
    assert any(t.shape_signature == (-1, 4) for t in tensors("dynamic_batch"))
    assert {"string", "resource"} <= {t.dtype for t in tensors("strings")}
    assert any(t.quantization is not None and t.quantization.is_per_axis for t in tensors("cnn_int8"))
    (custom,) = read_file(folder / "custom_op.tflite").ops
    assert custom.custom_code == "TFLite_Detection_PostProcess"
    assert b"max_detections" in custom.custom_options
