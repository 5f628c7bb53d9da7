"""Promotion, against PyTorch itself on every pair."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from mobilekit.frontends.direct.dtypes import name_of, promote, stored
from mobilekit.frontends.direct.values import Value, identity_order
from mobilekit.graph.ir import Tensor

_DTYPES = "float32 float16 bfloat16 float64 int64 int32 int16 int8 uint8 bool".split()


def _value(dtype: str, rank: int) -> Value:
    return Value(Tensor("x", (1,) * rank, stored(dtype)), identity_order(rank), dtype)


def _tensor(dtype: str, rank: int) -> torch.Tensor:
    return torch.ones((1,) * rank, dtype=getattr(torch, dtype))


def test_pairs_of_tensors_and_numbers() -> None:
    for first, second in itertools.product(_DTYPES, _DTYPES):
        for rank in (0, 1):
            expected = name_of((_tensor(first, 1) + _tensor(second, rank)).dtype)
            assert promote(_value(first, 1), _value(second, rank)) == expected
    numbers: list[Any] = [True, 2, 2.5]
    for dtype, number in itertools.product(_DTYPES, numbers):
        for rank in (0, 1):
            expected = name_of((_tensor(dtype, rank) + number).dtype)
            assert promote(_value(dtype, rank), number) == expected
            assert promote(number, _value(dtype, rank)) == expected


def test_two_numbers() -> None:
    for first, second in itertools.product([True, 2, 2.5], repeat=2):
        expected = name_of(torch.where(torch.tensor(True), first, second).dtype)
        assert promote(first, second) == expected
