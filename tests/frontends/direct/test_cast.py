"""Dtypes in, out and between."""

from __future__ import annotations

import pytest
import torch

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, integers, random

# Held as float32: the answer is PyTorch's to the precision of the dtype (10 bits and 7 bits of fraction).
_FLOATS = {torch.float16: 2e-3, torch.bfloat16: 2e-2}


@pytest.mark.parametrize("dtype", _FLOATS, ids=str)
def test_other_floats_in_and_out(dtype: torch.dtype) -> None:
    check_lowering(
        lambda x: (x * 2, x + x, x.sum(), x.exp(), x > 0, x.float(), x.int(), x.reshape(-1), x / 3, x),
        random(2, 3, 4).to(dtype),
        tolerance=_FLOATS[dtype],
        delegate="both",
    )


@pytest.mark.parametrize("dtype", _FLOATS, ids=str)
def test_to_other_floats_and_back(dtype: torch.dtype) -> None:
    check_lowering(lambda x: (x.to(dtype), x.to(dtype).float() * 3), random(2, 3), tolerance=_FLOATS[dtype])


def test_rounding_to_half_is_exact() -> None:
    check_lowering(lambda x: x.half().float() * 1024, random(64), tolerance=0.0, delegate="both")


def test_half_weights() -> None:
    torch.manual_seed(0)
    check_lowering(torch.nn.Linear(4, 3).half(), random(2, 4).half(), tolerance=2e-3)


def test_floats_to_integers_truncate() -> None:
    check_lowering(
        lambda x: (x.long(), x.int(), (x * 9).to(torch.int16), x.to(torch.int8),
            (x.abs() * 9).to(torch.uint8), x.bool()),
        torch.tensor([-1.9, -0.5, 0.0, 0.3, 1.9, 2.5]),
        delegate="both",
    )  # fmt: skip


def test_integers_to_narrow_ones_wrap() -> None:
    numbers = torch.tensor([300, -200, 70000, 128, 255, 256, -1, 0])
    check_lowering(
        lambda x: (x.to(torch.int8), x.to(torch.uint8), x.to(torch.int16), x.float(), x.half(), x.bool(), x.int()),
        torch.where(numbers > 60000, 60000, numbers),
        delegate="both",
    )


def test_truth_values_to_numbers() -> None:
    check_lowering(lambda x: (x.float(), x.int(), x.to(torch.uint8), x.half(), x.long()), random(3, 4) > 0)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64, torch.bool], ids=str)
def test_every_dtype_in_and_out(dtype: torch.dtype) -> None:
    check_lowering(
        lambda x: (x.float() / 2, x.T, x.reshape(-1), x[:, 1], torch.cat([x, x]), x[:, :2].contiguous()),
        integers(3, 4, high=2 if dtype == torch.bool else 100).to(dtype),
        delegate="both",
    )


def test_to_another_tensors_dtype() -> None:
    check_lowering(
        lambda x, i: (x.type_as(i), i.type_as(x), x.to(i), i.to(x), i.to("cpu"), x.type(torch.int32)),
        random(3),
        integers(3, high=9),
    )


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match="carry the real and the imaginary part as two tensors"):
        check_lowering(lambda x: torch.fft.rfft(x).abs(), random(8))


def test_an_integer_beyond_int32_is_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match="does not fit int32"):
        check_lowering(lambda i: i < 2**40, integers(3, high=9))
    with pytest.raises(UnsupportedOpsError, match="integers outside int32"):
        check_lowering(lambda i: i + torch.tensor([2**40]), integers(3, high=9))


def test_float64_between_is_computed_in_float32() -> None:
    # Cut to float32's 23 bits; float64 at an edge of the model is refused (test_admission.py).
    check_lowering(lambda x: ((x.double() * 2).exp() / 3).float(), random(2, 3, 4), tolerance=1e-6)
