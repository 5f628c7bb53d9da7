"""Pictures from disk: 8-bit RGB arrays, upright, with a clear error for a photo that cannot be decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mobilekit.errors import InputError

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff", ".gif"})

Picture = NDArray[np.uint8]
"""uint8 of height x width x 3, red first."""


def read_image(path: str | Path) -> Picture:
    """Decode one picture as RGB, turned upright by its EXIF orientation; transparency is put on white.

    :class:`InputError` names the file that is missing, damaged or no picture.
    """
    pillow = _pillow()
    try:
        with pillow.Image.open(path) as stored:
            upright = pillow.ImageOps.exif_transpose(stored)
            return _to_rgb(upright, pillow)
    except FileNotFoundError:
        raise InputError(f"no such picture: '{path}'") from None
    except pillow.UnidentifiedImageError:
        raise InputError(f"'{path}' is not a picture that can be decoded") from None
    except (
        Exception
    ) as error:  # a damaged file leads the decoders to OSError, SyntaxError, ValueError, struct.error ...
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputError(f"'{path}' cannot be decoded: {reason}") from error


def _pillow() -> Any:
    try:
        import PIL.Image
        import PIL.ImageOps
    except ImportError as error:
        raise InputError(f"reading pictures needs Pillow: pip install 'mobilekit[vision]' ({error})") from error
    return PIL


def _to_rgb(picture: Any, pillow: Any) -> Picture:
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        layer = picture.convert("RGBA")
        white = pillow.Image.new("RGBA", layer.size, (255, 255, 255, 255))
        picture = pillow.Image.alpha_composite(white, layer)
    if picture.mode.startswith("I;16"):
        # Pillow clips 16-bit grey to 255 when it converts; the upper byte is the picture.
        return np.repeat((np.asarray(picture) >> 8).astype(np.uint8)[:, :, None], 3, axis=2)
    return np.asarray(picture.convert("RGB"))


class ImageFolder(Sequence[Picture]):
    """The pictures of a folder (not of folders in it), sorted by name; each is decoded when it is asked for.

    :class:`InputError` if there is no such folder or no picture in it.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if not self.folder.exists():
            raise InputError(f"no such folder: '{folder}'")
        if not self.folder.is_dir():
            raise InputError(f"'{folder}' is a file, a folder of pictures was expected")
        self.paths = sorted(p for p in self.folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
        if not self.paths:
            raise InputError(f"'{folder}' holds no picture ({', '.join(sorted(SUFFIXES))})")

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [read_image(path) for path in self.paths[index]]
        return read_image(self.paths[index])

    def __iter__(self) -> Iterator[Picture]:
        return map(read_image, self.paths)
