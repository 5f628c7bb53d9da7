"""Calibration data in the forms that people have it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import mobilekit
from mobilekit.conversion.calibration import calls, synthetic
from mobilekit.errors import CalibrationError
from mobilekit.frontends.source import TensorSignature


def spec(name: str, *shape: int, dtype: str = "float32") -> TensorSignature:
    return TensorSignature(name, shape, dtype, 0)


ONE = [spec("x", 1, 3)]
TWO = [spec("x", 1, 3), spec("ids", 1, 2, dtype="int64")]
IDS = torch.zeros(1, 2, dtype=torch.int64)


@pytest.mark.parametrize(
    ("items", "inputs", "count"),
    [
        ([torch.ones(1, 3)], ONE, 1),
        ([np.ones((1, 3), np.float32)], ONE, 1),
        ([torch.ones(3)], ONE, 1),
        ([torch.ones(4, 3)], ONE, 4),
        ([(torch.ones(2, 3), "label")], ONE, 2),
        ([[torch.ones(1, 3), IDS]], TWO, 1),
        ([{"ids": IDS, "x": torch.ones(1, 3), "other": 1}], TWO, 1),
        (np.ones((5, 3), np.float32), ONE, 5),
        ([torch.ones(1, 3, dtype=torch.float64)], ONE, 1),
        ([torch.ones(3)] * 9, [spec("x", 4, 3)], 2),
        ([torch.ones(6, 3), torch.ones(2, 3)], [spec("x", 4, 3)], 2),
        ((torch.ones(1, 3) for _ in range(3)), ONE, 3),
        (DataLoader(TensorDataset(torch.ones(5, 3), torch.zeros(5)), batch_size=2), ONE, 5),
    ],
)
def test_forms(items: Any, inputs: list[TensorSignature], count: int) -> None:
    found = list(calls(items, inputs))
    assert len(found) == count
    for call in found:
        assert [tuple(tensor.shape) for tensor in call] == [s.shape for s in inputs]
        assert [str(tensor.dtype) for tensor in call] == [f"torch.{s.dtype}" for s in inputs]


@pytest.mark.parametrize(
    ("items", "inputs", "text"),
    [
        ([], ONE, "the calibration data is empty"),
        ([torch.ones(1, 4)], ONE, "item 0: 'x' has shape [1, 4], the model takes [1, 3]"),
        ([torch.ones(1, 3), torch.full((1, 3), float("inf"))], ONE, "item 1: 'x' holds NaN or Inf"),
        ([torch.ones(1, 3)], TWO, "item 0 has 1 inputs, the model takes 2"),
        ([{"x": torch.ones(1, 3)}], TWO, "item 0 has no input 'ids'"),
        ([torch.ones(1, 3, dtype=torch.int64)], ONE, "item 0: 'x' is torch.int64, the model takes torch.float32"),
        ([torch.ones(2, 3)], [spec("x", 4, 3)], "a batch of 2, the model was captured with a batch of 4"),
        ([torch.ones(1, 3), "text"], ONE, "item 1: 'x' is a str, not a tensor or array"),
        ({"x": torch.ones(1, 3)}, ONE, "item 0: 'x' is a str, not a tensor or array"),
    ],
)
def test_what_cannot_be_used_is_named(items: Any, inputs: list[TensorSignature], text: str) -> None:
    with pytest.raises(CalibrationError) as caught:
        list(calls(items, inputs))
    assert text in str(caught.value)


def test_synthetic_data_is_the_example_and_seeded_noise_in_its_range() -> None:
    example = (torch.tensor([[0.0, 1.0, 3.0]]), IDS)
    first, second = synthetic(example), synthetic(example)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(first, second, strict=True))
    assert torch.equal(first[0][0], example[0])
    assert all(float(call[0].min()) >= 0 and float(call[0].max()) <= 3 for call in first)
    assert all(torch.equal(call[1], IDS) for call in first)


def test_batches_are_put_together_in_order() -> None:
    items = [torch.full((1, 3), float(number)) for number in range(5)]
    (call,) = [call[0] for call in calls(items, [spec("x", 4, 3)])]
    assert call[:, 0].tolist() == [0, 1, 2, 3]


class Two(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = torch.nn.Linear(3, 2)

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
        return self.linear(x) * scale


def _rows() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).normal(size=(12, 3)).astype(np.float32)


def _npy(folder: Path) -> Any:
    np.save(folder / "x.npy", _rows())
    return folder / "x.npy"


def _npz(folder: Path) -> Any:
    np.savez_compressed(folder / "x.npz", images=_rows())
    return str(folder / "x.npz")


def _folder(folder: Path) -> Any:
    for number, row in enumerate(_rows()):
        np.save(folder / f"{number:02}.npy", row)
    return folder


FORMS = {
    "npy": _npy,
    "npz": _npz,
    "folder": _folder,
    "DataLoader": lambda folder: DataLoader(TensorDataset(torch.from_numpy(_rows()), torch.zeros(12)), batch_size=5),
    "generator": lambda folder: (torch.from_numpy(row[None]) for row in _rows()),
    "function": lambda folder: lambda: ([row[None]] for row in _rows()),
    "array": lambda folder: _rows(),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_file(form: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2)).eval()
    example = torch.zeros(1, 3)
    wanted = mobilekit.convert(model, example, quantize="int8", calibration=list(torch.from_numpy(_rows()[:, None])))
    result = mobilekit.convert(model, example, quantize="int8", calibration=FORMS[form](tmp_path))
    assert result.bytes == wanted.bytes
    assert result.report.calibration_samples == 12


def test_several_inputs_come_from_one_npz_by_name(tmp_path: Path) -> None:
    torch.manual_seed(0)
    scales = np.linspace(0.5, 1, 12, dtype=np.float32)[:, None]
    np.savez(tmp_path / "data.npz", scale=scales, x=_rows())
    example = (torch.zeros(1, 3), torch.ones(1, 1))
    result = mobilekit.convert(Two().eval(), example, quantize="int8", calibration=tmp_path / "data.npz")
    assert result.report.calibration_samples == 12
    assert mobilekit.quantize.debug(result, tmp_path / "data.npz").layers


def test_what_is_no_data_at_all() -> None:
    with pytest.raises(
        CalibrationError, match="an object of type 'int' is no calibration data: give an iterable of inputs"
    ):
        mobilekit.convert(Two().eval(), (torch.zeros(1, 3), torch.ones(1, 1)), quantize="int8", calibration=5)  # type: ignore[arg-type]


def test_a_generator_that_is_used_up_is_not_tried_on_another_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the first backend got wrong is the error, not that nothing was left for the second."""
    from mobilekit.conversion import pipeline
    from mobilekit.errors import VerificationError

    tried: list[str] = []

    def fails(source: Any, backend: str, recipe: Any, wanted: Any, calibration: Any, *rest: Any) -> Any:
        tried.append(backend)
        assert list(calibration), "nothing is left"
        raise VerificationError("off")

    monkeypatch.setattr(pipeline, "_convert", fails)
    monkeypatch.setattr(pipeline, "for_source", lambda *_: ["direct", "litert"])
    for data, backends in (((torch.zeros(1, 3) for _ in range(2)), 1), ([torch.zeros(1, 3)], 2)):
        tried.clear()
        with pytest.raises(VerificationError, match="off"):
            mobilekit.convert(torch.nn.Linear(3, 2).eval(), torch.zeros(1, 3), quantize="int8", calibration=data)
        assert len(tried) == backends
