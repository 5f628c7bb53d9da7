"""The app on this machine's JVM: its classes, its tests, the kernels' JNI library built for the host. Used by tests/android.

Robolectric stands in for Android's framework (real framework classes, fake hardware); ART, bionic and the camera do not run here.
"""

# ruff: noqa: E501 (tables and commands of tools are read across)

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent


def _load_build():  # type: ignore[no-untyped-def]
    """build.py beside this file, once, whoever has loaded it before."""
    if "android_demo_build" not in sys.modules:
        spec = importlib.util.spec_from_file_location("android_demo_build", HERE / "build.py")
        assert spec is not None
        assert spec.loader is not None
        module = importlib.util.module_from_spec(spec)
        sys.modules["android_demo_build"] = module
        spec.loader.exec_module(module)
    return sys.modules["android_demo_build"]


build = _load_build()
TESTS = HERE / "app" / "src" / "test" / "kotlin"
JVM = build.BUILD / "jvm"


def host_library() -> Path:
    """libmobilekit.so for this machine, from the sources of the app's."""
    compiler = os.environ.get("CXX") or shutil.which("g++") or "clang++"
    sources = [*build.kernel_sources(), build.ROOT / "cpp" / "bindings" / "jni.cc"]
    headers = [f"-I{build.java_home() / 'include'}", f"-I{build.java_home() / 'include' / 'linux'}"]
    JVM.mkdir(parents=True, exist_ok=True)

    def make(target: Path) -> None:
        flags = [
            "-std=c++17",
            "-O2",
            "-shared",
            "-fPIC",
            "-ffp-contract=off",
            "-fvisibility=hidden",
            f"-I{build.ROOT / 'cpp' / 'include'}",
        ]
        build.run([compiler, *flags, *headers, *sources, "-o", target], "the kernels for this machine")

    inputs = [*sources, *build.files_below(build.ROOT / "cpp", ".h")]
    return Path(build.step("kernels for this machine", inputs, compiler, JVM / "libmobilekit.so", make))


def test_libraries() -> list[Path]:
    """JUnit and Robolectric; of an .aar its classes."""
    artifacts = [
        a
        for a in build.pins()["test"]
        if a.name not in ("android-all-instrumented", "animal-sniffer") and a.kind != "signature"
    ]
    build.fetch(artifacts)
    files = []
    for artifact in artifacts:
        path = artifact.path
        if artifact.kind == "aar":
            target = JVM / f"{artifact.name}.jar"

            def make(out: Path, path: Path = path) -> None:
                build.extract(path, "classes.jar", out)

            path = build.step(f"classes of {artifact.name}", [path], None, target, make)
        files.append(path)
    return files


def test_classpath() -> list[Path]:
    """The tests' classes first, Android's last: Robolectric brings its own of most."""
    jars = build.fetch(build.pins()["build"])
    JVM.mkdir(parents=True, exist_ok=True)
    base, r_java = build.build_resources(jars)
    classes = build.build_classes(jars, r_java)
    libraries = [*test_libraries(), *build.runtime_classes(jars), jars["kotlin-stdlib"], jars["android-all"]]
    compiler = [
        path for name, path in jars.items() if name.startswith(("kotlin-", "kotlinx-")) or name == "annotations"
    ]
    sources = build.files_below(TESTS, ".kt")

    def make(folder: Path) -> None:
        folder.mkdir()
        build.run(
            ["java", "-Xmx1g", "-cp", build._path(compiler), "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler",
             "-no-stdlib", "-no-reflect", "-jvm-target", "11", "-Xnullability-annotations=@android.annotation:ignore",
             f"-Xfriend-paths={classes}", "-jdk-home", build.java_home(),
             "-classpath", build._path([classes, *libraries]), "-d", folder, *sources],
            "Kotlin's compiler (tests)",
        )  # fmt: skip

    inputs = [*sources, *build.files_below(classes, ".class"), *libraries]
    tests = build.step("Kotlin (tests)", inputs, None, JVM / "classes", make)
    return [tests, classes, _robolectric_resources(base), *libraries]


def _robolectric_resources(base: Path) -> Path:
    """A folder with Robolectric's test_config.properties, and the APK that it names: resources, manifest, the demo model."""
    folder = JVM / "resources"
    place = folder / "com" / "android" / "tools"
    place.mkdir(parents=True, exist_ok=True)
    apk = folder / "app.apk"
    entries = [*build.read_entries(base), *build.demo_model(None)]
    apk.write_bytes(build.zip_entries(entries))
    assets = folder / "assets"
    assets.mkdir(exist_ok=True)
    with zipfile.ZipFile(apk) as archive:
        for name in ("model.tflite", "model.json"):
            (assets / name).write_bytes(archive.read(f"assets/{name}"))
    (place / "test_config.properties").write_text(
        f"android_resource_apk={apk}\nandroid_merged_assets={assets}\n"
        f"android_merged_manifest={build.MAIN / 'AndroidManifest.xml'}\nandroid_custom_package={build.PACKAGE}\n"
    )
    return folder


# Android's own classes reach into the JDK's of the same name (FileDescriptor, buffers).
_OPENS = [
    f"--add-opens=java.base/{package}=ALL-UNNAMED" for package in ("java.io", "java.lang", "java.nio", "java.util")
]


def java(
    main: str, *arguments: str, properties: dict[str, str] | None = None, classpath: list[Path] | None = None
) -> tuple[int, str]:
    """Runs a main class on the tests' classpath: (exit status, what it printed)."""
    path = build._path(classpath or test_classpath())
    values = {"java.library.path": str(host_library().parent), **(properties or {})}
    flags = [*_OPENS, *(f"-D{name}={value}" for name, value in values.items())]
    command = ["java", "-Xmx2g", *flags, "-cp", path, main, *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def robolectric_properties() -> dict[str, str]:
    """Robolectric without a network: Android's instrumented jar in a folder."""
    (artifact,) = [a for a in build.pins()["test"] if a.name == "android-all-instrumented"]
    build.fetch([artifact])
    folder = JVM / "robolectric"
    folder.mkdir(parents=True, exist_ok=True)
    link = folder / artifact.path.name
    if not link.exists():
        link.symlink_to(artifact.path)
    return {"robolectric.offline": "true", "robolectric.dependency.dir": str(folder), "robolectric.enabledSdks": "35"}
