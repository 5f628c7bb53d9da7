"""The walk: what it keeps, what it refuses, and how inputs and outputs keep their form."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from torch import nn

from mobilekit.errors import UnsupportedOpsError
from mobilekit.frontends.direct.capture import capture
from mobilekit.frontends.direct.lower import lower
from tests.frontends.direct.harness import Function, check_lowering, integers, random, stored_channels_last


def _lowered(function: Any, *args: Any, **kwargs: Any) -> Any:
    module = (function if isinstance(function, nn.Module) else Function(function)).eval()
    return lower(capture(module, args, kwargs).program)


# -- what is kept ------------------------------------------------------------------------------------------------


class _TwoSteps(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 4), nn.Tanh())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.inner(x)
        return y.sin() + 1  # the line that the test looks for


def test_source_line_and_module_path_stand_on_every_op() -> None:
    graph = _lowered(_TwoSteps(), random(2, 4)).graph
    assert all(op.source is not None for op in graph.ops)
    sine = next(op for op in graph.ops if op.kind == "SIN")
    assert sine.source.file.endswith("test_lower.py")
    assert sine.source.code == "return y.sin() + 1  # the line that the test looks for"
    tanh = next(op for op in graph.ops if op.kind == "TANH")
    assert tanh.source.module == "inner.1"
    assert tanh.name.startswith("inner.1/")


def test_source_line_stands_on_the_pieces_of_a_composite_op() -> None:
    graph = _lowered(lambda x: torch.kron(x, x), random(2, 2)).graph
    assert graph.ops
    assert all(op.source.file.endswith("harness.py") for op in graph.ops)


def test_unused_work_is_dropped() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        x.exp().sum()
        return x + 1

    assert [op.kind for op in _lowered(function, random(2)).graph.ops] == ["ADD"]


# -- what is refused ---------------------------------------------------------------------------------------------


class _Unsupported(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        first = torch.lgamma(x)
        return first, x.nonzero(), torch.linalg.svdvals(x) + torch.rand(2)


def test_all_unsupported_ops_are_named_at_once_with_their_lines() -> None:
    with pytest.raises(UnsupportedOpsError) as caught:
        _lowered(_Unsupported(), random(2, 2))
    assert {op.op.split(".")[1] for op in caught.value.ops} >= {"lgamma", "nonzero", "rand"}
    text = str(caught.value)
    assert "test_lower.py" in text
    assert "first = torch.lgamma(x)" in text
    assert text.count("\n    instead: ") == len(caught.value.ops)


def test_partial_lowering_returns_what_it_could() -> None:
    program = capture(Function(lambda x: torch.lgamma(x) + x.exp()).eval(), (random(3),)).program
    lowered = lower(program, partial=True)
    assert [op.op for op in lowered.unsupported] == ["aten.lgamma.default"]
    assert "EXP" in lowered.graph.op_counts()


class _Counter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("count", torch.zeros(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return x + self.count


# -- in-place ops and views --------------------------------------------------------------------------------------


def test_in_place_ops_rename() -> None:
    def function(x: torch.Tensor, i: torch.Tensor) -> Any:
        y = x.clone().add_(x).mul_(2).relu_().clamp_(0, 1).sub_(0.5).div_(3).neg_().exp_()
        j = i.clone()
        j += i.int()
        j *= 2
        return y, j

    check_lowering(function, random(2, 3), integers(2, 3, high=5))


def test_in_place_keeps_the_dtype_of_what_it_writes_into() -> None:
    check_lowering(lambda x, y: x.clone().add_(y.double()), random(3), random(3, seed=1))


def test_an_in_place_op_on_a_view_is_seen_by_its_base() -> None:
    def function(x: torch.Tensor) -> Any:
        y = x + 0
        view = y[:, 1:].view(-1)
        view.mul_(2)
        y.add_(1)
        return y, view

    check_lowering(function, random(2, 3)[:, :2].contiguous().repeat(1, 2)[:1])


def test_a_written_input_is_the_callers_to_see() -> None:
    """Writing into an input is no output here: the result is right, the caller's tensor stays as it was."""
    check_lowering(lambda x: (x + 1).relu_() + x, random(3))


# -- inputs and outputs ------------------------------------------------------------------------------------------


def test_outputs_of_every_kind() -> None:
    def function(x: torch.Tensor, i: torch.Tensor) -> Any:
        y = x + 1
        return {
            "twice": (y, y),
            "view": y.permute(1, 0),
            "input": x,
            "input again": [x, i],
            "turned input": x.t(),
            "constant": torch.arange(6).reshape(2, 3).t(),
            "number": 3,
            "nothing": None,
            "text": "a",
        }

    check_lowering(function, random(2, 3), integers(2, high=9))


def test_an_image_that_is_passed_through() -> None:
    check_lowering(lambda x: (x, nn.functional.max_pool2d(x, 2), x.permute(0, 2, 3, 1)), random(1, 3, 4, 4))


def test_nothing_but_constants_and_inputs() -> None:
    lowered = _lowered(lambda x: (x, torch.ones(2)), random(3))
    assert lowered.graph.ops == []
    assert [spec.input_index for spec in lowered.outputs] == [0, None]


def test_unused_inputs_stay_in_the_signature() -> None:
    lowered = _lowered(lambda x, unused, y: x + y, random(2), random(3), random(2))
    assert len(lowered.graph.inputs) == 3
    check_lowering(lambda x, unused, y: x + y, random(2), random(3), random(2))


def test_none_and_numbers_as_inputs() -> None:
    check_lowering(lambda x, n, k, f, t: x * k + f if n is None and t else x, random(2), None, 2, 0.5, True)


def test_nested_inputs() -> None:
    check_lowering(lambda d, pair: d["a"] + pair[0] * pair[1][0], {"a": random(2)}, (random(2), [random(2)]))


class _Keywords(nn.Module):
    def forward(self, x: torch.Tensor, *, scale: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        return x * scale if mask is None else x * scale * mask


def test_keyword_arguments() -> None:
    lowered = _lowered(_Keywords(), random(2), scale=random(2))
    assert [spec.name for spec in lowered.inputs] == ["x", "scale"]
    assert [spec.leaf for spec in lowered.inputs] == [0, 1]


def test_int64_inputs_narrow_and_are_named() -> None:
    lowered = _lowered(lambda ids: ids * 2, integers(3, high=9))
    assert lowered.narrowed == [lowered.inputs[0].name]
    assert lowered.inputs[0].dtype == "int64"
    assert lowered.inputs[0].tensor.dtype == "int32"
    assert lowered.outputs[0].dtype == "int64"
    check_lowering(lambda ids: ids * 2, torch.tensor([-(2**30), 2**30 - 1]))


def test_images_are_taken_channels_last_and_other_tensors_are_not() -> None:
    lowered = _lowered(nn.Conv2d(3, 4, 3), random(1, 3, 8, 8))
    assert lowered.graph.inputs[0].shape == (1, 8, 8, 3)
    assert lowered.graph.outputs[0].shape == (1, 6, 6, 4)
    assert _lowered(lambda x: x + 1, random(1, 3, 8, 8)).graph.inputs[0].shape == (1, 3, 8, 8)


def test_empty_tensors_cost_no_ops() -> None:
    check_lowering(
        lambda x, e: (torch.cat([x, e]), e * 2, e.sum(), e, x[:0], x[:0].sum(0)), random(2, 3), torch.zeros(0, 3)
    )
    assert _lowered(lambda x: x[:0] * 2, random(3)).graph.ops == []


def test_constants_are_computed_once() -> None:
    graph = _lowered(lambda x: x + torch.arange(6).float().reshape(2, 3).exp().sum(0), random(3)).graph
    assert [op.kind for op in graph.ops] == ["ADD"]


def test_values_without_gradients() -> None:
    def function(x: torch.Tensor) -> torch.Tensor:
        with torch.no_grad():
            y = x * 2
        return y.detach() + 1

    check_lowering(function, random(3))


def test_a_lowering_that_gives_another_shape_than_pytorch_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from mobilekit.frontends.direct import registry

    table = dict(registry.lowerings())
    table["aten.sin.default"] = lambda b, x: b.value(b.reshape(x.tensor, (x.tensor.size, 1)))
    monkeypatch.setattr("mobilekit.frontends.direct.lower.lowerings", lambda: table)
    with pytest.raises(AssertionError, match=r"the lowering of aten.sin.default gives float32\[3, 1\], PyTorch gives"):
        _lowered(lambda x: x.sin(), random(3))


@dataclasses.dataclass(frozen=True)
class _Case:
    name: str
    function: Any


_COMPOSITE = [
    _Case("einsum", lambda x: torch.einsum("bij,bkj->bik", x, x)),
    _Case("cross", lambda x: torch.cross(x[..., :3], x[..., 1:], dim=-1)),
    _Case("cartesian", lambda x: torch.cartesian_prod(x[0, 0], x[0, 1])),
    _Case("sinc", torch.sinc),
    _Case("logaddexp2", lambda x: torch.logaddexp2(x, -x)),
    _Case("movedim", lambda x: x.movedim(0, 2) * 1),
    _Case("trapezoid", lambda x: torch.trapezoid(x)),
    _Case("nanmean", lambda x: x.nanmean(1)),
    _Case("vander", lambda x: torch.vander(x[0, 0])),
]


@pytest.mark.parametrize("case", _COMPOSITE, ids=lambda case: case.name)
def test_ops_without_a_lowering_fall_apart_into_ones_that_have_one(case: _Case) -> None:
    check_lowering(case.function, random(2, 3, 4))


def test_order_of_storage_follows_through_pointwise_ops() -> None:
    outcome = check_lowering(stored_channels_last(lambda x: (x * 2).exp().clamp(0, 3) - x), random(1, 3, 4, 5))
    assert "TRANSPOSE" not in outcome.kinds


class OtherModes(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", enabled=False):
            y = torch.relu(x) * 2
        with torch.no_grad():
            return y + 1


def test_parts_under_another_mode_are_lowered_in_place() -> None:
    assert check_lowering(OtherModes(), random(2, 3)).kinds == {"RELU": 1, "MUL": 1, "ADD": 1}


class Branches(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cond(x.sum() > 0, lambda x: x + 1, lambda x: x - 1, (x,))
