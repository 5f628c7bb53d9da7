# ruff: noqa: E501 - a table of cases reads best unwrapped
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilekit.errors import InputError
from mobilekit.kernels import InputTypeError, reference, segment


def some_scores(height: int, width: int, classes: int, dtype: Any, seed: int = 0) -> np.ndarray:
    """(height, width, classes): smooth regions with borders, as a network gives them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    phase = rng.uniform(0, 6, (3, classes))
    scores = 40 * np.sin(5 * x[..., None] + phase[0]) * np.cos(4 * y[..., None] + phase[1]) + 10 * np.sin(phase[2])
    return np.rint(scores).astype(dtype) if dtype == np.int8 else scores.astype(dtype)


SIZES = [(1, 1), (1, 7), (5, 1), (17, 33), (64, 64), (40, 65)]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("classes", [1, 2, 7, 8, 9, 21, 256])
@pytest.mark.parametrize("layout", ["nhwc", "nchw"])
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_equals_the_reference(isa: str, size: tuple[int, int], classes: int, layout: str, dtype: Any) -> None:
    scores = some_scores(*size, classes, dtype)
    output = np.ascontiguousarray(scores if layout == "nhwc" else scores.transpose(2, 0, 1))[None]
    for out_size in ((1, 1), (size[0] * 3 + 1, size[1] * 2 + 1), (9, 11)):
        expected = reference.segment(scores, (0, 0, size[1], size[0]), out_size)
        np.testing.assert_array_equal(segment(output, out_size, layout=layout), expected)
        np.testing.assert_array_equal(segment(output, out_size, layout=layout, threads=3), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_equals_opencv_resize_and_argmax(isa: str, dtype: Any) -> None:
    cv2 = pytest.importorskip("cv2")
    scores = some_scores(65, 65, 21, dtype)
    resized = np.stack([cv2.resize(scores[:, :, c].astype(np.float32), (240, 135)) for c in range(21)], axis=2)
    ranked = np.sort(resized, axis=2)
    # Three roundings of numbers up to 50 on either side: classes closer than that may swap.
    clear = ranked[:, :, -1] - ranked[:, :, -2] > 6 * 50 * 2.0**-23
    mask = segment(scores, (135, 240))
    assert clear.mean() > 0.98
    np.testing.assert_array_equal(mask[clear], resized.argmax(axis=2)[clear])


@given(
    st.integers(1, 12), st.integers(1, 80), st.integers(1, 9), st.integers(0, 10**6), st.sampled_from(["nhwc", "nchw"])
)
@settings(max_examples=100, deadline=None)
def test_equals_the_reference_on_anything(height: int, width: int, classes: int, seed: int, layout: str) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.integers(-2, 3, (height, width, classes)).astype(np.float32)  # ties and borders everywhere
    odd = rng.random(scores.shape) < 0.1
    scores[odd] = rng.choice(np.array([np.nan, np.inf, -np.inf, 3e38], np.float32), int(odd.sum()))
    x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
    rect = (x, y, int(rng.integers(1, width - x + 1)), int(rng.integers(1, height - y + 1)))
    out_size = (int(rng.integers(1, 30)), int(rng.integers(1, 90)))
    output = np.ascontiguousarray(scores if layout == "nhwc" else scores.transpose(2, 0, 1))
    mask = segment(output, out_size, layout=layout, rect=rect)
    np.testing.assert_array_equal(mask, reference.segment(scores, rect, out_size))


def test_a_letterbox_is_cut_off(isa: str) -> None:
    scores = np.zeros((8, 8, 3), np.int8)
    scores[2:6, :, 1] = 1
    scores[2:6, 4:, 2] = 2
    mask = segment(scores, (4, 8), rect=(0, 2, 8, 4), out=np.empty((4, 8), np.uint8))
    np.testing.assert_array_equal(mask, [[1, 1, 1, 1, 2, 2, 2, 2]] * 4)


SCORES = np.zeros((1, 4, 6, 3), np.float32)
READ_ONLY = np.zeros((2, 2), np.uint8)
READ_ONLY.flags.writeable = False


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: segment(None, (2, 2)), InputTypeError, "output: expected a float32 or int8 array, got NoneType"),  # type: ignore[arg-type]
    (lambda: segment(SCORES[0, 0], (2, 2)), InputError, "output: expected scores of one picture in nhwc, got shape (6, 3)"),
    (lambda: segment(SCORES[:, ::2], (2, 2)), InputError, "output: expected a contiguous, aligned array"),
    (lambda: segment(np.zeros((2, 2, 257), np.int8), (2, 2)), InputError, "output: expected at most 256 classes, got 257"),
    (lambda: segment(SCORES, (2, 2), layout="hwc"), InputError, "layout: expected one of nhwc, nchw, got 'hwc'"),
    (lambda: segment(SCORES, (0, 2)), InputError, "out_size: expected at least 1, got 0"),
    (lambda: segment(SCORES, (2, 2), rect=(0, 0, 7, 4)), InputError, "rect: expected (x, y, width, height) inside 6x4, got (0, 0, 7, 4)"),
    (lambda: segment(SCORES, (2, 2), rect=(0, 0, 0, 4)), InputError, "rect: expected (x, y, width, height) inside 6x4"),
    (lambda: segment(SCORES, (2, 2), threads=0), InputError, "threads: expected 1 to 64, got 0"),
    (lambda: segment(SCORES, (2, 2), out=np.zeros((2, 3), np.uint8)), InputError, "out: expected shape (2, 2), got (2, 3)"),
    (lambda: segment(SCORES, (2, 2), out=np.zeros((2, 2), np.int8)), InputTypeError, "out: expected a uint8 array, got int8 array"),  # type: ignore[arg-type]
    (lambda: segment(SCORES, (2, 2), out=READ_ONLY), InputError, "out: the array is read-only"),
    (lambda: segment(SCORES, (2, 2), out=SCORES.view(np.uint8).reshape(-1)[:4].reshape(2, 2)), InputError, "out: the array overlaps the scores"),
])  # fmt: skip
def test_names_the_bad_argument(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
