"""torch.cond, while_loop, map and scan against PyTorch: every branch, several trip counts, nested, and in int8."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch._higher_order_ops.map import map as torch_map
from torch._higher_order_ops.scan import scan

import mobilekit
from mobilekit.conversion.converted import Converted
from mobilekit.frontends.direct.lower import lower
from mobilekit.frontends.source import from_torch
from tests.frontends.direct.harness import Function, check_lowering, random


class _Branches(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1, bias=False)
        nn.init.constant_(self.conv.weight, 0.1)  # the sign of an image is the sign of the sum

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.conv(x)
        return torch.cond(y.sum() > 0, lambda y: self.conv(y).relu(), lambda y: y.exp() - 1, (y,)) * 2


class _Loop(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)

    def forward(self, x: torch.Tensor, count: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.while_loop(
            lambda i, x: i < count, lambda i, x: (i + 1, self.linear(x).tanh() * count), (torch.tensor(0), x)
        )


def _converted(model: nn.Module, *args: Any, **options: Any) -> Converted:
    return mobilekit.convert(model.eval(), args, backend="direct", **options)


def _equal(model: nn.Module, result: Converted, *args: Any, tolerance: float = 1e-5) -> None:
    with torch.no_grad():
        expected = model(*args)
    got = result(*args)
    torch.testing.assert_close(got, expected, rtol=0, atol=tolerance * 10)


def test_both_branches() -> None:
    model = _Branches().eval()
    images = [random(1, 3, 6, 5, seed=seed).abs() * (-1) ** seed for seed in range(8)]
    with torch.no_grad():
        taken = {bool(model.conv(image).sum() > 0) for image in images}
    assert taken == {True, False}, "the images must take both branches"
    result = _converted(model, images[0])
    assert result.report.op_counts["IF"] == 1
    assert result.report.op_counts["CONV_2D"] == 2, "ops of the branches are counted"
    for image in images:
        _equal(model, result, image)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_trip_counts(count: int) -> None:
    model = _Loop().eval()
    result = _converted(model, random(2, 3), torch.tensor(3))
    _equal(model, result, random(2, 3, seed=count), torch.tensor(count))


def test_a_loop_until_a_value_is_reached() -> None:
    halve = Function(lambda x: torch.while_loop(lambda x: x.max() > 1, lambda x: (x / 2,), (x,))[0])
    for scale in (0.1, 3.0, 100.0):
        check_lowering(halve, random(2, 3).abs() * scale, delegate="both")


def test_weights_are_no_part_of_what_is_carried() -> None:
    source = from_torch(_Loop().eval(), (random(2, 3), torch.tensor(3)))
    graph = lower(source.need_program("direct")).graph
    loop = next(op for op in graph.ops if op.kind == "WHILE")
    assert len(loop.inputs) == 3  # the counter, x and the limit


def test_map_and_scan() -> None:
    check_lowering(lambda xs, y: torch_map(lambda x, y: x.sum() + y * x, xs, y), random(4, 3), random(3))
    check_lowering(lambda xs: scan(lambda c, x: (c + x, (c * x).sum()), torch.zeros(3), xs), random(5, 3))


def test_nested() -> None:
    def inner(x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 4, lambda x: x * 2, lambda x: x + 1, (x,))

    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, inner, lambda x: -x, (x,))

    for value in (-1.0, 1.0, 3.0):
        check_lowering(function, torch.full((2,), value), delegate="both")


def test_branches_that_only_pass_on_or_give_constants() -> None:
    for value in (-1.0, 1.0):
        check_lowering(
            lambda x: torch.cond(x.sum() > 0, lambda x: x.clone(), lambda x: torch.ones(2), (x,)),
            torch.full((2,), value),
            delegate="both",
        )


def test_a_condition_that_is_known_leaves_one_branch() -> None:
    outcome = check_lowering(
        lambda x: torch.cond(torch.tensor(True), lambda x: x * 2, lambda x: x.exp(), (x,)), random(2)
    )
    assert set(outcome.kinds) == {"MUL"}


@pytest.mark.parametrize("quantize", ["int8", "dynamic", "fp16"])
def test_quantized_bodies_stay_in_float(quantize: str) -> None:
    model = _Branches().eval()
    images = [random(1, 3, 6, 5, seed=seed).abs() * (-1) ** seed for seed in range(8)]
    result = _converted(model, images[0], quantize=quantize, calibration=images if quantize == "int8" else None)
    assert result.report.verification is not None
    assert result.report.verification.passed
    if quantize == "int8":
        assert not result.report.full_integer
        assert [island.kind for island in result.report.float_islands if island.kind == "IF"] == ["IF"]
    for image in images:
        with torch.no_grad():
            expected = model(image).numpy()
        # int8 keeps about 40 dB on noise; a wrong branch or scale is below 10.
        error = np.square(result(image).numpy() - expected).sum() / np.square(expected).sum()
        assert error < 1e-2
