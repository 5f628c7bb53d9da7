"""PP-OCRv4 recognition (rapidocr-onnxruntime): drawn card numbers and expiry dates, exact or not."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from PIL import Image, ImageDraw

from benchmarks import support
from benchmarks.tasks.common import CALIBRATION_SEED, Case, Onnx, Subject, Task, ctc_text, font, share


def card_line(seed: int, expiry: bool) -> Case:
    """A line as cut from a bank card: 16 Luhn-valid digits in groups of four, or a short expiry date."""
    rng = np.random.default_rng(seed)
    text = f"{rng.integers(1, 13):02d}/{rng.integers(24, 36):02d}" if expiry else _card_number(rng)
    face = str(rng.choice(["DejaVuSansMono", "DejaVuSansMono-Bold", "DejaVuSans-Bold", "cmtt10"]))
    type_face = font(face, 60)
    width = int(type_face.getlength(text)) + 40
    background, ink = rng.integers(20, 110, 3), rng.integers(170, 256, 3)
    if rng.random() < 0.4:
        background, ink = ink, background
    gradient = np.linspace(0.85, 1.1, width)[None, :, None] * background[None, None, :]
    image = Image.fromarray(np.clip(np.repeat(gradient, 96, 0), 0, 255).astype(np.uint8))
    draw = ImageDraw.Draw(image)
    draw.text((22, 14), text, font=type_face, fill=tuple(int(v) // 2 for v in background))  # The emboss's shadow.
    draw.text((20, 12), text, font=type_face, fill=tuple(map(int, ink)))
    pixels = np.asarray(image).astype(np.float32)
    pixels = cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.6, 2.0)))
    pixels += rng.normal(0, rng.uniform(2, 10), pixels.shape)
    return Case(np.clip(pixels, 0, 255).astype(np.uint8), text=text)


def _card_number(rng: np.random.Generator) -> str:
    digits = [*map(int, str(rng.choice(["4000", "5555", "4242"]))), *map(int, rng.integers(0, 10, 11))]
    total = sum(d if i % 2 else (2 * d if d < 5 else 2 * d - 9) for i, d in enumerate(digits))
    text = "".join(map(str, [*digits, (-total) % 10]))
    return " ".join(text[i : i + 4] for i in range(0, 16, 4))


def line_input(case: Case, width: int = 320) -> np.ndarray:
    """float32 [1, 48, width, 3] in [-1, 1], shrunk to 48 high, padded with 0 on the right."""
    height = 48
    ratio = case.image.shape[1] / case.image.shape[0]
    used = min(width, int(np.ceil(height * ratio)))
    out = np.zeros((1, height, width, 3), np.float32)
    out[0, :, :used] = cv2.resize(case.image, (used, height)).astype(np.float32) / 127.5 - 1
    return out


def _charset() -> list[str]:
    import onnx

    assert PPOCR_REC.onnx is not None
    model = onnx.load(str(support.package_folder(PPOCR_REC.onnx.package) / PPOCR_REC.onnx.path))
    return next(p.value for p in model.metadata_props if p.key == "character").split("\n")


def _tasks(count: int) -> list[Task]:
    return [_task(count, expiry) for expiry in (False, True)]


def _task(count: int, expiry: bool) -> Task:
    cases, charset = [card_line(seed, expiry) for seed in range(count)], _charset()

    def judge(index: int, outputs: Sequence[np.ndarray]) -> bool:
        text = ctc_text(outputs[0][0].argmax(-1), charset)
        return text.replace(" ", "") == cases[index].text.replace(" ", "")  # Recognisers drop spaces at will.

    name = f"PP-OCRv4 rec, exact {'expiry lines' if expiry else 'card numbers'} (synthetic)"
    return Task(name, [line_input(case) for case in cases], judge, share)


def _calibration() -> list[list[np.ndarray]]:
    return [[line_input(card_line(CALIBRATION_SEED + seed, seed % 2 == 1))] for seed in range(32)]


PPOCR_REC = Subject(
    "ppocr_rec",
    _tasks,
    _calibration,
    onnx=Onnx("rapidocr_onnxruntime", "models/ch_PP-OCRv4_rec_infer.onnx", "x", (1, 3, 48, 320)),
)
