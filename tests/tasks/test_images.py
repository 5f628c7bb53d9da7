"""Pictures in every form that folders hold them, and the ones that cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobilekit.errors import InputError
from mobilekit.tasks.images import ImageFolder, read_image

PIL_Image = pytest.importorskip("PIL.Image")


def _save(path: Path, array: np.ndarray, mode: str | None = None, **options: object) -> Path:
    PIL_Image.fromarray(array, mode).save(path, **options) if mode else PIL_Image.fromarray(array).save(path, **options)
    return path


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def test_rgb(tmp_path: Path, rgb: np.ndarray) -> None:
    assert np.array_equal(read_image(_save(tmp_path / "a.png", rgb)), rgb)


def test_gray_becomes_three_channels(tmp_path: Path, rgb: np.ndarray) -> None:
    got = read_image(_save(tmp_path / "a.png", rgb[:, :, 0]))
    assert np.array_equal(got, np.repeat(rgb[:, :, :1], 3, axis=2))


def test_sixteen_bits_keep_their_upper_byte(tmp_path: Path) -> None:
    levels = np.array([[0, 255, 256, 32768, 65535]], np.uint16)
    got = read_image(_save(tmp_path / "a.png", levels))
    assert got[0, :, 0].tolist() == [0, 0, 1, 128, 255]
    assert got.shape == (1, 5, 3)


def test_transparency_is_put_on_white(tmp_path: Path) -> None:
    rgba = np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)
    assert read_image(_save(tmp_path / "a.png", rgba)).tolist() == [[[255, 255, 255], [10, 20, 30]]]


def test_exif_orientation(tmp_path: Path, rgb: np.ndarray) -> None:
    exif = PIL_Image.Exif()
    exif[0x0112] = 6  # the picture is to be turned 90 degrees clockwise to be upright
    path = _save(tmp_path / "a.png", rgb, exif=exif.tobytes())
    assert np.array_equal(read_image(path), np.rot90(rgb, -1))


def test_one_pixel(tmp_path: Path) -> None:
    assert read_image(_save(tmp_path / "a.png", np.full((1, 1, 3), 7, np.uint8))).tolist() == [[[7, 7, 7]]]


def test_pictures_that_cannot_be_decoded(tmp_path: Path, rgb: np.ndarray) -> None:
    (tmp_path / "text.jpg").write_text("not a picture")
    (tmp_path / "empty.png").touch()
    whole = _save(tmp_path / "whole.png", np.repeat(rgb, 64, axis=0)).read_bytes()
    (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
    for name, words in {
        "text.jpg": "is not a picture that can be decoded",
        "empty.png": "is not a picture that can be decoded",
        "cut.png": "cannot be decoded",
        "nowhere.png": "no such picture",
    }.items():
        with pytest.raises(InputError, match=words) as caught:
            read_image(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)


def test_folder(tmp_path: Path, rgb: np.ndarray) -> None:
    for name in ("b.png", "a.PNG", "c.txt"):
        (tmp_path / name).write_bytes(_save(tmp_path / "x.png", rgb).read_bytes())
    (tmp_path / "x.png").unlink()
    (tmp_path / "d.png").mkdir()
    folder = ImageFolder(tmp_path)
    assert [path.name for path in folder.paths] == ["a.PNG", "b.png"]
    assert len(folder) == len(list(folder)) == 2
    assert np.array_equal(folder[0], rgb)
    assert len(folder[:1]) == 1


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        ImageFolder(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no picture"):
        ImageFolder(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="is a file, a folder of pictures was expected"):
        ImageFolder(tmp_path / "file")
