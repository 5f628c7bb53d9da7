"""Linear layers and matrix products."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from tests.frontends.direct.harness import check_lowering, random


@pytest.mark.parametrize("shape", [(4,), (3, 4), (2, 3, 4), (2, 1, 3, 4)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_linear(shape: tuple[int, ...], bias: bool, delegate: str) -> None:
    torch.manual_seed(0)
    kinds = check_lowering(nn.Linear(4, 5, bias=bias), random(*shape), delegate=delegate).kinds
    assert kinds["FULLY_CONNECTED"] == 1


def test_linear_on_channels_of_a_channels_last_value() -> None:
    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.head, self.wide = nn.Conv2d(3, 6, 3), nn.Linear(6, 5), nn.Linear(4, 3)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            x = self.conv(x)
            return self.head(x.permute(0, 2, 3, 1)), self.wide(x)

    check_lowering(Net(), random(2, 3, 6, 6))


def test_flattened_image() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(4 * 4 * 5, 7))
    assert "TRANSPOSE" not in check_lowering(net, random(2, 3, 6, 7)).kinds


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ((4,), (4,)),
        ((4,), (4, 5)),
        ((3, 4), (4,)),
        ((3, 4), (4, 5)),
        ((2, 3, 4), (2, 4, 5)),
        ((2, 3, 4), (4, 5)),
        ((3, 4), (2, 4, 5)),
        ((2, 3, 4), (4,)),
        ((4,), (2, 4, 5)),
        ((1, 3, 4), (2, 4, 5)),
        ((2, 2, 3, 4), (2, 2, 4, 5)),
        ((2, 1, 3, 4), (1, 3, 4, 5)),
        ((2, 1, 2, 3, 4), (2, 1, 2, 4, 5)),
        ((1, 2, 2, 1, 3, 4), (1, 2, 2, 1, 4, 5)),
    ],
)
@pytest.mark.parametrize("constant", [False, True])
def test_matmul(left: tuple[int, ...], right: tuple[int, ...], constant: bool) -> None:
    x, y = random(*left), random(*right, seed=1)
    if constant:
        check_lowering(lambda x: torch.matmul(x, y), x)
    else:
        check_lowering(torch.matmul, x, y)


@pytest.mark.parametrize("delegate", ["reference", "xnnpack"])
def test_a_transposed_right_operand_is_not_moved(delegate: str) -> None:
    outcome = check_lowering(lambda q, k: q @ k.transpose(-1, -2), random(2, 3, 4), random(2, 5, 4), delegate=delegate)
    assert outcome.kinds == {"BATCH_MATMUL": 1}


def test_a_transposed_left_operand() -> None:
    check_lowering(lambda q, k: q.transpose(-1, -2) @ k, random(2, 4, 3), random(2, 4, 5))


FUNCTIONS: list[tuple[Callable[..., Any], list[tuple[int, ...]]]] = [
    (lambda b, x, y: torch.addmm(b, x, y), [(5,), (3, 4), (4, 5)]),
    (lambda b, x, y: torch.addmm(b, x, y, beta=0.5, alpha=2), [(3, 5), (3, 4), (4, 5)]),
    (lambda b, x, y: torch.addmm(b, x, y, beta=0), [(3, 5), (3, 4), (4, 5)]),
    (lambda b, x, y: torch.baddbmm(b, x, y, beta=0.5, alpha=2), [(2, 3, 5), (2, 3, 4), (2, 4, 5)]),
    (lambda b, x, y: torch.addbmm(b, x, y, beta=0.5, alpha=2), [(3, 5), (2, 3, 4), (2, 4, 5)]),
    (lambda b, x, y: torch.addmv(b, x, y, alpha=3), [(3,), (3, 4), (4,)]),
    (lambda b, x, y: torch.addr(b, x, y, beta=0.5), [(3, 4), (3,), (4,)]),
    (lambda x, y: torch.dot(x, y), [(4,), (4,)]),
    (lambda x, y: torch.outer(x, y), [(3,), (4,)]),
    (lambda x, y: torch.einsum("bij,bjk->bik", x, y), [(2, 3, 4), (2, 4, 5)]),
    (lambda x, y: torch.einsum("bhid,bhjd->bhij", x, y), [(2, 2, 3, 4), (2, 2, 5, 4)]),
    (lambda x, y: torch.einsum("bchw,cd->bdhw", x, y), [(2, 4, 3, 2), (4, 5)]),
    (lambda x, y: torch.einsum("ij,ij->", x, y), [(3, 4), (3, 4)]),
    (lambda x: torch.einsum("iij->ij", x), [(3, 3, 4)]),
    (lambda x, y: torch.kron(x, y), [(2, 3), (3, 2)]),
    (lambda x, y: torch.tensordot(x, y, 2), [(2, 3, 4), (3, 4, 5)]),
    (lambda x, y: torch.linalg.multi_dot([x, y, x]), [(3, 4), (4, 3)]),
    (lambda x, w, b: F.linear(x, w, b), [(2, 3, 4), (5, 4), (5,)]),
]


@pytest.mark.parametrize("index", range(len(FUNCTIONS)))
def test_function(index: int) -> None:
    function, shapes = FUNCTIONS[index]
    check_lowering(function, *(random(*shape, seed=seed) for seed, shape in enumerate(shapes)))


@pytest.mark.parametrize("bias", [True, False])
def test_bilinear(bias: bool) -> None:
    torch.manual_seed(0)
    check_lowering(nn.Bilinear(4, 5, 6, bias=bias), random(2, 3, 4), random(2, 3, 5, seed=1))
