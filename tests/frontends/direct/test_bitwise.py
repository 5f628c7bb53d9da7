"""Bitwise logic: exact for every bit of every integer type."""

from __future__ import annotations

import pytest
import torch

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, integers

_RANGES = {
    torch.int64: (-(2**31), 2**31 - 1),
    torch.int32: (-(2**31), 2**31 - 1),
    torch.int16: (-(2**15), 2**15),
    torch.int8: (-128, 128),
    torch.uint8: (0, 256),
}


@pytest.mark.parametrize("dtype", _RANGES, ids=str)
def test_integers(dtype: torch.dtype) -> None:
    low, high = _RANGES[dtype]
    x = integers(4, 8, low=low, high=high, dtype=dtype)
    check_lowering(
        lambda x, y: (x & y, x | y, x ^ y, ~x, x & 7, x & 6, x | 3, x ^ 5, x >> 1, x >> 3),
        x,
        x.flip(0),
        delegate="both",
    )


@pytest.mark.parametrize("dtype", [torch.int32, torch.int16, torch.int8, torch.uint8], ids=str)
def test_left_shift_wraps(dtype: torch.dtype) -> None:
    low, high = _RANGES[dtype]
    check_lowering(lambda x: (x << 1, x << 2), integers(12, low=low, high=high, dtype=dtype))


def test_truth_values() -> None:
    x = integers(3, 4, high=2).bool()
    check_lowering(lambda x, y: (x & y, x | y, x ^ y, ~x), x, x.flip(0))


def test_shift_by_a_computed_count_is_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match="shift by a constant"):
        check_lowering(lambda x, n: x << n, integers(3, high=9), integers(3, high=3))
