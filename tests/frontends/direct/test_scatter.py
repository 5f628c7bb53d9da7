"""Writing by position, in place and functionally."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from mobilekit.errors import UnsupportedOpsError
from tests.frontends.direct.harness import check_lowering, integers, random, stored_channels_last


def _write(y: torch.Tensor, case: str, order: torch.Tensor) -> None:
    if case == "column":
        y[:, 0] = 1.0
    elif case == "mask":
        y[y > 0] = 2.0
    elif case == "mask of rows":
        y[y[..., 0] > 0] = y.flatten()[: y.shape[-1]] * 0 + 3
    elif case == "add to a view":
        y[:, 1:, 0] += 1
    elif case == "constant index":
        y[:, [0, 2]] = y[:, [1, 1]] * 2
    elif case == "computed index":
        y[:, order] = y[:, [0, 1, 2]] * 2
    elif case == "number at computed index":
        y[:, order] = 7.0
    elif case == "two indices":
        y[:, order, 1] = 7.5
    elif case == "step":
        y[:, ::2] = 0
    elif case == "copy of another part":
        y[..., -1] = y[..., 0]
    elif case == "equal positions":
        y[:, torch.tensor([0, 0, 2])] += 1.5
    elif case == "accumulate":
        y.index_put_((torch.tensor([0, 0, 1]),), torch.ones(3, *y.shape[1:]), accumulate=True)


_WRITES = [
    "column", "mask", "mask of rows", "add to a view", "constant index", "computed index", "number at computed index",
    "two indices", "step", "copy of another part", "equal positions", "accumulate",
]  # fmt: skip


@pytest.mark.parametrize("image", [False, True], ids=["plain", "channels last"])
@pytest.mark.parametrize("case", _WRITES)
def test_assignment(case: str, image: bool) -> None:
    def function(x: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        y = x.clone()
        _write(y, case, order)
        return y

    order = torch.tensor([2, 0, 1])
    if image:
        check_lowering(stored_channels_last(function), random(2, 3, 4, 5), order)
    else:
        check_lowering(function, random(2, 3, 4), order, delegate="both")


_REDUCTIONS = ["sum", "prod", "mean", "amax", "amin"]


def _scatters(x: torch.Tensor, index: torch.Tensor) -> list[torch.Tensor]:
    return [
        x.scatter(1, index, 1.5),
        x.scatter_add(1, index, x * 2),
        x.scatter(1, index, 2.0, reduce="multiply"),
        *(x.scatter_reduce(1, index, x, reduce) for reduce in _REDUCTIONS),
        *(x.scatter_reduce(1, index, x, reduce, include_self=False) for reduce in _REDUCTIONS),
    ]


def test_scatter_at_computed_positions() -> None:
    """Equal positions too, wherever PyTorch says what comes out."""
    check_lowering(_scatters, random(2, 3, 4), integers(2, 3, 4, high=3), delegate="both")
    check_lowering(stored_channels_last(_scatters), random(2, 3, 4, 2), integers(2, 3, 4, 2, high=3))


def test_scatter_of_a_permutation() -> None:
    x = random(2, 3, 4)
    check_lowering(lambda x, i: (x.scatter(1, i, x * 2), x.scatter(1, i[:, :2, :3], x)), x, x.argsort(1))


def test_scatter_at_constant_positions() -> None:
    index = integers(2, 3, 4, high=3)
    check_lowering(
        lambda x: (
            x.scatter(1, x.argsort(1) * 0 + index, 1.5), x.scatter(0, torch.zeros(1, 3, 4, dtype=torch.int64), x),
            x.scatter_add(1, index, x), x.scatter_reduce(1, index, x, "amax"), x.scatter_add(2, index[:, :2, :3], x),
        ),
        random(2, 3, 4),
    )  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float32, torch.int64, torch.int16, torch.uint8], ids=str)
def test_index_forms(dtype: torch.dtype) -> None:
    order = torch.tensor([2, 0, 1])
    check_lowering(
        lambda x, p: (
            x.index_add(1, p, x), x.index_add(1, torch.tensor([0, 2, 0]), x, alpha=2), x.index_copy(1, p, x * 2),
            x.index_fill(1, p, 3), x.index_fill(1, torch.tensor([0]), 3), x.index_add(0, p[:2] % 2, x),
        ),
        integers(2, 3, 4, high=9).to(dtype),
        order,
        delegate="both",
    )  # fmt: skip


@pytest.mark.parametrize("wrap", [lambda f: f, stored_channels_last], ids=["plain", "channels last"])
def test_writing_into_views(wrap: Callable[..., Any]) -> None:
    def function(x: torch.Tensor) -> Any:
        return (
            torch.select_scatter(x, x[:, 0], 1, 2),
            torch.slice_scatter(x, x[:, :2], 1, 1),
            torch.slice_scatter(x, x[:, :2] * 2, 1, 0, 3, 2),
            torch.diagonal_scatter(x, x.diagonal(0, 1, 2) * 2, 0, 1, 2),
            x.masked_scatter(x > 0, x.flatten()),
            x.put(torch.tensor([0, 3]), torch.tensor([1.0, 2.0])),
        )

    check_lowering(wrap(function), random(2, 3, 4, 2))


def test_values_for_an_unknown_number_of_elements_are_refused() -> None:
    with pytest.raises(UnsupportedOpsError, match=r"use torch.where\(mask, values, x\)"):
        check_lowering(lambda x, v: x.index_put((x > 0,), v[:4].clone(), accumulate=True), random(2, 3), random(1))


def test_rank_zero() -> None:
    at = torch.tensor([0])
    check_lowering(
        lambda s, i: (
            s.index_add(0, i, s),
            s.index_copy(0, i, s * 2),
            s.index_fill(0, i, 3),
            s.scatter(0, i[0], 2.0),
            s.scatter_add(0, i[0], s),
        ),
        torch.tensor(2.5),
        at,
    )
