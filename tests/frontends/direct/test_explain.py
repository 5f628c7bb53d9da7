"""Programs that depend on values, as people write them: the line, and what to write instead."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from mobilekit.errors import CaptureError, UnsupportedOpsError
from mobilekit.frontends.direct.capture import capture
from mobilekit.frontends.direct.lower import lower
from tests.frontends.direct.harness import Function, check_lowering, random

_X = random(4, 3)


def _branches(x: torch.Tensor) -> torch.Tensor:
    if x.sum() > 0:
        return x
    return -x


def _loops(x: torch.Tensor) -> torch.Tensor:
    while x.max() > 1:
        x = x / 2
    return x


def _counts(x: torch.Tensor) -> torch.Tensor:
    for _ in range(int(x.sum())):
        x = x + 1
    return x


def _slices(x: torch.Tensor) -> torch.Tensor:
    length = int(x.sum())
    return x[:length]


def _asserts(x: torch.Tensor) -> torch.Tensor:
    assert x.min() >= -9
    return x


def _numpy(x: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(np.sin(x.numpy()))


NOT_CAPTURED: dict[Callable[[torch.Tensor], torch.Tensor], str] = {
    _branches: r"branches on .* at .*test_explain.py:\d+: if x.sum\(\) > 0:\n  instead: torch.where.*cond",
    _loops: r"loops while a tensor's value says so at .*: while x.max\(\) > 1:\n  instead: torch.while_loop",
    _counts: r"loops as often as a tensor's value says at .*: for _ in range.*\n  instead: a fixed number of turns",
    _slices: r"makes a Python number of a tensor.* at .*: length = int.*\n  instead: keep it a tensor, and sizes fixed",
    _asserts: r"asserts on a tensor's value at .*: assert x.min.*\n  instead: .*torch.compiler.is_exporting",
    _numpy: r"leaves PyTorch for NumPy.* at .*: return torch.from_numpy.*\n  instead: the same function of torch",
}


@pytest.mark.parametrize("function", NOT_CAPTURED)
def test_two_lines(function: Callable[[torch.Tensor], torch.Tensor], capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CaptureError, match=NOT_CAPTURED[function]) as caught:
        capture(Function(function).eval(), (_X.abs(),))
    assert str(caught.value).count("\n") == 1
    assert capfd.readouterr() == ("", ""), "torch's own log of the failure stays away"


NOT_LOWERED: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "item": (
        lambda x: x * x.sum().item(),
        r"a Python value is made of a tensor's data[\s\S]*instead: keep it a tensor",
    ),
    "nonzero": (lambda x: x[x.nonzero()[:, 0]], r"depends on the data[\s\S]*instead: .*torch.topk"),
    "mask": (lambda x: x[x > 0].sum(), r"a mask as index[\s\S]*instead: use torch.where\(mask, x, other\)"),
}


@pytest.mark.parametrize("case", NOT_LOWERED)
def test_captured_and_refused_with_what_to_write(case: str) -> None:
    function, said = NOT_LOWERED[case]
    with pytest.raises(UnsupportedOpsError, match=said):
        lower(capture(Function(function).eval(), (_X,)).program)


def test_a_loop_over_a_tensor_is_unrolled() -> None:
    check_lowering(lambda x: sum(row * 2 for row in x), _X)


def test_print_is_harmless() -> None:
    check_lowering(lambda x: (print("here"), x + 1)[1], _X)
