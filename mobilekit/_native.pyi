"""The C++ kernels (cpp/bindings/python.cc). Use :mod:`mobilekit.kernels`, which checks arguments and can fall back."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

def preprocess(
    planes: Sequence[npt.NDArray[np.uint8]],
    format: int,
    width: int,
    height: int,
    row_strides: Sequence[int],
    chroma_pixel_stride: int,
    out: npt.NDArray[Any],
    threads: int,
    crop: tuple[float, float, float, float],
    rotation: int,
    mirror: bool,
    filter: int,
    color: int,
    out_size: tuple[int, int],
    channels: int,
    dtype: int,
    layout: int,
    rect: tuple[int, int, int, int],
    pad_level: tuple[float, float, float],
    multiply: tuple[float, float, float],
    add: tuple[float, float, float],
) -> None: ...
def top_k_f32(scores: npt.NDArray[np.float32], k: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]: ...
def top_k_i8(
    scores: npt.NDArray[np.int8], k: int, scale: float, zero_point: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]: ...
def softmax_f32(scores: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]: ...
def softmax_i8(scores: npt.NDArray[np.int8], scale: float) -> npt.NDArray[np.float32]: ...
def nms(
    boxes: npt.NDArray[np.float32],
    scores: npt.NDArray[np.float32],
    classes: npt.NDArray[np.int32] | None,
    iou_threshold: float,
    max_keep: int,
) -> npt.NDArray[np.int32]: ...
def yolo(
    output: npt.NDArray[Any],
    scale: float,
    zero_point: int,
    anchors: int,
    classes: int,
    layout: int,
    objectness: int,
    box_format: int,
    confidence: float,
    iou_threshold: float,
    class_agnostic: bool,
    max_detections: int,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.int32], npt.NDArray[np.int32]]: ...
def boxes_to_frame(
    boxes: npt.NDArray[np.float32],
    crop: tuple[float, float, float, float],
    rotation: int,
    mirror: bool,
    rect: tuple[int, int, int, int],
) -> None: ...
def ctc_greedy_f32(
    scores: npt.NDArray[np.float32], blank: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]: ...
def ctc_greedy_i8(
    scores: npt.NDArray[np.int8], blank: int, scale: float, zero_point: int
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.float32]]: ...
def ctc_beam(
    probabilities: npt.NDArray[np.float32], blank: int, beam_width: int, results: int
) -> list[tuple[npt.NDArray[np.int32], float]]: ...
def segment(
    scores: npt.NDArray[Any],
    layout: int,
    size: tuple[int, int, int],
    rect: tuple[int, int, int, int],
    out: npt.NDArray[np.uint8],
    threads: int,
) -> None: ...
def l2_normalize_f32(x: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]: ...
def l2_normalize_i8(x: npt.NDArray[np.int8], zero_point: int) -> npt.NDArray[np.float32]: ...
def cosine_f32(query: npt.NDArray[np.float32], gallery: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]: ...
def cosine_i8(
    query: npt.NDArray[np.int8], query_zero_point: int, gallery: npt.NDArray[np.int8], gallery_zero_point: int
) -> npt.NDArray[np.float32]: ...
def isa() -> str: ...
def available_isas() -> list[str]: ...
def force_isa(name: str) -> None: ...
