"""New tensors."""

from __future__ import annotations

import pytest
import torch

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, integers, random


def test_like_another_tensor() -> None:
    check_lowering(
        lambda x, i: (
            torch.zeros_like(x) + x, torch.ones_like(i), torch.full_like(x, 2.5), x.new_zeros(3) + 1,
            x.new_full((2,), 7, dtype=torch.int32), x.new_ones(2, 2), torch.zeros_like(x, dtype=torch.int64) + i,
            torch.empty_like(x).fill_(4.0), x.clone().fill_(2), x.clone().zero_(), x.clone().copy_(i),
        ),
        random(2, 3),
        integers(2, 3, high=9),
    )  # fmt: skip


def test_from_nothing() -> None:
    outcome = check_lowering(
        lambda x: (
            x + torch.arange(3), x * torch.linspace(0, 1, 3), torch.eye(2) @ x, x + torch.full((3,), 2.0),
            torch.meshgrid(x[0], x[1], indexing="ij"), x + torch.logspace(0, 1, 3),
            torch.meshgrid(torch.arange(2), torch.arange(3), indexing="xy"),
        ),
        random(2, 3),
    )  # fmt: skip
    assert "RANGE" not in outcome.kinds


def test_fill_with_a_computed_number() -> None:
    check_lowering(lambda x: torch.zeros_like(x).fill_(x.sum()), random(2, 3))


def test_fresh_memory_is_the_same_in_every_file() -> None:
    """Whatever lies in it must not reach the bytes: the second run gives the same ones."""
    files = {check_lowering(lambda x: x + torch.empty(3) * 0, random(3)).float_bytes for _ in range(2)}
    assert len(files) == 1


@pytest.mark.parametrize(
    "function", [lambda x: x + torch.rand(3), lambda x: torch.randn_like(x), lambda x: x.bernoulli()]
)
def test_random_numbers_are_refused(function: object) -> None:
    with pytest.raises(UnsupportedOpsError, match="draw them outside and pass them in"):
        check_lowering(function, random(3, low=0, high=1))
