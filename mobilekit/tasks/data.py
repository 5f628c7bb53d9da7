"""A folder of pictures or of arrays, or one file of arrays -> the inputs of a model, one at a time."""

from __future__ import annotations

import contextlib
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import CalibrationError, InputError
from mobilekit.tasks.images import SUFFIXES, read_image

if TYPE_CHECKING:
    from mobilekit.tasks.preprocess import Preprocess

Item = NDArray[Any] | tuple[NDArray[Any], ...] | Mapping[str, NDArray[Any]]
"""The inputs of one call: an array for a model of one input, else arrays in order or by the inputs' names."""

_ARRAYS = (".npy", ".npz")
# What numpy.savez calls arrays that were given no name: they stand for the inputs in order.
_UNNAMED = re.compile(r"arr_\d+")


def open_inputs(path: str | Path, preprocess: Preprocess | None = None) -> InputFolder | InputFile:
    """A folder of pictures, ``.npy`` or ``.npz`` files, or one ``.npy`` or ``.npz`` file of many samples."""
    if Path(path).is_file() and Path(path).suffix.lower() in _ARRAYS:
        return InputFile(path)
    return InputFolder(path, preprocess)


class InputFile:
    """Iterates over the samples of a ``.npy`` or ``.npz`` file, which lie along axis 0 of each array.

    Samples are read one at a time, however large the file. Several arrays in an ``.npz`` are the inputs of the model by
    name, or in order if they were saved without names. :class:`InputError` for a file that cannot be read, or whose
    arrays hold different numbers of samples; :class:`CalibrationError` for one without any.
    """

    def __init__(self, file: str | Path) -> None:
        self.path = Path(file)
        arrays = self._open()
        lengths = {name: (len(array) if array.ndim else 0) for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            found = ", ".join(f"{length} of '{name}'" for name, length in lengths.items())
            raise InputError(f"'{file}' holds different numbers of samples along axis 0: {found}")
        self._length = next(iter(lengths.values()), 0)
        if not self._length:
            raise CalibrationError(f"'{file}' is empty: it holds no samples along axis 0")

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[Item]:
        samples = {name: iter(array) for name, array in self._open().items()}
        for _ in range(self._length):
            with _readable(self.path):
                item = {name: np.array(next(rows)) for name, rows in samples.items()}
            yield _item(item)

    def _open(self) -> dict[str, NDArray[Any] | _Member]:
        with _readable(self.path):
            if self.path.suffix.lower() == ".npy":
                return {"": np.load(self.path, mmap_mode="r", allow_pickle=False)}
            with zipfile.ZipFile(self.path) as archive:
                names = [name for name in archive.namelist() if name.endswith(".npy")]
            return {name.removesuffix(".npy"): _Member(self.path, name) for name in names}


class _Member:
    """One array of an ``.npz``, read row by row: NumPy itself would decompress it whole."""

    def __init__(self, path: Path, name: str) -> None:
        self._path, self._name = path, name
        with zipfile.ZipFile(path) as archive, archive.open(name) as stream:
            self._shape, self._fortran, self._dtype = _header(stream)

    @property
    def ndim(self) -> int:
        return len(self._shape)

    def __len__(self) -> int:
        return self._shape[0]

    def __iter__(self) -> Iterator[NDArray[Any]]:
        with zipfile.ZipFile(self._path) as archive, archive.open(self._name) as stream:
            if self._fortran:  # column by column: a row is spread over the whole array
                yield from np.lib.format.read_array(stream, allow_pickle=False)
                return
            _header(stream)
            size = int(np.prod(self._shape[1:])) * self._dtype.itemsize
            for _ in range(len(self)):
                row = stream.read(size)
                if len(row) < size:
                    raise ValueError(f"'{self._name}' ends early")
                yield np.frombuffer(row, self._dtype).reshape(self._shape[1:])


class InputFolder:
    """Iterates over a folder, sorted by name: ``.npy`` and ``.npz`` files as they are, pictures through ``preprocess``.

    A file of arrays is one call: an ``.npz`` holds the inputs by name, or in order if they were saved without names.

    :class:`InputError` for a folder that is not there or cannot be used, and, on the way, for a file that cannot be
    decoded; :class:`CalibrationError` for a folder with nothing in it. Iterating again reads the files again.
    """

    def __init__(self, folder: str | Path, preprocess: Preprocess | None = None) -> None:
        self.folder = Path(folder)
        self.preprocess = preprocess
        if not self.folder.exists():
            raise InputError(f"no such folder: '{folder}'")
        if not self.folder.is_dir():
            raise InputError(f"'{folder}' is a file, a folder of pictures or .npy files was expected")
        files = sorted(path for path in self.folder.iterdir() if path.is_file())
        arrays = [path for path in files if path.suffix.lower() in _ARRAYS]
        pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
        if arrays and pictures:
            raise InputError(f"'{folder}' holds both pictures and .npy files: which of them are the inputs?")
        if not arrays and not pictures:
            raise CalibrationError(f"'{folder}' is empty: it holds neither pictures nor .npy files")
        if pictures and preprocess is None:
            raise InputError(f"'{folder}' holds pictures: say how they become inputs, e.g. --preprocess imagenet")
        self.paths = arrays or pictures

    def __len__(self) -> int:
        return len(self.paths)

    def __iter__(self) -> Iterator[Item]:
        for path in self.paths:
            if path.suffix.lower() in _ARRAYS:
                yield _read_arrays(path)
            elif self.preprocess is not None:
                yield self.preprocess.real(read_image(path))


def _read_arrays(path: Path) -> Item:
    with _readable(path):
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return loaded
        with loaded:
            return _item({name: loaded[name] for name in loaded.files})


def _item(arrays: Mapping[str, NDArray[Any]]) -> Item:
    if len(arrays) == 1:
        return next(iter(arrays.values()))
    return tuple(arrays.values()) if all(_UNNAMED.fullmatch(name) for name in arrays) else arrays


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Shape, whether columns come first, and dtype; NumPy's own reader, which takes no pickles here."""
    version = np.lib.format.read_magic(stream)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(stream)
    if dtype.hasobject:
        raise ValueError("Object arrays cannot be loaded when allow_pickle=False")
    return shape, fortran, dtype


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"'{path}' is no {path.suffix.lower()} file that can be read: {reason}") from error
