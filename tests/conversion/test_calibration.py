"""Calibration data in the forms that people have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

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
