# ruff: noqa: E501 - a table of cases reads best unwrapped
from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mobilekit.errors import InputError
from mobilekit.kernels import InputTypeError, cosine, l2_normalize, reference

COUNTS = [1, 2, 15, 16, 17, 31, 33, 127, 128, 512, 20000]

# Both sides round a float64 result to float32 once; float64 sums in another order may tip that rounding: one float32 step.
STEP = 2.0**-23


@pytest.mark.parametrize("n", COUNTS)
def test_has_length_one_and_the_same_direction(isa: str, n: int) -> None:
    x = np.random.default_rng(n).normal(0, 3, (1, n)).astype(np.float32)
    unit = l2_normalize(x)
    np.testing.assert_allclose(unit, reference.l2_normalize(x[0], 0), rtol=STEP, atol=0)
    # Each element is off by half a step at most.
    assert np.linalg.norm(unit.astype(np.float64)) == pytest.approx(1, abs=STEP)


@pytest.mark.parametrize("n", COUNTS)
def test_int8_equals_its_values(isa: str, n: int) -> None:
    q = np.random.default_rng(n).integers(-128, 128, n, dtype=np.int8)
    real = 0.25 * (q.astype(np.float32) - 5)  # exact in float32, and the scale cancels
    np.testing.assert_allclose(l2_normalize(q, zero_point=5), l2_normalize(real), rtol=STEP, atol=0)
    gallery = np.random.default_rng(n + 1).integers(-128, 128, (3, n), dtype=np.int8)
    expected = cosine(real, 2.0 * (gallery.astype(np.float32) + 128))
    actual = cosine(q, gallery, zero_point=5, gallery_zero_point=-128)
    np.testing.assert_allclose(actual, expected, rtol=STEP, atol=1e-15)


@pytest.mark.parametrize("n", COUNTS)
def test_cosine_is_near_float64(isa: str, n: int) -> None:
    rng = np.random.default_rng(n)
    query, gallery = rng.normal(0, 3, n).astype(np.float32), rng.normal(0, 3, (5, n)).astype(np.float32)
    gallery[1], gallery[2], gallery[3] = query, -query, 0
    actual = cosine(query, gallery)
    np.testing.assert_array_equal(actual[1:4], [1, -1, 0])
    # The dot product cancels: float64 roundings of n terms of the size of the lengths' product.
    np.testing.assert_allclose(actual, reference.cosine(query, 0, gallery, 0), rtol=STEP, atol=n * 2.0**-52)


def test_large_and_small_floats_do_not_overflow(isa: str) -> None:
    np.testing.assert_array_equal(l2_normalize(np.array([3e38, 0, 4e-45], np.float32)), [1, 0, 0])
    assert cosine(np.array([1e-40, 1e-40], np.float32), np.array([[3e38, 3e38]], np.float32))[0] == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_has_no_direction(isa: str, bad: float) -> None:
    assert np.isnan(l2_normalize(np.array([1, bad, 2], np.float32))).all()
    assert np.isnan(cosine(np.array([1, bad], np.float32), np.ones((1, 2), np.float32))).all()
    np.testing.assert_array_equal(l2_normalize(np.zeros(20, np.float32)), np.zeros(20))
    np.testing.assert_array_equal(l2_normalize(np.full(20, 7, np.int8), zero_point=7), np.zeros(20))


X, GALLERY = np.ones(4, np.float32), np.ones((2, 4), np.float32)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: l2_normalize([1.0]), InputTypeError, "embedding: expected a float32 or int8 array, got list"),  # type: ignore[arg-type]
    (lambda: l2_normalize(np.zeros(0, np.float32)), InputError, "embedding: expected shape (n,), got (0,)"),
    (lambda: l2_normalize(GALLERY), InputError, "embedding: expected shape (n,), got (2, 4)"),
    (lambda: l2_normalize(X[::2]), InputError, "embedding: expected a contiguous, aligned array"),
    (lambda: l2_normalize(X, zero_point=1), InputError, "zero_point: float32 embeddings are not quantized"),
    (lambda: l2_normalize(X.astype(np.int8), zero_point=128), InputError, "zero_point: expected -128 to 127, got 128"),
    (lambda: cosine(X, GALLERY.astype(np.int8)), InputTypeError, "gallery: expected a float32 array, got int8 array"),
    (lambda: cosine(X, GALLERY[:, :3].copy()), InputError, "gallery: expected shape (rows, 4), got (2, 3)"),
    (lambda: cosine(X, X), InputError, "gallery: expected 2 axes, got shape (4,)"),
])  # fmt: skip
def test_names_the_bad_argument(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
