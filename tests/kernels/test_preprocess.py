from __future__ import annotations

import functools
from typing import Any

import numpy as np
import pytest

from mobilekit import kernels
from mobilekit.errors import InputError, MobilekitError
from mobilekit.kernels import Image, InputTypeError, Preprocessor, preprocess, reference
from mobilekit.kernels.request import SUPPORT, PreprocessRequest, center_crop, letterbox, pad_right

from .cases import Case, read_cases


def level_bound(request: PreprocessRequest) -> float:
    """Largest possible distance to float64 in levels; the terms are those of cpp/include/mobilekit/preprocess.h."""
    if request.filter in SUPPORT:
        # Weights are rounded to 2^-14 each, and the largest takes what that leaves: n * 2^-14 in all for n pixels.
        lengths = request.crop[2:] if request.rotation in (0, 180) else request.crop[:1:-1]
        steps = [max(length / count, 1.0) for length, count in zip(lengths, request.rect[2:], strict=True)]
        weights = sum(2 * SUPPORT[request.filter] * step + 2 for step in steps)
        # A cubic's weights without their signs sum to 1.4 at most: so far are the first pass's errors stretched.
        plane = (weights * 255 / 2**14 + 0.5) * (1.4 if request.filter == "bicubic" else 1.0) + 0.5 / 64
    else:
        # Each axis rounds its weight to 1/128 (off by 1/256 of at most 255 levels); rows round to 1, columns to 1/64.
        # Nearest takes one pixel with weight 1.
        plane = 0.0 if request.filter == "nearest" else 2 * 255 / 256 + 0.5 + 0.5 / 64
    if request.image.format == "yuv420":
        gain = float(np.abs(reference.color_matrix(request.color)[0]).sum(axis=1).max())
    else:
        gain = 1.0
    # Up to three rounded Q15 products at 1/64 level, and coefficients off by 2^-16 of at most 255 levels.
    return plane * gain + 3 * 0.5 / 64 + 3 * 255 / 65536


def output_bound(request: PreprocessRequest, expected: np.ndarray) -> np.ndarray | float:
    bound = level_bound(request) * max(request.multiply)
    if expected.dtype.kind in "iu":
        return bound + 1.0  # two numbers less than `bound` apart round to integers less than `bound` + 1 apart
    # float32: three roundings of a value below 2 * 255 * multiply; float16 rounds once more, to 11 bits.
    largest = float(np.abs(expected.astype(np.float64)).max()) + 1
    return bound + largest * (2.0**-10 if expected.dtype == np.float16 else 2.0**-21)


@functools.cache
def truth(case: Case) -> np.ndarray:
    """Once a case, for all instruction sets."""
    request = case.request()
    expected = np.empty(request.shape, request.dtype)
    reference.preprocess(request, expected)
    return expected


@pytest.mark.parametrize("case", read_cases(), ids=str)
def test_is_near_the_float64_reference(case: Case, isa: str) -> None:
    request, expected = case.request(), truth(case)
    actual = kernels.run(request)
    distance = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    assert distance.max() <= output_bound(request, expected)


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
def test_without_resizing_only_turns_pixels(isa: str, rotation: int, mirror: bool) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (37, 53, 3), dtype=np.uint8)
    expected = np.rot90(pixels, -rotation // 90)
    expected = expected[:, ::-1] if mirror else expected
    height, width = expected.shape[:2]
    actual = preprocess(Image.rgb(pixels), (height, width), rotation=rotation, mirror=mirror, dtype="uint8")
    np.testing.assert_array_equal(actual[0], expected)


def camera_frame(width: int, height: int) -> tuple[np.ndarray, Image]:
    """A scene with soft shading, hard coloured edges and noise, as RGB and as an NV21 frame (BT.601 full range)."""
    rng = np.random.default_rng(7)
    y, x = np.mgrid[0:height, 0:width] / float(max(width, height))
    rgb = np.stack([120 + 90 * np.sin(5 * x + c) * np.cos(4 * y - c) for c in range(3)], axis=2)
    for _ in range(60):
        left, top = rng.integers(0, width), rng.integers(0, height)
        w, h = rng.integers(4, width // 4), rng.integers(4, height // 4)
        rgb[top : top + h, left : left + w] = rng.integers(10, 245, 3)
    rgb = np.clip(rgb + rng.normal(0, 2, rgb.shape), 0, 255)
    matrix, offset = reference.color_matrix("bt601-full")
    yuv = rgb @ np.linalg.inv(matrix).T + offset
    chroma = yuv[:, :, 1:].reshape(height // 2, 2, width // 2, 2, 2).mean(axis=(1, 3))
    planes = [yuv[:, :, 0].ravel(), chroma[:, :, ::-1].ravel()]
    frame = np.clip(np.rint(np.concatenate(planes)), 0, 255).astype(np.uint8)
    return rgb, Image.nv21(frame, width, height)


@pytest.mark.parametrize("size", [224, 320])
def test_a_camera_frame_is_within_5_levels_of_converting_every_pixel_first(isa: str, size: int) -> None:
    """The bar of the project: p99 <= 5 levels against float64 that converts, clamps and only then resizes.

    Resizing first differs from that only where colours leave 0 .. 255 (saturated edges), which is rare in real scenes.
    """
    _, image = camera_frame(960, 540)
    request = Preprocessor((size, size), rotation=90, dtype="uint8").request(image)
    truth = reference.levels(request, color_first=True)
    distance = np.abs(kernels.run(request)[0].astype(np.float64) - truth)
    assert np.percentile(distance, 99) <= 5
    assert distance.mean() <= 0.5  # rounding to integers alone makes 0.25


def test_equals_opencv_on_rgb_within_the_bound(isa: str) -> None:
    cv2 = pytest.importorskip("cv2")
    pixels = np.random.default_rng(1).integers(0, 256, (123, 217, 3), dtype=np.uint8)
    expected = cv2.resize(pixels, (96, 64), interpolation=cv2.INTER_LINEAR)
    actual = preprocess(Image.rgb(pixels), (64, 96), dtype="uint8")[0]
    # OpenCV rounds its own weights to 1/2048 and its result once: 0.5 + 2 * 255 / 4096 more than our own bound,
    # rounded.
    assert np.abs(actual.astype(int) - expected).max() <= 4


@pytest.mark.parametrize("out_size", [(64, 96), (17, 30), (200, 300)])
@pytest.mark.parametrize("filter", ["antialias", "bicubic"])
def test_averages_as_pil_does(isa: str, filter: str, out_size: tuple[int, int]) -> None:
    image = pytest.importorskip("PIL.Image")
    # Levels that leave a cubic room to overshoot: PIL does columns first, and clamps in that order.
    pixels = np.random.default_rng(2).integers(80, 176, (123, 217, 3), dtype=np.uint8)
    method = image.Resampling.BILINEAR if filter == "antialias" else image.Resampling.BICUBIC
    expected = np.asarray(image.fromarray(pixels).resize(out_size[::-1], method))
    actual = preprocess(Image.rgb(pixels), out_size, filter=filter, dtype="uint8")[0]
    # A cubic's second pass stretches the first one's rounding by 1.4, on both sides: 2 * (0.7 + 0.5). The bar is 1.
    assert np.abs(actual.astype(int) - expected).max() <= (1 if filter == "antialias" else 2)


def test_area_is_the_area_of_opencv(isa: str) -> None:
    cv2 = pytest.importorskip("cv2")
    pixels = np.random.default_rng(3).integers(0, 256, (123, 217, 3), dtype=np.uint8)
    expected = cv2.resize(pixels, (30, 41), interpolation=cv2.INTER_AREA)
    actual = preprocess(Image.rgb(pixels), (41, 30), filter="area", dtype="uint8")[0]
    assert np.abs(actual.astype(int) - expected).max() <= 1  # we round twice, OpenCV once


def test_threads_do_not_change_the_bytes(isa: str) -> None:
    _, image = camera_frame(320, 240)
    one = preprocess(image, (100, 90), rotation=270, dtype="float32", threads=1)
    np.testing.assert_array_equal(one, preprocess(image, (100, 90), rotation=270, dtype="float32", threads=3))


def test_writes_into_out_with_and_without_the_batch_axis(isa: str) -> None:
    pixels = np.full((8, 8, 3), 200, np.uint8)
    for shape in ((1, 4, 5, 3), (4, 5, 3)):
        out = np.zeros(shape, np.int8)
        assert preprocess(Image.rgb(pixels), (4, 5), zero_point=-128, out=out) is out
        assert (out == 200 - 128).all()


def test_folds_normalization_into_the_quantization(isa: str) -> None:
    pixels = np.array([[[0, 128, 255]]], np.uint8)
    actual = preprocess(
        Image.rgb(pixels),
        (1, 1),
        mean=(123.675, 116.28, 103.53),
        std=(58.395, 57.12, 57.375),
        scale=0.0186,
        zero_point=-14,
    )
    expected = ((pixels[0, 0] - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]) / 0.0186 - 14
    np.testing.assert_array_equal(actual[0, 0, 0], np.clip(np.rint(expected), -128, 127))


@pytest.mark.parametrize(("color", "yuv", "rgb"), [
    ("bt601-full", (255, 128, 128), (255, 255, 255)),
    ("bt601-full", (76, 85, 255), (254, 0, 0)),  # JFIF red, its integers rounded
    ("bt601-limited", (16, 128, 128), (0, 0, 0)),
    ("bt601-limited", (235, 128, 128), (255, 255, 255)),
    ("bt601-limited", (81, 90, 240), (254, 0, 0)),
    ("bt709-limited", (63, 102, 240), (255, 1, 0)),
    ("bt709-full", (54, 99, 255), (254, 0, 2)),
])  # fmt: skip
def test_known_colours(isa: str, color: str, yuv: tuple[int, ...], rgb: tuple[int, ...]) -> None:
    image = Image.i420(bytes([yuv[0]] * 4 + [yuv[1], yuv[2]]), 2, 2)
    actual = preprocess(image, (1, 1), color=color, dtype="uint8")[0, 0, 0]
    # The integers of the table are rounded Y, U and V: each half a level, times the gain of the matrix (below 3).
    assert np.abs(actual.astype(int) - rgb).max() <= 2


def test_letterbox_keeps_the_aspect_and_fills_the_rest(isa: str) -> None:
    pixels = np.full((100, 200, 3), 50, np.uint8)
    out = preprocess(Image.rgb(pixels), (64, 64), fit="letterbox", dtype="uint8")[0]
    assert (out[16:48] == 50).all()
    assert (out[:16] == 114).all()
    assert (out[48:] == 114).all()


def test_where_the_picture_goes() -> None:
    assert letterbox((1920, 1080), (640, 640)) == (0, 140, 640, 360)
    assert letterbox((1080, 1920), (640, 640)) == (140, 0, 360, 640)
    assert letterbox((3, 1000), (10, 10)) == (4, 0, 1, 10)  # never narrower than one pixel
    assert pad_right((100, 32), (48, 320)) == (0, 0, 150, 48)
    assert pad_right((1000, 32), (48, 320)) == (0, 0, 320, 48)
    assert center_crop((0, 0, 640, 480), (224, 224), 0.875) == (110, 30, 420, 420)
    assert center_crop((0, 0, 100, 100), (1, 2)) == (0, 25, 100, 50)


def test_a_preprocessor_gives_what_preprocess_gives(isa: str) -> None:
    options: dict[str, Any] = {"rotation": 90, "mean": 127.5, "std": 127.5, "dtype": "float32", "fit": "letterbox"}
    run = Preprocessor((64, 48), **options)
    for width, height in ((60, 40), (60, 40), (40, 60)):
        pixels = np.random.default_rng(width).integers(0, 256, (height, width, 3), dtype=np.uint8)
        np.testing.assert_array_equal(run(Image.rgb(pixels)), preprocess(Image.rgb(pixels), (64, 48), **options))
    with pytest.raises(InputTypeError, match=r"^rotate: no such option"):
        Preprocessor((64, 48), rotate=90)


RGB = Image.rgb(np.zeros((20, 30, 3), np.uint8))


LONG = Image.rgb(np.zeros((20, 400, 3), np.uint8))


def read_only(shape: tuple[int, ...]) -> np.ndarray:
    out = np.zeros(shape, np.int8)
    out.flags.writeable = False
    return out


@pytest.mark.parametrize(("arguments", "message"), [
    ({"image": np.zeros((2, 2, 3), np.uint8)}, "image: expected a mobilekit.kernels.Image, got ndarray"),
    ({"image": None}, "image: expected a mobilekit.kernels.Image, got NoneType"),
    ({"out_size": 4}, "out_size: expected (height, width), got 4"),
    ({"out_size": (0, 4)}, "out_size: expected 1 to 16777216 pixels a side, got (0, 4)"),
    ({"rotation": 45}, "rotation: expected 0, 90, 180 or 270 degrees clockwise, got 45"),
    ({"crop": (0, 0, 31, 20)}, "crop: expected (x, y, width, height) inside 30x20 and not empty"),
    ({"crop": (0, 0, 0, 20)}, "crop: expected (x, y, width, height) inside 30x20 and not empty"),
    ({"crop": (float("nan"), 0, 1, 1)}, "crop: expected (x, y, width, height) inside 30x20 and not empty"),
    ({"crop": (1, 2, 3)}, "crop: expected (x, y, width, height), got (1, 2, 3)"),
    ({"filter": "lanczos"}, "filter: expected one of "),
    ({"filter": "bicubic", "image": LONG}, "filter: bicubic from 400 to 4 pixels averages more than 256 pixels"),
    ({"color": "srgb"}, "color: expected one of bt601-full"),
    ({"channels": "rgba"}, "channels: expected one of rgb, bgr, gray"),
    ({"dtype": "int32"}, "dtype: expected one of int8, uint8, float32, int16, float16, got 'int32'"),
    ({"layout": "hwc"}, "layout: expected one of nhwc, nchw, got 'hwc'"),
    ({"fit": "cover"}, "fit: expected one of stretch"),
    ({"fit": "center-crop", "crop_fraction": 0}, "crop_fraction: expected a number above 0 and at most 1, got 0"),
    ({"mean": (1, 2)}, "mean: expected 1 or 3 numbers, got 2"),
    ({"mean": "x"}, "mean: expected a number or 3 of them, got 'x'"),
    ({"std": 0}, "std: expected numbers above 0"),
    ({"std": (1, float("nan"), 1)}, "std: expected finite numbers"),
    ({"scale": 0}, "scale: expected a number above 0, got 0"),
    ({"scale": 1e-300}, "std, scale: levels would leave the range of int32"),
    ({"zero_point": 0.5}, "zero_point: expected an integer, got 0.5"),
    ({"pad_level": 300}, "pad_level: expected levels from 0 to 255, got 300"),
    ({"threads": 0}, "threads: expected 1 to 64, got 0"),
    ({"out": [1]}, "out: expected a int8 array, got list"),
    ({"out": np.zeros((1, 4, 4, 3), np.uint8)}, "out: expected dtype int8, got uint8"),
    ({"out": np.zeros((4, 4), np.int8)}, "out: expected shape (1, 4, 4, 3), got (4, 4)"),
    ({"out": np.zeros((1, 4, 4, 6), np.int8)[..., ::2]}, "out: expected a contiguous, aligned array"),
    ({"out": read_only((1, 4, 4, 3))}, "out: the array is read-only"),
])  # fmt: skip
def test_names_the_bad_argument(arguments: dict[str, Any], message: str) -> None:
    arguments = {"image": RGB, "out_size": (4, 4), **arguments}
    with pytest.raises((InputError, InputTypeError)) as caught:
        preprocess(arguments.pop("image"), arguments.pop("out_size"), **arguments)
    assert str(caught.value).startswith(message)
    assert isinstance(caught.value, MobilekitError)
    assert isinstance(caught.value, (ValueError, TypeError))


def test_out_may_not_overlap_the_image() -> None:
    memory = np.zeros(4 * 4 * 3, np.uint8)
    with pytest.raises(InputError, match="out: the array overlaps the image"):
        preprocess(Image.rgb(memory.reshape(4, 4, 3)), (4, 4), dtype="uint8", out=memory.reshape(1, 4, 4, 3))
