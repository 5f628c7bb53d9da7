"""Recurrent layers, unrolled."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from tests.frontends.direct.harness import Outcome, check_lowering, random

# Gates saturate, so errors do not grow from step to step; exp and tanh of two libraries differ by some 1e-7 each.
TOLERANCE = 2e-5


def check(model: nn.Module, *inputs: Any) -> Outcome:
    return check_lowering(model, *inputs, tolerance=TOLERANCE)


OPTIONS: list[dict[str, Any]] = [
    {},
    {"num_layers": 2},
    {"bidirectional": True},
    {"bias": False},
    {"batch_first": True},
    {"num_layers": 2, "bidirectional": True, "batch_first": True},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_layers(kind: Any, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    check(kind(4, 6, **options), random(5, 3, 4))


def test_rnn_with_relu() -> None:
    torch.manual_seed(0)
    check(nn.RNN(4, 6, nonlinearity="relu"), random(5, 3, 4))


@pytest.mark.parametrize(
    "options", [{"proj_size": 3}, {"proj_size": 3, "num_layers": 2, "bidirectional": True}], ids=str
)
def test_projections(options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    check(nn.LSTM(4, 6, **options), random(5, 3, 4))


@pytest.mark.parametrize("batch_first", [False, True])
def test_initial_states(batch_first: bool) -> None:
    torch.manual_seed(0)
    lstm = nn.LSTM(4, 6, 2, bidirectional=True, batch_first=batch_first)
    states = (random(4, 3, 6, seed=1), random(4, 3, 6, seed=2))
    x = random(3, 5, 4) if batch_first else random(5, 3, 4)
    check(lstm, x, states)
    check(nn.GRU(4, 6, batch_first=batch_first), x, states[0][:1])


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_without_a_batch(kind: Any) -> None:
    torch.manual_seed(0)
    check(kind(4, 6, bidirectional=True), random(5, 4))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU])
def test_one_step(kind: Any) -> None:
    torch.manual_seed(0)
    check(kind(4, 6, batch_first=True), random(3, 1, 4))


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
@pytest.mark.parametrize("bias", [True, False])
def test_cells(kind: Any, bias: bool) -> None:
    torch.manual_seed(0)
    state = random(3, 6, seed=1)
    check(kind(4, 6, bias=bias), random(3, 4))
    check(kind(4, 6, bias=bias), random(3, 4), (state, state * 0.5) if kind is nn.LSTMCell else state)


def test_all_steps_share_the_weights() -> None:
    """A step more costs the file its ops, not its weights."""
    torch.manual_seed(0)
    gru = nn.GRU(32, 64)
    sizes = [len(check(gru, random(steps, 1, 32)).float_bytes) for steps in (2, 3)]
    assert sizes[1] - sizes[0] < 5000


def test_behind_a_convolution() -> None:
    """CRNN: columns of a picture as steps."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.conv, self.rnn = nn.Conv2d(1, 4, 3), nn.LSTM(4, 5, bidirectional=True, batch_first=True)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.rnn(self.conv(x).mean(2).permute(0, 2, 1))[0]

    assert "TRANSPOSE" not in check(Net(), random(2, 1, 6, 9)).kinds
