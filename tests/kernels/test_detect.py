# ruff: noqa: E501 - a table of cases reads best unwrapped
from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mobilekit.errors import InputError
from mobilekit.kernels import Image, InputTypeError, Preprocessor, boxes_to_frame, detect_yolo, nms, reference


def some_boxes(n: int, seed: int = 0, *, coarse: bool = False) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Clusters of overlapping boxes; coarse ones share corners and scores, so that ties happen."""
    rng = np.random.default_rng(seed)
    corner = rng.uniform(0, 100, (n, 2))
    size = rng.uniform(5, 60, (n, 2))
    boxes, scores = np.concatenate([corner, corner + size], axis=1), rng.uniform(0, 1, n)
    if coarse:
        boxes, scores = np.round(boxes / 20) * 20, np.round(scores, 1)
    return boxes.astype(np.float32), scores.astype(np.float32), rng.integers(0, 4, n).astype(np.int32)


@pytest.mark.parametrize("n", [0, 1, 2, 15, 16, 17, 33, 200, 1000])
@pytest.mark.parametrize("coarse", [False, True])
@pytest.mark.parametrize("iou_threshold", [0.0, 0.45, 0.5, 1.0])
def test_nms_equals_torchvision(isa: str, n: int, coarse: bool, iou_threshold: float) -> None:
    boxes, scores, classes = some_boxes(n, coarse=coarse)
    ops = pytest.importorskip("torchvision.ops")
    torch = pytest.importorskip("torch")
    tensors = torch.from_numpy(boxes), torch.from_numpy(scores)
    np.testing.assert_array_equal(nms(boxes, scores, iou_threshold), ops.nms(*tensors, iou_threshold).numpy())
    # batched_nms of few boxes shifts each class away and so rounds differently; one nms a class is its definition.
    keep = [ops.nms(boxes_c, scores_c, iou_threshold) for boxes_c, scores_c in
            ((tensors[0][classes == c], tensors[1][classes == c]) for c in range(4))]  # fmt: skip
    expected = np.concatenate([np.flatnonzero(classes == c)[k.numpy()] for c, k in enumerate(keep)])
    expected = expected[np.lexsort((expected, -scores[expected]))]
    np.testing.assert_array_equal(nms(boxes, scores, iou_threshold, classes=classes), expected)


@given(st.integers(0, 60), st.integers(0, 10**6), st.sampled_from([0.0, 0.3, 0.5, 0.999, 1.0]), st.integers(1, 70))
@settings(max_examples=150, deadline=None)
def test_nms_equals_the_reference_on_anything(n: int, seed: int, iou_threshold: float, most: int) -> None:
    boxes, scores, classes = some_boxes(n, seed, coarse=True)
    rng = np.random.default_rng(seed)
    for array in (boxes.reshape(-1), scores):
        odd = rng.random(array.size) < 0.1
        array[odd] = rng.choice(np.array([np.nan, np.inf, -np.inf, 0, -1, 3e38], np.float32), int(odd.sum()))
    actual = nms(boxes, scores, iou_threshold, classes=classes, max_detections=most)
    np.testing.assert_array_equal(actual, reference.nms(boxes, scores, iou_threshold, classes, most))


def yolo_output(anchors: int, classes: int, objectness: bool) -> np.ndarray:
    """(anchors, channels) of a plausible head: most scores near 0, clusters of boxes on few objects."""
    rng = np.random.default_rng(anchors)
    centre = rng.choice(rng.uniform(50, 590, (12, 2)), anchors) + rng.normal(0, 6, (anchors, 2))
    size = rng.uniform(40, 120, (anchors, 2))
    scores = rng.beta(0.3, 4, (anchors, classes + objectness))
    return np.concatenate([centre, size, scores], axis=1).astype(np.float32)


@pytest.mark.parametrize("anchors", [1, 63, 64, 65, 300, 1000])
@pytest.mark.parametrize("layout", ["channels-first", "channels-last"])
@pytest.mark.parametrize("objectness", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.int8])
def test_yolo_equals_the_reference(isa: str, anchors: int, layout: str, objectness: bool, dtype: Any) -> None:
    table = yolo_output(anchors, 7, objectness)
    quantization: dict[str, Any] = {}
    if dtype == np.int8:
        table = np.clip(np.rint(table / 5) - 128, -128, 127).astype(np.int8)
        table[:, 4:] = np.random.default_rng(0).integers(-128, -40, table[:, 4:].shape)
        quantization = {"scale": 0.01, "zero_point": -128}
    for confidence, agnostic, box_format, most in ((0.25, False, "cxcywh", 300), (0.001, True, "xyxy", 17)):
        expected = reference.yolo(
            table,
            confidence,
            0.45,
            objectness,
            box_format,
            agnostic,
            most,
            quantization.get("scale", 1.0),
            quantization.get("zero_point", 0),
        )
        output = np.ascontiguousarray(table.T if layout == "channels-first" else table)[None]
        actual = detect_yolo(
            output, confidence=confidence, layout=layout, objectness=objectness, box_format=box_format,
            class_agnostic=agnostic, max_detections=most, **quantization,
        )  # fmt: skip
        for got, want in zip((actual.boxes, actual.scores, actual.classes, actual.anchors), expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_yolo_skips_what_is_no_number(isa: str) -> None:
    output = np.zeros((6, 3), np.float32)
    output[4:, 0] = [np.nan, 0.5]
    output[4:, 1] = np.nan
    output[:4, 2] = np.nan
    output[4, 2] = 0.9
    found = detect_yolo(output)
    np.testing.assert_array_equal(found.anchors, [2, 0])
    np.testing.assert_array_equal(found.classes, [0, 1])


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("fit", ["stretch", "letterbox", "center-crop"])
def test_a_box_comes_back_to_where_it_was(isa: str, rotation: int, mirror: bool, fit: str) -> None:
    """Paints a rectangle into a frame, finds it in the tensor, and asks where that is in the frame."""
    pixels = np.zeros((120, 200, 3), np.uint8)
    left, top, right, bottom = 70, 30, 110, 80
    pixels[top:bottom, left:right] = 255
    run = Preprocessor(
        (96, 64), rotation=rotation, mirror=mirror, fit=fit, pad_level=0, dtype="uint8", crop=(20, 0, 160, 110)
    )
    image = Image.rgb(pixels)
    rows, columns = np.nonzero(run(image)[0, :, :, 0] > 127)
    box = np.array([[columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]], np.float32)
    # A tensor pixel is at most 200 / 64 = 3.2 frame pixels wide, and an edge is found to half of one.
    np.testing.assert_allclose(boxes_to_frame(box, run.request(image))[0], [left, top, right, bottom], atol=2)


BOXES, SCORES = np.zeros((3, 4), np.float32), np.zeros(3, np.float32)
OUTPUT = np.zeros((1, 84, 10), np.float32)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: nms(BOXES.astype(np.float64), SCORES, 0.5), InputTypeError, "boxes: expected a float32 array, got float64 array"),
    (lambda: nms(None, SCORES, 0.5), InputTypeError, "boxes: expected a float32 array, got NoneType"),  # type: ignore[arg-type]
    (lambda: nms(BOXES[:2], SCORES, 0.5), InputError, "boxes: expected shape (3, 4) for 3 scores, got (2, 4)"),
    (lambda: nms(BOXES, SCORES[None], 0.5), InputError, "scores: expected 1 axes, got shape (1, 3)"),
    (lambda: nms(BOXES[:, ::-1], SCORES, 0.5), InputError, "boxes: expected a contiguous, aligned array"),
    (lambda: nms(BOXES, SCORES, 1.5), InputError, "iou_threshold: expected a number from 0 to 1, got 1.5"),
    (lambda: nms(BOXES, SCORES, float("nan")), InputError, "iou_threshold: expected a number from 0 to 1, got nan"),
    (lambda: nms(BOXES, SCORES, 0.5, classes=np.zeros(2, np.int32)), InputError, "classes: expected 3 of them, got 2"),
    (lambda: nms(BOXES, SCORES, 0.5, max_detections=0), InputError, "max_detections: expected at least 1, got 0"),
    (lambda: detect_yolo(OUTPUT.astype(np.int16)), InputTypeError, "output: expected a float32 or int8 array, got int16 array"),
    (lambda: detect_yolo(OUTPUT[:, :4].copy()), InputError, "output: expected 2 axes with at least 5 channels"),
    (lambda: detect_yolo(OUTPUT[0, 0]), InputError, "output: expected 2 axes with at least 5 channels"),
    (lambda: detect_yolo(OUTPUT[:, :, ::2]), InputError, "output: expected a contiguous, aligned array"),
    (lambda: detect_yolo(OUTPUT, confidence=-0.1), InputError, "confidence: expected a number from 0 to 1, got -0.1"),
    (lambda: detect_yolo(OUTPUT, layout="nhwc"), InputError, "layout: expected one of channels-first, channels-last, got 'nhwc'"),
    (lambda: detect_yolo(OUTPUT, box_format="xywh"), InputError, "box_format: expected one of cxcywh, xyxy, got 'xywh'"),
    (lambda: detect_yolo(OUTPUT, scale=0.1), InputError, "scale, zero_point: a float32 output is not quantized"),
    (lambda: boxes_to_frame(SCORES, None), InputError, "boxes: expected an array of shape (n, 4), got (3,)"),  # type: ignore[arg-type]
])  # fmt: skip
def test_names_the_bad_argument(call: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert str(caught.value).startswith(message)
