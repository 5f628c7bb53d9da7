"""A float .tflite file as a way in: the same numbers, the same names, int8 on top, and refusals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import mobilekit
from mobilekit.errors import BackendError, InputError, ModelLoadError
from mobilekit.frontends.tflite_model import from_tflite, settle
from mobilekit.graph.ir import Graph, Op, Tensor
from mobilekit.graph.passes import run_passes
from mobilekit.graph.reader import read
from mobilekit.graph.writer import write
from mobilekit.runtime import Interpreter


def images(count: int = 8) -> list[np.ndarray]:
    return [np.random.default_rng(seed).random((1, 16, 16, 3), dtype=np.float32) for seed in range(count)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU6(), nn.Conv2d(8, 8, 3, 1, 1, groups=8), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(8, 5),
    ).eval()  # fmt: skip
    path = tmp_path_factory.mktemp("tflite")
    mobilekit.convert(model, torch.rand(1, 3, 16, 16)).save(path / "net.tflite")
    mobilekit.convert(model, torch.rand(1, 3, 16, 16), quantize="fp16").save(path / "half.tflite")
    return path


@pytest.mark.parametrize("name", ["net", "half"])
def test_it_computes_what_the_file_computes(folder: Path, name: str) -> None:
    result = mobilekit.convert(folder / f"{name}.tflite")
    assert result.report.backend == "tflite"
    assert result.report.verification is not None
    assert result.report.verification.reference.endswith("the file itself")
    image = images(1)[0]
    expected = Interpreter((folder / f"{name}.tflite").read_bytes()).run([image])[0]
    # The same ops in the same runtime.
    np.testing.assert_array_equal(result(image), expected)
    assert result.sidecar.inputs[0].order == (0, 1, 2, 3)


@pytest.mark.parametrize("name", ["net", "half"])
def test_int8(folder: Path, name: str) -> None:
    report = mobilekit.convert(folder / f"{name}.tflite", quantize="int8", calibration=images()).report
    assert report.full_integer
    assert report.verification is not None
    # A shallow net: 8 bits give 30 dB and more; under 20 something would be wrong.
    assert report.verification.outputs[0].sqnr_db > 20


def test_a_quantized_file_is_refused(folder: Path, tmp_path: Path) -> None:
    mobilekit.convert(folder / "net.tflite", quantize="int8", calibration=images()).save(tmp_path / "int8.tflite")
    with pytest.raises(ModelLoadError, match=r"int8\.tflite' is quantized already \(.* reads int8\): give the float"):
        mobilekit.convert(tmp_path / "int8.tflite", quantize="int8", calibration=images())


def test_no_backend_can_be_chosen(folder: Path) -> None:
    with pytest.raises(BackendError, match=r"backend 'direct' cannot be chosen for 'net': it is a file of tflite"):
        mobilekit.convert(folder / "net.tflite", backend="direct")


def test_a_wrong_example_is_named(folder: Path) -> None:
    with pytest.raises(InputError, match=r"is \[1, 16, 16, 3\], the example is \[1, 3, 16, 16\]"):
        mobilekit.convert(folder / "net.tflite", np.zeros((1, 3, 16, 16), np.float32))


def test_a_damaged_file_is_one_error(folder: Path, tmp_path: Path) -> None:
    data = (folder / "net.tflite").read_bytes()
    path = tmp_path / "half_of_it.tflite"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ModelLoadError, match="is damaged or truncated"):
        mobilekit.convert(path)


def open_graph() -> Graph:
    """y[n, 12] = RELU(RESHAPE(x[n, ?, 3], PACK(SHAPE(x)[0], 12))) with n, and the middle axis, left open."""
    x = Tensor("x", (1, 1, 3), "float32", shape_signature=(-1, -1, 3))
    shape, batch = Tensor("shape", (3,), "int32"), Tensor("batch", (), "int32")
    target, flat = Tensor("target", (2,), "int32"), Tensor("flat", (1, 12), "float32", shape_signature=(-1, 12))
    y = Tensor("y", (1, 12), "float32", shape_signature=(-1, 12))

    def constant(name: str, values: list[int] | int) -> Tensor:
        data = np.array(values, np.int32)
        return Tensor(name, data.shape, "int32", data)

    ops = [
        Op("SHAPE", [x], [shape], {"out_type": 2}),
        Op("GATHER", [shape, constant("zero", 0)], [batch], {"axis": 0}),
        Op("PACK", [batch, constant("twelve", 12)], [target], {"values_count": 2, "axis": 0}),
        Op("RESHAPE", [x, target], [flat]),
        Op("RELU", [flat], [y]),
    ]
    return Graph(inputs=[x], outputs=[y], ops=ops)


def test_open_sizes_are_settled_by_the_example(tmp_path: Path) -> None:
    path = tmp_path / "open.tflite"
    path.write_bytes(write(open_graph()))
    with pytest.raises(InputError, match=r"input 'x' has open dimensions \[\?, \?, 3\]: give example_inputs"):
        mobilekit.convert(path)
    example = np.random.default_rng(0).standard_normal((2, 4, 3)).astype(np.float32)
    result = mobilekit.convert(path, example)
    assert result.report.op_counts == {"RELU": 1, "RESHAPE": 1}
    assert all(tensor.shape_signature is None for tensor in read(result.bytes).tensors())
    np.testing.assert_array_equal(result(example), np.maximum(example, 0).reshape(2, 12))


def test_settling_keeps_the_numbers() -> None:
    graph, example = read(write(open_graph())), np.ones((3, 4, 3), np.float32)
    settle(graph, [example])
    assert "SHAPE" not in graph.op_counts()
    run_passes(graph)
    assert graph.outputs[0].shape == (3, 12)
    np.testing.assert_array_equal(Interpreter(write(graph)).run([example])[0], np.ones((3, 12), np.float32))


def test_a_file_that_does_not_run_is_named(tmp_path: Path) -> None:
    x, y = Tensor("x", (1, 2), "float32"), Tensor("y", (1, 2), "float32")
    op = Op("CUSTOM", [x], [y], custom_code="FlexErf")
    path = tmp_path / "flex.tflite"
    path.write_bytes(write(Graph(inputs=[x], outputs=[y], ops=[op])))
    with pytest.raises(ModelLoadError, match=r"'.*flex\.tflite' does not run: .*(Flex|custom)"):
        from_tflite(path)
