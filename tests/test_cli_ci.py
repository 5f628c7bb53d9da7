"""``mobilekit ci`` as users type it: one table, report files, the baseline, the cache, init, and every bad input."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mobilekit.cli import main
from mobilekit.graph.writer import write
from tests.compat.graphs import conv, graph_of, unary

ROOT = Path(__file__).parent.parent

PROJECT = """\
[tool.mobilekit]
targets = ["cpu", "gpu"]

[[tool.mobilekit.models]]
model = "good.tflite"

[[tool.mobilekit.models]]
model = "cut.tflite"
"""
NETS = """\
import time
import torch

class Small(torch.nn.Module):
    def forward(self, x):
        return x.relu()

def raises() -> torch.nn.Module:
    raise ValueError("the user's own mistake")

def slow() -> torch.nn.Module:
    time.sleep(600)
    return Small()

def _helper() -> torch.nn.Module:
    return Small()
"""
TABLE = """\
{
  "format": 1, "target": "npu", "title": "our NPU", "dtype_scope": "runtime",
  "source": {"repo": null, "paths": ["datasheet"], "commit": null, "retrieved": "2026-11-22"},
  "ops": {
    "CONV_2D": {"dtypes": ["float32"], "constrains": []}
  }
}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one model that is taken whole, one that is cut, and a cache of its own."""
    first = conv(8, 4, 6)
    middle = unary("GATHER_ND", first.output)
    (tmp_path / "good.tflite").write_bytes(write(graph_of([conv()])))
    (tmp_path / "cut.tflite").write_bytes(write(graph_of([first, middle, conv(8, 6, 6, x=middle.output)])))
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Any:
    """Run a command line; the exit code must be ``code``. Returns (stdout, stderr)."""

    def run(words: str, code: int = 0) -> tuple[str, str]:
        capfd.readouterr()
        got = main(words.split())
        out, err = capfd.readouterr()
        assert got == code, err
        return out, err

    return run


def configure(project: Path, more: str) -> None:
    """Put ``more`` in front of the list of models."""
    (project / "pyproject.toml").write_text(PROJECT.replace("\n\n", f"\n{more}\n\n", 1))


def test_one_table_of_all_models(run: Any, project: Path) -> None:
    out, err = run("ci --jobs 1")
    rows = {line.split()[0]: line for line in out.splitlines() if line}
    assert rows["good"].split() == ["good", "100", "%", "100", "%", "1.5.0", "ok"]
    assert rows["cut"].split() == ["cut", "66.7", "%", "/", "3", "66.7", "%", "/", "2", "1.14.0", "ok"]
    assert out.endswith("2 models: 2 ok\n")
    assert err == ""


def test_a_bar_that_is_missed(run: Any, project: Path) -> None:
    configure(project, "min-coverage = { gpu = 0.95 }")
    assert "cut on gpu: takes 66.7 % of the ops (1 refused), 95 % is the bar" in run("ci --jobs 1", 2)[0]
    document = json.loads(run("ci --jobs 1 --json", 2)[0])
    assert (document["kind"], [outcome["cached"] for outcome in document["outcomes"]]) == ("ci", [True, True])
    assert [len(outcome["misses"]) for outcome in document["outcomes"]] == [0, 1]


def test_the_cache_is_where_it_is_asked_for(run: Any, project: Path) -> None:
    run("ci --jobs 1 --cache kept")
    assert len(list((project / "kept").glob("*.json"))) == 2
    assert not (project / "cache").exists()
    assert run("ci --jobs 1 --cache kept")[0].count("(cached)") == 2
    run("ci --jobs 1")
    assert len(list((project / "cache" / "mobilekit" / "ci").glob("*.json"))) == 2
    assert "(cached)" not in run("ci --jobs 1 --no-cache")[0]


def test_paths_are_relative_to_the_configuration_and_reports_of_the_command_line_to_here(
    run: Any, project: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write('\n[tool.mobilekit.reports]\njunit = "out/ops.xml"\n')
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    monkeypatch.chdir(elsewhere)
    run(f"ci --config {project / 'pyproject.toml'} --jobs 1 --report md=ops.md --report junit=mine.xml")
    assert (project / "out" / "ops.xml").exists()
    assert sorted(path.name for path in elsewhere.iterdir()) == ["mine.xml", "ops.md"]


def test_a_report_that_cannot_be_written_keeps_no_other_away(run: Any, project: Path) -> None:
    out, err = run("ci --jobs 1 --report junit=good.tflite/a.xml --report sarif=a.sarif --report badge=b.json", 1)
    assert out.endswith("2 models: 2 ok\n")
    assert err.startswith("mobilekit: error: junit report: cannot write 'good.tflite/a.xml'")
    assert json.loads((project / "a.sarif").read_text())["version"] == "2.1.0"
    assert json.loads((project / "b.json").read_text())["message"] == "66.7 %"


def test_the_baseline_is_written_compared_and_written_again(run: Any, project: Path) -> None:
    configure(project, 'baseline = "ops.json"')
    assert "cannot read the baseline 'ops.json': No such file" in run("ci --jobs 1", 1)[1]
    assert run("ci --jobs 1 --update-baseline")[1] == "mobilekit: wrote the baseline 'ops.json'\n"
    assert json.loads((project / "ops.json").read_text())["models"]["cut"]["targets"]["gpu"]["pieces"] == 2
    run("ci --jobs 1")
    shutil.copy(project / "cut.tflite", project / "good.tflite")
    assert "good on gpu: coverage fell from 100 % to 66.7 % since the baseline" in run("ci --jobs 1", 2)[0]
    run("ci --jobs 1 --update-baseline")
    run("ci --jobs 1")


def test_a_first_baseline_says_what_to_add(run: Any, project: Path) -> None:
    err = run("ci --jobs 1 --update-baseline")[1]
    assert 'once [tool.mobilekit] says: baseline = "mobilekit-baseline.json"' in err
    configure(project, 'baseline = "mobilekit-baseline.json"')
    assert run("ci --jobs 1")[1] == ""


def test_a_baseline_keeps_a_model_that_cannot_be_checked_now(run: Any, project: Path) -> None:
    run("ci --jobs 1 --update-baseline")
    before = (project / "mobilekit-baseline.json").read_text()
    (project / "cut.tflite").write_bytes(b"damaged")
    err = run("ci --jobs 1 --update-baseline", 1)[1]
    assert "the baseline was left as it is: cut could not be checked" in err
    assert (project / "mobilekit-baseline.json").read_text() == before


def test_init_writes_a_section_that_ci_runs(run: Any, project: Path) -> None:
    (project / "pyproject.toml").write_text('[project]\nname = "app"\n')
    (project / "nets.py").write_text(NETS.replace("def slow", "def _slow").replace("def raises", "def _raises"))
    out = run("ci init")[0]
    assert "added [tool.mobilekit], 3 models" in out
    assert "  cut: cut.tflite (a model file)" in out
    assert "  Small: nets.py:Small (an nn.Module without arguments)" in out
    assert "has a section [tool.mobilekit] already" in run("ci init", 1)[1]
    text = (project / "pyproject.toml").read_text()
    (project / "pyproject.toml").write_text(text.partition("\n[[tool.mobilekit.models]]  # an nn.Module")[0])
    assert "cut on cpu: takes 66.7 % of the ops" in run("ci --jobs 1", 2)[0]
    run("ci init nowhere", 1)


@dataclass(frozen=True)
class Case:
    """One mistake: what is changed in the project, and what is said about it."""

    said: tuple[str, ...]
    change: tuple[str, str] = ("", "")
    """Text of the pyproject.toml and what stands there instead."""
    files: dict[str, str] = field(default_factory=dict)
    words: str = "ci --jobs 1 --no-cache"
    others: bool = False
    """The other models are still reported."""


TARGETS = '["cpu", "gpu"]'
BAD = {
    "a table with a typo": Case(
        ("npu.json, line 5: key 'constrains' is not known, did you mean 'constraints'?",),
        ('model = "cut.tflite"', 'model = "cut.tflite"\ntargets = ["npu.json"]'), {"npu.json": TABLE}, others=True,
    ),
    "a table that is not there": Case(
        ("cannot read the table", "npu.json"), ('model = "cut.tflite"', 'model = "cut.tflite"\ntargets = ["npu.json"]'),
        others=True,
    ),
    "an unknown target": Case(
        ("line 2: unknown target 'gpuu'; did you mean 'gpu'?",), (TARGETS, '["cpu", "gpuu"]'),
    ),
    "a bar over 1": Case(
        ("line 3: min-coverage of 'gpu' is 95, it is a share from 0 to 1 (0.95 is 95 %)",),
        ("\n\n", "\nmin-coverage = { gpu = 95 }\n\n"),
    ),
    "a bar for an unknown target": Case(
        ("line 3: a bar for 'nnapi', which is not among the targets",),
        ("\n\n", "\nmin-coverage = { nnapi = 0.5 }\n\n"),
    ),
    "a baseline of another version": Case(
        ("has format 7, this mobilekit reads 1", "--update-baseline"),
        ("\n\n", '\nbaseline = "b.json"\n\n'),
        {"b.json": '{"kind": "coverage-baseline", "format_version": 7, "models": {}}'},
    ),
    "a baseline that is not JSON": Case(
        ("the baseline 'b.json' is not JSON",), ("\n\n", '\nbaseline = "b.json"\n\n'), {"b.json": "{"}
    ),
    "a model that raises": Case(
        ("'raises' in 'nets.py' raised ValueError: the user's own mistake", "nets.py:9"),
        ("cut.tflite", "nets.py:raises"), {"nets.py": NETS}, others=True,
    ),
    "a model that is damaged": Case(
        ("damaged or truncated",), files={"cut.tflite": "xxxxTFL3 and no more"}, others=True
    ),
    "a model that is not there": Case(("cannot read",), ("cut.tflite", "none.tflite"), others=True),
    "two models of one name": Case(
        ("line 7: two models are called 'good'; give one of them another 'name'",), ("cut.tflite", "good.tflite"),
    ),
    "no section": Case(("has no section [tool.mobilekit]; write one, or run: mobilekit ci init",), ("tool.", "tools.")),
    "no file": Case(("cannot read 'none.toml': No such file",), words="ci --config none.toml"),
    "no TOML": Case(("pyproject.toml: ", "line 1"), ("[tool.mobilekit]", "[tool.mobilekit")),
    "an unknown key": Case(
        ("line 2: key 'target' is not known, did you mean 'targets'?",), ("targets =", "target ="),
    ),
    "an unknown report": Case(
        ("'junitt=a.xml': write FORMAT=FILE, where FORMAT is one of text, json",), words="ci --report junitt=a.xml"
    ),
    "no jobs": Case(("Invalid value for '--jobs'",), words="ci --jobs 0"),
    "an unknown word": Case(("No such command 'unit'",), words="ci unit"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD.values(), ids=BAD.keys())
def test_bad_input(case: Case, run: Any, project: Path) -> None:
    if "raises" in case.change[1]:
        pytest.importorskip("torch")
    old, new = case.change
    assert old in PROJECT
    (project / "pyproject.toml").write_text(PROJECT.replace(old, new, 1 if old == "\n\n" else -1))
    for name, text in case.files.items():
        (project / name).write_text(text)
    out, err = run(case.words, 1)
    told = " ".join((out if case.others else err).split())
    for words in case.said:
        assert words in told
    assert "Traceback" not in out + err
    if case.others:
        assert "good" in out
        assert out.endswith("2 models: 1 ok, 1 could not be checked\n")
    else:
        assert out == ""
        assert err.startswith("mobilekit: error: ")
        assert err.count("\n") == 1


@pytest.mark.parametrize("seconds", [1.0, 8.0])  # while the fork server imports torch; in the user's own code
def test_ctrl_c_ends_every_process_at_once(project: Path, seconds: float) -> None:
    pytest.importorskip("torch")
    (project / "nets.py").write_text(NETS)
    (project / "pyproject.toml").write_text(PROJECT.replace("cut.tflite", "nets.py:slow"))
    child = subprocess.Popen(
        [sys.executable, "-c", "import mobilekit.cli as c; print('ready', flush=True); c.script()", "ci", "--no-cache"],
        cwd=project, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    time.sleep(seconds)
    os.killpg(child.pid, signal.SIGINT)  # as a terminal does: to all processes of the group
    out, err = child.communicate(timeout=60)  # which returns once nobody holds the pipes any more
    assert (child.returncode, out, err) == (130, "", "mobilekit: interrupted\n")


def test_the_action_runs_the_command_as_it_is(project: Path) -> None:
    """The script of action.yml with the real ``mobilekit``: options, reports and exit code are in step."""
    yaml, bash = pytest.importorskip("yaml"), shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    action = yaml.safe_load((ROOT / "action.yml").read_text())
    script = next(step["run"] for step in action["runs"]["steps"] if step.get("id") == "check")
    configure(project, "min-coverage = { gpu = 0.95 }")
    command = project / "mobilekit"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -c "import mobilekit.cli as c; c.script()" "$@"\n')
    command.chmod(0o755)
    environment = {
        **os.environ,
        "PATH": f"{project}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(project / "temp"),
        "GITHUB_OUTPUT": str(project / "output"),
        "GITHUB_STEP_SUMMARY": str(project / "summary"),
        "CONFIG": "pyproject.toml",
        "SARIF": "out/ops.sarif",
        "JUNIT": "out/ops.xml",
        "CACHE": str(project / "cache"),
    }
    done = subprocess.run(
        [bash, "-e", "-c", script], cwd=project, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 2, done.stderr
    assert "::error" in done.stdout
    assert (project / "output").read_text() == "exit-code=2\n"
    assert "cut" in (project / "summary").read_text()
    assert {path.name for path in (project / "out").iterdir()} == {"ops.sarif", "ops.xml"}
