# ruff: noqa: E501 - a table of cases reads best unwrapped
from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from mobilekit.errors import InputError
from mobilekit.kernels import Image, InputTypeError, reference


def frame_planes(width: int, height: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(width * 100 + height)
    chroma = ((height + 1) // 2, (width + 1) // 2)
    return tuple(rng.integers(0, 256, shape, dtype=np.uint8) for shape in ((height, width), chroma, chroma))  # type: ignore[return-value]


def packed(row_stride: int, *columns: np.ndarray) -> np.ndarray:
    """Interleaves columns of equal shape into rows `row_stride` bytes apart."""
    rows = np.stack(columns, axis=2).reshape(columns[0].shape[0], -1)
    return np.pad(rows, ((0, 0), (0, row_stride - rows.shape[1]))).ravel()


@pytest.mark.parametrize(("width", "height"), [(6, 4), (7, 5), (1, 1), (2, 3)])
@pytest.mark.parametrize("pad", [0, 9])
def test_every_order_in_memory_is_the_same_frame(width: int, height: int, pad: int) -> None:
    y, u, v = frame_planes(width, height)
    stride, even = width + pad, 2 * ((width + 1) // 2)
    luma, chroma_stride = packed(stride, y), max(stride, even)
    nv21 = Image.nv21(np.concatenate([luma, packed(chroma_stride, v, u)]), width, height, row_stride=stride)
    expected = reference.components(nv21)
    np.testing.assert_array_equal(expected[:, :, 0], y)
    np.testing.assert_array_equal(expected[:, :, 1], u.repeat(2, 0).repeat(2, 1)[:height, :width])
    np.testing.assert_array_equal(expected[:, :, 2], v.repeat(2, 0).repeat(2, 1)[:height, :width])
    others = [
        Image.nv12(np.concatenate([luma, packed(chroma_stride, u, v)]), width, height, row_stride=stride),
        Image.i420(b"".join(p.tobytes() for p in (y, u, v)), width, height),
        Image.yv12(memoryview(b"".join(p.tobytes() for p in (y, v, u))), width, height),
        Image.yuv420(y, u, v, width, height),
    ]
    for image in others:
        np.testing.assert_array_equal(reference.components(image), expected)


def test_packed_pixels_are_views() -> None:
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    part = pixels[1:4, 2:6]
    image = Image.rgb(part)
    assert image.row_strides == (21,)
    assert np.shares_memory(image.planes[0], pixels)
    np.testing.assert_array_equal(reference.components(image), part)
    np.testing.assert_array_equal(reference.components(Image.bgr(part)), part[:, :, ::-1])
    with_alpha = np.concatenate([part, part[:, :, :1]], axis=2)
    np.testing.assert_array_equal(reference.components(Image.rgba(with_alpha)), part)
    np.testing.assert_array_equal(reference.components(Image.bgra(with_alpha)), part[:, :, ::-1])
    np.testing.assert_array_equal(reference.components(Image.gray(part[:, :, 0].copy()))[:, :, 0], part[:, :, 0])


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: Image.nv21(b"123", 4, 4), InputError, "data: a 4x4 frame with row stride 4 and chroma at 16 needs 24 bytes, got 3"),
    (lambda: Image.nv21(bytes(99), 4, 4, row_stride=3), InputError, "y: row stride 3 is shorter than a row of 4 bytes"),
    (lambda: Image.nv21(bytes(99), 4, 4, chroma_offset=-1), InputError, "data: a 4x4 frame"),
    (lambda: Image.nv21(bytes(99), 0, 4), InputError, "row_stride: expected at least 1, got 0"),
    (lambda: Image.nv12(None, 4, 4), InputTypeError, "data: expected a buffer of bytes or a uint8 array, got NoneType"),
    (lambda: Image.i420(np.zeros(24, np.float32), 4, 4), InputTypeError, "data: expected uint8, got float32"),
    (lambda: Image.i420(np.zeros(48, np.uint8)[::2], 4, 4), InputError, "data: expected contiguous memory"),
    (lambda: Image.i420(bytes(23), 4, 4), InputError, "data: a 4x4 frame needs 24 bytes, got 23"),
    (lambda: Image.i420(bytes(23), -4, 4), InputError, "width: expected at least 1, got -4"),
    (lambda: Image.yuv420(bytes(16), bytes(4), bytes(3), 4, 4), InputError, "v: 2 rows of 2 bytes, 2 apart, need 4 bytes, got 3"),
    (lambda: Image.yuv420(bytes(16), bytes(9), bytes(9), 4, 4, uv_pixel_stride=3), InputError, "pixel_stride: expected 1 or 2, got 3"),
    (lambda: Image.yuv420(bytes(16), bytes(9), bytes(9), 4, 4, uv_row_stride=1), InputError, "u: row stride 1 is shorter"),
    (lambda: Image.rgb(np.zeros((4, 4), np.uint8)), InputError, "pixels: expected shape (height, width, 3), got (4, 4)"),
    (lambda: Image.rgb(np.zeros((4, 4, 4), np.uint8)), InputError, "pixels: expected shape (height, width, 3), got (4, 4, 4)"),
    (lambda: Image.rgb(np.zeros((4, 4, 3))), InputTypeError, "pixels: expected a uint8 array of shape (height, width, 3), got float64"),
    (lambda: Image.rgb([[1, 2, 3]]), InputTypeError, "pixels: expected a uint8 array of shape (height, width, 3), got list"),  # type: ignore[arg-type]
    (lambda: Image.rgb(np.zeros((0, 4, 3), np.uint8)), InputError, "pixels: expected at least one pixel"),
    (lambda: Image.rgb(np.zeros((4, 4, 3), np.uint8)[:, ::2]), InputError, "pixels: expected contiguous rows"),
    (lambda: Image.rgb(np.zeros((4, 4, 3), np.uint8)[::-1]), InputError, "pixels: expected contiguous rows"),
    (lambda: Image.gray(np.zeros((4, 4, 3), np.uint8)), InputError, "pixels: expected shape (height, width), got (4, 4, 3)"),
])  # fmt: skip
def test_names_the_bad_argument(make: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        make()
    assert str(caught.value).startswith(message)
