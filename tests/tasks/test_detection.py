"""The output of a YOLO head becomes boxes on the picture: known boxes in, the same boxes out, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mobilekit.errors import InputError
from mobilekit.kernels import Image, Preprocessor
from mobilekit.sidecar import AffineSpec, ClassificationSpec, DetectionSpec, Sidecar, TensorSpec
from mobilekit.tasks.detection import DECODERS, Postprocess


def tensor(shape: tuple[int, ...], dtype: str = "float32", quantization: AffineSpec | None = None) -> TensorSpec:
    return TensorSpec(
        name="out", shape=shape, dtype=dtype, quantization=quantization, model_shape=shape, model_dtype="float32",
        order=tuple(range(len(shape))),
    )  # fmt: skip


def sidecar(shape: tuple[int, ...], **changes: Any) -> Sidecar:
    return Sidecar(
        model="net", mobilekit_version="0", sha256="", min_runtime_version="", quantize="none",
        inputs=(), outputs=(tensor(shape),), postprocess=DetectionSpec(decoder="yolov8"),
    ).model_copy(update=changes)  # fmt: skip


def head(decoder: str, anchors: int = 6, classes: int = 3) -> np.ndarray:
    """Two anchors that see something: class 2 at (32, 24) of 16 x 8 pixels, and class 0 at (10, 50) of 4 x 4."""
    rows = np.zeros((anchors, 4 + DECODERS[decoder].objectness + classes), np.float32)
    rows[1, :4], rows[4, :4] = (32, 24, 16, 8), (10, 50, 4, 4)
    if DECODERS[decoder].objectness:
        rows[:, 4] = 1
    rows[1, -classes + 2], rows[4, -classes] = 0.75, 0.5
    return rows[None] if DECODERS[decoder].layout == "channels-last" else np.ascontiguousarray(rows.T)[None]


@pytest.mark.parametrize("decoder", DECODERS)
def test_boxes_come_back_to_the_picture(decoder: str) -> None:
    output = head(decoder)
    run = Postprocess(DetectionSpec(decoder=decoder), tensor(output.shape), ("cup", "hat", "dog"))
    picture = Image.rgb(np.zeros((96, 128, 3), np.uint8))
    # 128 x 96 letterboxed into 64 x 64: half the size, 8 rows of padding above.
    request = Preprocessor((64, 64), fit="letterbox").request(picture)
    first, second = run(output, request)
    assert (first.index, first.label, first.score) == (2, "dog", 0.75)
    assert first.box == (48.0, 24.0, 80.0, 40.0)
    assert (second.label, second.score, second.box) == ("cup", 0.5, (16.0, 80.0, 24.0, 88.0))


def test_int8_is_read_through_its_scale() -> None:
    real = head("yolov8")
    affine = AffineSpec(scale=0.25, zero_point=-128)
    stored = (real / 0.25 - 128).astype(np.int8)
    request = Preprocessor((64, 64)).request(Image.rgb(np.zeros((64, 64, 3), np.uint8)))
    found = Postprocess(DetectionSpec(decoder="yolov8"), tensor(real.shape, "int8", affine))(stored, request)
    exact = Postprocess(DetectionSpec(decoder="yolov8"), tensor(real.shape))(real, request)
    assert found == exact  # every value here is a multiple of 0.25
    assert found[0].label == "class 2"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (sidecar((1, 7, 6), postprocess=DetectionSpec(decoder="ssd")), "decoder 'ssd' is not known; known are yolov8"),
        (sidecar((1, 4, 6)), r"output 'out' is \[1, 4, 6\]: no output of yolov8"),
        (sidecar((2, 7, 6)), r"output 'out' is \[2, 7, 6\]: no output of yolov8"),
        (sidecar((1, 7, -1)), r"output 'out' is \[1, 7, -1\]: no output of yolov8"),
        (sidecar((1, 7, 6), labels=("a",)), "1 labels for 3 classes"),
        (sidecar((1, 7, 6), outputs=(tensor((1, 7, 6), "int16"),)), "is int16: detection reads int8 and float32"),
        (sidecar((1, 7, 6), outputs=(tensor((1, 7, 6)),) * 2), "'net' has 2 outputs, a YOLO detector has one"),
        (sidecar((1, 7, 6), postprocess=ClassificationSpec()), "does not describe a detector"),
    ],
)  # fmt: skip
def test_errors(document: Sidecar, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Postprocess.from_sidecar(document)
