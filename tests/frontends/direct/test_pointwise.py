"""Functions of one operand, on floats, integers and both kernels' sets."""

from __future__ import annotations

import math

import pytest
import torch

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, integers, random

_ANYWHERE = (
    "abs angle asinh atan ceil cos cosh deg2rad erf erfc exp exp2 expm1 floor frac isfinite isinf isnan isneginf "
    "isposinf logit nan_to_num neg positive rad2deg reciprocal round sgn sigmoid sign signbit sin sinc sinh square "
    "tan trunc"
).split()
_ABOVE_ONE = "acosh log log10 log1p log2 rsqrt sqrt".split()
_INSIDE_ONE = "acos asin atanh".split()
_ON_INTEGERS = "abs bitwise_not ceil exp floor isfinite isnan logical_not neg round sign sin sqrt square trunc".split()


@pytest.mark.parametrize("name", _ANYWHERE)
def test_function_of_floats(name: str) -> None:
    check_lowering(getattr(torch, name), random(2, 3, 4), delegate="both")


@pytest.mark.parametrize("name", _ABOVE_ONE)
def test_function_of_numbers_above_one(name: str) -> None:
    check_lowering(getattr(torch, name), random(2, 3, low=1.01, high=9), delegate="both")


@pytest.mark.parametrize("name", _INSIDE_ONE)
def test_function_of_numbers_inside_one(name: str) -> None:
    check_lowering(getattr(torch, name), random(2, 3, low=-0.99, high=0.99), delegate="both")


@pytest.mark.parametrize("name", _ON_INTEGERS)
def test_function_of_integers(name: str) -> None:
    """Of all widths: floats come out where PyTorch makes them, and 8 bits wrap (-(-128) is -128)."""
    function = getattr(torch, name)
    small = torch.tensor([0, 1, 5, 100, 127], dtype=torch.int8)
    negative = small if name == "sqrt" else torch.tensor([-128, -1, 0, 1, 127], dtype=torch.int8)
    numbers = [small.long(), small.int(), negative, small.to(torch.uint8), small.to(torch.int16)]
    check_lowering(lambda *tensors: [function(t) for t in tensors], *numbers, delegate="both", tolerance=2e-5)


def test_round_takes_halves_to_even() -> None:
    halves = torch.tensor([0.5, 1.5, 2.5, 3.5, -0.5, -1.5, -2.5, 1e10, -1e10])
    check_lowering(torch.round, halves, delegate="both")


def test_round_to_decimals() -> None:
    check_lowering(lambda x: (x.round(decimals=2), (x * 100).round(decimals=-1), x.round(decimals=0)), random(3, 5))


def test_trunc_of_numbers_beyond_int32() -> None:
    check_lowering(torch.trunc, torch.tensor([1e10, -1e10, 2.7, -2.7, 0.0]), delegate="both")


def test_erf_at_its_ends() -> None:
    ends = torch.tensor([0.0, -0.0, 1e-6, 5.9, 7.0, -7.0, 100.0, math.inf, -math.inf])
    check_lowering(lambda x: (torch.erf(x), torch.erfc(x)), ends, delegate="both")


def test_area_functions_of_large_numbers() -> None:
    """Their squares do not fit float32."""
    check_lowering(
        lambda x: (x.asinh(), (-x).asinh(), x.acosh()), torch.tensor([1.0, 4096.0, 2e9, 1e30]), delegate="both"
    )


def test_numbers_that_are_none() -> None:
    strange = torch.tensor([math.nan, math.inf, -math.inf, 1.0, 0.0])
    check_lowering(
        lambda x: (
            x.isnan(),
            x.isinf(),
            x.isfinite(),
            x.isposinf(),
            x.isneginf(),
            x.nan_to_num(),
            x.nan_to_num(1.0, 2.0, 3.0),
        ),
        strange,
        delegate="both",
    )


@pytest.mark.parametrize("name", ["lgamma", "digamma", "erfinv", "i0"])
def test_function_without_an_exact_form_is_refused(name: str) -> None:
    with pytest.raises(UnsupportedOpsError, match="no op that this function could be composed of exactly"):
        check_lowering(getattr(torch, name), random(3))


def test_square_of_int32_wraps() -> None:
    check_lowering(lambda x: (x.square(), x**3), integers(6, low=-100_000, high=100_000, dtype=torch.int32))
