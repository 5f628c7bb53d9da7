"""action.yml and the pre-commit hook: what they run, run here with a stand-in for the command."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

yaml = pytest.importorskip("yaml")

ROOT = Path(__file__).parent.parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text())


def run_step(tmp_path, code, **inputs):
    """The action's script, with a `mobilekit` that notes its arguments, writes its reports and exits with ``code``."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    (tmp_path / "mobilekit").write_text(
        '#!/bin/sh\nprintf "%s\\n" "$@" > "$RUNNER_TEMP/arguments"\n'
        'echo "a table" > "$RUNNER_TEMP/mobilekit-summary.md"\n'
        'echo "::warning::x" > "$RUNNER_TEMP/mobilekit-annotations.txt"\n'
        f"exit {code}\n"
    )
    (tmp_path / "mobilekit").chmod(0o755)
    step = next(step for step in ACTION["runs"]["steps"] if step.get("id") == "check")
    given = {name: spec.get("default", "") for name, spec in ACTION["inputs"].items()} | inputs
    environment = {
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
        "RUNNER_TEMP": str(tmp_path),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "CONFIG": given["config"],
        "SARIF": given["sarif"],
        "JUNIT": given["junit"],
        "CACHE": str(tmp_path / "cache"),
    }
    return subprocess.run([bash, "-e", "-c", step["run"]], env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_exit_code_and_the_reports_come_through(tmp_path, code):
    done = run_step(tmp_path, code, sarif="out/m.sarif")
    assert done.returncode == code
    assert done.stdout == "::warning::x\n"
    assert (tmp_path / "output").read_text() == f"exit-code={code}\n"
    assert (tmp_path / "summary").read_text() == "a table\n"
    arguments = (tmp_path / "arguments").read_text().split("\n")
    assert arguments[:3] == ["ci", "--config", "pyproject.toml"]
    assert "sarif=out/m.sarif" in arguments
    assert not any(word.startswith("junit=") for word in arguments)


def test_inputs_reach_the_shell_as_variables_only():
    """An input pasted into a script is a way to run code: everything goes through env."""
    for step in ACTION["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_the_hook_runs_the_command_once():
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    assert hook["entry"] == "mobilekit ci"
    assert hook["pass_filenames"] is False
