"""Checks an APK of the demo as far as that goes without a phone: python android_demo/check_apk.py [app.apk]

Every check is one function of CHECKS that answers with what is wrong, in words; tests/android/test_apk.py breaks an APK for each.
"""

# ruff: noqa: E501 (tables and commands of tools are read across)

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).resolve().parent
APK = HERE / "build" / "mobilekit-demo.apk"
AAPT2 = HERE / "build" / "aapt2"

PACKAGE = "dev.mobilekit.demo"
PERMISSIONS = {"android.permission.CAMERA"}
ABIS = {"arm64-v8a": "AArch64", "x86_64": "Advanced Micro Devices X86-64"}
PAGE_BYTES = 16384
KERNELS_BYTES = 200_000
APP_BYTES = 9_000_000
# What is used of bionic's libc; all of it is there since API 21.
BIONIC = {"memcpy", "memmove", "memset", "memcmp", "__stack_chk_fail"}
STORED = (".so", ".tflite", ".arsc")
PROGRAMS = {"apksigner": "apksigner", "zipalign": "zipalign", "dexdump": "dexdump", "llvm-readelf": "llvm"}


def check_signature(apk: Path) -> list[str]:
    """As Android does before it installs."""
    done = _run("apksigner", "verify", "--min-sdk-version", "26", apk)
    return [] if done.returncode == 0 else [f"apksigner: {line}" for line in _last(done)]


def check_alignment(apk: Path) -> list[str]:
    """Stored files at multiples of 4, libraries at pages; ours at pages of 16 KB too."""
    done = _run("zipalign", "-c", "-p", "4", apk)
    found = [] if done.returncode == 0 else ["zipalign: a stored file is not aligned"]
    with zipfile.ZipFile(apk) as archive, apk.open("rb") as file:
        for info in archive.infolist():
            if info.filename.endswith(".so"):
                file.seek(info.header_offset + 26)
                name, extra = (int.from_bytes(file.read(2), "little") for _ in range(2))
                if (info.header_offset + 30 + name + extra) % PAGE_BYTES:
                    found.append(f"{info.filename} does not begin at a multiple of {PAGE_BYTES}")
    return found


def check_entries(apk: Path) -> list[str]:
    """What must be there is, what is mapped is stored, and without its model the app is small."""
    with zipfile.ZipFile(apk) as archive:
        infos = {info.filename: info for info in archive.infolist()}
    wanted = ["AndroidManifest.xml", "classes.dex", "resources.arsc", "assets/model.tflite", "assets/model.json"]
    wanted += [f"lib/{abi}/{name}" for abi in ABIS for name in ("libmobilekit.so", "libtensorflowlite_jni.so")]
    found = [f"{name} is missing" for name in wanted if name not in infos]
    found += [
        f"{n} is compressed: it cannot be mapped" for n, i in infos.items() if n.endswith(STORED) and i.compress_type
    ]
    size = apk.stat().st_size - sum(i.compress_size for n, i in infos.items() if n.endswith(".tflite"))
    if size > APP_BYTES:
        found.append(f"the app without its model has {size} bytes, {APP_BYTES} are allowed")
    return found


def check_manifest(apk: Path) -> list[str]:
    """Package, versions of Android, and no permission but the camera's: what it sees stays on the phone."""
    done = _run(AAPT2, "dump", "badging", apk)
    if done.returncode:
        return [f"aapt2: {line}" for line in _last(done)]
    text = done.stdout
    found = []
    for pattern in (
        rf"package: name='{re.escape(PACKAGE)}'", r"minSdkVersion:'26'", r"targetSdkVersion:'35'",
        rf"launchable-activity: name='{re.escape(PACKAGE)}.MainActivity'", r"native-code: 'arm64-v8a' 'x86_64'",
    ):  # fmt: skip
        if not re.search(pattern, text):
            found.append(f"the manifest says no {pattern}")
    permissions = set(re.findall(r"uses-permission: name='([^']+)'", text))
    found += [f"the app asks for {name}" for name in sorted(permissions - PERMISSIONS)]
    return found


def check_dex(apk: Path) -> list[str]:
    """R8 kept what the manifest, the layout and the JNI library name, and the two halves of the JNI agree."""
    with tempfile.TemporaryDirectory() as name:
        dex = Path(name) / "classes.dex"
        library = Path(name) / "libmobilekit.so"
        with zipfile.ZipFile(apk) as archive:
            dex.write_bytes(archive.read("classes.dex"))
            library.write_bytes(archive.read("lib/arm64-v8a/libmobilekit.so"))
        done = _run("dexdump", dex)
        if done.returncode:
            return [f"dexdump: {line}" for line in _last(done)]
        exported = _exports(library)
    found = []
    for simple in ("MainActivity", "BenchActivity", "OverlayView", "Kernels"):
        if f"Class descriptor  : 'L{PACKAGE.replace('.', '/')}/{simple};'" not in done.stdout:
            found.append(f"the class {simple} is missing: R8 took it")
    native = _native_methods(done.stdout)
    prefix = f"Java_{PACKAGE.replace('.', '_')}_Kernels_"
    found += [
        f"Kernels.{method} has no {prefix}{method}" for method in sorted(native) if prefix + method not in exported
    ]
    if not native:
        found.append("Kernels has no native method")
    return found


def check_libraries(apk: Path) -> list[str]:
    """Machine, name, pages, hardening and needs of each library; of the runtime's only the machine, since it is as it is."""
    found = []
    with tempfile.TemporaryDirectory() as name, zipfile.ZipFile(apk) as archive:
        for abi, machine in ABIS.items():
            for library in ("libmobilekit.so", "libtensorflowlite_jni.so"):
                path = Path(name) / library
                path.write_bytes(archive.read(f"lib/{abi}/{library}"))
                ours = library == "libmobilekit.so"
                found += [f"{abi}/{library}: {problem}" for problem in _library_problems(path, machine, ours)]
    return found


def _library_problems(library: Path, machine: str, ours: bool) -> list[str]:
    done = _run("llvm-readelf", "-h", "-l", "-d", "-W", library)
    if done.returncode:
        return _last(done)
    text = done.stdout
    found = [] if f"Machine:                           {machine}" in text else [f"it is not for {machine}"]
    if not ours:
        return found
    if "Library soname: [libmobilekit.so]" not in text:
        found.append("its SONAME is not libmobilekit.so")
    needed = set(re.findall(r"\(NEEDED\)\s+Shared library: \[([^\]]+)\]", text))
    found += [f"it needs {name}" for name in sorted(needed - {"libc.so", "libm.so", "liblog.so"})]
    alignments = [int(line.split()[-1], 16) for line in text.splitlines() if line.split()[:1] == ["LOAD"]]
    if not alignments or min(alignments) < PAGE_BYTES:
        found.append(f"its segments are aligned to {alignments}: not for pages of {PAGE_BYTES}")
    if "BIND_NOW" not in text and "NOW" not in text:
        found.append("it is not linked with -z now")
    if "GNU_RELRO" not in text:
        found.append("it is not linked with -z relro")
    found += [f"it needs {name} of the C library" for name in sorted(_undefined(library) - BIONIC)]
    found += [f"it exports {name}" for name in sorted(_exports(library)) if not name.startswith("Java_")]
    size = library.stat().st_size
    if size > KERNELS_BYTES:
        found.append(f"it has {size} bytes, {KERNELS_BYTES} are allowed")
    return found


def check_api(classes: Path, sniffer: list[Path], signature: Path) -> list[str]:
    """References to what API 26 does not have, in a folder of classes. Not of the APK: the checker reads class files."""
    done = _run("java", "-cp", ":".join(map(str, sniffer)), HERE / "ApiCheck.java", signature, classes)
    if done.returncode:
        return _last(done)
    references = set(re.findall(r"Undefined reference: (\S.*)", done.stdout + done.stderr))
    platform = [r for r in references if re.match(r"[\w\[ ]*(android|java|javax|org[./]json)[./]", r)]
    return [f"{reference} is not in API 26" for reference in sorted(platform) if not reference.startswith(GUARDED)]


# Called only where Build.VERSION.SDK_INT says that they are there.
GUARDED = ("int android.os.PowerManager.getCurrentThermalStatus()",)

CHECKS: dict[str, Callable[[Path], list[str]]] = {
    "signature": check_signature,
    "alignment": check_alignment,
    "entries": check_entries,
    "manifest": check_manifest,
    "dex": check_dex,
    "libraries": check_libraries,
}


def _native_methods(dump: str) -> set[str]:
    """Of the class Kernels, from dexdump's text."""
    start = dump.find(f"Class descriptor  : 'L{PACKAGE.replace('.', '/')}/Kernels;'")
    end = dump.find("Class descriptor", start + 1)
    text = dump[start : end if end > 0 else None] if start >= 0 else ""
    return set(re.findall(r"name\s+: '(\w+)'\s+type\s+: '[^']+'\s+access\s+: 0x\w+ \([A-Z ]*NATIVE", text))


def _symbols(library: Path) -> list[list[str]]:
    lines = _run("llvm-readelf", "--dyn-syms", "-W", library).stdout.splitlines()
    return [fields for fields in map(str.split, lines) if len(fields) >= 8 and fields[0].rstrip(":").isdigit()]


def _undefined(library: Path) -> set[str]:
    return {fields[7].partition("@")[0] for fields in _symbols(library) if fields[6] == "UND"}


def _exports(library: Path) -> set[str]:
    return {fields[7].partition("@")[0] for fields in _symbols(library) if fields[6] != "UND" and fields[4] == "GLOBAL"}


def _run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(map(str, command)), capture_output=True, text=True, errors="replace", check=False)


def _last(done: subprocess.CompletedProcess[str]) -> list[str]:
    return (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-3:]


def main(arguments: list[str]) -> int | str:
    missing = {program: package for program, package in PROGRAMS.items() if shutil.which(program) is None}
    if missing:
        return f"not on the PATH: {', '.join(missing)} (Debian: apt-get install {' '.join(missing.values())})"
    if not AAPT2.is_file():
        return "there is no android_demo/build/aapt2: make apk"
    apk = Path(arguments[0]) if arguments else APK
    if not apk.is_file():
        return f"there is no '{apk}': make apk"
    problems = {name: check(apk) for name, check in CHECKS.items()}
    for name, found in problems.items():
        print(f"{name}: {'ok' if not found else '; '.join(found)}")
    return 1 if any(problems.values()) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
