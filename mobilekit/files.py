"""Files that appear whole or not at all: written beside their place under another name, then renamed."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from mobilekit.errors import OutputError


def check_writable(path: str | Path) -> None:
    """Raise :class:`OutputError` where ``path`` can clearly not be written: asked before long work, not after it.

    A probe file is made and removed, since permission bits say little (root, read-only mounts, full quotas). A folder
    that does not exist is made only when there is something to put into it.
    """
    target = Path(path)
    if target.is_dir():
        raise OutputError(f"cannot write '{target}': it is a folder")
    folder = _existing_ancestor(target)
    try:
        handle, probe = tempfile.mkstemp(prefix=".mobilekit-", dir=folder)
        os.close(handle)
        Path(probe).unlink()
    except OSError as error:
        raise OutputError(f"cannot write '{target}': {error.strerror or error} ({folder})") from error


def write_files(contents: Mapping[str | Path, bytes]) -> None:
    """Write all of ``contents``, or none of it; :class:`OutputError` names the file that could not be written.

    Nothing is renamed before everything is on disk, so a full disk or Ctrl-C leaves the old files as they were.
    """
    with contextlib.ExitStack() as undo:
        pending: list[tuple[Path, Path]] = []
        for name, data in contents.items():
            path = Path(name)
            try:
                for folder in _missing_folders(path.parent):
                    undo.callback(_remove_folder, folder)
                path.parent.mkdir(parents=True, exist_ok=True)
                temporary = _temporary_name(path)
                undo.callback(temporary.unlink, missing_ok=True)
                with temporary.open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
            except OSError as error:
                raise OutputError(f"cannot write '{path}': {error.strerror or error}; nothing was written") from error
            pending.append((temporary, path))
        for temporary, path in pending:
            try:
                temporary.replace(path)
            except OSError as error:
                raise OutputError(f"cannot write '{path}': {error.strerror or error}") from error
        undo.pop_all()


def write_file(path: str | Path, data: bytes) -> None:
    """Write one file whole, or leave what was there."""
    write_files({path: data})


def _temporary_name(path: Path) -> Path:
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def _existing_ancestor(path: Path) -> Path:
    return next(parent for parent in path.absolute().parents if parent.exists())


def _missing_folders(folder: Path) -> list[Path]:
    """``folder`` and those of its parents that do not exist, outermost first."""
    return [parent for parent in (folder, *folder.parents) if not parent.exists()][::-1]


def _remove_folder(folder: Path) -> None:
    with contextlib.suppress(OSError):  # somebody else has put something into it
        folder.rmdir()
