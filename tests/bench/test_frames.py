from __future__ import annotations

import numpy as np
import pytest

from mobilekit.bench import frames
from mobilekit.bench.frames import frame_ring
from mobilekit.errors import InputError


@pytest.fixture
def small_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rings of 1 MB instead of 64: the tests are about what is in them."""
    monkeypatch.setattr(frames, "MIN_RING_BYTES", 1_000_000)


def test_the_ring_is_too_large_for_a_cache() -> None:
    ring = frame_ring(1920, 1080)
    assert sum(frame.nbytes for frame in ring.frames) >= 64_000_000
    assert all(frame.shape == (1920 * 1080 * 3 // 2,) and frame.dtype == np.uint8 for frame in ring.frames)
    assert len({frame.tobytes() for frame in ring.frames}) == len(ring.frames)


def test_a_large_cache_makes_a_larger_ring_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MAX_RING_BYTES", 90_000_000)
    assert 80 <= frame_ring(1920, 1080, cache_mb=40).size_mb < 90
    assert 90 <= frame_ring(1920, 1080, cache_mb=500).size_mb < 94


@pytest.mark.usefixtures("small_ring")
class TestPictures:
    def test_the_same_seed_gives_the_same_frames(self) -> None:
        first, again, other = (frame_ring(320, 240, seed) for seed in (1, 1, 2))
        assert all(np.array_equal(a, b) for a, b in zip(first.frames, again.frames, strict=True))
        assert not np.array_equal(first[0], other[0])

    def test_photos_where_they_are_installed_and_it_says_so(self) -> None:
        if not frames.photo_files():
            pytest.skip("scikit-image is not installed")
        ring = frame_ring(320, 240)
        assert (
            ring.origin == f"{len(frames.photo_files())} photos of scikit-image, cropped at random, with sensor noise"
        )

    def test_gradients_where_they_are_not_and_it_says_so(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(frames, "photo_files", list)
        ring = frame_ring(320, 240, seed=7)
        assert ring.origin == "gradients with sensor noise, seed 7 (photos need scikit-image)"
        assert ring[0].std() > 20  # a picture, not a grey card

    def test_a_red_picture_is_red_in_nv21(self) -> None:
        red = np.zeros((8, 8, 3), np.float32)
        red[..., 0] = 255
        y, u, v = frames._to_yuv(red)
        nv21 = frames._interleave(y, u[::2, ::2], v[::2, ::2])
        # JFIF: Y = 0.299 * 255, Cr = 255.5 (saturates), Cb = 128 - 76.245 / 1.772; V comes first in NV21.
        assert set(nv21[:64]) == {76}
        assert nv21[64:68].tolist() == [255, 85, 255, 85]

    def test_wraps_around(self) -> None:
        ring = frame_ring(320, 240)
        assert ring[len(ring.frames)] is ring[0]


@pytest.mark.parametrize(
    ("width", "height", "text"),
    [
        (0, 1080, "out of range: both sides must be 16 to 8192 pixels"),
        (1920, 100_000, "out of range"),
        (-2, 16, "out of range"),
        (1921, 1080, "a camera frame of 1921x1080 cannot be NV21: both sides must be even"),
    ],
)
def test_absurd_sizes(width: int, height: int, text: str) -> None:
    with pytest.raises(InputError, match=text):
        frame_ring(width, height)
