"""Seeded drawings with known answers, and how to read a model's outputs: what fidelity.py judges int8 by.

Pages and card lines are SYNTHETIC: drawn with matplotlib's own fonts and mathtext, numbers from Luhn-valid test ranges,
degraded by perspective, blur, uneven light and sensor noise. No image is stored or fetched.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib as mpl
import numpy as np
from matplotlib.font_manager import FontProperties
from matplotlib.mathtext import MathTextParser
from PIL import Image, ImageDraw, ImageFont

MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
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
WORDS = (
    "the model of each layer was trained with a small set and then compared to results that hold for any given order "
    "since noise in these samples grows with time we show how weights change under load while most values remain near "
    "zero which makes our method robust against errors from rounding as well as other effects seen before"
).split()


@dataclass(frozen=True)
class Case:
    """One input image (HWC, RGB, uint8) and what is right: boxes [n, 4] in pixels, or a text."""

    image: np.ndarray
    boxes: np.ndarray | None = None
    text: str = ""


@functools.cache
def _formula(index: int, fontset: str, size: int) -> np.ndarray:
    """Ink of a formula as float [0, 1]; cached, since mathtext takes 20 ms."""
    with mpl.rc_context({"mathtext.fontset": fontset}):
        parsed = MathTextParser("agg").parse(FORMULAS[index], dpi=100, prop=FontProperties(size=size))
    return np.asarray(parsed.image, np.float32) / 255


@functools.cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONTS / f"{name}.ttf"), size)


def page(seed: int, camera: bool) -> Case:
    """A page of 1200 x 912 with a title, paragraphs and two to four display formulas, shrunk to 800 x 608."""
    rng = np.random.default_rng(seed)
    height, width = 1200, 912
    image = Image.new("L", (width, height), int(rng.integers(245, 256)))
    draw = ImageDraw.Draw(image)
    face = str(rng.choice(["DejaVuSerif", "STIXGeneral", "DejaVuSans"]))
    size, margin = int(rng.integers(17, 22)), int(rng.integers(70, 110))
    draw.text((margin, 60), " ".join(rng.choice(WORDS, 5)).title(), font=_font(face, size + 12), fill=10)
    boxes, y, number = [], 125, 1
    wanted = int(rng.integers(2, 5))
    while y < height - 180:
        for _ in range(int(rng.integers(3, 7))):
            if y > height - 100:
                break
            line = ""
            while draw.textlength(line, _font(face, size)) < width - 2 * margin - 60:
                line += f"{rng.choice(WORDS)} "
            draw.text((margin, y), line, font=_font(face, size), fill=25)
            y += int(size * 1.45)
        if len(boxes) < wanted and y < height - 200:
            fontset = str(rng.choice(["cm", "stix", "dejavuserif"]))
            ink = _formula(int(rng.integers(len(FORMULAS))), fontset, int(rng.integers(18, 25)))
            y += 18
            x = (width - ink.shape[1]) // 2
            image.paste(20, (x, y), Image.fromarray((ink * 255).astype(np.uint8)))
            boxes.append([x, y, x + ink.shape[1], y + ink.shape[0]])
            draw.text((width - margin - 30, y + ink.shape[0] // 2 - 10), f"({number})", font=_font(face, size), fill=25)
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


def card_line(seed: int, expiry: bool) -> Case:
    """A line as cut from a bank card: 16 Luhn-valid digits in groups of four, or a short expiry date."""
    rng = np.random.default_rng(seed)
    text = f"{rng.integers(1, 13):02d}/{rng.integers(24, 36):02d}" if expiry else _card_number(rng)
    face = str(rng.choice(["DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSans-Bold", "cmtt10"]))
    font = _font(face, 60)
    width = int(font.getlength(text)) + 40
    background, ink = rng.integers(20, 110, 3), rng.integers(170, 256, 3)
    if rng.random() < 0.4:
        background, ink = ink, background
    gradient = np.linspace(0.85, 1.1, width)[None, :, None] * background[None, None, :]
    image = Image.fromarray(np.clip(np.repeat(gradient, 96, 0), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.text((22, 14), text, font=font, fill=tuple(int(v) // 2 for v in background))  # The emboss's shadow.
    draw.text((20, 12), text, font=font, fill=tuple(map(int, ink)))
    pixels = np.asarray(image).astype(np.float32)
    pixels = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.6, 2.0)))
    pixels += rng.normal(0, rng.uniform(2, 10), pixels.shape)
    return Case(np.clip(pixels, 0, 255).astype(np.uint8), text=text)


def _card_number(rng: np.random.Generator) -> str:
    digits = [*map(int, str(rng.choice(["4000", "5555", "4242"]))), *map(int, rng.integers(0, 10, 11))]
    total = sum(d if i % 2 else (2 * d if d < 5 else 2 * d - 9) for i, d in enumerate(digits))
    text = "".join(map(str, [*digits, (-total) % 10]))
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))


def page_input(case: Case) -> np.ndarray:
    """float32 [1, 800, 608, 3], ImageNet statistics."""
    return ((case.image.astype(np.float32) / 255 - MEAN) / STD)[None]


def line_input(case: Case, width: int = 320) -> np.ndarray:
    """float32 [1, 48, width, 3] in [-1, 1], shrunk to 48 high, padded with 0 on the right."""
    height = 48
    ratio = case.image.shape[1] / case.image.shape[0]
    used = min(width, int(np.ceil(height * ratio)))
    out = np.zeros((1, height, width, 3), np.float32)
    out[0, :, :used] = cv2.resize(case.image, (used, height)).astype(np.float32) / 127.5 - 1
    return out


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
    order = np.argsort(-all_scores, kind="stable")
    kept: list[int] = []
    for index in order:
        if all(iou(all_boxes[index], all_boxes[k]) <= 0.5 for k in kept):
            kept.append(int(index))
        if len(kept) == 50:
            break
    return all_boxes[kept], all_scores[kept]


def iou(a: np.ndarray, b: np.ndarray) -> float:
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    shared = float(np.prod(np.maximum(sides, 0)))
    return shared / (float(np.prod(a[2:] - a[:2]) + np.prod(b[2:] - b[:2])) - shared + 1e-9)


def page_matches(case: Case, outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
    """Scores, whether each is a hit at IoU 0.5 (each truth once), number of truths: one page's part of an AP."""
    assert case.boxes is not None
    boxes, scores = picodet_boxes(outputs)
    free = list(range(len(case.boxes)))
    hits = []
    for box in boxes:
        best = max(free, key=lambda t: iou(box, case.boxes[t]), default=None)
        hit = best is not None and iou(box, case.boxes[best]) >= 0.5
        hits.append(hit)
        if hit:
            free.remove(best)
    return scores, np.array(hits, bool), len(case.boxes)


def average_precision(parts: Sequence[tuple[np.ndarray, np.ndarray, int]]) -> float:
    """Area under the interpolated precision-recall curve over all pages."""
    scores, hits = np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])
    truths = sum(p[2] for p in parts)
    if not truths or not scores.size:
        return 0.0
    hits = hits[np.argsort(-scores, kind="stable")]
    true = np.cumsum(hits)
    precision = true / np.arange(1, true.size + 1)
    precision = np.maximum.accumulate(precision[::-1])[::-1]
    return float(np.sum(precision * hits) / truths)


def exact_lines(charset: Sequence[str]) -> Callable[[Case, Sequence[np.ndarray]], bool]:
    """Whether greedy CTC decoding gives the text, spaces ignored (recognisers drop them at will)."""

    def right(case: Case, outputs: Sequence[np.ndarray]) -> bool:
        best = outputs[0][0].argmax(-1)
        kept = [int(c) for i, c in enumerate(best) if c != 0 and (i == 0 or c != best[i - 1])]
        text = "".join(charset[c - 1] for c in kept if c - 1 < len(charset))
        return text.replace(" ", "") == case.text.replace(" ", "")

    return right
