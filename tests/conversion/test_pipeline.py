"""``convert``, from the outside: what a user passes and what comes back."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import random as python_random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mobilekit
from mobilekit.conversion.converted import Converted
from mobilekit.errors import (
    BackendError,
    CalibrationError,
    CaptureError,
    InputError,
    MobilekitError,
    OutputError,
    RecipeError,
    UnsupportedOpsError,
    VerificationError,
)
from mobilekit.sidecar import Sidecar
from mobilekit.warnings import SyntheticCalibrationWarning


class Net(nn.Module):
    """Small, with everything that matters: padding, depthwise, batch norm, a residual, pooling, a classifier."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU6())
        self.depthwise = nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.head = nn.Linear(8, 5)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        x = self.stem(image)
        x = x + self.depthwise(x)
        return self.head(x.mean((2, 3)))


def make_net() -> nn.Module:
    torch.manual_seed(1)
    net = Net()
    net.stem[1].running_mean.normal_(0, 0.2)
    net.stem[1].running_var.uniform_(0.5, 1.5)
    return net.eval()


def images(count: int, seed: int = 0) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return [torch.rand((1, 3, 32, 32), generator=generator) * 2 - 1 for _ in range(count)]


def test_float_file_equals_pytorch() -> None:
    net, (image,) = make_net(), images(1)
    result = mobilekit.convert(net, image)
    report = result.report
    assert report.quantize == "none"
    assert report.calibration is None
    assert report.op_counts == {
        "CONV_2D": 1,
        "DEPTHWISE_CONV_2D": 1,
        "ADD": 1,
        "MEAN": 1,
        "FULLY_CONNECTED": 1,
        "PAD": 1,
    } | ({"RESHAPE": 1} if "RESHAPE" in report.op_counts else {})
    assert report.transposes == ()
    assert report.verification is not None
    assert report.verification.passed
    assert report.verification.outputs[0].max_abs_error <= 1e-3
    got = result(image)
    assert isinstance(got, torch.Tensor)
    assert got.dtype == torch.float32
    torch.testing.assert_close(got, net(image), rtol=0, atol=1e-5)
    as_array = result(image.numpy())
    assert isinstance(as_array, np.ndarray)
    np.testing.assert_array_equal(as_array, got.numpy())


def test_int8_is_integer_throughout_and_close() -> None:
    net = make_net()
    result = mobilekit.convert(net, images(1)[0], quantize="int8", calibration=images(16), verify=images(4, seed=9))
    report = result.report
    assert report.full_integer
    assert report.float_islands == ()
    assert (report.calibration, report.calibration_samples) == ("given", 16)
    assert report.verification is not None
    assert report.verification.data == "held-out"
    assert report.verification.samples == 4
    # Five classes of a shallow net: 8 bits give about 35 dB; 20 would mean something is wrong.
    assert report.verification.outputs[0].sqnr_db > 25
    from mobilekit.graph.reader import read

    stored = {t.dtype for t in read(result.bytes).tensors()}
    assert stored <= {"int8", "int32"}
    errors = result.layer_errors([(image,) for image in images(2)])
    assert errors
    assert all(error.sqnr_db > 15 for error in errors)


def test_float_io_of_an_int8_file() -> None:
    result = mobilekit.convert(make_net(), images(1)[0], quantize="int8", calibration=images(4), io_dtype="float32")
    assert [spec.dtype for spec in (*result.sidecar.inputs, *result.sidecar.outputs)] == ["float32", "float32"]


def test_without_calibration_it_warns_and_says_so() -> None:
    with pytest.warns(
        SyntheticCalibrationWarning, match="no calibration data: the int8 ranges are chosen on synthetic"
    ):
        result = mobilekit.convert(make_net(), images(1)[0], quantize="int8")
    assert result.report.calibration == "synthetic"
    assert "calibrated on synthetic noise: the accuracy on real inputs is unknown" in result.report.warnings


def test_without_example_inputs_they_are_inferred_and_said() -> None:
    result = mobilekit.convert(make_net())
    (origin,) = result.report.inferred_inputs
    assert origin.shape == (1, 3, 224, 224)
    assert origin.reason == "the 3 channels of 'stem.0', at an assumed 224 x 224"


def test_the_same_arguments_give_the_same_bytes_and_touch_no_generator() -> None:
    torch.manual_seed(3)
    python_random.seed(3)
    np.random.seed(3)
    states = (torch.get_rng_state(), python_random.getstate(), np.random.get_state()[1].tolist())
    net = make_net()
    torch.manual_seed(3)
    first = mobilekit.convert(net, images(1)[0], quantize="int8", calibration=images(4))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (python_random.getstate(), np.random.get_state()[1].tolist()) == states[1:]
    assert mobilekit.convert(net, images(1)[0], quantize="int8", calibration=images(4)).bytes == first.bytes


def test_save_writes_the_file_and_its_sidecar(tmp_path: Path) -> None:
    result = mobilekit.convert(make_net(), images(1)[0], output=tmp_path / "net.tflite", labels=list("abcde"))
    assert result.path == tmp_path / "net.tflite"
    assert (tmp_path / "net.tflite").read_bytes() == result.bytes
    sidecar = Sidecar.read(tmp_path / "net.json")
    assert sidecar == result.sidecar
    assert sidecar.sha256 == hashlib.sha256(result.bytes).hexdigest()
    assert sidecar.inputs[0].name == "image"
    assert (sidecar.inputs[0].shape, sidecar.inputs[0].order) == ((1, 32, 32, 3), (0, 2, 3, 1))
    assert sidecar.labels == tuple("abcde")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.json", "net.tflite"]


def test_the_report_is_json() -> None:
    from mobilekit.results import to_jsonable

    report = mobilekit.convert(make_net(), images(1)[0]).report
    document = json.loads(json.dumps(to_jsonable(report), allow_nan=False))
    assert set(document) == {field.name for field in dataclasses.fields(report)}


class Nested(nn.Module):
    def forward(self, pair: dict[str, torch.Tensor], scale: float, mask: torch.Tensor | None = None) -> Any:
        total = pair["a"] + pair["b"] * scale
        return {"sum": total, "both": [total * 2, pair["a"]], "answer": 42}


def test_nesting_comes_back_as_it_is() -> None:
    example = ({"a": torch.ones(2, 3), "b": torch.full((2, 3), 2.0)}, 0.5)
    result = mobilekit.convert(Nested().eval(), example)
    got = result(*example)
    assert set(got) == {"sum", "both", "answer"}
    assert got["answer"] == 42
    torch.testing.assert_close(got["sum"], torch.full((2, 3), 2.0))
    torch.testing.assert_close(got["both"][1], torch.ones(2, 3))


def test_labels_of_a_data_loader_are_ignored_and_batches_cut() -> None:
    dataset = torch.utils.data.TensorDataset(torch.cat(images(8)), torch.zeros(8, dtype=torch.long))
    loader = torch.utils.data.DataLoader(dataset, batch_size=4)
    result = mobilekit.convert(make_net(), images(1)[0], quantize="int8", calibration=loader)
    assert result.report.calibration_samples == 8


class Wrong(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.linalg.qr(torch.erfinv(x))[0]


class Raises(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        raise KeyError("no such layer")


def test_every_unsupported_op_is_named_with_the_users_line() -> None:
    with pytest.raises(UnsupportedOpsError) as caught:
        mobilekit.convert(Wrong().eval(), torch.rand(3, 3))
    text = str(caught.value)
    assert "aten.erfinv.default" in text
    assert "aten.linalg_qr.default" in text
    assert text.count("test_pipeline.py") == 2
    assert "torch.linalg.qr(torch.erfinv(x))" in text


NAN = torch.full((1, 3, 32, 32), float("nan"))

BAD_INPUT: list[tuple[str, dict[str, Any], type[MobilekitError], str]] = [
    ("training", {"model": make_net().train()}, InputError, "training mode"),
    ("no model", {"model": 7}, InputError, "a int is no model"),
    (
        "raises",
        {"model": Raises().eval()},
        CaptureError,
        "the model raises in forward with float32[1, 3, 32, 32]: KeyError",
    ),
    ("wrong shape", {"example_inputs": torch.rand(1, 4, 32, 32)}, CaptureError, "the model raises in forward"),
    ("backend", {"backend": "magic"}, BackendError, "backend 'magic' is not known"),
    ("recipe", {"quantize": "int7"}, RecipeError, "no recipe is called 'int7'; known are"),
    ("io without quantize", {"io_dtype": "int8"}, InputError, "needs quantize="),
    ("empty", {"quantize": "int8", "calibration": []}, CalibrationError, "the calibration data is empty"),
    ("nan", {"quantize": "int8", "calibration": [NAN]}, CalibrationError, "item 0: 'image' holds NaN or Inf"),
    (
        "calibration shape",
        {"quantize": "int8", "calibration": [torch.rand(1, 3, 16, 16)]},
        CalibrationError,
        "item 0: 'image' has shape [1, 3, 16, 16], the model takes [1, 3, 32, 32]",
    ),
    ("calibration type", {"quantize": "int8", "calibration": ["a"]}, CalibrationError, "is a str, not a tensor"),
]


@pytest.mark.parametrize(
    ("arguments", "error", "text"), [row[1:] for row in BAD_INPUT], ids=[row[0] for row in BAD_INPUT]
)
def test_bad_input_is_one_clear_error_and_leaves_nothing(
    arguments: dict[str, Any], error: type[MobilekitError], text: str, tmp_path: Path
) -> None:
    call = {"model": make_net(), "example_inputs": images(1)[0], "output": tmp_path / "net.tflite"} | arguments
    with pytest.raises(error) as caught:
        mobilekit.convert(**call)
    assert text in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_name_that_is_the_sidecars_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is where the sidecar would go"):
        mobilekit.convert(make_net(), images(1)[0]).save(tmp_path / "net.json")


def test_output_that_cannot_be_written_fails_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="it is a folder"):
        mobilekit.convert(Raises().eval(), images(1)[0], output=tmp_path)


def test_wrong_numbers_are_an_error_and_no_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Break a lowering: verification must see it."""
    from mobilekit.conversion import pipeline

    honest = pipeline.write

    def lying(graph: Any) -> bytes:
        for op in graph.ops:
            op.options.pop("fused_activation_function", None)
        return honest(graph)

    monkeypatch.setattr(pipeline, "write", lying)
    with pytest.raises(
        VerificationError, match="the file does not compute what the model computes: 'output' is off by"
    ):
        mobilekit.convert(make_net(), images(1)[0], output=tmp_path / "net.tflite")
    assert list(tmp_path.iterdir()) == []


def test_calling_with_another_form_is_an_error() -> None:
    result: Converted = mobilekit.convert(make_net(), images(1)[0])
    with pytest.raises(InputError, match=r"input 'image' has shape \[1, 3, 16, 16\], the model takes \[1, 3, 32, 32\]"):
        result(torch.rand(1, 3, 16, 16))
    with pytest.raises(InputError, match="the model takes 1 input"):
        result(torch.rand(1, 3, 32, 32), torch.rand(1))
    with pytest.raises(InputError, match="is int64, the model takes float32"):
        result(torch.ones(1, 3, 32, 32, dtype=torch.int64))


def test_calibration_from_a_folder_of_pictures(tmp_path: Path) -> None:
    from PIL import Image

    from mobilekit.sidecar import PreprocessSpec

    for seed in range(3):
        pixels = np.random.default_rng(seed).integers(0, 256, (40, 48, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{seed}.png")
    spec = PreprocessSpec(height=32, width=32, mean=(127.5,) * 3, std=(127.5,) * 3)
    result = mobilekit.convert(make_net(), images(1)[0], quantize="int8", calibration=tmp_path, preprocess=spec)
    assert result.report.calibration_samples == 3
    assert result.sidecar.preprocess == spec
    with pytest.raises(MobilekitError, match="preprocess"):
        mobilekit.convert(make_net(), images(1)[0], quantize="int8", calibration=str(tmp_path))
