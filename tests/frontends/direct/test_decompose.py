"""One op in pieces."""

from __future__ import annotations

from typing import Any

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from mobilekit.frontends.direct.decompose import decompose


def _pieces(target: Any, *args: Any, **kwargs: Any) -> list[str] | None:
    with FakeTensorMode() as mode:
        fakes = [mode.from_tensor(a) if isinstance(a, torch.Tensor) else a for a in args]
    graph = decompose(target, fakes, kwargs)
    if graph is None:
        return None
    return [node.target._opname for node in graph.graph.nodes if node.op == "call_function"]


def test_a_composite_op() -> None:
    pieces = _pieces(torch.ops.aten.movedim.int, torch.ones(2, 3, 4), 0, 2)
    assert pieces == ["permute"]


def test_an_op_of_the_table() -> None:
    pieces = _pieces(torch.ops.aten.logaddexp2.default, torch.ones(3), torch.ones(3))
    assert pieces
    assert "logaddexp2" not in pieces


def test_writes_are_made_functional() -> None:
    pieces = _pieces(torch.ops.aten.vander.default, torch.ones(3))
    assert pieces
    assert not any(name.endswith("_") for name in pieces)


def test_an_op_that_does_not_fall_apart() -> None:
    assert _pieces(torch.ops.aten.sort.default, torch.ones(3)) is None
    assert _pieces(torch.ops.aten.arange.default, 3) is None
