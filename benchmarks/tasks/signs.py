"""PP-OCRv4 detection (rapidocr-onnxruntime): harmonic mean of precision and recall on drawn text in scenes."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks.tasks.common import CALIBRATION_SEED, WORDS, Case, Onnx, Subject, Task, font, sensor

HEIGHT, WIDTH = 480, 640


def scene(seed: int) -> Case:
    """Four to nine short lines of text, turned by up to 8 degrees, on a smooth uneven ground with noise."""
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(60, 220, (4, 5, 3)).astype(np.float32)
    ground = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    pixels = np.clip(ground, 0, 255).astype(np.uint8)
    taken = np.zeros((HEIGHT, WIDTH), np.uint8)
    quads = []
    for _ in range(int(rng.integers(4, 10))):
        size = int(rng.integers(20, 44))
        text = " ".join(rng.choice(WORDS, int(rng.integers(1, 4))))
        face = font(str(rng.choice(["DejaVuSans", "DejaVuSans-Bold", "DejaVuSerif", "DejaVuSansMono"])), size)
        left, top, right, bottom = face.getbbox(text)
        width, height = int(right - left), int(bottom - top)
        if width > WIDTH - 60:
            continue
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-8, 8)), 1.0)
        matrix[:, 2] += rng.uniform([20, 20], [WIDTH - width - 20, HEIGHT - height - 20])
        box = np.array([[[0, 0], [width, 0], [width, height], [0, height]]], np.float32)
        quad = cv2.transform(box, matrix)[0]
        region = cv2.fillConvexPoly(np.zeros_like(taken), np.rint(quad).astype(np.int32), 1)
        region = cv2.dilate(region, np.ones((25, 25), np.uint8))
        inside = (quad > 4).all() and (quad < [WIDTH - 4, HEIGHT - 4]).all()
        if not inside or (taken & region).any():
            continue
        taken |= region
        ink = Image.new("L", (width, height))
        ImageDraw.Draw(ink).text((-left, -top), text, font=face, fill=255)
        mask = cv2.warpAffine(np.asarray(ink), matrix, (WIDTH, HEIGHT)).astype(np.float32)[..., None] / 255
        # Ink that stands out from the ground beneath it by 90 to 140 grey levels.
        under = float(pixels[region > 0].mean())
        contrast = float(rng.uniform(90, 140))
        colour = under + contrast if under < 128 else under - contrast
        pixels = (pixels * (1 - mask) + np.clip(colour, 0, 255) * mask).astype(np.uint8)
        quads.append(quad)
    return Case(sensor(pixels, rng, (0.4, 1.2), (2, 8)), np.array(quads, np.float32).reshape(-1, 4, 2))


def _input(case: Case) -> np.ndarray:
    """float32 [1, 480, 640, 3] in [-1, 1]."""
    return (case.image.astype(np.float32) / 127.5 - 1)[None]


def _tasks(count: int) -> list[Task]:
    cases = [scene(seed) for seed in range(count)]

    def judge(index: int, outputs: Sequence[np.ndarray]) -> tuple[int, int, int]:
        """Hits at IoU 0.5, boxes found, boxes there."""
        truth = cases[index].boxes
        assert truth is not None
        found = _quads(outputs[0].reshape(HEIGHT, WIDTH).astype(np.float32))
        free, hits = list(range(len(truth))), 0
        for quad in found:
            best = max(free, key=lambda t: _overlap(quad, truth[t]), default=None)
            if best is not None and _overlap(quad, truth[best]) >= 0.5:
                free.remove(best)
                hits += 1
        return hits, len(found), len(truth)

    return [Task("PP-OCRv4 det, hmean at IoU 0.5 (synthetic scenes)", [_input(c) for c in cases], judge, _hmean)]


def _quads(probability: np.ndarray) -> list[np.ndarray]:
    """Differentiable binarisation's boxes with the settings of rapidocr's config.yaml.

    A rectangle grown by d on all sides, with round corners, has the rectangle grown by d as its smallest box: no
    polygon library is needed.
    """
    mask = cv2.dilate((probability > 0.3).astype(np.uint8), np.ones((2, 2), np.uint8))
    found = []
    for contour in cv2.findContours(mask, cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)[0]:
        centre, (width, height), angle = cv2.minAreaRect(contour)
        if min(width, height) < 3:
            continue
        inside = np.zeros_like(mask)
        cv2.fillPoly(inside, [np.rint(cv2.boxPoints((centre, (width, height), angle))).astype(np.int32)], 1)
        if cv2.mean(probability, inside)[0] < 0.5:
            continue
        grow = 1.6 * width * height / (width + height)  # Twice the distance: area * ratio / perimeter.
        found.append(cv2.boxPoints((centre, (width + grow, height + grow), angle)))
    return found


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    shared, _ = cv2.intersectConvexConvex(a, b)
    return shared / (cv2.contourArea(a) + cv2.contourArea(b) - shared + 1e-9)


def _hmean(parts: Sequence[tuple[int, int, int]]) -> float:
    hits, found, there = np.sum(parts, axis=0)
    return float(2 * hits / max(found + there, 1))


PPOCR_DET = Subject(
    "ppocr_det",
    _tasks,
    # 32, as for lines: with 16 the quantizer's own note says that more would help, 12 % of the ranges still grow.
    lambda: [[_input(scene(CALIBRATION_SEED + seed))] for seed in range(32)],
    onnx=Onnx("rapidocr_onnxruntime", "models/ch_PP-OCRv4_det_infer.onnx", "x", (1, 3, HEIGHT, WIDTH)),
)
