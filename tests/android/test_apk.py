"""android_demo/check_apk.py finds nothing in the app, and finds each thing in an app that is broken in that one way."""

# ruff: noqa: E501 (tables and commands of tools are read across)

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from mobilekit.android.apk import Entry, read_entries, zip_entries
from mobilekit.android.sign import Key, sign
from tests.android.support import DEMO, built_app, module, need, run_checked

pytestmark = pytest.mark.slow
checks = module("check_apk")
LIBRARY = "lib/arm64-v8a/libmobilekit.so"
PROGRAMS = {"apksigner": "apksigner", "zipalign": "zipalign", "dexdump": "dexdump", "llvm-readelf": "llvm"}


@pytest.fixture(scope="module")
def app() -> Path:
    need(PROGRAMS)
    return built_app()


@pytest.mark.parametrize("name", checks.CHECKS)
def test_finds_nothing_in_the_app(app: Path, name: str) -> None:
    assert checks.CHECKS[name](app) == []


Change = Callable[[list[Entry]], list[Entry]]


def edit(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda entries: [replace(e, data=change(e.data)) if e.name == name else e for e in entries]


def without(name: str) -> Change:
    return lambda entries: [e for e in entries if e.name != name]


def other(name: str, source: str) -> Change:
    """The bytes of another file under this name."""
    return lambda entries: [
        replace(e, data=next(s.data for s in entries if s.name == source)) if e.name == name else e for e in entries
    ]


def swap(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    assert len(old) == len(new)
    return lambda data: data.replace(old, new)


# check -> (what is done to the app, what is said)
BROKEN: dict[str, tuple[str, Change, str]] = {
    "a missing library": ("entries", without(LIBRARY), "libmobilekit.so is missing"),
    "no model": ("entries", without("assets/model.tflite"), "assets/model.tflite is missing"),
    "an app that is too large": ("entries", edit("lib/x86_64/libtensorflowlite_jni.so", lambda d: d + bytes(900_000)), "are allowed"),
    "a manifest of another package": ("manifest", edit("AndroidManifest.xml", lambda d: d[:-40]), ""),
    "a library of another machine": ("libraries", other(LIBRARY, "lib/x86_64/libmobilekit.so"), "it is not for AArch64"),
    "a library of another name": ("libraries", edit(LIBRARY, swap(b"libmobilekit.so\0", b"libmobilekat.so\0")), "SONAME"),
    "a library that needs another": ("libraries", edit(LIBRARY, swap(b"libc.so\0", b"libd.so\0")), "it needs libd.so"),
    "a function that bionic has not": ("libraries", edit(LIBRARY, swap(b"memset\0", b"mumset\0")), "it needs mumset of the C library"),
    "an export that is none": ("libraries", edit(LIBRARY, swap(b"Java_dev", b"Jova_dev")), "it exports Jova_dev"),
    "a library that is no library": ("libraries", edit(LIBRARY, lambda d: d[:1000]), "arm64-v8a/libmobilekit.so"),
    "a native half that does not fit": ("dex", edit(LIBRARY, swap(b"Kernels_topK\0", b"Kernels_topQ\0")), "Kernels.topK has no"),
    "a damaged dex": ("dex", edit("classes.dex", swap(b"demo/BenchActivity;", b"demo/BenchActivitx;")), "dexdump"),
}  # fmt: skip


@pytest.mark.parametrize("what", BROKEN)
def test_finds_what_is_broken(app: Path, tmp_path: Path, what: str) -> None:
    name, change, said = BROKEN[what]
    broken = tmp_path / "broken.apk"
    broken.write_bytes(sign(zip_entries(change(read_entries(app))), Key.debug()))
    found = checks.CHECKS[name](broken)
    assert any(said in problem for problem in found), found


def test_finds_a_changed_byte(app: Path, tmp_path: Path) -> None:
    data = bytearray(app.read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "broken.apk").write_bytes(data)
    assert any("apksigner" in problem for problem in checks.check_signature(tmp_path / "broken.apk"))


def test_finds_what_is_not_aligned_or_is_compressed(app: Path, tmp_path: Path) -> None:
    import zipfile

    with zipfile.ZipFile(tmp_path / "broken.apk", "w") as archive:
        for entry in read_entries(app):
            archive.writestr(
                entry.name, entry.data, zipfile.ZIP_DEFLATED if entry.name.endswith(".tflite") else zipfile.ZIP_STORED
            )
    assert any("zipalign" in problem for problem in checks.check_alignment(tmp_path / "broken.apk"))
    assert any("16384" in problem for problem in checks.check_alignment(tmp_path / "broken.apk"))
    assert "assets/model.tflite is compressed: it cannot be mapped" in checks.check_entries(tmp_path / "broken.apk")


def test_finds_the_internet_permission(app: Path, tmp_path: Path) -> None:
    need({"java": "openjdk-17-jdk-headless"})
    build = module("build")
    manifest = (
        (build.MAIN / "AndroidManifest.xml")
        .read_text()
        .replace("android.permission.CAMERA", "android.permission.INTERNET")
    )
    (tmp_path / "AndroidManifest.xml").write_text(manifest)
    jars = build.fetch(build.pins()["build"])
    resources = DEMO / "build" / "resources" / "compiled.zip"
    run_checked([checks.AAPT2, "link", "-I", jars["android-all"], "--manifest", tmp_path / "AndroidManifest.xml", "-o", tmp_path / "base.apk",
                 "--min-sdk-version", "26", "--target-sdk-version", "35", resources])  # fmt: skip
    assert "the app asks for android.permission.INTERNET" in checks.check_manifest(tmp_path / "base.apk")


@pytest.fixture(scope="module")
def sniffer() -> tuple[list[Path], Path]:
    need({"java": "openjdk-17-jdk-headless"})
    build = module("build")
    wanted = [
        a
        for a in build.pins()["test"]
        if a.name in ("animal-sniffer", "gummy-bears-api-26") or a.group == "org.ow2.asm"
    ]
    build.fetch(wanted)
    return [a.path for a in wanted if a.kind == "jar"], next(a.path for a in wanted if a.kind == "signature")


def test_uses_only_what_api_26_has(app: Path, sniffer: tuple[list[Path], Path]) -> None:
    assert checks.check_api(DEMO / "build" / "classes", *sniffer) == []


def test_finds_a_newer_method(app: Path, sniffer: tuple[list[Path], Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """The one that the app calls behind a check of the version, without the line that allows it."""
    monkeypatch.setattr(checks, "GUARDED", ("nothing",))
    found = checks.check_api(DEMO / "build" / "classes", *sniffer)
    assert any("getCurrentThermalStatus" in problem for problem in found), found
