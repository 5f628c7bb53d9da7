"""The commands as users type them: text, JSON, files, help, exit codes, and what a start may cost."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mobilekit
from mobilekit import cli
from mobilekit.cli import main
from mobilekit.sidecar import Sidecar

torch = pytest.importorskip("torch")

NET = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 4, 3, padding=1)

    def forward(self, x):
        return torch.relu(self.conv(x)).mean((2, 3))

def make():
    torch.manual_seed(0)
    return Net(), torch.zeros(1, 3, 16, 16)

def plain():
    torch.manual_seed(0)
    return Net()
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """net.py, arrays/, photos/, and net.tflite (float) and int8.tflite made of it by the command line."""
    folder = tmp_path_factory.mktemp("cli")
    (folder / "net.py").write_text(NET)
    (folder / "labels.txt").write_text("cat\ndog\nbird\nfish\n")
    rng = np.random.default_rng(0)
    (folder / "arrays").mkdir()
    for index in range(4):
        np.save(folder / "arrays" / f"{index}.npy", rng.normal(size=(1, 3, 16, 16)).astype(np.float32))
    make = f"{folder / 'net.py'}:make"
    assert main(["convert", make, "-o", str(folder / "net.tflite")]) == 0
    int8 = ["convert", make, "-o", str(folder / "int8.tflite"), "-q", "int8", "-c", str(folder / "arrays")]
    assert main(int8) == 0
    return folder


@pytest.fixture
def run(folder: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Any:
    """Run a command line in the folder; the exit code must be ``code``. Returns what it printed."""
    monkeypatch.chdir(folder)

    def run(words: str, code: int = 0) -> str:
        capfd.readouterr()
        got = main(words.split())
        out, err = capfd.readouterr()
        assert got == code, err
        return out

    return run


def test_convert_writes_the_file_and_its_sidecar(run: Any, tmp_path: Path) -> None:
    text = run(f"convert net.py:make -o {tmp_path / 'a' / 'new.tflite'}")
    assert "make -> float32" in text
    assert "verified on" in text
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["new.json", "new.tflite"]
    sidecar = Sidecar.read(tmp_path / "a" / "new.json")
    assert sidecar.inputs[0].shape == (1, 16, 16, 3)


def test_convert_rewrites(run: Any, tmp_path: Path) -> None:
    text = " ".join(run(f"convert net.py:make -o {tmp_path / 'new.tflite'} --rewrite silu_hardswish").split())
    assert "note: rewrite silu_hardswish found no aten.silu.default" in text
    run(f"convert net.py:make -o {tmp_path / 'new.tflite'} --rewrite silu_hardswis", 1)


def test_convert_is_deterministic(run: Any, folder: Path, tmp_path: Path) -> None:
    run(f"convert net.py:make -o {tmp_path / 'int8.tflite'} -q int8 -c arrays")
    assert (tmp_path / "int8.tflite").read_bytes() == (folder / "int8.tflite").read_bytes()
    assert (tmp_path / "int8.json").read_bytes() == (folder / "int8.json").read_bytes()


def test_convert_names_the_file_after_the_model(run: Any, folder: Path) -> None:
    run("convert net.py:plain --input-shape 1,3,8,8")
    assert Sidecar.read(folder / "plain.json").inputs[0].model_shape == (1, 3, 8, 8)
    for name in ("plain.tflite", "plain.json"):
        (folder / name).unlink()


def test_convert_json(run: Any, tmp_path: Path) -> None:
    report = json.loads(run(f"convert net.py:make -o {tmp_path / 'x.tflite'} -q int8 -c arrays --json"))
    assert (report["format_version"], report["kind"]) == (1, "conversion")
    assert report["calibration"] == "given"
    assert report["calibration_samples"] == 4
    assert report["full_integer"] is True
    assert report["verification"]["passed"] is True


def test_convert_with_labels_and_preprocessing(run: Any, tmp_path: Path) -> None:
    path = tmp_path / "x.tflite"
    run(f"convert net.py:make -o {path} --preprocess minus-one-to-one --labels labels.txt")
    sidecar = Sidecar.read(path.with_suffix(".json"))
    assert sidecar.labels == ("cat", "dog", "bird", "fish")
    assert sidecar.preprocess is not None
    assert (sidecar.preprocess.height, sidecar.preprocess.mean) == (16, (127.5,))
    assert sidecar.postprocess is not None


def test_convert_on_synthetic_data_warns(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(folder)
    words = ["convert", "net.py:make", "-o", str(tmp_path / "x.tflite"), "-q", "int8"]
    assert main(words) == 0
    assert "warning: calibrated on synthetic" in capfd.readouterr().out
    assert main([*words, "--json"]) == 0
    out, err = capfd.readouterr()
    assert json.loads(out)["calibration"] == "synthetic"
    assert "mobilekit: warning: calibrated on synthetic" in err


def test_convert_verifies_on_data_of_its_own(run: Any, tmp_path: Path) -> None:
    text = run(f"convert net.py:make -o {tmp_path / 'x.tflite'} -q int8 -c arrays --data arrays --json")
    assert json.loads(text)["verification"]["data"] == "held-out"


def test_convert_writes_a_report(run: Any, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    pytest.importorskip("matplotlib")
    run(f"convert net.py:make -o {tmp_path / 'x.tflite'} -q int8 -c arrays --report {tmp_path / 'r.html'}")
    html = (tmp_path / "r.html").read_text()
    assert "<h1>make, int8</h1>" in html
    assert "The noisiest tensors" in html


def test_info(run: Any) -> None:
    text = run("info int8.tflite")
    assert "1x16x16x3" in text
    assert "full integer   yes" in text
    document = json.loads(run("info int8.tflite --json"))
    assert document["kind"] == "file"
    assert document["inputs"][0]["dtype"] == "int8"
    assert document["op_counts"]["CONV_2D"] == 1
    assert "CONV_2D" in run("info net.tflite --graph")


@pytest.mark.parametrize("words", ["", "--data arrays", "--input-shape 1,3,16,16"])
def test_verify(run: Any, words: str) -> None:
    assert "verified on" in run(f"verify net.py:make net.tflite {words}")
    assert "verified on" in run(f"verify net.py:make int8.tflite {words}")


def test_verify_needs_no_sidecar(run: Any, folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.tflite"
    copy.write_bytes((folder / "net.tflite").read_bytes())
    report = json.loads(run(f"verify net.py:make {copy} --json"))
    assert (report["kind"], report["passed"]) == ("verification", True)


def test_verify_matches_shapes(run: Any, capfd: pytest.CaptureFixture[str]) -> None:
    run("verify net.py:make net.tflite --input-shape 1,3,8,8", code=1)


def test_programs(run: Any, folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "net.pt2"
    namespace: dict[str, Any] = {}
    exec(NET, namespace)
    module, example = namespace["make"]()
    torch.export.save(torch.export.export(module.eval(), (example,)), path)
    run(f"convert {path} -o {tmp_path / 'x.tflite'}")
    run(f"verify {path} {tmp_path / 'x.tflite'}")


@pytest.mark.parametrize("command", ["convert", "check", "verify", "info", "bench"])
def test_help_has_examples(run: Any, command: str) -> None:
    text = run(f"{command} -h")
    assert "Examples:" in text
    assert f"\n  mobilekit {command} " in text or f"\n    mobilekit {command} " in text
    assert run(f"{command} --help") == text


def test_help_is_in_sections_and_no_command_is_cut_short(run: Any) -> None:
    text = run("convert -h")
    places = [text.index(f"\n{title}:\n") for title in ("Options", "Quantization", "Inputs", "Conversion", "Checks")]
    assert places == sorted(places)
    assert "..." not in run("-h").partition("Commands:")[2]


def test_version(run: Any) -> None:
    assert run("--version") == f"mobilekit {mobilekit.__version__}\n"


def test_bugs_are_one_line_and_a_traceback_on_request(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_args: object) -> int:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr(cli, "_run", broken)
    assert main(["info", "x"]) == 1
    line = "mobilekit: internal error: ZeroDivisionError: division by zero"
    assert capfd.readouterr().err == f"{line} (run with --debug for the traceback); please report it\n"
    assert main(["info", "x", "--debug"]) == 1
    err = capfd.readouterr().err
    assert "Traceback (most recent call last)" in err
    assert err.endswith(f"{line}; please report it\n")


def test_signals_are_put_back() -> None:
    before = signal.getsignal(signal.SIGINT)
    assert main(["--version"]) == 0
    assert signal.getsignal(signal.SIGINT) is before


def test_it_runs_in_a_thread() -> None:
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["--version"])))
    thread.start()
    thread.join()
    assert codes == [0]


def test_out_of_memory(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def broken(*_args: object) -> int:
        raise MemoryError

    monkeypatch.setattr(cli, "_run", broken)
    assert main([]) == 1
    assert capfd.readouterr().err == "mobilekit: error: out of memory\n"


def _imported(words: str, folder: Path) -> set[str]:
    code = "import sys, mobilekit.cli as c; c.main(sys.argv[1:]); print('MODULES', *sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code, *words.split()],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return set(run.stdout.rpartition("MODULES")[2].split())


HEAVY = {"torch", "tensorflow", "matplotlib", "jinja2", "PIL", "torchvision"}


@pytest.mark.parametrize(
    "words", ["-h", "convert -h", "android -h", "info int8.tflite", "info int8.tflite --json", "check int8.tflite"]
)
def test_light_commands_import_nothing_heavy(folder: Path, words: str) -> None:
    assert _imported(words, folder) & HEAVY == set()


def test_the_module_runs(folder: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "mobilekit", "info", "int8.tflite"],
        cwd=folder,
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert run.returncode == 0
    assert run.stdout


def test_quantize_debug(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["quantize", "debug", f"{folder / 'net.py'}:make", "-c", str(folder / "arrays"), "--quiet"]
    assert main([*words, "--report", str(folder / "noise.html")]) == 0
    out = capsys.readouterr().out
    assert "noise at the outputs:" in out
    assert "CONV_2D" in out
    assert "Where the noise comes from" in (folder / "noise.html").read_text()
    assert main([*words, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["kind"] == "quantize_debug"
    assert document["weights_share"] + document["activations_share"] == pytest.approx(1.0)


def test_recipe_list_show_and_check(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["recipe", "list"]) == 0
    assert "int16x8" in capsys.readouterr().out
    assert main(["recipe", "show", "int8"]) == 0
    mine = folder / "mine.json"
    mine.write_text(capsys.readouterr().out)
    (folder / "mine.toml").write_text('[[overrides]]\nop = "CONV_*"\nprecision = "float32"\n')
    assert main(["recipe", "check", str(mine)]) == 0
    assert main(["recipe", "check", str(folder / "mine.toml"), str(folder / "net.tflite")]) == 0
    assert capsys.readouterr().out.startswith("op='CONV_*': 1 of ")
