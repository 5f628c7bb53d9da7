"""What a user installs: the sdist builds the wheel, the wheel installs into an empty environment and works there."""

from __future__ import annotations

import email
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

import mobilekit

ROOT = Path(__file__).parent.parent


def run(command: Sequence[str | Path], **options: object) -> str:
    """Output of a command that must succeed; what it said otherwise."""
    child = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False, **options)  # type: ignore[call-overload]
    assert child.returncode == 0, f"{command}:\n{child.stdout[-2000:]}\n{child.stderr[-4000:]}"
    return str(child.stdout)


@pytest.fixture(scope="session")
def uv() -> Path:
    beside = Path(sys.executable).with_name("uv")
    found = beside if beside.exists() else shutil.which("uv")
    if found is None:
        pytest.skip("needs uv, as `make install` has it")
    return Path(found)


@pytest.fixture(scope="session")
def dist(uv: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist, and the wheel that was built from it in an environment of its own."""
    folder = tmp_path_factory.mktemp("dist")
    environment = {**os.environ, "MOBILEKIT_REQUIRE_NATIVE": "1"}
    run([uv, "build", "--quiet", "--python", sys.executable, "--out-dir", folder, ROOT], env=environment)
    return folder


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="session")
def python(uv: Path, wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment that was empty, with the wheel and what it asks for."""
    folder = tmp_path_factory.mktemp("environment")
    run([uv, "venv", "--quiet", "--python", sys.executable, folder])
    interpreter = folder / "bin" / "python"
    constraints = ROOT / "constraints" / "core.txt"
    run([uv, "pip", "install", "--quiet", "--python", interpreter, "--constraints", constraints, wheel])
    return interpreter


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
    extensions = {name for name in names if re.fullmatch(r"mobilekit/_native\..*\.so", name)}
    assert len(extensions) == 1
    ignored = {"__pycache__", ".so"}
    source = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "mobilekit").rglob("*")
        if path.is_file() and not ignored & {path.parent.name, path.suffix}
    }
    assert names - extensions == source


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        metadata = email.message_from_bytes(archive.read(name))
        licences = [name for name in archive.namelist() if name.endswith("/LICENSE")]
        (entry_points,) = [archive.read(n).decode() for n in archive.namelist() if n.endswith("/entry_points.txt")]
    assert (metadata["Name"], metadata["Version"]) == ("mobilekit", mobilekit.__version__)
    assert metadata["License-Expression"] == "Apache-2.0"
    assert len(licences) == 1
    assert str(metadata.get_payload()).startswith("# mobilekit")
    assert "mobilekit = mobilekit.cli:" in entry_points


def test_the_sdist_holds_what_building_needs_and_nothing_else(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames() if archive.getmember(name).isfile()}
    assert {"setup.py", "pyproject.toml", "LICENSE", "README.md", "cpp/sources.txt", "cpp/bindings/python.cc"} <= names
    expected = re.compile(
        r"mobilekit/.*|cpp/(include|src|bindings)/.*\.(h|cc)|cpp/sources\.txt|mobilekit\.egg-info/.*"
        r"|setup\.(py|cfg)|pyproject\.toml|MANIFEST\.in|PKG-INFO|LICENSE|(README|CHANGELOG)\.md"
    )
    assert {name for name in names if not expected.fullmatch(name)} == set()
    assert not any(name.endswith((".so", ".pyc", ".tflite")) for name in names)


def test_it_works_where_nothing_else_is(python: Path, tmp_path: Path) -> None:
    """From a folder of its own, so that not the repository but what was installed is imported."""
    code = "import mobilekit, mobilekit.kernels as k; print(mobilekit.__file__, mobilekit.__version__, k.describe())"
    said = run([python, "-W", "error", "-c", code], cwd=tmp_path)
    assert str(python.parent.parent) in said
    assert f" {mobilekit.__version__} " in said
    assert "'implementation': 'native'" in said
    command = python.with_name("mobilekit")
    assert mobilekit.__version__ in run([command, "--version"], cwd=tmp_path)
    (tmp_path / "net.py").write_text("import torch\ndef make():\n    return torch.nn.Conv2d(3, 4, 3).eval()\n")
    run([command, "convert", "net.py:make", "-o", "net.tflite", "--input-shape", "1,3,8,8"], cwd=tmp_path)
    assert "CONV_2D" in run([command, "info", "net.tflite"], cwd=tmp_path)


def test_the_type_marker_reaches_users(python: Path, tmp_path: Path) -> None:
    code = "import importlib.resources as r; print(r.files('mobilekit').joinpath('py.typed').is_file())"
    assert run([python, "-c", code], cwd=tmp_path).strip() == "True"


def test_the_readme_example_runs(tmp_path: Path) -> None:
    """The Python of the README, as it stands there."""
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    said = run([sys.executable, "-c", example], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)})
    assert "passed=True" in said
    assert {path.name for path in tmp_path.iterdir()} == {"net.tflite", "net.json"}


def test_the_commands_of_the_docs_exist() -> None:
    """Every ``mobilekit <command>`` and ``--option`` that the README and docs show is one that ``-h`` knows."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    shown: dict[str, set[str]] = {}
    pattern = (
        r"(?:^    |`)mobilekit ((?:quantize |recipe )?[a-z]+)\b([^`\n#]*)"  # two words where commands are in groups
    )
    for page in pages:
        text = page.read_text(encoding="utf-8")
        for command, rest in re.findall(pattern, text, re.MULTILINE):
            shown.setdefault(command, set()).update(re.findall(r"--[a-z-]+", rest))
    assert {"convert", "check", "verify", "info", "bench"} <= set(shown)
    for command, options in shown.items():
        known = run(
            [sys.executable, "-m", "mobilekit", *command.split(), "-h"], cwd=ROOT, env={**os.environ, "COLUMNS": "200"}
        )
        assert {option for option in options if option not in known} == set(), f"mobilekit {command}"
