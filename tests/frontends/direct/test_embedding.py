"""Tables of vectors."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mobilekit.errors import CaptureError, UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, integers, random


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (2, 1, 3)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.int32])
def test_embedding(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    check_lowering(nn.Embedding(9, 4, padding_idx=0), integers(*shape, high=9, dtype=dtype))


@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags(mode: str) -> None:
    torch.manual_seed(0)
    check_lowering(nn.EmbeddingBag(9, 4, mode=mode), integers(3, 5, high=9))


@pytest.mark.parametrize("mode", ["sum", "mean"])
def test_bags_with_padding(mode: str) -> None:
    torch.manual_seed(0)
    tokens = torch.tensor([[1, 0, 2], [0, 0, 0], [3, 4, 5]])
    check_lowering(nn.EmbeddingBag(9, 4, mode=mode, padding_idx=0), tokens)


@pytest.mark.parametrize("padding", [None, 1])
@pytest.mark.parametrize("mode", ["sum", "mean", "max"])
def test_bags_of_any_length(mode: str, padding: int | None) -> None:
    """An empty bag gives zeros; so does one that holds padding only."""
    table, offsets = random(4, 3), torch.tensor([0, 2, 2, 5])
    tokens = torch.tensor([1, 2, 0, 1, 3, 1, 1])
    check_lowering(lambda i: F.embedding_bag(i, table, offsets, mode=mode, padding_idx=padding), tokens)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
def test_bags_of_halves(dtype: torch.dtype) -> None:
    """PyTorch rounds each of two sums: 2^-8 of the largest in bfloat16, which has 8 bits."""
    table = random(9, 4).to(dtype)
    check_lowering(lambda i: F.embedding_bag(i, table, mode="sum"), integers(3, 2, high=9), tolerance=2.0**-7)


def test_weighted_bags() -> None:
    table = random(9, 4)
    check_lowering(
        lambda i, w: F.embedding_bag(i, table, per_sample_weights=w, mode="sum"), integers(3, 5, high=9), random(3, 5)
    )


def _refused(model: Any, *args: Any) -> str:
    with pytest.raises(UnsupportedOpsError) as caught:
        check_lowering(model, *args)
    return str(caught.value)


def test_what_is_refused() -> None:
    bags = nn.EmbeddingBag(9, 4)
    assert "offsets computed in forward" in _refused(bags, integers(6, high=9), torch.tensor([0, 2, 4]))
    with pytest.raises(CaptureError, match="writes into the parameter 'weight' in place"):
        check_lowering(nn.Embedding(9, 4, max_norm=1.0), integers(3, high=9))
