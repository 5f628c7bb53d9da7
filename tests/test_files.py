"""Files appear whole or not at all, whatever fails on the way."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mobilekit.errors import OutputError
from mobilekit.files import check_writable, write_file, write_files


def _tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_writes_into_a_new_folder(tmp_path: Path) -> None:
    write_files({tmp_path / "a" / "b" / "x": b"1", tmp_path / "a" / "y": b"22"})
    assert _tree(tmp_path) == ["a", "a/b", "a/b/x", "a/y"]
    assert (tmp_path / "a" / "y").read_bytes() == b"22"


def test_replaces_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    write_file(tmp_path / "x", b"new")
    assert (tmp_path / "x").read_bytes() == b"new"
    assert _tree(tmp_path) == ["x"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
@pytest.mark.parametrize("fail_at", [1, 2])
def test_a_failing_write_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException, fail_at: int
) -> None:
    (tmp_path / "x").write_bytes(b"old")
    calls = []

    def fsync(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == fail_at:
            raise error

    monkeypatch.setattr(os, "fsync", fsync)
    expected = OutputError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        write_files({tmp_path / "x": b"new", tmp_path / "new" / "y": b"new"})
    assert _tree(tmp_path) == ["x"]
    assert (tmp_path / "x").read_bytes() == b"old"


def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    for write in (lambda path: write_file(path, b""), check_writable):
        with pytest.raises(OutputError, match="cannot write"):
            write(tmp_path / "x" / "y")


def test_check_writable_leaves_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "a" / "b" / "x.tflite")
    assert _tree(tmp_path) == []
    with pytest.raises(OutputError, match="it is a folder"):
        check_writable(tmp_path)
    with pytest.raises(OutputError, match=r"cannot write '/proc/x\.tflite'"):
        check_writable("/proc/x.tflite")
