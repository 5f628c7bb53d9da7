# ruff: noqa: E501 - a table of cases reads best unwrapped
from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilekit.errors import InputError
from mobilekit.kernels import InputTypeError, ctc_beam, ctc_greedy, reference

CLASSES = [1, 2, 31, 63, 64, 65, 511, 512, 513, 1025, 6625]


def greedy_by_the_book(scores: np.ndarray, blank: int) -> list[tuple[int, int]]:
    """What every OCR repository has: argmax, then a loop."""
    found, before = [], blank
    for step, row in enumerate(scores):
        best = int(row.argmax())
        if best not in (blank, before):
            found.append((best, step))
        before = best
    return found


@pytest.mark.parametrize("classes", CLASSES)
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_greedy_equals_the_usual_loop(isa: str, classes: int, dtype: Any) -> None:
    rng = np.random.default_rng(classes)
    scores = rng.integers(-128, 128, (40, classes)).astype(dtype)  # many ties: the lower class wins
    scores[rng.random(40) < 0.4, classes // 2] = 127
    blank = classes // 3
    quantization: dict[str, Any] = {} if dtype == np.float32 else {"scale": 0.5, "zero_point": -3}
    reading = ctc_greedy(scores[None], blank=blank, **quantization)
    assert list(zip(reading.symbols, reading.steps, strict=True)) == greedy_by_the_book(scores, blank)
    values = scores[reading.steps, reading.symbols].astype(np.float32)
    np.testing.assert_array_equal(reading.scores, values if dtype == np.float32 else 0.5 * (values + 3))


def test_repeats_are_merged_unless_a_blank_stands_between(isa: str) -> None:
    path = [0, 2, 2, 0, 2, 1, 1, 0, 0]
    reading = ctc_greedy(np.eye(3, dtype=np.float32)[path])
    assert reading.text(["-", "b", "a"]) == "aab"
    np.testing.assert_array_equal(reading.steps, [1, 4, 5])


def test_a_step_without_a_number_is_blank(isa: str) -> None:
    scores = np.full((5, 600), np.nan, np.float32)
    scores[1, 599] = -np.inf  # smaller than every number but NaN
    scores[3, 7] = 0.5
    np.testing.assert_array_equal(ctc_greedy(scores).symbols, [599, 7])


@given(st.integers(1, 60), st.integers(1, 700), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_greedy_equals_the_reference_on_anything(steps: int, classes: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(-3, 3, (steps, classes)).astype(np.float32)
    odd = rng.random(scores.shape) < 0.3
    scores[odd] = rng.choice(np.array([np.nan, np.inf, -np.inf], np.float32), int(odd.sum()))
    reading = ctc_greedy(scores, blank=classes - 1)
    symbols, at = reference.ctc_greedy(scores, classes - 1)
    np.testing.assert_array_equal(reading.symbols, symbols)
    np.testing.assert_array_equal(reading.steps, at)


def every_alignment(probabilities: np.ndarray, blank: int) -> dict[tuple[int, ...], float]:
    """The definition: each path through the steps adds its probability to what it spells."""
    total: dict[tuple[int, ...], float] = {}
    for path in itertools.product(range(probabilities.shape[1]), repeat=len(probabilities)):
        merged = [c for i, c in enumerate(path) if c != blank and (i == 0 or path[i - 1] != c)]
        p = float(np.prod([float(row[c]) for row, c in zip(probabilities, path, strict=True)]))
        total[tuple(merged)] = total.get(tuple(merged), 0.0) + p
    return total


@pytest.mark.parametrize("seed", range(6))
def test_a_wide_beam_finds_the_sum_over_all_alignments(isa: str, seed: int) -> None:
    probabilities = np.random.default_rng(seed).dirichlet([0.5] * 3, 6).astype(np.float32)
    truth = every_alignment(probabilities, blank=0)
    best = sorted(truth.items(), key=lambda item: -item[1])[:5]
    found = ctc_beam(probabilities, beam_width=256, results=5)
    assert [tuple(h.symbols) for h in found] == [symbols for symbols, _ in best]
    # Sums of at most 3^6 float64 products, each off by 6 roundings of 2^-53.
    np.testing.assert_allclose([h.probability for h in found], [p for _, p in best], rtol=1e-12)


def test_the_beam_finds_what_greedy_misses(isa: str) -> None:
    # The best path is blank blank with 0.16; the three paths that spell "a" add up to 0.4025.
    probabilities = np.array([[0.4, 0.35, 0.25]] * 2, np.float32)
    assert len(ctc_greedy(probabilities)) == 0
    (best,) = ctc_beam(probabilities)
    assert best.text("-ab") == "a"
    # Float32 inputs: three products of numbers rounded to 2^-24 each.
    assert best.probability == pytest.approx(0.35 * 0.35 + 2 * 0.35 * 0.4, rel=1e-6)


@given(st.integers(1, 25), st.integers(1, 12), st.integers(1, 9), st.integers(0, 10**6))
@settings(max_examples=80, deadline=None)
def test_the_beam_equals_the_reference_on_anything(steps: int, classes: int, width: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    # Rounded, so that prefixes leave the beam and return.
    probabilities = np.round(rng.dirichlet([0.4] * classes, steps), 2).astype(np.float32)
    odd = rng.random(probabilities.shape) < 0.05
    probabilities[odd] = rng.choice(np.array([np.nan, -1, 0], np.float32), int(odd.sum()))
    found = ctc_beam(probabilities, blank=classes // 2, beam_width=width, results=width)
    expected = reference.ctc_beam(probabilities, classes // 2, width, width)
    assert [tuple(h.symbols) for h in found] == [tuple(symbols) for symbols, _ in expected]
    assert [h.probability for h in found] == [p for _, p in expected]


def test_a_thousand_steps_do_not_underflow_on_the_way(isa: str) -> None:
    probabilities = np.full((1000, 2), 1e-9, np.float32)
    probabilities[::2, 1] = probabilities[1::2, 0] = 1e-3  # a million times likelier than anything else in the step
    (best,) = ctc_beam(probabilities, beam_width=4)
    assert len(best.symbols) == 500
    assert best.probability == 0.0  # 1e-3000 itself is below the range of float64


TABLE = np.zeros((1, 4, 5), np.float32)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: ctc_greedy([1.0]), InputTypeError, "output: expected a float32 or int8 array, got list"),  # type: ignore[arg-type]
    (lambda: ctc_greedy(TABLE.astype(np.float64)), InputTypeError, "output: expected a float32 or int8 array, got float64 array"),
    (lambda: ctc_greedy(np.zeros((2, 4, 5), np.float32)), InputError, "output: expected shape (steps, classes), got (2, 4, 5)"),
    (lambda: ctc_greedy(np.zeros((0, 5), np.float32)), InputError, "output: expected shape (steps, classes), got (0, 5)"),
    (lambda: ctc_greedy(TABLE[0, :, ::2]), InputError, "output: expected a contiguous, aligned array"),
    (lambda: ctc_greedy(TABLE, blank=5), InputError, "blank: expected a class from 0 to 4, got 5"),
    (lambda: ctc_greedy(TABLE, blank=-1), InputError, "blank: expected a class from 0 to 4, got -1"),
    (lambda: ctc_greedy(TABLE, scale=0.5), InputError, "scale, zero_point: a float32 output is not quantized"),
    (lambda: ctc_beam(TABLE.astype(np.int8)), InputTypeError, "probabilities: expected a float32 array, got int8 array"),
    (lambda: ctc_beam(TABLE, beam_width=257), InputError, "beam_width: expected 1 to 256, got 257"),
    (lambda: ctc_beam(TABLE, beam_width=2, results=3), InputError, "results: expected 1 to 2, got 3"),
    (lambda: ctc_greedy(np.eye(3, dtype=np.float32)).text(["-", "a"]), InputError, "charset: expected a string for each class, got 2 and class 2"),
])  # fmt: skip
def test_names_the_bad_argument(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
