# ruff: noqa: E501 - a table of cases reads best unwrapped
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mobilekit.errors import InputError
from mobilekit.kernels import InputTypeError, reference, softmax, top_k

COUNTS = [1, 2, 15, 16, 17, 31, 32, 33, 64, 65, 1000, 6625]


@pytest.mark.parametrize("n", COUNTS)
def test_top_k_orders_by_score_then_index(isa: str, n: int) -> None:
    rng = np.random.default_rng(n)
    scores = rng.integers(0, 30, n).astype(np.float32)  # many ties
    scores[rng.random(n) < 0.05] = np.nan
    k = min(n, 7)
    indices, values = top_k(scores, k)
    np.testing.assert_array_equal(indices, reference.top_k(scores, k))
    np.testing.assert_array_equal(values, scores[indices])
    assert indices.dtype == np.int32
    assert values.dtype == np.float32


@pytest.mark.parametrize("n", COUNTS)
def test_int8_scores_are_compared_as_they_are(isa: str, n: int) -> None:
    scores = np.random.default_rng(n).integers(-128, 128, (1, n), dtype=np.int8)
    k = min(n, 5)
    indices, values = top_k(scores, k, scale=0.25, zero_point=-7)
    np.testing.assert_array_equal(indices, reference.top_k(scores[0], k))
    np.testing.assert_array_equal(values, 0.25 * (scores[0, indices].astype(np.float32) + 7))


@given(hnp.arrays(np.float32, st.integers(1, 200), elements=st.floats(width=32)), st.data())
@settings(max_examples=200, deadline=None)
def test_top_k_of_anything(scores: np.ndarray, data: Any) -> None:
    k = data.draw(st.integers(1, scores.size))
    np.testing.assert_array_equal(top_k(scores, k)[0], reference.top_k(scores, k))


@pytest.mark.parametrize("n", COUNTS)
def test_softmax_is_near_float64(isa: str, n: int) -> None:
    scores = np.random.default_rng(n).normal(0, 8, n).astype(np.float32)
    # Relative: the float32 argument of exp is off by 2^-24 of at most 70, the polynomial by 2e-7, the sum by less.
    np.testing.assert_allclose(softmax(scores), reference.softmax(scores), rtol=5e-6, atol=1e-37)
    quantized = np.random.default_rng(n).integers(-128, 128, n, dtype=np.int8)
    np.testing.assert_allclose(softmax(quantized, scale=0.1), reference.softmax(quantized, 0.1), rtol=5e-6, atol=1e-37)


def test_softmax_of_large_scores_does_not_overflow(isa: str) -> None:
    np.testing.assert_allclose(softmax(np.array([3e38, 3e38, -3e38], np.float32)), [0.5, 0.5, 0.0])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_softmax_of_what_is_no_number_is_nan(isa: str, bad: float) -> None:
    assert np.isnan(softmax(np.array([1.0, bad, 2.0], np.float32))).all()


SCORES = np.zeros(10, np.float32)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: top_k([1.0], 1), InputTypeError, "scores: expected a float32 or int8 array, got list"),  # type: ignore[arg-type]
    (lambda: top_k(np.zeros(3), 1), InputTypeError, "scores: expected a float32 or int8 array, got float64 array"),
    (lambda: top_k(np.zeros((2, 3), np.float32), 1), InputError, "scores: expected the scores of one example, got shape (2, 3)"),
    (lambda: top_k(np.zeros(0, np.float32), 1), InputError, "scores: expected the scores of one example, got shape (0,)"),
    (lambda: top_k(SCORES[::2], 1), InputError, "scores: expected a contiguous array"),
    (lambda: top_k(SCORES, 11), InputError, "k: expected 1 to 10, got 11"),
    (lambda: top_k(SCORES, 0), InputError, "k: expected 1 to 10, got 0"),
    (lambda: top_k(SCORES, 1, scale=2.0), InputError, "scale, zero_point: float32 scores are not quantized"),
    (lambda: softmax(np.zeros(3, np.int8), scale=-1), InputError, "scale: expected a number above 0, got -1"),
    (lambda: softmax(np.zeros(3, np.int8), zero_point=200), InputError, "zero_point: expected -128 to 127, got 200"),
])  # fmt: skip
def test_names_the_bad_argument(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
