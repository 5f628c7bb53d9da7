"""Output tensor -> detections: YOLO decoding, non-maximum suppression, boxes back in the frame.

The rules (ties, thresholds, empty boxes) are written down in cpp/include/mobilekit/detect.h; they are torchvision's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from mobilekit.errors import InputError
from mobilekit.kernels import checks, native, reference
from mobilekit.kernels.request import PreprocessRequest

LAYOUTS = ("channels-first", "channels-last")
BOX_FORMATS = ("cxcywh", "xyxy")
MAX_DETECTIONS = 300


@dataclass(frozen=True)
class Detections:
    """Best first. ``boxes``: n x 4 float32 corners (x1, y1, x2, y2); the others n float32 and int32."""

    boxes: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    classes: npt.NDArray[np.int32]
    anchors: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.scores)


def nms(
    boxes: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    iou_threshold: float,
    *,
    classes: npt.NDArray[np.int32] | None = None,
    max_detections: int | None = None,
) -> npt.NDArray[np.int32]:
    """Indices of the boxes that are kept, best first: ``torchvision.ops.nms``, or ``batched_nms`` with ``classes``.

    :param boxes: (n, 4) float32 corners, contiguous.
    :param scores: (n,) float32; NaN is never kept.
    :param iou_threshold: 0 to 1; a box goes if its IoU with a kept one is above it.
    :param classes: (n,) int32; only boxes of one class suppress each other.
    :param max_detections: stop after so many.
    """
    checks.array("boxes", boxes, np.float32, 2)
    checks.array("scores", scores, np.float32, 1)
    if boxes.shape != (len(scores), 4):
        raise InputError(f"boxes: expected shape {(len(scores), 4)} for {len(scores)} scores, got {boxes.shape}")
    if classes is not None:
        checks.array("classes", classes, np.int32, 1)
        if classes.shape != scores.shape:
            raise InputError(f"classes: expected {len(scores)} of them, got {len(classes)}")
    checks.probability("iou_threshold", iou_threshold)
    most = len(scores) if max_detections is None else checks.count("max_detections", max_detections)
    extension = native.extension()
    if extension is None or len(scores) == 0:
        return reference.nms(boxes, scores, float(iou_threshold), classes, most)
    return extension.nms(boxes, scores, classes, float(iou_threshold), most)  # type: ignore[no-any-return]


def detect_yolo(
    output: npt.NDArray[Any],
    *,
    confidence: float = 0.25,
    iou_threshold: float = 0.45,
    layout: str = "channels-first",
    objectness: bool = False,
    box_format: str = "cxcywh",
    class_agnostic: bool = False,
    max_detections: int = MAX_DETECTIONS,
    scale: float = 1.0,
    zero_point: int = 0,
) -> Detections:
    """Detections of a YOLO head whose boxes are decoded in the model (v5, v7, v8, v11, YOLOX with decoding).

    :param output: float32, or int8 with ``scale`` and ``zero_point`` (read as it is); (channels, anchors) for
        "channels-first" (v8, v11: 84 x 8400), (anchors, channels) for "channels-last" (v5, v7: 25200 x 85), with or
        without a batch axis of 1.
    :param confidence: an anchor is a candidate if its best class score (times objectness) is above this.
    :param objectness: channel 4 is an objectness that multiplies the class scores (v5, v7, YOLOX).
    :param box_format: "cxcywh" or "xyxy".
    :returns: at most ``max_detections``, in the units of the tensor (see :func:`boxes_to_frame`).
    """
    table = checks.without_batch(checks.model_output("output", output), 2)
    if layout not in LAYOUTS:
        raise InputError(f"layout: expected one of {', '.join(LAYOUTS)}, got {layout!r}")
    if box_format not in BOX_FORMATS:
        raise InputError(f"box_format: expected one of {', '.join(BOX_FORMATS)}, got {box_format!r}")
    least = 5 + bool(objectness)
    channels = table.shape[0 if layout == "channels-first" else 1] if table.ndim == 2 else 0
    if table.ndim != 2 or channels < least or table.size == 0:
        raise InputError(f"output: expected 2 axes with at least {least} channels ({layout}), got shape {output.shape}")
    checks.contiguous("output", table)
    checks.probability("confidence", confidence)
    checks.probability("iou_threshold", iou_threshold)
    checks.quantization("a float32 output is", table, scale, zero_point)
    checks.count("max_detections", max_detections)
    extension = native.extension()
    if extension is None:
        by_anchor = table.T if layout == "channels-first" else table
        found = reference.yolo(
            by_anchor,
            confidence,
            iou_threshold,
            bool(objectness),
            box_format,
            class_agnostic,
            max_detections,
            scale,
            zero_point,
        )
        return Detections(*found)
    anchors = table.size // channels
    return Detections(
        *extension.yolo(
            table, scale, zero_point, anchors, channels - 4 - bool(objectness), LAYOUTS.index(layout), int(objectness),
            BOX_FORMATS.index(box_format), confidence, iou_threshold, class_agnostic, max_detections,
        )
    )  # fmt: skip


def boxes_to_frame(boxes: npt.NDArray[np.float32], request: PreprocessRequest) -> npt.NDArray[np.float32]:
    """Boxes in pixels of the tensor -> corners in pixels of the frame as stored; a new array, not clipped to the frame.

    :param boxes: (n, 4) corners. Multiply normalised boxes by the tensor's size first.
    :param request: how the tensor was made: :meth:`mobilekit.kernels.Preprocessor.request`.
    """
    if not isinstance(boxes, np.ndarray) or boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InputError(
            f"boxes: expected an array of shape (n, 4), got {getattr(boxes, 'shape', type(boxes).__name__)}"
        )
    result = np.array(boxes, dtype=np.float32, order="C")
    extension = native.extension()
    if extension is None:
        return reference.boxes_to_frame(result, request)
    extension.boxes_to_frame(result, request.crop, request.rotation, request.mirror, request.rect)
    return result
