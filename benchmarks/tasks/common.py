"""What the tasks share: their types, fonts, camera noise, boxes and average precision."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import matplotlib as mpl
import numpy as np
from PIL import ImageFont

FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
WORDS = (
    "the model of each layer was trained with a small set and then compared to results that hold for any given order "
    "since noise in these samples grows with time we show how weights change under load while most values remain near "
    "zero which makes our method robust against errors from rounding as well as other effects seen before"
).split()
CALIBRATION_SEED = 1000


@dataclass(frozen=True)
class Case:
    """One input image (HWC, RGB, uint8) and what is right: boxes [n, 4] or quads [n, 4, 2] in pixels, or a text."""

    image: np.ndarray
    boxes: np.ndarray | None = None
    text: str = ""


@dataclass(frozen=True)
class Task:
    """Cases with their inputs, what one case gives, and how cases become a figure."""

    name: str
    inputs: list[np.ndarray]
    judge: Callable[[int, list[np.ndarray]], Any]
    figure: Callable[[Sequence[Any]], float]


@dataclass(frozen=True)
class Onnx:
    """Where an ONNX model lies in its package, its input's name and the fixed shape that it is converted at."""

    package: str
    path: str
    input: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Subject:
    """A model, its calibration samples and its tasks (by number of cases)."""

    name: str
    tasks: Callable[[int], list[Task]]
    calibration: Callable[[], list[list[np.ndarray]]]
    onnx: Onnx | None = None
    torch: Callable[[], tuple[Any, Any]] | None = None
    """The module and its example input, where the model is a PyTorch one."""


@functools.cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"{name}.ttf"), size)


def sensor(pixels: np.ndarray, rng: np.random.Generator, blur: tuple[float, float], noise: tuple[float, float]) -> Any:
    """Blur and sensor noise (standard deviation in grey levels), each drawn from its interval."""
    soft = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(*blur))).astype(np.float32)
    return np.clip(soft + rng.normal(0, rng.uniform(*noise), soft.shape), 0, 255).astype(np.uint8)


def iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    return shared / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared + 1e-9)


def suppress(boxes: np.ndarray, scores: np.ndarray, overlap: float, most: int = 50) -> tuple[np.ndarray, np.ndarray]:
    """Greedy non-maximum suppression, best first."""
    kept: list[int] = []
    for index in np.argsort(-scores, kind="stable"):
        if all(iou(boxes[index], boxes[k]) <= overlap for k in kept):
            kept.append(int(index))
        if len(kept) == most:
            break
    return boxes[kept], scores[kept]


def matches(boxes: np.ndarray, scores: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores, whether each is a hit at IoU 0.5 (each truth once), number of truths: one image's part of an AP."""
    free = list(range(len(truth)))
    hits = []
    for box in boxes:
        best = max(free, key=lambda t: iou(box, truth[t]), default=None)
        hit = best is not None and iou(box, truth[best]) >= 0.5
        hits.append(hit)
        if hit:
            free.remove(best)
    return scores, np.array(hits, bool), len(truth)


def average_precision(parts: Sequence[tuple[np.ndarray, np.ndarray, int]]) -> float:
    """Area under the interpolated precision-recall curve over all images."""
    scores, hits = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    truths = sum(p[2] for p in parts)
    if not truths or not scores.size:
        return 0.0
    hits = hits[np.argsort(-scores, kind="stable")]
    true = np.cumsum(hits)
    precision = true / np.arange(1, true.size + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(precision * hits) / truths)


def share(hits: Sequence[bool]) -> float:
    return float(np.mean(hits))


def ctc_text(best: np.ndarray, charset: Sequence[str]) -> str:
    """Greedy decoding: class 0 is the blank, class c is ``charset[c - 1]``."""
    kept = [int(c) for i, c in enumerate(best) if c != 0 and (i == 0 or c != best[i - 1])]
    return "".join(charset[c - 1] for c in kept if c - 1 < len(charset))
