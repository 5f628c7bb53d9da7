"""Files of every origin against PyTorch: layouts are found, differences are told, mismatches are refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from mobilekit.conversion.verify_file import torch_reference, verify_file  # noqa: E402
from mobilekit.errors import CaptureError, InputError  # noqa: E402
from mobilekit.graph.ir import Graph, Op, Quantization, Tensor  # noqa: E402
from mobilekit.graph.writer import write  # noqa: E402


def _relu(shape: tuple[int, ...], quantization: Quantization | None = None) -> bytes:
    """y = relu(x) as a file."""
    dtype = "float32" if quantization is None else "int8"
    x = Tensor("x", shape, dtype, quantization=quantization)
    y = Tensor("y", shape, dtype, quantization=quantization)
    return write(Graph(inputs=[x], outputs=[y], ops=[Op("RELU", [x], [y])]))


def _verify(model: Any, data: bytes, *shapes: tuple[int, ...], **options: Any) -> Any:
    calls = [
        tuple(torch.randn(shape, generator=torch.Generator().manual_seed(i)) for shape in shapes) for i in range(3)
    ]
    return verify_file(torch_reference(model), data, calls, reference_name="torch", **options)


@pytest.mark.parametrize(
    ("file", "model"),
    [((2, 3), (2, 3)), ((1, 3, 5, 7), (1, 3, 5, 7)), ((1, 5, 7, 3), (1, 3, 5, 7)), ((1, 7, 3), (1, 3, 7))],
)
def test_layouts_are_found(file: tuple[int, ...], model: tuple[int, ...]) -> None:
    report = _verify(torch.nn.ReLU(), _relu(file), model)
    assert report.passed
    assert report.samples == 3
    assert report.outputs[0].max_abs_error == 0


def test_a_wrong_file_fails() -> None:
    report = _verify(torch.nn.Sigmoid(), _relu((2, 3)), (2, 3))
    assert not report.passed
    assert "'y' is off by" in report.failures[0]


def test_quantized_files_are_judged_by_their_noise() -> None:
    # A step of 4/127 on values of about 1: noise of step / sqrt(12), 41 dB below; clipping at 4 costs little.
    data = _relu((4, 8), Quantization.per_tensor(4 / 127))
    report = _verify(torch.nn.ReLU(), data, (4, 8))
    assert report.passed
    assert 30 < report.outputs[0].sqnr_db < 50
    assert "SQNR" in report.criterion


def test_mismatches_are_refused() -> None:
    with pytest.raises(InputError, match=r"input 0 \('x'\) is \[2, 3\] in the file and \[2, 4\] in the model"):
        _verify(torch.nn.ReLU(), _relu((2, 3)), (2, 4))
    with pytest.raises(InputError, match="the model has 2 inputs, the file has 1"):
        _verify(torch.nn.Bilinear(3, 3, 1), _relu((2, 3)), (2, 3), (2, 3))
    with pytest.raises(InputError, match=r"output 0 \('y'\) is \[2, 3\] in the file and \[2, 5\]"):
        _verify(torch.nn.Linear(3, 5), _relu((2, 3)), (2, 3))


def test_a_model_that_raises() -> None:
    with pytest.raises(CaptureError, match="the model raised RuntimeError in forward: "):
        _verify(torch.nn.Linear(4, 5), _relu((2, 3)), (2, 3))


def test_arrays_and_programs_work() -> None:
    program = torch.export.export(torch.nn.ReLU(), (torch.zeros(2, 3),))
    tensor = torch.from_numpy(np.array([[1.0, -1.0, 0.5], [2.0, 3.0, -4.0]], np.float32))
    report = verify_file(torch_reference(program), _relu((2, 3)), [(tensor,)], reference_name="torch")
    assert report.passed
