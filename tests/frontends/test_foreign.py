"""Adopting what another converter made: axis orders settled, lies found."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from mobilekit.errors import BackendError
from mobilekit.frontends.direct.lower import lower
from mobilekit.frontends.foreign import adopt
from mobilekit.frontends.source import Source, from_torch
from mobilekit.graph.ir import Graph
from mobilekit.graph.reader import read
from mobilekit.graph.writer import write


def source(height: int = 5, width: int = 6) -> Source:
    torch.manual_seed(0)
    return from_torch(nn.Conv2d(3, 4, 3, padding=1).eval(), torch.rand(1, 3, height, width))


def foreign_graph(made_from: Source) -> Graph:
    """As if another converter had made it: read from bytes, with no knowledge of orders."""
    return read(write(lower(made_from.need_program("direct")).graph))


def test_orders_are_found_by_shape() -> None:
    model = source()
    lowered = adopt(foreign_graph(model), model, "test")
    assert lowered.inputs[0].order == (0, 2, 3, 1)
    assert lowered.outputs[0].order == (0, 2, 3, 1)


def test_orders_are_found_by_numbers_where_shapes_do_not_tell() -> None:
    torch.manual_seed(0)
    model = from_torch(nn.Conv2d(4, 4, 3, padding=1).eval(), torch.rand(1, 4, 4, 4))
    assert adopt(foreign_graph(model), model, "test").inputs[0].order == (0, 2, 3, 1)


def test_wrong_numbers_are_a_lie() -> None:
    model = source()
    graph = foreign_graph(model)
    weights = graph.ops[0].inputs[1]
    assert weights is not None
    assert weights.data is not None
    weights.data = weights.data * np.float32(1.5)
    with pytest.raises(
        BackendError, match=r"backend 'test' made a file with wrong numbers: off on the example by 0\.\d+"
    ):
        adopt(graph, model, "test")


def test_another_shape_is_named() -> None:
    with pytest.raises(BackendError, match=r"'x|input' is \[1, 5, 6, 3\], the model has \[1, 3, 9, 9\]"):
        adopt(foreign_graph(source()), source(9, 9), "test")


class Two(nn.Module):
    def forward(self, first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return first - second, second * 2


def test_swapped_inputs_are_matched_by_name() -> None:
    model = from_torch(Two().eval(), (torch.ones(2, 3), torch.full((2, 3), 5.0)))
    graph = foreign_graph(model)
    graph.inputs.reverse()
    lowered = adopt(graph, model, "test")
    assert [spec.tensor.name for spec in lowered.inputs] == ["first", "second"]


def test_a_missing_output_is_named() -> None:
    model = from_torch(Two().eval(), (torch.ones(2, 3), torch.ones(2, 3)))
    graph = foreign_graph(model)
    graph.outputs.pop()
    graph.signatures = []
    with pytest.raises(BackendError, match="made 1 outputs, the model has 2"):
        adopt(graph, model, "test")
