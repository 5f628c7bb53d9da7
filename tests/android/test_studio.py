"""The files for Android Studio name what build.py builds: the same versions, flags and folders."""

from __future__ import annotations

import re

from tests.android.support import DEMO, ROOT, module

GRADLE = (DEMO / "app" / "build.gradle.kts").read_text(encoding="utf-8")


def test_gradle_names_the_versions_of_the_build() -> None:
    build = module("build")
    pins = {artifact.name: artifact for part in build.pins().values() for artifact in part}
    for name in ("tensorflow-lite", "junit", "robolectric"):
        assert f'"{pins[name].group}:{name}:{pins[name].version}"' in GRADLE
    assert f'id("org.jetbrains.kotlin.android") version "{pins["kotlin-compiler-embeddable"].version}"' in GRADLE
    assert f"minSdk = {build.MIN_SDK}\n" in GRADLE
    assert f"targetSdk = {build.TARGET_SDK}\n" in GRADLE
    assert f'versionName = "{build.version()}"' in GRADLE
    assert f'namespace = "{build.PACKAGE}"' in GRADLE
    assert re.findall(r'"([\w-]+)"', GRADLE.split("abiFilters += listOf(")[1].split(")")[0]) == [
        abi.name for abi in build.ABIS
    ]


def test_the_layout_is_the_standard_one() -> None:
    main = DEMO / "app" / "src" / "main"
    for folder in ("kotlin", "cpp", "res"):
        assert (main / folder).is_dir()
    cmake = (main / "cpp" / "CMakeLists.txt").read_text(encoding="utf-8")
    relative = cmake.split("${CMAKE_CURRENT_SOURCE_DIR}/")[1].split(")")[0]
    assert (main / "cpp" / relative).resolve() == ROOT / "cpp"
    assert (main / "cpp" / relative / "bindings" / "jni.cc").is_file()
    assert f'path = file("{(main / "cpp" / "CMakeLists.txt").relative_to(DEMO / "app")}")' in GRADLE
    assert 'include(":app")' in (DEMO / "settings.gradle.kts").read_text(encoding="utf-8")
