"""Foreign converters that fail in every way a process can fail."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from mobilekit.errors import BackendError
from mobilekit.frontends import child
from mobilekit.frontends.child import Limits, cause_of, python_for, run_child


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, limits: Limits | None = None) -> None:
    monkeypatch.setattr(child, "CHILDREN", tmp_path)
    (tmp_path / "script.py").write_text(script)
    folder = tmp_path / "work"
    folder.mkdir()
    run_child("test", Path(sys.executable), "script.py", folder, limits=limits)


def test_a_child_that_works_runs_in_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, monkeypatch, "open('made', 'w').close()")
    assert (tmp_path / "work" / "made").exists()


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("raise ValueError('no such op: Erf')", "backend 'test' failed (exit 1): ValueError: no such op: Erf"),
        ("import sys; print('gave up'); sys.exit(3)", "backend 'test' failed (exit 3): gave up"),
        ("import os; os.kill(os.getpid(), 11)", "backend 'test' crashed (SIGSEGV): it printed nothing"),
    ],
)
def test_the_cause_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str) -> None:
    with pytest.raises(BackendError) as caught:
        run(tmp_path, monkeypatch, script)
    assert str(caught.value) == message


def test_a_hang_ends_at_the_time_limit_with_all_its_children(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        "import subprocess, time; p = subprocess.Popen(['sleep', '600']); print(p.pid, flush=True); time.sleep(600)"
    )
    with pytest.raises(BackendError, match=r"backend 'test' did not finish in 3 s"):
        run(tmp_path, monkeypatch, script, Limits(timeout_s=3))
    grandchild = int((tmp_path / "work" / "child.log").read_text().split()[0])
    # The signal was sent; a busy machine may need a moment to carry it out.
    for _ in range(100):
        if _has_ended(grandchild):
            return
        time.sleep(0.1)
    pytest.fail(f"process {grandchild} is still there")


def _has_ended(process: int) -> bool:
    """Gone, or a zombie that nobody has waited for yet."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is read from /proc, which is Linux's")
def test_memory_over_the_limit_ends_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "import time; block = bytearray(300 << 20); time.sleep(60)"
    with pytest.raises(BackendError, match=r"backend 'test' used \d+ MB of memory, 100 are allowed"):
        run(tmp_path, monkeypatch, script, Limits(timeout_s=50, memory_mb=100))


def test_an_interpreter_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(BackendError, match=r"cannot start .*nowhere: No such file or directory"):
        run_child("test", tmp_path / "nowhere", "onnx2tf_child.py", tmp_path)


def test_which_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TEST_PYTHON", raising=False)
    assert python_for("test", "TEST_PYTHON", "json") == Path(sys.executable)
    assert python_for("test", "TEST_PYTHON", "no_such_module_at_all") is None
    monkeypatch.setenv("TEST_PYTHON", "/nowhere/python")
    with pytest.raises(BackendError, match="TEST_PYTHON names /nowhere/python, which does not exist"):
        python_for("test", "TEST_PYTHON", "json")


def test_the_cause_is_the_last_error_and_noise_is_none() -> None:
    log = "INFO: x\nTraceback (most recent call last):\n  File ...\nKeyError: 'a'\nWARNING: later\nbye\n"
    assert cause_of(log) == "KeyError: 'a'"
    assert cause_of("INFO: x\n\nsomething odd\n") == "something odd"
