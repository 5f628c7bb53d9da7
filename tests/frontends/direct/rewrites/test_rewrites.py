"""Every rewrite: its declared error measured, its file against PyTorch, and what it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from mobilekit.errors import InputError
from mobilekit.frontends.direct.capture import capture
from mobilekit.frontends.direct.lower import lower
from mobilekit.frontends.direct.rewrites import known_rewrites, named_rewrites
from mobilekit.frontends.direct.rewrites.apply import apply_rewrites
from tests.frontends.direct.harness import Function, check_lowering, random

# Outside of this interval all are within 1e-9 of their limits; 1e-4 between points, near a maximum that loses 1e-8,
# and at the kinks of the hard forms, which are points of it, nothing.
LINE = torch.linspace(-24, 24, 480_001, dtype=torch.float64)
IMAGES = random(2, 3, 16, 17).double()

# name -> (what is rewritten, the op's other arguments, what it is measured on), for every use of the op.
Use = tuple[Callable[[torch.Tensor], torch.Tensor], tuple[Any, ...], torch.Tensor]
GELUS: list[Use] = [
    (F.gelu, ("none",), LINE),
    (lambda x: F.gelu(x, approximate="tanh"), ("tanh",), LINE),
]
OPS: dict[str, list[Use]] = {
    "gelu_sigmoid": GELUS,
    "gelu_tanh": GELUS,
    "hardswish_relu6": [(F.hardswish, (), LINE)],
    "leaky_relu_max": [(lambda x, a=a: F.leaky_relu(x, a), (a,), LINE) for a in (0.01, 0.0, 0.3, 1.0)],
    "max_pool_split": [
        (lambda x, k=k: F.max_pool2d(x, k, 1, k // 2), (k, 1, k // 2, 1, False), IMAGES) for k in (13, 7, 9, 11, 15)
    ],
    "sigmoid_hardsigmoid": [(torch.sigmoid, (), LINE)],
    "silu_hardswish": [(F.silu, (), LINE)],
}
IN_PLACE: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "hardswish_relu6": lambda x: F.hardswish(x, inplace=True),
    "leaky_relu_max": lambda x: F.leaky_relu(x, 0.1, inplace=True),
    "sigmoid_hardsigmoid": lambda x: x.sigmoid_(),
    "silu_hardswish": lambda x: F.silu(x, inplace=True),
}


def rewritten(function: Any, x: torch.Tensor, *names: str) -> Any:
    program = capture(function if isinstance(function, nn.Module) else Function(function).eval(), (x,)).program
    return apply_rewrites(program, named_rewrites(names))


def test_every_rewrite_is_measured() -> None:
    assert sorted(OPS) == list(known_rewrites())
    assert all(rewrite.name == name for name, rewrite in known_rewrites().items())


@pytest.mark.parametrize("name", OPS)
def test_the_declared_error_is_the_measured_one(name: str) -> None:
    rewrite = known_rewrites()[name]
    assert all(rewrite.applies(x, *others) for _, others, x in OPS[name])
    measured = max(float((rewrite.replacement(x, *others) - op(x)).abs().max()) for op, others, x in OPS[name])
    if rewrite.error == 0:
        assert measured <= 1e-14  # float64: a unit in the last place of 24 is 4e-15
    else:
        assert measured <= rewrite.error <= 1.01 * measured, "no larger than it needs to be"


@pytest.mark.parametrize("name", OPS)
def test_the_file_computes_the_rewritten_program(name: str) -> None:
    op, _, _ = OPS[name][0]
    x = random(2, 3, 16, 17, low=-6, high=6)
    program, applied = rewritten(op, x, name)
    assert [(a.rewrite, a.error) for a in applied] == [(name, known_rewrites()[name].error)]
    assert applied[0].source is not None
    runnable = program.module()
    outcome = check_lowering(lambda x: runnable(x), x)
    before = lower(capture(Function(op).eval(), (x,)).program).graph.op_counts()
    assert outcome.kinds != before
    assert "GELU" not in outcome.kinds


@pytest.mark.parametrize("name", IN_PLACE)
def test_an_op_in_place_is_rewritten_too(name: str) -> None:
    x = random(2, 5)

    def function(x: torch.Tensor) -> torch.Tensor:
        y = x * 3
        IN_PLACE[name](y)
        return y + 1  # reads what the op wrote

    program, applied = rewritten(function, x, name)
    assert [a.rewrite for a in applied] == [name]
    runnable = program.module()
    check_lowering(lambda x: runnable(x), x)
    op, _, _ = OPS[name][0]
    error = known_rewrites()[name].error
    if name != "leaky_relu_max":  # of another slope
        assert float((program.module()(x) - op(x * 3) - 1).abs().max()) <= error + 1e-6


def test_the_given_program_stays_as_it_is() -> None:
    x = random(2, 5)
    program = capture(Function(F.gelu).eval(), (x,)).program
    before = str(program.graph)
    apply_rewrites(program, named_rewrites(["gelu_tanh"]))
    assert str(program.graph) == before


LEFT_ALONE: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], str]] = {
    "a steep leaky ReLU": (lambda x: F.leaky_relu(x, 1.5), "leaky_relu_max"),
    "a pool with a stride": (lambda x: F.max_pool2d(x, 7, 2, 3), "max_pool_split"),
    "a stride that is the window's": (lambda x: F.max_pool2d(x, 7), "max_pool_split"),
    "a pool that shrinks": (lambda x: F.max_pool2d(x, 7, 1), "max_pool_split"),
    "a small pool": (lambda x: F.max_pool2d(x, 5, 1, 2), "max_pool_split"),
    "a dilated pool": (lambda x: F.max_pool2d(x, 7, 1, 3, 2), "max_pool_split"),
    "an oblong pool": (lambda x: F.max_pool2d(x, (7, 9), 1, (3, 4)), "max_pool_split"),
}


@pytest.mark.parametrize("case", LEFT_ALONE)
def test_left_alone(case: str) -> None:
    function, name = LEFT_ALONE[case]
    assert rewritten(function, random(1, 2, 16, 16), name)[1] == []


def test_one_after_another() -> None:
    """What a rewrite makes, the next one may rewrite."""
    x = random(2, 5)
    program, applied = rewritten(F.silu, x, "silu_hardswish", "hardswish_relu6")
    assert [a.rewrite for a in applied] == ["silu_hardswish", "hardswish_relu6"]
    assert "HARD_SWISH" not in lower(program).graph.op_counts()
    assert len(rewritten(F.silu, x, "hardswish_relu6", "silu_hardswish")[1]) == 1


def test_inside_control_flow() -> None:
    x = random(2, 5)
    function = lambda x: torch.cond(x.sum() > 0, lambda x: F.gelu(x), lambda x: -x, (x,))  # noqa: E731
    program, applied = rewritten(function, x, "gelu_tanh")
    assert [a.rewrite for a in applied] == ["gelu_tanh"]
    assert "GELU" not in str(lower(program).graph.subgraphs)


def test_names() -> None:
    with pytest.raises(InputError, match="no rewrite is called 'gelu_tan': did you mean 'gelu_tanh'"):
        named_rewrites(["gelu_tan"])
    with pytest.raises(InputError, match="no rewrite is called 'xyz': known are gelu_sigmoid, gelu_tanh"):
        named_rewrites(["xyz"])
    with pytest.raises(InputError, match="takes a sequence of names"):
        named_rewrites("gelu_tanh")
    assert [rewrite.name for rewrite in named_rewrites(["gelu_tanh", "gelu_tanh"])] == ["gelu_tanh"]


def test_the_table_of_the_docs_is_the_registry() -> None:
    page = (Path(__file__).parents[4] / "docs/convert.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (`aten\..*) \|$", page, re.MULTILINE))
    wanted = {
        r.name: f"`{r.op}` | {r.formula} | {f'{r.error:.3g}' if r.error else 'none'} | {r.why}"
        for r in known_rewrites().values()
    }
    assert rows == wanted, "docs/convert.md, Rewrites: " + "\n".join(f"| `{n}` | {row} |" for n, row in wanted.items())
