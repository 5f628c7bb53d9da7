"""Folders of arrays and of pictures as the inputs of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mobilekit.errors import CalibrationError, InputError
from mobilekit.tasks.data import InputFolder, open_inputs
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


def _rows(file: Path) -> list[Any]:
    return list(open_inputs(file))


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_file_of_samples_along_axis_0(tmp_path: Path, order: str) -> None:
    values = np.asarray(np.arange(24).reshape(4, 2, 3), np.float32, order=order)  # type: ignore[call-overload]
    np.save(tmp_path / "x.npy", values)
    np.savez_compressed(tmp_path / "x.npz", images=values)
    for name in ("x.npy", "x.npz"):
        data = open_inputs(tmp_path / name)
        assert len(data) == 4
        for _ in range(2):
            np.testing.assert_array_equal(np.stack(list(data)), values)


def test_several_arrays_are_the_inputs_by_name_or_in_order(tmp_path: Path) -> None:
    x, ids = np.ones((2, 3), np.float32), np.zeros((2, 5), np.int64)
    np.savez(tmp_path / "named.npz", ids=ids, x=x)
    np.savez(tmp_path / "ordered.npz", x, ids)
    named, ordered = _rows(tmp_path / "named.npz"), _rows(tmp_path / "ordered.npz")
    assert {name: array.shape for name, array in named[1].items()} == {"ids": (5,), "x": (3,)}
    assert [array.shape for array in ordered[0]] == [(3,), (5,)]


def test_a_folder_of_npz_files_is_one_call_each(tmp_path: Path) -> None:
    for index in range(2):
        np.savez(tmp_path / f"{index}.npz", x=np.full((1, 3), index), mask=np.ones((1, 3)))
    assert [int(item["x"][0, 0]) for item in _rows(tmp_path)] == [0, 1]


def test_files_that_hold_no_samples(tmp_path: Path) -> None:
    np.save(tmp_path / "empty.npy", np.zeros((0, 3), np.float32))
    np.save(tmp_path / "scalar.npy", np.float32(1))
    np.savez(tmp_path / "none.npz")
    for name in ("empty.npy", "scalar.npy", "none.npz"):
        with pytest.raises(CalibrationError, match="is empty: it holds no samples along axis 0"):
            open_inputs(tmp_path / name)
    np.savez(tmp_path / "ragged.npz", x=np.zeros((4, 3)), y=np.zeros((5, 3)))
    with pytest.raises(InputError, match=r"different numbers of samples along axis 0: 4 of 'x', 5 of 'y'"):
        open_inputs(tmp_path / "ragged.npz")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    np.savez(tmp_path / "pickle.npz", x=np.array([{}, {}], object))
    (tmp_path / "text.npz").write_text("no archive")
    (tmp_path / "text.npy").write_text("no array")
    np.savez(tmp_path / "whole.npz", x=np.zeros((64, 64)))
    data = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(data[: len(data) // 2])
    (tmp_path / "flipped.npz").write_bytes(data.replace(bytes(64), b"\x01" * 64, 1))
    for name in ("pickle.npz", "text.npz", "text.npy", "cut.npz", "flipped.npz"):
        with pytest.raises(InputError, match=r"is no \.np[yz] file that can be read"):
            _rows(tmp_path / name)
