"""Folders of arrays and of pictures as the inputs of a model."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mobilekit.errors import CalibrationError, InputError
from mobilekit.tasks.data import InputFolder
from mobilekit.tasks.preprocess import Preprocess, preset


def test_arrays_come_as_they_are_and_sorted(tmp_path: Path) -> None:
    for index in (2, 0, 1):
        np.save(tmp_path / f"{index}.npy", np.full((1, 2), index, np.int64))
    (tmp_path / "notes.txt").touch()
    folder = InputFolder(tmp_path)
    assert len(folder) == 3
    for _ in range(2):  # it can be read more than once
        assert [int(array[0, 0]) for array in folder] == [0, 1, 2]


def test_pictures_go_through_the_preprocessing(tmp_path: Path) -> None:
    pillow = pytest.importorskip("PIL.Image")
    pillow.fromarray(np.full((9, 5, 3), 51, np.uint8)).save(tmp_path / "a.png")
    (array,) = InputFolder(tmp_path, Preprocess(preset("zero-to-one", 4, 4)))
    assert array.shape == (1, 3, 4, 4)
    np.testing.assert_allclose(array, 0.2, rtol=1e-6)


def test_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        InputFolder(tmp_path / "nowhere")
    with pytest.raises(CalibrationError, match=r"is empty: it holds neither pictures nor \.npy files"):
        InputFolder(tmp_path)
    (tmp_path / "a.png").touch()
    with pytest.raises(InputError, match="holds pictures: say how they become inputs"):
        InputFolder(tmp_path)
    np.save(tmp_path / "b.npy", np.zeros(1))
    with pytest.raises(InputError, match=r"holds both pictures and \.npy files"):
        InputFolder(tmp_path)
    with pytest.raises(InputError, match="is a file, a folder"):
        InputFolder(tmp_path / "b.npy")


def test_pickles_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(
        InputError, match=r"'.*a\.npy' is no \.npy file that can be read: Object arrays cannot be loaded"
    ):
        list(InputFolder(tmp_path))
