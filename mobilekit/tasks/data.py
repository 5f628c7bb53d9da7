"""A folder of pictures or of arrays -> the inputs of a model, one at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import CalibrationError, InputError
from mobilekit.tasks.images import SUFFIXES, read_image

if TYPE_CHECKING:
    from mobilekit.tasks.preprocess import Preprocess


class InputFolder:
    """Iterates over a folder, sorted by name: ``.npy`` files as they are, pictures through ``preprocess``.

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
        arrays = [path for path in files if path.suffix.lower() == ".npy"]
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

    def __iter__(self) -> Iterator[NDArray[Any]]:
        for path in self.paths:
            if path.suffix.lower() == ".npy":
                yield _read_array(path)
            elif self.preprocess is not None:
                yield self.preprocess.real(read_image(path))


def _read_array(path: Path) -> NDArray[Any]:
    try:
        array = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"'{path}' is no .npy file that can be read: {reason}") from error
    return np.asarray(array)
