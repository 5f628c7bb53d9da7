from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mobilekit import cli
from mobilekit.bench import __main__ as bench_main
from mobilekit.bench import frames, schema
from mobilekit.bench.devices import cpu
from tests.bench.samples import adder

QUICK = ("--seconds", "0.5", "--warm-up", "0", "--frame", "64x48")


@pytest.fixture(autouse=True)
def small_ring(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frames, "MIN_RING_BYTES", 100_000)
    monkeypatch.setattr(frames, "MAX_RING_BYTES", 100_000)
    monkeypatch.setattr(cpu, "_CLOSED_LOOP_S", 0.05)


def run(*words: object) -> int:
    return cli.main(["bench", *map(str, words)])


class TestOutput:
    def test_text(self, classifier_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        assert run(classifier_path, *QUICK) == 0
        out = capfd.readouterr().out
        assert "delivered frames" in out
        assert "age of what is shown" in out

    def test_json_alone_prints_one_document(self, classifier_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        assert run("--json", classifier_path, *QUICK) == 0
        assert schema.parse(capfd.readouterr().out).model == "classifier.tflite"

    def test_json_with_a_name_writes_it_beside_the_text(
        self, classifier_path: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        target = tmp_path / "out" / "report.json"
        assert run(classifier_path, *QUICK, "--json", target) == 0
        report = schema.parse(target.read_text())
        assert len(report.delivered.values_ms) == report.frames_delivered
        assert "delivered frames" in capfd.readouterr().out
        assert [file.name for file in target.parent.iterdir()] == ["report.json"]

    def test_model_as_an_option(self, classifier_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        assert run("--model", classifier_path, *QUICK, "--json") == 0
        assert json.loads(capfd.readouterr().out)["model"] == "classifier.tflite"

    def test_help_shows_examples(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert run("-h") == 0
        out = capfd.readouterr().out
        assert "Examples:" in out
        assert "mobilekit bench net.tflite --json report.json" in out
        for option in (
            "--device",
            "--fps",
            "--refresh",
            "--seconds",
            "--warm-up",
            "--threads",
            "--frame",
            "--rotation",
        ):
            assert option in out

    def test_list(self, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        assert run("--list") == 0
        out = capfd.readouterr().out
        assert "cpu  this machine" in out
        assert "android  adb is not on the PATH" in out
        assert "--camera phone" in out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--json"], ["--json=-"]),
        (["--json", "net.tflite"], ["--json=-", "net.tflite"]),
        (["--json", "--fps", "30"], ["--json=-", "--fps", "30"]),
        (["net.tflite", "--json", "out.json", "--fps", "30"], ["net.tflite", "--json=out.json", "--fps", "30"]),
        (["--json=x.txt"], ["--json=x.txt"]),
        ([], []),
    ],
)
def test_json_target(words: list[str], expected: list[str]) -> None:
    assert bench_main._with_json_target(words) == expected


class TestBadInput:
    """Each one: exit 1, one line on stderr that says what is wrong, nothing on stdout, nothing on disk."""

    @pytest.mark.parametrize(
        ("words", "text"),
        [
            (["--fps", "0"], "--fps is 0, it must be 1 to 1000"),
            (["--fps", "-29.97"], "--fps is -29.97, it must be 1 to 1000"),
            (["--fps", "nan"], "--fps is nan, it must be 1 to 1000"),
            (["--fps", "fast"], "Invalid value for '--fps'"),
            (["--refresh", "inf"], "--refresh is inf, it must be 1 to 1000"),
            (["--seconds", "-1"], "--seconds is -1, it must be 0.5 to 3600"),
            (["--threads", "0"], "--threads is 0, it must be 1 to 256"),
            (["--frame", "1920"], "--frame is '1920', expected WIDTHxHEIGHT such as 1920x1080"),
            (["--frame", "0x0"], "a camera frame of 0x0 is out of range: both sides must be 16 to 8192 pixels"),
            (["--frame", "99999x99999"], "a camera frame of 99999x99999 is out of range"),
            (["--frame", "641x480"], "cannot be NV21: both sides must be even"),
            (["--rotation", "45"], "--rotation is 45, known are 0, 90, 180 and 270 degrees"),
            (["--delegate", "gpu"], "--delegate is 'gpu', known are xnnpack and reference"),
            (["--camera", "webcam"], "there is no camera preset 'webcam', known are phone, none"),
            (["--device", "fridge"], "there is no device 'fridge', known are cpu, android"),
            (["--nonsense"], "No such option"),
            (["none.tflite"], "cannot read 'none.tflite': No such file or directory"),
            (["photo.jpg"], "'photo.jpg' is no .tflite file: convert the model first"),
            (["--model", "a.tflite", "b.tflite"], "two models were given, 'b.tflite' and 'a.tflite'"),
            (["--json", "/proc/none/report.json"], "cannot write '/proc/none/report.json'"),
        ],
    )
    def test_options(
        self,
        words: list[str],
        text: str,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: Path,
    ) -> None:
        monkeypatch.chdir(tmp_path)
        self._check(run(*words), text, capfd)
        assert list(tmp_path.iterdir()) == []

    def _check(self, status: int, text: str, capfd: pytest.CaptureFixture[str]) -> None:
        out, err = capfd.readouterr()
        assert status == 1
        assert text in err
        assert err.startswith("mobilekit: error: ")
        assert err.count("\n") == 1
        assert out == ""

    def test_debug_adds_the_traceback_to_the_line(self, capfd: pytest.CaptureFixture[str]) -> None:
        assert run("--debug", "--fps", "0") == 1
        err = capfd.readouterr().err
        assert "Traceback" in err
        assert err.splitlines()[-1] == "mobilekit: error: --fps is 0, it must be 1 to 1000"

    def test_a_truncated_file(self, classifier_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        classifier_path.write_bytes(classifier_path.read_bytes()[:600])
        self._check(run(classifier_path), "classifier.tflite' is damaged or truncated", capfd)

    def test_no_model_at_all(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "text.tflite"
        path.write_text("a shopping list")
        self._check(run(path), "is not a .tflite file", capfd)

    def test_a_model_whose_input_is_no_image(self, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        path = tmp_path / "words.tflite"
        path.write_bytes(adder(((1, 128),)))
        self._check(run(path, *QUICK, "--delegate", "reference"), "input 'input_0' is float32[1, 128], no image", capfd)

    def test_a_broken_sidecar(self, classifier_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
        classifier_path.with_suffix(".json").write_text("{")
        self._check(run(classifier_path), "classifier.json is not JSON: line 1", capfd)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc whether the child answers signals yet")
class TestInterrupt:
    """Ctrl-C at any time: exit 130, one line, no traceback, nothing half-written."""

    # Seconds after the command has begun: while importing, while making frames or loading, in the run.
    @pytest.mark.parametrize("after_s", [0.0, 0.2, 0.6, 2.5])
    def test_at_any_time(self, classifier_path: Path, tmp_path: Path, after_s: float) -> None:
        report = tmp_path / "report.json"
        words = [str(classifier_path), "--seconds", "60", "--json", str(report)]
        child = subprocess.Popen(
            [sys.executable, "-m", "mobilekit.bench", *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # Ignored until the command takes it: what Python itself does in its first moments is not ours to test.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )
        _wait_until_caught(child.pid)
        time.sleep(after_s)
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
        assert child.returncode == 130
        assert out == ""
        lines = [line for line in err.splitlines() if line and not line.startswith("INFO:")]  # the runtime's own remark
        assert lines == ["mobilekit: interrupted"]
        assert [file.name for file in tmp_path.iterdir()] == ["classifier.tflite"]


def _wait_until_caught(pid: int) -> None:
    """Until process ``pid`` has a handler for SIGINT: bit 1 of the mask of caught signals."""
    for _ in range(600):
        fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
        if int(fields["SigCgt"], 16) & 1 << signal.SIGINT - 1:
            return
        time.sleep(0.05)
    raise TimeoutError("the command never took SIGINT")


def test_both_ways_in_are_one_command(classifier_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "mobilekit.bench", "--fps", "0"], capture_output=True, text=True, timeout=60, check=False
    )
    assert (answer.returncode, answer.stdout) == (1, "")
    assert answer.stderr == "mobilekit: error: --fps is 0, it must be 1 to 1000\n"


def test_importing_the_package_loads_nothing_heavy() -> None:
    program = (
        "import sys, mobilekit.bench; "
        "print([m for m in ('torch', 'numpy', 'rich', 'typer', 'pydantic') if m in sys.modules])"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert answer.stdout.strip() == "[]"


def test_running_a_file_never_loads_torch(classifier_path: Path) -> None:
    program = (
        "import sys; from mobilekit import cli; "
        f"cli.main(['bench', {str(classifier_path)!r}, '--seconds', '0.5', '--frame', '64x48', '--json']); "
        "sys.exit('torch' in sys.modules)"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert answer.returncode == 0, answer.stderr
