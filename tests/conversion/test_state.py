"""Buffers that change in forward: carried from call to call as PyTorch does, in float and int8, and told to the app."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

import mobilekit
from mobilekit.sidecar import Sidecar
from tests.frontends.direct.harness import random


class _Cache(nn.Module):
    """A KV cache in small: a slot is written at each step, and everything so far is read."""

    count: torch.Tensor
    keys: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.register_buffer("count", torch.zeros((), dtype=torch.int64))
        self.register_buffer("keys", torch.full((8, 4), 0.5))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.linear(x)
        self.keys.index_copy_(0, self.count.reshape(1), y)
        self.count += 1
        return torch.softmax(self.keys @ x[0], 0) @ self.keys + self.count


class _Average(nn.Module):
    """A running mean, assigned and not written in place; float and harmless in int8."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.register_buffer("mean", torch.zeros(1, 4, 6, 6))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.mean = 0.5 * self.mean + 0.5 * self.conv(x).relu()
        return self.mean * 2


class _Previous(nn.Module):
    """Frame difference: the state is an input passed on."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("previous", torch.zeros(2, 3))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        before = self.previous.clone()
        self.previous.copy_(x)
        return x - before, before


_MODELS = {
    "cache": (_Cache, (1, 4), 6),
    "average": (_Average, (1, 3, 6, 6), 5),
    "previous": (_Previous, (2, 3), 4),
}


def _steps(shape: tuple[int, ...], count: int) -> list[torch.Tensor]:
    return [random(*shape, seed=seed) for seed in range(count)]


@pytest.mark.parametrize("which", _MODELS)
def test_calls_follow_each_other_as_in_pytorch(which: str) -> None:
    kind, shape, count = _MODELS[which]
    model = kind().eval()
    before = copy.deepcopy(model.state_dict())
    steps = _steps(shape, count)
    result = mobilekit.convert(model, steps[0], backend="direct", verify=steps)
    assert result.report.verification is not None
    assert result.report.verification.samples == count
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), "the user's module stays as it was"
    for _ in range(2):
        own = copy.deepcopy(model)
        for x in steps:
            with torch.no_grad():
                torch.testing.assert_close(result(x), own(x), rtol=0, atol=1e-5)
        result.reset()


def test_the_sidecar_and_the_report_name_what_is_carried() -> None:
    result = mobilekit.convert(_Cache().eval(), random(1, 4), backend="direct")
    sidecar = Sidecar.from_json(result.sidecar.to_json())
    states = {state.buffer: state for state in sidecar.states}
    assert (states["keys"].input, states["keys"].output, states["keys"].initial) == ("keys", "keys_next", (0.5,))
    assert {"keys", "count"} <= {spec.name for spec in sidecar.inputs}
    assert {"keys_next", "count_next"} <= {spec.name for spec in sidecar.outputs}
    assert any("'keys_next' of one call is input 'keys' of the next" in note for note in result.report.notes)


@pytest.mark.parametrize("which", ["average", "previous"])
def test_int8(which: str) -> None:
    kind, shape, _ = _MODELS[which]
    model = kind().eval()
    steps = _steps(shape, 24)
    result = mobilekit.convert(model, steps[0], backend="direct", quantize="int8", calibration=steps)
    own = copy.deepcopy(model)
    for x in steps:
        with torch.no_grad():
            got, expected = result(x), own(x)
        first, reference = (got[0], expected[0]) if isinstance(got, tuple) else (got, expected)
        # One step of 255 over a range of at most 8, once for the state and once for the result, carried a few times.
        np.testing.assert_allclose(first, reference, rtol=0, atol=8 / 255 * 4)
