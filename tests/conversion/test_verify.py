"""The comparison itself: each figure by hand, and every way to fail."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from mobilekit.conversion.verify import compare_output, judge, sqnr_db

NAN, INF = float("nan"), float("inf")


def row(*values: float) -> np.ndarray:
    return np.array([values], np.float32)


def test_sqnr_by_hand() -> None:
    # signal 9 + 16 = 25, noise 0.25: a ratio of 100, 20 dB.
    assert sqnr_db(np.array([3.0, 4.0]), np.array([3.5, 4.0])) == pytest.approx(20.0)
    assert sqnr_db(np.zeros(2), np.zeros(2)) == INF
    assert sqnr_db(np.zeros(2), np.ones(2)) == -INF


def test_a_comparison_by_hand() -> None:
    output = compare_output("y", [(row(3, 4), row(3.5, 4)), (row(1, 0), row(0, 1)), (row(1, 2), row(1, 2))])
    assert output.sqnr_db_per_sample[0] == pytest.approx(20.0)
    assert output.sqnr_db == pytest.approx(20.0)  # the median of 20, -3 and infinity
    assert output.max_abs_error == 1.0
    assert output.max_abs_reference == 4.0
    assert output.top1_agreement == pytest.approx(2 / 3)
    assert not output.nan_mismatch


@pytest.mark.parametrize(
    ("reference", "got", "mismatch"),
    [
        (row(1, NAN), row(1, NAN), False),
        (row(1, INF), row(1, INF), False),
        (row(1, 2), row(1, NAN), True),
        (row(1, NAN), row(1, 2), True),
        (row(1, INF), row(1, -INF), True),
        (row(1, 2), row(1, INF), True),
    ],
)
def test_what_is_not_finite_must_agree(reference: Any, got: Any, mismatch: bool) -> None:
    output = compare_output("y", [(reference, got)])
    assert output.nan_mismatch == mismatch
    assert math.isfinite(output.max_abs_error)


def test_agreement_is_for_rows_of_scores_alone() -> None:
    image = np.zeros((1, 2, 2, 3), np.float32)
    assert compare_output("y", [(image, image)]).top1_agreement is None


def _judge(reference: Any, got: Any, quantized: bool) -> Any:
    return judge([([reference], [got])], ["y"], quantized=quantized, data="example", reference="r", runtime="t")


@pytest.mark.parametrize(
    ("reference", "got", "quantized", "failure"),
    [
        (row(1, 1), row(1, 1.0009), False, None),
        (row(1, 1), row(1, 1.002), False, "'y' is off by 0.002, at most 0.001 is allowed"),
        (row(1, 1000), row(1, 1000.9), False, None),
        (row(1, 1), row(1, NAN), False, "'y' has NaN or Inf where the reference has none, or the reverse"),
        (row(3, 4), row(4, 4), True, None),  # 14 dB
        (row(3, 4), row(5, 5), True, "'y' has an SQNR of 7.0 dB, at least 10 is asked"),
        (np.array([1, 2]), np.array([2, 2]), True, None),
    ],
)
def test_the_bars(reference: Any, got: Any, quantized: bool, failure: str | None) -> None:
    report = _judge(reference, got, quantized)
    assert report.failures == (() if failure is None else (failure,))
    assert report.passed == (failure is None)
