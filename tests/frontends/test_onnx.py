"""ONNX files as a way in, compared with ONNX Runtime."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mobilekit
from mobilekit.errors import InputError, ModelLoadError

onnx = pytest.importorskip("onnx", reason="needs mobilekit[onnx]")
onnxruntime = pytest.importorskip("onnxruntime", reason="needs mobilekit[onnx]")
pytest.importorskip("onnx2torch", reason="needs mobilekit[onnx]")


class Net(nn.Module):
    """With what makes ONNX files awkward: a reshape by computed shape, a resize, a slice, a split."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.conv(x))
        x = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
        left, right = torch.split(x, [3, 5], 1)
        x = torch.cat([right[:, :, 1:-1, 1:-1], left[:, :, 1:-1, 1:-1]], 1)
        return x.reshape(x.shape[0], x.shape[1], -1).mean(2)


def export(path: Path, opset: int, dynamic: bool = False) -> Path:
    torch.manual_seed(0)
    axes: Any = {"image": {0: "n", 2: "h", 3: "w"}} if dynamic else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            Net().eval(), (torch.rand(1, 3, 16, 16),), str(path), input_names=["image"], output_names=["scores"],
            opset_version=opset, dynamic_axes=axes, dynamo=False,
        )  # fmt: skip
    return path


@pytest.mark.parametrize("opset", [11, 13, 17, 18, 20])
def test_a_file_equals_onnx_runtime(tmp_path: Path, opset: int) -> None:
    path = export(tmp_path / "net.onnx", opset)
    result = mobilekit.convert(path)
    assert result.report.backend == "direct"
    assert result.report.verification is not None
    assert result.report.verification.reference.startswith("onnxruntime")
    image = np.random.default_rng(0).random((1, 3, 16, 16), dtype=np.float32)
    expected = onnxruntime.InferenceSession(str(path)).run(None, {"image": image})[0]
    # float32 sums in another order: units in the last place.
    np.testing.assert_allclose(result(image), expected, rtol=0, atol=1e-5)


def test_open_dimensions_need_an_example(tmp_path: Path) -> None:
    path = export(tmp_path / "net.onnx", 17, dynamic=True)
    with pytest.raises(
        InputError, match=r"input 'image' has open dimensions \['n', 3, 'h', 'w'\]: give example_inputs"
    ):
        mobilekit.convert(path)
    result = mobilekit.convert(path, torch.rand(1, 3, 24, 24))
    assert result.sidecar.inputs[0].model_shape == (1, 3, 24, 24)


def test_int8_from_onnx(tmp_path: Path) -> None:
    path = export(tmp_path / "net.onnx", 17)
    images = [np.random.default_rng(seed).random((1, 3, 16, 16), dtype=np.float32) for seed in range(4)]
    report = mobilekit.convert(path, quantize="int8", calibration=images).report
    assert report.full_integer
    assert report.verification is not None
    # A shallow net: 8 bits give 30 dB and more; under 20 something would be wrong.
    assert report.verification.outputs[0].sqnr_db > 20


@pytest.mark.parametrize(
    ("damage", "message"),
    [("empty", "is empty"), ("text", "is no usable ONNX model"), ("truncated", "is no usable ONNX model")],
)
def test_a_damaged_file_is_one_error(tmp_path: Path, damage: str, message: str) -> None:
    path = export(tmp_path / "net.onnx", 17)
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"hello", "truncated": data[: len(data) // 2]}[damage])
    with pytest.raises(ModelLoadError, match=message):
        mobilekit.convert(path)


def test_missing_external_data_is_named(tmp_path: Path) -> None:
    path = export(tmp_path / "net.onnx", 17)
    model = onnx.load(str(path))
    onnx.save(model, str(path), save_as_external_data=True, location="weights.bin", size_threshold=0)
    assert mobilekit.convert(path).report.verification is not None
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(ModelLoadError, match=r"weights\.bin"):
        mobilekit.convert(path)


def test_a_domain_of_its_own_is_named(tmp_path: Path) -> None:
    path = export(tmp_path / "net.onnx", 17)
    model = onnx.load(str(path))
    model.graph.node[0].domain = "my.company"
    model.opset_import.append(onnx.helper.make_opsetid("my.company", 1))
    onnx.save(model, str(path))
    with pytest.raises(ModelLoadError, match=r"my\.company"):
        mobilekit.convert(path)


def from_tensorflow(opset: int) -> onnx.ModelProto:
    """What tf2onnx writes: NHWC outside and transposes around the ops, a reshape by computed shape, axes as inputs."""
    rng = np.random.default_rng(0)
    constants = {
        "w": rng.standard_normal((4, 3, 3, 3)).astype(np.float32), "b": np.ones(4, np.float32),
        "sizes": np.array([1, 4, 8, 8]), "zero": np.array(0), "batch_axis": np.array([0]), "axis": np.array([1]),
        "rest": np.array([-1]),
    }  # fmt: skip
    node = onnx.helper.make_node
    nodes = [
        node("Transpose", ["x"], ["nchw"], perm=[0, 3, 1, 2]),
        node("Conv", ["nchw", "w", "b"], ["conv"], kernel_shape=[3, 3], strides=[2, 2], pads=[0, 0, 1, 1]),
        node("Relu", ["conv"], ["relu"]),
        node(
            "Resize", ["relu", "", "", "sizes"], ["wide"], mode="nearest",
            coordinate_transformation_mode="asymmetric", nearest_mode="floor",
        ),
        node("Transpose", ["wide"], ["nhwc"], perm=[0, 2, 3, 1]),
        node("Shape", ["nhwc"], ["shape"]),
        node("Gather", ["shape", "zero"], ["count"], axis=0),
        node("Unsqueeze", ["count", "batch_axis"], ["counts"]),
        node("Concat", ["counts", "rest"], ["target"], axis=0),
        node("Reshape", ["nhwc", "target"], ["flat"]),
        node("ReduceMax", ["flat", "axis"], ["top"], keepdims=1),
        node("Squeeze", ["top", "axis"], ["y"]),
    ]  # fmt: skip
    value = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        nodes, "tf", [value("x", 1, [1, 8, 8, 3])], [value("y", 1, [1])],
        [onnx.numpy_helper.from_array(array, name) for name, array in constants.items()],
    )  # fmt: skip
    return onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=9)


@pytest.mark.parametrize("opset", [18, 21, 22])
def test_what_tensorflow_exports(tmp_path: Path, opset: int) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(from_tensorflow(opset), str(path))
    result = mobilekit.convert(path)
    assert result.report.backend == "direct"
    assert result.report.transposes == ()
    image = np.random.default_rng(1).random((1, 8, 8, 3), dtype=np.float32)
    expected = onnxruntime.InferenceSession(str(path)).run(None, {"x": image})[0]
    # float32 sums in another order: units in the last place.
    np.testing.assert_allclose(result(image), expected, rtol=0, atol=1e-5)


def test_an_unknown_opset_is_named(tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save(from_tensorflow(99), str(path))
    with pytest.raises(ModelLoadError, match=r"(?i)opset.*99|99.*opset"):
        mobilekit.convert(path)
