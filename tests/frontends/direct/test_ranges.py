"""Integers: either the file equals PyTorch's int64 exactly, or the conversion or the call is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mobilekit
from mobilekit.errors import InputError, UnsupportedOpsError
from mobilekit.results import IntegerLimits
from tests.frontends.direct.harness import Function


def converted(function: Any, *args: Any) -> Any:
    return mobilekit.convert(Function(function).eval(), args, backend="direct")


IDS = torch.tensor([1, 2, 3])
FLOATS = torch.tensor([0.5, 3.7, -2.2])
TIMES = torch.tensor([1_700_000_000, 1_600_000_000])

# What the widest power of two is follows by hand: 31 * 2^26 + 7 < 2^31 <= 31 * 2^27; 3 * 2^29; 2^15 * 2^15; 2^10 cubed.
SAFE = [
    ("hash", lambda x: (x * 31 + 7) % 1024, (IDS,), {"args_0": (-(2**26), 2**26)}),
    ("cumsum", lambda x: x.cumsum(0), (IDS,), {"args_0": (-(2**29), 2**29)}),
    ("sum", lambda x: x.sum(), (IDS,), {"args_0": (-(2**29), 2**29)}),
    ("product", lambda x, y: x * y, (IDS, IDS + 1), {"args_0": (-(2**15), 2**15), "args_1": (-(2**15), 2**15)}),
    ("cube", lambda x: x**3, (IDS,), {"args_0": (-(2**10), 2**10)}),
    ("wide from int32", lambda x: x.long() * x.long(), (IDS.int(),), {"args_0": (-(2**15), 2**15)}),
    ("timestamp", lambda x: x - 1_600_000_000, (TIMES,), {"args_0": (0, 2**31 - 1)}),
    ("division first", lambda x: (x // 1000) * 60, (TIMES,), {}),
    ("int32 wraps in PyTorch too", lambda x: x * x, (torch.tensor([70_000], dtype=torch.int32),), {}),
    ("index", lambda x: torch.arange(10.0)[x], (IDS,), {}),
    ("bits", lambda x, y: (x & y) ^ 5, (IDS, IDS + 1), {}),
    ("clamped cast", lambda x: x.clamp(0, 255).long() * 64_000, (FLOATS,), {}),
    ("comparison", lambda x: (x > 0).sum() * 1000, (FLOATS,), {}),
]  # fmt: skip


@pytest.mark.parametrize(("function", "args", "expected"), [case[1:] for case in SAFE], ids=[case[0] for case in SAFE])
def test_limits_are_the_widest_powers_of_two(function, args, expected):
    result = converted(function, *args)
    assert [(found.low, found.high) for found in result.report.integer_limits] == list(expected.values())
    assert torch.equal(result(*args), function(*args))
    assert not result.report.warnings


def test_limits_are_checked_at_every_call_and_stand_in_the_sidecar():
    result = converted(lambda x: (x * 31 + 7) % 1024, IDS)
    (found,) = result.report.integer_limits
    assert found == IntegerLimits(result.sidecar.inputs[0].name, -(2**26), 2**26)
    assert result.sidecar.inputs[0].limits == (-(2**26), 2**26)
    for edge in (-(2**26), 2**26):
        given_edge = torch.tensor([edge, 0, 1])
        assert torch.equal(result(given_edge), (given_edge * 31 + 7) % 1024)
    with pytest.raises(InputError, match=r"holds 67108865, the file is right for -67108864 to 67108864"):
        result(torch.tensor([1, 2, 2**26 + 1]))


def test_sidecars_without_limits_do_not_mention_them():
    assert '"limits"' not in converted(lambda x: x + 1.0, FLOATS).sidecar.to_json()


REFUSED = [
    ("constant", lambda x: (x * 2654435761) % 1024, IDS, "the integer 2654435761 does not fit int32"),
    ("example", lambda x: x * 1000, TIMES, "its int64 result can reach about 1.7e+12"),
    ("cast", lambda x: x.long() * 6_400_000, FLOATS, r"x.clamp(low, high).long()"),
]


@pytest.mark.parametrize(("function", "arg", "text"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_cannot_fit_is_refused_by_its_op_and_line(function, arg, text):
    with pytest.raises(UnsupportedOpsError) as refusal:
        converted(function, arg)
    (op,) = refusal.value.ops
    assert op.op == "aten.mul.Tensor"
    assert op.source is not None
    assert op.suggestion
    assert text in str(refusal.value)


def test_only_the_first_op_of_an_overflow_is_named():
    with pytest.raises(UnsupportedOpsError) as refusal:
        converted(lambda x: (x * 1000 + 7) * 5, TIMES)
    assert len(refusal.value.ops) == 1


def test_an_unbounded_cast_is_an_assumption_that_the_report_states():
    warnings = converted(lambda x: x.long() * 640, FLOATS).report.warnings
    assert len(warnings) == 1
    assert "aten.to.dtype" in warnings[0]
    assert "is taken to stay within [-2097152, 2097152]" in warnings[0]


def test_a_loop_s_counter_is_proven_and_what_it_adds_up_is_assumed():
    def loop(x: torch.Tensor) -> Any:
        start = (torch.zeros((), dtype=torch.int64), x)
        return torch.while_loop(lambda i, x: i < 10, lambda i, x: (i + 1, x * 2), start)

    counted = converted(lambda x: loop(x)[0] * 1000, FLOATS)
    assert not counted.report.warnings
    doubled = converted(lambda x: loop(x)[1], IDS)
    (warning,) = doubled.report.warnings
    assert "the result of a loop" in warning
    assert torch.equal(doubled(IDS), loop(IDS)[1])


def test_a_counter_that_is_kept_is_checked():
    class Counter(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("count", torch.ones(1, dtype=torch.int64))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.count = self.count * 1024
            return x + self.count

    result = mobilekit.convert(Counter().eval(), torch.zeros(1), verify=False)
    assert result(torch.zeros(1)).item() == 1024
    result(torch.zeros(1))
    # 2^20 * 1024 = 2^30 still fits; from there it would not.
    result(torch.zeros(1))
    with pytest.raises(InputError, match="buffer 'count' holds 1073741824"):
        result(torch.zeros(1))


# -- random programs ---------------------------------------------------------------------------------------------------

NUMBERS = st.sampled_from([1, 2, 3, 7, 31, 255, 1000, 1024, 65_535, 65_599, 1_000_003, 2_654_435_761])
UNARY = {
    "neg": lambda x: -x,
    "abs": torch.abs,
    "cumsum": lambda x: x.cumsum(0),
    "sum": lambda x: x.sum().expand(x.shape),
    "square": lambda x: x * x,
    "flip": lambda x: x.flip(0),
    "sort": lambda x: x.sort().values,
    "argsort": lambda x: x.argsort(stable=True),
    "positive": lambda x: (x > 0).long(),
    "not": lambda x: ~x,
    "pad": lambda x: torch.nn.functional.pad(x, (1, 0))[:-1],
}
WITH_NUMBER = {
    "add": lambda x, n: x + n,
    "sub": lambda x, n: n - x,
    "mul": lambda x, n: x * n,
    "floor": lambda x, n: x // n,
    "trunc": lambda x, n: torch.div(x, n, rounding_mode="trunc"),
    "mod": lambda x, n: x % n,
    "fmod": torch.fmod,
    "clamp": lambda x, n: x.clamp(-n, n),
    "and": lambda x, n: x & n,
    "or": lambda x, n: x | n,
    "xor": lambda x, n: x ^ n,
    "shift": lambda x, n: x >> (n % 20),
    "left": lambda x, n: x << (n % 20),
}
BINARY = {
    "plus": lambda x, y: x + y,
    "minus": lambda x, y: x - y,
    "times": lambda x, y: x * y,
    "max": torch.maximum,
    "min": torch.minimum,
    "where": lambda x, y: torch.where(x > y, x, y - 1),
    "and2": lambda x, y: x & y,
    "xor2": lambda x, y: x ^ y,
    "gather": lambda x, y: x.gather(0, y % len(x)),
    "cat": lambda x, y: torch.cat([x, y])[1::2],
    "add at": lambda x, y: torch.zeros_like(x).index_add(0, y % len(x), x),
}
STEPS = st.one_of(
    st.tuples(st.sampled_from(sorted(UNARY)), st.none()),
    st.tuples(st.sampled_from(sorted(WITH_NUMBER)), NUMBERS),
    st.tuples(st.sampled_from(sorted(BINARY)), st.none()),
)
# Both sides of the places where products, sums and the type itself run over.
VALUES = st.one_of(
    st.integers(-10, 10), st.integers(-(2**16), 2**16), st.integers(-(2**31), 2**31 - 1), st.integers(0, 2**34)
)


def program(steps: list[tuple[str, int | None]]) -> Any:
    def run(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        for name, number in steps:
            if name in UNARY:
                x = UNARY[name](x)
            elif name in WITH_NUMBER:
                x = WITH_NUMBER[name](x, number)
            else:
                x, y = BINARY[name](x, y), x
        return x

    return run


def agrees_or_refuses(steps: list[tuple[str, int | None]], example: Any, calls: Any) -> int:
    """How many calls were answered; each of them equals PyTorch exactly."""
    function = program(steps)
    try:
        result = mobilekit.convert(Function(function).eval(), example, backend="direct", verify=False)
    except (UnsupportedOpsError, InputError):
        return 0
    answered = 0
    for call in [example, *calls]:
        try:
            found = result(*call)
        except InputError:
            continue
        answered += 1
        assert torch.equal(found, function(*call)), (steps, call, result.report.integer_limits)
    _at_limits(result, function)
    return answered


def _pairs(values: Any) -> Any:
    four = st.lists(values, min_size=4, max_size=4).map(lambda numbers: torch.tensor(numbers, dtype=torch.int64))
    return st.tuples(four, four)


def _at_limits(result: Any, function: Any) -> None:
    """The edges of what is allowed are where a wrong limit shows."""
    named = {found.input: (found.low, found.high) for found in result.report.integer_limits}
    edges = [named.get(spec.name, (-(2**31), 2**31 - 1)) for spec in result.sidecar.inputs]
    rng = np.random.default_rng(0)
    for _ in range(4 if len(edges) == 2 else 0):
        call = tuple(torch.tensor(rng.choice([low, high, high - 1], 4)) for low, high in edges)
        assert torch.equal(result(*call), function(*call)), (call, named)


SETTINGS = settings(deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


@settings(SETTINGS, max_examples=12)
@given(st.lists(STEPS, min_size=1, max_size=5), _pairs(st.integers(-10, 10)), st.lists(_pairs(VALUES), max_size=3))
def test_random_programs_are_exact_or_refused(steps, example, calls):
    agrees_or_refuses(steps, example, calls)


@pytest.mark.slow
@settings(SETTINGS, max_examples=400)
@given(st.lists(STEPS, min_size=1, max_size=8), _pairs(VALUES), st.lists(_pairs(VALUES), max_size=4))
def test_many_random_programs_are_exact_or_refused(steps, example, calls):
    agrees_or_refuses(steps, example, calls)


def test_the_random_programs_are_not_all_refused():
    steps = [("mul", 31), ("add", 7), ("mod", 1000)]
    example = (torch.arange(4), torch.arange(4))
    assert agrees_or_refuses(steps, example, [(torch.full((4,), 2**20), torch.arange(4))]) == 2
