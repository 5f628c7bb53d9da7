"""An APK is a zip whose entries lie where the phone can map them into memory.

    .so           stored, at a multiple of 16384: the linker maps it from the APK, on 16 KB pages too
    .tflite, .arsc  stored, at a multiple of 4: mapped as they are (Android 11 refuses a compressed resources.arsc)
    the rest      deflated, or as the app that it came from has it

The same entries give the same bytes: no times, no order of a file system.
"""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mobilekit.errors import InputError

# zipalign's and apksigner's own extra field: the alignment, then zeros. Tools that sign again keep what it names.
_ALIGNMENT_FIELD = 0xD935
_LOCAL_HEADER_BYTES = 30
# The first moment that a zip can name; a real one would make every build another file.
_NO_TIME = (1980, 1, 1, 0, 0, 0)
_STORED_AT = {".so": 16384, ".tflite": 4, ".arsc": 4}
# What the file system of no machine has a say in: a plain file, rw-r--r--, made on Unix.
_UNIX, _MODE = 3, 0o100644 << 16


@dataclass(frozen=True)
class Entry:
    """One file of an APK."""

    name: str
    data: bytes
    compress: bool = True
    """Whether deflating is allowed; some suffixes are always stored."""


def read_entries(path: Path) -> list[Entry]:
    """The files of an APK, in its own order; :class:`InputError` where it is none or damaged."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [
                Entry(info.filename, archive.read(info), info.compress_type != zipfile.ZIP_STORED)
                for info in archive.infolist()
            ]
    except OSError as error:
        raise InputError(f"cannot read the app '{path}': {error.strerror or error}") from error
    # A damaged deflate stream is a zlib.error, a field out of its range a NotImplementedError or a struct.error.
    except Exception as error:
        raise InputError(f"'{path}' is no APK, or a damaged one: {error}") from error


def zip_entries(entries: Iterable[Entry]) -> bytes:
    """The unsigned APK."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for entry in entries:
            alignment = _STORED_AT.get(Path(entry.name).suffix)
            stored = alignment is not None or not entry.compress
            info = zipfile.ZipInfo(entry.name, _NO_TIME)
            info.create_system, info.external_attr = _UNIX, _MODE
            info.compress_type = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
            if alignment is not None:
                start = target.tell() + _LOCAL_HEADER_BYTES + len(entry.name.encode())
                info.extra = _padding(start, alignment)
            archive.writestr(info, entry.data, compresslevel=9)
    return target.getvalue()


def _padding(start: int, alignment: int) -> bytes:
    """An extra field after which the data, which would begin at ``start``, begins at a multiple of ``alignment``."""
    head = 6  # id, size, alignment
    zeros = -(start + head) % alignment
    return struct.pack("<HHH", _ALIGNMENT_FIELD, 2 + zeros, alignment) + bytes(zeros)
