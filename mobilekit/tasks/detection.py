"""Detection: the output of a YOLO head -> boxes on the picture, told by the sidecar alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import InputError
from mobilekit.kernels import boxes_to_frame, detect_yolo
from mobilekit.kernels.request import PreprocessRequest
from mobilekit.sidecar import DetectionSpec, Sidecar, TensorSpec


@dataclass(frozen=True)
class Decoder:
    """How the head lays out its one output tensor; boxes are centre and size in pixels of the input."""

    layout: str
    objectness: bool

    def classes(self, shape: tuple[int, ...]) -> int:
        """How many classes a tensor of this ``shape`` scores; below 1 where it is none of this decoder."""
        if len(shape) not in (2, 3) or (len(shape) == 3 and shape[0] != 1) or min(shape) < 1:
            return 0
        channels = shape[-2] if self.layout == "channels-first" else shape[-1]
        return channels - 4 - self.objectness


DECODERS: Final[dict[str, Decoder]] = {
    "yolov8": Decoder("channels-first", objectness=False),  # v8, v9, v11: 1 x 84 x 8400
    "yolov5": Decoder("channels-last", objectness=True),  # v5, v7, YOLOX with decoding: 1 x 25200 x 85
}
"""What ``postprocess.decoder`` of a sidecar may say; the app has the same table (Detector.kt)."""


@dataclass(frozen=True)
class Detection:
    """One thing on the picture; ``box`` is x1, y1, x2, y2 in pixels of the picture, and may reach over it."""

    index: int
    label: str
    score: float
    box: tuple[float, float, float, float]


class Postprocess:
    """The output tensor as the file gives it (float32 or int8) -> detections, best first."""

    def __init__(self, spec: DetectionSpec, tensor: TensorSpec, labels: tuple[str, ...] | None = None) -> None:
        """:class:`InputError` where the sidecar contradicts itself or names a decoder that is not known."""
        decoder = DECODERS.get(spec.decoder)
        if decoder is None:
            raise InputError(f"decoder '{spec.decoder}' is not known; known are {', '.join(DECODERS)}")
        if tensor.dtype not in ("int8", "float32"):
            raise InputError(f"output '{tensor.name}' is {tensor.dtype}: detection reads int8 and float32")
        classes = decoder.classes(tensor.shape)
        if classes < 1:
            raise InputError(f"output '{tensor.name}' is {list(tensor.shape)}: no output of {spec.decoder}")
        if labels is not None and len(labels) != classes:
            raise InputError(f"the sidecar has {len(labels)} labels for {classes} classes")
        self.spec, self.decoder, self.labels = spec, decoder, labels
        self.shape = tensor.shape
        self.quantization = tensor.quantization if tensor.dtype == "int8" else None

    @staticmethod
    def from_sidecar(sidecar: Sidecar | str | Path) -> Postprocess:
        """:class:`InputError` where the sidecar is not that of a detector of one output."""
        document = sidecar if isinstance(sidecar, Sidecar) else Sidecar.read(sidecar)
        if not isinstance(document.postprocess, DetectionSpec):
            raise InputError(f"the sidecar of '{document.model}' does not describe a detector")
        if len(document.outputs) != 1:
            raise InputError(f"'{document.model}' has {len(document.outputs)} outputs, a YOLO detector has one")
        return Postprocess(document.postprocess, document.outputs[0], document.labels)

    def __call__(self, output: NDArray[Any], request: PreprocessRequest) -> tuple[Detection, ...]:
        """``request`` says how the input was made of the picture: :meth:`mobilekit.kernels.Preprocessor.request`."""
        q = self.quantization
        found = detect_yolo(
            np.ascontiguousarray(output).reshape(self.shape),
            confidence=self.spec.score_threshold,
            iou_threshold=self.spec.iou_threshold,
            layout=self.decoder.layout,
            objectness=self.decoder.objectness,
            max_detections=self.spec.max_results,
            scale=1.0 if q is None else q.scale,
            zero_point=0 if q is None else q.zero_point,
        )
        boxes = boxes_to_frame(found.boxes, request)
        return tuple(
            Detection(int(index), self.label(int(index)), float(score), (float(a), float(b), float(c), float(d)))
            for index, score, (a, b, c, d) in zip(found.classes, found.scores, boxes, strict=True)
        )

    def label(self, index: int) -> str:
        return self.labels[index] if self.labels is not None else f"class {index}"
