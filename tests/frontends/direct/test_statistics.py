"""Variance, norms, logsumexp, distances."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional

from tests.frontends.direct.harness import check_lowering, random, stored_channels_last


@pytest.mark.parametrize("dims", [0, -1, (0, 2), (0, 1, 2)])
@pytest.mark.parametrize("keepdim", [False, True])
def test_variance(dims: Any, keepdim: bool) -> None:
    check_lowering(
        lambda x: (
            torch.var(x, dims, keepdim=keepdim),
            torch.std(x, dims, unbiased=False, keepdim=keepdim),
            torch.var(x, dims, correction=2, keepdim=keepdim),
            torch.var_mean(x, dims, keepdim=keepdim),
            torch.std_mean(x, dims, keepdim=keepdim),
        ),
        random(3, 4, 5),
        delegate="both",
    )


def test_variance_of_everything() -> None:
    check_lowering(lambda x: (x.var(), x.std(), torch.var_mean(x), torch.std_mean(x)), random(2, 3))


@pytest.mark.parametrize("order", [0, 1, 2, 3, 2.5, math.inf, -math.inf])
def test_norms(order: float) -> None:
    check_lowering(
        lambda x: (
            torch.linalg.vector_norm(x, order, 1),
            torch.linalg.vector_norm(x, order),
            torch.linalg.vector_norm(x, order, (0, 2), True),
            x.norm(order),
            x.norm(order, dim=1),
        ),
        random(2, 3, 4),
        delegate="both",
    )


def test_norms_of_matrices_and_normalize() -> None:
    check_lowering(
        lambda x: (
            torch.linalg.norm(x[0]),
            torch.linalg.matrix_norm(x),
            x.norm(p="fro"),
            functional.normalize(x, dim=1),
        ),
        random(2, 3, 4),
    )


@pytest.mark.parametrize("dims", [0, -1, (0, 1)])
def test_logsumexp(dims: Any) -> None:
    """Large numbers do not overflow, minus infinity takes no part."""
    x = torch.tensor([[100.0, 90.0, -math.inf], [0.0, -math.inf, 1.0]])
    check_lowering(lambda x: (torch.logsumexp(x, dims), torch.logsumexp(x, dims, True)), x[:, :2] if dims == 0 else x)


def test_distances() -> None:
    x, y = random(2, 3, 4), random(2, 3, 4, seed=1)
    check_lowering(
        lambda x, y: (
            torch.cdist(x, y),
            torch.cdist(x, y, p=1),
            functional.pairwise_distance(x, y),
            functional.cosine_similarity(x, y, dim=1),
            torch.dist(x, y),
            torch.dist(x, y, 1),
        ),
        x,
        y,
        delegate="both",
    )


def test_images_stored_channels_last() -> None:
    outcome = check_lowering(
        stored_channels_last(lambda x: (x.std((2, 3)), x.logsumexp(1), x.norm(dim=1), functional.normalize(x, dim=1))),
        random(2, 3, 4, 5),
    )
    assert "TRANSPOSE" not in outcome.kinds


def test_numbers_that_are_none_are_left_out() -> None:
    x = torch.tensor([[math.nan, 1, 2], [3, 4, math.nan]])
    check_lowering(lambda x: (torch.nansum(x), torch.nanmean(x), torch.nansum(x, 1), torch.nanmean(x, 1)), x)
