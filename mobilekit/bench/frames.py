"""Camera frames: a ring of distinct NV21 pictures, too large to stay in a cache.

A phone's ISP writes each frame to memory; the app reads it cold. A benchmark that shows the same frame again and again
reads it from the cache instead and is up to twice as fast as life.
"""

from __future__ import annotations

import importlib.util
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import InputError

MIN_RING_BYTES = 64_000_000
# Twice the last-level cache is cold for sure; beyond this a server's cache would cost more memory than it tells.
MAX_RING_BYTES = 256_000_000
MIN_SIDE, MAX_SIDE = 16, 8192

# Colour photos that scikit-image carries in its wheel (its other pictures are grey, or fetched on demand).
_PHOTOS = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "motorcycle_right.png", "rocket.jpg")
# Standard deviation of sensor noise in grey levels: makes frames of one photo distinct, as two shots of a still are.
_NOISE = 2.0


@dataclass(frozen=True)
class FrameRing:
    """``frames[i]`` is uint8 of ``height * 3 / 2 * width``: Y, then V and U in turn (NV21), rows without padding."""

    frames: tuple[NDArray[np.uint8], ...]
    width: int
    height: int
    origin: str
    """What the pictures are, in words."""

    def __getitem__(self, index: int) -> NDArray[np.uint8]:
        return self.frames[index % len(self.frames)]

    @property
    def size_mb(self) -> float:
        return sum(f.nbytes for f in self.frames) / 1e6


def frame_ring(width: int, height: int, seed: int = 0, cache_mb: float | None = None) -> FrameRing:
    """At least 64 MB of distinct frames, and twice the cache up to 256 MB; the same ones for the same seed."""
    check_size(width, height)
    frame_bytes = width * height * 3 // 2
    wanted = min(max(MIN_RING_BYTES, int(2e6 * (cache_mb or 0))), MAX_RING_BYTES)
    # Two at least, so that a frame is never the one just read; small frames make a long ring of views, see below.
    count = max(2, -(-wanted // frame_bytes))
    generator = np.random.default_rng(seed)
    photos = _photo_planes()
    pictures = _photo_frames(photos, width, height, seed) if photos else _gradient_frames(width, height, seed)
    # A tile of noise, shifted for each frame: fresh noise for 64 MB would take longer than a short run.
    noise = np.clip(np.rint(generator.normal(0, _NOISE, frame_bytes + 4096)), -8, 8).astype(np.int16)
    distinct = min(count, 64)
    made = []
    for _ in range(distinct):
        picture = next(pictures)
        start = int(generator.integers(4096))
        made.append(np.clip(picture + noise[start : start + frame_bytes], 0, 255).astype(np.uint8))
    # A ring of tiny frames repeats pictures but never memory: every frame is its own copy.
    frames = tuple(made[i] if i < distinct else made[i % distinct].copy() for i in range(count))
    if photos:
        origin = f"{len(photos)} photos of scikit-image, cropped at random, with sensor noise"
    else:
        origin = f"gradients with sensor noise, seed {seed} (photos need scikit-image)"
    return FrameRing(frames, width, height, origin)


def check_size(width: int, height: int) -> None:
    if not (MIN_SIDE <= width <= MAX_SIDE and MIN_SIDE <= height <= MAX_SIDE):
        raise InputError(
            f"a camera frame of {width}x{height} is out of range: both sides must be {MIN_SIDE} to {MAX_SIDE} pixels"
        )
    if width % 2 or height % 2:
        raise InputError(f"a camera frame of {width}x{height} cannot be NV21: both sides must be even")


def photo_files() -> list[Path]:
    """The photos that scikit-image carries, if it is installed; it is not imported for that."""
    spec = importlib.util.find_spec("skimage")
    if spec is None or spec.origin is None or importlib.util.find_spec("PIL") is None:
        return []
    return [path for name in _PHOTOS if (path := Path(spec.origin).parent / "data" / name).is_file()]


def _photo_planes() -> list[tuple[NDArray[np.float32], ...]]:
    """Y, U and V of each photo, all at the photo's own size."""
    files = photo_files()
    if not files:
        return []
    from PIL import Image  # an optional package: there are no files without it

    planes = []
    for path in files:
        with Image.open(path) as photo:
            planes.append(_to_yuv(np.asarray(photo.convert("RGB"), dtype=np.float32)))
    return planes


def _to_yuv(rgb: NDArray[np.float32]) -> tuple[NDArray[np.float32], ...]:
    """BT.601 full range (JFIF), which is what Android's cameras deliver. float32 (h, w, 3) -> three of (h, w)."""
    r, g, b = rgb[..., 0], rgb[..., 1], rgb[..., 2]
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128


def _photo_frames(
    photos: list[tuple[NDArray[np.float32], ...]], width: int, height: int, seed: int
) -> Iterator[NDArray[np.uint8]]:
    """Random crops of the photos in the frame's shape, without end, as NV21."""
    from PIL import Image

    pick = random.Random(seed)
    while True:
        for planes in photos:
            rows, columns = planes[0].shape
            # The largest crop of this aspect ratio, or down to 70 % of it.
            scale = min(columns / width, rows / height) * pick.uniform(0.7, 1.0)
            crop_width, crop_height = scale * width, scale * height
            left, top = pick.uniform(0, columns - crop_width), pick.uniform(0, rows - crop_height)
            box = (left, top, left + crop_width, top + crop_height)
            sizes = ((width, height), (width // 2, height // 2), (width // 2, height // 2))
            y, u, v = (
                np.asarray(Image.fromarray(plane).resize(size, Image.Resampling.BILINEAR, box=box))
                for plane, size in zip(planes, sizes, strict=True)
            )
            yield _interleave(y, u, v)


def _gradient_frames(width: int, height: int, seed: int) -> Iterator[NDArray[np.uint8]]:
    """Waves of random direction and colour: smooth like a picture, different each time."""
    pick = random.Random(seed)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    columns = np.linspace(0, 1, width, dtype=np.float32)[None, :]
    while True:
        waves = [np.sin(rows * pick.uniform(2, 20) + columns * pick.uniform(2, 20)) for _ in range(3)]
        yield _interleave(128 + 100 * waves[0], 128 + 60 * waves[1][::2, ::2], 128 + 60 * waves[2][::2, ::2])


def _interleave(y: NDArray[np.floating], u: NDArray[np.floating], v: NDArray[np.floating]) -> NDArray[np.uint8]:
    planes = [np.clip(np.rint(plane), 0, 255).astype(np.uint8) for plane in (y, np.stack([v, u], axis=-1))]
    return np.concatenate([plane.ravel() for plane in planes])
