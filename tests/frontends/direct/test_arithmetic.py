"""Arithmetic on two operands: broadcasting, promotion, signs, and orders that meet."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last

_FLOATS = "add sub mul div remainder fmod floor_divide maximum minimum atan2 hypot copysign fmax fmin".split()
_INTEGERS = "add sub mul div remainder fmod floor_divide maximum minimum atan2 copysign".split()
_DTYPES = [
    torch.float32, torch.float16, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool,
]  # fmt: skip


@pytest.mark.parametrize("name", _FLOATS)
def test_floats(name: str) -> None:
    check_lowering(getattr(torch, name), random(2, 3, 4, low=-9, high=9), random(3, 1, seed=1), delegate="both")


@pytest.mark.parametrize("name", _INTEGERS)
def test_integers_of_both_signs(name: str) -> None:
    divisors = torch.tensor([[1], [-2], [3]])
    for dtype in (torch.int64, torch.int8):
        numbers = integers(2, 3, 4, low=-7, high=8, dtype=dtype)
        check_lowering(getattr(torch, name), numbers, divisors.to(dtype), delegate="both")


@pytest.mark.parametrize("name", ["add", "sub", "mul", "maximum", "minimum"])
def test_bytes_wrap(name: str) -> None:
    numbers = integers(4, 5, high=256, dtype=torch.uint8)
    check_lowering(getattr(torch, name), numbers, numbers.flip(0), delegate="both")


@pytest.mark.parametrize("mode", ["floor", "trunc", None])
def test_rounding_modes(mode: str | None) -> None:
    numbers, divisors = random(4, 6, low=-20, high=20), random(4, 1, seed=1, low=0.3, high=3)
    whole, parts = integers(4, 6, low=-20, high=20), torch.tensor([[3], [-3], [7], [-1]])
    check_lowering(
        lambda x, y, i, j: (
            torch.div(x, y, rounding_mode=mode),
            torch.div(x, -0.1, rounding_mode=mode),
            torch.div(x, 2.0, rounding_mode=mode),
            torch.div(i, j, rounding_mode=mode),
            torch.div(i, 3, rounding_mode=mode),
        ),
        numbers,
        divisors,
        whole,
        parts,
        delegate="both",
    )


def test_floor_division_is_pytorchs() -> None:
    """1.0 // 0.1 is 9: 0.1 is a little more than a tenth. floor(1.0 / 0.1) would be 10."""
    numbers = torch.tensor([1.0, -1.0, 5.0, -5.0, 6.0, 0.0])
    divisors = torch.tensor([0.1, 0.1, -3.0, 3.0, 2.0, 4.0])
    check_lowering(lambda x, y: (x // y, x // 0.1, x % y, torch.fmod(x, y)), numbers, divisors, delegate="both")


def test_powers() -> None:
    check_lowering(
        lambda x: (
            x**0, x**1, x**2, x**3, x**4, x**-1, x**-2, x.abs() ** 0.5, (x.abs() + 1) ** -0.5, x.abs() ** 1.7, 2**x,
            x.abs() ** x,
        ),
        random(3, 4),
        delegate="both",
        tolerance=2e-5,
    )  # fmt: skip
    check_lowering(lambda i: (i**0, i**2, i**5, i**2.0, 2.0**i), integers(3, 4, low=-7, high=8))


@pytest.mark.parametrize("number", [2, 2.5, True])
@pytest.mark.parametrize("dtype", _DTYPES, ids=str)
def test_number_and_tensor_promote_as_in_pytorch(dtype: torch.dtype, number: Any) -> None:
    tensor = integers(2, 3, high=2 if dtype == torch.bool else 9).to(dtype)
    check_lowering(lambda x: (x + number, number * x, x / number, x == number, x > number), tensor, tolerance=1e-3)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(first=st.sampled_from(_DTYPES), second=st.sampled_from(_DTYPES), scalar=st.booleans())
def test_tensors_promote_as_in_pytorch(first: torch.dtype, second: torch.dtype, scalar: bool) -> None:
    """A 0-d tensor only counts by its category."""
    x = integers(2, 3, high=2, low=0).to(first)
    y = (torch.tensor(1) if scalar else integers(3, high=2, seed=1)).to(second)
    check_lowering(lambda x, y: (x + y, x * y, torch.where(x > y, x, y), x == y), x, y, tolerance=1e-3)


@st.composite
def _broadcasting(draw: st.DrawFn) -> tuple[list[int], list[int]]:
    """Two shapes up to rank 6 that broadcast: axes of one, and missing leading axes."""
    full = draw(st.lists(st.integers(1, 3), min_size=0, max_size=6))
    shapes = []
    for _ in range(2):
        kept = [draw(st.sampled_from([size, 1])) for size in full]
        shapes.append(kept[draw(st.integers(0, len(kept))) :])
    return shapes[0], shapes[1]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(_broadcasting())
def test_broadcasting(shapes: tuple[list[int], list[int]]) -> None:
    x, y = random(*shapes[0]), random(*shapes[1], seed=1)
    check_lowering(lambda x, y: (x + y, x * y, x > y, torch.maximum(x, y), torch.where(x > y, x, y)), x, y)


@pytest.mark.parametrize(
    "function",
    [
        lambda x, row: x + row,
        lambda x, row: x * row[:, None, None],
        lambda x, row: x - x.mean((2, 3), keepdim=True),
        lambda x, row: x / (x.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2) + 9),
        lambda x, row: x + x.transpose(2, 3),
        lambda x, row: torch.where(x > row, x, row),
    ],
)
def test_operands_stored_in_different_orders(function: Callable[..., torch.Tensor]) -> None:
    check_lowering(stored_channels_last(function), random(2, 4, 4, 4), random(4, seed=1), delegate="both")


def test_a_channel_bias_needs_no_transpose() -> None:
    outcome = check_lowering(stored_channels_last(lambda x, y: x * y), random(1, 4, 5, 5), random(4, 1, 1))
    assert "TRANSPOSE" not in outcome.kinds


def test_numbers_of_rank_zero() -> None:
    check_lowering(
        lambda x, s, k: (x * s, s + 1, s * s, s > 0, torch.where(s > 0, x, s), s.exp(), k // 2, k % 2, x + k),
        random(2, 3),
        torch.tensor(2.5),
        torch.tensor(3),
        delegate="both",
    )


def test_alpha_and_fused_forms() -> None:
    check_lowering(
        lambda x, y: (
            torch.add(x, y, alpha=2),
            torch.sub(x, y, alpha=0.5),
            torch.rsub(x, y, alpha=2),
            1 - x,
            torch.addcmul(x, x, y, value=2),
            torch.addcdiv(x, x, y + 4, value=0.5),
            torch.lerp(x, y, 0.3),
            torch.lerp(x, y, torch.sigmoid(x)),
            torch.ldexp(x, torch.tensor(3)),
            torch.xlogy(x, y.abs()),
            torch.float_power(x.abs(), 2.5).float(),
        ),
        random(2, 3),
        random(2, 3, seed=1),
        delegate="both",
    )


@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_hypot_of_any_size(delegate: str) -> None:
    """No square of a leg overflows or vanishes, and NaN stays NaN. Small results are scaled up to be seen."""
    for legs in ([3e38, 1e38], [2e20, -2e20], [3.0, 4.0], [1e-30, 1e-30], [0.0, 0.0], [math.nan, 1.0], [1.0, math.nan]):
        scale = 1 / max(max(map(abs, legs)), 1e-38) if legs[0] < 1 and legs[0] else 1.0
        check_lowering(lambda x, s=scale: torch.hypot(x[0], x[1]) * s, torch.tensor(legs), delegate=delegate)


def test_fmax_and_fmin_leave_nan_out() -> None:
    check_lowering(
        lambda x, y: (torch.fmax(x, y), torch.fmin(x, y)),
        torch.tensor([1.0, math.nan, 3.0, math.nan]),
        torch.tensor([math.nan, 1.0, 2.0, math.nan]),
        delegate="both",
    )


def test_infinity_survives_where_it_does_in_tflite() -> None:
    """MAXIMUM, SELECT and comparisons keep it; ADD, SUB, MUL and DIV stop at the largest finite number (LiteRT)."""
    check_lowering(lambda x: (torch.maximum(x, -x), torch.where(x > 0, x, 1.0), x > 1e38), torch.tensor([math.inf, -1]))
