"""What is suggested instead of each op that is refused converts, and gives what the refused op gives."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from mobilekit.frontends.direct.suggestions import suggestion_for
from tests.frontends.direct.cases import REFUSED
from tests.frontends.direct.harness import check_lowering, integers, random

X = random(6)
IDS = integers(6, high=4)
COUNTS = integers(6, high=5)
POSITIVE = int((X > 0).sum())
POWERS = 2 ** torch.arange(31)
EDGES = torch.linspace(1, 3, 63)
MIDDLES = torch.cat([torch.tensor([0.9]), (EDGES[1:] + EDGES[:-1]) / 2, torch.tensor([3.1])])


def table_of(function: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    table = function(MIDDLES)
    return lambda x: table[torch.bucketize(x, EDGES)]


def renormed() -> nn.Embedding:
    torch.manual_seed(0)
    layer = nn.Embedding(4, 3, max_norm=1.0)
    layer.weight.data.renorm_(2, 0, 1.0)
    layer.max_norm = None
    return layer


# Overload -> (as suggested, inputs, what the refused op gives in its place or None where there is nothing to compare).
Row = tuple[Any, tuple[torch.Tensor, ...], Callable[..., torch.Tensor] | None]
_PYTHON_VALUE: Row = (lambda x: torch.where(x.sum() > 0, x, -x), (X,), lambda x: x if x.sum().item() > 0 else -x)
_FUNCTIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "lgamma": torch.lgamma,
    "digamma": torch.digamma,
    "erfinv": lambda x: torch.erfinv(x / 4),
    "i0": torch.i0,
    "special_i1": torch.special.i1,
    "special_ndtri": lambda x: torch.special.ndtri(x / 4),
    "igamma": lambda x: torch.igamma(torch.tensor(2.0), x),
    "polygamma": lambda x: torch.polygamma(1, x),
}
INSTEAD: dict[str, Row] = {
    "aten._local_scalar_dense.default": _PYTHON_VALUE,
    "aten.item.default": _PYTHON_VALUE,
    "aten.equal.default": (lambda x, y: (x == y).all(), (X, X + 0), lambda x, y: torch.tensor(torch.equal(x, y))),
    "aten.where.default": (lambda x: torch.where(x > 0, x, 0.0).sum(), (X,), lambda x: x[torch.where(x > 0)].sum()),
    "aten.nonzero.default": (
        lambda x: torch.topk((x > 0).float(), POSITIVE).indices,
        (X,),
        lambda x: (x > 0).nonzero()[:, 0],
    ),
    "aten.masked_select.default": (
        lambda x: torch.where(x > 0, x, 0).sum(),
        (X,),
        lambda x: x.masked_select(x > 0).sum(),
    ),
    "aten._unique2.default": (lambda x: x.sort().values, (IDS,), None),
    "aten.unique_consecutive.default": (
        lambda x: torch.cat([torch.ones_like(x[:1], dtype=torch.bool), x[1:] != x[:-1]]).sum(),
        (IDS,),
        lambda x: torch.tensor(len(x.unique_consecutive())),
    ),
    "aten.bincount.default": (
        lambda x: nn.functional.one_hot(x, num_classes=4).sum(0),
        (IDS,),
        lambda x: x.bincount(minlength=4),
    ),
    "aten.embedding_renorm.default": (renormed(), (IDS,), None),
    "aten.embedding_renorm_.default": (renormed(), (IDS,), None),
    "aten.bitwise_left_shift.Scalar_Tensor": (lambda n: 3 * POWERS[n], (COUNTS,), lambda n: 3 << n),
    "aten.bitwise_right_shift.Scalar_Tensor": (lambda n: -77 // POWERS[n], (COUNTS,), lambda n: -77 >> n),
    **{f"aten.{name}.default": (table_of(f), (MIDDLES,), f) for name, f in _FUNCTIONS.items()},
}
NOTHING_LIKE_IT = {"aten.unique_dim.default": "rows sorted as a whole: left to the app"}


def test_every_refused_op_has_one() -> None:
    assert sorted([*INSTEAD, *NOTHING_LIKE_IT]) == sorted(REFUSED)


@pytest.mark.parametrize("op", INSTEAD)
def test_the_suggestion_has_code(op: str) -> None:
    suggestion = suggestion_for(op)
    assert suggestion is not None
    assert re.search(r"[\w.]+\([^)]*\)|\w+ [*/]+ \w+\[", suggestion), suggestion
    assert "before or after the model" not in suggestion


@pytest.mark.parametrize("op", INSTEAD)
def test_the_suggestion_converts_and_gives_the_same(op: str) -> None:
    function, inputs, same_as = INSTEAD[op]
    check_lowering(function, *inputs)
    if same_as is not None:
        # Tables are asked where their entries lie, so that they hold the very number.
        torch.testing.assert_close(function(*inputs), same_as(*inputs))
