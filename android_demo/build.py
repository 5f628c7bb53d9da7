"""Builds the demo app without Gradle and without the Android SDK: Python, a JDK, Maven as the downloader, and clang.

    python android_demo/build.py            -> android_demo/build/mobilekit-demo.apk, debug-signed

    Maven Central --sha256--> jars       res/ --aapt2--> base.apk + R.java
    kotlin/ + R.java --kotlinc, javac--> classes --R8--> classes.dex        } zip, aligned --> signed --> renamed into place
    cpp/sources.txt + jni.cc --clang, per ABI--> libmobilekit.so            }
    mobilekit.bench.model --> model.tflite + model.json                     }

A step whose inputs have not changed since it last ran is skipped (their sha256 stands beside its output). Nothing is downloaded
but what constraints/android.txt names, and a file with another sha256 is refused. The same sources give the same bytes.
"""

# ruff: noqa: E501 (tables and commands of tools are read across)

from __future__ import annotations

import argparse
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = HERE / "build"
MAIN = HERE / "app" / "src" / "main"
PINS = ROOT / "constraints" / "android.txt"
APK = BUILD / "mobilekit-demo.apk"
sys.path.insert(0, str(ROOT))

from mobilekit.android.apk import Entry, read_entries, zip_entries  # noqa: E402
from mobilekit.android.sign import Key, sign  # noqa: E402
from mobilekit.errors import MobilekitError  # noqa: E402
from mobilekit.files import check_writable, write_file  # noqa: E402

MIN_SDK, TARGET_SDK = 26, 35
# Version 3.6.1 of the plugin, because Maven's own default (2.8) is from 2013 and cannot be given exclusions for all.
DOWNLOADER = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"


class BuildError(MobilekitError):
    """The app cannot be built here; the message says what is missing and how to get it."""


# --- What must be there.


@dataclass(frozen=True)
class Tool:
    """A program that the build runs."""

    program: str
    package: str
    """Debian's package of it."""
    purpose: str


TOOLS = (
    Tool("java", "openjdk-17-jdk-headless", "runs Kotlin's compiler and R8"),
    Tool("javac", "openjdk-17-jdk-headless", "compiles R.java"),
    Tool("mvn", "maven", "downloads from Maven Central"),
    Tool("clang++", "clang", "compiles the kernels for Android"),
    Tool("ld.lld", "lld", "links them"),
)
# With every JDK; android-libnativehelper-dev has it where a JDK has only its runtime.
JNI_HEADERS = ("/usr/lib/jvm/default-java/include", "/usr/include/android/nativehelper")


def check_tools(tools: Iterable[Tool] = TOOLS) -> None:
    """All that is missing, in one error."""
    missing = [tool for tool in tools if shutil.which(tool.program) is None]
    if missing:
        lines = "\n".join(f"  {tool.program} ({tool.purpose})" for tool in missing)
        packages = " ".join(dict.fromkeys(tool.package for tool in missing))
        raise BuildError(f"not on the PATH:\n{lines}\nDebian: apt-get install {packages}")


def run(command: list[str | Path], what: str, cwd: Path | None = None) -> str:
    """The standard output; :class:`BuildError` with the end of the errors."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, cwd=cwd)
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise BuildError(f"{what} failed (exit status {done.returncode}):\n" + "\n".join(said[-30:]))
    return done.stdout


# --- Downloads.


@dataclass(frozen=True)
class Artifact:
    """A file of Maven Central."""

    group: str
    name: str
    version: str
    kind: str
    sha256: str

    @property
    def path(self) -> Path:
        """In Maven's local repository, which lies outside the tree and which other projects share."""
        file = f"{self.name}-{self.version}.{self.kind}"
        return maven_repository() / self.group.replace(".", "/") / self.name / self.version / file


def maven_repository() -> Path:
    return Path(os.environ.get("MAVEN_REPOSITORY") or Path.home() / ".m2" / "repository")


def pins(path: Path = PINS) -> dict[str, list[Artifact]]:
    """{"build": [...], "test": [...]}"""
    sections: dict[str, list[Artifact]] = {}
    current: list[Artifact] = []
    for line in path.read_text(encoding="utf-8").splitlines():
        if re.fullmatch(r"# (build|test)", line):
            current = sections.setdefault(line[2:], [])
        elif line and not line.startswith("#"):
            coordinates, sha256 = line.split()
            group, name, version, *kind = coordinates.split(":")
            current.append(Artifact(group, name, version, kind[0] if kind else "jar", sha256))
    return sections


def fetch(artifacts: list[Artifact]) -> dict[str, Path]:
    """Name -> file, downloaded if it is not there; :class:`BuildError` where the sha256 is another."""
    missing = [artifact for artifact in artifacts if not artifact.path.is_file()]
    if missing:
        print(f"downloading {len(missing)} files with Maven", flush=True)
        _download(missing)
    for artifact in artifacts:
        if not artifact.path.is_file():
            raise BuildError(f"Maven did not bring {artifact.group}:{artifact.name}:{artifact.version}")
        found = sha256_of(artifact.path)
        if found != artifact.sha256:
            raise BuildError(
                f"{artifact.path} has the sha256 {found}, expected {artifact.sha256}: remove it and build again; "
                "if it comes back, do not trust it"
            )
    return {artifact.name: artifact.path for artifact in artifacts}


def _download(artifacts: list[Artifact]) -> None:
    """One call of Maven for all: it needs 3 s to start."""
    dependencies = "".join(
        f"<dependency><groupId>{a.group}</groupId><artifactId>{a.name}</artifactId><version>{a.version}</version>"
        f"<type>{a.kind}</type><exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion>"
        "</exclusions></dependency>"
        for a in artifacts
    )
    pom = (
        "<project><modelVersion>4.0.0</modelVersion><groupId>mobilekit</groupId>"
        f"<artifactId>downloads</artifactId><version>1</version><dependencies>{dependencies}</dependencies></project>"
    )
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pom.xml").write_text(pom, encoding="utf-8")
        local = f"-Dmaven.repo.local={maven_repository()}"
        run(["mvn", "-q", "-B", local, f"{DOWNLOADER}:resolve"], "the download with Maven", cwd=Path(folder))


def sha256_of(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


# --- Steps.


def step(name: str, inputs: Iterable[Path], settings: object, output: Path, make: Callable[[Path], None]) -> Path:
    """``make(output)`` unless it was made from the same inputs; an interrupted step leaves no output."""
    parts = [
        (str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path.name), sha256_of(path)) for path in inputs
    ]
    digest = hashlib.sha256(json.dumps([sorted(parts), repr(settings)]).encode()).hexdigest()
    stamp = output.with_name(output.name + ".stamp")
    if output.exists() and stamp.is_file() and stamp.read_text() == digest:
        return output
    began = time.monotonic()
    stamp.unlink(missing_ok=True)
    fresh = output.with_name(output.name + ".part")
    for old in (fresh, output):
        shutil.rmtree(old, ignore_errors=True) if old.is_dir() else old.unlink(missing_ok=True)
    make(fresh)
    fresh.replace(output)
    stamp.write_text(digest)
    print(f"{time.monotonic() - began:6.1f} s  {name}", flush=True)
    return output


def files_below(folder: Path, *suffixes: str) -> list[Path]:
    return sorted(p for p in folder.rglob("*") if p.is_file() and (not suffixes or p.suffix in suffixes))


def extract(archive: Path, member: str, target: Path) -> None:
    with zipfile.ZipFile(archive) as opened:
        target.write_bytes(opened.read(member))


def build_resources(jars: dict[str, Path]) -> tuple[Path, Path]:
    """base.apk (binary manifest, resources) and the folder with R.java."""
    aapt2 = BUILD / "aapt2"

    def make_aapt2(target: Path) -> None:
        extract(jars["apktool-lib"], "prebuilt/linux/aapt2", target)
        target.chmod(0o755)

    step("aapt2", [jars["apktool-lib"]], None, aapt2, make_aapt2)

    def make(folder: Path) -> None:
        folder.mkdir()
        run([aapt2, "compile", "--dir", MAIN / "res", "-o", folder / "compiled.zip"], "aapt2 compile")
        run(
            [aapt2, "link", "-I", jars["android-all"], "--manifest", MAIN / "AndroidManifest.xml", "-o", folder / "base.apk",
             "--java", folder / "java",
             "--min-sdk-version", str(MIN_SDK), "--target-sdk-version", str(TARGET_SDK), "--version-code", "1",
             "--version-name", version(), "--debug-mode", "--auto-add-overlay", folder / "compiled.zip"],
            "aapt2 link",
        )  # fmt: skip

    inputs = [*files_below(MAIN / "res"), MAIN / "AndroidManifest.xml", jars["apktool-lib"]]
    folder = step("resources", inputs, (MIN_SDK, TARGET_SDK, version()), BUILD / "resources", make)
    return folder / "base.apk", folder / "java"


PACKAGE = "dev.mobilekit.demo"


def version() -> str:
    text = (ROOT / "mobilekit" / "_version.py").read_text(encoding="utf-8")
    found = re.search(r'__version__.*?"([^"]+)"', text)
    assert found
    facts = (MAIN / "kotlin" / PACKAGE.replace(".", "/") / "BuildFacts.kt").read_text(encoding="utf-8")
    if f'VERSION = "{found[1]}"' not in facts:
        raise BuildError(f"BuildFacts.kt names another version than mobilekit's {found[1]}: change it there")
    return found[1]


def runtime_classes(jars: dict[str, Path]) -> list[Path]:
    """classes.jar of each AAR."""
    made = []
    for name in ("tensorflow-lite", "tensorflow-lite-api"):
        aar = jars[name]

        def make(target: Path, aar: Path = aar) -> None:
            extract(aar, "classes.jar", target)

        made.append(step(f"classes of {name}", [aar], None, BUILD / f"{name}.jar", make))
    return made


def build_classes(jars: dict[str, Path], r_java: Path, sources: Path = MAIN / "kotlin") -> Path:
    """Kotlin and R.java -> a folder of classes."""
    compiler = [
        path for name, path in jars.items() if name.startswith(("kotlin-", "kotlinx-")) or name == "annotations"
    ]
    libraries = [*runtime_classes(jars), jars["android-all"], jars["kotlin-stdlib"]]
    java_files = files_below(r_java, ".java")
    kotlin_files = files_below(sources, ".kt")

    def make(folder: Path) -> None:
        folder.mkdir()
        run(["javac", "-nowarn", "--release", "11", "-d", folder, *java_files], "javac")
        run(
            ["java", "-Xmx1g", "-cp", _path(compiler), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
             "-no-stdlib", "-no-reflect", "-jvm-target", "11", "-Xnullability-annotations=@android.annotation:ignore",
             # Lambdas and string templates as classes and StringBuilders: R8 would have to undo the others for API 26.
             "-Xlambdas=class", "-Xsam-conversions=class", "-Xstring-concat=inline",
             "-Werror", "-classpath", _path([folder, *libraries]), "-d", folder, *kotlin_files],
            "Kotlin's compiler",
        )  # fmt: skip

    return step("Kotlin", [*java_files, *kotlin_files, *compiler, *libraries], None, BUILD / "classes", make)


def build_dex(jars: dict[str, Path], classes: Path) -> Path:
    """Classes, runtime and Kotlin's library -> one small classes.dex."""
    runtime = runtime_classes(jars)
    rules = HERE / "app" / "proguard-rules.pro"

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=BUILD) as name:
            folder = Path(name)
            program = folder / "app.jar"
            compiled = files_below(classes, ".class")
            program.write_bytes(zip_entries(Entry(str(p.relative_to(classes)), p.read_bytes()) for p in compiled))
            extract(jars["tensorflow-lite"], "proguard.txt", folder / "tensorflow-lite.pro")
            run(
                ["java", "-Xmx2g", "-cp", jars["r8"], "com.android.tools.r8.R8", "--release", "--min-api", str(MIN_SDK),
                 "--lib", jars["android-all"], "--lib", java_home(), "--pg-conf", rules,
                 "--pg-conf", folder / "tensorflow-lite.pro", "--output", folder, program, *runtime, jars["kotlin-stdlib"]],
                "R8",
            )  # fmt: skip
            (folder / "classes.dex").replace(target)

    inputs = [*files_below(classes, ".class"), *runtime, rules, jars["r8"], jars["android-all"], jars["kotlin-stdlib"]]
    return step("R8", inputs, MIN_SDK, BUILD / "classes.dex", make)


def java_home() -> Path:
    return Path(str(shutil.which("java"))).resolve().parent.parent


def _path(files: Iterable[Path]) -> str:
    return os.pathsep.join(map(str, files))


# --- The kernels for Android, without the NDK.


@dataclass(frozen=True)
class Abi:
    """One processor of Android phones."""

    name: str
    triple: str
    flags: tuple[str, ...]


ABIS = (
    # Outlined atomics would need a helper of compiler-rt; the kernels have one relaxed atomic.
    Abi("arm64-v8a", f"aarch64-linux-android{MIN_SDK}", ("-mno-outline-atomics",)),
    Abi("x86_64", f"x86_64-linux-android{MIN_SDK}", ()),
)
# As cpp/CMakeLists.txt, and without the headers of this machine: what of the C library is used stands in app/src/main/cpp/libc.
COMPILE = (
    "-std=c++17", "-O3", "-fPIC", "-ffp-contract=off", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics",
    "-fvisibility=hidden", "-ffunction-sections", "-fstack-protector-strong", "-nostdlibinc", "-nostdinc++", "-Wall", "-Wextra", "-Werror",
)  # fmt: skip
# Each function a section, of which the linker drops what the app does not call: a kernel may use libm where Python alone runs it.
# 16 KB pages: Android 15 phones may have them. --no-undefined against stubs of bionic: nothing but what it exports is used.
LINK = (
    "-shared", "-nostdlib", "-fuse-ld=lld", "-Wl,-z,max-page-size=16384", "-Wl,-z,now", "-Wl,-z,relro", "-Wl,--no-undefined",
    "-Wl,--hash-style=both", "-Wl,--build-id=sha1", "-Wl,--gc-sections", "-Wl,-s", "-Wl,-soname,libmobilekit.so",
)  # fmt: skip


def kernel_sources() -> list[Path]:
    lines = (ROOT / "cpp" / "sources.txt").read_text(encoding="utf-8").splitlines()
    return [ROOT / "cpp" / line.strip() for line in lines if line.strip() and not line.startswith("#")]


def jni_headers() -> Path:
    for folder in (*map(Path, JNI_HEADERS), java_home() / "include"):
        if (folder / "jni.h").is_file():
            return folder
    raise BuildError("there is no jni.h\nDebian: apt-get install android-libnativehelper-dev")


def build_library(abi: Abi) -> Path:
    """libmobilekit.so of one ABI."""
    sources = [*kernel_sources(), ROOT / "cpp" / "bindings" / "jni.cc", MAIN / "cpp" / "cpu_features.cc"]
    headers = files_below(ROOT / "cpp", ".h") + files_below(MAIN / "cpp", ".h", ".txt")
    (BUILD / abi.name).mkdir(exist_ok=True)

    def make(target: Path) -> None:
        with tempfile.TemporaryDirectory(dir=BUILD) as name:
            folder = Path(name)
            shutil.copy(jni_headers() / "jni.h", folder / "jni.h")  # its neighbours are another system's headers
            for header in jni_headers().glob("linux/jni_md.h"):
                shutil.copy(header, folder / "jni_md.h")
            stub = folder / "libc.so"
            names = (MAIN / "cpp" / "libc" / "symbols.txt").read_text(encoding="utf-8").split()
            (folder / "libc.c").write_text("".join(f"void {name}(void) {{}}\n" for name in names))
            (folder / "libc.map").write_text("LIBC { global: *; };\n")
            compiler = ["clang", f"--target={abi.triple}", "-fno-builtin", "-w"]
            linker = [
                "-shared",
                "-nostdlib",
                "-fuse-ld=lld",
                "-Wl,-soname,libc.so",
                f"-Wl,--version-script={folder / 'libc.map'}",
            ]
            run([*compiler, *linker, folder / "libc.c", "-o", stub], f"clang ({abi.name}, stub of libc)")
            objects = []
            for source in sources:
                made = folder / (source.stem + ".o")
                run(
                    ["clang++", f"--target={abi.triple}", *COMPILE, *abi.flags, f"-ffile-prefix-map={ROOT}=.",
                     "-isystem", MAIN / "cpp" / "libc", "-isystem", folder, "-I", ROOT / "cpp" / "include", "-c", source, "-o", made],
                    f"clang++ ({abi.name}, {source.name})",
                )  # fmt: skip
                objects.append(made)
            run(["clang++", f"--target={abi.triple}", *LINK, *objects, stub, "-o", target], f"lld ({abi.name})")

    settings = (abi, COMPILE, LINK, run(["clang++", "--version"], "clang++"))
    return step(f"kernels for {abi.name}", [*sources, *headers], settings, BUILD / abi.name / "libmobilekit.so", make)


# --- The app.


def demo_model(model: Path | None) -> list[Entry]:
    """The model and its sidecar: MobileNetV2 by default, converted here (or taken from the user's cache), never committed."""
    from mobilekit.bench.model import default_model, load_model

    loaded = load_model(model) if model else default_model()
    if loaded.sidecar is None:
        raise BuildError(f"there is no sidecar beside '{model}': the app could not know how to feed it")
    # Not compressed: the app maps it.
    return [Entry("assets/model.tflite", loaded.data), Entry("assets/model.json", loaded.sidecar.to_json().encode())]


def assemble(
    base: Path, dex: Path, libraries: dict[str, Path], runtime: Path, model: list[Entry], target: Path
) -> None:
    """All files in the order of their names, signed, renamed into place."""
    entries = [*read_entries(base), Entry("classes.dex", dex.read_bytes()), *model]
    with zipfile.ZipFile(runtime) as aar:
        for abi in libraries:
            name = f"{abi}/libtensorflowlite_jni.so"
            entries.append(Entry(f"lib/{name}", aar.read(f"jni/{name}")))
    entries += [Entry(f"lib/{abi}/libmobilekit.so", path.read_bytes()) for abi, path in libraries.items()]
    # The manifest first, as every tool does that only wants to know what an APK is.
    entries.sort(key=lambda entry: (entry.name != "AndroidManifest.xml", entry.name))
    write_file(target, sign(zip_entries(entries), Key.debug()))


def build(target: Path = APK, model: Path | None = None) -> Path:
    """The whole app."""
    check_tools()
    check_writable(target)
    BUILD.mkdir(exist_ok=True)
    jars = fetch(pins()["build"])
    base, r_java = build_resources(jars)
    libraries = {abi.name: build_library(abi) for abi in ABIS}
    dex = build_dex(jars, build_classes(jars, r_java))
    assemble(base, dex, libraries, jars["tensorflow-lite"], demo_model(model), target)
    return target


def main() -> int | str:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("-o", "--output", type=Path, default=APK)
    parser.add_argument("--model", type=Path, help=".tflite with its sidecar beside it (default: MobileNetV2, int8)")
    arguments = parser.parse_args()
    began = time.monotonic()
    try:
        apk = build(arguments.output, arguments.model)
    except MobilekitError as error:
        return str(error)
    size = apk.stat().st_size
    print(f"{time.monotonic() - began:6.1f} s  {os.path.relpath(apk)}, {size / 1e6:.2f} MB, sha256 {sha256_of(apk)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
