"""What is turned away before torch.export runs, with the reason and the place; and what is let in all the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from mobilekit.errors import CaptureError, InputError
from mobilekit.frontends.direct.capture import capture
from tests.frontends.direct.harness import Function, check_lowering, random

_X = random(4, 3)


def _partly(training: str, model: nn.Module) -> nn.Module:
    model.eval()
    model.get_submodule(training).train()
    return model


def _writes(x: torch.Tensor) -> torch.Tensor:
    x[:, 0].add_(1)
    return x * 2


REFUSED: dict[str, tuple[nn.Module, tuple[Any, ...], str]] = {
    "batch norm in training": (
        _partly("1", nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3))),
        (_X,),
        r"training mode: '1' \(BatchNorm1d\) updates its running statistics: call model.eval\(\)",
    ),
    "dropout in training": (
        _partly("1", nn.Sequential(nn.Linear(3, 3), nn.Dropout())),
        (_X,),
        r"'1' \(Dropout\) drops values at random",
    ),
    "recurrent dropout in training": (
        _partly("", nn.LSTM(3, 3, num_layers=2, dropout=0.5)),
        (_X,),
        r"'the model itself' \(LSTM\) drops values at random between its layers",
    ),
    "float64 input": (nn.ReLU().eval(), (_X.double(),), r"input 0 is float64, and TFLite computes in float32"),
    "float64 weights": (nn.Linear(3, 3).double().eval(), (_X,), r"parameter 'weight' is float64.*model.float\(\)"),
    "float64 output": (Function(lambda x: x.double()).eval(), (_X,), r"output 0 .* is float64.*return x.float\(\)"),
    "complex input": (nn.ReLU().eval(), (_X.to(torch.complex64),), r"input 0 is complex64.*view_as_real"),
    "complex output": (Function(lambda x: torch.fft.fft(x)).eval(), (_X,), r"output 0 .* is complex64"),
    "sparse input": (nn.ReLU().eval(), (_X.to_sparse(),), r"input 0 is sparse_coo.*to_dense\(\)"),
    "string input": (Function(lambda x, mode: x).eval(), (_X, "fast"), r"input 1 is the string 'fast'.*wrapper module"),
    "a string in a dict": (
        Function(lambda x: x["x"]).eval(),
        ({"x": _X, "mode": "a"},),
        r"input 0\['mode'\] is the st",
    ),
    "no input": (Function(lambda: torch.ones(3)).eval(), (), r"no tensor among its inputs"),
    "only numbers": (Function(lambda n: torch.ones(3) * n).eval(), (2,), r"no tensor among its inputs"),
    "scripted": (
        torch.jit.script(nn.Linear(3, 3).eval()),
        (_X,),
        r"TorchScript \(torch.jit.script\).*give the nn.Module",
    ),
    "traced": (torch.jit.trace(nn.Linear(3, 3).eval(), _X), (_X,), r"TorchScript \(torch.jit.trace\)"),
    "a scripted part": (nn.Sequential(torch.jit.script(nn.ReLU())).eval(), (_X,), r"its part '0' is TorchScript"),
    "a write into an input": (
        Function(_writes).eval(),
        (_X,),
        r"writes into the input 'args_0' in place at .*:\d+.*\n  instead: write on a copy \(x = x.clone\(\)\)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(case: str) -> None:
    model, args, said = REFUSED[case]
    with pytest.raises((InputError, CaptureError), match=said):
        capture(model, args)


@dataclass
class _Result:
    scores: torch.Tensor
    extra: dict[str, Any]


torch.export.register_dataclass(_Result, serialized_type_name="test_admission._Result")


class _Nested(nn.Module):
    def forward(self, x: torch.Tensor, scale: float, shift: int, mask: torch.Tensor | None = None) -> _Result:
        y = x * scale + shift
        return _Result(y, {"list": [x, (y, y)], "mask": mask, "number": 3, "name": "net"})


class _Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(7, 3)
        self.head = nn.Linear(3, 7, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x + self.embed.weight[2])


TAKEN: dict[str, tuple[nn.Module, tuple[Any, ...]]] = {
    "torch.compile": (torch.compile(nn.Linear(3, 3)), (_X,)),
    "weight norm": (parametrizations.weight_norm(nn.Linear(3, 3)), (_X,)),
    "spectral norm": (parametrizations.spectral_norm(nn.Linear(3, 3)), (_X,)),
    "orthogonal": (parametrizations.orthogonal(nn.Linear(3, 3)), (_X,)),
    "weight norm, the old way": (nn.utils.weight_norm(nn.Linear(3, 3)), (_X,)),
    "spectral norm, the old way": (nn.utils.spectral_norm(nn.Linear(3, 3)), (_X,)),
    "tied weights": (_Tied(), (_X,)),
    "dataclass, dict, list, numbers and None": (_Nested(), (_X, 2.5, 3, None)),
}


@pytest.mark.parametrize("case", TAKEN)
def test_taken(case: str) -> None:
    model, args = TAKEN[case]
    check_lowering(model, *args)


def test_tied_weights_are_stored_once() -> None:
    outcome = check_lowering(nn.Sequential(_Tied()), _X)
    assert len(outcome.float_bytes) < 3000  # two copies of 84 bytes are no matter; what counts is the next line
    assert sum(tensor.shape == (7, 3) for tensor in outcome.graph.constants()) <= 1
