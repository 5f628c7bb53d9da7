"""Zip, alignment and signature in Python; where apksigner is installed, it agrees."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import pytest

from mobilekit.android.apk import Entry, read_entries, zip_entries
from mobilekit.android.sign import Key, sign
from mobilekit.errors import InputError
from tests.android.support import need, run_checked

ENTRIES = [
    Entry("AndroidManifest.xml", b"\x03\x00\x08\x00" * 50),
    Entry("assets/model.tflite", b"x" * 1001),
    Entry("classes.dex", b"dex" * 500),
    Entry("lib/arm64-v8a/libmobilekit.so", b"\x7fELF" * 99),
    Entry("lib/x86_64/libmobilekit.so", b"\x7fELF" * 98),
]


def offsets(data: bytes) -> dict[str, int]:
    """Where the bytes of each stored file begin."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        found = {}
        for info in archive.infolist():
            name, extra = (int.from_bytes(data[info.header_offset + at :][:2], "little") for at in (26, 28))
            if info.compress_type == zipfile.ZIP_STORED:
                found[info.filename] = info.header_offset + 30 + name + extra
    return found


def test_stores_and_aligns_what_is_mapped() -> None:
    at = offsets(zip_entries(ENTRIES))
    assert set(at) == {"assets/model.tflite", "lib/arm64-v8a/libmobilekit.so", "lib/x86_64/libmobilekit.so"}
    assert at["assets/model.tflite"] % 4 == 0
    assert at["lib/arm64-v8a/libmobilekit.so"] % 16384 == at["lib/x86_64/libmobilekit.so"] % 16384 == 0


@pytest.mark.parametrize("shift", range(1, 9))
def test_aligns_wherever_a_file_lands(shift: int) -> None:
    data = zip_entries([Entry("a" * shift, b"", compress=False), Entry("model.tflite", b"y" * 5), Entry("l.so", b"z")])
    assert offsets(data)["model.tflite"] % 4 == 0
    assert offsets(data)["l.so"] % 16384 == 0


def test_the_same_entries_give_the_same_bytes() -> None:
    first, second = (sign(zip_entries(ENTRIES), Key.debug()) for _ in range(2))
    assert first == second


def test_reading_gives_back_what_was_written(tmp_path: Path) -> None:
    (tmp_path / "app.apk").write_bytes(sign(zip_entries(ENTRIES), Key.debug()))
    read = read_entries(tmp_path / "app.apk")
    assert [(e.name, e.data) for e in read] == [(e.name, e.data) for e in ENTRIES]


def test_the_debug_key_is_a_key() -> None:
    key = Key.debug()
    signature = int.from_bytes(key.sign(b"text"), "big")
    padded = pow(signature, key.public_exponent, key.modulus).to_bytes(256, "big")
    assert padded.endswith(hashlib.sha256(b"text").digest())
    assert padded.startswith(b"\x00\x01\xff")
    assert key.public_key() in key.certificate  # the certificate is of this key


@pytest.mark.parametrize("damage", ["nothing", "entry", "directory", "block"])
def test_apksigner_agrees_and_sees_every_changed_byte(tmp_path: Path, damage: str) -> None:
    need({"apksigner": "apksigner"})
    data = bytearray(sign(zip_entries(ENTRIES), Key.debug()))
    place = {"entry": 60, "directory": data.rindex(b"PK\x01\x02") + 38, "block": data.index(b"APK Sig Block 42") - 400}
    if damage != "nothing":
        data[place[damage]] ^= 1
    (tmp_path / "app.apk").write_bytes(data)
    command = ["apksigner", "verify", "--min-sdk-version", "26", "--max-sdk-version", "35", tmp_path / "app.apk"]
    if damage == "nothing":
        run_checked(command)
    else:
        with pytest.raises(AssertionError, match="apksigner"):
            run_checked(command)


def test_names_a_file_that_is_no_apk(tmp_path: Path) -> None:
    (tmp_path / "app.apk").write_bytes(b"not a zip")
    with pytest.raises(InputError, match="is no APK, or a damaged one"):
        read_entries(tmp_path / "app.apk")
    with pytest.raises(InputError, match=r"cannot read the app .*: No such file"):
        read_entries(tmp_path / "none.apk")
