"""Every lowering of the one list against PyTorch, over drawn shapes, ranks, dtypes, layouts and options.

The fast profile draws four examples an overload, the slow one a hundred. Each family has a file of its own for what
must not be left to chance: ties, infinities, refusals, transposes.
"""

from __future__ import annotations

import zlib
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, given, seed, settings

from mobilekit.frontends.direct import lower as walk
from mobilekit.frontends.direct.registry import builtin_lowerings
from tests.frontends.direct.cases import CASES, ELSEWHERE, FIRST_OUTPUT_ONLY, NOT_IN_PROGRAMS, REFUSED
from tests.frontends.direct.draws import Call, calls
from tests.frontends.direct.harness import RELATIVE_TOLERANCE, check_lowering

# PyTorch rounds halves after every step, the file at the end only: 2^-11 and 2^-8 a rounding, up to four of them.
_ROUNDING = {torch.float16: 2.0**-9, torch.bfloat16: 2.0**-6}


def test_the_list_is_complete() -> None:
    """A lowering without a case, or a case without a lowering, fails here."""
    listed = [*CASES, *NOT_IN_PROGRAMS, *REFUSED, *ELSEWHERE]
    assert len(listed) == len(set(listed))
    assert sorted(set(builtin_lowerings()) - set(listed)) == []
    assert sorted(set(listed) - set(builtin_lowerings())) == []


def operator(name: str) -> Any:
    namespace, op, overload = name.split(".")
    return getattr(getattr(getattr(torch.ops, namespace), op), overload)


def tolerance_of(call: Call) -> float:
    dtypes = {tensor.dtype for tensor in call.inputs} | {arg for arg in call.args if isinstance(arg, torch.dtype)}
    dtypes |= {value for value in call.kwargs.values() if isinstance(value, torch.dtype)}
    return max([_ROUNDING.get(dtype, RELATIVE_TOLERANCE) for dtype in dtypes], default=RELATIVE_TOLERANCE)


def sweep(name: str, examples: int, monkeypatch: pytest.MonkeyPatch, delegate: str) -> None:
    """``examples`` calls of an overload through its own lowering, which must have been asked."""
    asked: set[str] = set()
    table = walk.lowerings()

    def recorded(op: str) -> Any:
        def lowering(*args: Any) -> Any:
            asked.add(op)
            return table[op](*args)

        return lowering

    monkeypatch.setattr(walk, "lowerings", lambda: {**table, name: recorded(name)})

    @seed(zlib.crc32(name.encode()))  # the same examples on every run, others for every overload
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        phases=[Phase.explicit, Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(calls(operator(name), CASES[name]))
    def run(call: Call) -> None:
        function = (lambda *inputs: call(*inputs)[0]) if name in FIRST_OUTPUT_ONLY else call
        check_lowering(function, *call.inputs, tolerance=tolerance_of(call), delegate=delegate)

    run()
    assert asked, f"no example reached the lowering of {name}"


@pytest.mark.parametrize("name", sorted(CASES))
def test_some_examples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(name, 4, monkeypatch, "reference")


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_hundred_examples(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(name, 100, monkeypatch, "both")
